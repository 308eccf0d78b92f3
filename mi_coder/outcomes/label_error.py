"""Coefficients corrected for the tagger's errors by a part of the chats that people coded: predict-then-debias.

The same model is fitted three times: gold codes on gold rows (g), the tagger's codes on gold rows (c), the tagger's
codes on all rows (a). What the tagger's errors do to a coefficient is c - g, and so

    corrected = g + W (a - c),     W diagonal, from 0 (gold alone) to 1 (all that a tells)

with W_j = cov(A_j, B_j) / var(B_j), where A and B are what rows do to g and to c - a (Kluger, Lu, Zrnic, Wang and
Bates 2025, arXiv 2501.18577, "Predict-then-debias"; Chen and Chen 2000, JRSS B 62, 449-460). Errors come from
influences added up by cluster. It holds for any tagger and for errors that depend on the outcome, as long as gold rows
were drawn at random or with known probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mi_coder.arrays import Floats
from mi_coder.outcomes.families import EXACT, Estimate, Family, cluster_totals, fit_family
from mi_coder.outcomes.guards import (
    FEWEST_CLUSTERS,
    BadShape,
    Clusters,
    ConstantColumn,
    ModelProblem,
    TooFewClusters,
    check_clustered_errors,
    cluster_codes,
)
from mi_coder.outcomes.information import MOST_BOOTSTRAPPED, Information, information_of
from mi_coder.outcomes.label_error_bootstrap import cluster_shares, influence_bootstrap
from mi_coder.outcomes.rows import by_place
from mi_coder.outcomes.wild_bootstrap import DRAWS

ROWS_PER_PARAMETER = 5
RECALL, FOUND_PER_TRUE = "recall", "found_per_true"
"""What `error_by_outcome` says of a code, by what is known."""
CONVENIENCE = (
    "The gold chats are a convenience sample without weights: the correction is valid only if they are like the others "
    "in "
    "the tagger's errors and in how codes and outcome are related."
)


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """One way to estimate.

    Attributes:
        coefficients, se, low, high: [columns]
        p: [columns] by the t distribution; of gold-only and corrected estimates with gold rows of fewer clusters than
            `ENOUGH_CLUSTERS` by the wild cluster bootstrap; of columns that rest on few of up to 1,000 clusters the
            larger of both.
        df: degrees of freedom of the t distribution: clusters - 1; or [columns], with `effective_clusters` in place of
            clusters for gold-only and corrected estimates of columns that rest on few of many.
    """

    coefficients: Floats
    se: Floats
    df: float | Floats
    low: Floats
    high: Floats
    p: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Naive, gold-only and corrected estimates of the same coefficients.

    Attributes:
        names: [columns]
        weights: [columns] W: how far each coefficient leans on the tagger.
        gain: [columns] how many times as many gold chats would make gold-only intervals as narrow as the corrected.
        n, n_gold, clusters: rows, gold rows, and the clusters that gold rows are of.
        information: how many of these clusters each column rests on.
        warnings: sentences to report beside the figures.
    """

    names: tuple[str, ...]
    naive: Coefficients
    gold_only: Coefficients
    corrected: Coefficients
    weights: Floats
    gain: Floats
    n: int
    n_gold: int
    clusters: int
    information: Information
    warnings: tuple[str, ...]


class TooLittleGold(ModelProblem):
    """Too few gold rows for a model of this size."""


