"""The section on the tagger's quality: how often each code is right, and whether its probabilities can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from mi_coder.annotation.agreement_report import AgreementReport
from mi_coder.codebook import Codebook
from mi_coder.evaluation import render
from mi_coder.evaluation.card import CardFigures, CodeFigures
from mi_coder.evaluation.human import SOURCE
from mi_coder.evaluation.report import Bin, EvaluationReport, Figure, Options, Reliability
from mi_coder.measures.words import NO_WIDTH
from mi_coder.report.charts import Dot, dots
from mi_coder.report.page import Cells, Section, bullets, folded, paragraph, table

KEY, TITLE = "tagger", "Quality of the tagger"
FEW_IN_BIN = 20


@dataclass(frozen=True, slots=True)
class People:
    """How well human coders agree on each code.

    Attributes:
        alpha: Krippendorff's, by code.
        source: whose agreement it is.
    """

    alpha: Mapping[str, float]
    source: str


def people_of(report: AgreementReport | None) -> People | None:
    """The agreement of the coders of these chats where enough have the code; None without a report of all together."""
    if report is None or report.by != "all":
        return None
    known = {row.name: row.alpha.value for group in report.groups for row in group.rows if not row.few}
    alpha = {name: value for name, value in known.items() if not isnan(value)}
    return People(alpha, "the coders of these chats (see their agreement)") if alpha else None


def validated(report: EvaluationReport, model: str, people: People | None) -> Section:
    """Against gold codes of these chats.

    Args:
        people: in place of the agreement that other coders reached on other chats.
    """
    rows = [CodeFigures.of(row) for row in report.rows]
    lead = (
        f"Model {model} against the gold codes of {report.source.gold}: {report.messages:,} messages of "
        f"{report.conversations:,} conversations{report.source.title_warning}. All figures are message by message."
    )
    counted = sum(row.counted for row in report.rows)
    said = [
        f"Mean F1 of the {counted} codes with at least {report.options.min_support} messages: "
        f"{render.versus(report.macro)}."
        if counted
        else f"No code has {report.options.min_support} messages, so there is no mean F1.",
        f"Exact match, all right codes and no others: {render.versus(report.exact)} of the messages.",
        *render.further(report),
        *render.doubt_lines(report.doubt),
        *report.notes,
    ]
    if report.doubt.review is None:
        said.append("The tagger flagged none of these messages for review by a person.")
    parts = [paragraph(lead), _codes(rows, report.options.min_support, people), bullets(said)]
    parts.append("<h3>Can its probabilities be trusted?</h3>")
    if report.doubt.reliability:
        parts.append(_calibration(report.doubt.reliability))
    else:
        parts.append(paragraph("The file has no probabilities: tag the chats without --scores none."))
    return Section(KEY, TITLE, "".join(parts))


def unvalidated(model: str, card: CardFigures | None) -> Section:
    """Where nobody has checked the tagger on these chats.

    Args:
        card: what its model folder says of other chats.
    """
    beside = (
        "What follows was measured on other chats, held out of its training; on yours it may be worse."
        if card
        else "Rare codes are detected worst; MODEL_CARD.md in the folder of the model has its figures on other chats."
    )
    text = (
        f"Model {model}. Nobody has checked it on these chats: code some of them by hand and give them with "
        f"--validation; the figures of codes that it finds often enough there are then corrected. {beside}"
    )
    if card is None:
        return Section(KEY, TITLE, paragraph(text))
    figures = _codes(card.rows, Options().min_support, None)
    return Section(KEY, TITLE, f"{paragraph(text)}<h3>On other chats</h3>{paragraph(card.title, note=True)}{figures}")


def _codes(rows: Sequence[CodeFigures], min_support: int, people: People | None) -> str:
    """F1 by code, the most frequent first, as a picture and as a table that has every code."""
    names = {code.id: code.name for code in Codebook.load().codes}
    ranked = sorted(rows, key=lambda row: -row.support)
    beside = {
        row.code: (_defined(row.baseline_f1), people.alpha.get(row.code) if people else row.people) for row in ranked
    }
    baseline, alphas = (any(pair[i] is not None for pair in beside.values()) for i in (0, 1))
    source = people.source if people else SOURCE
    told = [
        "F1 is 1 if the tagger finds every message with the code and no others, and 0 if it never finds one. After "
        f"each code stands how many messages have it; a hollow dot has fewer than {min_support}: too few to be sure.",
        f"{render.BASELINE} is a simple baseline on the same messages." if baseline else "",
        f"Human coders: Krippendorff's alpha of {source}; another scale than F1." if alphas else "",
    ]
    drawn = [
        Dot(
            f"{names[row.code]}, {row.support:,}",
            row.f1.value,
            _defined(row.f1.low),
            _defined(row.f1.high),
            f"{names[row.code]}: F1 {render.figure(row.f1)}, {row.support:,} messages",
            row.few,
            beside[row.code],
        )
        for row in ranked
        if not isnan(row.f1.value)
    ]
    legend = ("F1, 95% interval", render.BASELINE if baseline else "", "human coders" if alphas else "")
    header = ["code", "id", "messages", "precision", "recall", "F1 [95%]", render.BASELINE, "human coders", "reading"]
    cells: list[Cells] = [
        [
            names[row.code],
            row.code,
            row.support,
            _defined(row.precision),
            _defined(row.recall),
            render.figure(row.f1),
            *beside[row.code],
            _reading(row),
        ]
        for row in ranked
    ]
    missed = [names[row.code] for row in ranked if row.f1.value == 0]
    return (
        paragraph(" ".join(filter(None, told)), note=True)
        + dots(drawn, "F1 of each code, with 95% intervals", percent=False, legend=legend)
        + (paragraph(f"Never found correctly: {', '.join(missed)}.") if missed else "")
        + folded("The same as a table, with every code", table("The tagger against gold codes", header, cells))
    )


def _reading(row: CodeFigures) -> str:
    if not row.support:
        return "not in gold: unknown"
    missed = "never found correctly" if row.f1.value == 0 else ""
    return "; ".join(filter(None, (missed, "too few to be sure" if row.few else "")))


def _calibration(found: Reliability) -> str:
    """Stated probability and how often it was right, bin by bin."""
    drawn = [
        Dot(
            f"{_range(one)}, {one.codes:,}",
            one.right.value,
            _defined(one.right.low),
            _defined(one.right.high),
            f"Stated {one.stated:.0%}, right {_percent(one.right)} of {one.codes:,} codes",
            one.codes < FEW_IN_BIN,
            (one.stated,),
        )
        for one in found.bins
    ]
    cells: list[Cells] = [[_range(one), one.codes, f"{one.stated:.1%}", _percent(one.right)] for one in found.bins]
    return (
        paragraph(
            "The tagger states a probability with each code that it gives. The picture shows how many of the "
            f"{found.codes:,} given codes are right, by that probability: where the dot lies left of the upright line, "
            f"the tagger is overconfident. After each step stands how many codes are in it; hollow: fewer than "
            f"{FEW_IN_BIN}. {NO_WIDTH}",
            note=True,
        )
        + dots(drawn, "Share of given codes that are right, by stated probability", legend=("right", "stated"))
        + paragraph(
            f"Expected calibration error of the given codes: {found.error:.3f}, the mean difference between the "
            "stated probability and the share that is right. With few codes it is too high."
        )
        + folded(
            "The same as a table",
            table("Given codes by stated probability", ["stated", "codes", "mean", "right [95%]"], cells),
        )
    )


def _range(one: Bin) -> str:
    return f"{one.low:.0%} to {one.low + 0.1:.0%}"


def _percent(one: Figure) -> str:
    return f"{one.value:.1%}" + ("" if isnan(one.low) else f" [{one.low:.1%}, {one.high:.1%}]")


def _defined(value: float | None) -> float | None:
    return None if value is None or isnan(value) else value
