"""Evaluation reports as pages of Markdown or plain text, and as tables of HTML. Undefined figures are a dash."""

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from mi_coder.evaluation.human import SOURCE
from mi_coder.evaluation.risk import KEPT

if TYPE_CHECKING:
    from mi_coder.evaluation.report import Doubt, EvaluationReport, Figure, Row, Versus

UNDEFINED = "–"
BASELINE = "TF-IDF"
BASELINE_F1 = f"{BASELINE} F1"
CALIBRATION = "calibration error"
PEOPLE = "human coders (alpha)"


def number(value: float | None, sign: str = "") -> str:
    """Three decimals; `sign` is "+" where a positive value shall show its sign."""
    return UNDEFINED if value is None or math.isnan(value) else f"{value:{sign}z.3f}"


def figure(one: "Figure | None", sign: str = "") -> str:
    """A value and its interval: 0.512 [0.401, 0.603]."""
    if one is None:
        return UNDEFINED
    return f"{number(one.value, sign)}{interval(one.low, one.high, sign)}"


def versus(one: "Versus") -> str:
    """A figure beside the baseline's, in words."""
    if one.baseline is None:
        return figure(one.coder)
    return f"{figure(one.coder)} (baseline {figure(one.baseline)}, difference {figure(one.difference, '+')})"


def page(report: "EvaluationReport", markdown: bool) -> str:
    """The whole report."""
    title = f"{report.source.coder} on {report.source.gold}{report.source.title_warning}"
    parts = [f"# {title}" if markdown else title]
    parts.append(
        f"{report.messages} messages of {report.conversations} conversations; "
        f"{report.complete} messages have complete gold. Brackets are 95% intervals over conversations."
    )
    parts.append(table(*_code_cells(report), markdown=markdown))
    parts.append(table(*_overall_cells(report), markdown=markdown))
    parts += _bullets(further(report))
    if doubt := list(_doubt(report.doubt, markdown)):
        parts += ["**Confidence**" if markdown else "Confidence", *doubt]
    parts += _bullets(report.notes)
    parts.append(_provenance(report))
    return "\n\n".join(parts) + "\n"


