"""Figures checked against hand-worked cases."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mi_coder.evaluation.metrics import (
    Confusion,
    brier,
    calibration_error,
    calibration_gaps,
    exact_matches,
    macro,
    per_code,
    share,
)

NAN = np.nan


def test_counts_and_figures_of_one_code() -> None:
    # Known: 3 positives (2 found), 3 negatives (1 given wrongly). Unknown: 2, of which 1 given; they count nowhere.
    truth = np.array([[1], [1], [1], [0], [0], [0], [NAN], [NAN]])
    predicted = np.array([[True], [True], [False], [True], [False], [False], [True], [False]])
    (score,) = per_code(["OQ"], truth, predicted)
    assert (score.positives, score.negatives, score.predicted) == (3, 3, 3)
    assert score.precision == pytest.approx(2 / 3)
    assert score.recall == pytest.approx(2 / 3)
    assert score.f1 == pytest.approx(4 / 6)
    assert np.isnan(score.f1_low)


@pytest.mark.parametrize(
    ("truth", "predicted", "figures"),
    [
        pytest.param([0, 0], [False, False], (NAN, NAN, NAN), id="neither applies nor given"),
        pytest.param([0, 0], [True, False], (NAN, NAN, NAN), id="no positive known"),
        pytest.param([1, 0], [False, False], (NAN, 0, 0), id="never given"),
        pytest.param([1, 1], [True, False], (NAN, 0.5, NAN), id="no negative known"),
        pytest.param([NAN, NAN], [True, False], (NAN, NAN, NAN), id="nothing known"),
    ],
)
def test_undefined_figures_are_nan(
    truth: list[float], predicted: list[bool], figures: tuple[float, float, float]
) -> None:
    (score,) = per_code(["OQ"], np.array([truth]).T, np.array([predicted]).T)
    np.testing.assert_equal([score.precision, score.recall, score.f1], figures)


def test_cells_of_messages_add_up_to_what_is_known() -> None:
    truth = np.array([[1, NAN], [0, 1]])
    cells = Confusion.of_messages(truth, np.array([[True, True], [True, False]])).cells
    assert cells.shape == (2, 4, 2)
    assert cells.sum(axis=(0, 1)).tolist() == [2, 1]


def test_macro_leaves_out_rare_and_undefined_codes() -> None:
    values = np.array([0.2, 0.8, NAN, 1.0])
    assert macro(values, np.array([True, True, True, False])) == pytest.approx(0.5)
    assert np.isnan(macro(values, np.array([False, False, True, False])))


def test_exact_match_counts_complete_messages_only() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 0], [1, NAN]])
    predicted = np.array([[True, False], [True, True], [False, False], [True, False]])
    matches = exact_matches(truth, predicted)
    assert matches.tolist() == [[True, True], [False, True], [True, True], [False, False]]
    assert share(matches.sum(axis=0)) == pytest.approx(2 / 3)


def of_one_code(truth: NDArray[np.float64], probability: NDArray[np.float64], bins: int = 15) -> float:
    return float(calibration_error(calibration_gaps(truth, probability, bins).sum(axis=0)))


def test_calibration_error_by_hand() -> None:
    # Two bins of two: mean probability 0.15 against 0.5 observed, 0.85 against 0.5.
    truth = np.array([0.0, 1.0, 0.0, 1.0])
    probability = np.array([0.1, 0.2, 0.8, 0.9])
    assert of_one_code(truth, probability, bins=2) == pytest.approx(0.35)
    assert brier(truth, probability) == pytest.approx((0.01 + 0.64 + 0.64 + 0.01) / 4)


def test_calibration_error_does_not_depend_on_the_order_of_ties() -> None:
    truth, probability = np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5)
    one, other = (of_one_code(truth[order], probability, bins=2) for order in ([0, 2, 1, 3], [0, 1, 2, 3]))
    assert one == other


@pytest.mark.parametrize("levels", [[0.1, 0.3, 0.5, 0.7, 0.9], [0.5], [0.05, 0.95]])
def test_calibrated_probabilities_of_few_levels_have_little_calibration_error(levels: list[float]) -> None:
    chance = np.random.default_rng(1)
    probability = chance.choice(levels, 3000)
    truth = (chance.random(3000) < probability).astype(float)
    assert of_one_code(truth, probability) < 0.03


def test_calibration_error_of_summed_gaps() -> None:
    truth, probability = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.8, 0.1])
    gaps = calibration_gaps(truth, probability, bins=2)
    assert gaps[:, -1].tolist() == [1, 1, 1, 1]
    assert np.flatnonzero(gaps[:, 0]).tolist() == [1, 3] and np.flatnonzero(gaps[:, 1]).tolist() == [0, 2]
    twice = np.stack([gaps.sum(axis=0), gaps[:2].sum(axis=0), np.zeros(3)])
    assert calibration_error(twice) == pytest.approx([0.85, 0.85, NAN], nan_ok=True)


def test_calibration_has_15_bins_of_equally_many_messages() -> None:
    gaps = calibration_gaps(np.zeros(45), np.linspace(0.01, 0.99, 45))
    assert [np.count_nonzero(one) for one in gaps[:, :-1].T] == [3] * 15


def test_perfect_probabilities_have_no_calibration_error() -> None:
    truth = np.array([0.0, 1.0] * 30)
    assert of_one_code(truth, truth) == 0
