"""Rows that meet by their place: what is given by row becomes arrays, whatever index a frame of pandas has."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import BadShape

P = ParamSpec("P")
R = TypeVar("R")


def floats(values: Any, name: str) -> Floats:
    """Numbers in the shape they have, not a number where one is missing.

    Args:
        values: an array, a list, or a column or frame of pandas, whose index does not count.
        name: of the values, for the message.

    Raises:
        UsageProblem: a value is no number.
    """
    try:
        if isinstance(values, np.ma.MaskedArray):
            return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
        if type(values).__module__.partition(".")[0] == "pandas":
            return np.ascontiguousarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UsageProblem(
            f"{name} must be numbers, one or more for each row, with nan where one is missing, but has other values."
        ) from None


def truths(values: Any, name: str) -> Bools:
    """Truth values [rows]; arguments as of `floats`.

    Raises:
        BadShape: a value is missing or no truth value.
    """
    array = np.asarray(values)
    if array.dtype != np.bool_:
        raise BadShape(f"{name} must be true or false in every row. Where it is 1 or 0, give {name} == 1.")
    return array


def by_place(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function take lists and columns and frames of pandas where its signature says `Floats` or `Bools`.

    Pandas matches rows by their labels, numpy by their place. A function that is given both, or columns of frames that
    were sorted apart, would take values of one row for those of another.
    """
    makers = {
        name: (index, floats if parameter.annotation in (Floats, Floats | None) else truths)
        for index, (name, parameter) in enumerate(inspect.signature(function).parameters.items())
        if parameter.annotation in (Floats, Floats | None, Bools)
    }

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        given: list[Any] = list(args)
        named: dict[str, Any] = dict(kwargs)
        for name, (index, make) in makers.items():
            if index < len(given):
                given[index] = None if given[index] is None else make(given[index], name)
            elif named.get(name) is not None:
                named[name] = make(named[name], name)
        return function(*given, **named)

    return called
