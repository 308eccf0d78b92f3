"""How many clusters a coefficient rests on: few, where one has most of the rows or only some differ in the column.

Carter, Schnepel and Steigerwald 2017, Review of Economics and Statistics 99(4), 698-709: errors clustered on G clusters
behave as those of G / (1 + CV^2) clusters that are alike, with the coefficient of variation CV of what each cluster
adds to the variance of the coefficient, were rows independent and of one variance. Where all counselors are alike but
for a normal habit, a column of their means rests on about a third of them.
"""

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.families import cluster_totals

# With fewer, tests by clustered errors and t with all clusters - 1 degrees of freedom reject too often.
ENOUGH_EFFECTIVE = 20


def in_effect(effective: Floats, clusters: float) -> Floats:
    """[columns] clusters that t goes by: at least two, and all of them where effective ones [columns] are enough."""
    return np.where(effective < ENOUGH_EFFECTIVE, np.maximum(effective, 2.0), clusters)


def effective_clusters(columns: Floats, codes: NDArray[np.intp], weights: Floats | None = None) -> Floats:
    """[columns] number of clusters that each coefficient of a linear model with a constant rests on.

    From 1, where one cluster has all that a column tells, to the number of clusters, where each has the same part.

    Args:
        columns: [rows, columns] of which none follows from the others and a constant.
        codes: [rows] the cluster of each row, from 0.
        weights: [rows] of a weighted fit.
    """
    z = columns - (columns.mean(axis=0) if weights is None else weights @ columns / weights.sum())
    weighted = z if weights is None else weights[:, None] * z
    gram = z.T @ weighted
    spread = np.sqrt(np.diag(gram))
    # What a row moves each standardized coefficient by, per unit of its residual.
    moves = weighted @ (np.linalg.inv(gram / np.outer(spread, spread)) / spread[:, None])
    parts = cluster_totals(np.square(moves, out=moves), codes, int(codes.max()) + 1)
    return np.asarray(parts.sum(axis=0) ** 2 / (parts**2).sum(axis=0), dtype=np.float64)
