"""Calibration finds what the logits were distorted by; thresholds and review shares do what they say."""

import math

import numpy as np
import pytest

from mi_coder.conversation import Coding
from mi_coder.tagger.config import Head, Platt
from mi_coder.tagger.decoding import confidence
from mi_coder.training.calibrate import (
    best_threshold,
    calibrated_heads,
    expected_f1_threshold,
    fit_platt,
    review_below,
    set_cuts,
)

RANDOM = np.random.default_rng(7)


def drawn(slope: float, offset: float, size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    logits = RANDOM.normal(0, 2, size)
    truth = (RANDOM.random(size) < 1 / (1 + np.exp(-(slope * logits + offset)))).astype(float)
    return logits, truth


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, -1.5), (2.5, 0.7)])
def test_known_distortion_is_recovered(slope: float, offset: float) -> None:
    platt = fit_platt(*drawn(slope, offset))
    assert platt.slope == pytest.approx(slope, rel=0.08)
    assert platt.offset == pytest.approx(offset, abs=0.1)


def test_the_slope_stays_positive_where_logits_point_the_wrong_way() -> None:
    logits, truth = drawn(1.0, 0.0, 500)
    assert 0 < fit_platt(-logits, truth).slope < 0.2


def test_perfectly_separated_logits_stay_finite() -> None:
    logits = np.concatenate([np.full(50, -3.0), np.full(50, 3.0)])
    platt = fit_platt(logits, (logits > 0).astype(float))
    assert 1 < platt.slope < 20
    assert abs(platt.offset) < 1e-6


def test_too_few_cases_only_undo_the_weight_of_positives() -> None:
    logits, truth = np.linspace(-2, 2, 60), np.zeros(60)
    truth[-19:] = 1
    assert fit_platt(logits, truth, Platt(1.2, -0.5)) == Platt(1.2, -0.5)


def test_unknown_entries_have_no_part_in_calibration() -> None:
    logits, truth = drawn(0.5, 0.3, 2000)
    padded_logits = np.concatenate([logits, np.full(1000, 50.0)])[:, None]
    padded_truth = np.concatenate([truth, np.full(1000, math.nan)])[:, None]
    trained = np.array([True])
    head = calibrated_heads(padded_logits, padded_truth, np.zeros(1), trained, codes=1)
    assert head == calibrated_heads(logits[:, None], truth[:, None], np.zeros(1), trained, codes=1)


def test_attributes_keep_one_half_and_untrained_heads_say_so() -> None:
    logits, truth = drawn(1.0, -3.0, 3000)
    both = np.stack([logits, logits], axis=1)
    code, attribute = calibrated_heads(
        both, np.stack([truth, truth], axis=1), np.ones(2), np.array([True, False]), codes=1
    )
    assert code.threshold != 0.5
    assert (attribute.threshold, attribute.trained) == (0.5, False)
    assert code.calibration == attribute.calibration


def attribute(logits: np.ndarray, truth: np.ndarray) -> bool:
    both = [np.stack([array, array], axis=1) for array in (logits, truth)]
    return calibrated_heads(*both, np.zeros(2), np.array([True, True]), codes=1)[1].trained


def test_an_attribute_that_does_not_beat_its_more_frequent_value_is_not_given() -> None:
    truth = np.array([1.0, 0.0, 0.0, 0.0] * 30)
    useful, useless = np.where(truth == 1, 2.0, -2.0), np.full(120, -2.0)
    assert attribute(useful, truth)
    assert not attribute(useless, truth)
    assert not attribute(np.concatenate([useful, useful[:40]]), np.full(160, np.nan))
    assert not attribute(-useful, truth)
    assert attribute(np.append(useful, 9.0), np.append(truth, np.nan))


def test_a_code_is_given_all_the_same() -> None:
    truth = np.array([1.0, 0.0, 0.0, 0.0] * 30)[:, None]
    [code] = calibrated_heads(np.full((120, 1), -2.0), truth, np.zeros(1), np.array([True]), codes=1)
    assert code.trained


def test_threshold_maximizes_f1_and_shrinks() -> None:
    probability = np.array([0.9, 0.8, 0.4, 0.3, 0.1] * 40)
    truth = np.array([1, 1, 1, 0, 0] * 40, dtype=float)
    assert best_threshold(probability, truth) == pytest.approx((120 * 0.35 + 10 * 0.5) / 130)
    assert best_threshold(probability[:5], truth[:5]) == pytest.approx((3 * 0.35 + 10 * 0.5) / 13)


