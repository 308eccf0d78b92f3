"""Simulated studies: the presets and the matched comparison find the coefficients that the data were made with.

`python benchmarks/study_oracles.py` runs 200 studies per design; 30 studies here are held to the same limits. Those in
Monte-Carlo errors and the binomial ones of single coefficients widen with fewer studies by themselves; the shares over
all coefficients of a design, of intervals that hold and of significant ones under the null, may miss their limits by
2.5 Monte-Carlo errors of so many tests.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.study_oracles import missed, nulls, recovered, single_limits
from tests.study_trials import Trials

STUDIES = 30


def test_presets_find_the_coefficients_of_the_published_studies() -> None:
    assert missed(recovered(STUDIES), nulls(STUDIES), slack=2.5) == []


@pytest.fixture(scope="module")
def right() -> Trials:
    """Estimates without bias in any coefficient, and intervals of which 95 % hold."""
    truth = np.arange(-10, 10) / 50
    estimate = truth[:, None] + 0.1 * np.asarray(stats.norm.ppf((np.arange(200) + 0.5) / 200))
    names = tuple(f"b{i}" for i in range(20))
    return Trials("made", names, truth, np.ones(20, dtype=bool), estimate, estimate - 0.196, estimate + 0.196)


def test_limits_are_met_where_nothing_is_wrong(right: Trials) -> None:
    null = replace(right, low=right.low - right.truth[:, None], high=right.high - right.truth[:, None])
    assert missed([right], [null]) == []
    assert single_limits(200) == (179, 198)


def test_a_small_bias_is_seen(right: Trials) -> None:
    moved = replace(right, estimate=right.estimate + 0.02)
    assert any("coefficients are off by" in each for each in missed([moved], []))
    one = right.estimate.copy()
    one[3] += 0.04
    assert any(each.startswith("made, b3: off by") for each in missed([replace(right, estimate=one)], []))


def test_intervals_that_are_too_narrow_or_too_wide_are_seen(right: Trials) -> None:
    for width, what in (
        (0.15, "made: share of intervals that hold is 0.8"),
        (0.26, "made: share of intervals that hold is 0.99"),
    ):
        off = replace(right, low=right.estimate - width, high=right.estimate + width)
        assert any(each.startswith(what) for each in missed([off], []))
    low = right.low.copy()
    low[5] = right.estimate[5] - 0.1
    assert any(each.startswith("made, b5:") for each in missed([replace(right, low=low)], []))


def test_too_many_significant_null_coefficients_are_seen(right: Trials) -> None:
    assert any(each.startswith("made: share significant under the null") for each in missed([right], [right]))
