"""Weighted rates and their intervals, against figures worked out by hand."""

import math

import numpy as np
import pytest

from mi_coder.annotation.weighted import weighted_rates
from mi_coder.errors import UsageProblem


def column(*present: float) -> np.ndarray:
    return np.array([present], dtype=float).T


def test_rates_of_hajek_and_of_horvitz_and_thompson() -> None:
    chances = np.array([0.5, 0.25, 0.25, 1.0])
    (ratio,) = weighted_rates(column(1, 0, 1, 0), chances)
    (total,) = weighted_rates(column(1, 0, 1, 0), chances, population=12)
    assert ratio.value == pytest.approx((2 + 4) / (2 + 4 + 4 + 1))
    assert total.value == pytest.approx((2 + 4) / 12)


def test_a_rate_that_comes_out_above_one_still_has_an_interval() -> None:
    (rate,) = weighted_rates(column(*[1] * 8), np.full(8, 0.25), population=20)
    assert rate.value == 32 / 20
    assert 0 <= rate.low <= rate.high == 1


def test_the_interval_of_a_simple_sample_is_wilsons() -> None:
    (rate,) = weighted_rates(column(*[1] * 3, *[0] * 8), np.full(11, 0.1))
    # Wilson (1927) at 3 of 11, with 10 in place of 11 messages, since the variance is that of a sample.
    p, n, z = 3 / 11, 10, 1.959964
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    assert (rate.value, rate.low, rate.high) == pytest.approx((p, middle - half, middle + half))


def test_messages_of_one_conversation_that_are_alike_count_as_one() -> None:
    apart = weighted_rates(column(1, 1, 1, 0, 0, 0), np.full(6, 0.1))[0]
    alike = weighted_rates(column(1, 1, 1, 0, 0, 0), np.full(6, 0.1), [*"aaabbb"])[0]
    two = weighted_rates(column(1, 0), np.full(2, 0.1))[0]
    assert (alike.low, alike.high) == pytest.approx((two.low, two.high))
    assert alike.high - alike.low > apart.high - apart.low


def test_a_code_that_no_message_carries_still_has_an_upper_end() -> None:
    even, uneven = (weighted_rates(column(0, 0, 0, 0), np.array(chances))[0] for chances in ([0.1] * 4, [0.1, 1, 1, 1]))
    assert (even.value, even.low) == (0, 0)
    assert even.high == pytest.approx(1.959964**2 / (4 + 1.959964**2))
    assert uneven.high > even.high


def test_unknown_codes_say_nothing() -> None:
    codes = np.array([[1, math.nan], [0, math.nan], [math.nan, math.nan]])
    known, unknown = weighted_rates(codes, np.array([0.5, 0.5, 0.01]))
    assert known.value == 0.5
    assert math.isnan(unknown.value) and math.isnan(unknown.low)


@pytest.mark.parametrize(
    ("codes", "chances", "population", "says"),
    [
        ([1, 0], [0.5], None, "2 messages and 1 prob"),
        ([1, 0], [0.5, 0.0], None, "above 0"),
        ([1, 0], [0.5, 1.5], None, "at most 1"),
        ([1, math.nan], [0.5, 0.5], 9, "all codes"),
    ],
)
def test_what_cannot_be_weighted(codes: list[float], chances: list[float], population: int | None, says: str) -> None:
    with pytest.raises(UsageProblem, match=says):
        weighted_rates(column(*codes), np.array(chances), population=population)
