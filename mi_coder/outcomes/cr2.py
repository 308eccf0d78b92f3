"""Errors of least squares for few clusters: CR2, with degrees of freedom of their own for every coefficient.

Bell and McCaffrey 2002, Survey Methodology 28(2), 169-181, in the form of Pustejovsky and Tipton 2018, Journal of
Business and Economic Statistics 36(4), 672-683: residuals of a cluster are widened by what fitting took from them, as
if rows were independent and of one variance, and Satterthwaite's degrees of freedom follow from the columns alone.

With an orthonormal basis Q of the columns, and K the cross-products of a cluster's rows of it, all that this takes of a
cluster is of the size of the columns: (I - Q Q')^(-1/2) Q = Q (I - K)^(-1/2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.guards import (
    BadShape,
    check_clustered_errors,
    check_outcome,
    cluster_codes,
    standardize,
)
from mi_coder.outcomes.rows import by_place

# A cluster that leaves less than this share of a direction to the others has that direction to itself.
ALONE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Cr2:
    """Least squares with CR2 errors.

    Attributes:
        names: [columns] without the constant.
        coefficients: [columns] in the columns' own units.
        covariance: [columns, columns]
        df: [columns] of the t distribution for each coefficient: seldom whole, and far below the number of clusters
            for a column that differs in few of them.
        rows, clusters: how many.
    """

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    df: Floats
    rows: int
    clusters: int

    @property
    def se(self) -> Floats:
        """[columns] standard errors."""
        return np.sqrt(np.diag(self.covariance))


@by_place
def fit_cr2(outcome: Floats, names: Sequence[str], columns: Floats, clusters: Sequence[Any] | NDArray[Any]) -> Cr2:
    """Fit a linear model with a constant.

    Args:
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `TooFewClusters` under five, and
            where there are no more clusters than coefficients.
    """
    outcome = check_outcome(outcome)
    standard = standardize(names, columns, len(outcome))
    groups = cluster_codes(clusters, len(outcome))
    width = len(names) + 1
    check_clustered_errors(groups, width)
    if len(outcome) <= width:
        raise BadShape(f"{len(outcome)} rows are too few for {width} coefficients.")
    basis, triangle = np.linalg.qr(np.column_stack([np.ones(len(outcome)), standard.z]))
    residual = outcome - outcome.mean()
    fitted = basis.T @ residual
    residual = residual - basis @ fitted

    order = np.argsort(groups.codes, kind="stable")
    ends = np.cumsum(groups.sizes)
    parts = [order[end - size : end] for end, size in zip(ends, groups.sizes, strict=True)]
    inner = np.stack([basis[rows].T @ basis[rows] for rows in parts])
    scores = np.stack([basis[rows].T @ residual[rows] for rows in parts])
    widen = _inverse_roots(np.eye(width) - inner)
    # [width, columns] from the basis to coefficients of the columns in their own units.
    back = (np.linalg.inv(triangle).T / np.concatenate([[1.0], standard.spread]))[:, 1:]
    moves = np.einsum("gij,gj->gi", widen, scores) @ back
    return Cr2(
        names=standard.names,
        coefficients=back.T @ fitted,
        covariance=moves.T @ moves,
        df=np.array([_satterthwaite(inner, widen @ direction) for direction in back.T]),
        rows=len(outcome),
        clusters=len(groups),
    )


def _inverse_roots(left: Floats) -> Floats:
    """[clusters, width, width] the symmetric inverse roots; nothing along directions of which nothing is left."""
    values, vectors = np.linalg.eigh(left)
    roots = np.where(values > ALONE, np.maximum(values, ALONE) ** -0.5, 0.0)
    return np.asarray((vectors * roots[:, None, :]) @ vectors.transpose(0, 2, 1))


def _satterthwaite(inner: Floats, weights: Floats) -> float:
    """Degrees of freedom of a variance that adds up squares of one number per cluster.

    Those numbers have covariances P = diag(own) - shared shared', and the degrees are trace(P)^2 / trace(P P).

    Args:
        inner: [clusters, width, width] cross-products of the basis.
        weights: [clusters, width] of the cluster's rows of the basis.
    """
    shared = np.einsum("gij,gj->gi", inner, weights)
    own = np.einsum("gi,gi->g", weights, shared)
    lost = np.einsum("gi,gi->g", shared, shared)
    between = shared.T @ shared
    trace = float((own - lost).sum())
    return trace**2 / float(own @ own - 2 * own @ lost + (between * between).sum())
