"""Scores a coder against gold codes, with the baseline on the same messages."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from mi_coder.arrays import Bools, Floats, Numbers
from mi_coder.evaluation.attributes import attribute_scores, group_scores
from mi_coder.evaluation.bootstrap import interval, resampled
from mi_coder.evaluation.calibration import by_code, calibration
from mi_coder.evaluation.compare import Comparison
from mi_coder.evaluation.doubt import doubt
from mi_coder.evaluation.human import HUMAN_ALPHA
from mi_coder.evaluation.metrics import Confusion, exact_matches, macro, per_code, share
from mi_coder.evaluation.report import EvaluationReport, Figure, Options, Row, Source, Versus

_Of = TypeVar("_Of")

FEW_CONVERSATIONS = 20


def evaluate(
    comparison: Comparison,
    source: Source,
    options: Options,
    baseline: Bools | None = None,
    untrained: Collection[str] = (),
    notes: Collection[str] = (),
    set_cut: float | None = None,
) -> EvaluationReport:
    """Compute every figure of a report.

    Args:
        baseline: [messages, codes] codes that the baseline gives.
        untrained: codes that the coder cannot give; they count all the same where gold has them.
        notes: further remarks for the reader.
        set_cut: that of the coder's prediction sets for `mi_coder.evaluation.doubt.SETS`, where it has them.
    """
    truth, predicted = comparison.truth, comparison.predicted
    total = Confusion.of_messages(truth, predicted).total()
    counted = (total.positives >= options.min_support) & (total.negatives > 0)

    def f1(given: Bools) -> _Sampled:
        return _sampled(
            Confusion.of_messages(truth, given).cells, lambda cells: Confusion(cells).f1, comparison, options
        )

    def macro_f1(of_codes: _Sampled) -> _Sampled:
        return _Sampled(macro(of_codes.value, counted), macro(of_codes.samples, counted))

    def exact(given: Bools) -> _Sampled:
        return _sampled(exact_matches(truth, given), share, comparison, options)

    coder_f1 = f1(predicted)
    baseline_f1 = None if baseline is None else f1(baseline)
    scores = per_code(comparison.codes, truth, predicted, interval(coder_f1.samples))
    beside_scores = [None] * len(scores) if baseline_f1 is None else baseline_f1.value.tolist()
    calibrations = by_code(comparison)
    rows = tuple(
        Row(
            score,
            beside,
            HUMAN_ALPHA.get(score.code),
            bool(enough),
            score.code not in untrained,
            stated.error if stated else None,
        )
        for score, beside, enough, stated in zip(scores, beside_scores, counted, calibrations, strict=True)
    )
    return EvaluationReport(
        source=source,
        options=options,
        conversations=len(comparison.conversation_ids),
        messages=len(truth),
        complete=int(exact_matches(truth, predicted)[:, 1].sum()),
        rows=rows,
        macro=_versus(macro_f1, coder_f1, baseline_f1),
        exact=_versus(exact, predicted, baseline),
        groups=group_scores(comparison.codes, comparison.gold, predicted, baseline),
        attributes=attribute_scores(
            comparison.gold, comparison.coding, comparison.conversation, options.samples, options.seed
        ),
        calibration=calibration(calibrations, counted, options.samples, options.seed),
        doubt=doubt(comparison, options, set_cut),
        notes=(*notes, *_cautions(rows, len(comparison.conversation_ids), options)),
    )


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A figure, [...], and its bootstrap samples, [samples, ...]."""

    value: Floats
    samples: Floats

    def minus(self, other: "_Sampled") -> "_Sampled":
        return _Sampled(self.value - other.value, self.samples - other.samples)

    def figure(self) -> Figure:
        return Figure.of(self.value, self.samples)


def _sampled(
    counts: Numbers, figure: Callable[[Numbers], Floats], comparison: Comparison, options: Options
) -> _Sampled:
    """A figure of the totals of `counts`, [messages, ...], and of every bootstrap sample of them."""
    samples = resampled(counts, comparison.conversation, options.samples, options.seed)
    return _Sampled(figure(counts.sum(axis=0)), figure(samples))


def _versus(sampled: Callable[[_Of], _Sampled], of_coder: _Of, of_baseline: _Of | None) -> Versus:
    coder = sampled(of_coder)
    if of_baseline is None:
        return Versus(coder.figure())
    beside = sampled(of_baseline)
    return Versus(coder.figure(), beside.figure(), coder.minus(beside).figure())


def _cautions(rows: tuple[Row, ...], conversations: int, options: Options) -> list[str]:
    """What the figures themselves do not show."""
    untrained = [row.score.code for row in rows if not row.trained]
    absent = [
        f"{row.score.code} (given {row.score.predicted} times)" if row.score.predicted else row.score.code
        for row in rows
        if not row.score.positives
    ]
    blind = [row.score.code for row in rows if row.score.positives and not row.score.negatives]
    few = [row.score.code for row in rows if 0 < row.score.positives < options.min_support]
    remarks = {
        "The coder was not trained to give {}; where gold has them, they count as missed.": untrained,
        "No gold message is known to carry {}: how well they are found is unknown.": absent,
        "No gold message is known not to carry {}: wrong uses cannot show, so F1 is left out.": blind,
        "Too few positives to be sure, and not in the macro-F1: {}.": few,
    }
    cautions = [remark.format(", ".join(codes)) for remark, codes in remarks.items() if codes]
    if conversations < FEW_CONVERSATIONS:
        cautions.append(
            f"Only {conversations} conversations: the intervals are narrower than they should be, or missing."
        )
    return cautions
