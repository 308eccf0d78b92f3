"""The proportional-odds logit for ratings, with errors clustered by counselor.

    P(rating <= level j) = F(threshold j - x b),  F the logistic distribution

Newton's method on the log-likelihood, which is concave (Pratt 1981, Journal of the American Statistical Association 76,
103-106), so it finds the one maximum from any start. A positive coefficient goes with higher ratings. Same model as
polr of the R package MASS and clm of ordinal; with two levels it is the binary logit, its constant negated as the
threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats, Indices
from mi_coder.outcomes.cumulative import (
    Cells,
    by_threshold,
    cells,
    inverse_of,
    start_thresholds,
    threshold_information,
    threshold_scores,
    to_own_units,
)
from mi_coder.outcomes.guards import (
    BadShape,
    Columns,
    EmptyLevel,
    check_clustered_errors,
    cluster_codes,
    level_codes,
    refuse_separating,
    separated,
    standardize,
)
from mi_coder.outcomes.rows import by_place

# A step that moves no linear predictor by more than this is the last.
LAST_STEP = 1e-9
# Where levels are separated each step moves some predictor by about 1 for ever; past this many, none is found.
MOST_STEPS = 30
# Of a likelihood, relative.
ROUNDING = 1e-12
# Columns whose coefficient still moves by this share of the most are those that separate.
STILL_MOVING = 0.01
# A coefficient per standard deviation of its column, or its error, beyond this is on its way to infinity.
MOST_PER_SD = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class OrdinalFit:
    """A fitted model.

    Attributes:
        names: [columns]
        levels: [levels] in ascending order.
        coefficients: [columns] log odds ratios of a higher rating, in the columns' own units.
        thresholds: [levels - 1]
        model_covariance: [parameters, parameters] coefficients first, then thresholds; the inverse of the observed
            information, which takes rows for independent.
        clustered_covariance: the same with errors clustered, where clusters were given.
        log_likelihood: weighted where weights were given.
        rows, clusters: how many; 0 clusters where none were given.
    """

    names: tuple[str, ...]
    levels: tuple[float, ...]
    coefficients: Floats
    thresholds: Floats
    model_covariance: Floats
    clustered_covariance: Floats | None
    log_likelihood: float
    rows: int
    clusters: int

    @property
    def covariance(self) -> Floats:
        """[parameters, parameters] the clustered one where there is one."""
        return self.model_covariance if self.clustered_covariance is None else self.clustered_covariance

    @property
    def se(self) -> Floats:
        """[columns] standard errors of the coefficients, by `covariance`."""
        return np.sqrt(np.diag(self.covariance))[: len(self.coefficients)]

    @property
    def threshold_se(self) -> Floats:
        """[levels - 1] standard errors of the thresholds, by `covariance`."""
        return np.sqrt(np.diag(self.covariance))[len(self.coefficients) :]


@by_place
def fit_ordinal(
    ratings: Floats,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    levels: Sequence[float] | None = None,
    weights: Floats | None = None,
) -> OrdinalFit:
    """Fit the model.

    Clustered errors have the factor G / (G - 1) * (n - 1) / (n - k) of G clusters, n rows and k parameters, as vcovCL
    of the R package sandwich with type HC1.

    Args:
        ratings: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels; none gives errors that take rows for independent.
        levels: to expect; see `level_codes`.
        weights: [rows] above 0, such as inverse probabilities of a rating. Only clustered errors are right with them.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do.
    """
    codes, present = level_codes(ratings, levels)
    standard = standardize(names, columns, len(codes))
    refuse_separating(standard, codes)
    parameters = len(names) + len(present) - 1
    groups = None
    if clusters is not None:
        groups = cluster_codes(clusters, len(codes))
        check_clustered_errors(groups, parameters)
    weight = _checked_weights(weights, len(codes))
    best = maximize(standard, codes, len(present), weight)
    back = to_own_units(standard, len(present) - 1)
    raw = back @ best.parameters
    clustered = None
    if groups is not None:
        scores = scores_of(standard.z, best.cells, best.parameters[len(names) :], codes) * weight[:, None]
        totals = np.column_stack([np.bincount(groups.codes, column, len(groups)) for column in scores.T])
        half = back @ best.inverse @ totals.T
        factor = len(groups) / (len(groups) - 1) * (len(codes) - 1) / (len(codes) - parameters)
        clustered = factor * half @ half.T
    return OrdinalFit(
        names=standard.names,
        levels=present,
        coefficients=raw[: len(names)],
        thresholds=raw[len(names) :],
        model_covariance=back @ best.inverse @ back.T,
        clustered_covariance=clustered,
        log_likelihood=best.log_likelihood,
        rows=len(codes),
        clusters=0 if groups is None else len(groups),
    )


@by_place
def row_scores(fit: OrdinalFit, ratings: Floats, columns: Floats) -> Floats:
    """[rows, parameters] derivatives of each row's log-likelihood, unweighted: coefficients first, then thresholds.

    Times `model_covariance` they are the rows' influence on the parameters.

    Args:
        ratings: [rows]
        columns: [rows, columns] in the order of the fit.

    Raises:
        BadShape: other columns than the fit has.
        EmptyLevel: a rating that is no level of the fit.
    """
    predictor = predictors(fit, columns)
    codes = np.searchsorted(fit.levels, ratings)
    known = np.append(fit.levels, np.nan)[codes] == ratings
    if not known.all():
        row = int(np.argmin(known))
        raise EmptyLevel(f"Row {row + 1} has {ratings[row]:g}, a level that the model was not fitted on.")
    return scores_of(columns, cells(predictor, fit.thresholds, codes), fit.thresholds, codes)


@by_place
def predictors(fit: OrdinalFit, columns: Floats) -> Floats:
    """[rows] linear predictors of columns [rows, columns].

    Raises:
        BadShape: other columns than the fit has.
    """
    if columns.ndim != 2 or columns.shape[1] != len(fit.names):
        raise BadShape(f"The model has {len(fit.names)} columns, and the array's shape is {columns.shape}.")
    return np.asarray(columns @ fit.coefficients, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Maximum:
    """The greatest likelihood on standardized columns; parameters are coefficients, then thresholds."""

    parameters: Floats
    inverse: Floats
    cells: Cells
    log_likelihood: float


def maximize(columns: Columns, codes: Indices, levels: int, weight: Floats) -> Maximum:
    """Climb to the maximum.

    Args:
        codes: [rows] levels from 0 on.
        weight: [rows]

    Raises:
        Separation: the maximum is at infinity.
    """
    width = len(columns.names)
    counts: Floats = np.bincount(codes, weight, levels).astype(np.float64)
    parameters = np.concatenate([np.zeros(width), start_thresholds(counts)])
    now = cells(np.zeros(len(codes)), parameters[width:], codes)
    value = float(weight @ now.log_p)
    step = np.ones_like(parameters)
    for _ in range(MOST_STEPS):
        thresholds = parameters[width:]
        scores = threshold_scores(now.above, now.below, thresholds, codes)
        gradient = np.concatenate([(weight * now.score) @ columns.z, weight @ scores])
        try:
            inverse = inverse_of(information_of(columns.z, now, thresholds, codes, counts, weight))
        except np.linalg.LinAlgError:
            break
        step = inverse @ gradient
        parameters, now, value = _climb(columns.z, codes, weight, parameters, step, value)
        if abs(columns.z @ step[:width]).max() + abs(step[width:]).max() <= LAST_STEP:
            far = ((abs(parameters) > MOST_PER_SD) | (np.diag(inverse) > MOST_PER_SD**2))[:width]
            if far.any():
                raise separated([columns.names[i] for i in np.flatnonzero(far).tolist()])
            return Maximum(parameters, inverse, now, value)
    moving = abs(step[:width])
    raise separated([columns.names[i] for i in np.flatnonzero(moving >= STILL_MOVING * moving.max()).tolist()])


def _climb(
    z: Floats, codes: Indices, weight: Floats, parameters: Floats, step: Floats, value: float
) -> tuple[Floats, Cells, float]:
    """Go along the step, halved until thresholds ascend and the likelihood does not fall by more than rounding."""
    width = z.shape[1]
    least = value - ROUNDING * abs(value)
    share = 1.0
    while True:
        new = parameters + share * step
        if (np.diff(new[width:]) > 0).all():
            at_new = cells(z @ new[:width], new[width:], codes)
            new_value = float(weight @ at_new.log_p)
            if new_value >= least:
                return new, at_new, new_value
        share /= 2


def information_of(z: Floats, now: Cells, thresholds: Floats, codes: Indices, counts: Floats, weight: Floats) -> Floats:
    """[parameters, parameters] the negated second derivatives of the log-likelihood of rows [rows, columns].

    Args:
        now: probabilities at the parameters.
        codes: [rows] levels from 0 on.
        counts: [levels] weights added up by level.
        weight: [rows]
    """
    width = z.shape[1]
    above, below = weight * now.density_above, weight * now.density_below
    information = np.empty((width + len(thresholds),) * 2)
    information[:width, :width] = z.T @ (z * (above + below)[:, None])
    information[:width, width:] = -(z.T @ by_threshold(above, below, codes, len(thresholds)))
    information[width:, :width] = information[:width, width:].T
    information[width:, width:] = threshold_information(above, below, thresholds, codes, counts)
    return information


def scores_of(z: Floats, at: Cells, thresholds: Floats, codes: Indices) -> Floats:
    """[rows, parameters] derivatives of each row's log-likelihood, coefficients first, at the probabilities `at`."""
    return np.column_stack([z * at.score[:, None], threshold_scores(at.above, at.below, thresholds, codes)])


def _checked_weights(weights: Floats | None, rows: int) -> Floats:
    if weights is None:
        return np.ones(rows)
    if weights.shape != (rows,):
        raise BadShape(f"There are {rows} outcomes and weights of shape {weights.shape}: give one for each row.")
    wrong = np.flatnonzero(~((weights > 0) & np.isfinite(weights)))
    if wrong.size:
        raise BadShape(f"The weight of row {wrong[0] + 1} is {weights[wrong[0]]:g}: weights are above 0.")
    return np.asarray(weights, dtype=np.float64)