def test_few_positives_draw_the_threshold_to_the_prior() -> None:
    probability, truth = np.array([0.9, 0.8, 0.4, 0.3, 0.1]), np.array([1.0, 1, 1, 0, 0])
    assert best_threshold(probability, truth, prior=0.2) == pytest.approx((3 * 0.35 + 10 * 0.2) / 13)
    assert best_threshold(probability, np.zeros(5), prior=0.2) == 0.2


def test_the_threshold_of_a_hard_code_is_half_the_f1_that_it_can_reach() -> None:
    probability = np.sort(RANDOM.beta(0.3, 4, 50_000))
    threshold = expected_f1_threshold(probability)
    given = probability >= threshold
    assert threshold == pytest.approx(probability[given].sum() / (given.sum() + probability.sum()), abs=0.002)
    assert expected_f1_threshold(np.array([])) == 0.5


def test_equal_probabilities_are_not_torn_apart() -> None:
    probability = np.array([0.6, 0.6, 0.6, 0.2])
    truth = np.array([1.0, 0.0, 1.0, 0.0])
    assert best_threshold(probability, truth) == pytest.approx((2 * 0.4 + 5) / 12)


@pytest.mark.parametrize("truth", [np.zeros(5), np.ones(5), np.zeros(0)])
def test_threshold_without_both_kinds_is_one_half(truth: np.ndarray) -> None:
    assert best_threshold(np.linspace(0, 1, len(truth)), truth) == 0.5


def test_a_fifth_of_the_messages_goes_to_review() -> None:
    codings = [Coding(("OQ",), {"OQ": p, "CQ": q}) for p, q in RANDOM.random((1000, 2))]
    below = review_below(codings)
    assert sum(confidence(one.scores, one.codes) < below for one in codings) == 200


def test_messages_without_a_sure_code_count_in_that_fifth() -> None:
    forced = [Coding(("OQ",), {"OQ": 0.4}, review=True)] * 150
    codings = forced + [Coding(("OQ",), {"OQ": p}) for p in np.linspace(0.5, 1, 850)]
    below = review_below(codings)
    assert sum(one.review or confidence(one.scores, one.codes) < below for one in codings) == 200


def alone(probability: float, code: str = "OQ") -> Coding:
    return Coding((code,), {code: probability, "CQ": 0.99})


def test_the_cut_is_the_score_at_the_rank_that_the_coverage_asks_for() -> None:
    codings = [alone(tenth / 10) for tenth in (4, 9, 2, 6, 1, 8, 3, 7, 5)]
    truth = np.tile([1.0, 0.0], (9, 1))
    # Ranks of nine messages: floor(10 * 0.2) = 2, floor(10 * 0.1) = 1, floor(10 * 0.05) = 0.
    assert set_cuts(codings, truth, ["OQ", "CQ"]) == {"0.8": 0.2, "0.9": 0.1, "0.95": 0.0}
    assert set_cuts(codings[:8], truth[:8], ["OQ", "CQ"]) == {"0.8": 0.1, "0.9": 0.0, "0.95": 0.0}


def test_a_message_counts_with_its_least_likely_right_code_and_only_if_all_its_codes_are_known() -> None:
    codes = ["OQ", "CQ", "SU"]
    codings = [Coding(("OQ",), {"OQ": 0.9, "CQ": 0.6}) for _ in range(4)]
    both, one, unknown = [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, np.nan]
    assert set_cuts(codings, np.array([one] * 4), codes)["0.8"] == 0.9
    assert set_cuts(codings, np.array([one, one, one, both]), codes)["0.8"] == 0.6
    assert set_cuts(codings, np.array([one, one, one, unknown]), codes)["0.8"] == 0.0
    assert set_cuts([*codings, codings[0]], np.array([one, one, one, one, unknown]), codes)["0.8"] == 0.9


def test_what_a_model_knew_before_holds_where_dev_tells_too_little() -> None:
    known, unknown = np.repeat([0.0, 1.0], 30), np.full(60, np.nan)
    truth = np.column_stack([known, np.where(np.arange(60) < 5, 1.0, 0.0), unknown, unknown])
    logits = np.random.default_rng(2).normal(0, 2, truth.shape)
    old = [Head(Platt(0.5, -1.0), 0.3), Head(Platt(0.5, -1.0), 0.3), Head(Platt(0.5, -1.0), 0.3), Head(Platt(2.0, 0.1))]
    usable = np.array([True, True, False, False])
    many, few, nothing, attribute = calibrated_heads(logits, truth, np.zeros(4), usable, 3, old)
    assert many.calibration != old[0].calibration
    assert few == old[1]
    assert nothing == old[2]
    assert attribute == old[3]
    never = [Head(Platt(0.5, -1.0), 0.3, trained=False)] * 4
    assert calibrated_heads(logits, truth, np.zeros(4), usable, 3, never) == calibrated_heads(
        logits, truth, np.zeros(4), usable, 3
    )


