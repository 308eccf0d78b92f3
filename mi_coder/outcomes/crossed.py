"""The linear model with crossed random intercepts for counselor and client, by restricted maximum likelihood (REML).

    y = constant + x b + u[counselor] + v[client] + e
    u ~ N(0, tau2_counselor),  v ~ N(0, tau2_client),  e ~ N(0, sigma2)

A client who talks to several counselors ties them together, so that no cluster of rows stands for itself. The rows are
read once, into cross-products, sums per group and the numbers of rows that counselor and client have in common. The
groups of which there are more are solved for one by one; what is left is a matrix of the groups of which there are
fewer. The search is in two dimensions, the ratios of both variances to sigma2, with the exact gradient. Same criterion
as lmer of the R package lme4 (Bates, Maechler, Bolker and Walker 2015, Journal of Statistical Software 67(1)).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse
from scipy.linalg import lapack

from mi_coder.arrays import Floats
from mi_coder.outcomes.guards import (
    FEWEST_CLUSTERS,
    BadShape,
    Clusters,
    Columns,
    Gaps,
    ModelProblem,
    NoClusterVariance,
    TooFewClusters,
    check_outcome,
    check_random_intercept,
    cluster_codes,
    standardize,
)
from mi_coder.outcomes.random_intercept import weighted_fit
from mi_coder.outcomes.rows import by_place

# Fewer clients with two counselors or more do not tell a client's part from that of the client's counselor.
FEWEST_SHARED = 5
# Counselors or clients, whichever are fewer: a square matrix of so many is solved some thirty times, which takes about
# 15 seconds of a processor for 2,000 (100,000 rows, 24 columns) and three times that for 3,000.
MOST_GROUPS = 2000
# Where more of the pairs of counselor and client have rows in common, they are quicker without a sparse matrix.
DENSE = 0.1
# Ratios of a variance to sigma2, times the mean size of a group, where the search starts, and its bound.
STARTS = (0.1, 1.0, 10.0, 1e3, 1e5)
FURTHEST = 1e9
# In the same unit, a variance below that is none.
NOTHING = 1e-8
# The search by values stops there; roots of the gradient are found from then on.
TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """A fitted model.

    Attributes:
        names: [columns]
        coefficients: [1 + columns] the constant first, in the columns' own units.
        covariance: [1 + columns, 1 + columns] of the coefficients, given the variances.
        tau2_counselor, tau2_client: variances between counselors and between clients.
        sigma2: variance of the residual.
        log_likelihood: restricted; compare it only between models with the same columns.
        rows, counselors, clients: how many.
    """

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    tau2_counselor: float
    tau2_client: float
    sigma2: float
    log_likelihood: float
    rows: int
    counselors: int
    clients: int

    @property
    def se(self) -> Floats:
        """[1 + columns] standard errors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def icc_counselor(self) -> float:
        """The share of the residual variance that is between counselors."""
        return self.tau2_counselor / (self.tau2_counselor + self.tau2_client + self.sigma2)

    @property
    def icc_client(self) -> float:
        """The share of the residual variance that is between clients."""
        return self.tau2_client / (self.tau2_counselor + self.tau2_client + self.sigma2)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """All that the criterion needs of the data, with columns and outcome standardized and a constant first.

    Attributes:
        inner: [columns + 2, columns + 2] cross-products of constant, columns and outcome.
        sizes: [2][groups] rows of each group, of the side with fewer groups and of that with more.
        totals: [2][groups, columns + 2] sums of constant, columns and outcome by group.
        common: [fewer, more] rows that two groups have in common.
        log_scale: the log of the determinant of the columns' cross-products in their own units over that here.
    """

    rows: int
    inner: Floats
    sizes: tuple[Floats, Floats]
    totals: tuple[Floats, Floats]
    common: "sparse.csr_array[Any] | Floats"
    log_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """The criterion at two ratios, in units of the standardized outcome, and its gradient by the ratios."""

    coefficients: Floats
    inverse: Floats
    sigma2: float
    log_likelihood: float
    slopes: Floats


