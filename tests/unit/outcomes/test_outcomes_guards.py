"""What a model cannot be fitted to is said before fitting, with the column and what to do."""

import re

import numpy as np
import pytest

from mi_coder.errors import MiCoderError
from mi_coder.outcomes.guards import (
    AliasedColumn,
    BadShape,
    ConstantColumn,
    EmptyLevel,
    ExactFit,
    Gaps,
    ModelProblem,
    NoClusterVariance,
    Separation,
    SingleCategory,
    TooFewClusters,
    check_clustered_errors,
    check_outcome,
    check_random_intercept,
    cluster_codes,
    level_codes,
    refuse_separating,
    standardize,
)
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap

ROWS = 412


@pytest.fixture
def columns() -> np.ndarray:
    return np.random.default_rng(8).normal(size=(ROWS, 3))


@pytest.fixture
def clusters() -> np.ndarray:
    return np.arange(ROWS) % 20


@pytest.fixture
def ratings(columns: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(9)
    latent = columns @ [0.5, 0, -0.5] + random.logistic(size=ROWS) + random.normal(size=20)[np.arange(ROWS) % 20]
    return 1.0 + (latent[:, None] > [-2, -1, 0, 1]).sum(axis=1)


def fits(ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray) -> list:
    """Every model, ready to run."""
    names = ["affirm", "warn", "question"]
    return [
        lambda: fit_random_intercept(ratings, names, columns, clusters),
        lambda: fit_ordinal(ratings, names, columns, clusters),
        lambda: fit_ordinal_random(ratings, names, columns, clusters),
        lambda: wild_bootstrap(ratings, names, columns, clusters, "question"),
    ]


def test_every_problem_is_one_that_the_command_line_prints() -> None:
    kinds = ModelProblem.__subclasses__()
    assert set(kinds) >= {ConstantColumn, AliasedColumn, EmptyLevel, SingleCategory, Separation, TooFewClusters, Gaps}
    assert issubclass(ModelProblem, MiCoderError)
    assert ModelProblem("x", ["a"]).columns == ("a",)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
def test_a_constant_column_is_named(
    value: float, ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray
) -> None:
    columns[:, 1] = value
    for fit in fits(ratings, columns, clusters):
        with pytest.raises(
            ConstantColumn, match=re.escape(f"Column 'warn' never varies ({value:g} in all 412 rows)")
        ) as caught:
            fit()
        assert caught.value.columns == ("warn",)


def test_a_column_that_varies_by_rounding_alone_is_constant(columns: np.ndarray) -> None:
    columns[:, 1] = 0.3
    columns[::2, 1] = 0.1 + 0.2
    with pytest.raises(ConstantColumn, match="'warn'"):
        standardize(["affirm", "warn", "question"], columns, ROWS)


def test_a_rare_flag_is_not_constant_and_a_far_year_is_not_aliased(columns: np.ndarray) -> None:
    columns[:, 0] = 0
    columns[7, 0] = 1
    columns[:, 1] = 2_000_000 + np.arange(ROWS) * 1e-3
    standard = standardize(["flag", "year", "question"], columns, ROWS)
    assert standard.z.mean(axis=0) == pytest.approx([0] * 3, abs=1e-7)
    assert standard.z.std(axis=0) == pytest.approx([1] * 3)
    assert standard.center + standard.spread * standard.z[5] == pytest.approx(columns[5])


def test_an_aliased_column_is_named_with_what_it_follows_from(
    ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray
) -> None:
    columns[:, 2] = 100 - 3 * columns[:, 0]
    for fit in fits(ratings, columns, clusters):
        with pytest.raises(AliasedColumn, match="'question' follows exactly from 'affirm': leave") as caught:
            fit()
        assert caught.value.columns == ("question",)


def test_shares_that_add_up_to_one_need_a_reference() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(21), size=ROWS)
    names = [f"code{i}" for i in range(21)]
    with pytest.raises(AliasedColumn, match=r"'code20' follows exactly from 'code0', .*'code19'.*reference"):
        standardize(names, shares, ROWS)
    assert standardize(names[:20], shares[:, :20], ROWS).names == tuple(names[:20])


