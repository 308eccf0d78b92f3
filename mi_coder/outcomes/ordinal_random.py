"""The cumulative logit with a random intercept per cluster.

    P(rating <= level j) = F(threshold j - x b - sd v[cluster]),  v ~ N(0, 1)

Coefficients are within an average counselor. The integral over v is by adaptive Gauss-Hermite quadrature: nodes are
centered on each cluster's mode and scaled by its curvature (Pinheiro and Bates 1995, Journal of Computational and
Graphical Statistics 4, 12-35), as clmm of the R package ordinal does with nAGQ and, with two levels, glmer of lme4. One
node is Laplace's approximation, which is visibly off for clusters with few rows.
"""

import math
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
    gap_slopes,
    inverse_of,
    threshold_information,
    to_own_units,
)
from mi_coder.outcomes.guards import (
    Clusters,
    Columns,
    ModelProblem,
    check_random_intercept,
    cluster_codes,
    level_codes,
    no_cluster_variance,
    refuse_separating,
    separated,
    standardize,
)
from mi_coder.outcomes.ordinal import MOST_PER_SD, maximize
from mi_coder.outcomes.rows import by_place

NODES = 10
# With fewer, curvature with the nodes held still is no guide to the maximum.
FEWEST_NODES = 5
# The observed information at the maximum is by so many times the nodes: standard errors need more than estimates do.
FINER = 2
# Of its standard error, how far an estimate may move with these.
MOST_MOVEMENT = 0.1
# The variance of the logistic distribution.
LOGISTIC_VARIANCE = math.pi**2 / 3
# Rows, times nodes, that are worked on at once: bounds memory.
BLOCK = 500_000
MOST_STEPS = 100
# Newton's decrement, in units of log-likelihood, of the last step.
LAST_DECREMENT = 1e-9
MOST_HALVINGS = 30
ROUNDING = 1e-12
MODE_STEPS = 50
LAST_MODE_STEP = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class OrdinalRandomFit:
    """A fitted model.

    Attributes:
        names: [columns]
        levels: [levels] in ascending order.
        coefficients: [columns] log odds ratios of a higher rating within a cluster, in the columns' own units.
        thresholds: [levels - 1] of an average cluster.
        sd: standard deviation between clusters, on the logit scale.
        covariance: [parameters, parameters] coefficients, thresholds, sd: the inverse of the observed information.
        log_likelihood: by quadrature.
        rows, clusters, nodes: how many.
    """

    names: tuple[str, ...]
    levels: tuple[float, ...]
    coefficients: Floats
    thresholds: Floats
    sd: float
    covariance: Floats
    log_likelihood: float
    rows: int
    clusters: int
    nodes: int

    @property
    def se(self) -> Floats:
        """[columns] standard errors of the coefficients."""
        return np.sqrt(np.diag(self.covariance))[: len(self.coefficients)]

    @property
    def threshold_se(self) -> Floats:
        """[levels - 1] standard errors of the thresholds."""
        return np.sqrt(np.diag(self.covariance))[len(self.coefficients) : -1]

    @property
    def sd_se(self) -> float:
        """The standard error of `sd`."""
        return float(self.covariance[-1, -1] ** 0.5)

    @property
    def icc(self) -> float:
        """The latent intraclass correlation: the share of variance between clusters on the logit scale."""
        return self.sd**2 / (self.sd**2 + LOGISTIC_VARIANCE)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of some whole clusters, sorted by cluster.

    Attributes:
        z: [rows, columns]
        codes: [rows] levels from 0 on.
        starts: [clusters] each one's first row.
        cluster: [rows] the number of its cluster in this block.
    """

    z: Floats
    codes: Indices
    starts: Indices
    cluster: Indices

    def sums(self, values: Floats) -> Floats:
        """[clusters, ...] sums of [rows, ...] by cluster."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """The likelihood at one set of parameters: coefficients of standardized columns, thresholds, sd.

    Attributes:
        log_likelihood: by quadrature.
        gradient: [parameters] its exact derivatives, with the movement of the nodes.
        information: [parameters, parameters] observed, with the nodes held still (Louis 1982, Journal of the Royal
            Statistical Society B 44, 226-233).
    """

    log_likelihood: float
    gradient: Floats
    information: Floats


@by_place
def fit_ordinal_random(
    ratings: Floats,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any],
    levels: Sequence[float] | None = None,
    nodes: int = NODES,
) -> OrdinalRandomFit:
    """Fit the model.

    Args:
        ratings: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels.
        levels: to expect; see `level_codes`.
        nodes: of the quadrature, at least five.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `NoClusterVariance` where the
            likelihood falls from an sd of 0 on.
    """
    if nodes < FEWEST_NODES:
        raise ModelProblem(f"{nodes} nodes are too few for a random intercept: at least {FEWEST_NODES}, or {NODES}.")
    codes, present = level_codes(ratings, levels)
    standard = standardize(names, columns, len(codes))
    refuse_separating(standard, codes)
    groups = cluster_codes(clusters, len(codes))
    check_random_intercept(groups)
    pooled = maximize(standard, codes, len(present), np.ones(len(codes)))
    if _slope_of_variance(pooled.cells, groups) <= 0:
        raise no_cluster_variance(
            groups, "the model without random intercept, with standard errors clustered by counselor"
        )
    blocks = blocks_of(standard.z, codes, groups, FINER * nodes)
    parameters, best = _maximize(standard, blocks, np.append(pooled.parameters, 1.0), nodes)
    width = len(names)
    covariance = _covariance(likelihood(blocks, parameters, FINER * nodes), nodes)
    far = ((abs(parameters) > MOST_PER_SD) | (np.diag(covariance) > MOST_PER_SD**2))[:width]
    if far.any():
        raise separated([names[i] for i in np.flatnonzero(far).tolist()])
    back = np.eye(len(parameters))
    back[:-1, :-1] = to_own_units(standard, len(present) - 1)
    raw = back @ parameters
    return OrdinalRandomFit(
        names=standard.names,
        levels=present,
        coefficients=raw[:width],
        thresholds=raw[width:-1],
        sd=float(raw[-1]),
        covariance=back @ covariance @ back.T,
        log_likelihood=best.log_likelihood,
        rows=len(codes),
        clusters=len(groups),
        nodes=nodes,
    )


def blocks_of(z: Floats, codes: Indices, clusters: Clusters, nodes: int) -> list[Block]:
    """Rows sorted by cluster and cut into blocks of bounded size."""
    order = np.argsort(clusters.codes, kind="stable")
    ends = np.cumsum(clusters.sizes)
    number = (ends * nodes) // BLOCK
    blocks = []
    for i in np.unique(number):
        members = np.flatnonzero(number == i)
        first = int(ends[members[0]] - clusters.sizes[members[0]])
        rows = order[first : ends[members[-1]]]
        sizes = clusters.sizes[members]
        blocks.append(Block(z[rows], codes[rows], np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)))
    return blocks


def likelihood(blocks: Sequence[Block], parameters: Floats, nodes: int) -> Point:
    """The likelihood and its derivatives.

    Args:
        parameters: coefficients of standardized columns, thresholds in ascending order, sd above 0.
    """
    points = [_of_block(block, parameters, nodes) for block in blocks]
    return Point(
        sum(point.log_likelihood for point in points),
        np.sum([point.gradient for point in points], axis=0),
        np.sum([point.information for point in points], axis=0),
    )


def _of_block(block: Block, parameters: Floats, nodes: int) -> Point:
    width = block.z.shape[1]
    thresholds, sd = parameters[width:-1], float(parameters[-1])
    fixed = block.z @ parameters[:width]
    mode, at_mode = _modes(block, fixed, thresholds, sd)
    scale = (1 + sd**2 * block.sums(at_mode.information)) ** -0.5
    abscissas, weights = np.polynomial.hermite.hermgauss(nodes)
    x: Floats = math.sqrt(2) * abscissas
    v = mode[:, None] + scale[:, None] * x
    v_of_row = v[block.cluster]
    at = cells(fixed[:, None] + sd * v_of_row, thresholds, block.codes)
    log_joint = block.sums(at.log_p) - v**2 / 2 + np.log(weights) + x**2 / 2
    top = log_joint.max(axis=1)
    share = np.exp(log_joint - top[:, None])
    total = share.sum(axis=1)
    share /= total[:, None]
    log_likelihood = float((top + np.log(total * scale)).sum()) - len(scale) * math.log(math.pi) / 2

    by_node = _scores_by_node(block, at, v_of_row, thresholds, share.shape[1])
    by_cluster = np.einsum("cqp,cq->cp", by_node, share)
    slope_of_node = sd * block.sums(at.score) - v
    shift = np.einsum("cq,cq->c", slope_of_node, share)
    stretch = np.einsum("cq,cq->c", slope_of_node * x, share) + 1 / scale
    gradient = by_cluster.sum(axis=0) + _of_moving_nodes(block, at_mode, mode, scale, thresholds, sd, shift, stretch)
    spread = np.einsum("cqp,cq,cqr->pr", by_node, share, by_node, optimize=True) - by_cluster.T @ by_cluster
    return Point(log_likelihood, gradient, _expected_information(block, at, v_of_row, thresholds, share) - spread)


def _modes(block: Block, fixed: Floats, thresholds: Floats, sd: float) -> tuple[Floats, Cells]:
    """[clusters] where the joint likelihood of a cluster's rows and v is greatest, and the cells there."""
    mode: Floats = np.zeros(len(block.starts))
    for _ in range(MODE_STEPS):
        at = cells(fixed + sd * mode[block.cluster], thresholds, block.codes)
        step = (sd * block.sums(at.score) - mode) / (1 + sd**2 * block.sums(at.information))
        # Curvature changes by a factor of at most e per unit of the predictor, so that a step of at most 2 units always
        # ends nearer to the mode.
        step = np.clip(step, -2 / sd, 2 / sd)
        mode = mode + step
        if abs(step).max() <= LAST_MODE_STEP:
            break
    return mode, cells(fixed + sd * mode[block.cluster], thresholds, block.codes)


