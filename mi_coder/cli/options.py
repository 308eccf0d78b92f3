"""Kinds of options that verbs share: choices, and sizes such as 1000000, 64KiB, 16MiB or 2GiB."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_MOST = 1 << 40


def choice(*names: str, values: Sequence[str], help: str) -> Callable[[Any], Any]:
    """An option that takes one of `values`; the first is its default."""
    return click.option(*names, type=click.Choice(values), default=values[0], show_default=True, help=help)


class Size(click.ParamType):
    """A number of bytes, plain or in binary units."""

    name = "size"

    def convert(self, value: str | int, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Read a size; what is one already stays.

        Raises:
            click.BadParameter: it is none, or not between one byte and 1024 GiB.
        """
        if isinstance(value, int):
            return value
        parts = re.fullmatch(r"(\d{1,18})\s*((?:[KMG]iB)?)", value.strip(), re.IGNORECASE | re.ASCII)
        size = int(parts[1]) * _UNITS[parts[2].casefold()] if parts else 0
        if not 0 < size <= _MOST:
            self.fail(
                f"{value!r}: write a number of bytes such as 1000000, or 64KiB, 16MiB, 2GiB; at most 1024GiB.",
                parameter,
                context,
            )
        return size
