"""The population-average twin of the models with a random intercept: generalized estimating equations.

    E(y) = x b (linear),  or  logit P(y = the higher level) = constant + x b

Rows of a cluster share one working correlation; errors hold whatever the true one is (Liang and Zeger 1986, Biometrika
73, 13-22). Coefficients compare average rows of all clusters, so those of a logit are nearer to 0 than the ones within
an average counselor. Same model as geeglm of the R package geepack. With fewer than 50 clusters the errors are those
corrected for their bias by Mancl and DeRouen (2001, Biometrics 57, 126-134).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.errors import UsageProblem, need
from mi_coder.outcomes.guards import (
    Clusters,
    ExactFit,
    ModelProblem,
    TooFewClusters,
    check_clustered_errors,
    check_outcome,
    cluster_codes,
    level_codes,
    refuse_separating,
    separated,
    standardize,
)
from mi_coder.outcomes.rows import by_place

FAMILIES = ("linear", "logit")
CORRELATIONS = ("exchangeable", "independence")
# With fewer clusters, errors are corrected for their bias.
MANY_CLUSTERS = 50
# A coefficient per standard deviation of its column, or its error, beyond this is on its way to infinity.
MOST_PER_SD = 10.0
# A residual sum of squares below this share of the total is rounding.
EXACT = 1e-10
# Of the estimating equations, where the search ends.
LAST_SCORE = 1e-9
MOST_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class GeeFit:
    """A fitted model.

    Attributes:
        family: "linear" or "logit".
        names: [columns]
        levels: the lower and the higher one of a logit, else none.
        coefficients: [1 + columns] the constant first, in the columns' own units.
        covariance: [1 + columns, 1 + columns] of the coefficients.
        covariance_kind: "robust", or "bias_reduced" with fewer than 50 clusters, and where it is asked for.
        working: "exchangeable" or "independence".
        correlation: of two rows of one cluster (alpha), 0 under independence.
        df: degrees of freedom of the t distribution that intervals are by: clusters less one.
        rows, clusters: how many.
    """

    family: Literal["linear", "logit"]
    names: tuple[str, ...]
    levels: tuple[float, ...]
    coefficients: Floats
    covariance: Floats
    covariance_kind: Literal["robust", "bias_reduced"]
    working: Literal["exchangeable", "independence"]
    correlation: float
    df: int
    rows: int
    clusters: int

    @property
    def se(self) -> Floats:
        """[1 + columns] standard errors."""
        return np.sqrt(np.diag(self.covariance))


@by_place
def fit_gee(
    family: Literal["linear", "logit"],
    outcome: Floats,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any],
    working: Literal["exchangeable", "independence"] = "exchangeable",
    bias_reduced: bool = False,
) -> GeeFit:
    """Fit the model.

    Args:
        outcome: [rows] two levels for a logit.
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels, in any order.
        working: the correlation that rows of a cluster are taken to have.
        bias_reduced: correct errors for their bias with any number of clusters, as where few decide on a column.

    Raises:
        MissingExtra: statsmodels is not installed.
        UsageProblem: another family or working correlation.
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do.
    """
    if family not in FAMILIES:
        raise UsageProblem(f"There is no family {family!r} here: it is one of {', '.join(FAMILIES)}.")
    if working not in CORRELATIONS:
        raise UsageProblem(f"There is no working correlation {working!r}: it is one of {', '.join(CORRELATIONS)}.")
    statsmodels = need("statsmodels.api", "analysis")
    levels: tuple[float, ...] = ()
    if family == "logit":
        codes, levels = level_codes(outcome)
        if len(levels) > 2:
            raise ModelProblem(
                f"A logit is for an outcome with two levels, but this one has {len(levels)}: cut it in two, such as 4 "
                "stars or more, or fit the proportional-odds logit."
            )
        standard = standardize(names, columns, len(codes))
        refuse_separating(standard, codes)
        center, spread = 0.0, 1.0
        values, distribution = codes.astype(np.float64), statsmodels.families.Binomial()
    else:
        values = check_outcome(outcome)
        standard = standardize(names, columns, len(values))
        center, spread = float(values.mean()), float(values.std())
        values, distribution = (values - center) / spread, statsmodels.families.Gaussian()
    groups = cluster_codes(clusters, len(values))
    check_clustered_errors(groups, len(names) + 1)
    structure = statsmodels.cov_struct.Independence()
    if working == "exchangeable":
        _check_repeated(groups)
        structure = statsmodels.cov_struct.Exchangeable()
    few = len(groups) < MANY_CLUSTERS or bias_reduced
    kind: Literal["robust", "bias_reduced"] = "bias_reduced" if few else "robust"
    design = np.column_stack([np.ones(len(values)), standard.z])
    if family == "linear":
        _refuse_exact(values, design)
    order = np.argsort(groups.codes, kind="stable")
    model = statsmodels.GEE(
        values[order], design[order], groups=groups.codes[order], family=distribution, cov_struct=structure
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(maxiter=MOST_STEPS, ctol=LAST_SCORE)
            covariance = fit.cov_params() if kind == "robust" else _bias_reduced(model)
        except (np.linalg.LinAlgError, ValueError) as error:
            raise _no_solution(family, names) from error
    estimates, covariance = np.asarray(fit.params), np.asarray(covariance)
    correlation = float(structure.dep_params) if working == "exchangeable" else 0.0
    _check_fit(family, names, estimates, covariance, bool(fit.converged))
    if not -1 / (int(groups.sizes.max()) - 1 or 1) < correlation < 1:
        raise ModelProblem(
            f"The correlation of rows of one cluster comes out as {correlation:.3g}, which no cluster of "
            f"{groups.sizes.max()} rows can have: use independence as the working correlation, and report that."
        )
    coefficients, covariance = standard.in_own_units(estimates, covariance, center, spread)
    return GeeFit(
        family=family,
        names=standard.names,
        levels=levels,
        coefficients=coefficients,
        covariance=covariance,
        covariance_kind=kind,
        working=working,
        correlation=correlation,
        df=len(groups) - 1,
        rows=len(values),
        clusters=len(groups),
    )


def _bias_reduced(model: Any) -> Floats:
    """[1 + columns, 1 + columns] covariance corrected for its bias as Mancl and DeRouen do (2001).

    With derivatives D, working covariance V, residuals r and B = D'V^-1 D of a cluster, and M the sum of all B, a
    cluster adds M^-1 D'V^-1 (I - D M^-1 D'V^-1)^-1 r to the estimates, which is (M - B)^-1 D'V^-1 r. That takes no
    matrix of rows by rows, which for one large cluster would fill the memory.

    Args:
        model: a fitted GEE of statsmodels.

    Raises:
        numpy.linalg.LinAlgError: without one of the clusters the coefficients are not determined.
    """
    parts, scores = [], []
    for i, (mean, linear) in enumerate(model.cached_means):
        derivative = model.mean_deriv(model.exog_li[i], linear)
        sd = np.sqrt(model.family.variance(mean))
        weighted, residual = model.cov_struct.covariance_matrix_solve(
            mean, i, sd, (derivative, model.endog_li[i] - mean)
        )
        parts.append(derivative.T @ weighted)
        scores.append(derivative.T @ residual)
    every = np.array(parts)
    moves = np.linalg.solve(every.sum(axis=0) - every, np.array(scores)[..., None])[..., 0]
    return np.asarray(moves.T @ moves)


def _check_repeated(clusters: Clusters) -> None:
    if clusters.sizes.max() == 1:
        raise TooFewClusters(
            f"Each of the {len(clusters)} clusters has one row: rows of one counselor have no correlation to estimate. "
            "Use independence as the working correlation, or check how counselors are named in the data."
        )


def _refuse_exact(values: Floats, design: Floats) -> None:
    residual = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    if residual @ residual <= EXACT * (values @ values):
        raise ExactFit(
            "The outcome follows exactly from the columns, so nothing is left to estimate standard errors from: is it, "
            "or "
            "a part of it, among the columns?"
        )


def _check_fit(family: str, names: Sequence[str], estimates: Floats, covariance: Floats, converged: bool) -> None:
    """Refuse estimates that are on their way to infinity, or not there."""
    finite = bool(np.isfinite(estimates).all() and np.isfinite(covariance).all())
    if family == "logit" and finite:
        far = (abs(estimates) > MOST_PER_SD) | (np.diag(covariance) > MOST_PER_SD**2)
        if far[1:].any():
            raise separated([names[i] for i in np.flatnonzero(far[1:]).tolist()])
    if not (finite and converged):
        raise _no_solution(family, names)


def _no_solution(family: str, names: Sequence[str]) -> ModelProblem:
    if family == "logit":
        return separated(names)
    return ModelProblem(
        "No solution of the estimating equations was found. Use independence as the working correlation, or fewer "
        "columns, and report that."
    )
