"""Whether one slope per column will do: the check of the proportional odds that `fit_ordinal` takes for granted.

Each cut of the rating in two (2 stars or more, 3 or more, ...) has a logit of its own, and their slopes are set side by
side. A Wald test asks whether they differ (Brant 1990, Biometrics 46, 1171-1178), here with a covariance from the sums
of influences by cluster instead of the model's.

With clusters, Hotelling's F of this statistic rejects proportional odds up to seven times too often: the differences
are tens, and clusters are few or of uneven size. p is then from scores at the fit with proportional odds, of which
whole clusters keep or change their sign (Kline and Santos 2012, Journal of Econometric Methods 1, 23-41). In simulated
studies of 30, 60 and 120 counselors of uneven size with proportional odds, 4 to 6 % have p < .05. Rows that are
independent have Hotelling's F.

Where a cut has a handful of rows on one side, slopes there are so uncertain that the Wald test finds nothing. For rows
that are independent there is also the likelihood ratio against a model in which one column has a slope per cut, as
nominal_test of the R package ordinal. One rating of MIBot is such a case (105 in all, 4 of them the lowest): there p of
the column readiness is .005 by the likelihood ratio and .52 by Wald. With clusters the likelihood ratio rejects far too
often, and is not given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import need
from mi_coder.outcomes.guards import (
    ModelProblem,
    Separation,
    check_clustered_errors,
    cluster_codes,
    level_codes,
    standardize,
)
from mi_coder.outcomes.ordinal import OrdinalFit, fit_ordinal, row_scores
from mi_coder.outcomes.rows import by_place
from mi_coder.outcomes.wild_bootstrap import TIE

DRAWS = 999
SEED = 0
# Clusters worked on at once.
BATCH = 4096
# A direction of the influences that is shorter than this share of its column follows from the others.
SINGULAR = 1e-8
# Newton's decrement, in units of log-likelihood, of the last step.
LAST_DECREMENT = 1e-9
MOST_STEPS = 100
MOST_HALVINGS = 40
# Of the information's greatest diagonal: what keeps it regular where the best slope of a cut is infinite.
RIDGE = 1e-12


@dataclass(frozen=True, slots=True)
class SlopeTest:
    """A test that slopes are the same at all cuts.

    Attributes:
        statistic: chi-square of Wald or of the likelihood ratio.
        df: how many differences of slopes.
        p: of Wald by sign flips of clusters, not below 1 / 1000, or by Hotelling's F where no clusters were given; of
            the likelihood ratio by chi-square.
    """

    statistic: float
    df: int
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class ColumnSlopes:
    """One column.

    Attributes:
        name: of the column.
        slopes: [cuts] log odds ratios of a rating at or above the cut, in the column's own units.
        se: [cuts] clustered where clusters were given, else robust.
        wald: whether they differ; none where there are too few clusters for it.
        likelihood_ratio: the same against a model in which only this column has a slope per cut; none with clusters.
    """

    name: str
    slopes: Floats
    se: Floats
    wald: SlopeTest | None
    likelihood_ratio: SlopeTest | None


@dataclass(frozen=True, slots=True, eq=False)
class ProportionalOdds:
    """The check.

    Attributes:
        cuts: [cuts] the lowest rating above each.
        left_out: cuts that columns separate, so that slopes there are infinite; Wald tests are of the others.
        columns: one each.
        wald, likelihood_ratio: of all columns together, as in `ColumnSlopes`.
        rows, clusters: how many; 0 clusters where none were given.
    """

    cuts: tuple[float, ...]
    left_out: tuple[float, ...]
    columns: tuple[ColumnSlopes, ...]
    wald: SlopeTest | None
    likelihood_ratio: SlopeTest | None
    rows: int
    clusters: int

    def sentence(self) -> str:
        """What the report says."""
        kinds = (("Wald", self.wald), ("likelihood ratio", self.likelihood_ratio))
        tests = ", ".join(f"{kind} p = {test.p:.3g}" for kind, test in kinds if test is not None)
        cuts = "".join(f" No slopes at {cut:g} or more: columns separate it." for cut in self.left_out)
        return (
            f"Proportional odds, all columns at once: {tests or 'not tested, for lack of clusters'}. A small p "
            f"means that slopes differ between cuts of the rating: compare them, or report a logit per cut.{cuts}"
        )


@by_place
def check_proportional_odds(
    ratings: Floats,
    names: Sequence[str],
    columns: Floats,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
) -> ProportionalOdds:
    """Fit a logit per cut and test whether slopes differ.

    Args:
        ratings: [rows] three levels or more.
        names: [columns] at least one.
        columns: [rows, columns] without gaps and without a constant column.
        clusters: [rows] any labels; none takes rows for independent.

    Raises:
        MissingExtra: scipy is not installed.
        ModelProblem: one of its kinds in `mi_coder.outcomes.guards`, with what to do: fewer than three levels, no
            columns, or fewer than two cuts that columns do not separate.
    """
    codes, levels = level_codes(ratings)
    if len(levels) < 3:
        raise ModelProblem("With two levels there is one cut, and odds are always proportional.")
    standard = standardize(names, columns, len(codes))
    if not names:
        raise ModelProblem("Without columns there are no slopes to compare.")
    unit: Indices = np.arange(len(codes), dtype=np.intp)
    count = len(codes)
    if clusters is not None:
        groups = cluster_codes(clusters, len(codes))
        check_clustered_errors(groups, len(names) + 1)
        unit, count = groups.codes, len(groups)

    width = len(names)
    cuts, left_out, slopes, moves = [], [], [], []
    for i, level in enumerate(levels[1:], start=1):
        above = (codes >= i).astype(np.float64)
        try:
            fit = fit_ordinal(above, names, standard.z)
        except Separation as error:
            left_out.append(level)
            separation = error
            continue
        cuts.append(level)
        slopes.append(fit.coefficients)
        moves.append(_influence(fit, above, standard.z, unit, count))
    if len(cuts) < 2:
        raise Separation(
            f"Of {len(levels) - 1} cuts of the rating, columns separate all but {len(cuts)}: there are no slopes to "
            f"compare. Merge neighboring levels. At {left_out[0]:g} or more: {separation}",
            separation.columns,
        )
    pooled = fit_ordinal(ratings, names, standard.z)
    stacked: Floats = np.concatenate(slopes)
    influence: Floats = np.column_stack(moves)
    covariance: Floats = count / (count - 1) * influence.T @ influence
    se = np.sqrt(np.diag(covariance)).reshape(len(cuts), width) / standard.spread
    # [cuts - 1, columns, cuts * columns]: each cut's slopes less the first one's.
    each = np.eye(len(cuts) * width).reshape(len(cuts), width, -1)
    differences: Floats = each[1:] - each[:1]

    if clusters is not None:
        at_null = np.column_stack(
            [_influence_at_null(pooled, levels.index(cut), codes, standard.z, unit, count) for cut in cuts]
        )
        flipped = _flipped_sums(at_null)

    def wald(contrasts: Floats) -> SlopeTest | None:
        found = _wald(stacked, covariance, contrasts, count)
        if found is None or clusters is None:
            return found
        p = _sign_flip_p(at_null @ contrasts.T, flipped @ contrasts.T)
        return None if p is None else replace(found, p=p)

    likelihood: dict[tuple[int, ...], SlopeTest] = {}
    if clusters is None:
        for free in {(i,) for i in range(width)} | {tuple(range(width))}:
            gain = _log_likelihood(pooled, standard.z, codes, free) - pooled.log_likelihood
            likelihood[free] = _chi_square(max(2 * gain, 0.0), len(free) * (len(levels) - 2))
    return ProportionalOdds(
        cuts=tuple(cuts),
        left_out=tuple(left_out),
        columns=tuple(
            ColumnSlopes(
                name=name,
                slopes=stacked[i::width] / standard.spread[i],
                se=se[:, i],
                wald=wald(differences[:, i]),
                likelihood_ratio=likelihood.get((i,)),
            )
            for i, name in enumerate(names)
        ),
        wald=wald(differences.reshape(-1, len(cuts) * width)),
        likelihood_ratio=likelihood.get(tuple(range(width))),
        rows=len(codes),
        clusters=0 if clusters is None else count,
    )


def _influence(fit: OrdinalFit, above: Floats, z: Floats, unit: Indices, count: int) -> Floats:
    """[units, columns] how much the rows of each unit move the slopes."""
    width = len(fit.names)
    by_row = row_scores(fit, above, z) @ fit.model_covariance[:, :width]
    return np.column_stack([np.bincount(unit, column, count) for column in by_row.T])


def _influence_at_null(pooled: OrdinalFit, level: int, codes: Indices, z: Floats, unit: Indices, count: int) -> Floats:
    """[units, columns] how much the rows of each unit move the slopes of a cut, in one step from proportional odds.

    Args:
        level: from 1 on; the cut is below it.
        codes: [rows] levels from 0 on.
    """
    design = np.column_stack([z, np.ones(len(z))])
    probability = 1 / (1 + np.exp(pooled.thresholds[level - 1] - z @ pooled.coefficients))
    information = design.T @ (design * (probability * (1 - probability))[:, None])
    scores = design * ((codes >= level) - probability)[:, None]
    sums = np.column_stack([np.bincount(unit, column, count) for column in scores.T])
    return np.asarray(np.linalg.solve(information, sums.T).T[:, : z.shape[1]], dtype=np.float64)


def _flipped_sums(influence: Floats) -> Floats:
    """[draws, slopes] sums of influences [clusters, slopes] of which whole clusters keep or change their sign."""
    random = np.random.default_rng(SEED)
    sums = np.zeros((DRAWS, influence.shape[1]))
    for i in range(0, len(influence), BATCH):
        part = influence[i : i + BATCH]
        sums += random.choice([-1.0, 1.0], (DRAWS, len(part))) @ part
    return sums


def _sign_flip_p(influence: Floats, flipped: Floats) -> float | None:
    """p that sums of influences [clusters, differences] are 0 but for chance; none where differences are not distinct.

    Wald's statistic of a vector of signs rises with the length of its projection on the space of the influences, so
    that all draws have one matrix in common.

    Args:
        flipped: [draws, differences] the same sums with flipped signs.
    """
    _, triangle = np.linalg.qr(influence)
    if (abs(np.diag(triangle)) <= SINGULAR * np.linalg.norm(influence, axis=0)).any():
        return None
    actual, *drawn = (np.linalg.solve(triangle.T, np.vstack([influence.sum(axis=0), flipped]).T) ** 2).sum(axis=0)
    as_far = int((np.array(drawn) >= actual * (1 - TIE)).sum())
    return (as_far + 1) / (DRAWS + 1)


def _wald(slopes: Floats, covariance: Floats, contrasts: Floats, count: int) -> SlopeTest | None:
    """Hotelling's test that contrasts [tests, slopes] of slopes are 0, with sums of `count` independent units."""
    df = len(contrasts)
    if df >= count:
        return None
    distance = contrasts @ slopes
    try:
        statistic = float(distance @ np.linalg.solve(contrasts @ covariance @ contrasts.T, distance))
    except np.linalg.LinAlgError:
        return None
    f = statistic * (count - df) / (df * (count - 1))
    return SlopeTest(statistic, df, float(need("scipy.stats", "analysis").f.sf(f, df, count - df)))