def _scores_by_node(block: Block, at: Cells, v_of_row: Floats, thresholds: Floats, nodes: int) -> Floats:
    """[clusters, nodes, parameters] derivatives of the log-likelihood of a cluster's rows, given v."""
    width, cuts = block.z.shape[1], len(thresholds)
    slopes = gap_slopes(thresholds)[block.codes][:, None]
    above, below = 1 - at.above + slopes, -(at.below + slopes)
    out = np.empty((len(block.starts), nodes, width + cuts + 1))
    for i, column in enumerate(block.z.T):
        out[:, :, i] = block.sums(column[:, None] * at.score)
    for j in range(cuts):
        upper, lower = (block.codes == j)[:, None], (block.codes == j + 1)[:, None]
        out[:, :, width + j] = block.sums(np.where(upper, above, 0.0) + np.where(lower, below, 0.0))
    out[:, :, -1] = block.sums(v_of_row * at.score)
    return out


def _expected_information(block: Block, at: Cells, v_of_row: Floats, thresholds: Floats, share: Floats) -> Floats:
    """[parameters, parameters] negated second derivatives given v, averaged over nodes by their share."""
    width, cuts = block.z.shape[1], len(thresholds)
    share_of_row = share[block.cluster]

    def mean(values: Floats) -> Floats:
        return np.einsum("rq,rq->r", values, share_of_row)

    above, below = mean(at.density_above), mean(at.density_below)
    v_above, v_below = mean(v_of_row * at.density_above), mean(v_of_row * at.density_below)
    counts = np.bincount(block.codes, minlength=cuts + 1).astype(np.float64)
    out = np.empty((width + cuts + 1,) * 2)
    out[:width, :width] = block.z.T @ (block.z * (above + below)[:, None])
    out[:width, width:-1] = -(block.z.T @ by_threshold(above, below, block.codes, cuts))
    out[:width, -1] = block.z.T @ (v_above + v_below)
    out[width:-1, width:-1] = threshold_information(above, below, thresholds, block.codes, counts)
    out[width:-1, -1] = -by_threshold(v_above, v_below, block.codes, cuts).sum(axis=0)
    out[-1, -1] = mean(v_of_row**2 * at.information).sum()
    lower = np.tril_indices(len(out), -1)
    out[lower] = out.T[lower]
    return out