@by_place
def fit_crossed(
    outcome: Floats,
    names: Sequence[str],
    columns: Floats,
    counselors: Sequence[Any] | NDArray[Any],
    clients: Sequence[Any] | NDArray[Any],
) -> Crossed:
    """Fit the model.

    Args:
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column.
        counselors, clients: [rows] any labels.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do. `TooFewClusters` where clients
            and counselors cannot be told apart, `NoClusterVariance` where the criterion is greatest at a variance of 0
            between counselors or between clients.
    """
    outcome = check_outcome(outcome)
    standard = standardize(names, columns, len(outcome))
    groups = cluster_codes(counselors, len(outcome))
    others = _clients(clients, len(outcome))
    _check_separable(groups, others)
    center, spread = float(outcome.mean()), float(outcome.std())
    swapped = len(others) < len(groups)
    sides = (others, groups) if swapped else (groups, others)
    sums = _sums(standard, (outcome - center) / spread, *sides)
    ratios = _best_ratios(sums)
    best = _profile(sums, ratios)
    of_counselor, of_client = ratios[::-1] if swapped else ratios
    _refuse_zero(of_counselor, of_client, groups, others)
    coefficients, covariance = standard.in_own_units(best.coefficients, best.sigma2 * best.inverse, center, spread)
    sigma2 = best.sigma2 * spread**2
    degrees = len(outcome) - len(best.coefficients)
    return Crossed(
        names=standard.names,
        coefficients=coefficients,
        covariance=covariance,
        tau2_counselor=float(of_counselor) * sigma2,
        tau2_client=float(of_client) * sigma2,
        sigma2=sigma2,
        log_likelihood=best.log_likelihood - degrees * math.log(spread),
        rows=len(outcome),
        counselors=len(groups),
        clients=len(others),
    )


def _clients(clients: Sequence[Any] | NDArray[Any], rows: int) -> Clusters:
    try:
        return cluster_codes(clients, rows)
    except (BadShape, Gaps) as problem:
        raise type(problem)(f"Clients as clusters: {str(problem).replace('a counselor', 'a client')}") from None


def _check_separable(counselors: Clusters, clients: Clusters) -> None:
    check_random_intercept(counselors)
    if len(clients) < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"There {'is 1 client' if len(clients) == 1 else f'are {len(clients)} clients'}: a variance between "
            f"clients needs at least {FEWEST_CLUSTERS}. Give each client a column of its own (fixed effects)."
        )
    pairs = np.unique(clients.codes * len(counselors) + counselors.codes) // len(counselors)
    shared = int((np.bincount(pairs) > 1).sum())
    if shared < FEWEST_SHARED:
        raise TooFewClusters(
            f"Client and counselor are not separable: {shared} of {len(clients):,} clients talked to two counselors or "
            f"more, but {FEWEST_SHARED} are needed. Use the random intercept for counselors only, and report that "
            "differences between counselors may be due to their clients."
        )
    if min(len(counselors), len(clients)) > MOST_GROUPS:
        raise ModelProblem(
            f"{len(counselors):,} counselors and {len(clients):,} clients are too many for crossed random intercepts: "
            f"one of the two numbers must be {MOST_GROUPS:,} or less. Use the random intercept for counselors only, or "
            "the "
            "linear model with standard errors clustered by counselor."
        )


def _refuse_zero(of_counselor: float, of_client: float, counselors: Clusters, clients: Clusters) -> None:
    """Refuse variances of 0, with the model that is the same then."""
    if of_counselor > 0 and of_client > 0:
        return
    if of_counselor > 0:
        what, who = f"The variance between the {len(clients):,} clients is", "client"
        instead = "the random intercept for counselors only"
    elif of_client > 0:
        what, who = f"The variance between the {len(counselors):,} counselors is", "counselor"
        instead = "the random intercept for clients only"
    else:
        what = f"The variances between the {len(counselors):,} counselors and the {len(clients):,} clients are both"
        who, instead = "counselor, or one client,", "least squares with standard errors clustered by counselor"
    raise NoClusterVariance(
        f"{what} estimated as 0: rows of one {who} are no more alike than rows of several. Use {instead}, and report "
        "the variance as 0."
    )


def _sums(columns: Columns, outcome: Floats, fewer: Clusters, more: Clusters) -> _Sums:
    rows, width = columns.z.shape
    if rows < width + 4:
        raise BadShape(f"{rows} rows are too few for {width + 1} coefficients and three variances.")
    whole = np.column_stack([np.ones(rows), columns.z, outcome])
    own = np.ones(rows)
    member = [sparse.csr_array((own, (side.codes, np.arange(rows))), shape=(len(side), rows)) for side in (fewer, more)]
    common = sparse.csr_array(member[0] @ member[1].T)
    return _Sums(
        rows,
        whole.T @ whole,
        (fewer.sizes.astype(np.float64), more.sizes.astype(np.float64)),
        (np.asarray(member[0] @ whole), np.asarray(member[1] @ whole)),
        common.toarray() if common.nnz > DENSE * len(fewer) * len(more) else common,
        2 * float(np.log(columns.spread).sum()),
    )


