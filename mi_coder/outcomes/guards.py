"""What a model of outcomes cannot be fitted to, found before fitting and said in an analyst's words.

Fitting programs answer most of these with coefficients in the millions, standard errors that are too small, or the
message of a matrix library. Columns are technique measures or covariates; clusters are mostly counselors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import MiCoderError

# With fewer clusters no standard error that is clustered, and no variance between clusters, means anything.
FEWEST_CLUSTERS = 5
# With fewer, tests by clustered errors reject too often, and the wild bootstrap of the linear model does not.
ENOUGH_CLUSTERS = 40
# A random intercept is told from the residual by clusters that have more than one row.
FEWEST_REPEATED = 10
# A standardized column of which the columns before it leave less than this share of its variance follows from them.
LEAST_VARIANCE = 1e-12
# Values that differ by less than this share of the greatest are the same value after rounding.
SAME_VALUE = 1e-12
# Standardized columns that contribute more than this share of the most to a coefficient that a column follows from.
LEAST_SHARE = 1e-6


class ModelProblem(MiCoderError):
    """Data that the model cannot be fitted to.

    Attributes:
        columns: the names of the columns that are the cause, so that a caller can leave them out and report it.
    """

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


class BadShape(ModelProblem):
    """Arrays whose lengths do not fit each other."""


class Gaps(ModelProblem):
    """Rows without a value."""


class ConstantColumn(ModelProblem):
    """A column that is the same in all rows."""


class AliasedColumn(ModelProblem):
    """A column that follows exactly from others."""


class ExactFit(ModelProblem):
    """An outcome that follows exactly from the columns."""


class EmptyLevel(ModelProblem):
    """A level of the outcome that no row has, or a value that is no level."""


class SingleCategory(ModelProblem):
    """An outcome that is the same in all rows."""


class Separation(ModelProblem):
    """Columns that tell the levels of an outcome apart without error: the best coefficient is infinite."""


class TooFewClusters(ModelProblem):
    """Too few clusters for what is asked."""


class NoClusterVariance(ModelProblem):
    """A variance between clusters that is estimated as 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Checked columns on a common scale.

    Attributes:
        names: [columns]
        z: [rows, columns] each with mean 0 and standard deviation 1.
        center, spread: [columns] the means and standard deviations taken out.
        gram: [columns, columns] z'z.
    """

    names: tuple[str, ...]
    z: Floats
    center: Floats
    spread: Floats
    gram: Floats

    def in_own_units(
        self, coefficients: Floats, covariance: Floats, center: float, spread: float
    ) -> tuple[Floats, Floats]:
        """A constant and coefficients of `z` as those of the columns as given, [1 + columns], with their covariance.

        Args:
            center, spread: of the outcome, by which it was standardized; 0 and 1 where it was not.
        """
        back = spread * np.diag(np.concatenate([[1.0], 1 / self.spread]))
        back[0, 1:] = -spread * self.center / self.spread
        own = back @ coefficients
        own[0] += center
        return own, back @ covariance @ back.T


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Which cluster each row is of.

    Attributes:
        codes: [rows] from 0 on.
        sizes: [clusters] rows of each.
        labels: [clusters] as given.
    """

    codes: Indices
    sizes: Indices
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.sizes)


def standardize(names: Sequence[str], columns: Floats, rows: int) -> Columns:
    """Check columns [rows, columns] without a constant one, and bring them to a common scale.

    Raises:
        BadShape: not `rows` by `names`.
        Gaps: a value that is missing or infinite.
        ConstantColumn: a column that does not vary.
        AliasedColumn: a column that follows from those before it and a constant, such as the last of shares that add
            up to one.
    """
    columns = check_columns(names, columns, rows)
    if not names:
        return Columns((), columns, np.zeros(0), np.zeros(0), np.zeros((0, 0)))
    _refuse_constant(names, columns)
    center = columns.mean(axis=0)
    z = columns - center
    # Divided by the greatest first, so that no square overflows or vanishes.
    scale = abs(z).max(axis=0)
    z /= scale
    spread = np.sqrt(np.einsum("ij,ij->j", z, z) / rows)
    z /= spread
    gram = z.T @ z
    _refuse_aliased(names, gram / rows)
    return Columns(tuple(names), z, center, scale * spread, gram)


def check_columns(names: Sequence[str], columns: Floats, rows: int) -> Floats:
    """The columns [rows, columns] as numbers.

    Raises:
        BadShape: not `rows` by `names`.
        Gaps: a value that is missing or infinite.
    """
    if columns.shape != (rows, len(names)):
        raise BadShape(
            f"Columns must be an array [rows, columns]: {rows} outcomes and {len(names)} names ask for "
            f"{(rows, len(names))}, but it is {columns.shape}."
        )
    columns = np.asarray(columns, dtype=np.float64)
    finite = np.isfinite(columns)
    if not finite.all():
        row, column = map(int, np.argwhere(~finite)[0])
        raise Gaps(
            f"Column {names[column]!r} has no value in row {row + 1} ({int((~finite[:, column]).sum())} gaps in all): "
            "drop and count rows with gaps before fitting.",
            [names[column]],
        )
    return columns


