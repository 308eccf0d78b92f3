"""How well a coder knows when it may be wrong: sets, confident messages, those sent to people, its probabilities."""

import numpy as np

from mi_coder.arrays import Bools, Numbers
from mi_coder.evaluation.bootstrap import draws, resampled
from mi_coder.evaluation.compare import Comparison, has_all_scores
from mi_coder.evaluation.metrics import exact_matches, share
from mi_coder.evaluation.reliability import reliability
from mi_coder.evaluation.report import Doubt, Figure, Kept, Options, Review, Risk, SetScore
from mi_coder.evaluation.risk import COVERAGES, KEPT, Ranking, reduction
from mi_coder.tagger.decoding import confidence, prediction_set

SETS = "0.9"


def doubt(comparison: Comparison, options: Options, set_cut: float | None) -> Doubt:
    """The figures over the messages with complete gold, with intervals from resampling conversations.

    Args:
        set_cut: that of the sets for the coverage `SETS`, or None without sets.
    """
    right, complete = exact_matches(comparison.truth, comparison.predicted).T
    scored = complete & np.array([has_all_scores(coding) for coding in comparison.coding], dtype=bool)
    sent = complete & np.array([coding.review for coding in comparison.coding], dtype=bool)
    wrong = complete & ~right
    return Doubt(
        risk=_risk(comparison, options, scored, wrong) if scored.any() else None,
        sets=_sets(comparison, options, scored, set_cut) if scored.any() and set_cut is not None else None,
        review=_review(comparison, options, np.stack([sent, ~sent & wrong, complete & ~sent, wrong, complete], axis=1))
        if sent.any()
        else None,
        reliability=reliability(comparison, options),
    )


def _risk(comparison: Comparison, options: Options, scored: Bools, wrong: Bools) -> Risk:
    """Args: scored, wrong: [messages]; only the scored ones are judged."""
    codings = [coding for coding, judged in zip(comparison.coding, scored, strict=True) if judged]
    ranking = Ranking.of(np.array([confidence(one.scores, one.codes) for one in codings]), wrong[scored])
    conversation = comparison.conversation[scored]
    coverages = np.array([*COVERAGES, KEPT])

    def figures(times: Numbers) -> Numbers:
        """[coverages + 2] the curve, the reduction at KEPT, and the area."""
        *curve, kept = ranking.errors(coverages, times)
        return np.array([*curve, reduction(kept, curve[-1]), ranking.area(times)])

    samples = [
        figures(times[conversation]) for times in draws(len(comparison.conversation_ids), options.samples, options.seed)
    ]
    values = figures(np.ones(len(codings)))
    columns = np.array(samples).reshape(len(samples), len(values)).T
    *curve, reduced, area = (Figure.of(value, column) for value, column in zip(values, columns, strict=True))
    kept = tuple(Kept(coverage, error) for coverage, error in zip(COVERAGES, curve, strict=True))
    return Risk(len(codings), kept, area, reduced)


def _sets(comparison: Comparison, options: Options, scored: Bools, cut: float) -> SetScore:
    """Args: scored: [messages] those that are judged; all of their codes are known."""
    counts = np.zeros((len(scored), 3))
    for row in np.flatnonzero(scored):
        coding = comparison.coding[row]
        held = prediction_set(coding.codes, coding.scores, cut, comparison.codes)
        right = {code for code, applies in zip(comparison.codes, comparison.truth[row], strict=True) if applies}
        counts[row] = right.issubset(held), len(held), 1
    totals, samples = counts.sum(axis=0), resampled(counts, comparison.conversation, options.samples, options.seed)
    held_and_size = [Figure.of(share(totals[[at, 2]]), share(samples[:, [at, 2]])) for at in (0, 1)]
    return SetScore(float(SETS), int(scored.sum()), *held_and_size)


def _review(comparison: Comparison, options: Options, counts: Numbers) -> Review:
    """Args: counts: [messages, 5] whether a message is sent, wrong and kept, kept, wrong, judged."""

    def figures(of: Numbers) -> Numbers:
        """[..., 5] totals to [4, ...] figures."""
        sent, kept_error, error = (share(of[..., pair]) for pair in ([0, 4], [1, 2], [3, 4]))
        return np.stack([sent, kept_error, error, reduction(kept_error, error)])

    samples = figures(resampled(counts, comparison.conversation, options.samples, options.seed))
    return Review(*(Figure.of(value, of) for value, of in zip(figures(counts.sum(axis=0)), samples, strict=True)))
