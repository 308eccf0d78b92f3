"""Intervals of measures over conversations, with the tagger's errors where they are known."""

from collections.abc import Sequence

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.measures.summaries import Measure
from mi_coder.measures.validation import TaggerErrors, drawn

FEWEST = 5
"""With fewer conversations no interval is given."""
DRAWS = 500
_CELLS = 4_000_000
_ENDS = (0.025, 0.975)


def intervals(
    counts: Floats,
    measures: Sequence[Measure],
    errors: TaggerErrors | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> list[tuple[float, float]] | None:
    """95% percentile intervals of measures of a group; None with fewer than five conversations.

    Args:
        counts: [conversations, columns]
        errors: each draw takes recall, false alarms and splits from their Beta posteriors (Jeffreys); only measures of
            which all codes are validated include them.
    """
    if len(counts) < FEWEST:
        return None
    random = np.random.default_rng(seed)
    sums = np.vstack(
        [
            random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size) @ counts
            for size in _chunks(draws, len(counts))
        ]
    )
    mended = sums if errors is None else errors.mended(sums, drawn(random, draws))
    values = [one.value(sums if errors is None or errors.lacking(one) else mended) for one in measures]
    return [(float(low), float(high)) for low, high in _middle(np.column_stack(values)).T]


def _middle(values: Floats) -> Floats:
    """[2, columns] ends of the middle 95% of values [draws, columns], as far as they are numbers."""
    ends = np.full((2, values.shape[1]), np.nan)
    whole = ~np.isnan(values).any(axis=0)
    ends[:, whole] = np.quantile(values[:, whole], _ENDS, axis=0)
    for column in np.flatnonzero(~whole):
        if len(known := values[~np.isnan(values[:, column]), column]):
            ends[:, column] = np.quantile(known, _ENDS)
    return ends


def _chunks(draws: int, conversations: int) -> list[int]:
    size = max(min(draws, _CELLS // conversations), 1)
    return [min(size, draws - start) for start in range(0, draws, size)]
