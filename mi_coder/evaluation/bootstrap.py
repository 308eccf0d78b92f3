"""Intervals from resampling whole conversations: messages of one conversation are alike, so they are drawn together.

Cluster bootstrap with percentile intervals: Davison and Hinkley (1997), sections 3.8 and 5.3.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats, Numbers

LEVEL = 0.95
_CELLS = 1_000_000
"""Draws are added up in blocks of so many numbers: as one product, and in little memory however many there are."""


def draws(count: int, samples: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """How often each of `count` conversations is drawn, [count], for every sample, with replacement.

    They depend on the arguments alone, so that two calls give pairs for a difference. Fewer than two conversations tell
    nothing of their spread: then there are no samples.
    """
    random = np.random.default_rng(seed)
    for _ in range(samples if count > 1 else 0):
        yield np.bincount(random.integers(count, size=count), minlength=count)


def resampled(values: Numbers, conversation: NDArray[np.intp], samples: int, seed: int) -> Floats:
    """Totals of `values` over conversations drawn with replacement.

    Args:
        values: [messages, ...] counts of each message.
        conversation: [messages] number of each message's conversation, from 0 without gaps.

    Returns:
        [samples, ...] totals; no samples, [0, ...], of fewer than two conversations (see `draws`).
    """
    return redrawn(summed(values, conversation), samples, seed)


def summed(values: Numbers, conversation: NDArray[np.intp]) -> Floats:
    """Sums of `values`, [messages, ...], by conversation, [conversations, ...]."""
    count = int(conversation.max(initial=-1)) + 1
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    sums = np.stack([np.bincount(conversation, weights=column, minlength=count) for column in flat.T], axis=1)
    return np.asarray(sums.reshape(count, *values.shape[1:]), dtype=np.float64)


def redrawn(sums: Floats, samples: int, seed: int) -> Floats:
    """Totals, [samples, ...], of `sums`, [conversations, ...], over conversations drawn with replacement."""
    count = len(sums)
    flat = sums.reshape(count, int(np.prod(sums.shape[1:])))
    drawn = draws(count, samples, seed)
    blocks = iter(lambda: list(islice(drawn, max(1, _CELLS // max(1, count)))), [])
    totals = [np.array(block, dtype=np.float64) @ flat for block in blocks]
    return np.concatenate([np.empty((0, flat.shape[1])), *totals]).reshape(-1, *sums.shape[1:])


def interval(samples: Floats) -> tuple[Floats, Floats]:
    """Low and high ends of the 95% percentile interval, [samples, ...] -> [...] twice.

    Samples where the figure is undefined (nan) are left out; nan where none is left.
    """
    tail = 100 * (1 - LEVEL) / 2
    columns = samples.reshape(len(samples), int(np.prod(samples.shape[1:])))
    ends = np.full((2, columns.shape[1]), np.nan)
    for i, column in enumerate(columns.T):
        defined = column[~np.isnan(column)]
        if defined.size:
            ends[:, i] = np.percentile(defined, [tail, 100 - tail])
    low, high = ends.reshape(2, *samples.shape[1:])
    return low, high