def _of_moving_nodes(
    block: Block,
    at: Cells,
    mode: Floats,
    scale: Floats,
    thresholds: Floats,
    sd: float,
    shift: Floats,
    stretch: Floats,
) -> Floats:
    """[parameters] what the movement of modes and scales adds to the gradient.

    With h the joint log-likelihood of a cluster, the mode moves by -(dh'/dp) / h'' and the scale, (-h'')^(-1/2), by
    scale^3 / 2 times the change of h'' there.

    Args:
        at: cells at the modes.
        shift, stretch: [clusters] derivatives of the log-likelihood by mode and by scale.
    """
    turned = stretch * scale**3 / 2
    # By mode: directly, and through the change of h'' along v.
    moved = (shift + turned * sd**3 * block.sums(at.turn)) * scale**2
    of_slope, of_curve = moved[block.cluster] * sd, turned[block.cluster] * sd**2
    turn_above = at.density_above * (1 - 2 * at.above)
    turn_below = at.density_below * (1 - 2 * at.below)
    by_predictor = -of_slope * at.information + of_curve * at.turn
    by_cut = by_threshold(
        of_slope * at.density_above - of_curve * turn_above,
        of_slope * at.density_below - of_curve * turn_below,
        block.codes,
        len(thresholds),
    )
    v_of_row = mode[block.cluster]
    by_sd = float((by_predictor * v_of_row).sum() + moved @ block.sums(at.score))
    by_sd -= 2 * sd * float(turned @ block.sums(at.information))
    return np.concatenate([by_predictor @ block.z, by_cut.sum(axis=0), [by_sd]])


