"""One way to fit the four families of models whose rows can be weighted and whose errors come from rows.

Linear, logit, proportional odds and Poisson: each leaves coefficients and the influence of every row on them, from
which errors by cluster follow, and with which estimates on parts of the data can be combined (`label_error`).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.errors import UnknownName, did_you_mean, need
from mi_coder.outcomes.guards import (
    AliasedColumn,
    BadShape,
    Columns,
    ConstantColumn,
    ExactFit,
    Gaps,
    ModelProblem,
    Separation,
    check_clustered_errors,
    check_outcome,
    cluster_codes,
    level_codes,
    standardize,
)
from mi_coder.outcomes.ordinal import fit_ordinal, row_scores
from mi_coder.outcomes.rows import by_place

Family = Literal["linear", "logit", "ordinal", "poisson"]
FAMILIES: tuple[Family, ...] = get_args(Family)
# A residual sum of squares below this share of the total is rounding.
EXACT = 1e-10
# Where a Poisson model expects fewer, it is on its way to expecting none.
NO_COUNT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a fit of any family leaves behind.

    Attributes:
        family: of the model.
        names: [columns] without constant or thresholds.
        coefficients: [columns] in the columns' own units; log odds ratios, log rate ratios, or points.
        influence: [rows, columns] how far each row moves each coefficient: its weighted score by the inverse
            information. They add up to 0, and their squares, added up by cluster, to the covariance.
        levels: of an ordinal outcome, else none.
        dispersion: Pearson's, of a logit or Poisson; the residual variance of a linear model; else not a number.
        parameters: columns and constant or thresholds.
    """

    family: Family
    names: tuple[str, ...]
    coefficients: Floats
    influence: Floats
    levels: tuple[float, ...]
    dispersion: float
    parameters: int


@by_place
def fit_family(
    family: Family,
    outcome: Floats,
    names: Sequence[str],
    columns: Floats,
    weights: Floats | None = None,
    offset: Floats | None = None,
) -> Estimate:
    """Fit one model with a constant or thresholds.

    Args:
        outcome: [rows] numbers, two levels, ordered levels, or counts.
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        weights: [rows] above 0, such as inverse probabilities of being in the sample; only their ratios count.
        offset: [rows] of a Poisson model alone, such as the log of the number of messages.

    Raises:
        UnknownName: there is no such family.
        UsageProblem: a value that is no number.
        MissingExtra: statsmodels is not installed.
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do.
    """
    check_family(family)
    weight = np.ones(len(outcome)) if weights is None else weights
    if weight.shape != (len(outcome),) or not (np.isfinite(weight).all() and (weight > 0).all()):
        raise BadShape(f"Weights must be {len(outcome)} numbers above 0, one for each row.")
    weight = weight / weight.mean()
    _check_offset(family, offset, len(outcome))
    if family in ("ordinal", "logit"):
        return _ordered(family, outcome, names, columns, weight)
    values = check_outcome(outcome)
    standard = standardize(names, columns, len(values))
    return _linear(values, standard, weight) if family == "linear" else _poisson(values, standard, weight, offset)


def check_family(family: str) -> None:
    """Refuse the name of a family that does not exist.

    Raises:
        UnknownName: with the ones that do.
    """
    if family not in FAMILIES:
        raise UnknownName(f"No family {family!r}.{did_you_mean(family, FAMILIES)} There are {', '.join(FAMILIES)}.")


def clustered_covariance(estimate: Estimate, clusters: Sequence[Any] | NDArray[Any]) -> Floats:
    """[columns, columns] covariance of the coefficients for rows that hang together in clusters.

    With the factor G / (G - 1) * (n - 1) / (n - k) of G clusters, n rows and k parameters, as `cov_type="cluster"` of
    statsmodels.

    Args:
        clusters: [rows] any labels.

    Raises:
        ModelProblem: fewer than five clusters, or no more than parameters.
    """
    rows = len(estimate.influence)
    groups = cluster_codes(clusters, rows)
    check_clustered_errors(groups, estimate.parameters)
    totals = cluster_totals(estimate.influence, groups.codes, len(groups))
    factor = len(groups) / (len(groups) - 1) * (rows - 1) / (rows - estimate.parameters)
    return np.asarray(factor * totals.T @ totals)


def cluster_totals(influence: Floats, codes: NDArray[np.intp], clusters: int) -> Floats:
    """[clusters, columns] influences [rows, columns] added up by cluster."""
    totals = [np.bincount(codes, column, clusters) for column in influence.T]
    return np.asarray(totals, dtype=np.float64).reshape(len(totals), clusters).T