def html(report: "EvaluationReport") -> str:
    """The figures of the report and what a reader must know beside them, for notebooks."""
    title = f"{report.source.coder} on {report.source.gold}{report.source.title_warning}"
    size = f"{report.messages:,} messages of {report.conversations:,} conversations"
    notes = "".join(f"<li>{escape(line)}</li>" for line in (*further(report), *report.notes))
    return (
        html_table(*_code_cells(report), caption=f"{title}: {size}")
        + html_table(*_overall_cells(report))
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def _code_cells(report: "EvaluationReport") -> tuple[list[str], list[list[str]]]:
    """One row per code that is known to apply anywhere."""
    beside = [BASELINE_F1] if report.macro.baseline else []
    calibration = [CALIBRATION] if report.calibration else []
    header = ["code", "support", "precision", "recall", "F1", *beside, *calibration, PEOPLE]
    shown = [row for row in report.rows if row.score.positives]
    return header, [_code_row(row, bool(beside), bool(calibration)) for row in shown]


def _code_row(row: "Row", with_baseline: bool, with_calibration: bool) -> list[str]:
    score = row.score
    f1 = number(score.f1) + interval(score.f1_low, score.f1_high)
    beside = [number(row.baseline_f1)] if with_baseline else []
    calibration = [number(row.calibration)] if with_calibration else []
    precision, recall = number(score.precision), number(score.recall)
    return [score.code, str(score.positives), precision, recall, f1, *beside, *calibration, number(row.human_alpha)]


def _overall_cells(report: "EvaluationReport") -> tuple[list[str], list[list[str]]]:
    counted = sum(row.counted for row in report.rows)
    named = {f"macro-F1 of {counted} codes": report.macro, "exact match": report.exact}
    if report.macro.baseline is None:
        return ["figure", "coder"], [[name, figure(one.coder)] for name, one in named.items()]
    rows = [[name, figure(one.coder), figure(one.baseline), figure(one.difference, "+")] for name, one in named.items()]
    return ["figure", "coder", BASELINE, "difference"], rows


def further(report: "EvaluationReport") -> Iterator[str]:
    """What the tables do not show, in sentences: groups of codes, depth and permission, calibration."""
    for group in report.groups:
        beside = "" if group.baseline_hit_rate is None else f" ({BASELINE}: {number(group.baseline_hit_rate)})"
        yield (
            f"One of {', '.join(group.codes)}: given in {number(group.hit_rate)} of the {group.messages} messages "
            f"where one of them applies{beside}."
        )
    for one in report.attributes:
        yield (
            f"{one.attribute.capitalize()}: accuracy {number(one.accuracy)}{interval(one.low, one.high)} on the "
            f"{one.messages} messages where the code is right (majority-class baseline: {number(one.majority)})."
        )
    if calibration := report.calibration:
        yield (
            "Expected calibration error (ECE) "
            f"{number(calibration.error)}{interval(calibration.low, calibration.high)}, mean over codes; "
            f"Brier score {number(calibration.brier)} "
            f"(always predicting the base rate: {number(calibration.brier_of_base_rate)})."
        )


def _doubt(doubt: "Doubt", markdown: bool) -> Iterator[str]:
    """The parts of the section on confidence; none where nothing is known of it."""
    if risk := doubt.risk:
        rows = [[f"{kept.coverage:.0%}", figure(kept.error)] for kept in risk.curve]
        yield table(["most confident messages", "exact-match error"], rows, markdown)
    yield from _bullets(doubt_lines(doubt))


def doubt_lines(doubt: "Doubt") -> Iterator[str]:
    """What is known of the coder's confidence, in sentences."""
    if (risk := doubt.risk) and not math.isnan(risk.reduction.value):
        yield (
            f"Keeping only the most confident {KEPT:.0%} of {risk.messages} messages removes {figure(risk.reduction)} "
            f"of the exact-match error; area under the risk-coverage curve (AURC) {figure(risk.area)}."
        )
    if sets := doubt.sets:
        yield (
            f"Prediction sets for {sets.coverage:.0%}: they contain all gold codes in {figure(sets.held)} of "
            f"{sets.messages} messages, with {figure(sets.size)} codes per message."
        )
    if review := doubt.review:
        removed = "" if math.isnan(review.reduction.value) else f": {figure(review.reduction)} of the error is removed"
        yield (
            f"Review: {figure(review.sent)} of the messages are sent to people. Exact-match error is "
            f"{figure(review.error)} over all messages and {figure(review.kept_error)} over the rest{removed}."
        )


def _bullets(lines: Iterable[str]) -> list[str]:
    """A list as one part of the page, or no part."""
    text = "\n".join(f"- {line}" for line in lines)
    return [text] if text else []


def _provenance(report: "EvaluationReport") -> str:
    source, options = report.source, report.options
    return (
        f"Human coders: Krippendorff's alpha of {SOURCE}; another scale than F1.\n"
        f"Macro-F1: mean over codes with at least {options.min_support} positives.\n"
        f"Gold {source.gold_sha256[:16]}, coder {source.coder_sha256[:16]}, codebook {source.codebook}; "
        f"{options.samples} bootstrap samples, seed {options.seed}."
    )


def interval(low: float, high: float, sign: str = "") -> str:
    return "" if math.isnan(low) else f" [{number(low, sign)}, {number(high, sign)}]"


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Cells as a table of HTML; the first of a row names it."""
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return f"<table>{above}<thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool) -> str:
    """Cells in columns of one width, in Markdown or as plain text."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (header, *rows)]
    rule = ["-" * width for width in widths]
    if markdown:
        return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
    return "\n".join("  ".join(line).rstrip() for line in (lines[0], rule, *lines[1:]))
