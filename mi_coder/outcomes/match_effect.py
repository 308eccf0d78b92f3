"""The effect on the treated in four ways, side by side: matched, matched and adjusted, weighted, and by regression.

Where they disagree, that is a result: report all. None bootstraps the matching, since that bootstrap is not valid
(Abadie and Imbens 2008, Econometrica 76, 1537-1557); errors clustered by pair are, for matching without replacement
followed by a regression that holds (Abadie and Spiess 2022, Journal of the American Statistical Association 117).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mi_coder.errors import need
from mi_coder.evaluation.metrics import Bools, Floats
from mi_coder.outcomes.columns import check_covariates, independent
from mi_coder.outcomes.guards import FEWEST_CLUSTERS, BadShape, TooFewClusters, check_outcome
from mi_coder.outcomes.matching import Indices, Pairs
from mi_coder.outcomes.propensity import Propensity

LEVEL = 0.95

MATCHED = "matched"
ADJUSTED = "matched and adjusted"
WEIGHTED = "weighted"
WEIGHTED_ADJUSTED = "weighted and adjusted"
REGRESSION = "regression of all rows"


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of treatment in points of the outcome.

    Attributes:
        method: such as "matched".
        errors: how the standard error was made, such as "clustered by pair".
        low: of the 95 % interval by the t distribution with `df` degrees of freedom.
        rows: how many rows the estimate is from.
        left_out: covariates that do not vary, or follow from others, in these rows.
    """

    method: str
    errors: str
    estimate: float
    se: float
    df: float
    low: float
    high: float
    p: float
    rows: int
    left_out: tuple[str, ...] = ()


def matched_effect(
    outcome: Floats,
    pairs: Pairs,
    names: Sequence[str] = (),
    covariates: Floats | None = None,
    counselors: Sequence[str] | None = None,
) -> Effect:
    """Least squares of the outcome on treatment, and on covariates where given, in matched rows.

    Args:
        outcome: [rows] change, after minus before, of all rows that were to be matched.
        names, covariates: [rows, covariates] to adjust for; none gives the mean difference in pairs.
        counselors: [rows] where given, errors are clustered by pair and by counselor (Cameron, Gelbach and Miller
            2011, Journal of Business and Economic Statistics 29, 238-249); should that variance come out below the
            greater of the two it is made of, that one is taken.

    Raises:
        MissingExtra: statsmodels is not installed.
        ModelProblem: gaps, an outcome that never varies, or fewer than five pairs or counselors.
    """
    outcome = check_outcome(outcome)
    if len(pairs) < FEWEST_CLUSTERS:
        raise TooFewClusters(f"{len(pairs)} pairs are too few for a standard error: at least {FEWEST_CLUSTERS}.")
    rows = pairs.rows
    treated = np.repeat([True, False], len(pairs))
    design, left_out = _design(treated, names, None if covariates is None else covariates[rows])
    clusters = [pairs.pair]
    if counselors is not None:
        if len(counselors) != len(outcome):
            raise BadShape(f"{len(outcome)} rows and {len(counselors)} counselors: give one for each row.")
        clusters.append(np.unique(np.asarray(counselors)[rows], return_inverse=True)[1])
        if clusters[1].max() + 1 < FEWEST_CLUSTERS:
            raise TooFewClusters(
                f"The matched rows are of {clusters[1].max() + 1} counselors: errors clustered by counselor need at "
                f"least {FEWEST_CLUSTERS}. Leave counselors out, and say so."
            )
    fits = [_clustered(outcome[rows], design, cluster) for cluster in clusters]
    variance = max(float(fit.bse[1]) ** 2 for fit in fits)
    if len(clusters) == 2:
        both = _clustered(outcome[rows], design, np.column_stack(clusters)).cov_params()
        variance = max(variance, float(both[1, 1]))
    return _effect(
        ADJUSTED if design.shape[1] > 2 else MATCHED,
        "clustered by pair and counselor" if len(clusters) == 2 else "clustered by pair",
        estimate=float(fits[0].params[1]),
        se=variance**0.5,
        df=min(int(cluster.max()) for cluster in clusters),
        rows=len(rows),
        left_out=left_out,
    )


