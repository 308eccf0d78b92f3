"""The wild cluster bootstrap for logit, proportional odds and Poisson: a p value that holds with few counselors.

Kline and Santos 2012, Journal of Econometric Methods 1, 23-41: the null is imposed, and the scores of whole clusters
keep or change their sign, so that no bootstrap sample is fitted. As in the linear model (`wild_bootstrap`), what a
refit would take away is taken away, through the information of each cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.errors import need
from mi_coder.outcomes.cumulative import cells
from mi_coder.outcomes.families import Family, check_family
from mi_coder.outcomes.guards import (
    Clusters,
    Columns,
    ModelProblem,
    check_outcome,
    level_codes,
)
from mi_coder.outcomes.ordinal import information_of, maximize, scores_of
from mi_coder.outcomes.rows import by_place
from mi_coder.outcomes.wild_bootstrap import DRAWS, TIE, checked, sign_vectors, t_values


@dataclass(frozen=True, slots=True, eq=False)
class _AtNull:
    """A model at its best without the tested column.

    Attributes:
        scores: [clusters, parameters] with the tested one first.
        information: [clusters, parameters, parameters]
    """

    scores: Floats
    information: Floats


@by_place
def score_bootstrap(
    family: Family,
    outcome: Floats,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any],
    name: str,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """p of the hypothesis that the coefficient of column `name` is 0.

    Args:
        family: logit, ordinal or poisson; `wild_bootstrap` is for linear models.
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels.
        draws: at most so many sign vectors; where all 2 ** clusters are no more than that, all are used.
        seed: of the draws.

    Raises:
        UnknownName: no such family or column.
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `TooFewClusters` under five.
    """
    check_family(family)
    if family == "linear":
        raise ModelProblem("For a linear model use the wild bootstrap of its residuals.")
    standard, groups = checked(names, columns, clusters, name, len(outcome))
    order = [names.index(name), *(i for i in range(len(names)) if names[i] != name)]
    z: Floats = standard.z[:, order]
    at_null = _poisson(outcome, z, groups) if family == "poisson" else _ordered(outcome, standard, z, order, groups)
    information = at_null.information.sum(axis=0)
    direction = np.concatenate([[1.0], -np.linalg.solve(information[1:, 1:], information[1:, 0])])
    moves = at_null.scores @ direction
    maps = np.diag(moves) - (at_null.information @ direction) @ np.linalg.solve(information, at_null.scores.T)
    actual = float(t_values(np.ones((1, len(groups))), moves, maps)[0])
    signs, exhaustive = sign_vectors(len(groups), draws, seed)
    far = int((abs(t_values(signs, moves, maps)) >= abs(actual) * (1 - TIE)).sum())
    return far / len(signs) if exhaustive else (far + 1) / (len(signs) + 1)


def _ordered(outcome: Floats, standard: Columns, z: Floats, order: list[int], groups: Clusters) -> _AtNull:
    codes, levels = level_codes(outcome)
    kept = order[1:]
    reduced = Columns(
        tuple(standard.names[i] for i in kept),
        standard.z[:, kept],
        standard.center[kept],
        standard.spread[kept],
        standard.gram[np.ix_(kept, kept)],
    )
    best = maximize(reduced, codes, len(levels), np.ones(len(codes)))
    thresholds = best.parameters[len(kept) :]
    now = cells(reduced.z @ best.parameters[: len(kept)], thresholds, codes)
    scores = scores_of(z, now, thresholds, codes)
    information = []
    for cluster in range(len(groups)):
        rows = np.flatnonzero(groups.codes == cluster)
        inside = cells(reduced.z[rows] @ best.parameters[: len(kept)], thresholds, codes[rows])
        counts = np.bincount(codes[rows], minlength=len(levels)).astype(np.float64)
        information.append(information_of(z[rows], inside, thresholds, codes[rows], counts, np.ones(len(rows))))
    return _AtNull(_sums(scores, groups), np.stack(information))


def _poisson(outcome: Floats, z: Floats, groups: Clusters) -> _AtNull:
    statsmodels = need("statsmodels.api", "analysis")
    values = check_outcome(outcome)
    design = np.column_stack([z, np.ones(len(values))])
    fit = statsmodels.GLM(values, design[:, 1:], family=statsmodels.families.Poisson()).fit(maxiter=200, tol=1e-12)
    mean = np.asarray(fit.mu, dtype=np.float64)
    information = np.stack(
        [
            (part := design[groups.codes == cluster]).T @ (part * mean[groups.codes == cluster, None])
            for cluster in range(len(groups))
        ]
    )
    return _AtNull(_sums(design * (values - mean)[:, None], groups), information)


def _sums(scores: Floats, groups: Clusters) -> Floats:
    return np.column_stack([np.bincount(groups.codes, column, len(groups)) for column in scores.T])
