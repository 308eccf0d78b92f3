"""The report on the influence of suggestions as tables for people and as JSON for programs."""

import math
from collections.abc import Iterator
from typing import Literal

import msgspec

from mi_coder.annotation.pull_of_suggestions import FEW, CodePull, Share, SuggestionPull
from mi_coder.evaluation.render import UNDEFINED, figure, table
from mi_coder.evaluation.report import Figure

Style = Literal["table", "markdown", "json"]


def render(report: SuggestionPull, style: Style) -> str:
    """The whole report, with a line end. In JSON undefined figures are null."""
    if style == "json":
        fields = msgspec.to_builtins(report) | {"silent": report.silent}
        return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n"
    return "\n\n".join(_parts(report, markdown=style == "markdown")) + "\n"


def _parts(report: SuggestionPull, markdown: bool) -> Iterator[str]:
    yield (
        f"{report.codings} codings with a suggestion, of {report.conversations} conversations; {report.without} others "
        "had none."
    )
    header = ("code", "suggested: shown", "hidden", "influence", "not suggested: shown", "hidden", "difference", "")
    yield table(header, [_cells(one) for one in report.codes], markdown)
    yield (
        f"Exactly the suggested codes: {_share(report.same.shown)} where shown (accepted), "
        f"{_share(report.same.hidden)} where hidden, difference {figure(report.same.difference, '+')}.\n"
        f"Median time per message: {_seconds(report.seconds_shown)} where shown, {_seconds(report.seconds_hidden)} "
        f"where hidden, difference {_seconds(report.seconds_difference, '+')}."
    )
    yield (
        "Influence: share of the codings with the code, shown minus hidden, where it was suggested. Few: under "
        f"{FEW} codings in one arm.\n"
        f"Brackets: 95% intervals over conversations ({report.samples} bootstrap samples, seed {report.seed})."
    )
    yield _advice(report)


def _advice(report: SuggestionPull) -> str:
    if not report.silent:
        return f"No code has an influence above {report.limit:g} with its interval above 0."
    options = " ".join(f"--silent {code}" for code in report.silent)
    return (
        f"The suggestion of {', '.join(report.silent)} influences coders by more than {report.limit:g}, interval above "
        "0: "
        "codings with it shown are biased toward the tagger, and figures from them are too good for the tagger. Switch "
        "it off from now on:\n"
        f"  mi-code studio push PROJECT CHATS {options}"
    )


def _cells(one: CodePull) -> list[str]:
    remarks = [word for word, holds in (("STRONG", one.strong), ("few", one.few)) if holds]
    return [
        one.code,
        _share(one.suggested.shown),
        _share(one.suggested.hidden),
        figure(one.suggested.difference, "+"),
        _share(one.other.shown),
        _share(one.other.hidden),
        figure(one.other.difference, "+"),
        ", ".join(remarks),
    ]


def _share(share: Share) -> str:
    return f"{share.value:.0%} of {share.of}" if share.of else UNDEFINED


def _seconds(one: Figure, sign: str = "") -> str:
    if math.isnan(one.value):
        return UNDEFINED
    ends = "" if math.isnan(one.low) else f" [{one.low:{sign}.1f}, {one.high:{sign}.1f}]"
    return f"{one.value:{sign}.1f} s{ends}"
