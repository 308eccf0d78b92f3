"""Greedy pairs against a plain search, and balance against figures worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.balance import balance
from mi_coder.outcomes.matching import match_pairs


def plain_search(logit: np.ndarray, treated: np.ndarray, caliper: float, within: list[str]) -> dict[int, int]:
    """The same rule with every distance worked out."""
    width = caliper * logit.std(ddof=1)
    left = [int(row) for row in np.flatnonzero(~treated)]
    found = {}
    for row in sorted(map(int, np.flatnonzero(treated)), key=lambda row: (-logit[row], row)):
        near = [(abs(logit[other] - logit[row]), other) for other in left if within[other] == within[row]]
        near = [pair for pair in near if pair[0] <= width]
        if near:
            found[row] = min(near)[1]
            left.remove(found[row])
    return found


@given(
    rows=st.lists(st.tuples(st.integers(-12, 12), st.booleans(), st.sampled_from("ab")), min_size=4, max_size=60),
    caliper=st.sampled_from([0.05, 0.2, 1.0, 50.0]),
    split=st.booleans(),
)
def test_the_quick_search_finds_the_pairs_of_the_plain_one(rows, caliper: float, split: bool) -> None:
    # Whole numbers over 4 give many ties, and exact distances.
    logit = np.array([row[0] / 4 for row in rows])
    treated = np.array([row[1] for row in rows])
    within = [row[2] if split else "" for row in rows]
    wanted = plain_search(logit, treated, caliper, within)
    if not wanted:
        with pytest.raises(UsageProblem, match="No treated row"):
            match_pairs(logit, treated, caliper=caliper, within=within if split else None)
        return
    pairs = match_pairs(logit, treated, caliper=caliper, within=within if split else None)
    assert dict(zip(pairs.treated.tolist(), pairs.untreated.tolist(), strict=True)) == wanted
    assert pairs.dropped.tolist() == sorted(set(np.flatnonzero(treated).tolist()) - set(wanted))


def test_order_and_caliper_by_hand() -> None:
    logit = np.array([2.0, 1.0, 1.9, 0.9, -3])
    treated = np.array([True, True, False, False, False])
    pairs = match_pairs(logit, treated)
    assert (pairs.treated.tolist(), pairs.untreated.tolist()) == ([0, 1], [2, 3])
    assert pairs.caliper == pytest.approx(0.2 * logit.std(ddof=1))
    assert pairs.rows.tolist() == [0, 1, 2, 3]
    assert pairs.pair.tolist() == [0, 1, 0, 1]
    assert pairs.weights(5).tolist() == [1, 1, 1, 1, 0]


def test_a_distance_of_just_the_caliper_is_near_enough_and_ties_go_to_the_first_row() -> None:
    logit = np.array([1.0, 0.0, -1.0])
    pairs = match_pairs(logit, np.array([False, True, False]), caliper=1.0)
    assert (pairs.caliper, pairs.untreated.tolist()) == (1.0, [0])


def test_the_highest_score_chooses_first() -> None:
    # Row 1 is nearer to the only untreated row in reach, but row 0 chooses before it.
    logit = np.array([1.2, 1.05, 1.0, -1, -1])
    treated = np.array([True, True, False, False, False])
    pairs = match_pairs(logit, treated, caliper=0.25)
    assert (pairs.treated.tolist(), pairs.untreated.tolist(), pairs.dropped.tolist()) == ([0], [2], [1])


def test_a_large_sample_is_matched_completely() -> None:
    random = np.random.default_rng(8)
    logit = random.normal(size=100_000)
    treated = random.random(100_000) < 0.2
    pairs = match_pairs(logit, treated)
    assert len(pairs) + len(pairs.dropped) == treated.sum()
    assert len(pairs) > 0.99 * treated.sum()
    assert len(np.unique(pairs.untreated)) == len(pairs)
    assert np.abs(logit[pairs.treated] - logit[pairs.untreated]).max() <= pairs.caliper


@pytest.mark.parametrize("caliper", [0, -1, math.nan])
def test_a_caliper_must_be_above_zero(caliper: float) -> None:
    with pytest.raises(UsageProblem, match="above 0"):
        match_pairs(np.arange(4.0), np.array([True, False, True, False]), caliper=caliper)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(UsageProblem, match="same rows"):
        match_pairs(np.arange(4.0), np.array([True, False, True, False]), within=["a"])


TREATED = np.array([True, True, True, False, False, False, False])


def test_balance_by_hand() -> None:
    score = np.array([1.0, 2, 3, 1, 2, 9, 3])
    flag = np.array([1.0, 0, 1, 0, 0, 1, 1])
    weights = np.array([1.0, 1, 1, 1, 1, 0, 1])
    result = balance(("score", "flag"), np.column_stack([score, flag]), TREATED, weights)
    first, second = result.covariates
    assert first.before.smd == pytest.approx((2 - 15 / 4) / 1)
    assert first.before.variance_ratio == pytest.approx(1 / np.var([1, 2, 9, 3], ddof=1))
    assert first.before.ks == pytest.approx(1 / 4)
    assert (first.after.smd, first.after.variance_ratio, first.after.ks) == pytest.approx((0, 1, 0))
    # Two of three treated rows have the flag: its standard deviation is sqrt(2 / 9), before and after.
    assert second.before.smd == pytest.approx((2 / 3 - 1 / 2) / math.sqrt(2 / 9))
    assert second.after.smd == pytest.approx((2 / 3 - 1 / 3) / math.sqrt(2 / 9))
    assert math.isnan(second.after.variance_ratio)
    assert (result.passed, result.failing) == (False, ("flag",))
    assert "fails on 1 of 2 covariates (SMD flag +0.707" in result.sentence()


def test_the_treated_standard_deviation_is_fixed_before_matching() -> None:
    score = np.array([0.0, 10, 20, 9, 11, 50, 60])
    weights = np.array([0.0, 1, 1, 1, 1, 0, 0])
    (row,) = balance(("score",), score[:, None], TREATED, weights).covariates
    assert row.after.smd == pytest.approx((15 - 10) / 10)


def test_balance_that_holds_says_so() -> None:
    score = np.array([1.0, 2, 3, 1, 2, 9, 3])
    result = balance(("score",), score[:, None], TREATED, np.array([1.0, 1, 1, 1, 1, 0, 1]))
    assert result.passed
    assert result.sentence().startswith("Balance is reached")


def test_a_gap_of_the_threshold_itself_fails() -> None:
    score = np.array([0.0, 1, 2, 0, 1, 2, 0.75])
    weights = np.ones(7)
    (row,) = balance(("score",), score[:, None], TREATED, weights).covariates
    assert row.after.smd == 0.0625
    assert balance(("score",), score[:, None], TREATED, weights, threshold=0.0625).failing == ("score",)


def test_a_covariate_that_treated_rows_share_is_infinitely_far() -> None:
    score = np.array([1.0, 1, 1, 0, 1, 1, 1])
    (row,) = balance(("score",), score[:, None], TREATED, np.ones(7)).covariates
    assert row.after.smd == math.inf
    assert balance(("score",), score[:, None], TREATED, np.array([1.0, 1, 1, 0, 1, 1, 1])).passed


def test_weights_must_fit() -> None:
    score = np.arange(7.0)[:, None]
    with pytest.raises(UsageProblem, match="numbers of at least 0"):
        balance(("score",), score, TREATED, np.full(7, -1.0))
    with pytest.raises(UsageProblem, match="at least two rows"):
        balance(("score",), score, TREATED, np.array([1.0, 0, 0, 1, 1, 1, 1]))
