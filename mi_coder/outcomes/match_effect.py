"""The effect on the treated in four ways, side by side: matched, matched and adjusted, weighted, and by regression.

Where they disagree, that is a result: report all. None bootstraps the matching, since that bootstrap is not valid
(Abadie and Imbens 2008, Econometrica 76, 1537-1557); errors clustered by pair are, for matching without replacement
followed by a regression that holds (Abadie and Spiess 2022, Journal of the American Statistical Association 117).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.errors import need
from mi_coder.outcomes.columns import check_covariates, independent
from mi_coder.outcomes.guards import FEWEST_CLUSTERS, BadShape, TooFewClusters, check_outcome
from mi_coder.outcomes.matching import Pairs
from mi_coder.outcomes.propensity import Propensity
from mi_coder.outcomes.rows import by_place

MATCHED = "matched"
ADJUSTED = "matched and adjusted"
WEIGHTED = "weighted"
WEIGHTED_ADJUSTED = "weighted and adjusted"
REGRESSION = "regression of all rows"

BY_COUNSELOR = "clustered by counselor"
BY_PAIR_AND_COUNSELOR = "clustered by pair and counselor"


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of treatment in points of the outcome.

    Attributes:
        method: such as "matched".
        errors: how the standard error was made, such as "clustered by pair".
        low: of the interval of 1 - alpha by the t distribution with `df` degrees of freedom.
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


@by_place
def matched_effect(
    outcome: Floats,
    pairs: Pairs,
    names: Sequence[str] = (),
    covariates: Floats | None = None,
    counselors: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> Effect:
    """Least squares of the outcome on treatment, and on covariates where given, in matched rows.

    Args:
        outcome: [rows] change, after minus before, of all rows that were to be matched.
        names, covariates: [rows, covariates] to adjust for; none gives the mean difference in pairs.
        counselors: [rows] where given, errors are clustered by pair and by counselor (Cameron, Gelbach and Miller
            2011, Journal of Business and Economic Statistics 29, 238-249); should that variance come out below the
            greater of the two it is made of, that one is taken.
        alpha: intervals hold 1 - alpha.

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
        clusters.append(_numbered(counselors, len(outcome), rows, "matched rows"))
    fits = [_clustered(outcome[rows], design, cluster) for cluster in clusters]
    variance = max(float(fit.bse[1]) ** 2 for fit in fits)
    if len(clusters) == 2:
        both = _clustered(outcome[rows], design, np.column_stack(clusters)).cov_params()
        variance = max(variance, float(both[1, 1]))
    return _effect(
        ADJUSTED if design.shape[1] > 2 else MATCHED,
        BY_PAIR_AND_COUNSELOR if len(clusters) == 2 else "clustered by pair",
        estimate=float(fits[0].params[1]),
        se=variance**0.5,
        df=min(int(cluster.max()) for cluster in clusters),
        rows=len(rows),
        left_out=left_out,
        alpha=alpha,
    )


@by_place
def weighted_effect(
    outcome: Floats,
    treated: Bools,
    score: Propensity,
    names: Sequence[str] = (),
    covariates: Floats | None = None,
    counselors: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> Effect:
    """Weighted least squares of the outcome on treatment, and on covariates where given, by `att_weights`.

    Args:
        outcome: [rows] change.
        treated: [rows]
        names, covariates: [rows, covariates]
        counselors: [rows] to cluster errors by; none gives robust errors (HC1).
        alpha: intervals hold 1 - alpha.

    Raises:
        MissingExtra: statsmodels is not installed.
        ModelProblem: gaps, an outcome that never varies, or fewer than five counselors.
    """
    statsmodels = need("statsmodels.api", "analysis")
    outcome = check_outcome(outcome, len(treated))
    design, left_out = _design(treated, names, covariates)
    model = statsmodels.WLS(outcome, design, weights=att_weights(score, treated))
    method = WEIGHTED_ADJUSTED if design.shape[1] > 2 else WEIGHTED
    return _of_all_rows(method, model, "HC1", counselors, left_out, alpha)


@by_place
def regression_effect(
    outcome: Floats,
    treated: Bools,
    names: Sequence[str],
    covariates: Floats,
    counselors: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> Effect:
    """Plain analysis of covariance of all rows.

    With the score before among the covariates, change and score after give the same effect.

    Args:
        outcome: [rows] change.
        treated: [rows]
        names, covariates: [rows, covariates]
        counselors: [rows] to cluster errors by; none gives robust errors (HC3).
        alpha: intervals hold 1 - alpha.

    Raises:
        MissingExtra: statsmodels is not installed.
        ModelProblem: gaps, an outcome that never varies, or fewer than five counselors.
    """
    statsmodels = need("statsmodels.api", "analysis")
    outcome = check_outcome(outcome, len(treated))
    design, left_out = _design(treated, names, covariates)
    return _of_all_rows(REGRESSION, statsmodels.OLS(outcome, design), "HC3", counselors, left_out, alpha)


@by_place
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


def _numbered(counselors: Sequence[str], rows: int, used: Indices, name: str) -> Indices:
    """[used] counselors of the rows that are used, from 0 on.

    Raises:
        BadShape: not one for each of all rows.
        TooFewClusters: fewer than five.
    """
    if len(counselors) != rows:
        raise BadShape(f"{rows} rows and {len(counselors)} counselors: give one for each row.")
    codes = np.unique(np.asarray(counselors)[used], return_inverse=True)[1]
    if codes.max() + 1 < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"The {name} are of {codes.max() + 1} counselors: standard errors clustered by counselor need at "
            f"least {FEWEST_CLUSTERS}. Leave counselors out, and report that."
        )
    return np.asarray(codes, dtype=np.intp)


def _of_all_rows(
    method: str,
    model: Any,
    robust: str,
    counselors: Sequence[str] | None,
    left_out: tuple[str, ...],
    alpha: float,
) -> Effect:
    """A model of statsmodels with errors clustered by counselor where given, t with counselors - 1 degrees, else
    robust."""
    rows = len(model.endog)
    if counselors is None:
        fit, errors, df = model.fit(cov_type=robust), f"robust ({robust})", float(model.df_resid)
    else:
        groups = _numbered(counselors, rows, np.arange(rows), "rows")
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
        errors, df = BY_COUNSELOR, float(groups.max())
    return _effect(method, errors, float(fit.params[1]), float(fit.bse[1]), df, rows, left_out, alpha)


def _effect(
    method: str,
    errors: str,
    estimate: float,
    se: float,
    df: float,
    rows: int,
    left_out: tuple[str, ...],
    alpha: float,
) -> Effect:
    student = need("scipy.stats", "analysis").t
    half = float(student.ppf(1 - alpha / 2, df)) * se
    p = float(2 * student.sf(abs(estimate) / se, df)) if se > 0 else float("nan")
    return Effect(method, errors, estimate, se, df, estimate - half, estimate + half, p, rows, left_out)