def check_outcome(outcome: Floats, rows: int | None = None) -> Floats:
    """The outcome [rows] as numbers.

    Args:
        rows: to expect; none takes those that are there.

    Raises:
        BadShape: not one value per row, or no rows.
        Gaps: a value that is missing or infinite.
        SingleCategory: all values are the same.
    """
    outcome = np.asarray(outcome, dtype=np.float64)
    if outcome.ndim != 1 or not outcome.size:
        raise BadShape(f"The outcome must be an array [rows] with at least one row: its shape is {outcome.shape}.")
    if rows is not None and len(outcome) != rows:
        raise BadShape(f"The outcome must have one value for each of {rows} rows, but it has {len(outcome)}.")
    gaps = np.flatnonzero(~np.isfinite(outcome))
    if gaps.size:
        raise Gaps(
            f"The outcome has no value in row {gaps[0] + 1} ({gaps.size} gaps in all): drop and count rows "
            "without outcome before fitting."
        )
    if outcome.min() == outcome.max():
        raise SingleCategory(f"All {outcome.size} outcomes are {outcome[0]:g}: there is nothing to explain.")
    return outcome


def level_codes(outcome: Floats, levels: Sequence[float] | None = None) -> tuple[Indices, tuple[float, ...]]:
    """Number the levels of an ordinal outcome [rows] from 0 on.

    Args:
        levels: those to expect, such as (1, 2, 3, 4, 5); none takes those that occur.

    Returns:
        [rows] numbers, and the levels in ascending order.

    Raises:
        EmptyLevel: no row has an expected level, or a row has another one.
        BadShape, Gaps, SingleCategory: see `check_outcome`.
    """
    outcome = check_outcome(outcome)
    found, codes = np.unique(outcome, return_inverse=True)
    present = tuple(found.tolist())
    if levels is not None:
        expected = sorted({float(level) for level in levels})
        strange = [level for level in present if level not in expected]
        if strange:
            row = int(np.flatnonzero(outcome == strange[0])[0])
            raise EmptyLevel(f"Row {row + 1} has {strange[0]:g}, but the levels are {_listed(expected)}.")
        empty = [level for level in expected if level not in present]
        if empty:
            raise EmptyLevel(
                f"No row has {_listed(empty)}: a threshold beside an empty level has no finite value. Fit on the "
                f"{len(present)} levels that occur ({_listed(present)}), and report that."
            )
    return np.asarray(codes, dtype=np.intp), present


def refuse_separating(columns: Columns, codes: Indices) -> None:
    """Refuse a column that by itself rises, or falls, with the level and never overlaps.

    Columns that separate levels only together show while fitting.

    Args:
        codes: [rows] levels from 0 on, as of `level_codes`.

    Raises:
        Separation: with the column.
    """
    if not columns.names:
        return
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    by_level = columns.z[order]
    low: Floats = np.minimum.reduceat(by_level, starts)
    high: Floats = np.maximum.reduceat(by_level, starts)
    rising, falling = (
        np.flatnonzero(np.all(below <= above, axis=0)).tolist()
        for below, above in ((high[:-1], low[1:]), (-low[:-1], -high[1:]))
    )
    for i in sorted((*rising, *falling)):
        way = "rises" if i in rising else "falls"
        raise Separation(
            f"Column {columns.names[i]!r} {way} from each level of the outcome to the next without overlap: its best "
            "coefficient is infinite. Leave it out, or combine it with a related column, and report that.",
            [columns.names[i]],
        )


def separated(names: Sequence[str]) -> Separation:
    """The error for columns that only together separate levels."""
    return Separation(
        f"The columns {_quoted(names)} together separate the levels of the outcome without error, or nearly: their "
        "best "
        "coefficients are infinite. Leave one out or combine related ones, and report that.",
        names,
    )


def cluster_codes(clusters: Sequence[Any] | NDArray[Any], rows: int) -> Clusters:
    """Number clusters, given by any label per row.

    Raises:
        BadShape: not one label per row.
        Gaps: a row without label.
    """
    labels = np.asarray(clusters)
    if labels.shape != (rows,):
        raise BadShape(
            f"There are {rows} outcomes and clusters of shape {labels.shape}: give one cluster for each row that is "
            "fitted. Drop rows once, from everything, before fitting."
        )
    if labels.dtype.kind in "fO":
        missing = np.asarray([label is None or label != label for label in labels.tolist()])
        if missing.any():
            raise Gaps(
                f"Row {int(np.argmax(missing)) + 1} has no cluster ({int(missing.sum())} such rows): drop and count "
                "rows without a counselor before fitting."
            )
        labels = labels.astype(str) if labels.dtype.kind == "O" else labels
    found, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return Clusters(np.asarray(codes, dtype=np.intp), np.asarray(sizes, dtype=np.intp), found)


