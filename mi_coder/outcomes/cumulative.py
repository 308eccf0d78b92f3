"""The likelihood of one observed level in a cumulative logit, with its derivatives: what ordinal models share.

    P(level j) = F(a) - F(b),  a = threshold above j - predictor,  b = threshold below j - predictor

F is the logistic distribution. Written as log P = log F(a) + log F(-b) + log(1 - exp(b - a)), the last term (the gap)
depends on the level alone, no term loses digits in the tails, and all derivatives are short.
"""

from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Floats, Indices
from mi_coder.outcomes.guards import Columns


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of observed levels, by row or by row and node.

    Attributes:
        above, below: F(a) and F(b).
        density_above, density_below: the densities there.
        log_p: log P.
    """

    above: Floats
    below: Floats
    density_above: Floats
    density_below: Floats
    log_p: Floats

    @property
    def score(self) -> Floats:
        """The derivative of log P by the predictor."""
        return self.above + self.below - 1

    @property
    def information(self) -> Floats:
        """Its negated second derivative."""
        return self.density_above + self.density_below

    @property
    def turn(self) -> Floats:
        """Its third derivative."""
        return self.density_above * (1 - 2 * self.above) + self.density_below * (1 - 2 * self.below)


def cells(predictor: Floats, thresholds: Floats, codes: Indices) -> Cells:
    """The cells of levels `codes` [rows] at linear predictors [rows] or [rows, nodes]."""
    upper, lower = np.append(thresholds, np.inf)[codes], np.append(-np.inf, thresholds)[codes]
    gap = _log_gaps(thresholds)[codes]
    if predictor.ndim == 2:
        upper, lower, gap = upper[:, None], lower[:, None], gap[:, None]
    with np.errstate(over="ignore"):
        past_upper, past_lower = np.exp(predictor - upper), np.exp(lower - predictor)
    above, not_below = 1 / (1 + past_upper), 1 / (1 + past_lower)
    below = 1 - not_below
    return Cells(
        above=above,
        below=below,
        density_above=above * (1 - above),
        density_below=below * not_below,
        log_p=gap - np.log1p(past_upper) - np.log1p(past_lower),
    )


def by_threshold(above: Floats, below: Floats, codes: Indices, thresholds: int) -> Floats:
    """[rows, thresholds] with `above` [rows] at the threshold above a row's level and `below` at the one below it."""
    padded = np.zeros((len(codes), thresholds + 2))
    rows = np.arange(len(codes))
    padded[rows, codes + 1] = above
    padded[rows, codes] = below
    return padded[:, 1:-1]


def threshold_scores(above: Floats, below: Floats, thresholds: Floats, codes: Indices) -> Floats:
    """[rows, thresholds] derivatives of log P by the thresholds, of F(a) and F(b) [rows]."""
    slopes = gap_slopes(thresholds)[codes]
    return by_threshold(1 - above + slopes, -(below + slopes), codes, len(thresholds))


def threshold_information(above: Floats, below: Floats, thresholds: Floats, codes: Indices, counts: Floats) -> Floats:
    """[thresholds, thresholds] negated second derivatives of the sum of log P.

    Args:
        above, below: [rows] densities at a and b, times the rows' weights.
        counts: [levels] weight of the rows of each level.
    """
    slopes = gap_slopes(thresholds)
    bend = (slopes * (1 + slopes) * counts)[1:-1]
    levels = len(counts)
    diagonal = np.bincount(codes, above, levels)[:-1] + np.bincount(codes, below, levels)[1:]
    return np.diag(diagonal + np.append(bend, 0.0) + np.append(0.0, bend)) - np.diag(bend, 1) - np.diag(bend, -1)


def gap_slopes(thresholds: Floats) -> Floats:
    """[levels] derivatives of a level's gap by the threshold above it; by the one below they are the negatives."""
    with np.errstate(over="ignore"):
        return np.concatenate([[0.0], 1 / np.expm1(np.diff(thresholds)), [0.0]])


def start_thresholds(counts: Floats) -> Floats:
    """[levels - 1] thresholds of a model without columns, from the weight [levels] of each level."""
    share = np.cumsum(counts)[:-1] / counts.sum()
    return np.log(share / (1 - share))


def to_own_units(columns: Columns, thresholds: int) -> Floats:
    """[parameters, parameters] of coefficients of standardized columns, then thresholds, to those of own units."""
    width = len(columns.names)
    back = np.diag(np.concatenate([1 / columns.spread, np.ones(thresholds)]))
    back[width:, :width] = columns.center / columns.spread
    return back


def inverse_of(information: Floats) -> Floats:
    """The inverse of a positive definite matrix.

    Raises:
        numpy.linalg.LinAlgError: it is not positive definite.
    """
    root = np.linalg.inv(np.linalg.cholesky(information))
    return np.asarray(root.T @ root, dtype=np.float64)


def _log_gaps(thresholds: Floats) -> Floats:
    return np.concatenate([[0.0], np.log(-np.expm1(-np.diff(thresholds))), [0.0]])
