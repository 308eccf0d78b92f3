"""Which conversations have an outcome: the model of missing ratings, and weights for those that have one.

A logit of "has an outcome" gives each conversation a probability of it; weighted by the inverse, those that have one
stand for all (Seaman and White 2013, Statistical Methods in Medical Research 22, 278-295). That holds if, among
conversations alike in the columns, those with and without an outcome do not differ in it. Ratings are mostly missing
for reasons in the rating itself, so both results, weighted and not, are to be reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import BadShape, SingleCategory, check_columns
from mi_coder.outcomes.ordinal import fit_ordinal, predictors
from mi_coder.outcomes.rows import by_place

PERCENTILE = 99.0


@dataclass(frozen=True, slots=True, eq=False)
class ResponseModel:
    """A fitted logit of having an outcome.

    Attributes:
        names: [columns]
        coefficients: [1 + columns] the constant first; log odds ratios of an outcome, in the columns' own units.
        se: [1 + columns] clustered where clusters were given.
        probability: [rows] of an outcome.
        rows, clusters: how many; 0 clusters where none were given.
    """

    names: tuple[str, ...]
    coefficients: Floats
    se: Floats
    probability: Floats
    rows: int
    clusters: int


@dataclass(frozen=True, slots=True, eq=False)
class ResponseWeights:
    """Weights that make conversations with an outcome stand for all.

    Attributes:
        weights: [rows] the share with an outcome over the probability of one: about 1 on average; 0 without outcome.
        responded: how many rows have an outcome.
        percentile: of the weights above 0, at which they are cut.
        cap: the greatest weight, where the cut is.
        truncated: how many weights were above it.
        greatest: the greatest weight before.
        effective: the sample size that is left, (sum of weights)^2 / sum of squared weights (Kish 1965).
    """

    weights: Floats
    responded: int
    percentile: float
    cap: float
    truncated: int
    greatest: float
    effective: float

    def sentence(self) -> str:
        """What the report says."""
        cut = (
            f"{self.truncated} weights above the {self.percentile:g}th percentile, {self.cap:.3g}, are cut to it (the "
            f"greatest was {self.greatest:.3g})"
            if self.truncated
            else f"no weight is cut, and the greatest is {self.greatest:.3g}"
        )
        return (
            f"{self.responded} of {len(self.weights)} conversations have the outcome "
            f"({self.responded / len(self.weights):.1%}). Weighted by the inverse of its probability, they are worth "
            f"{self.effective:.0f}; {cut}. Weights correct only for what the columns of the model contain, but "
            "outcomes "
            "are mostly missing also for reasons in the outcome itself."
        )


@dataclass(frozen=True, slots=True)
class ResponseGap:
    """How conversations with and without the outcome differ in one column.

    Attributes:
        name: of the column.
        mean_with, mean_without: its means.
        difference: with less without, in standard deviations (root of the mean of both variances); 0 for a column that
            is the same in all rows, infinite for one that differs between the two and in neither.
        weighted: the same with those that have the outcome weighted, against all rows; nan where no weights were given.
    """

    name: str
    mean_with: float
    mean_without: float
    difference: float
    weighted: float


@by_place
def fit_response(
    responded: Bools,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
) -> ResponseModel:
    """Fit the logit.

    Args:
        responded: [rows] whether a conversation has the outcome.
        names: [columns]
        columns: [rows, columns] known whether or not there is an outcome, without gaps and without a constant column.
        clusters: [rows] any labels; none gives errors that take rows for independent.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `SingleCategory` where all or
            none have the outcome, `Separation` where columns tell who has.
    """
    responded = _checked(responded)
    fit = fit_ordinal(responded.astype(np.float64), names, columns, clusters)
    return ResponseModel(
        names=fit.names,
        coefficients=np.concatenate([-fit.thresholds, fit.coefficients]),
        se=np.concatenate([fit.threshold_se, fit.se]),
        probability=0.5 * (1 + np.tanh((predictors(fit, columns) - fit.thresholds[0]) / 2)),
        rows=fit.rows,
        clusters=fit.clusters,
    )


@by_place
def response_weights(model: ResponseModel, responded: Bools, percentile: float = PERCENTILE) -> ResponseWeights:
    """Stabilized inverse probabilities of an outcome, the greatest cut (Cole and Hernan 2008, American Journal of
    Epidemiology 168, 656-664).

    Args:
        responded: [rows] as the model was fitted to.
        percentile: of the weights of rows with an outcome, above 50 up to 100; 100 cuts none.

    Raises:
        UsageProblem: another percentile.
        BadShape: not the rows of the model.
    """
    if not 50 < percentile <= 100:
        raise UsageProblem(f"Weights are cut at a percentile above 50 and up to 100, but it is {percentile:g}.")
    responded = _checked(responded)
    if len(responded) != model.rows:
        raise BadShape(f"The model was fitted to {model.rows} rows, but {len(responded)} are given.")
    own = responded.mean() / model.probability[responded]
    cap = float(np.percentile(own, percentile))
    cut = np.minimum(own, cap)
    weights = np.zeros(len(responded))
    weights[responded] = cut
    return ResponseWeights(
        weights=weights,
        responded=len(own),
        percentile=percentile,
        cap=cap,
        truncated=int((own > cap).sum()),
        greatest=float(own.max()),
        effective=float(cut.sum() ** 2 / (cut @ cut)),
    )


@by_place
def compare_responders(
    responded: Bools, names: Sequence[str], columns: Floats, weights: Floats | None = None
) -> tuple[ResponseGap, ...]:
    """Technique use, and whatever else, of conversations with and without the outcome.

    Args:
        responded: [rows]
        names: [columns]
        columns: [rows, columns] without gaps; constant ones may be among them.
        weights: [rows] of `ResponseWeights`, to see whether weighted rows are like all.

    Raises:
        BadShape, Gaps: columns, or weights, that do not fit.
        SingleCategory: all or none have the outcome.
    """
    responded = _checked(responded)
    columns = check_columns(names, columns, len(responded))
    if weights is not None and weights.shape != responded.shape:
        raise BadShape(f"There are {len(responded)} rows and weights of shape {weights.shape}: give one for each row.")
    gaps = []
    for name, column in zip(names, columns.T, strict=True):
        # Less a value of its own, so that one that never varies is exactly 0.
        moved = column - column[0]
        own, other = moved[responded], moved[~responded]
        sd = float(((own.var() + other.var()) / 2) ** 0.5)
        weighted = float("nan")
        if weights is not None:
            weighted = _in_sd(float(np.average(own, weights=weights[responded]) - moved.mean()), sd)
        gaps.append(
            ResponseGap(
                name=name,
                mean_with=float(column[responded].mean()),
                mean_without=float(column[~responded].mean()),
                difference=_in_sd(float(own.mean() - other.mean()), sd),
                weighted=weighted,
            )
        )
    return tuple(gaps)


def _in_sd(difference: float, sd: float) -> float:
    if sd > 0:
        return difference / sd
    return float(np.copysign(np.inf, difference)) if difference else 0.0


def _checked(responded: Bools) -> Bools:
    if responded.ndim != 1 or not responded.size:
        raise BadShape(f"Say for each row whether it has the outcome, true or false: the shape is {responded.shape}.")
    if responded.all():
        raise SingleCategory(f"All {len(responded)} rows have the outcome: none is missing, and no weights are needed.")
    if not responded.any():
        raise SingleCategory(f"None of {len(responded)} rows has the outcome: there is nothing to explain.")
    return responded