def test_a_hard_kind_of_messages_lowers_the_cut_for_all_where_it_has_a_hundred() -> None:
    easy, hard = [alone(0.5 + step / 1000) for step in range(300)], [alone(step / 1000) for step in range(100)]
    kinds, codes = ["easy"] * 300 + ["hard"] * 100, ["OQ", "CQ"]
    truth = np.tile([1.0, 0.0], (400, 1))
    # Ranks: floor(401 * 0.2) = 80 of all, floor(101 * 0.2) = 20 of the hard ones.
    assert set_cuts([*easy, *hard], truth, codes)["0.8"] == 0.079
    assert set_cuts([*easy, *hard], truth, codes, kinds)["0.8"] == 0.019
    assert set_cuts([*easy, *hard[:99]], truth[:399], codes, kinds[:399])["0.8"] == 0.079


def test_the_cut_keeps_its_promise_in_other_draws_of_the_groups() -> None:
    """Of ten conversations of 30 messages one has all that is hard: some resamples have it twice or more often."""
    codings = [alone(0.5 + step / 1000) for step in range(270)] + [alone(step / 1000) for step in range(30)]
    truth, codes = np.tile([1.0, 0.0], (300, 1)), ["OQ", "CQ"]
    groups = [f"c{row // 30}" for row in range(300)]
    assert set_cuts(codings, truth, codes)["0.9"] == 0.029
    # The hard one comes at least three times in 7 % of resamples, four times in 1 %: 3 * n of 300 may be below, n = 10.
    assert set_cuts(codings, truth, codes, groups=groups)["0.9"] == 0.01
    # Where every message is a group of its own, chance between messages alone is left.
    each = [str(row) for row in range(300)]
    assert 0.015 < set_cuts(codings, truth, codes, groups=each)["0.9"] < 0.029
    assert set_cuts(codings, truth, codes, groups=["one"] * 300)["0.9"] == 0.029


def test_the_groups_are_those_of_a_kind_and_of_messages_whose_codes_are_all_known() -> None:
    """The hard kind comes last and alone has groups that differ; a message with an unknown code counts nowhere."""
    easy = [alone(0.9) for _ in range(150)]
    hard = [alone(0.5 + step / 1000) for step in range(270)] + [alone(step / 1000) for step in range(30)]
    unknown = [alone(0.001) for _ in range(150)]
    truth = np.array([[1.0, 0.0]] * 150 + [[1.0, np.nan]] * 150 + [[1.0, 0.0]] * 300)
    kinds = ["easy"] * 150 + ["hard"] * 450
    groups = [f"e{row}" for row in range(150)] + ["u"] * 150 + [f"h{row // 30}" for row in range(300)]
    assert set_cuts([*easy, *unknown, *hard], truth, ["OQ", "CQ"], kinds, groups)["0.9"] == 0.01


def test_kinds_and_groups_are_those_of_the_messages() -> None:
    codings, truth = [alone(0.3)] * 4, np.zeros((4, 2))
    with pytest.raises(ValueError, match="3 kinds of 4 messages"):
        set_cuts(codings, truth, ["OQ", "CQ"], ["a"] * 3)
    with pytest.raises(ValueError, match="3 groups of 4 messages"):
        set_cuts(codings, truth, ["OQ", "CQ"], groups=["a"] * 3)


def test_a_right_code_that_is_never_given_has_the_probability_zero() -> None:
    codings = [alone(0.7)] * 4
    assert set_cuts(codings, np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]]), ["OQ", "WA"])["0.8"] == 0.0


def test_any_set_holds_all_codes_of_a_message_without_codes() -> None:
    assert set_cuts([alone(0.3)] * 4, np.zeros((4, 2)), ["OQ", "CQ"])["0.8"] == 1.0


def test_without_messages_every_code_is_possible() -> None:
    assert set_cuts([], np.zeros((0, 1)), ["OQ"]) == {"0.8": 0.0, "0.9": 0.0, "0.95": 0.0}
