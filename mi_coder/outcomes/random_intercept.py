"""The linear model with a random intercept per cluster, by restricted maximum likelihood (REML).

    y = constant + x b + u[cluster] + e,  u ~ N(0, tau2),  e ~ N(0, sigma2)

The rows are read once, into cross-products and sums per cluster; all else is a search in one dimension, the ratio
tau2 / sigma2. Same criterion as lmer of the R package lme4 (Bates, Maechler, Bolker and Walker 2015, Journal of
Statistical Software 67(1), equations 38-42).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.guards import (
    BadShape,
    Clusters,
    Columns,
    ExactFit,
    ModelProblem,
    check_outcome,
    check_random_intercept,
    cluster_codes,
    no_cluster_variance,
    standardize,
)
from mi_coder.outcomes.rows import by_place

# A residual sum of squares below this share of the total is rounding.
EXACT = 1e-10
# Ratios of tau2 to sigma2, times the mean size of a cluster, where the search starts.
GRID = 10.0 ** np.arange(-5, 9, 0.5)
MOST_STEPS = 200
SMALLEST_STEP = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class RandomIntercept:
    """A fitted model.

    Attributes:
        names: [columns]
        coefficients: [1 + columns] the constant first, in the columns' own units.
        covariance: [1 + columns, 1 + columns] of the coefficients, given the variances.
        tau2: variance between clusters.
        sigma2: variance within clusters.
        log_likelihood: restricted; compare it only between models with the same columns.
        rows, clusters: how many.
    """

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    tau2: float
    sigma2: float
    log_likelihood: float
    rows: int
    clusters: int

    @property
    def se(self) -> Floats:
        """[1 + columns] standard errors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def icc(self) -> float:
        """The intraclass correlation: the share of the residual variance that is between clusters."""
        return self.tau2 / (self.tau2 + self.sigma2)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """All that the criterion needs of the data, with columns and outcome standardized and a constant first.

    Attributes:
        inner: [columns + 2, columns + 2] cross-products of constant, columns and outcome.
        sizes: [sizes] the different numbers of rows that clusters have.
        counts: [sizes] how many clusters have each.
        between: [sizes, columns + 2, columns + 2] cross-products of the clusters' sums, added up by size.
        log_scale: the log of the determinant of the columns' cross-products in their own units over that here.
    """

    rows: int
    inner: Floats
    sizes: Floats
    counts: Floats
    between: Floats
    log_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class WeightedFit:
    """Coefficients at given ratios of the variances.

    Attributes:
        coefficients: [1 + columns]
        inverse: [1 + columns, 1 + columns] of the weighted cross-products.
        contrast: [columns + 2] that makes residuals of constant, columns and outcome.
        sigma2: variance of the residual.
        deviance: -2 times the restricted log-likelihood, but for the determinant of the covariance of the rows.
    """

    coefficients: Floats
    inverse: Floats
    contrast: Floats
    sigma2: float
    deviance: float


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """The criterion at one ratio, in units of the standardized outcome."""

    coefficients: Floats
    inverse: Floats
    sigma2: float
    log_likelihood: float
    slope: float


@by_place
def fit_random_intercept(
    outcome: Floats, names: Sequence[str], columns: Floats, clusters: Sequence[Any] | NDArray[Any]
) -> RandomIntercept:
    """Fit the model.

    Args:
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `NoClusterVariance` where the
            criterion is greatest at a variance of 0 between clusters.
    """
    outcome = check_outcome(outcome)
    standard = standardize(names, columns, len(outcome))
    groups = cluster_codes(clusters, len(outcome))
    check_random_intercept(groups)
    center, spread = float(outcome.mean()), float(outcome.std())
    sums = _sums(standard, (outcome - center) / spread, groups)
    ratio = _best_ratio(sums, groups)
    best = _profile(sums, ratio)
    coefficients, covariance = standard.in_own_units(best.coefficients, best.sigma2 * best.inverse, center, spread)
    sigma2 = best.sigma2 * spread**2
    degrees = len(outcome) - len(best.coefficients)
    return RandomIntercept(
        names=standard.names,
        coefficients=coefficients,
        covariance=covariance,
        tau2=ratio * sigma2,
        sigma2=sigma2,
        log_likelihood=best.log_likelihood - degrees * math.log(spread),
        rows=len(outcome),
        clusters=len(groups),
    )


