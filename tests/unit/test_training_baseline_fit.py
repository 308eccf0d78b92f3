"""The TF-IDF baseline learns from what is known."""

import math

import numpy as np
import pytest

from mi_coder.evaluation.baseline import Baseline
from mi_coder.training.baseline_fit import Labeled, fit_baseline

CODES = ("OQ", "SU", "WA")
TEXTS = [
    "how was your day?",
    "that sounds hard",
    "what happened then?",
    "so sorry to hear it",
    "how come?",
    "i am here",
] * 8
TRUTH = np.array([[1, 0, 0], [0, 1, 0]] * 24, dtype=float)
NEW = ["how did it go?", "that sounds so hard", "", "zzz", "What then?"]


@pytest.fixture(scope="module")
def fitted() -> Baseline:
    return fit_baseline(CODES, Labeled(TEXTS, TRUTH), Labeled(TEXTS[:12], TRUTH[:12]))


def test_it_learns_and_never_gives_an_untrained_code(fitted: Baseline) -> None:
    probability = fitted.probabilities(NEW)
    assert probability.shape == (5, 3)
    assert fitted.predict(NEW)[:2].tolist() == [[True, False, False], [False, True, False]]
    assert np.isnan(probability[:, 2]).all()
    assert fitted.trained.tolist() == [True, True, False]


def test_rows_of_unknown_truth_teach_nothing(fitted: Baseline) -> None:
    noise = np.full((20, 3), math.nan)
    noise[:, 2] = 0
    texts = ["how was your day?"] * 20
    more = Labeled(TEXTS + texts, np.concatenate([TRUTH, noise]))
    confused = Labeled(TEXTS + texts, np.concatenate([TRUTH, np.tile([0.0, 1.0, 0.0], (20, 1))]))
    dev = Labeled(TEXTS[:12], TRUTH[:12])
    masked = fit_baseline(CODES, more, dev).probabilities(["how was your day?"])
    assert masked[0, 0] == pytest.approx(fitted.probabilities(["how was your day?"])[0, 0], abs=0.1)
    assert fit_baseline(CODES, confused, dev).probabilities(["how was your day?"])[0, 0] < masked[0, 0] - 0.2