@by_place
def correct(
    family: Family,
    outcome: Floats,
    names: Sequence[str],
    tagged: Floats,
    gold: Floats,
    gold_rows: NDArray[np.intp],
    clusters: Sequence[Any] | NDArray[Any],
    *,
    tagged_on_gold: Floats | None = None,
    probabilities: Floats | None = None,
    tuned: bool = True,
    offset: Floats | None = None,
    convenience: bool = False,
    alpha: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> Corrected:
    """Correct the coefficients of a model for label error.

    Arrays may also be lists, or columns and frames of pandas; rows belong together by their place, not by an index.

    Args:
        outcome: [rows] of all chats.
        names: [columns]
        tagged: [rows, columns] with the tagger's codes; covariates are columns like any other.
        gold: [gold rows, columns] the same columns with gold codes.
        gold_rows: [gold rows] which rows they are.
        clusters: [rows] any labels, mostly counselors.
        tagged_on_gold: [gold rows, columns] with the tagger's codes where these are not the rows of `tagged`, as
            deviations from means over the gold rows are not.
        probabilities: [gold rows] with which each was drawn; none for a simple random sample.
        tuned: False for W = 1.
        offset: [rows] of a Poisson model.
        convenience: gold rows were not drawn at random; a warning says so.
        draws, seed: of the wild cluster bootstrap.

    Raises:
        UnknownName: there is no such family.
        UsageProblem: a value that is no number.
        BadShape: arrays that do not fit each other, gold rows that are not there or stand twice, or probabilities
            that are none.
        TooLittleGold: fewer gold rows than five per parameter, or a level of an ordinal outcome that none has.
        ConstantColumn: a code that is the same in all gold rows.
        TooFewClusters: gold rows of fewer than five clusters, or of no more than parameters.
        ModelProblem: what `fit_family` and `check_clustered_errors` raise.
    """
    pieces = fit_pieces(
        family,
        outcome,
        names,
        tagged,
        gold,
        gold_rows,
        clusters,
        tagged_on_gold=tagged_on_gold,
        probabilities=probabilities,
        offset=offset,
    )
    on_gold, same_rows, everywhere = pieces.on_gold, pieces.same_rows, pieces.everywhere
    share = _tuning(pieces.gold, pieces.difference) if tuned else np.ones(len(names))
    n, count, present = pieces.n, len(pieces.everyone), pieces.gold_clusters
    all_factor = count / (count - 1) * (n - 1) / (n - everywhere.parameters)
    factor, information = present / (present - 1), pieces.information
    df = information.df if information.thin.any() else present - 1
    estimate = on_gold.coefficients + share * (everywhere.coefficients - same_rows.coefficients)
    gold_only = _coefficients(on_gold.coefficients, factor * pieces.gold**2, df, alpha)
    moves = pieces.gold - share * pieces.difference
    corrected = _coefficients(estimate, factor * moves**2, df, alpha)
    tested = (information.thin & (present <= MOST_BOOTSTRAPPED)) | information.few
    if tested.any():
        gold_only, corrected = (
            replace(part, p=_bootstrapped(part, influences, pieces, tested, draws, seed))
            for part, influences in ((gold_only, pieces.gold), (corrected, moves))
        )
    return Corrected(
        names=tuple(names),
        naive=_coefficients(everywhere.coefficients, all_factor * pieces.everyone**2, count - 1, alpha),
        gold_only=gold_only,
        corrected=corrected,
        weights=share,
        gain=(gold_only.se / corrected.se) ** 2,
        n=n,
        n_gold=pieces.n_gold,
        clusters=present,
        information=information,
        warnings=(CONVENIENCE,) if convenience and probabilities is None else (),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The three fits, and what clusters do to them.

    Attributes:
        on_gold, same_rows, everywhere: g, c and a.
        gold, tagged, everyone: [clusters, columns] influences on g, c and a, added up by cluster.
        shares: [clusters, columns] part of each cluster in what the gold rows tell of each coefficient.
        n, n_gold, gold_clusters: rows, gold rows, and the clusters that have any.
        information: of the columns by gold codes.
    """

    on_gold: Estimate
    same_rows: Estimate
    everywhere: Estimate
    gold: Floats
    tagged: Floats
    everyone: Floats
    shares: Floats
    n: int
    n_gold: int
    gold_clusters: int
    information: Information

    @property
    def difference(self) -> Floats:
        """[clusters, columns] influences on c - a."""
        return self.tagged - self.everyone


@by_place
def fit_pieces(
    family: Family,
    outcome: Floats,
    names: Sequence[str],
    tagged: Floats,
    gold: Floats,
    gold_rows: NDArray[np.intp],
    clusters: Sequence[Any] | NDArray[Any],
    *,
    tagged_on_gold: Floats | None = None,
    probabilities: Floats | None = None,
    offset: Floats | None = None,
) -> Pieces:
    """Fit the three models that `correct` combines; arguments and errors are the same."""
    rows = np.asarray(gold_rows, dtype=np.intp)
    _check_shapes(outcome, names, tagged, gold, rows, probabilities)
    _check_gold(names, gold)
    if tagged_on_gold is not None and tagged_on_gold.shape != gold.shape:
        raise BadShape(f"By the tagger, gold rows are {tagged_on_gold.shape}, and by gold codes {gold.shape}.")
    weight = None if probabilities is None else len(rows) / (1 / probabilities).sum() / probabilities
    groups = cluster_codes(clusters, len(outcome))
    present = len(np.unique(groups.codes[rows]))
    if present < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"The gold chats are of {present} clusters, but clustered standard errors need at least {FEWEST_CLUSTERS}. "
            "Code chats of more counselors."
        )
    part = None if offset is None else offset[rows]
    everywhere = fit_family(family, outcome, names, tagged, None, offset)
    if len(rows) < ROWS_PER_PARAMETER * everywhere.parameters:
        raise TooLittleGold(
            f"{len(rows)} gold chats are too few for {everywhere.parameters} parameters: at least "
            f"{ROWS_PER_PARAMETER * everywhere.parameters} are needed. Code more chats, or relate fewer codes."
        )
    if present <= everywhere.parameters:
        raise TooFewClusters(
            f"The gold chats are of {present} clusters, too few for clustered standard errors of "
            f"{everywhere.parameters} parameters: they would be far too small. Code chats of more counselors, or "
            "relate fewer codes."
        )
    on_gold = fit_family(family, outcome[rows], names, gold, weight, part)
    on_rows = tagged[rows] if tagged_on_gold is None else tagged_on_gold
    same_rows = fit_family(family, outcome[rows], names, on_rows, weight, part)
    _check_levels(family, on_gold, everywhere)
    check_clustered_errors(groups, everywhere.parameters)
    small = (len(rows) / (len(rows) - on_gold.parameters)) ** 0.5
    on, same = (
        cluster_totals(each.influence * small, groups.codes[rows], len(groups)) for each in (on_gold, same_rows)
    )
    everyone = cluster_totals(everywhere.influence, groups.codes, len(groups))
    shares = cluster_shares(gold, weight, groups.codes[rows], len(groups))
    information = information_of(names, gold, groups.labels[groups.codes[rows]], weight)
    return Pieces(
        on_gold, same_rows, everywhere, on, same, everyone, shares, len(outcome), len(rows), present, information
    )


@by_place
def error_by_outcome(
    codes: Sequence[str],
    tagged: Floats,
    gold: Floats,
    outcome: Floats,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    hits: Floats | None = None,
    probabilities: Floats | None = None,
) -> pd.DataFrame:
    """Whether the tagger errs otherwise where the outcome is high: per code, what it finds in both halves, and a test.

    Recall needs `hits`. Counts per chat alone do not tell it, since a false alarm makes up for a message that was
    missed: they give found messages per true message, which are above 1 where there are more false alarms than misses.

    The test regresses the error of a chat (found less true messages) on the outcome, with errors by cluster, given the
    true messages with the code and with any: a tagger that misses the same share everywhere misses more messages where
    there are more. It is for the chats, so that messages of one chat do not count as independent. The joint p is the
    smallest by the number of codes (Bonferroni). Of 800 simulated studies with 21 codes, 200 gold chats and errors that
    do not depend on the outcome, it was under .05 in 7 %; that of a Wald test of all slopes (F) in 17 to 28 %.

    Args:
        tagged, gold: [gold chats, codes] messages with the code, found and true.
        outcome: [gold chats]
        clusters: [gold chats]
        hits: [gold chats, codes] true messages that were found; not a number in chats of which that is not known, which
            count in the test alone. None where only counts per chat are known.
        probabilities: [gold chats] with which each was drawn, for recall or its stand-in; none for a simple random
            sample.

    Returns:
        Rows of code, stratum ("lower" or "upper" half of the outcome), n (true messages), recall, or without hits
        found_per_true, with low and high (95 %, by clusters), p of the test, the same in both rows of a code, and
        p_joint, the same in all rows: that errors of no code depend on the outcome. Not a number where there is no
        test.
    """
    groups = cluster_codes(clusters, len(outcome))
    middle = np.median(outcome)
    upper = outcome > middle if (outcome > middle).any() else outcome >= middle
    weights = np.ones(len(outcome)) if probabilities is None else 1 / probabilities
    found, measure, most = (tagged, FOUND_PER_TRUE, np.inf) if hits is None else (hits, RECALL, 1.0)
    rows = []
    for j, code in enumerate(codes):
        given = np.column_stack([np.ones(len(outcome)), gold[:, j], gold.sum(axis=1)])
        p = _p_of_slope(tagged[:, j] - gold[:, j], outcome, given, groups)
        known = ~np.isnan(found[:, j])
        for name, half in (("lower", ~upper), ("upper", upper)):
            stratum = half & known
            part, true, weight = found[stratum, j], gold[stratum, j], weights[stratum]
            ratio, low, high = _ratio(weight * part, weight * true, groups.codes[stratum])
            rows.append((code, name, int(true.sum()), ratio, low, min(high, most), p))
    frame = pd.DataFrame(rows, columns=["code", "stratum", "n", measure, "low", "high", "p"])
    tested = frame["p"].iloc[::2]
    return frame.assign(p_joint=min(tested.min() * tested.count(), 1.0) if tested.count() else float("nan"))


def _tuning(a: Floats, b: Floats) -> Floats:
    """[columns] the W with the smallest variance, between 0 and 1."""
    variance = (b * b).sum(axis=0)
    return np.asarray(np.clip((a * b).sum(axis=0) / np.where(variance > 0, variance, 1.0), 0, 1))


def _bootstrapped(
    part: Coefficients, influences: Floats, pieces: Pieces, tested: NDArray[np.bool_], draws: int, seed: int
) -> Floats:
    """[columns] p of a part, of tested columns [columns] by the wild cluster bootstrap; of thin ones the larger."""
    p = part.p.copy()
    p[tested] = influence_bootstrap(
        part.coefficients[tested], influences[:, tested], pieces.shares[:, tested], draws, seed
    )
    return np.where(pieces.information.thin, np.fmax(p, part.p), p)


def _coefficients(estimate: Floats, squares: Floats, df: float | Floats, alpha: float) -> Coefficients:
    """From coefficients and squared influences [clusters, columns]."""
    se = np.sqrt(squares.sum(axis=0))
    width = stats.t.ppf(1 - alpha / 2, df) * se
    p = np.asarray(2 * stats.t.sf(abs(estimate / se), df))
    return Coefficients(estimate, se, df, estimate - width, estimate + width, p)


def _ratio(part: Floats, whole: Floats, codes: NDArray[np.intp]) -> tuple[float, float, float]:
    """A ratio of sums with its 95 % interval by clusters (linearized)."""
    total = whole.sum()
    if total == 0:
        return float("nan"), float("nan"), float("nan")
    ratio = float(part.sum() / total)
    residual = np.bincount(codes, part - ratio * whole)
    count = len(np.unique(codes))
    if count < 2:
        return ratio, float("nan"), float("nan")
    half = 1.959964 * float(np.sqrt(count / (count - 1) * (residual**2).sum())) / float(total)
    return ratio, max(ratio - half, 0.0), ratio + half


def _p_of_slope(error: Floats, outcome: Floats, given: Floats, groups: Clusters) -> float:
    """p of the slope of the error on the outcome, given columns [chats, columns] with a constant.

    Not a number where the tagger never errs, where the outcome follows from the columns, or where clusters are few.
    """
    rest, unexplained = (each - given @ np.linalg.lstsq(given, each)[0] for each in (outcome, error))
    count, rows, parameters = len(groups), len(outcome), given.shape[1] + 1
    if _nothing(rest, outcome) or _nothing(unexplained, error) or count < FEWEST_CLUSTERS or rows <= parameters:
        return float("nan")
    slope = float(rest @ unexplained / (rest @ rest))
    totals = np.bincount(groups.codes, rest * (unexplained - slope * rest), count)
    factor = count / (count - 1) * (rows - 1) / (rows - parameters)
    se = float(np.sqrt(factor * (totals**2).sum()) / (rest @ rest))
    return float(2 * stats.t.sf(abs(slope) / se, count - 1)) if se > 0 else float("nan")


def _nothing(rest: Floats, values: Floats) -> bool:
    """Whether what is left of values is rounding."""
    return bool(rest @ rest <= EXACT * (values @ values))


def _check_shapes(
    outcome: Floats,
    names: Sequence[str],
    tagged: Floats,
    gold: Floats,
    rows: NDArray[np.intp],
    probabilities: Floats | None,
) -> None:
    if tagged.shape != (len(outcome), len(names)) or gold.shape != (len(rows), len(names)):
        raise BadShape(
            f"With {len(outcome)} outcomes, {len(rows)} gold rows and {len(names)} names, tagged and gold columns must "
            f"be {(len(outcome), len(names))} and {(len(rows), len(names))}; they are {tagged.shape} and {gold.shape}."
        )
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(outcome):
        raise BadShape(f"Gold rows are numbers of rows from 0 to {len(outcome) - 1}, but one is not.")
    if len(np.unique(rows)) != len(rows):
        raise BadShape("A chat is twice among the gold rows.")
    if probabilities is not None and not (
        probabilities.shape == (len(rows),) and ((probabilities > 0) & (probabilities <= 1)).all()
    ):
        raise BadShape("Each gold row needs the probability with which it was drawn, above 0 and at most 1.")


def _check_gold(names: Sequence[str], gold: Floats) -> None:
    constant = [name for name, column in zip(names, gold.T, strict=True) if not len(column) or np.ptp(column) == 0]
    if constant:
        raise ConstantColumn(
            f"Among the {len(gold)} gold chats, {', '.join(map(repr, constant))} never varies: there is no gold to "
            "estimate the correction from. Code chats that have it (mi-code sample --design rare-code), or leave it "
            "out of the study.",
            constant,
        )


def _check_levels(family: Family, on_gold: Estimate, everywhere: Estimate) -> None:
    if family == "ordinal" and on_gold.levels != everywhere.levels:
        missing = ", ".join(f"{level:g}" for level in everywhere.levels if level not in on_gold.levels)
        raise TooLittleGold(
            f"No gold chat has the rating {missing}: the models on gold chats and on all chats differ. Code chats with "
            "that rating, or merge it with its neighbor."
        )
