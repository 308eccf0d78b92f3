"""Intervals over conversations."""

import numpy as np
import pytest

from mi_coder.evaluation import bootstrap
from mi_coder.evaluation.bootstrap import draws, interval, resampled


def test_totals_are_sums_of_whole_conversations() -> None:
    # Conversation 0 sums to 3, conversation 1 to 10: two draws give 6, 13 or 20.
    totals = resampled(np.array([[1], [10], [2]]), np.array([0, 1, 0]), samples=200, seed=1)
    assert totals.shape == (200, 1)
    assert set(totals[:, 0]) == {6.0, 13.0, 20.0}


def test_keeps_the_shape_of_the_counts() -> None:
    assert resampled(np.ones((5, 4, 3)), np.arange(5), samples=7, seed=0).shape == (7, 4, 3)


def test_same_seed_same_draws_and_pairs() -> None:
    conversation = np.repeat(np.arange(30), 2)
    values = np.random.default_rng(5).integers(0, 3, size=(60, 2))
    first = resampled(values, conversation, samples=50, seed=3)
    np.testing.assert_array_equal(first, resampled(values, conversation, samples=50, seed=3))
    assert (first != resampled(values, conversation, samples=50, seed=4)).any()
    doubled = resampled(2 * values, conversation, samples=50, seed=3)
    np.testing.assert_array_equal(doubled, 2 * first)


def test_interval_of_a_share_agrees_with_its_standard_error() -> None:
    # 400 conversations of one message: the interval of a share p is close to p +- 1.96 sqrt(p (1 - p) / 400).
    hits = np.zeros((400, 1))
    hits[:120] = 1
    low, high = interval(resampled(hits, np.arange(400), samples=4000, seed=0) / 400)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 400)
    np.testing.assert_allclose([low[0], high[0]], [0.3 - half, 0.3 + half], atol=0.005)


def test_alike_messages_widen_the_interval() -> None:
    hits = np.repeat([1, 0], 200)[:, None]
    apart = interval(resampled(hits, np.arange(400), samples=2000, seed=0) / 400)
    together = interval(resampled(hits, np.repeat(np.arange(20), 20), samples=2000, seed=0) / 400)
    assert together[1] - together[0] > 3 * (apart[1] - apart[0])


def test_one_conversation_has_no_interval() -> None:
    samples = resampled(np.ones((3, 2)), np.zeros(3, dtype=int), samples=10, seed=0)
    assert samples.shape == (0, 2)
    assert np.isnan(interval(samples)).all()


def test_undefined_samples_are_left_out() -> None:
    samples = np.array([[np.nan, np.nan], [1.0, np.nan], [1.0, np.nan]])
    low, high = interval(samples)
    np.testing.assert_equal([low, high], [[1.0, np.nan], [1.0, np.nan]])


def test_blocks_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sample at a time, blocks that do not divide the samples, and all samples at once."""
    conversation = np.repeat(np.arange(30), 2)
    values = np.random.default_rng(5).integers(0, 3, size=(60, 2, 4))
    sums = np.array([values[conversation == one].sum(axis=0) for one in range(30)])
    expected = [np.tensordot(times, sums, axes=1) for times in draws(30, 50, 3)]
    for cells in (1, 30 * 7, 30 * 50):
        monkeypatch.setattr(bootstrap, "_CELLS", cells)
        np.testing.assert_array_equal(resampled(values, conversation, samples=50, seed=3), expected)
