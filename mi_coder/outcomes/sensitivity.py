"""What an unmeasured confounder could do to a matched difference.

Rosenbaum's bounds, the E-value and a placebo outcome. None proves that there is no such confounder: they say how strong
it would have to be, or whether the design finds a difference where there can be none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import UsageProblem, need
from mi_coder.outcomes.columns import check_covariates, independent
from mi_coder.outcomes.match_effect import Effect, matched_effect
from mi_coder.outcomes.matching import Pairs
from mi_coder.outcomes.rows import by_place

GAMMAS = (1.0, 1.25, 1.5, 2.0, 3.0)
# Of a standardized difference to the log of a risk ratio (VanderWeele and Ding 2017).
LOG_RATIO_PER_SD = 0.91


@dataclass(frozen=True, slots=True)
class RosenbaumBound:
    """One-sided p values of the signed rank test if matched rows differ in their odds of treatment by up to `gamma`."""

    gamma: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EValue:
    """How strongly, as risk ratios, a confounder must go with both treatment and outcome to explain a difference away.

    Attributes:
        d: the difference in standard deviations of the outcome.
        estimate: for the estimate itself.
        limit: for the end of its interval that is nearer to no difference; 1 where the interval has it.
    """

    d: float
    estimate: float
    limit: float


@by_place
def rosenbaum_bounds(
    differences: Floats,
    gammas: Sequence[float] = GAMMAS,
    alternative: Literal["greater", "less"] = "greater",
) -> tuple[RosenbaumBound, ...]:
    """Bounds on the p value of Wilcoxon's signed rank test under hidden bias.

    Rosenbaum 2002, Observational Studies, section 4.3: normal approximation without correction for continuity, ties at
    their mean rank. Pairs without difference are left out before ranking, as psens of the R package rbounds does; table
    4.4 of the book ranks them first, which moves its bounds by a few thousandths. With less than some 20 pairs that
    differ the bounds are rough: off by .02 in a p value of .25 with 14 pairs and a gamma of 3.

    Args:
        differences: [pairs] outcome of the treated row less that of its partner.
        gammas: from 1 (no hidden bias) on.
        alternative: that treated rows have the greater outcome, or the lesser.

    Raises:
        MissingExtra: scipy is not installed.
        UsageProblem: a gamma below 1, a gap, or no pair that differs.
    """
    if not all(1 <= gamma < math.inf for gamma in gammas):
        raise UsageProblem("Gamma is the odds of treatment in one row of a pair over the other's: 1 or above.")
    if not np.isfinite(differences).all():
        raise UsageProblem("A pair has no difference: leave rows without outcome out before matching.")
    differing = differences[differences != 0] * (1 if alternative == "greater" else -1)
    if not differing.size:
        raise UsageProblem("No pair differs in its outcome: there is nothing to bound.")
    ranks = need("scipy.stats", "analysis").rankdata(np.abs(differing))
    statistic, total, squares = float(ranks[differing > 0].sum()), float(ranks.sum()), float(ranks @ ranks)

    def tail(share: float) -> float:
        z = (statistic - share * total) / math.sqrt(share * (1 - share) * squares)
        return math.erfc(z / math.sqrt(2)) / 2

    return tuple(RosenbaumBound(gamma, tail(1 / (1 + gamma)), tail(gamma / (1 + gamma))) for gamma in gammas)


@by_place
def pair_differences(outcome: Floats, pairs: Pairs) -> Floats:
    """[pairs] outcome [rows] of the treated row less that of its partner."""
    return outcome[pairs.treated] - outcome[pairs.untreated]


def e_value(effect: Effect, sd: float) -> EValue:
    """The E-value of a difference of means: with RR = exp(.91 d), RR + sqrt(RR (RR - 1)).

    VanderWeele and Ding 2017, Annals of Internal Medicine 167, 268-274.

    Args:
        effect: of `matched_effect`, the adjusted one where there is one.
        sd: standard deviation of the outcome over all rows that were to be matched.

    Raises:
        UsageProblem: a standard deviation that is not above 0.
    """
    if not (sd > 0 and math.isfinite(sd)):
        raise UsageProblem(f"The standard deviation of the outcome is {sd:g}: it must be above 0.")
    nearer = effect.low if effect.estimate > 0 else effect.high
    spans = effect.low <= 0 <= effect.high
    return EValue(effect.estimate / sd, _of_d(effect.estimate / sd), 1.0 if spans else _of_d(nearer / sd))


@by_place
def placebo_effect(
    outcome: Floats,
    treated: Bools,
    pairs: Pairs,
    names: Sequence[str] = (),
    covariates: Floats | None = None,
    counselors: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> Effect:
    """The matched difference in an outcome that treatment cannot have changed, such as the score before.

    An interval without 0 says that the matched groups differ for other reasons than the treatment. A score before that
    was among the covariates of the propensity score only repeats its balance; one of an earlier period tells more.

    Args:
        outcome: [rows]
        names, covariates: [rows, covariates] to adjust for, without the placebo outcome itself.
        alpha: intervals hold 1 - alpha.

    Raises:
        UsageProblem: the outcome follows from the covariates, so that the effect would be 0 by construction.
    """
    if covariates is not None:
        check_covariates(names, covariates, treated)
        if not independent(np.column_stack([covariates, outcome]))[-1]:
            raise UsageProblem(
                "The placebo outcome follows from the covariates that it is adjusted for, so its effect is 0 whatever "
                "the data: remove it from the covariates."
            )
    return matched_effect(outcome, pairs, names, covariates, counselors, alpha)


def _of_d(d: float) -> float:
    ratio = math.exp(LOG_RATIO_PER_SD * abs(d))
    return ratio + math.sqrt(ratio * (ratio - 1))
