"""Coefficients of agreement: published worked examples, other libraries, and what must hold for any counts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.annotation.coefficients import (
    Nominal,
    alpha,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    mean_cohen_kappa,
    specific_agreement,
)

# Krippendorff 2011, Computing Krippendorff's Alpha-Reliability: section A (Meg and Owen, binary), B (Ben and Gerry,
# nominal) and C (four observers, nominal, missing codings). Gwet 2014, Handbook of Inter-Rater Reliability, 4th
# edition, page 120, has the data of C, too; README of his R package irrCAC 1.0 gives the coefficients.
MEG_OWEN = ["0100000010", "1110010000"]
BEN_GERRY = ["aabbdcccedda", "babbbccceddd"]
FOUR_OBSERVERS = [
    "123321412...",
    "1233224125..",
    ".33323422513",
    "12332441251.",
]

# Fleiss 1971, table 1: 30 patients, 6 psychiatrists each, 5 diagnoses.
FLEISS = [
    *(["444444", "222555", "233335", "555555", "222444", "113333", "333355", "113334", "114444", "555555"]),
    *(["144444", "124444", "222333", "144444", "224445", "333335", "111455", "111112", "224444", "133555"]),
    *(["555555", "244444", "224555", "114444", "144445", "222224", "111155", "224444", "133333", "555555"]),
]

# irrCAC 1.0, README: distrib.6raters, the first 15 patients of Fleiss.
FIRST_PATIENTS = FLEISS[:15]

# Cohen 1960, table 2: 200 subjects, two judges, three categories.
COHEN = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# Gwet's pregnancies by two abstractors (irrCAC 1.0, README: cont3x3abstractors).
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
# Feinstein and Cicchetti 1990, the paradox of kappa: equal agreement, other prevalences.
BALANCED = [[40, 9], [6, 45]]
UNBALANCED = [[80, 10], [5, 5]]


def table(coders: list[str], values: str) -> np.ndarray:
    """[units, values] counts from one string per coder."""
    return np.array([[sum(c[u] == v for c in coders) for v in values] for u in range(len(coders[0]))], dtype=float)


def by_unit(units: list[str], values: str) -> np.ndarray:
    """[units, values] counts from one string per unit."""
    return np.array([[unit.count(value) for value in values] for unit in units], dtype=float)


def of_joint(joint: list[list[int]]) -> np.ndarray:
    """[units, values] counts of two coders from how often they gave one unit each two values."""
    size = len(joint)
    rows = []
    for i in range(size):
        for j in range(size):
            rows += [np.eye(size)[i] + np.eye(size)[j]] * joint[i][j]
    return np.array(rows)


def test_alpha_of_the_published_examples() -> None:
    assert alpha(table(MEG_OWEN, "01")) == pytest.approx(0.095, abs=5e-4)
    assert alpha(table(BEN_GERRY, "abcde")) == pytest.approx(0.692, abs=5e-4)
    assert alpha(table(FOUR_OBSERVERS, "12345")) == pytest.approx(0.743, abs=5e-4)
    assert alpha(of_joint(ABSTRACTORS)) == pytest.approx(0.7972585, abs=5e-8)
    assert alpha(by_unit(FIRST_PATIENTS, "12345")) == pytest.approx(0.4204384, abs=5e-8)


def test_alpha_with_distances_of_the_published_example() -> None:
    """Krippendorff 2011, section D: interval data, distances are squared differences."""
    values = np.arange(1, 6)
    assert alpha(table(FOUR_OBSERVERS, "12345"), np.subtract.outer(values, values) ** 2.0) == pytest.approx(
        0.849, abs=5e-4
    )


def test_fleiss_kappa_of_the_published_examples() -> None:
    assert by_unit(FLEISS, "12345").sum(axis=0).tolist() == [26, 26, 30, 55, 43]
    assert fleiss_kappa(by_unit(FLEISS, "12345")) == pytest.approx(0.430, abs=5e-4)
    assert fleiss_kappa(by_unit(FIRST_PATIENTS, "12345")) == pytest.approx(0.4139265, abs=5e-8)
    assert fleiss_kappa(table(FOUR_OBSERVERS, "12345")) == pytest.approx(0.76117, abs=5e-6)


def test_ac1_of_the_published_examples() -> None:
    assert gwet_ac1(of_joint(ABSTRACTORS)) == pytest.approx(0.8493305, abs=5e-8)
    assert gwet_ac1(by_unit(FIRST_PATIENTS, "12345")) == pytest.approx(0.4448007, abs=5e-8)
    assert gwet_ac1(table(FOUR_OBSERVERS, "12345")) == pytest.approx(0.77544, abs=5e-6)


def test_cohen_kappa_of_the_published_examples() -> None:
    assert cohen_kappa(np.array(COHEN)) == pytest.approx(0.492, abs=5e-4)
    assert cohen_kappa(np.array(ABSTRACTORS)) == pytest.approx(0.7964094, abs=5e-8)
    assert cohen_kappa(np.array([BALANCED, UNBALANCED])) == pytest.approx([0.70, 0.32], abs=5e-3)
    assert mean_cohen_kappa(np.array([BALANCED, UNBALANCED, [[0, 0], [0, 9]]])) == pytest.approx(0.51, abs=5e-3)


def test_positive_and_negative_agreement_tell_the_paradox_apart() -> None:
    """Cicchetti and Feinstein 1990: twice the cell of agreement over the sum of the two margins."""
    for joint in (BALANCED, UNBALANCED):
        (both, one), (other, neither) = joint
        assert specific_agreement(of_joint(joint), 0) == pytest.approx(2 * both / (2 * both + one + other))
        assert specific_agreement(of_joint(joint), 1) == pytest.approx(2 * neither / (2 * neither + one + other))
    assert specific_agreement(of_joint(UNBALANCED), 1) == pytest.approx(0.40)


def test_disagreement_is_negative() -> None:
    opposite = of_joint([[0, 5], [5, 0]])
    assert alpha(opposite) == pytest.approx(1 - 19 * 20 / 200)
    assert fleiss_kappa(opposite) == -1
    assert gwet_ac1(opposite) == -1
    assert cohen_kappa(np.array([[0, 5], [5, 0]])) == -1
    assert specific_agreement(opposite, 0) == 0


@pytest.mark.filterwarnings("error")
def test_what_cannot_be_told_is_nan() -> None:
    nothing, lonely, same = np.zeros((0, 2)), np.array([[1.0, 0], [0, 1]]), np.array([[2.0, 0], [3, 0]])
    for counts in (nothing, lonely, same):
        assert math.isnan(alpha(counts))
        assert math.isnan(fleiss_kappa(counts))
        assert math.isnan(specific_agreement(counts, 1))
    assert math.isnan(gwet_ac1(nothing))
    assert math.isnan(gwet_ac1(lonely))
    assert gwet_ac1(same) == 1
    assert specific_agreement(same, 0) == 1
    assert math.isnan(cohen_kappa(np.array([[7, 0], [0, 0]])))
    assert math.isnan(mean_cohen_kappa(np.zeros((0, 2, 2))))


# [coders, units] of values 0 to 2, or missing.
codings = st.integers(2, 5).flatmap(
    lambda coders: st.lists(
        st.lists(st.sampled_from([0, 1, 2, None]), min_size=coders, max_size=coders), min_size=1, max_size=15
    )
)
Codings = list[list[int | None]]


def counts_of(units: Codings) -> np.ndarray:
    return np.array([[unit.count(value) for value in range(3)] for unit in units], dtype=float)


@given(codings)
def test_alpha_as_the_library_krippendorff(units: Codings) -> None:
    krippendorff = pytest.importorskip("krippendorff")
    counts = counts_of(units)
    pairable = counts[counts.sum(axis=1) > 1]
    if (pairable.sum(axis=0) > 0).sum() > 1:
        expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal", value_domain=[0, 1, 2])
        assert alpha(counts) == pytest.approx(expected)
    else:
        assert math.isnan(alpha(counts))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_cohen_kappa_as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    joint = np.zeros((3, 3))
    for first, second in pairs:
        joint[first, second] += 1
    if len({value for pair in pairs for value in pair}) > 1:
        assert cohen_kappa(joint) == pytest.approx(metrics.cohen_kappa_score(*zip(*pairs, strict=True)))
    else:
        assert math.isnan(cohen_kappa(joint))


@given(codings)
def test_nominal_alpha_is_the_alpha_of_equal_distances(units: Codings) -> None:
    counts = counts_of(units)
    assert Nominal.of_counts(counts).alpha() == pytest.approx(alpha(counts), nan_ok=True)


@given(codings, st.randoms())
def test_the_order_of_units_and_coders_does_not_count(units: Codings, random: object) -> None:
    turned = [unit[::-1] for unit in units]
    random.shuffle(turned)  # type: ignore[attr-defined]
    for coefficient in (alpha, fleiss_kappa, gwet_ac1):
        assert coefficient(counts_of(turned)) == pytest.approx(coefficient(counts_of(units)), nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(2, 5)), min_size=2, max_size=15))
def test_full_agreement_is_one(units: list[tuple[int, int]]) -> None:
    counts = np.array([np.eye(3)[value] * coders for value, coders in units])
    if len({value for value, _ in units}) > 1:
        assert alpha(counts) == 1
        assert fleiss_kappa(counts) == pytest.approx(1)
    assert gwet_ac1(counts) == pytest.approx(1)


@given(codings)
def test_no_coefficient_is_above_one(units: Codings) -> None:
    for coefficient in (alpha, fleiss_kappa, gwet_ac1):
        value = coefficient(counts_of(units))
        assert math.isnan(value) or value <= 1 + 1e-12
