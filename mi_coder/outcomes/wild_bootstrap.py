"""The wild cluster bootstrap for one coefficient of a linear model: a p value that holds with few counselors.

Cameron, Gelbach and Miller 2008, Review of Economics and Statistics 90, 414-427: the null is imposed, and residuals of
whole clusters keep or change their sign. With the sums per cluster of Roodman, Nielsen, MacKinnon and Webb 2019, Stata
Journal 19, 4-60, no bootstrap sample is ever built.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.errors import UnknownName, did_you_mean
from mi_coder.outcomes.guards import (
    BadShape,
    Clusters,
    Columns,
    ExactFit,
    TooFewClusters,
    check_outcome,
    cluster_codes,
    standardize,
)
from mi_coder.outcomes.rows import by_place

DRAWS = 9999
# With fewer clusters there are at most 16 pairs of opposite sign vectors, and no p value below 1 / 16.
FEWEST_CLUSTERS = 5
# Statistics that differ by less than this share are ties.
TIE = 1e-9
# A residual sum of squares below this share of the total is rounding.
EXACT = 1e-10
# Sign vectors worked on at once.
BATCH = 4096


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """A test of one coefficient.

    Attributes:
        name: of the column.
        estimate: by least squares, in the column's own units.
        se: clustered, with the factor G / (G - 1) * (n - 1) / (n - k).
        null: the value tested.
        t: (estimate - null) / se.
        p: two-sided: the share of sign vectors, the actual one counted, whose t is as far from 0.
        draws: how many sign vectors.
        exhaustive: whether they are all there are, so that the p value does not depend on a seed.
        clusters: how many.
    """

    name: str
    estimate: float
    se: float
    null: float
    t: float
    p: float
    draws: int
    exhaustive: bool
    clusters: int


@by_place
def wild_bootstrap(
    outcome: Floats,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any],
    name: str,
    null: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> WildBootstrap:
    """Test whether the coefficient of column `name` is `null` in a linear model with a constant.

    Args:
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels.
        draws: at most so many sign vectors; where all 2 ** clusters are no more than that, all are used.
        seed: of the draws.

    Raises:
        UnknownName: no such column.
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `TooFewClusters` under five.
    """
    outcome = check_outcome(outcome)
    standard, groups = checked(names, columns, clusters, name, len(outcome))
    parameters = len(names) + 1
    if len(outcome) <= parameters:
        raise BadShape(f"{len(outcome)} rows are too few for {parameters} coefficients.")
    tested = names.index(name)
    column = standard.z[:, tested]
    others = np.column_stack([np.ones(len(outcome)), np.delete(standard.z, tested, axis=1)])
    design = np.column_stack([others, column])
    shifted = outcome - outcome.mean() - null * standard.spread[tested] * column
    residual = shifted - others @ np.linalg.lstsq(others, shifted, rcond=None)[0]
    own = column - others @ np.linalg.lstsq(others, column, rcond=None)[0]
    if residual @ residual <= EXACT * (shifted @ shifted):
        raise ExactFit(f"The outcome follows exactly from the columns without {name!r}: there is nothing to test.")

    def sums(values: Floats) -> Floats:
        return np.column_stack([np.bincount(groups.codes, value, len(groups)) for value in values.T])

    # With signs w: the estimate's distance from the null is w @ moves / length, and the score of a cluster is its own
    # part of w * moves less what refitting takes away, drags @ w.
    length = float(own @ own)
    moves = sums((own * residual)[:, None])[:, 0]
    refit = np.linalg.solve(design.T @ design, sums(design * residual[:, None]).T)
    drags = sums(design * own[:, None]) @ refit
    maps = np.diag(moves) - drags
    actual = float(t_values(np.ones((1, len(groups))), moves, maps)[0])

    signs, exhaustive = sign_vectors(len(groups), draws, seed)
    far = sum(
        int((abs(t_values(signs[i : i + BATCH], moves, maps)) >= abs(actual) * (1 - TIE)).sum())
        for i in range(0, len(signs), BATCH)
    )
    factor = len(groups) / (len(groups) - 1) * (len(outcome) - 1) / (len(outcome) - parameters)
    spread = float(standard.spread[tested])
    return WildBootstrap(
        name=name,
        estimate=null + float(moves.sum()) / length / spread,
        se=float(np.linalg.norm(maps.sum(axis=1))) * factor**0.5 / length / spread,
        null=null,
        t=actual / factor**0.5,
        p=far / len(signs) if exhaustive else (far + 1) / (len(signs) + 1),
        draws=2 ** len(groups) if exhaustive else len(signs),
        exhaustive=exhaustive,
        clusters=len(groups),
    )


def checked(
    names: Sequence[str], columns: Floats, clusters: Sequence[Any] | NDArray[Any], name: str, rows: int
) -> tuple[Columns, Clusters]:
    """Columns on a common scale, and clusters, of a test of column `name`.

    Raises:
        UnknownName: no such column.
        ModelProblem: as `standardize` and `cluster_codes`; `TooFewClusters` under five.
    """
    if name not in names:
        raise UnknownName(f"There is no column {name!r} in the model.{did_you_mean(name, names)}")
    standard = standardize(names, columns, rows)
    groups = cluster_codes(clusters, rows)
    if len(groups) < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"{'1 cluster is' if len(groups) == 1 else f'{len(groups)} clusters are'} too few for the wild bootstrap: "
            f"at least {FEWEST_CLUSTERS} are needed. The result is about these counselors only."
        )
    return standard, groups


def t_values(signs: Floats, moves: Floats, maps: Floats) -> Floats:
    """[draws] of sign vectors [draws, clusters], without the factor of the errors."""
    numerator, error = signs @ moves, np.sqrt(np.einsum("ij,ij->i", scores := signs @ maps.T, scores))
    # A cluster that takes all of its column's variation can leave no score: as far out as can be.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error > 0, numerator / error, np.where(numerator == 0, 0.0, np.inf))


def sign_vectors(clusters: int, draws: int, seed: int) -> tuple[Floats, bool]:
    """Rademacher sign vectors [draws, clusters], and whether they are all, of which opposite ones count once."""
    if 2**clusters <= draws:
        numbers = np.arange(2 ** (clusters - 1))
        return (1 - 2 * (numbers[:, None] >> np.arange(clusters) & 1)).astype(np.float64), True
    return np.random.default_rng(seed).choice([-1.0, 1.0], (draws, clusters)), False
