"""Kinds of options that commands share: choices, groups, sections of the help, threads, finite numbers, sizes."""

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial, wraps
from typing import Any

import click

from mi_coder.errors import did_you_mean

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_MOST = 1 << 40
_WHOLE = 1000
"""Letters up to which the first sentence of a command is shown whole."""


class Choice(click.Choice[str]):
    """One of some names; for another name it suggests the nearest."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        """Read a name.

        Raises:
            click.BadParameter: it is none of them.
        """
        try:
            return super().convert(value, parameter, context)
        except click.BadParameter as error:
            self.fail(error.message + did_you_mean(str(value), self.choices), parameter, context)


class _InSection(click.Option):
    """An option that the help lists under the title `section`."""

    def __init__(self, *names: Any, section: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.section = section


def section(title: str) -> Callable[..., Decorator]:
    """What makes an option, as `click.option` does, that the help of a `Command` lists under a title."""
    return partial(click.option, cls=_InSection, section=title)


class Command(click.Command):
    """A command whose help lists the options in their sections, and first of all those that are in none."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each section in the order in which it first comes."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(context):
            if record := parameter.get_help_record(context):
                title = parameter.section if isinstance(parameter, _InSection) else "Options"
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Group(click.Group):
    """Commands that are each a `Command`."""

    command_class = Command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its whole first sentence."""
        commands = [(name, self.get_command(context, name)) for name in self.list_commands(context)]
        rows = [(name, one.get_short_help_str(limit=_WHOLE)) for name, one in commands if one and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def choice(*names: str, values: Sequence[str], help: str, option: Callable[..., Decorator] = click.option) -> Decorator:
    """An option that takes one of `values`; the first is its default.

    Args:
        option: what makes it, such as a `section`.
    """
    return option(*names, type=Choice(values), default=values[0], show_default=True, help=help)


def grouped(name: str, into: type, *options: Decorator) -> Decorator:
    """Give a command `options`, which reach it as one argument `name`: an object of the dataclass `into`."""
    members = [field.name for field in fields(into)]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        def gather(**given: Any) -> Any:
            group = into(**{member: given.pop(member) for member in members})
            return command(**given, **{name: group})

        decorated: Callable[..., Any] = wraps(command)(gather)
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def threads_option(help: str, option: Callable[..., Decorator] = click.option) -> Decorator:
    """The option --threads; `option` as in `choice`."""
    return option("--threads", type=click.IntRange(1, 256), help=f"{help} Default: all cores.")


def unit_option() -> Decorator:
    """The option --unit of what is counted."""
    return choice(
        "--unit",
        values=["message", "volley"],
        help="What is counted: messages, or volleys (all that the counselor writes between two messages of the "
        "client).",
    )


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def force_option(help: str = "Overwrite an existing file.") -> Decorator:
    """The flag --force."""
    return click.option("--force", is_flag=True, help=help)


class Finite(click.FloatRange):
    """A number in a range, which is not nan or infinite."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """Read a number.

        Raises:
            click.BadParameter: it is none, not finite, or not in the range.
        """
        number = click.FLOAT.convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", parameter, context)
        return super().convert(number, parameter, context)


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
