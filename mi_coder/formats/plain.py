"""Further fields as any format can hold them: what numpy and pandas make of a value becomes a plain one again."""

from datetime import date, datetime
from typing import Any

import msgspec

from mi_coder.errors import MiCoderError
from mi_coder.missing import is_missing

_PLAIN = frozenset({str, int, float, bool, type(None), date, datetime})
_AS = {"M": "datetime64[us]", "f": "float64"}
"""By kind of a type of numpy: the one that has a counterpart."""


def plain_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields with plain values.

    Raises:
        MiCoderError: a value of a type that no format holds, naming its field.
    """
    if _PLAIN.issuperset(map(type, fields.values())):
        return fields
    try:
        return {name: _plain(value) for name, value in fields.items()}
    except TypeError:
        name, value = next((name, value) for name, value in fields.items() if not _is_writable(value))
        raise MiCoderError(
            f"The field {name!r} has or contains a value that no file holds (its type is {type(value).__name__}). "
            "Make it text, a number, a date, or a list or dict of these."
        ) from None


def _is_writable(value: Any) -> bool:
    try:
        _plain(value)
    except TypeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """The value as text, number, date, list or object.

    Raises:
        TypeError: it is of another type, or an object has names that are neither text nor number.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_plain(item) for item in value]
    if kind is dict:
        msgspec.json.encode(dict.fromkeys(value))
        return {name: _plain(item) for name, item in value.items()}
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    if kind.__module__ == "numpy":
        return _of_numpy(value)
    msgspec.json.encode(value)
    return value


def _of_numpy(value: Any) -> Any:
    """A number or array of numpy as plain numbers or lists of them; times to the microsecond.

    Raises:
        TypeError: its values have no counterpart.
    """
    if target := _AS.get(value.dtype.kind):
        value = value.astype(target)
    if value.dtype.kind not in "biufUOM":
        raise TypeError
    return _plain(value.tolist())