def test_columns_that_are_nearly_the_same_stay(columns: np.ndarray) -> None:
    columns[:, 2] = columns[:, 0] + 1e-4 * columns[:, 2]
    standardize(["affirm", "warn", "question"], columns, ROWS)


def test_gaps_are_counted(ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray) -> None:
    columns[[4, 9], 1] = np.nan
    for fit in fits(ratings, columns, clusters):
        with pytest.raises(Gaps, match=r"Column 'warn' has no value in row 5 .2 gaps"):
            fit()
    ratings[[2, 3, 5]] = np.nan
    for fit in fits(ratings, columns, clusters):
        with pytest.raises(Gaps, match=r"outcome has no value in row 3 .3 gaps"):
            fit()


def test_shapes(ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray) -> None:
    with pytest.raises(BadShape, match=re.escape("(412, 2), but it is (412, 3)")):
        standardize(["a", "b"], columns, ROWS)
    with pytest.raises(BadShape, match=r"412 outcomes and clusters of shape .411"):
        cluster_codes(clusters[1:], ROWS)
    with pytest.raises(BadShape, match="at least one row"):
        check_outcome(np.zeros(0))
    with pytest.raises(BadShape, match="too few"):
        wild_bootstrap(ratings[:6], ["a", "b", "c", "d", "e"], np.eye(6)[:, :5], np.arange(6), "a")


def test_all_ratings_the_same(columns: np.ndarray, clusters: np.ndarray) -> None:
    for fit in fits(np.full(ROWS, 5.0), columns, clusters):
        with pytest.raises(SingleCategory, match="All 412 outcomes are 5"):
            fit()


def test_levels() -> None:
    ratings = np.array([5.0, 1, 3, 5])
    codes, levels = level_codes(ratings)
    assert (codes.tolist(), levels) == ([2, 0, 1, 2], (1, 3, 5))
    with pytest.raises(EmptyLevel, match=r"No row has 2, 4: .* the 3 levels that occur .1, 3, 5."):
        level_codes(ratings, [1, 2, 3, 4, 5])
    with pytest.raises(EmptyLevel, match="Row 1 has 5, but the levels are 1, 2, 3"):
        level_codes(ratings, [3, 2, 1])


@pytest.mark.parametrize(("sign", "way"), [(1, "rises"), (-1, "falls")])
def test_a_separating_column_is_named(
    sign: int, way: str, ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray
) -> None:
    columns[:, 1] = sign * (ratings + np.random.default_rng(0).random(ROWS))
    for fit in fits(ratings, columns, clusters)[1:3]:
        with pytest.raises(Separation, match=f"Column 'warn' {way} from each level") as caught:
            fit()
        assert caught.value.columns == ("warn",)


def test_a_flag_of_the_top_level_alone_separates_and_one_of_the_middle_does_not(
    ratings: np.ndarray, columns: np.ndarray
) -> None:
    columns[:, 1] = 0
    columns[np.flatnonzero(ratings == 5)[:3], 1] = 1
    with pytest.raises(Separation, match="'warn'"):
        fit_ordinal(ratings, ["affirm", "warn", "question"], columns)
    columns[:, 1] = 0
    columns[np.flatnonzero(ratings == 3)[:3], 1] = 1
    fit = fit_ordinal(ratings, ["affirm", "warn", "question"], columns)
    assert abs(fit.coefficients[1]) < 3


@pytest.mark.parametrize("rare", [False, True])
def test_columns_that_separate_only_together_are_named(rare: bool, ratings: np.ndarray, columns: np.ndarray) -> None:
    random = np.random.default_rng(4)
    if rare:
        # Both flags or none tell nothing; one alone is in the top level, the other alone in the bottom one.
        columns[:, :2] = (random.random(ROWS) < 0.2)[:, None]
        columns[np.flatnonzero(ratings == 5)[:3], :2] = [1, 0]
        columns[np.flatnonzero(ratings == 1)[:3], :2] = [0, 1]
    else:
        columns[:, 1] = ratings - columns[:, 0] + 0.5 * random.random(ROWS)
    standard = standardize(["affirm", "warn", "question"], columns, ROWS)
    refuse_separating(standard, level_codes(ratings)[0])
    with pytest.raises(Separation, match="together") as caught:
        fit_ordinal(ratings, ["affirm", "warn", "question"], columns)
    assert caught.value.columns == ("affirm", "warn")


