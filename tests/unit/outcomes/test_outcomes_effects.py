"""Effects and their sensitivity: by hand, on MIBOT against stored figures, and where the truth is known."""

import csv
import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trials.matching import PLACEBO, UNMATCHED, seekers, summaries
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.balance import balance
from mi_coder.outcomes.guards import Gaps, TooFewClusters
from mi_coder.outcomes.match_effect import (
    ADJUSTED,
    MATCHED,
    REGRESSION,
    WEIGHTED,
    WEIGHTED_ADJUSTED,
    att_weights,
    matched_effect,
    regression_effect,
    weighted_effect,
)
from mi_coder.outcomes.matching import Pairs, match_pairs
from mi_coder.outcomes.propensity import Propensity, fit_propensity
from mi_coder.outcomes.sensitivity import e_value, pair_differences, placebo_effect, rosenbaum_bounds

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

MIBOT_NAMES = ("importance", "confidence", "readiness", "heaviness", "quit_attempt", "daily")


@pytest.fixture(scope="module")
def mibot(shared: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariates before, MICO share above the median, and change of confidence."""
    table = shared / "mibot" / "data.csv"
    if not table.is_file():
        pytest.skip("MIBOT is not among the shared corpora: no file mibot/data.csv")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> np.ndarray:
        return np.array([float({"True": 1, "False": 0}.get(row[name], row[name])) for row in rows])

    kinds = ("R", "Q", "MICO", "MIIN", "Other")
    share = 10 * column("AutoMISC_MICO") / sum(column(f"AutoMISC_{kind}") for kind in kinds)
    before = ["PreRulerImportance", "PreRulerConfidence", "PreRulerReadiness"]
    before += ["HeavinessOfSmokingIndex", "PreConvoQuitAttempt", "DailyNum"]
    change = column("PostRulerConfidence") - column("PreRulerConfidence")
    return np.column_stack([column(name) for name in before]), share > np.median(share), change


@pytest.fixture(scope="module")
def mibot_score(mibot) -> Propensity:
    covariates, treated, _ = mibot
    return fit_propensity(MIBOT_NAMES, covariates, treated)


@pytest.fixture(scope="module")
def mibot_pairs(mibot, mibot_score: Propensity) -> Pairs:
    return match_pairs(mibot_score.logit, mibot[1])


def test_mibot_propensity(mibot, mibot_score: Propensity) -> None:
    assert int(mibot[1].sum()) == 52
    assert mibot_score.coefficients == pytest.approx(
        [0.5865618, 0.0730877, -0.0294253, -0.0276398, -0.0512176, -0.2521940, -0.0465330], abs=1e-6
    )


def test_mibot_pairs_and_difference(mibot, mibot_pairs: Pairs) -> None:
    assert (len(mibot_pairs), len(mibot_pairs.dropped)) == (39, 13)
    assert mibot_pairs.caliper == pytest.approx(0.0907, abs=5e-5)
    effect = matched_effect(mibot[2], mibot_pairs)
    assert (effect.method, effect.rows, effect.df) == (MATCHED, 78, 38)
    assert (effect.estimate, effect.se) == pytest.approx((-0.1538462, 0.372602), abs=1e-6)
    assert pair_differences(mibot[2], mibot_pairs).mean() == pytest.approx(effect.estimate)


def test_mibot_adjusted_effect_and_e_value(mibot, mibot_pairs: Pairs) -> None:
    covariates, _, change = mibot
    effect = matched_effect(change, mibot_pairs, MIBOT_NAMES, covariates)
    assert (effect.method, effect.left_out) == (ADJUSTED, ())
    assert (effect.estimate, effect.se) == pytest.approx((-0.206085, 0.413911), abs=1e-6)
    strength = e_value(effect, float(change.std(ddof=1)))
    assert (strength.d, strength.estimate) == pytest.approx((-0.1026, 1.4256), abs=5e-5)
    assert strength.limit == 1


def test_mibot_balance_fails(mibot, mibot_pairs: Pairs) -> None:
    covariates, treated, _ = mibot
    result = balance(MIBOT_NAMES, covariates, treated, mibot_pairs.weights(len(treated)))
    before, after = ([getattr(row, when).smd for row in result.covariates] for when in ("before", "after"))
    assert before == pytest.approx([0.046464, 0.058117, -0.064016, -0.340188, -0.055556, -0.401646], abs=1e-6)
    # The fifth, of 0 and 1, by sqrt(p (1 - p)) as before matching; by the sample formula it is -.165056.
    assert after == pytest.approx([0.129437, -0.098292, -0.063512, -0.018306, -0.166667, 0.003279], abs=1e-6)
    assert result.failing == ("importance", "quit_attempt")


def test_mibot_rosenbaum_bounds(mibot, mibot_pairs: Pairs) -> None:
    none, half, double = rosenbaum_bounds(pair_differences(mibot[2], mibot_pairs), (1, 1.5, 2))
    assert (none.low, none.high) == pytest.approx((0.6617, 0.6617), abs=5e-5)
    assert (half.low, half.high) == pytest.approx((0.2864, 0.9215), abs=5e-5)
    assert (double.low, double.high) == pytest.approx((0.1018, 0.9845), abs=5e-5)


def test_mibot_placebo(mibot, mibot_pairs: Pairs) -> None:
    covariates, treated, _ = mibot
    effect = placebo_effect(covariates[:, 1], treated, mibot_pairs)
    assert effect.low < 0 < effect.high
    others = [0, 2, 3, 4, 5]
    names = [MIBOT_NAMES[i] for i in others]
    assert placebo_effect(covariates[:, 1], treated, mibot_pairs, names, covariates[:, others]).method == ADJUSTED
    with pytest.raises(UsageProblem, match="0 whatever the data"):
        placebo_effect(covariates[:, 1], treated, mibot_pairs, MIBOT_NAMES, covariates)


def test_where_the_truth_is_known_adjusting_finds_it_and_the_plain_difference_does_not() -> None:
    results = {summary.method: summary for summary in summaries(40)}
    assert abs(results[UNMATCHED].bias) > 0.4
    assert results[UNMATCHED].coverage < 0.6
    for method in (MATCHED, ADJUSTED, WEIGHTED, WEIGHTED_ADJUSTED, REGRESSION, PLACEBO):
        assert abs(results[method].bias) < 0.12, method
        assert results[method].coverage >= 0.88, method
        assert results[method].mean_se > 0.8 * results[method].deviation, method


def pairs_of(count: int) -> Pairs:
    return Pairs(np.arange(count), np.arange(count, 2 * count), 0.1, np.array([], dtype=np.intp))


def test_the_matched_error_is_that_of_the_paired_differences() -> None:
    outcome = np.random.default_rng(1).normal(size=24)
    effect = matched_effect(outcome, pairs_of(12))
    differences = outcome[:12] - outcome[12:]
    # statsmodels corrects by G / (G - 1) and (n - 1) / (n - k); the paired t test by the first alone.
    paired = differences.std(ddof=1) / math.sqrt(12)
    assert effect.estimate == pytest.approx(differences.mean())
    assert effect.se == pytest.approx(paired * math.sqrt(23 / 22))
    assert effect.high - effect.estimate == pytest.approx(2.200985 * effect.se, rel=1e-6)


def sandwich(design: np.ndarray, weights: np.ndarray, residuals: np.ndarray, groups: np.ndarray | None = None) -> float:
    """Variance of the second coefficient from the scores of rows, or of their sums in groups."""
    bread = np.linalg.inv(design.T @ (weights[:, None] * design))
    scores = design * (weights * residuals)[:, None]
    if groups is not None:
        scores = np.array([scores[groups == group].sum(axis=0) for group in np.unique(groups)])
    return float((bread @ scores.T @ scores @ bread)[1, 1])


def test_robust_errors_by_hand() -> None:
    covariates, treated, change = seekers(3)
    design = np.column_stack([np.ones(900), treated, covariates])
    ones = np.ones(900)
    hat = np.einsum("ij,jk,ik->i", design, np.linalg.inv(design.T @ design), design)
    residuals = change - design @ np.linalg.lstsq(design, change, rcond=None)[0]
    by_regression = regression_effect(change, treated, ("a", "b", "c"), covariates)
    assert by_regression.se**2 == pytest.approx(sandwich(design, ones, residuals / (1 - hat)))

    score = fit_propensity(("a", "b", "c"), covariates, treated)
    weights, design = att_weights(score, treated), design[:, :2]
    means = [np.average(change[group], weights=weights[group]) for group in (~treated, treated)]
    residuals = change - np.where(treated, means[1], means[0])
    assert weighted_effect(change, treated, score).se ** 2 == pytest.approx(
        sandwich(design, weights, residuals) * 900 / 898
    )


def test_the_two_way_variance_is_at_least_each_of_the_two_it_is_made_of() -> None:
    taken = set()
    treated, pair = np.repeat([1.0, 0.0], 20), np.tile(np.arange(20), 2)
    design, ones = np.column_stack([np.ones(40), treated]), np.ones(40)
    for seed in range(12):
        random = np.random.default_rng(seed)
        counselor = random.integers(8, size=40)
        shared = (seed % 3 - 1) * np.where(treated, 1, -1) * random.normal(size=8)[counselor]
        outcome = random.normal(size=40) + shared
        residuals = outcome - np.where(treated, outcome[:20].mean(), outcome[20:].mean())
        groups = (pair, counselor, 100 * pair + counselor)
        counts = [len(np.unique(group)) for group in groups]
        parts = [
            sandwich(design, ones, residuals, group) * count / (count - 1) * 39 / 38
            for group, count in zip(groups, counts, strict=True)
        ]
        options = {"pair": parts[0], "counselor": parts[1], "both": parts[0] + parts[1] - parts[2]}
        taken.add(max(options, key=options.__getitem__))
        effect = matched_effect(outcome, pairs_of(20), counselors=[f"c{i}" for i in counselor])
        assert effect.se**2 == pytest.approx(max(options.values()), rel=1e-6), options
    assert taken == {"pair", "counselor", "both"}


def test_counselors_make_the_error_no_smaller() -> None:
    random = np.random.default_rng(6)
    counselors = [str(i % 10) for i in range(80)]
    outcome = random.normal(size=80) + np.repeat([1, 0], 40) * np.tile(random.normal(size=10), 8)
    plain = matched_effect(outcome, pairs_of(40))
    both = matched_effect(outcome, pairs_of(40), counselors=counselors)
    assert both.estimate == plain.estimate
    assert both.se > 1.1 * plain.se
    assert (plain.df, both.df, both.errors) == (39, 9, "clustered by pair and counselor")
    with pytest.raises(TooFewClusters, match="of 2 counselors"):
        matched_effect(outcome, pairs_of(40), counselors=["a", "b"] * 40)


def test_five_counselors_are_enough() -> None:
    random = np.random.default_rng(2)
    outcome, covariate, treated = random.normal(size=40), random.normal(size=(40, 1)), np.arange(40) < 20
    four, five = ([f"c{i % count}" for i in range(40)] for count in (4, 5))
    assert matched_effect(outcome, pairs_of(20), counselors=five).df == 4
    assert regression_effect(outcome, treated, ["x"], covariate, five).df == 4
    with pytest.raises(TooFewClusters, match="of 4 counselors"):
        matched_effect(outcome, pairs_of(20), counselors=four)
    with pytest.raises(TooFewClusters, match="of 4 counselors"):
        regression_effect(outcome, treated, ["x"], covariate, four)


def test_too_few_pairs_and_gaps_are_refused() -> None:
    with pytest.raises(TooFewClusters, match="4 pairs are too few"):
        matched_effect(np.arange(8.0), pairs_of(4))
    with pytest.raises(Gaps, match=r"no value in row 3 \(1 gaps"):
        matched_effect(np.array([1, 2, np.nan, *range(9)]), pairs_of(6))


def test_covariates_without_variance_in_pairs_are_left_out_and_named() -> None:
    random = np.random.default_rng(9)
    outcome, x = random.normal(size=40), random.normal(size=40)
    columns = np.column_stack([x, np.full(40, 0.1), 2 * x + 1])
    effect = matched_effect(outcome, pairs_of(20), ("x", "same", "twice"), columns)
    alone = matched_effect(outcome, pairs_of(20), ("x",), x[:, None])
    assert effect.left_out == ("same", "twice")
    assert (effect.estimate, effect.se) == pytest.approx((alone.estimate, alone.se))


def test_att_weights_give_the_weighted_mean_difference() -> None:
    covariates, treated, change = seekers(1)
    score = fit_propensity(("a", "b", "c"), covariates, treated)
    odds = score.score / (1 - score.score)
    assert att_weights(score, treated) == pytest.approx(np.where(treated, 1, odds))
    wanted = change[treated].mean() - np.average(change[~treated], weights=odds[~treated])
    assert weighted_effect(change, treated, score).estimate == pytest.approx(wanted)
    result = balance(("a", "b", "c"), covariates, treated, att_weights(score, treated))
    assert result.passed


def test_change_and_score_after_give_one_regression_effect() -> None:
    covariates, treated, change = seekers(2)
    by_change = regression_effect(change, treated, ("a", "b", "c"), covariates)
    by_after = regression_effect(change + covariates[:, 0], treated, ("a", "b", "c"), covariates)
    assert (by_change.estimate, by_change.se) == pytest.approx((by_after.estimate, by_after.se))


@pytest.mark.parametrize("gamma", [1.0, 1.5, 2.0])
def test_rosenbaum_bounds_are_near_those_of_every_assignment(gamma: float) -> None:
    differences = np.array([1, -2, 3, 4, -5, 6, 7, 8, 9, -10, 11, 12, 13, 14])
    signs = np.array(list(product([0, 1], repeat=14)))
    ranks = np.arange(1, 15)
    # At the bounds each treated row has the greater outcome with the chance 1 / (1 + gamma) or gamma / (1 + gamma).
    # What has just the observed statistic counts half, since the bounds are not corrected for continuity.
    above = signs @ ranks - ranks[differences > 0].sum()
    extreme = (above > 0) + 0.5 * (above == 0)
    exact = []
    for chance in (1 / (1 + gamma), gamma / (1 + gamma)):
        exact.append(float(np.where(signs == 1, chance, 1 - chance).prod(axis=1) @ extreme))
    (bound,) = rosenbaum_bounds(differences, (gamma,))
    assert (bound.low, bound.high) == pytest.approx(exact, abs=0.02)


def test_rosenbaum_bounds_by_direction() -> None:
    differences = np.array([3.0, 1, -2, 4, 0, 5])
    greater, less = (rosenbaum_bounds(differences, (1, 2), way) for way in ("greater", "less"))
    assert greater[0].low == pytest.approx(1 - less[0].low)
    assert greater[1].low < greater[0].low < greater[1].high
    with pytest.raises(UsageProblem, match="No pair differs"):
        rosenbaum_bounds(np.zeros(5))
    with pytest.raises(UsageProblem, match="1 or above"):
        rosenbaum_bounds(differences, (0.5,))


def test_e_values_of_a_difference_by_hand() -> None:
    effect = replace(matched_effect(np.arange(24.0), pairs_of(12)), estimate=-1.0, low=-1.5, high=-0.5)
    strength = e_value(effect, 2.0)
    for d, value in ((0.5, strength.estimate), (0.25, strength.limit)):
        ratio = math.exp(0.91 * d)
        assert value == pytest.approx(ratio + math.sqrt(ratio * (ratio - 1)))
    assert strength.d == -0.5
    mirrored = e_value(replace(effect, estimate=1.0, low=0.5, high=1.5), 2.0)
    assert (mirrored.estimate, mirrored.limit) == (strength.estimate, strength.limit)
    with pytest.raises(UsageProblem, match="above 0"):
        e_value(effect, 0.0)
