"""Models of outcomes do not depend on units, on the order of rows, or on names of counselors."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.multiplicity import q_values
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap

NAMES = ("a", "b")
SEEDS = st.integers(0, 2**32)
SCALES = st.tuples(*[st.floats(1e-6, 1e6)] * 2).map(np.array)
SHIFTS = st.tuples(*[st.floats(-20, 20)] * 2).map(np.array)
P_VALUES = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=30).map(np.array)


def sample(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, ratings, columns, counselors."""
    random = np.random.default_rng(seed)
    counselors = int(random.integers(12, 25))
    clusters = np.repeat(np.arange(counselors), random.integers(2, 12, counselors))
    columns = random.normal(size=(len(clusters), 2))
    outcome = columns @ [0.5, -0.3] + random.normal(size=counselors)[clusters] + random.normal(size=len(clusters))
    ratings = 1.0 + ((outcome + random.logistic(size=len(clusters)))[:, None] > [-1, 0, 1.5]).sum(axis=1)
    return outcome, ratings, columns, clusters


def changed(seed: int, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An order of rows, and other names of the counselors in it."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(clusters))
    names = np.array([f"counselor {i}" for i in random.permutation(clusters.max() + 1)])
    return order, names[clusters][order]


@given(SEEDS, SCALES, SHIFTS)
def test_random_intercept(seed: int, scale: np.ndarray, shift: np.ndarray) -> None:
    outcome, _, columns, clusters = sample(seed)
    order, names = changed(seed, clusters)
    moved = (columns[order] + shift) * scale
    try:
        one = fit_random_intercept(outcome, NAMES, columns, clusters)
    except ModelProblem:
        assume(False)
    two = fit_random_intercept(10 * outcome[order] + 7, NAMES, moved, names)
    np.testing.assert_allclose(two.coefficients[1:] * scale, 10 * one.coefficients[1:], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(two.se[1:] * scale, 10 * one.se[1:], rtol=1e-6)
    np.testing.assert_allclose([two.icc, two.sigma2], [one.icc, 100 * one.sigma2], rtol=1e-6)
    degrees = one.rows - 3
    expected = one.log_likelihood - degrees * np.log(10) - np.log(scale).sum()
    np.testing.assert_allclose(two.log_likelihood, expected, rtol=1e-9, atol=1e-6)


@given(SEEDS, SCALES, SHIFTS)
def test_ordinal(seed: int, scale: np.ndarray, shift: np.ndarray) -> None:
    _, ratings, columns, clusters = sample(seed)
    order, names = changed(seed, clusters)
    one = fit_ordinal(ratings, NAMES, columns, clusters)
    two = fit_ordinal(10 * ratings[order], NAMES, (columns[order] + shift) * scale, names)
    np.testing.assert_allclose(two.coefficients * scale, one.coefficients, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(two.se * scale, one.se, rtol=1e-6)
    np.testing.assert_allclose(two.thresholds, one.thresholds + one.coefficients @ shift, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(two.log_likelihood, one.log_likelihood, rtol=1e-9)
    assert two.levels == tuple(10 * level for level in one.levels)


@given(SEEDS)
def test_ordinal_turned_around(seed: int) -> None:
    _, ratings, columns, clusters = sample(seed)
    one = fit_ordinal(ratings, NAMES, columns, clusters)
    two = fit_ordinal(-ratings, NAMES, columns, clusters)
    np.testing.assert_allclose(two.coefficients, -one.coefficients, atol=1e-8)
    np.testing.assert_allclose(two.thresholds, -one.thresholds[::-1], atol=1e-8)
    np.testing.assert_allclose(two.se, one.se, rtol=1e-6)


@given(SEEDS, SCALES, SHIFTS)
def test_ordinal_random(seed: int, scale: np.ndarray, shift: np.ndarray) -> None:
    _, ratings, columns, clusters = sample(seed)
    order, names = changed(seed, clusters)
    try:
        one = fit_ordinal_random(ratings, NAMES, columns, clusters)
    except ModelProblem:
        assume(False)
    two = fit_ordinal_random(ratings[order], NAMES, (columns[order] + shift) * scale, names)
    np.testing.assert_allclose(two.coefficients * scale, one.coefficients, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(two.se * scale, one.se, rtol=1e-5)
    np.testing.assert_allclose([two.sd, two.log_likelihood], [one.sd, one.log_likelihood], rtol=1e-5)


@given(SEEDS, SCALES, SHIFTS)
def test_wild_bootstrap(seed: int, scale: np.ndarray, shift: np.ndarray) -> None:
    outcome, _, columns, clusters = sample(seed)
    few = clusters % 7
    order, names = changed(seed, few)
    one = wild_bootstrap(outcome, NAMES, columns, few, "a")
    two = wild_bootstrap(10 * outcome[order] + 7, NAMES, (columns[order] + shift) * scale, names, "a")
    np.testing.assert_allclose([two.t, two.se * scale[0]], [one.t, 10 * one.se], rtol=1e-6, atol=1e-9)
    assert two.p == one.p
    assert one.p * 64 == int(one.p * 64) >= 1


@given(P_VALUES, SEEDS, st.sampled_from(["bh", "by"]))
def test_adjusted(p: np.ndarray, seed: int, method: str) -> None:
    q = q_values(p, method)  # type: ignore[arg-type]
    known = ~np.isnan(p)
    assert (np.isnan(q) == ~known).all()
    assert (q[known] >= p[known]).all()
    assert (q[known] <= 1).all()
    assert (np.diff(q[known][np.argsort(p[known], kind="stable")]) >= 0).all()
    order = np.random.default_rng(seed).permutation(len(p))
    np.testing.assert_array_equal(q_values(p[order], method), q[order])  # type: ignore[arg-type]
