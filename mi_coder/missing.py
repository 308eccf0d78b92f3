"""Values that stand for nothing, in data of any origin."""

from numbers import Real
from typing import Any

_MARKS = ("NAType", "NaTType")


def is_missing(value: Any) -> bool:
    """Whether a value is None, not a number, or one of the marks of pandas for what is missing (NA, NaT)."""
    if value is None or type(value).__name__ in _MARKS:
        return True
    return isinstance(value, Real) and value != value