def _chi_square(statistic: float, df: int) -> SlopeTest:
    return SlopeTest(statistic, df, float(need("scipy.stats", "analysis").chi2.sf(statistic, df)))


def _log_likelihood(pooled: OrdinalFit, z: Floats, codes: Indices, free: Sequence[int]) -> float:
    """The greatest log-likelihood where columns `free` have a slope per cut; Newton's method from the pooled fit.

    Of a row, `upper` is the threshold above its level less the predictor there, `lower` the same below; both are linear
    in the parameters, and the log-likelihood is concave in both. Where slopes run to infinity it still has a limit.
    """
    upper, lower = (_design(z, codes - below, len(pooled.thresholds), free) for below in (0, 1))
    top, bottom = codes == len(pooled.thresholds), codes == 0
    parameters = np.concatenate([pooled.coefficients, pooled.thresholds])
    parameters = np.append(parameters, np.zeros(upper.shape[1] - len(parameters)))

    def at(point: Floats) -> tuple[Floats, Floats, Floats]:
        """[rows] upper, lower, and the log-likelihoods: -inf where the cuts are not in ascending order."""
        above, below = np.where(top, np.inf, upper @ point), np.where(bottom, -np.inf, lower @ point)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = np.where(above > below, np.log(-np.expm1(np.minimum(below - above, 0.0))), -np.inf)
        return above, below, gap - np.logaddexp(0, -above) - np.logaddexp(0, below)

    above, below, each = at(parameters)
    for _ in range(MOST_STEPS):
        with np.errstate(over="ignore"):
            of_above, of_below, odds = 1 / (1 + np.exp(-above)), 1 / (1 + np.exp(-below)), 1 / np.expm1(above - below)
        gradient = (1 - of_above + odds) @ upper - (of_below + odds) @ lower
        between = upper - lower
        information = (
            upper.T @ (upper * (of_above * (1 - of_above))[:, None])
            + lower.T @ (lower * (of_below * (1 - of_below))[:, None])
            + between.T @ (between * (odds * (1 + odds))[:, None])
        )
        step = np.linalg.solve(information + RIDGE * np.diag(information).max() * np.eye(len(gradient)), gradient)
        if gradient @ step <= LAST_DECREMENT:
            break
        for halving in range(MOST_HALVINGS):
            new = at(parameters + 0.5**halving * step)
            if new[2].sum() >= each.sum():
                parameters = parameters + 0.5**halving * step
                above, below, each = new
                break
        else:
            break
    return float(each.sum())


def _design(z: Floats, cut: Indices, cuts: int, free: Sequence[int]) -> Floats:
    """[rows, parameters] of the cut of each row: slopes, thresholds, and how slopes differ from those of the first cut.

    Rows without a cut, before the first or past the last, are 0.
    """
    inside = (cut >= 0) & (cut < cuts)
    at_cut = inside[:, None] & (cut[:, None] == np.arange(cuts))
    further = [-z[:, i, None] * at_cut[:, 1:] for i in free]
    return np.column_stack([-z * inside[:, None], at_cut.astype(np.float64), *further])