def check_clustered_errors(clusters: Clusters, parameters: int) -> None:
    """Refuse standard errors that are clustered on too few clusters.

    Raises:
        TooFewClusters: fewer than five, or no more than `parameters`: errors would come out far too small.
    """
    count = len(clusters)
    if count < 2:
        raise TooFewClusters(
            f"All rows are of one cluster{_labelled(clusters)}: standard errors cannot be clustered on it. Fit without "
            "clusters, and report that the result is about this counselor only."
        )
    if count < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"{count} clusters{_labelled(clusters)} are too few for clustered standard errors: at least "
            f"{FEWEST_CLUSTERS} are "
            "needed. Fit without clusters, and report that the result is about these counselors only."
        )
    if count <= parameters:
        raise TooFewClusters(
            f"{count} clusters are too few for clustered standard errors of {parameters} coefficients: they would be "
            "far too small. Use fewer columns, or test one coefficient of the linear model by the wild bootstrap."
        )


def warn_of_few_clusters(clusters: Clusters) -> str:
    """The warning beside slopes on experience of less than 40 counselors, or an empty string."""
    if len(clusters) >= ENOUGH_CLUSTERS:
        return ""
    return (
        f"Only {len(clusters)} clusters: with less than {ENOUGH_CLUSTERS}, clustered standard errors are too small. "
        f"Intervals and p values are from the t distribution with {len(clusters) - 1} degrees of freedom, which makes "
        "up for a part of that: take p values just below .05, above all between counselors, as not clear."
    )


def check_random_intercept(clusters: Clusters) -> None:
    """Refuse a random intercept that cannot be distinguished from the residual.

    Raises:
        TooFewClusters: fewer than five clusters, or fewer than ten with two rows or more.
    """
    if len(clusters) < FEWEST_CLUSTERS:
        count = "is 1 cluster" if len(clusters) == 1 else f"are {len(clusters)} clusters"
        raise TooFewClusters(
            f"There {count}{_labelled(clusters)}: a variance between clusters needs at least {FEWEST_CLUSTERS}. "
            "Give each cluster a column of its own (fixed effects)."
        )
    repeated = int((clusters.sizes > 1).sum())
    if repeated < FEWEST_REPEATED:
        of = f" of {len(clusters)}" if repeated < len(clusters) else ""
        raise TooFewClusters(
            f"Only {repeated}{of} clusters have two rows or more: a random intercept needs "
            f"{FEWEST_REPEATED} counselors with at least two conversations. Use clustered standard errors instead."
        )


def no_cluster_variance(clusters: Clusters, instead: str) -> NoClusterVariance:
    """The error for a variance between clusters of 0, with the model that is the same then."""
    return NoClusterVariance(
        f"The variance between the {len(clusters)} clusters is estimated as 0: rows of one counselor are no more alike "
        f"than rows of several. Use {instead}, and report the variance as 0."
    )


def _refuse_constant(names: Sequence[str], columns: Floats) -> None:
    low, high = columns.min(axis=0), columns.max(axis=0)
    for i in np.flatnonzero(high - low <= SAME_VALUE * np.maximum(abs(low), abs(high))).tolist():
        raise ConstantColumn(
            f"Column {names[i]!r} never varies ({low[i]:g} in all {len(columns)} rows): it cannot explain anything. "
            "Leave it out, and report that.",
            [names[i]],
        )


def _refuse_aliased(names: Sequence[str], correlation: Floats) -> None:
    """Sweep the correlation matrix column by column: what is left on its diagonal is unexplained variance."""
    rest = correlation.copy()
    for i in range(len(names)):
        if rest[i, i] <= LEAST_VARIANCE:
            weights = np.linalg.solve(correlation[:i, :i], correlation[:i, i])
            causes = [names[j] for j in np.flatnonzero(abs(weights) > LEAST_SHARE * abs(weights).max()).tolist()]
            raise AliasedColumn(
                f"Column {names[i]!r} follows exactly from {_quoted(causes)}: leave one of them out. Of shares that "
                "add up to a fixed number, one code is the reference and has no column.",
                [names[i]],
            )
        rest -= np.outer(rest[:, i], rest[i]) / rest[i, i]


def _labelled(clusters: Clusters) -> str:
    """The labels of a few clusters, in brackets."""
    return f" ({_quoted([str(label) for label in clusters.labels.tolist()])})"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _listed(levels: Sequence[float]) -> str:
    return ", ".join(f"{level:g}" for level in levels)