def _sums(columns: Columns, outcome: Floats, clusters: Clusters) -> _Sums:
    rows, width = columns.z.shape
    if rows < width + 3:
        raise BadShape(f"{rows} rows are too few for {width + 1} coefficients and two variances.")
    inner = np.zeros((width + 2, width + 2))
    inner[0, 0] = rows
    inner[1:-1, 1:-1] = columns.gram
    inner[1:-1, -1] = inner[-1, 1:-1] = outcome @ columns.z
    inner[-1, -1] = outcome @ outcome
    totals = np.empty((len(clusters), width + 2))
    totals[:, 0] = clusters.sizes
    for i, column in enumerate((*columns.z.T, outcome), start=1):
        totals[:, i] = np.bincount(clusters.codes, weights=column, minlength=len(clusters))
    sizes, kind, counts = np.unique(clusters.sizes, return_inverse=True, return_counts=True)
    between = np.stack([(part := totals[kind == i]).T @ part for i in range(len(sizes))])
    log_scale = 2 * float(np.log(columns.spread).sum())
    return _Sums(rows, inner, sizes.astype(np.float64), counts.astype(np.float64), between, log_scale)


def weighted_fit(products: Floats, rows: int, total: float) -> WeightedFit:
    """Least squares with rows weighted by their inverse covariance, at given ratios of the variances.

    Args:
        products: [columns + 2, columns + 2] weighted cross-products of constant, columns and outcome.
        total: the outcome's sum of squares without weights.

    Raises:
        ExactFit: nothing is left that columns and clusters do not explain.
    """
    inverse = np.linalg.inv(products[:-1, :-1])
    inverse = (inverse + inverse.T) / 2
    coefficients = inverse @ products[:-1, -1]
    contrast = np.append(-coefficients, 1.0)
    residual = float(contrast @ products @ contrast)
    if residual <= EXACT * total:
        raise ExactFit(
            "The outcome follows exactly from the columns and clusters, so nothing is left to estimate a variance "
            "from: is it, or a part of it, among the columns, or the same in all rows of each cluster?"
        )
    degrees = rows - len(coefficients)
    sigma2 = residual / degrees
    log_determinant = float(np.linalg.slogdet(products[:-1, :-1])[1])
    return WeightedFit(
        coefficients, inverse, contrast, sigma2, degrees * (math.log(2 * math.pi * sigma2) + 1) + log_determinant
    )


def _profile(sums: _Sums, ratio: float) -> _Profile:
    shrunk = 1 + ratio * sums.sizes
    whole = sums.inner - np.tensordot(ratio / shrunk, sums.between, axes=1)
    fit = weighted_fit(whole, sums.rows, float(sums.inner[-1, -1]))
    log_likelihood = -0.5 * (fit.deviance + float(sums.counts @ np.log(shrunk)) + sums.log_scale)
    change = np.tensordot(shrunk**-2.0, sums.between, axes=1)
    slope = -0.5 * (
        float(sums.counts @ (sums.sizes / shrunk))
        - float(np.sum(fit.inverse * change[:-1, :-1]))
        - float(fit.contrast @ change @ fit.contrast) / fit.sigma2
    )
    return _Profile(fit.coefficients, fit.inverse, fit.sigma2, log_likelihood, slope)


def _best_ratio(sums: _Sums, clusters: Clusters) -> float:
    """The ratio tau2 / sigma2 with the greatest criterion."""
    grid = np.concatenate([[0.0], GRID * len(clusters) / sums.rows])
    values = [_profile(sums, ratio).log_likelihood for ratio in grid]
    best = int(np.argmax(values))
    if best <= 1 and _profile(sums, 0.0).slope <= 0:
        raise no_cluster_variance(clusters, "least squares with standard errors clustered by counselor")
    if best == len(grid) - 1:
        raise ModelProblem(
            "The outcome hardly varies within clusters: the variance within them is estimated as 0. Is it a value of "
            "the counselor rather than of the conversation?"
        )
    return _root(lambda ratio: _profile(sums, ratio).slope, float(grid[max(best - 1, 0)]), float(grid[best + 1]))


def _root(slope: Callable[[float], float], low: float, high: float) -> float:
    """Where a slope falls through 0, by false position with Illinois' weights (Dowell and Jarratt 1971, BIT 11)."""
    at_low, at_high = slope(low), slope(high)
    before, side = low, 0
    for _ in range(MOST_STEPS):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        if not low < middle < high:
            middle = (low + high) / 2
        at_middle = slope(middle)
        if abs(middle - before) <= SMALLEST_STEP * middle:
            break
        before = middle
        if at_middle > 0:
            at_high = at_high / 2 if side == 1 else at_high
            low, at_low, side = middle, at_middle, 1
        else:
            at_low = at_low / 2 if side == -1 else at_low
            high, at_high, side = middle, at_middle, -1
    return middle
