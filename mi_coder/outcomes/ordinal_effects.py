"""What a fitted proportional-odds logit says in probabilities: predictions and average marginal effects.

Errors are by the delta method, with the covariance of the fit: clustered where it was fitted with clusters.
"""

from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.errors import UnknownName, did_you_mean
from mi_coder.outcomes.ordinal import OrdinalFit, predictors
from mi_coder.outcomes.rows import by_place


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Probabilities of each level.

    Attributes:
        probabilities: [rows, levels]
        se: [rows, levels] standard errors.
    """

    probabilities: Floats
    se: Floats


@dataclass(frozen=True, slots=True, eq=False)
class MarginalEffect:
    """How probabilities change per unit of one column, averaged over rows.

    Attributes:
        name: of the column.
        effects: [levels] they add up to 0.
        se: [levels]
        expected: the change of the expected level, such as stars.
        expected_se: its standard error.
    """

    name: str
    effects: Floats
    se: Floats
    expected: float
    expected_se: float


@by_place
def predict(fit: OrdinalFit, columns: Floats) -> Predictions:
    """Probabilities at columns [rows, columns].

    Raises:
        BadShape: other columns than the fit has.
    """
    below, density, _ = _at_thresholds(fit, columns)
    width, levels = len(fit.names), len(fit.levels)
    se = np.empty((len(columns), levels))
    for j in range(levels):
        slopes: Floats = np.zeros((len(columns), width + levels - 1))
        slopes[:, :width] = (density[:, j] - density[:, j + 1])[:, None] * columns
        if j < levels - 1:
            slopes[:, width + j] = density[:, j + 1]
        if j > 0:
            slopes[:, width + j - 1] = -density[:, j]
        se[:, j] = np.sqrt(np.einsum("ij,ij->i", slopes @ fit.covariance, slopes))
    return Predictions(np.diff(below, axis=1), se)


@by_place
def marginal_effect(fit: OrdinalFit, columns: Floats, name: str) -> MarginalEffect:
    """The average marginal effect of a column over rows [rows, columns], mostly those of the fit.

    Raises:
        UnknownName: no such column.
        BadShape: other columns than the fit has.
    """
    if name not in fit.names:
        raise UnknownName(f"There is no column {name!r} in the model.{did_you_mean(name, fit.names)}")
    i, width = fit.names.index(name), len(fit.names)
    _, density, turn = _at_thresholds(fit, columns)
    coefficient = fit.coefficients[i]
    mean_density = density.mean(axis=0)
    # [levels + 1, parameters]: derivatives of the effect on the probability of being below each threshold.
    slopes = np.zeros((len(fit.levels) + 1, width + len(fit.thresholds)))
    slopes[:, :width] = coefficient * (turn.T @ columns) / len(columns)
    slopes[:, i] -= mean_density
    slopes[1:-1, width:] = -coefficient * np.diag(turn.mean(axis=0)[1:-1])
    by_level = np.diff(slopes, axis=0)
    effects = -coefficient * np.diff(mean_density)
    levels = np.asarray(fit.levels)
    of_expected = levels @ by_level
    return MarginalEffect(
        name=name,
        effects=effects,
        se=np.sqrt(np.einsum("ij,jk,ik->i", by_level, fit.covariance, by_level)),
        expected=float(levels @ effects),
        expected_se=float(np.sqrt(of_expected @ fit.covariance @ of_expected)),
    )


def _at_thresholds(fit: OrdinalFit, columns: Floats) -> tuple[Floats, Floats, Floats]:
    """[rows, levels + 1] the logistic distribution, its density and that one's slope, from no threshold to all."""
    distance = np.concatenate([[-np.inf], fit.thresholds, [np.inf]]) - predictors(fit, columns)[:, None]
    with np.errstate(over="ignore"):
        below = 1 / (1 + np.exp(-distance))
    density = below * (1 - below)
    return below, density, density * (1 - 2 * below)
