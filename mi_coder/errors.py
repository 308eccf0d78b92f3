"""Errors that teach: what was wrong, where, what is allowed and what to run."""

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType


class MiCoderError(Exception):
    """A problem that the user can fix. The command line prints its message and leaves with `exit_code`."""

    exit_code = 2


class UsageProblem(MiCoderError):
    """Options or files that do not fit together."""


class UnknownName(MiCoderError):
    """A code, scheme, label, corpus or format name that does not exist."""


class MissingExtra(MiCoderError):
    """An optional package that is not installed."""


class TooManyRejects(MiCoderError):
    """More bad records than the run allows: usually a wrong format."""

    exit_code = 3


class CountMismatch(MiCoderError):
    """Records in and records out do not add up: the output must not be trusted."""

    exit_code = 4


def need(module: str, extra: str) -> ModuleType:
    """Import an optional package, or name the line that installs it.

    Raises:
        MissingExtra: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise MissingExtra(f"This needs the package {package}. Install it with:  {install_line(extra)}") from error


def install_line(extra: str) -> str:
    """The command that installs an optional part for the Python that runs, as POSIX shells and cmd.exe take it."""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f'{python} -m pip install "mi-coder[{extra}]"'


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the choice nearest to `word` (case does not count), or an empty string."""
    from difflib import get_close_matches

    by_folded = {choice.casefold(): choice for choice in choices}
    nearest = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" Did you mean {by_folded[nearest[0]]!r}?" if nearest else ""