def _profile(sums: _Sums, ratios: Floats) -> _Profile:
    """With W the inverse covariance of the rows, in units of sigma2, where only the groups of the larger side differ:
    all sums are weighted by W first, and then by what the smaller side adds to it.
    """
    ratio, other = map(float, ratios)
    (sizes, many), (totals, others) = sums.sizes, sums.totals
    left = 1 / (1 + other * many)
    mine = totals - sums.common @ ((other * left)[:, None] * others)
    block = np.diag(sizes) - _overlap(sums.common, other * left)
    root = np.linalg.cholesky(np.eye(len(sizes)) + ratio * block)
    solved = _symmetric(lapack.dpotri(root, lower=1)[0])
    # Sums of the rows by group, weighted by the whole inverse covariance.
    sides = [solved @ mine]
    sides.append(left[:, None] * (others - ratio * (sums.common.T @ sides[0])))
    whole = sums.inner - others.T @ ((other * left)[:, None] * others) - ratio * mine.T @ sides[0]

    fit = weighted_fit(whole, sums.rows, float(sums.inner[-1, -1]))
    log_determinant = 2 * float(np.log(np.diag(root)).sum()) - float(np.log(left).sum())
    traces = (
        float(np.sum(solved * block)),
        float(many @ left) - ratio * float(np.sum(solved * _overlap(sums.common, left**2))),
    )
    slopes = [
        -0.5
        * (
            trace
            - float(np.sum(fit.inverse * (side.T @ side)[:-1, :-1]))
            - float(np.sum((side @ fit.contrast) ** 2)) / fit.sigma2
        )
        for trace, side in zip(traces, sides, strict=True)
    ]
    log_likelihood = -0.5 * (fit.deviance + sums.log_scale + log_determinant)
    return _Profile(fit.coefficients, fit.inverse, fit.sigma2, log_likelihood, np.array(slopes))


def _overlap(common: "sparse.csr_array[Any] | Floats", weights: Floats) -> Floats:
    """[fewer, fewer] of two groups, the rows that each has in common with groups of the other side, multiplied."""
    product: Any = (common * weights[None, :]) @ common.T
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray())


def _symmetric(lower: Floats) -> Floats:
    below = np.tril(lower, -1)
    return np.asarray(below + below.T + np.diag(np.diag(lower)))


def _best_ratios(sums: _Sums) -> Floats:
    """[2] the ratios of both variances to sigma2 with the greatest criterion; 0 where it is greatest at no variance."""
    unit = np.array([len(sizes) / sums.rows for sizes in sums.sizes])
    start: Floats = np.zeros(2)
    for side in (0, 1):
        tried: list[Floats] = [np.where(np.arange(2) == side, at, start) for at in STARTS]
        start = max(tried, key=lambda at: _profile(sums, at * unit).log_likelihood)
    scale = start * unit

    def downhill(at: Floats) -> tuple[float, Floats]:
        profile = _profile(sums, at * scale)
        return -profile.log_likelihood, -profile.slopes * scale

    bounds = [(0.0, float(FURTHEST / each)) for each in start]
    found: Floats = optimize.minimize(
        downhill, np.ones(2), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": TOLERANCE, "gtol": 1e-9}
    ).x
    if (found * start >= FURTHEST / 2).any():
        raise ModelProblem(
            "The outcome hardly varies within counselors and clients: the variance within them is estimated as 0. Is "
            "it a value of the counselor or the client rather than of the conversation?"
        )
    free = found > 0
    if not free.any():
        return np.zeros(2)

    def slopes(logs: Floats) -> Floats:
        at = np.zeros(2)
        at[free] = np.exp(logs) * scale[free]
        return (_profile(sums, at).slopes * at)[free]

    found[free] = np.exp(optimize.root(slopes, np.log(found[free]), options={"xtol": TOLERANCE}).x)
    return np.where(found * start > NOTHING, found * scale, 0.0)
