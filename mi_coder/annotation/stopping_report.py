"""The stopping report as tables for people and as JSON for programs. It contains no text of a message."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from mi_coder.annotation.learning import Curve
from mi_coder.annotation.stopping import SAMPLES, AlphaPoint, Rates, StoppingReport
from mi_coder.evaluation.render import figure, number, table

Style = Literal["table", "markdown", "json"]


def render(report: StoppingReport, style: Style) -> str:
    """The whole report, with a line end. In JSON undefined figures are null."""
    if style == "json":
        return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"
    return "\n\n".join(_parts(report, markdown=style == "markdown")) + "\n"


def _parts(report: StoppingReport, markdown: bool) -> Iterator[str]:
    yield f"{report.codings} codings of {report.messages} messages."
    if report.alpha:
        header = ("coded twice", "alpha of all codes", "reliable", "tentative", "uncertain", "unreliable", "few")
        yield table(header, [_alpha_cells(point) for point in report.alpha], markdown)
        yield (
            "Reliable to few: how many codes have this reading, as in mi-code agreement. Brackets: 95% intervals over "
            f"conversations ({SAMPLES} bootstrap samples; mi-code agreement takes 2000 unless told otherwise)."
        )
    if report.note:
        yield report.note
    if report.curve:
        yield table(("trained on", "macro-F1"), _curve_cells(report.curve), markdown)
        yield (
            f"Gained per 100 codings, from half of them to all: {number(report.curve.gain, '+')} (repeats: "
            f"{number(report.curve.gain_low, '+')} to {number(report.curve.gain_high, '+')}). TF-IDF baseline on "
            f"held-out conversations, {report.curve.codes} codes or more, mean of {report.curve.repeats} repeats."
        )
    else:
        yield f"No learning curve: {report.no_curve}"
    if report.rates:
        yield table(("code", "rate"), _rate_cells(report.rates), markdown)
        yield (
            f"Rates among the different texts that the sample was drawn from, weighted by 1 / inclusion probability; "
            f"{report.rates.coded} of {report.rates.drawn} drawn messages are coded. Brackets: 95% intervals over "
            "conversations."
        )
    yield "\n".join(f"- {sentence}" for sentence in report.advice)


def _alpha_cells(point: AlphaPoint) -> list[str]:
    counts = (point.reliable, point.tentative, point.uncertain, point.unreliable, point.few)
    return [str(point.messages), figure(point.alpha), *map(str, counts)]


def _curve_cells(curve: Curve) -> list[list[str]]:
    return [[f"{point.messages:.0f}", number(point.macro_f1)] for point in curve.points]


def _rate_cells(rates: Rates) -> list[list[str]]:
    return [[code, figure(rate)] for code, rate in rates.by_code.items()]
