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

from benchmarks.study_oracles import SCALES, missed, nulls, recovered, single_limits
from benchmarks.trials.presets import TABLE_4, Scale, Trials, matched, treated_periods, yang
from mi_coder.outcomes.study.match import run_matching
from mi_coder.outcomes.study.spec import Covariate, Data, Matching, Outcome, Study

STUDIES = 30


def test_presets_find_the_coefficients_of_the_published_studies() -> None:
    assert missed(recovered(STUDIES), nulls(STUDIES), slack=2.5) == []


@pytest.mark.parametrize("scale", SCALES)
def test_coefficients_are_exact_where_nearly_all_is_explained(scale: Scale) -> None:
    for found in (yang(scale, 2, noise=1e-3), matched(scale, 2, noise=1e-3)):
        assert abs(found.estimate - found.truth[:, None]).max() < 5e-4


def test_a_standardized_score_before_is_not_taken_twice() -> None:
    given = Covariate(field="before", transform="standardize")
    study = Study(
        data=Data(counselor="", client="client_id"),
        outcomes=(Outcome(name="score", type="change", before="before", after="after"),),
        matching=Matching(treated="treated", covariates=("age", given)),
    )
    found = run_matching(study, chats=treated_periods(TABLE_4["PHQ-2"], seed=1)).random_effects
    assert found is not None and list(found["term"]) == ["treated", "before (per sd)", "treated x before", "age"]


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