def weighted_effect(
    outcome: Floats, treated: Bools, score: Propensity, names: Sequence[str] = (), covariates: Floats | None = None
) -> Effect:
    """Weighted least squares of the outcome on treatment, and on covariates where given, by `att_weights`; HC1 errors.

    Args:
        outcome: [rows] change.
        treated: [rows]
        names, covariates: [rows, covariates]

    Raises:
        MissingExtra: statsmodels is not installed.
        ModelProblem: gaps, or an outcome that never varies.
    """
    statsmodels = need("statsmodels.api", "analysis")
    outcome = check_outcome(outcome, len(treated))
    design, left_out = _design(treated, names, covariates)
    fit = statsmodels.WLS(outcome, design, weights=att_weights(score, treated)).fit(cov_type="HC1")
    method = WEIGHTED_ADJUSTED if design.shape[1] > 2 else WEIGHTED
    return _of_fit(method, "robust (HC1)", fit, left_out)


def regression_effect(outcome: Floats, treated: Bools, names: Sequence[str], covariates: Floats) -> Effect:
    """Plain analysis of covariance of all rows, with HC3 errors.

    With the score before among the covariates, change and score after give the same effect.

    Args:
        outcome: [rows] change.
        treated: [rows]
        names, covariates: [rows, covariates]

    Raises:
        MissingExtra: statsmodels is not installed.
        ModelProblem: gaps, or an outcome that never varies.
    """
    statsmodels = need("statsmodels.api", "analysis")
    outcome = check_outcome(outcome, len(treated))
    design, left_out = _design(treated, names, covariates)
    return _of_fit(REGRESSION, "robust (HC3)", statsmodels.OLS(outcome, design).fit(cov_type="HC3"), left_out)


def att_weights(score: Propensity, treated: Bools) -> Floats:
    """[rows] 1 for treated rows and the odds of treatment for others: they make others look like the treated."""
    return np.where(treated, 1.0, np.exp(np.where(treated, 0.0, score.logit)))


def _design(treated: Bools, names: Sequence[str], covariates: Floats | None) -> tuple[Floats, tuple[str, ...]]:
    """A constant, treatment and those covariates that do not follow from what stands before them."""
    start = np.column_stack([np.ones(len(treated)), treated.astype(np.float64)])
    if covariates is None:
        return start, ()
    check_covariates(names, covariates, treated)
    kept = independent(np.column_stack([treated, covariates]))[1:]
    used = covariates[:, kept]
    left_out = tuple(name for name, stays in zip(names, kept, strict=True) if not stays)
    return np.column_stack([start, (used - used.mean(axis=0)) / used.std(axis=0)]), left_out


def _clustered(outcome: Floats, design: Floats, groups: Indices) -> Any:
    statsmodels = need("statsmodels.api", "analysis")
    return statsmodels.OLS(outcome, design).fit(cov_type="cluster", cov_kwds={"groups": groups})


def _of_fit(method: str, errors: str, fit: Any, left_out: tuple[str, ...]) -> Effect:
    return _effect(
        method, errors, float(fit.params[1]), float(fit.bse[1]), float(fit.df_resid), int(fit.nobs), left_out
    )


def _effect(
    method: str, errors: str, estimate: float, se: float, df: float, rows: int, left_out: tuple[str, ...]
) -> Effect:
    student = need("scipy.stats", "analysis").t
    half = float(student.ppf((1 + LEVEL) / 2, df)) * se
    p = float(2 * student.sf(abs(estimate) / se, df)) if se > 0 else float("nan")
    return Effect(method, errors, estimate, se, df, estimate - half, estimate + half, p, rows, left_out)