def _ordered(family: Family, outcome: Floats, names: Sequence[str], columns: Floats, weight: Floats) -> Estimate:
    codes, levels = level_codes(outcome)
    if family == "logit" and len(levels) > 2:
        raise ModelProblem(
            f"A logit is for an outcome with two levels, but this one has {len(levels)}: cut it in two, such as 4 "
            "stars or more, or fit the proportional-odds logit."
        )
    fit = fit_ordinal(codes.astype(np.float64), names, columns, weights=weight)
    scores = row_scores(fit, codes.astype(np.float64), columns) * weight[:, None]
    dispersion = float("nan")
    if family == "logit":
        mean = 1 / (1 + np.exp(fit.thresholds[0] - columns @ fit.coefficients))
        pearson = (codes - mean) ** 2 / np.clip(mean * (1 - mean), 1e-12, None)
        dispersion = float(weight @ pearson / max(len(codes) - len(names) - 1, 1))
    return Estimate(
        family,
        fit.names,
        fit.coefficients,
        scores @ fit.model_covariance[:, : len(names)],
        levels if family == "ordinal" else (),
        dispersion,
        len(names) + len(levels) - 1,
    )


def _linear(values: Floats, standard: Columns, weight: Floats) -> Estimate:
    design = np.column_stack([np.ones(len(values)), standard.z])
    fit = need("statsmodels.api", "analysis").WLS(values, design, weights=weight).fit()
    residual = np.asarray(fit.resid, dtype=np.float64)
    if residual @ (weight * residual) <= EXACT * (weight @ (values - values.mean()) ** 2):
        raise ExactFit(
            "The outcome follows exactly from the columns, so nothing is left to estimate standard errors from: is it, "
            "or a part of it, among the columns?"
        )
    information = design.T @ (weight[:, None] * design)
    return _of("linear", standard, fit.params, information, design * (weight * residual)[:, None], float(fit.scale))


def _poisson(values: Floats, standard: Columns, weight: Floats, offset: Floats | None) -> Estimate:
    statsmodels = need("statsmodels.api", "analysis")
    if (values < 0).any():
        raise ModelProblem("A count is below 0: a Poisson model takes counts.")
    design = np.column_stack([np.ones(len(values)), standard.z])
    model = statsmodels.GLM(values, design, family=statsmodels.families.Poisson(), offset=offset, var_weights=weight)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fit = model.fit(maxiter=200, tol=1e-12)
    mean = np.asarray(fit.mu, dtype=np.float64)
    if not (fit.converged and np.isfinite(fit.params).all()):
        raise ModelProblem("The Poisson model has no solution: a column may be above 0 only where all counts are 0.")
    _refuse_separated_counts(standard, mean)
    information = design.T @ ((weight * mean)[:, None] * design)
    scores = design * (weight * (values - mean))[:, None]
    degrees = max(len(values) - design.shape[1], 1)
    dispersion = float((weight * (values - mean) ** 2 / mean).sum() / degrees)
    return _of("poisson", standard, fit.params, information, scores, dispersion)


def _check_offset(family: Family, offset: Floats | None, rows: int) -> None:
    if offset is None:
        return
    if family != "poisson":
        raise ModelProblem(f"Only a Poisson model takes an offset, but this model is {family}: leave the offset out.")
    if offset.shape != (rows,):
        raise BadShape(f"There are {rows} outcomes and an offset of shape {offset.shape}: give one for each row.")
    gaps = np.flatnonzero(~np.isfinite(offset))
    if gaps.size:
        raise Gaps(
            f"The offset is not a number in row {gaps[0] + 1} ({gaps.size} such rows), as the log of 0 messages is: "
            "drop and count such rows before fitting."
        )


def _refuse_separated_counts(columns: Columns, mean: Floats) -> None:
    """Refuse columns that only rows with counts of 0 tell of: those rows have means [rows] of nearly 0."""
    others = columns.z[mean >= NO_COUNT]
    try:
        standardize(columns.names, others, len(others))
    except (ConstantColumn, AliasedColumn) as problem:
        raise Separation(
            f"Column {problem.columns[0]!r} identifies rows in which every count is 0: its best coefficient is "
            "infinite. Leave it out, or combine it with a related column, and report that.",
            problem.columns,
        ) from None


def _of(
    family: Family, standard: Columns, parameters: Floats, information: Floats, scores: Floats, dispersion: float
) -> Estimate:
    """From parameters and scores on standardized columns, constant first, to columns in their own units."""
    influence = scores @ np.linalg.inv(information)
    return Estimate(
        family,
        standard.names,
        np.asarray(parameters[1:] / standard.spread, dtype=np.float64),
        np.asarray(influence[:, 1:] / standard.spread),
        (),
        dispersion,
        len(standard.names) + 1,
    )
