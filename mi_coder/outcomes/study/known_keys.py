"""Refuse keys and choices that a struct does not know, with the one that they may stand for."""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from mi_coder.errors import UsageProblem, did_you_mean


def refuse_unknown(content: Mapping[str, Any], struct: type, source: str, path: str = "") -> None:
    """Refuse keys that a struct does not have, and texts that a key cannot be, with the one they may stand for.

    Args:
        source, path: how messages name the content, and where in it the struct is.

    Raises:
        UsageProblem: there is one.
    """
    hints = get_type_hints(struct)
    for key, value in content.items():
        if key not in hints:
            raise UsageProblem(
                f"{source}: unknown key {path + str(key)!r}.{did_you_mean(str(key), hints)} "
                f"Allowed here: {', '.join(hints)}."
            )
        allowed = _choices(hints[key])
        for choice in value if isinstance(value, list) else [value]:
            if allowed and isinstance(choice, str) and choice not in allowed:
                raise UsageProblem(
                    f"{source}: {path}{key} is {choice!r}.{did_you_mean(choice, allowed)} "
                    f"It can be {', '.join(each or 'empty' for each in allowed)}."
                )
        for inner in _structs(hints[key]):
            for i, item in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(item, dict):
                    place = f"{path}{key}[{i}]." if isinstance(value, list) else f"{path}{key}."
                    refuse_unknown(item, inner, source, place)


def _choices(hint: Any) -> tuple[str, ...]:
    """The texts that a key, or each entry of its list, can be; none where any text goes."""
    if get_origin(hint) is Literal:
        return tuple(each for each in get_args(hint) if isinstance(each, str))
    if get_origin(hint) is tuple:
        return _choices(get_args(hint)[0])
    return ()


def _structs(hint: Any) -> list[type]:
    """The structs that a key, or each entry of its list, can hold."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [inner for each in get_args(hint) for inner in _structs(each)] if get_origin(hint) or get_args(hint) else []