def _slope_of_variance(pooled: Cells, clusters: Clusters) -> float:
    """Twice the derivative of the likelihood by the variance between clusters, at 0."""
    totals = np.bincount(clusters.codes, pooled.score)
    return float(totals @ totals - pooled.information.sum())


def _covariance(finer: Point, nodes: int) -> Floats:
    """[parameters, parameters] of the estimates, if more nodes would not change these."""
    try:
        covariance = inverse_of(finer.information)
    except np.linalg.LinAlgError:
        raise _no_maximum() from None
    movement = float(abs(covariance @ finer.gradient / np.sqrt(np.diag(covariance))).max())
    if movement > MOST_MOVEMENT:
        raise ModelProblem(
            f"{nodes} nodes are too few for these data: with {FINER * nodes}, an estimate would change by "
            f"{movement:.1g} "
            "of its standard error. Give more nodes, unless ratings hardly vary within counselors: then nothing can be "
            "said about conversations of one counselor."
        )
    return covariance


def _no_maximum() -> ModelProblem:
    return ModelProblem(
        "No maximum was found for the likelihood of the model with a random intercept: ratings may hardly vary within "
        "counselors, or columns nearly separate them. Give more nodes or fewer columns, or use the model without a "
        "random intercept, with standard errors clustered by counselor."
    )


def _maximize(columns: Columns, blocks: Sequence[Block], start: Floats, nodes: int) -> tuple[Floats, Point]:
    """Newton's method, with directions in which the likelihood is not concave turned around."""
    width = len(columns.names)
    parameters, now = start, likelihood(blocks, start, nodes)
    for _ in range(MOST_STEPS):
        values, vectors = np.linalg.eigh(now.information)
        values = np.maximum(abs(values), 1e-8 * abs(values).max())
        step = vectors @ ((vectors.T @ now.gradient) / values)
        if now.gradient @ step <= LAST_DECREMENT:
            return parameters, now
        for halving in range(MOST_HALVINGS):
            new = parameters + 0.5**halving * step
            if new[-1] <= 0 or (np.diff(new[width:-1]) <= 0).any():
                continue
            at_new = likelihood(blocks, new, nodes)
            if at_new.log_likelihood >= now.log_likelihood - ROUNDING * abs(now.log_likelihood):
                parameters, now = new, at_new
                break
        else:
            break
    raise _no_maximum()
