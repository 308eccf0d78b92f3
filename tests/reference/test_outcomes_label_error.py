"""Simulated studies: what the tagger's errors do to naive estimates, and that the corrected ones hold.

`python benchmarks/label_error.py` runs 200 studies per scenario against the limits of 200; 40 studies here have limits
that are wider by 2.5 Monte-Carlo errors of 40 studies, taking the codes of a study for one draw.
"""

import math

import numpy as np
import pytest

from benchmarks.label_error import LIMITS
from benchmarks.trials.label_error import METHODS, Family, Trials, trials

STUDIES = 40


def _wider(share: float) -> float:
    return 2.5 * math.sqrt(share * (1 - share) / STUDIES / 3)


@pytest.mark.parametrize(("family", "differential"), [("linear", True), ("ordinal", True), ("linear", False)])
def test_corrected_intervals_hold_and_naive_ones_do_not(family: Family, differential: bool) -> None:
    found = trials(family, differential, STUDIES, truth_chats=100_000)
    limits = LIMITS[family, differential]
    low, high = limits.corrected_coverage
    assert found.failed == 0
    assert low - _wider(low) <= found.coverage("corrected") <= min(high + _wider(high), 1)
    assert found.rejection("corrected") <= limits.corrected_rejection + _wider(limits.corrected_rejection)
    if differential:
        assert found.coverage("naive") < limits.naive_coverage + _wider(limits.naive_coverage)
        assert found.rejection("naive") > limits.naive_rejection - _wider(limits.naive_rejection)
    assert found.width("corrected") < found.width("gold_only")


def test_figures_of_trials_are_those_of_hand_made_ones() -> None:
    shape = (len(METHODS), 13, 2)
    estimate, truth = np.zeros(shape), np.zeros(13)
    low, high = np.full(shape, -1.0), np.full(shape, 1.0)
    low[0, 0, 0] = 0.5
    low[0, 7, :] = 0.5
    made = Trials(estimate, low, high, truth)
    assert made.coverage("naive") == pytest.approx(13 / 14) and made.coverage("corrected") == 1
    assert made.rejection("naive") == pytest.approx(2 / 12) and made.rejection("gold_only") == 0
    assert made.failed == 0
    low[:, :, 1] = np.nan
    assert made.failed == 1 and made.coverage("naive") == pytest.approx(6 / 7)
