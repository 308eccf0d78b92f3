"""Whether treated and untreated rows are alike in their covariates, before and after matching or weighting.

The standardized mean difference divides by the standard deviation of all treated rows, before and after, so that it
cannot shrink by a change of the divisor (Stuart 2010, Statistical Science 25, 1-21; the convention of MatchIt). For a
covariate of 0 and 1 that is sqrt(p (1 - p)). Tests of significance say nothing of balance and are not offered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.columns import check_covariates
from mi_coder.outcomes.rows import by_place

PASS = 0.1


@dataclass(frozen=True, slots=True)
class Gap:
    """How far treated and untreated rows are apart in one covariate.

    Attributes:
        smd: standardized mean difference; infinite where treated rows do not vary and others differ from them.
        variance_ratio: treated over untreated; nan for a covariate of 0 and 1.
        ks: the largest distance of the distribution functions, 0 to 1 (Kolmogorov-Smirnov).
    """

    smd: float
    variance_ratio: float
    ks: float


@dataclass(frozen=True, slots=True)
class CovariateBalance:
    """One covariate before and after."""

    name: str
    before: Gap
    after: Gap


@dataclass(frozen=True, slots=True)
class Balance:
    """All covariates; `threshold` is what no |SMD| may reach after matching."""

    covariates: tuple[CovariateBalance, ...]
    threshold: float

    @property
    def failing(self) -> tuple[str, ...]:
        """Covariates that are not balanced after matching."""
        return tuple(row.name for row in self.covariates if not abs(row.after.smd) < self.threshold)

    @property
    def passed(self) -> bool:
        """Whether all are."""
        return not self.failing

    def sentence(self, refitted: bool = False) -> str:
        """What the report says.

        Args:
            refitted: a score with squares and products was tried too, so that this advice is left out.
        """
        if self.passed:
            return f"Balance is reached: every |SMD| is below {self.threshold:g} after matching."
        gaps = ", ".join(f"{row.name} {row.after.smd:+.3f}" for row in self.covariates if row.name in self.failing)
        return (
            f"Balance fails on {len(self.failing)} of {len(self.covariates)} covariates (SMD {gaps}; it must be below "
            f"{self.threshold:g}): the groups still differ, and the matched difference is not an effect of treatment "
            "alone. "
            + ("Narrow" if refitted else "Refit the score once with squares or interactions of these, or narrow")
            + " the caliper, and report both."
        )


@by_place
def balance(
    names: Sequence[str], covariates: Floats, treated: Bools, weights: Floats, threshold: float = PASS
) -> Balance:
    """Compare the groups before, and after by weights.

    Args:
        covariates: [rows, covariates]
        treated: [rows]
        weights: [rows] not negative: `Pairs.weights` after matching, `att_weights` after weighting.
        threshold: what |SMD| must stay below.

    Raises:
        ModelProblem: gaps in covariates.
        UsageProblem: weights that leave less than two rows of a group.
    """
    check_covariates(names, covariates, treated)
    if weights.shape != treated.shape or not (weights >= 0).all():
        raise UsageProblem("Weights must be numbers of at least 0, one for each row.")
    if min((weights[treated] > 0).sum(), (weights[~treated] > 0).sum()) < 2:
        raise UsageProblem("Balance needs at least two rows of each group with a weight above 0.")
    rows = []
    for name, column in zip(names, covariates.T, strict=True):
        sd = _treated_sd(column, treated)
        before, after = (_gap(column, treated, weight, sd) for weight in (np.ones(len(treated)), weights))
        rows.append(CovariateBalance(name, before, after))
    return Balance(tuple(rows), threshold)


def _gap(column: Floats, treated: Bools, weights: Floats, sd: float) -> Gap:
    (mean, variance), (other_mean, other_variance) = (
        _moments(column[group], weights[group]) for group in (treated, ~treated)
    )
    difference = mean - other_mean
    unbounded = float(np.copysign(np.inf, difference)) if difference else 0.0
    comparable = other_variance > 0 and not _binary(column)
    return Gap(
        smd=difference / sd if sd > 0 else unbounded,
        variance_ratio=variance / other_variance if comparable else float("nan"),
        ks=_kolmogorov_smirnov(column, treated, weights),
    )


def _treated_sd(column: Floats, treated: Bools) -> float:
    own = column[treated]
    return float(own.std(ddof=0 if _binary(column) else 1))


def _binary(column: Floats) -> bool:
    return bool(np.isin(column, (0, 1)).all())


def _moments(values: Floats, weights: Floats) -> tuple[float, float]:
    """Weighted mean and variance; with weights of 0 and 1 the sample variance of the rows with 1."""
    total = float(weights.sum())
    mean = float(weights @ values) / total
    free = total - float(weights @ weights) / total
    return mean, float(weights @ (values - mean) ** 2) / free


def _kolmogorov_smirnov(column: Floats, treated: Bools, weights: Floats) -> float:
    shares = np.where(treated, weights / weights[treated].sum(), -weights / weights[~treated].sum())
    _, place = np.unique(column, return_inverse=True)
    return float(np.abs(np.cumsum(np.bincount(place, weights=shares))).max())
