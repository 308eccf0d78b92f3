"""Finite estimates for columns that separate the outcome: logit and proportional odds with Firth's penalty.

Where a column tells the levels of an outcome apart, the likelihood rises for ever and the best coefficient is infinite.
Half the log determinant of the expected information (Jeffreys' prior) is added:

    penalized log-likelihood = log L + 1/2 log |I|

For the logit that is Firth's bias-reduced estimate (Firth 1993, Biometrika 80, 27-38), which for a table of two by two
adds 1/2 to every cell, with tests and intervals by the profile of the penalized likelihood (Heinze and Schemper 2002,
Statistics in Medicine 21, 2409-2419). The proportional-odds logit takes the same penalty; there it makes estimates
finite, and does not take away all bias of order 1 / n (that of Kosmidis 2014, JRSS B 76, 169-196, does). It was chosen
over a prior for each column (log-F, Greenland and Mansournia 2015) because estimates do not depend on the units of the
columns or on their reference, and both models share every line.

Robust errors are far too small where a column separates, since its rows hardly have scores left. Clusters count in
another way: the likelihood ratio is divided by how much more the score of a column varies by cluster than the
information says, both without the column (Rotnitzky and Jewell 1990, Biometrika 77, 485-497), never by less than 1.
With 20 counselors and a rare column that four of them use, without effect, p was under .05 in none of 150 simulated
studies that way, and in 18 % without clusters (43 % of those in which it separates).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import UnknownName, did_you_mean
from mi_coder.outcomes.cumulative import inverse_of, start_thresholds, to_own_units
from mi_coder.outcomes.guards import (
    FEWEST_CLUSTERS,
    Clusters,
    Columns,
    ModelProblem,
    TooFewClusters,
    cluster_codes,
    level_codes,
    standardize,
)
from mi_coder.outcomes.rows import by_place

MOST_STEPS = 500
# A step that moves no standardized parameter by more than this is the last.
LAST_STEP = 1e-9
# No parameter moves further in one step.
LONGEST_STEP = 2.0
# Of a likelihood, relative.
ROUNDING = 1e-12
# Steps that do not become shorter than this share of the last, and gain no more than rounding, lead nowhere.
STALLED = 0.9
# How much further out the end of an interval is sought at a time, as a share of the way so far.
FURTHER = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PenalizedFit:
    """A fitted model.

    Attributes:
        names: [columns]
        levels: [levels] in ascending order.
        coefficients: [columns] log odds ratios of a higher level, in the columns' own units.
        thresholds: [levels - 1]; of two levels, the negated constant of a logit.
        se: [columns] by the inverse information, which takes rows for independent.
        log_likelihood: penalized, on standardized columns: only differences between fits of the same columns count.
    """

    names: tuple[str, ...]
    levels: tuple[float, ...]
    coefficients: Floats
    thresholds: Floats
    se: Floats
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class PenalizedTerm:
    """One column by its profile.

    Attributes:
        estimate, se: as in the fit.
        low, high: ends of the profile interval.
        p: of the penalized likelihood ratio against a coefficient of 0.
        inflation: what the likelihood ratio was divided by for clusters; 1 without clusters.
        df: of the denominator of the F distribution that the ratio has: clusters - 1; infinite without clusters.
    """

    name: str
    estimate: float
    se: float
    low: float
    high: float
    p: float
    inflation: float
    df: float


@by_place
def fit_penalized(outcome: Floats, names: Sequence[str], columns: Floats) -> PenalizedFit:
    """Fit the model: a logit for two levels, proportional odds for more.

    Args:
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] without gaps and without a constant column; they may separate the outcome.

    Raises:
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do.
    """
    codes, levels = level_codes(outcome)
    standard = standardize(names, columns, len(codes))
    best = _maximize(standard.z, codes, _start(codes, len(names)))
    return _of(standard, levels, best)


@by_place
def penalized_terms(
    outcome: Floats,
    names: Sequence[str],
    columns: Floats,
    tested: Sequence[str],
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    alpha: float = 0.05,
) -> tuple[PenalizedTerm, ...]:
    """Fit the model, and test the columns `tested` by their profiles.

    Args:
        outcome: [rows]
        names: [columns]
        columns: [rows, columns] as in `fit_penalized`.
        tested: of the names.
        clusters: [rows] any labels; none takes rows for independent.
        alpha: intervals hold 1 - alpha.

    Raises:
        UnknownName: no such column.
        TooFewClusters: fewer than five.
        ModelProblem: as `fit_penalized`.
    """
    for name in tested:
        if name not in names:
            raise UnknownName(f"There is no column {name!r} in the model.{did_you_mean(name, names)}")
    codes, levels = level_codes(outcome)
    standard = standardize(names, columns, len(codes))
    groups = None if clusters is None else _checked_clusters(clusters, len(codes))
    best = _maximize(standard.z, codes, _start(codes, len(names)))
    fit = _of(standard, levels, best)
    return tuple(_profiled(standard, codes, best, fit, names.index(name), groups, alpha) for name in tested)


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """The penalized likelihood at parameters: coefficients of standardized columns, then thresholds.

    Attributes:
        scores: [rows, parameters] penalized; they add up to the gradient.
        information: [parameters, parameters] expected.
    """

    parameters: Floats
    value: float
    scores: Floats
    information: Floats
    inverse: Floats


def _point(z: Floats, codes: Indices, parameters: Floats) -> _Point:
    """Evaluate the likelihood; arrays below are [rows, thresholds], for the distance c = threshold - predictor.

    Of neighboring levels, `up` and `down` are the density at a threshold by the probability of the level below and
    above it. The information of a row about its distances has `up + down` times the density on its diagonal, and
    `beside` next to it.

    Raises:
        numpy.linalg.LinAlgError: the information is singular there.
    """
    width = z.shape[1]
    thresholds = parameters[width:]
    c = thresholds - (z @ parameters[:width])[:, None]
    log_below, log_above = -np.logaddexp(0, -c), -np.logaddexp(0, c)
    log_p = _log_probabilities(log_below, log_above, thresholds)
    log_density = log_below + log_above
    density, slope = np.exp(log_density), np.exp(log_above) - np.exp(log_below)
    up, down = np.exp(log_density - log_p[:, :-1]), np.exp(log_density - log_p[:, 1:])
    beside = -density[:, 1:] * down[:, :-1]

    diagonal = density * (up + down)
    totals = diagonal + _next(beside) + _previous(beside)
    information = np.empty((len(parameters),) * 2)
    information[:width, :width] = z.T @ (z * totals.sum(axis=1)[:, None])
    information[:width, width:] = -(z.T @ totals)
    information[width:, :width] = information[:width, width:].T
    off = beside.sum(axis=0)
    information[width:, width:] = np.diag(diagonal.sum(axis=0)) + np.diag(off, 1) + np.diag(off, -1)
    inverse = inverse_of(information)

    # Variances of the distances of a row, and covariances of neighbors.
    cross, own = z @ inverse[:width, width:], np.einsum("ij,ij->i", z @ inverse[:width, :width], z)[:, None]
    variance = own - 2 * cross + np.diag(inverse[width:, width:])
    covariance = own - cross[:, :-1] - cross[:, 1:] + np.diag(inverse[width:, width:], 1)
    pull = variance * density * (up * (2 * slope - up) + down * (2 * slope + down))
    pull += _next(variance[:, 1:] * density[:, 1:] * up[:, 1:] * down[:, :-1])
    pull -= _previous(variance[:, :-1] * density[:, :-1] * down[:, :-1] * up[:, 1:])
    pull += 2 * _next(covariance * beside * (slope + down)[:, :-1])
    pull += 2 * _previous(covariance * beside * (slope - up)[:, 1:])

    rows, levels = np.arange(len(codes))[:, None], np.arange(len(thresholds))
    moves = np.where(codes[:, None] == levels, up, 0) - np.where(codes[:, None] == levels + 1, down, 0) + pull / 2
    return _Point(
        parameters,
        float(log_p[rows[:, 0], codes].sum() + np.linalg.slogdet(information)[1] / 2),
        np.hstack([-z * moves.sum(axis=1)[:, None], moves]),
        information,
        inverse,
    )


def _log_probabilities(log_below: Floats, log_above: Floats, thresholds: Floats) -> Floats:
    """[rows, levels] without loss of digits in the tails."""
    nothing = np.zeros((len(log_below), 1))
    gaps = np.concatenate([[0.0], np.log(-np.expm1(-np.diff(thresholds))), [0.0]])
    return np.asarray(np.hstack([log_below, nothing]) + np.hstack([nothing, log_above]) + gaps)


def _next(values: Floats) -> Floats:
    """[rows, thresholds] of what a threshold shares with the next one, 0 for the last."""
    return np.pad(values, ((0, 0), (0, 1)))


def _previous(values: Floats) -> Floats:
    """[rows, thresholds] of what a threshold shares with the previous one, 0 for the first."""
    return np.pad(values, ((0, 0), (1, 0)))


def _start(codes: Indices, width: int) -> Floats:
    counts = np.bincount(codes).astype(np.float64)
    return np.concatenate([np.zeros(width), start_thresholds(counts)])


def _maximize(z: Floats, codes: Indices, start: Floats, held: int | None = None) -> _Point:
    """Climb to the maximum by scoring, with parameter `held`, if any, where it starts.

    Raises:
        ModelProblem: no maximum was found.
    """
    free = np.array([i for i in range(len(start)) if i != held])
    length, gain = np.inf, np.inf
    try:
        now = _point(z, codes, start)
        for _ in range(MOST_STEPS):
            inverse = now.inverse if held is None else inverse_of(now.information[np.ix_(free, free)])
            step = np.zeros(len(start))
            step[free] = inverse @ now.scores.sum(axis=0)[free]
            step *= min(1.0, LONGEST_STEP / max(abs(step).max(), LAST_STEP))
            stalled = gain <= ROUNDING * abs(now.value) and abs(step).max() > STALLED * length
            length = abs(step).max()
            if length <= LAST_STEP or stalled:
                return now
            new = _climb(z, codes, now, step)
            now, gain = new, new.value - now.value
    except np.linalg.LinAlgError:
        pass
    raise ModelProblem(
        "No maximum was found for the penalized model: combine columns that nearly follow from each other, or leave "
        "one "
        "of them out."
    )


def _climb(z: Floats, codes: Indices, now: _Point, step: Floats) -> _Point:
    """Go along the step, halved until thresholds ascend and the likelihood does not fall by more than rounding."""
    least = now.value - ROUNDING * abs(now.value)
    share = 1.0
    while True:
        parameters = now.parameters + share * step
        if (np.diff(parameters[z.shape[1] :]) > 0).all():
            new = _point(z, codes, parameters)
            if new.value >= least:
                return new
        share /= 2


def _of(standard: Columns, levels: tuple[float, ...], best: _Point) -> PenalizedFit:
    width = len(standard.names)
    raw = to_own_units(standard, len(levels) - 1) @ best.parameters
    return PenalizedFit(
        standard.names,
        levels,
        raw[:width],
        raw[width:],
        np.sqrt(np.diag(best.inverse)[:width]) / standard.spread,
        best.value,
    )


def _checked_clusters(clusters: Sequence[Any] | NDArray[Any], rows: int) -> Clusters:
    groups = cluster_codes(clusters, rows)
    if len(groups) < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"Too few clusters for a profile likelihood that accounts for them: {len(groups)}, but at least "
            f"{FEWEST_CLUSTERS} are needed. Fit without clusters, and report that the result is about these counselors "
            "only."
        )
    return groups


def _profiled(
    standard: Columns,
    codes: Indices,
    best: _Point,
    fit: PenalizedFit,
    column: int,
    groups: Clusters | None,
    alpha: float,
) -> PenalizedTerm:
    latest = best.parameters

    def at(value: float) -> _Point:
        """The maximum with the coefficient at `value`, sought from the one before."""
        nonlocal latest
        start = latest.copy()
        start[column] = value
        found = _maximize(standard.z, codes, start, column)
        latest = found.parameters
        return found

    without = at(0.0)
    inflation = 1.0 if groups is None else max(_inflation(without, column, groups), 1.0)
    df = np.inf if groups is None else len(groups) - 1
    limit = inflation * float(stats.t.ppf(1 - alpha / 2, df)) ** 2
    ratio = max(2 * (best.value - without.value), 0.0)
    estimate, se = float(best.parameters[column]), float(np.sqrt(best.inverse[column, column]))
    low, high = (_end(lambda value: 2 * (best.value - at(value).value) - limit, estimate, way * se) for way in (-1, 1))
    spread = float(standard.spread[column])
    return PenalizedTerm(
        name=standard.names[column],
        estimate=float(fit.coefficients[column]),
        se=float(fit.se[column]),
        low=low / spread,
        high=high / spread,
        p=float(2 * stats.t.sf((ratio / inflation) ** 0.5, df)),
        inflation=inflation,
        df=float(df),
    )


def _end(above: Callable[[float], float], estimate: float, step: float) -> float:
    """Where `above` turns from below 0 at the estimate to above 0, outwards in the direction of `step`.

    Infinite where probabilities come too near to 0 or 1 to go on.
    """
    inner, outer = estimate, estimate + 2 * step
    try:
        while above(outer) < 0:
            inner, outer = outer, outer + FURTHER * (outer - estimate)
        return float(optimize.brentq(above, inner, outer, xtol=1e-5 * abs(step)))
    except ModelProblem:
        return float(np.copysign(np.inf, step))


def _inflation(without: _Point, column: int, groups: Clusters) -> float:
    """How much more the score of a column, given the others, varies by cluster than its information says."""
    others = np.delete(np.arange(len(without.parameters)), column)
    direction = np.ones(len(without.parameters))
    direction[others] = -np.linalg.solve(
        without.information[np.ix_(others, others)], without.information[others, column]
    )
    totals = np.bincount(groups.codes, without.scores @ direction, len(groups))
    return float(len(groups) / (len(groups) - 1) * totals @ totals / (direction @ without.information @ direction))
