"""The choices of a run."""

import math
from dataclasses import dataclass, field
from typing import Literal

from mi_coder.errors import UsageProblem
from mi_coder.formats import ReadOptions
from mi_coder.formats.coding import Scores

OnError = Literal["skip", "fail"]


@dataclass(frozen=True)
class MaxErrors:
    """How many rejected records a run may have: a number, or a share of the records read."""

    number: float
    percent: bool

    @classmethod
    def parse(cls, text: str) -> "MaxErrors":
        """Read "25" or "1%".

        Raises:
            UsageProblem: it is neither.
        """
        percent = text.endswith("%")
        try:
            number = float(text.removesuffix("%")) if percent else int(text)
        except ValueError:
            raise UsageProblem(
                f"The allowed errors are {text!r}: write a number such as 25 or a share such as 1%."
            ) from None
        if not 0 <= number < math.inf:
            raise UsageProblem(f"The allowed errors are {text!r}; they must be 0 or more.")
        return cls(number, percent)

    def exceeded(self, rejected: int, read: int) -> bool:
        """Whether `rejected` of `read` records are more than this."""
        allowed = self.number * read / 100 if self.percent else self.number
        return rejected > allowed

    def __str__(self) -> str:
        return f"{self.number:g}{'%' if self.percent else ''}"


@dataclass(frozen=True)
class TagOptions:
    """Choices of `mi-code tag` beside those of the tagger.

    Attributes:
        scores: which scores are written: of the chosen codes, of all, or none.
        batch_size: counselor messages coded at once. It changes speed and memory, never the output.
        on_error: go on after a bad record, or stop at the first.
        max_errors: more rejected records than this end the run with exit code 3, after everything was read.
        resume: take up an unfinished run.
        force: write over a finished output.
        checkpoint_seconds: least time between two checkpoints. It changes what a killed run has to do again.
    """

    scores: Scores = "chosen"
    batch_size: int = 64
    on_error: OnError = "skip"
    max_errors: MaxErrors = MaxErrors(1, percent=True)
    resume: bool = True
    force: bool = False
    checkpoint_seconds: float = 2.0
    read: ReadOptions = field(default_factory=ReadOptions)
