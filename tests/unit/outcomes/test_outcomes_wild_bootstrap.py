"""The wild cluster bootstrap."""

import itertools
import math

import numpy as np
import pytest

from mi_coder.errors import UnknownName
from mi_coder.outcomes import wild_bootstrap as of_wild_bootstrap
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap

NAMES = ("a", "b", "c")
SIZES = [5, 9, 4, 12, 7, 6]


def sample(seed: int, sizes: list[int] = SIZES, effect: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    columns = random.normal(size=(len(clusters), 3)) + random.normal(size=(len(sizes), 3))[clusters]
    outcome = effect * columns[:, 1] + random.normal(size=len(clusters)) + random.normal(size=len(sizes))[clusters]
    return outcome, columns, clusters


def clustered_fit(outcome: np.ndarray, design: np.ndarray, clusters: np.ndarray, i: int) -> tuple[float, float]:
    """Estimate and clustered error of coefficient `i`, by definition."""
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ outcome
    scores = design * (outcome - design @ coefficients)[:, None]
    totals = np.array([scores[clusters == g].sum(axis=0) for g in np.unique(clusters)])
    groups, (rows, width) = len(totals), design.shape
    factor = groups / (groups - 1) * (rows - 1) / (rows - width)
    return coefficients[i], math.sqrt(factor * (inverse @ totals.T @ totals @ inverse)[i, i])


@pytest.mark.parametrize("null", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_bootstrap_by_building_every_sample(seed: int, null: float) -> None:
    outcome, columns, clusters = sample(seed)
    design = np.column_stack([np.ones(len(outcome)), columns])
    restricted = np.delete(design, 2, axis=1)
    shifted = outcome - null * columns[:, 1]
    fitted = restricted @ np.linalg.lstsq(restricted, shifted, rcond=None)[0]
    statistics = []
    for signs in itertools.product([1.0, -1.0], repeat=len(SIZES)):
        drawn = null * columns[:, 1] + fitted + np.array(signs)[clusters] * (shifted - fitted)
        estimate, se = clustered_fit(drawn, design, clusters, 2)
        statistics.append(abs(estimate - null) / se)
    test = wild_bootstrap(outcome, NAMES, columns, clusters, "b", null)
    estimate, se = clustered_fit(outcome, design, clusters, 2)
    assert (test.estimate, test.se, test.t) == pytest.approx((estimate, se, (estimate - null) / se))
    assert test.p == np.mean(np.array(statistics) >= statistics[0] * (1 - 1e-9))
    assert (test.draws, test.exhaustive, test.clusters) == (64, True, 6)


def test_where_not_all_signs_are_drawn_the_seed_decides_and_little() -> None:
    outcome, columns, clusters = sample(1, sizes=[6] * 12, effect=0.3)
    every = wild_bootstrap(outcome, NAMES, columns, clusters, "b")
    assert (every.exhaustive, every.draws) == (True, 4096)
    drawn = [wild_bootstrap(outcome, NAMES, columns, clusters, "b", draws=4000, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert not drawn[0].exhaustive
    for test in drawn:
        assert abs(test.p - every.p) < 4 * math.sqrt(every.p * (1 - every.p) / 4000) + 1 / 4000
        assert round(test.p * 4001) == pytest.approx(test.p * 4001)


@pytest.mark.parametrize(("draws", "exhaustive"), [(64, True), (63, False)])
def test_all_signs_are_used_where_they_are_no_more_than_the_draws(draws: int, exhaustive: bool) -> None:
    outcome, columns, clusters = sample(1)
    test = wild_bootstrap(outcome, NAMES, columns, clusters, "b", draws=draws)
    assert (test.exhaustive, test.draws) == (exhaustive, draws)


def test_how_many_draws_are_worked_on_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, columns, clusters = sample(1, sizes=[6] * 20, effect=0.0)
    expected = wild_bootstrap(outcome, NAMES, columns, clusters, "b", draws=399)
    assert 0.1 < expected.p < 0.9
    monkeypatch.setattr(of_wild_bootstrap, "BATCH", 10)
    assert wild_bootstrap(outcome, NAMES, columns, clusters, "b", draws=399) == expected


def test_opposite_questions() -> None:
    outcome, columns, clusters = sample(2)
    test = wild_bootstrap(outcome, NAMES, columns, clusters, "b")
    other = wild_bootstrap(-outcome, NAMES, columns, clusters, "b")
    assert (other.estimate, other.t, other.p) == pytest.approx((-test.estimate, -test.t, test.p))


@pytest.mark.parametrize("counselors", [6, 10])
def test_a_true_null_is_rejected_as_often_as_said_where_plain_errors_reject_too_often(counselors: int) -> None:
    random = np.random.default_rng(7)
    rejected = plain = 0
    trials = 400
    for _ in range(trials):
        clusters = np.repeat(np.arange(counselors), random.integers(5, 45, counselors))
        column = (random.normal(size=counselors)[clusters] + random.normal(size=len(clusters))) / math.sqrt(2)
        outcome = 0.5 * random.normal(size=counselors)[clusters] + random.normal(size=len(clusters))
        test = wild_bootstrap(outcome, ["x"], column[:, None], clusters, "x", draws=1024)
        rejected += test.p <= 0.05
        plain += abs(test.t) > 1.96
    assert 0.03 <= rejected / trials <= 0.08
    assert plain / trials > 0.12


def test_an_unknown_column() -> None:
    outcome, columns, clusters = sample(1)
    with pytest.raises(UnknownName, match="no column 'B'"):
        wild_bootstrap(outcome, NAMES, columns, clusters, "B")
