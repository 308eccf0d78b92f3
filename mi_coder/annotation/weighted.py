"""Rates of codes in a population from a sample with unequal inclusion probabilities.

Each coded message stands for 1 / probability messages. A rate is the weighted share (Hájek 1971) or, where the size of
the population is given, the weighted sum over that size (Horvitz and Thompson 1952).

Intervals: the variance is linearized, between conversations as if they had been drawn independently (Särndal, Swensson
and Wretman 1992, sections 5.6 and 5.7), which errs to the safe side for samples without replacement and for strata. The
interval is Wilson's with the number of messages that would have this variance if drawn simply (Franco, Little, Louis
and Slud 2019), so that it is of use for rare codes, and for codes that no sampled message carries.
"""

import math
from collections.abc import Sequence

import numpy as np

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.report import Figure

_Z = 1.959964


def weighted_rates(
    codes: Floats, probabilities: Floats, conversations: Sequence[str] | None = None, population: int | None = None
) -> list[Figure]:
    """The rate of each code, with its 95 % interval; nan where no message tells, and ends nan with one conversation.

    Args:
        codes: [messages, codes] 1 where a message carries the code, 0 where not, nan where unknown. Messages where a
            code is unknown say nothing of it.
        probabilities: [messages] of being in the sample, above 0 and at most 1.
        conversations: [messages] where each belongs; None takes every message for itself.
        population: how many messages there were to draw from, for the rates of Horvitz and Thompson. They need every
            drawn message: none may be unknown.

    Raises:
        UsageProblem: a probability out of its range, not as many as messages, or unknown codes with a population.
    """
    if probabilities.shape != codes.shape[:1]:
        raise UsageProblem(f"{len(codes)} messages and {probabilities.size} probabilities: give one for each message.")
    if not ((probabilities > 0) & (probabilities <= 1)).all():
        raise UsageProblem("Inclusion probabilities must be above 0 and at most 1.")
    if population is not None and np.isnan(codes).any():
        raise UsageProblem("Rates for a given population need all codes of all drawn messages. Leave population out.")
    _, cluster = np.unique(conversations if conversations is not None else np.arange(len(codes)), return_inverse=True)
    return [_rate(column, 1 / probabilities, cluster, population) for column in codes.T]


def _rate(present: Floats, weights: Floats, cluster: Indices, population: int | None) -> Figure:
    known = ~np.isnan(present)
    present, weights = present[known], weights[known]
    if not present.size:
        return Figure(math.nan, math.nan, math.nan)
    total = float(population or weights.sum())
    rate = float((weights * present).sum()) / total  # summed as the total is, so that all and none are exactly 1 and 0
    residuals = weights * (present - rate if population is None else present) / total
    sums = np.bincount(np.unique(cluster[known], return_inverse=True)[1], weights=residuals)
    if len(sums) < 2:
        return Figure(rate, math.nan, math.nan)
    variance = len(sums) * float(sums.var(ddof=1))
    simple_variance = rate * (1 - rate)
    if variance > 0 and simple_variance > 0:
        messages = simple_variance / variance
    else:
        messages = float(weights.sum()) ** 2 / float(weights @ weights)
    return Figure(rate, *_wilson(min(rate, 1.0), messages))


def _wilson(rate: float, messages: float) -> tuple[float, float]:
    """Both ends of Wilson's interval (1927)."""
    middle = rate + _Z**2 / (2 * messages)
    half = _Z * math.sqrt(rate * (1 - rate) / messages + _Z**2 / (4 * messages**2))
    scale = 1 + _Z**2 / messages
    return max(0.0, min(rate, (middle - half) / scale)), min(1.0, max(rate, (middle + half) / scale))
