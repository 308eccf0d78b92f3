"""What can be wrong with a run, and what helps: in plain words here, in options where a command line has them."""

from enum import Enum, auto
from pathlib import Path

from mi_coder.errors import MiCoderError, TooManyRejects, UsageProblem


class Remedy(Enum):
    """What helps against a problem."""

    REPLACE = auto()
    """Write over the output, or choose another."""
    MOVE = auto()
    """Move the file that is in the way, or choose another output."""
    RESTART = auto()
    """Start the unfinished run over."""
    RESUME = auto()
    """Run it again to go on."""
    SKIP = auto()
    """Go on without bad records."""
    FORMAT = auto()
    """Name the format and the fields."""
    RECODE = auto()
    """Replace the codes that are there."""


class RunProblem(MiCoderError):
    """A run that was refused or broke off. `remedy` is what helps, where the message does not say it."""

    def __init__(self, message: str, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class Refused(RunProblem, UsageProblem):
    """Files or options in the way of a run."""


class Rejected(RunProblem, TooManyRejects):
    """More bad records than allowed, or an input that cannot be read to its end. The good records are written."""


class StoppedAtReject(RunProblem, TooManyRejects):
    """A bad record with `on_error="fail"`."""


def in_the_way(path: Path) -> Refused:
    """What to say of a file that a run would write and that no run has written."""
    return Refused(f"{path} exists and was not made by mi-code, but the run needs that name.", Remedy.MOVE)
