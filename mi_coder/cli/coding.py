"""The options that say how messages are coded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mi_coder.cli.options import Decorator, choice, cores, grouped, section, threads_option
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.tagger.tagger import Tagger

_MOST_CONTEXT = 100

_coding = section("How messages are coded")


@dataclass(frozen=True)
class CodingChoices:
    """Which model codes and how, as the command line says it."""

    model: Path | None
    context: int | None
    thresholds: tuple[str, ...]
    unit: Literal["message", "sentence"]
    sets: float | None
    threads: int | None

    def tagger(self) -> "Tagger":
        """Load the tagger.

        Raises:
            MiCoderError: the model cannot be used or has no such sets, or a threshold is none.
        """
        from mi_coder.tagger.tagger import Tagger

        return Tagger.load(
            self.model,
            context=self.context,
            threshold=_thresholds(self.thresholds),
            threads=self.threads or cores(),
            unit=self.unit,
            sets=self.sets,
        )


def coding_options() -> Decorator:
    """Give a command the options of the tagger; they reach it as `coding`, a CodingChoices."""
    return grouped(
        "coding",
        CodingChoices,
        _coding(
            "--model",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Model folder made by mi-code train. Default: the bundled model.",
        ),
        _coding(
            "--context",
            type=click.IntRange(0, _MOST_CONTEXT),
            help="Previous messages to read. For permission the client's words in 20 are searched whatever this is, "
            "unless it is 0. Default: as the model was trained.",
        ),
        _coding(
            "--threshold",
            "thresholds",
            multiple=True,
            metavar="P|CODE=P",
            help="Probability from which a code is given, for all codes or one. Repeatable.",
        ),
        choice(
            "--unit",
            values=["message", "sentence"],
            help="Code whole messages, or each sentence of long ones (more than 40 words and more than one sentence; "
            "needs the extra nlp).",
            option=_coding,
        ),
        _coding(
            "--sets",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            metavar="SHARE",
            help="Add a field possible, a prediction set: codes that contain all correct ones for this share of "
            "messages (0.8, 0.9 or 0.95).",
        ),
        threads_option("Messages coded at the same time. Changes no label.", _coding),
    )


def _thresholds(choices: Sequence[str]) -> float | dict[str, float] | None:
    """Read "0.6" or "OQ=0.6"; a bare number goes with no other."""
    pairs = [choice.rpartition("=") for choice in choices]
    try:
        values = {code.strip().upper(): float(value) for code, _, value in pairs}
    except ValueError:
        raise UsageProblem("--threshold takes a probability such as 0.6, or a code with one such as OQ=0.6.") from None
    if "" in values:
        if len(values) > 1:
            raise UsageProblem("--threshold takes one probability for all codes, or CODE=P for single ones, not both.")
        return values[""]
    return values or None
