"""What a command writes: a file of its own, or a report on standard output."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from mi_coder.errors import UsageProblem

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but the ends of lines and tabs."""


def new_file(
    path: Path,
    force: bool,
    inputs: Iterable[Path] = (),
    ours: Callable[[Path], bool] = lambda path: False,
) -> Path:
    """`path`, with its folder made where it is missing.

    Args:
        force: overwrite a file that exists.
        inputs: files that are read and thus never written.
        ours: whether a file that is there may be replaced all the same.

    Raises:
        UsageProblem: it is -, an input, a link, no regular file, or there already without `force`; or its folder cannot
            be made.
    """
    from mi_coder.batch.paths import identity

    if str(path) == "-":
        raise UsageProblem("- cannot be used here. Name a file.")
    if identity(path) in map(identity, inputs):
        raise UsageProblem(f"{path} is an input. Name another file.")
    if path.is_symlink():
        raise UsageProblem(f"{path} is a link. Name the file itself.")
    try:
        if path.exists():
            if not path.is_file():
                raise UsageProblem(f"{path} is a folder, pipe or device. Name a file.")
            if not force and not ours(path):
                raise UsageProblem(f"{path} exists. Overwrite it with --force, or name another file.")
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be written: {error.strerror}.") from error
    return path


def new_files(paths: Iterable[Path | None], force: bool, inputs: Iterable[Path] = ()) -> list[Path]:
    """Those of `paths` that are given, each as `new_file` says.

    Raises:
        UsageProblem: two of them name one file, or as `new_file`.
    """
    from mi_coder.batch.paths import identity

    named, read = [path for path in paths if path], list(inputs)
    for at, path in enumerate(named):
        if identity(path) in map(identity, named[:at]):
            raise UsageProblem(f"{path} is named for two of the files to write. Give them different names.")
    return [new_file(path, force, read) for path in named]


def readable(text: str) -> str:
    """A text for a terminal: control characters, which names may contain and a terminal would obey, as in \\x1b."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def show(text: str, err: bool = False) -> None:
    """Print a text for people that may contain names."""
    click.echo(readable(text), err=err)


def show_report(rendered: str, output: Path | None, style: str, summary: str = "") -> None:
    """Write a report to a file, whole or not at all, and say so after the summary; or to standard output.

    Args:
        style: how it is written: a table is for people, everything else data, which is UTF-8 always.
    """
    from mi_coder.formats.atomic import atomic_file

    if style == "table":
        rendered = readable(rendered)
    if output is None:
        click.echo(rendered if style == "table" else rendered.encode(), nl=False)
        return
    with atomic_file(output) as file:
        file.write(rendered.encode())
    click.echo(f"{summary}The report is in {output}.", err=True)
