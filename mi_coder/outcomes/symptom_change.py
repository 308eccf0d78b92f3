"""Symptom change before and after: reliable change, four classes and effect sizes that say which they are.

Change is after minus before. On the scales of `symptoms` a negative change is an improvement.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.rows import by_place
from mi_coder.outcomes.symptoms import GAD7, PHQ9, Cutoff, Scale, Scores

IMPROVED = "reliable improvement"
UNCHANGED = "no reliable change"
DETERIORATED = "reliable deterioration"
RECOVERED = "reliably recovered"
CLASSES = (IMPROVED, UNCHANGED, DETERIORATED, RECOVERED)


@dataclass(frozen=True, slots=True, eq=False)
class ChangeClasses:
    """What became of each row.

    Attributes:
        threshold: the change in points that counts as reliable.
        cutoff: the lowest score of a case.
        classes: [rows] index in `CLASSES`, -1 where a score is missing.
    """

    threshold: float
    cutoff: Cutoff
    classes: NDArray[np.int8]

    def counts(self) -> dict[str, int]:
        """How many rows each class has."""
        return {name: int((self.classes == i).sum()) for i, name in enumerate(CLASSES)}

    @property
    def missing(self) -> int:
        """How many rows have no class, because a score is missing."""
        return int((self.classes < 0).sum())


@dataclass(frozen=True, slots=True, eq=False)
class NhsOutcomes:
    """The outcomes of NHS Talking Therapies, which take the PHQ-9 and the GAD-7 together; all [rows].

    Attributes:
        known: has all four scores. The others are False where it is.
        case_before: at or above the cut-off of either scale.
        recovered: a case before, and below both cut-offs after.
        improved: reliable improvement on either scale, and no reliable deterioration on the other.
        deteriorated: reliable deterioration on either scale, and no reliable improvement on the other.
        reliably_recovered: recovered and improved.
    """

    known: Bools
    case_before: Bools
    recovered: Bools
    improved: Bools
    deteriorated: Bools
    reliably_recovered: Bools


@dataclass(frozen=True, slots=True)
class EffectSizes:
    """Mean change in three units. They differ, so none may be called "the" effect size.

    Attributes:
        d_z: per standard deviation of the changes.
        d_av: per root of the mean of both variances (Cumming 2012, Understanding the New Statistics, chapter 11). The
            d_av of Lakens (2013) takes the mean of both standard deviations instead.
        d_pre: per standard deviation before (Becker 1988, without its small-sample factor).
        pairs: how many rows have both scores.
    """

    mean_change: float
    d_z: float
    d_av: float
    d_pre: float
    pairs: int


def reliable_change(sd: float, reliability: float) -> float:
    """The change in points that measurement error alone passes in 5 % of people: 1.96 sd sqrt(2 (1 - reliability)).

    Jacobson and Truax 1991, Journal of Consulting and Clinical Psychology 59, 12-19.

    Args:
        sd: standard deviation of the scores before.
        reliability: retest reliability or Cronbach's alpha, from 0 to 1.

    Raises:
        UsageProblem: an argument out of its range.
    """
    if not (sd > 0 and math.isfinite(sd)):
        raise UsageProblem(f"The standard deviation is {sd:g}: it must be above 0.")
    if not 0 <= reliability < 1:
        raise UsageProblem(f"The reliability is {reliability:g}: it must be at least 0 and below 1.")
    return 1.96 * sd * math.sqrt(2 * (1 - reliability))


def nhs_reliable_change(scale: Scale) -> float:
    """The 6 points of the PHQ-9 or 4 of the GAD-7 by which NHS Talking Therapies calls a change reliable.

    Gyani et al. 2013, Behaviour Research and Therapy 51, 597-606.

    Raises:
        UsageProblem: the rule has no points for this scale.
    """
    if scale.nhs_change is None:
        raise UsageProblem(
            f"The NHS rule is for the PHQ-9 and the GAD-7, not for the {scale.name}: use reliable_change(sd, "
            "reliability) with figures of your population."
        )
    return float(scale.nhs_change)


def classify(before: Scores, after: Scores, threshold: float, cutoff: Cutoff | None = None) -> ChangeClasses:
    """One of the four classes for every row; classes exclude each other.

    Reliably recovered means both: a case before and none after, and a reliable improvement (Jacobson and Truax 1991).
    Who improved reliably and is still a case, or was none before, counts as reliable improvement.

    Args:
        threshold: points, of `reliable_change` or `nhs_reliable_change`; a change of exactly so many is reliable.
        cutoff: None takes the scale's first.

    Raises:
        UsageProblem: two scales, not the same rows, or a threshold that is not above 0.
    """
    _require_same(before, after)
    if not threshold > 0:
        raise UsageProblem(f"The threshold of reliable change is {threshold:g} points: it must be above 0.")
    cutoff = cutoff or before.scale.cutoffs[0]
    change = after.values - before.values
    crossed = (before.values >= cutoff.points) & (after.values < cutoff.points)
    classes = np.select(
        [np.isnan(change), change >= threshold, change > -threshold, crossed],
        [-1, CLASSES.index(DETERIORATED), CLASSES.index(UNCHANGED), CLASSES.index(RECOVERED)],
        CLASSES.index(IMPROVED),
    )
    return ChangeClasses(threshold, cutoff, classes.astype(np.int8))


def nhs_outcomes(phq9_before: Scores, phq9_after: Scores, gad7_before: Scores, gad7_after: Scores) -> NhsOutcomes:
    """Recovery and reliable change by the rules of NHS Talking Therapies (Gyani et al. 2013).

    Raises:
        UsageProblem: other scales, or not the same rows.
    """
    _require_same(phq9_before, phq9_after)
    _require_same(gad7_before, gad7_after)
    if (phq9_before.scale, gad7_before.scale) != (PHQ9, GAD7) or len(phq9_before.values) != len(gad7_before.values):
        raise UsageProblem("The NHS rules need scores of the PHQ-9 and then of the GAD-7, of the same rows.")
    pairs = ((phq9_before, phq9_after), (gad7_before, gad7_after))
    changes = np.array([(after.values - before.values) / nhs_reliable_change(before.scale) for before, after in pairs])
    cases_before, cases_after = (
        np.array([pair[side].values >= pair[side].scale.cutoffs[0].points for pair in pairs]).any(axis=0)
        for side in (0, 1)
    )
    known = ~np.isnan(changes).any(axis=0)
    better, worse = (changes <= -1).any(axis=0), (changes >= 1).any(axis=0)
    recovered = known & cases_before & ~cases_after
    improved = known & better & ~worse
    return NhsOutcomes(
        known=known,
        case_before=known & cases_before,
        recovered=recovered,
        improved=improved,
        deteriorated=known & worse & ~better,
        reliably_recovered=recovered & improved,
    )


@by_place
def effect_sizes(before: Floats, after: Floats) -> EffectSizes:
    """Mean change and its three standardized forms, of rows [rows] that have both scores (the others are nan).

    A form is nan where its standard deviation is 0.

    Raises:
        UsageProblem: not the same rows, or fewer than two with both scores.
    """
    if before.shape != after.shape:
        raise UsageProblem(f"{len(before)} rows before and {len(after)} after: give the same rows, with nan for none.")
    both = ~np.isnan(before) & ~np.isnan(after)
    pairs = int(both.sum())
    if pairs < 2:
        raise UsageProblem(f"Effect sizes need two rows with a score before and after, and there are {pairs}.")
    before, after = before[both], after[both]
    change = after - before
    mean = float(change.mean())
    variance_before, variance_after = float(before.var(ddof=1)), float(after.var(ddof=1))
    return EffectSizes(
        mean_change=mean,
        d_z=_per(mean, float(change.var(ddof=1))),
        d_av=_per(mean, (variance_before + variance_after) / 2),
        d_pre=_per(mean, variance_before),
        pairs=pairs,
    )


def expected_regression(mean_before: float, population_mean: float, reliability: float) -> float:
    """The mean change to expect of a group that was picked for its scores, without any help at all.

    (1 - reliability) (population mean - mean before): Barnett, van der Pols and Dobson 2005, International Journal of
    Epidemiology 34, 215-220.

    Raises:
        UsageProblem: a reliability out of its range.
    """
    if not 0 <= reliability <= 1:
        raise UsageProblem(f"The reliability is {reliability:g}: it must be from 0 to 1.")
    return (1 - reliability) * (population_mean - mean_before)


def _require_same(before: Scores, after: Scores) -> None:
    if before.scale != after.scale:
        raise UsageProblem(
            f"Before is the {before.scale.name} and after the {after.scale.name}: change needs one scale."
        )
    if len(before.values) != len(after.values):
        raise UsageProblem(
            f"{before.scale.name}: {len(before.values)} rows before and {len(after.values)} after. Give the same rows, "
            "with nan where there is no score."
        )


def _per(mean: float, variance: float) -> float:
    return mean / math.sqrt(variance) if variance > 0 else math.nan
