"""Logits become probabilities, and probabilities become decisions, on the dev part."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats
from mi_coder.conversation import Coding
from mi_coder.evaluation.bootstrap import draws
from mi_coder.tagger.config import Head, Platt
from mi_coder.tagger.decoding import confidence

MIN_KNOWN = 20
THRESHOLD_RANGE = (0.05, 0.95)
DEFAULT_THRESHOLD = 0.5
REVIEW_SHARE = 0.2
SET_COVERAGES = ("0.8", "0.9", "0.95")
MIN_OF_KIND = 100
"""Messages of a kind from which its own cut is worth looking at: rank 5 of 100 is that of coverage 0.95."""

_RESAMPLES = 500
_STEADY = 0.95
_SHRINKAGE = 10.0
_SLOPE_PENALTY = 1.0
_OFFSET_PENALTY = 0.01
_MAX_STEPS = 100


def calibrated_heads(
    logits: Floats, truth: Floats, lift: Floats, trained: Bools, codes: int, before: Sequence[Head] = ()
) -> list[Head]:
    """The heads of a model, from its dev logits.

    Args:
        logits, truth: [messages, heads]; truth is nan where unknown.
        lift: [heads] how much higher than log odds the balance of the loss makes the logits.
        trained: [heads].
        codes: how many heads, counted from the first, are codes. Their thresholds are tuned. The others are attributes:
            they stay at 0.5, and one that is right no more often than its more frequent value is not given.
        before: heads of the model that training went on from. A head that was given stays as it was where training or
            dev tells too little of it.
    """
    heads = []
    for index, usable in enumerate(trained):
        known = ~np.isnan(truth[:, index])
        scores, answers = logits[known, index], truth[known, index]
        old = before[index] if before and before[index].trained else None
        if old and not (usable and _enough(answers)):
            heads.append(old)
            continue
        platt = fit_platt(scores, answers, old.calibration if old else Platt(1.0, -float(lift[index])))
        probability = apply(platt, scores)
        if index < codes:
            prior = old.threshold if old else expected_f1_threshold(probability)
            heads.append(Head(platt, best_threshold(probability, answers, prior), bool(usable)))
        else:
            heads.append(Head(platt, DEFAULT_THRESHOLD, bool(usable) and beats_majority(probability, answers)))
    return heads


def _enough(truth: Floats) -> bool:
    """Whether 20 positives and 20 negatives are known."""
    positives = int((truth == 1).sum())
    return min(positives, len(truth) - positives) >= MIN_KNOWN


def beats_majority(probability: Floats, truth: Floats) -> bool:
    """Whether more of the known messages, [messages] each, are told right at 0.5 than by their more frequent value."""
    right = int(((probability >= DEFAULT_THRESHOLD) == (truth == 1)).sum())
    positives = int((truth == 1).sum())
    return right > max(positives, len(truth) - positives)


def apply(platt: Platt, logits: Floats) -> Floats:
    """Probabilities of logits of any shape."""
    return sigmoid(platt.slope * logits + platt.offset)


def fit_platt(logits: Floats, truth: Floats, prior: Platt = Platt()) -> Platt:  # noqa: B008
    """Slope (above 0) and offset of one head, [messages] each (Platt 1999).

    Maximum likelihood with a penalty on the distance of log(slope) from that of `prior` and, slightly, of the offset.
    With fewer than 20 known positives or negatives the answer is `prior`.
    """
    if not _enough(truth):
        return prior
    before = np.array([np.log(prior.slope), prior.offset])

    def objective(at: Floats) -> float:
        z = np.exp(at[0]) * logits + at[1]
        penalty = _SLOPE_PENALTY * (at[0] - before[0]) ** 2 + _OFFSET_PENALTY * (at[1] - before[1]) ** 2
        return float(np.sum(np.logaddexp(0, z) - truth * z) + penalty / 2)

    at = before.copy()
    penalties = np.array([_SLOPE_PENALTY, _OFFSET_PENALTY])
    for _ in range(_MAX_STEPS):
        slope = np.exp(at[0])
        expected = sigmoid(slope * logits + at[1])
        inputs = np.stack([slope * logits, np.ones_like(logits)])
        gradient = inputs @ (expected - truth) + penalties * (at - before)
        curvature = (inputs * expected * (1 - expected)) @ inputs.T + np.diag(penalties)
        step = np.linalg.solve(curvature, gradient)
        while objective(at - step) > objective(at) and np.abs(step).max() > 1e-8:
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-8:
            break
    return Platt(float(np.exp(at[0])), float(at[1]))


def best_threshold(probability: Floats, truth: Floats, prior: float = DEFAULT_THRESHOLD) -> float:
    """The probability from which giving a code maximizes F1 over known messages, [messages] each.

    Few positives say little, so it is drawn toward `prior` as by ten more positives that favor it, and kept within 0.05
    and 0.95.
    """
    positives = float((truth == 1).sum())
    if positives in (0, len(truth)):
        return prior
    cut = _best_cut(probability, truth, prior)
    shrunk = (positives * cut + _SHRINKAGE * prior) / (positives + _SHRINKAGE)
    return float(np.clip(shrunk, *THRESHOLD_RANGE))


def expected_f1_threshold(probability: Floats) -> float:
    """The probability from which giving a code maximizes the F1 that calibrated probabilities, [messages], expect.

    It is half of that F1 (Lipton, Elkan and Naryanaswamy 2014), so well below 0.5 for a code that is hard to tell.
    """
    if not probability.size:
        return DEFAULT_THRESHOLD
    return float(np.clip(_best_cut(probability, probability, DEFAULT_THRESHOLD), *THRESHOLD_RANGE))


def _best_cut(probability: Floats, truth: Floats, near: float) -> float:
    """The cut with the highest F1, of equal ones the one nearest to `near`. `truth` may be probabilities."""
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + truth.sum())
    # A cut lies between two different probabilities; the last one is below all.
    below = np.append(ranked[1:], 0.0)
    f1[ranked == below] = -1
    cuts = (ranked + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - near))]])


def review_below(codings: Sequence[Coding]) -> float:
    """The confidence under which a fifth of the messages go to people, counting those that reach no threshold anyway.

    Args:
        codings: of dev, with `review` True only where no code reached its threshold.
    """
    if not codings:
        return 0.0
    return float(
        np.quantile([0.0 if one.review else confidence(one.scores, one.codes) for one in codings], REVIEW_SHARE)
    )


def set_cuts(
    codings: Sequence[Coding],
    truth: Floats,
    codes: Sequence[str],
    kinds: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> dict[str, float]:
    """The probabilities from which a code belongs to the prediction set, by their nominal coverage.

    Split-conformal prediction (Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2023): the score of a message is
    the lowest probability among its right codes, and the cut for coverage 1 - a is the floor((n + 1) a)-th lowest score
    of n messages, 0 where that is the 0th. The set of codes at or above it contains all correct codes of a further
    message with probability 1 - a or more, if the messages are exchangeable.

    They are not quite. Those of an easy kind would pay for those of a hard one, so the cut is the lowest that all
    messages, or those of any kind with at least 100, ask for. Messages of one conversation are alike, and further
    conversations may be harder than those of dev; so the cut is lowered until that coverage is reached in 95% of
    resamples of the groups. That asks for more than coverage on average over dev parts: for coverage with most of them,
    as the risk-controlling sets of Bates et al. (2021) do, whose bound takes messages for independent. By the bootstrap
    it is approximate, and falls short with few groups; fewer than two are not resampled. Calibration and epoch were
    chosen on dev too, so every evaluation measures what the sets contain.

    Args:
        codings: of dev. A code without a score counts as 0.
        truth: [messages, codes]; messages with an unknown code (nan) are left out, each of the others counts once.
        codes: one per column of `truth`.
        kinds: [messages] the data set that a message is of; none where all are of one.
        groups: [messages] the conversation, or group of conversations, that a message is of; none to resample nothing.
    """
    for name, given in (("kinds", kinds), ("groups", groups)):
        if given and len(given) != len(codings):
            raise ValueError(f"{len(given)} {name} of {len(codings)} messages")
    complete = ~np.isnan(truth).any(axis=1)
    scores = np.array(
        [
            min((one.scores.get(code, 0.0) for code, applies in zip(codes, row, strict=True) if applies), default=1.0)
            for one, row in zip(codings, truth, strict=True)
        ]
    )
    of_kinds = [complete & (np.array(kinds) == kind) for kind in sorted({*kinds})]
    judged = [complete, *(part for part in of_kinds if part.sum() >= MIN_OF_KIND)]

    def cut(part: Bools, missed: Fraction) -> float:
        highest = _set_cut(scores[part], missed)
        return _steady_cut(scores[part], np.array(groups)[part], missed, highest) if groups else highest

    return {coverage: min(cut(part, 1 - Fraction(coverage)) for part in judged) for coverage in SET_COVERAGES}


def _set_cut(scores: Floats, missed: Fraction) -> float:
    """The cut above which all but the share `missed` of the scores, [messages], lie."""
    rank = int((len(scores) + 1) * missed)
    return float(np.sort(scores)[rank - 1]) if rank else 0.0


def _steady_cut(scores: Floats, groups: NDArray[np.str_], missed: Fraction, highest: float) -> float:
    """The cut up to `highest` below which at most the share `missed` lies in 95% of resamples of the groups."""
    cuts = np.unique([0.0, *scores[scores < highest], highest])
    names, number = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), len(cuts) + 1), dtype=np.intp)
    np.add.at(counts, (number, np.searchsorted(cuts, scores, side="right")), 1)
    below, size = counts.cumsum(axis=1)[:, :-1], counts.sum(axis=1)
    held = [
        missed.denominator * (times @ below) <= missed.numerator * (times @ size)
        for times in draws(len(names), _RESAMPLES, seed=1)
    ]
    return float(cuts[np.mean(held, axis=0) >= _STEADY].max()) if held else highest


def sigmoid(z: Floats) -> Floats:
    """The logistic function, which no z overflows."""
    return np.exp(-np.logaddexp(0, -z))