def test_clusters_are_any_labels() -> None:
    assert cluster_codes(["b", "a", "b"], 3).codes.tolist() == [1, 0, 1]
    assert cluster_codes(np.array(["b", "a", "b"], dtype=object), 3).sizes.tolist() == [1, 2]
    assert cluster_codes(np.array([7.0, 7, 3]), 3).codes.tolist() == [1, 1, 0]
    with pytest.raises(Gaps, match=r"Row 2 has no cluster .1 such rows"):
        cluster_codes(np.array(["b", None, "b"], dtype=object), 3)
    with pytest.raises(Gaps, match="Row 3 has no cluster"):
        cluster_codes(np.array([1.0, 2, np.nan]), 3)


def test_one_cluster_and_few(ratings: np.ndarray, columns: np.ndarray) -> None:
    one, four = np.zeros(ROWS), np.arange(ROWS) % 4
    for clusters, count in ((one, r"1 cluster|one cluster"), (four, "4 clusters")):
        for fit in fits(ratings, columns, clusters):
            with pytest.raises(TooFewClusters, match=count):
                fit()


def test_as_many_coefficients_as_clusters_have_no_clustered_errors() -> None:
    seven = cluster_codes(np.arange(70) % 7, 70)
    check_clustered_errors(seven, 6)
    with pytest.raises(TooFewClusters, match="7 clusters are too few for clustered standard errors of 7 coefficients"):
        check_clustered_errors(seven, 7)


def test_every_conversation_its_own_counselor(ratings: np.ndarray, columns: np.ndarray) -> None:
    for fit in fits(ratings, columns, np.arange(ROWS))[::2]:
        with pytest.raises(TooFewClusters, match="Only 0 of 412 clusters have two rows or more"):
            fit()
    nine = np.concatenate([np.repeat(np.arange(9), 2), np.arange(9, 60)])
    with pytest.raises(TooFewClusters, match="Only 9 of 60"):
        check_random_intercept(cluster_codes(nine, len(nine)))
    check_random_intercept(cluster_codes(np.append(nine, 9), len(nine) + 1))


def test_no_variance_between_clusters(columns: np.ndarray) -> None:
    # In every cluster the same outcomes: less alike than by chance.
    outcome = np.repeat([1.0, 2, 3, 4], 103)
    clusters = np.arange(ROWS) % 103
    for fit in fits(outcome, columns, clusters)[::2]:
        with pytest.raises(NoClusterVariance, match=r"between the 103 clusters is estimated as 0.* clustered"):
            fit()


def test_an_outcome_that_follows_from_the_columns(columns: np.ndarray, clusters: np.ndarray) -> None:
    with pytest.raises(ExactFit, match="follows exactly"):
        fit_random_intercept(columns @ [1, 2, 3], ["a", "b", "c"], columns, clusters)
    with pytest.raises(ExactFit, match="without 'c'"):
        wild_bootstrap(columns @ [1, 2, 0], ["a", "b", "c"], columns, clusters, "c")


def test_an_outcome_of_the_counselor(columns: np.ndarray, clusters: np.ndarray) -> None:
    with pytest.raises(ModelProblem, match=r"within clusters|columns and clusters"):
        fit_random_intercept(np.sin(clusters), ["a", "b", "c"], columns, clusters)


def test_codes_named_as_functions_of_formulas(ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray) -> None:
    assert fit_ordinal(ratings, ["C", "Q", "I"], columns, clusters).names == ("C", "Q", "I")
    assert fit_random_intercept(ratings, ["C", "Q", "I"], columns, clusters).names == ("C", "Q", "I")
