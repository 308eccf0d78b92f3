"""What the commands that talk to Label Studio share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mi_coder.annotation.client import URL_VARIABLE, Client, check_url, find_token
from mi_coder.cli.options import Group
from mi_coder.cli.target import readable, show

if TYPE_CHECKING:
    from mi_coder.annotation.exports import Problem
    from mi_coder.annotation.overlay import Overlay

_SHOWN = 10
_BAD_RECORDS = 3


class InOrder(Group):
    """Commands that the help lists in the order in which they are defined: that of the work."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)


def url_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option --url."""
    return click.option(
        "--url",
        envvar=URL_VARIABLE,
        default="http://127.0.0.1:8080",
        show_default=True,
        help=f"Address of Label Studio; also read from {URL_VARIABLE}.",
    )(command)


def overlay_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option --overlay."""
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--overlay", type=kind, help="File with codes of your own, added to those of the codebook.")(
        command
    )


def read_own(path: Path | None) -> "Overlay | None":
    """The codes of the file that --overlay names, if it does.

    Raises:
        UsageProblem, MissingExtra: as `mi_coder.annotation.overlay.read_overlay` says.
    """
    from mi_coder.annotation.overlay import read_overlay
    from mi_coder.codebook import Codebook

    return read_overlay(path, Codebook.load()) if path else None


def connect(url: str) -> Client:
    """The server at an address, with the token from the environment or the keyring.

    Raises:
        UsageProblem: no usable address, or no token.
        MissingExtra: label-studio-sdk is not installed.
    """
    address = check_url(url)
    return Client(address, find_token(address))


def some(names: Sequence[str]) -> str:
    """The first names."""
    return readable(", ".join(names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")


def end_with_problems(problems: "Sequence[Problem]") -> None:
    """Name the annotations that were left out, and end with exit code 3 where there are any."""
    for problem in problems[:_SHOWN]:
        show(f"left out: {problem}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"... and {len(problems) - _SHOWN} more", err=True)
    if problems:
        raise SystemExit(_BAD_RECORDS)
