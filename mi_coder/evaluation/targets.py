"""What the bundled model is to reach, and whether it does: one row a target."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mi_coder.evaluation import render
from mi_coder.evaluation.folds import FoldFigures
from mi_coder.evaluation.human import RATERS_F1
from mi_coder.evaluation.report import EvaluationReport, Row
from mi_coder.evaluation.risk import KEPT
from mi_coder.tagger.record import TrainingRecord

RARE = ("SC", "EA", "ST", "WA", "CO", "RC", "DI", "IP", "CC", "GR", "OT", "INT", "OUT")
FOLD_COUNT = 5
LEVELS = ("4", "8")
PRACTICE = ("practice", "fresh")
CORPORA = {
    "esconv": "ESConv",
    "annomi": "AnnoMI",
    "practice": "Practice chats",
    "fresh": "Fresh practice chats",
    "welivita": "Welivita",
}

_ESCONV_MACRO, _ESCONV_CODE, _PRACTICE_CODE, _WELIVITA = 0.80, 0.65, 0.75, 0.50
_FOLDS = {"4": 0.80, "8": 0.55}
_ATTRIBUTES = {"depth": 0.75, "permission": 0.80}
_CALIBRATION, _REDUCTION, _SETS, _ROUNDING = 0.03, 0.40, 0.90, 0.005
_AT_LEAST = f"at least {_REDUCTION:.2f}"
_REMOVED = "share of the exact-match error removed by"
_TOLERANCE = 1e-9
_WHOLE_GOLD = ("esconv", "practice", "fresh", "annomi")
_ALL = (*_WHOLE_GOLD, "welivita")


@dataclass(frozen=True, slots=True)
class Target:
    """One row.

    Attributes:
        what: what is measured, and on what.
        wanted: the target, as text.
        reached: the figure, with its interval where it has one, or why there is none.
        beside: the TF-IDF baseline or another comparison; empty without one.
        met: None where it could not be measured.
    """

    what: str
    wanted: str
    reached: str
    beside: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """All that the rows are made from; `reasons` says why something is missing, by the same keys.

    Attributes:
        reports: by key of `CORPORA`.
        folds: AnnoMI's own classes by level (4, 8) and kind (given, baseline).
        record: of the training of the model.
    """

    reports: Mapping[str, EvaluationReport]
    folds: Mapping[tuple[str, str], FoldFigures]
    record: TrainingRecord | None
    reasons: Mapping[str, str]


def targets(measured: Measured) -> tuple[Target, ...]:
    """The rows in their order."""
    return tuple(_rows(measured))


def _rows(measured: Measured) -> Iterator[Target]:
    def of(corpus: str, what: str, wanted: str, row: Callable[[EvaluationReport], Target]) -> Target:
        report = measured.reports.get(corpus)
        return row(report) if report else Target(what, wanted, measured.reasons.get(corpus, "not run"))

    name = f"{CORPORA['esconv']}, macro-F1 of codes with at least 20 positives"
    yield of("esconv", name, f"{_ESCONV_MACRO:.2f}", lambda one: _macro(name, _ESCONV_MACRO, one))
    name_low = f"{CORPORA['esconv']}, F1 of each of these codes"
    yield of("esconv", name_low, f"{_ESCONV_CODE:.2f}", lambda one: _lowest(name_low, _ESCONV_CODE, _counted(one)))
    for corpus in PRACTICE:
        what = f"{CORPORA[corpus]}, F1 of each rare code"
        yield of(corpus, what, f"{_PRACTICE_CODE:.2f}", _rare(what))
    for level, wanted in _FOLDS.items():
        yield _fold(f"AnnoMI, 5 folds by video, {level} classes, macro-F1", wanted, level, measured)
    name_welivita = "Welivita, not trained on, crosswalk, macro-F1"
    yield of("welivita", name_welivita, f"{_WELIVITA:.2f}", lambda one: _macro(name_welivita, _WELIVITA, one))
    for corpus in _ALL:
        for attribute, wanted in _ATTRIBUTES.items():
            what = f"accuracy of {attribute} where the code is right, {CORPORA[corpus]}"
            yield of(corpus, what, f"{wanted:.2f}", _attribute(what, wanted, attribute))
    for corpus in _ALL:
        what = f"expected calibration error (ECE), mean over codes, {CORPORA[corpus]}"
        yield of(corpus, what, f"at most {_CALIBRATION}", _calibration(what))
    for corpus in _WHOLE_GOLD:
        what = f"{_REMOVED} keeping the most confident {KEPT:.0%}, {CORPORA[corpus]}"
        yield of(corpus, what, _AT_LEAST, _reduction(what))
    for corpus in _WHOLE_GOLD:
        what = f"{_REMOVED} sending messages to review, {CORPORA[corpus]}"
        yield of(corpus, what, _AT_LEAST, _review(what))
    for corpus in _WHOLE_GOLD:
        what = (
            f"prediction sets for {_SETS:.0%}: share of messages whose set contains all gold codes, {CORPORA[corpus]}"
        )
        yield of(corpus, what, f"{_SETS:.2f}", _sets(what))
    yield _rounding(measured.record)


def _macro(what: str, wanted: float, report: EvaluationReport) -> Target:
    beside = render.figure(report.macro.baseline) if report.macro.baseline else ""
    value = report.macro.coder
    return Target(what, f"{wanted:.2f}", render.figure(value), beside, _reaches(value.value, wanted))


def _rare(what: str) -> Callable[[EvaluationReport], Target]:
    def row(report: EvaluationReport) -> Target:
        return _lowest(what, _PRACTICE_CODE, [one for one in report.rows if one.score.code in RARE])

    return row


def _counted(report: EvaluationReport) -> list[Row]:
    return [row for row in report.rows if row.counted]


def _lowest(what: str, wanted: float, rows: Sequence[Row]) -> Target:
    """The codes below the wanted F1, or the lowest of all. It is not met while the F1 of a code is unknown."""
    unknown = [row.score.code for row in rows if math.isnan(row.score.f1)]
    ranked = sorted((row for row in rows if row.score.code not in unknown), key=lambda row: row.score.f1)
    if not ranked:
        return Target(what, f"{wanted:.2f}", "no code with enough gold")
    under = [row for row in ranked if not _reaches(row.score.f1, wanted)]
    named = under or ranked[:1]
    codes = ", ".join(
        f"{one.code} {render.number(one.f1)}{render.interval(one.f1_low, one.f1_high)}"
        for one in (row.score for row in named)
    )
    beside = ", ".join(
        f"{row.score.code} {render.number(row.baseline_f1)}" for row in named if row.baseline_f1 is not None
    )
    reached = ("below target: " if under else "lowest: ") + codes
    if unknown:
        reached += f"; without gold to judge by: {', '.join(unknown)}"
    return Target(what, f"{wanted:.2f}", reached, beside, False if under else None if unknown else True)


def _fold(what: str, wanted: float, level: str, measured: Measured) -> Target:
    given = measured.folds.get((level, "given"))
    if given is None:
        return Target(what, f"{wanted:.2f}", measured.reasons.get("folds", "not run"))
    beside = f"{render.figure(measured.folds[level, 'baseline'].macro)}; another rater: {RATERS_F1[level]:.3f}"
    return Target(what, f"{wanted:.2f}", render.figure(given.macro), beside, _reaches(given.macro.value, wanted))


def _attribute(what: str, wanted: float, name: str) -> Callable[[EvaluationReport], Target]:
    def row(report: EvaluationReport) -> Target:
        for score in report.attributes:
            if score.attribute == name:
                ends = render.interval(score.low, score.high)
                reached = f"{score.accuracy:.3f}{ends}, {score.messages} messages"
                beside = f"majority class: {score.majority:.3f}"
                return Target(what, f"{wanted:.2f}", reached, beside, _reaches(score.accuracy, wanted))
        return Target(what, f"{wanted:.2f}", "never given by the model, or not known in the gold", "", False)

    return row


def _calibration(what: str) -> Callable[[EvaluationReport], Target]:
    def row(report: EvaluationReport) -> Target:
        wanted = f"at most {_CALIBRATION}"
        if report.calibration is None:
            return Target(what, wanted, "no probabilities")
        error = report.calibration.error
        reached = render.number(error) + render.interval(report.calibration.low, report.calibration.high)
        return Target(what, wanted, reached, "", _within(error, _CALIBRATION))

    return row


def _reduction(what: str) -> Callable[[EvaluationReport], Target]:
    def row(report: EvaluationReport) -> Target:
        if report.doubt.risk is None:
            return Target(what, _AT_LEAST, "no probabilities")
        reduction = report.doubt.risk.reduction
        return Target(what, _AT_LEAST, render.figure(reduction), "", _reaches(reduction.value, _REDUCTION))

    return row


def _review(what: str) -> Callable[[EvaluationReport], Target]:
    def row(report: EvaluationReport) -> Target:
        review = report.doubt.review
        if review is None:
            return Target(what, _AT_LEAST, "no message is sent to review")
        reached = f"{render.figure(review.reduction)}, {review.sent.value:.1%} of messages sent"
        return Target(what, _AT_LEAST, reached, "", _reaches(review.reduction.value, _REDUCTION))

    return row


def _sets(what: str) -> Callable[[EvaluationReport], Target]:
    def row(report: EvaluationReport) -> Target:
        if report.doubt.sets is None:
            return Target(what, f"{_SETS:.2f}", "the model has no sets")
        held, size = report.doubt.sets.held, report.doubt.sets.size
        reached = f"{render.figure(held)}, {size.value:.1f} codes per message"
        return Target(what, f"{_SETS:.2f}", reached, "", _reaches(held.value, _SETS))

    return row


def _rounding(record: TrainingRecord | None) -> Target:
    what = (
        "macro-F1 lost by rounding the weights to 8 bits (bundled file against its fp32 original, test part of "
        "training)"
    )
    wanted = f"at most {_ROUNDING}"
    if record is None:
        return Target(what, wanted, "the model has no training.json")
    rounded, original = record.macro_f1.get("test"), record.macro_f1_fp32.get("test")
    if rounded is None or original is None:
        return Target(what, wanted, "training.json has no figures of the test part")
    lost = original - rounded
    return Target(what, wanted, f"{lost:+.4f}", f"fp32: {original:.4f}", _within(lost, _ROUNDING))


def _reaches(value: float, wanted: float) -> bool:
    """Whether a figure is high enough. It is not rounded up to the target; the tolerance is for floating point."""
    return value >= wanted - _TOLERANCE


def _within(value: float, most: float) -> bool:
    """Whether a figure is low enough, by the same tolerance."""
    return value <= most + _TOLERANCE
