"""Intervals of measures over conversations, with the tagger's errors where they are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.evaluation.metrics import Floats
from mi_coder.measures.summaries import Measure
from mi_coder.measures.tally import AT, CODES, DETAILS

FEWEST = 5
"""With fewer conversations no interval is given."""
DRAWS = 500
_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Errors:
    """How often the tagger was right with one code on validated messages."""

    true_positive: int
    false_positive: int
    false_negative: int


def intervals(
    counts: Floats,
    measures: Sequence[Measure],
    errors: Mapping[str, Errors] | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> list[tuple[float, float]] | None:
    """95 % percentile intervals of measures of a group; None with fewer than five conversations.

    Args:
        counts: [conversations, columns]
        errors: by code; each draw takes precision and recall from their Beta posteriors (Jeffreys) and counts what was
            found times precision over recall.
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
    if errors is not None:
        sums = sums * _factors(errors, draws, random)
    ends = []
    for measure in measures:
        values = measure.value(sums)
        values = values[~np.isnan(values)]
        low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (np.nan, np.nan)
        ends.append((float(low), float(high)))
    return ends


def corrected(counts: Floats, errors: Mapping[str, Errors]) -> Floats:
    """[..., columns] counts with what was found times precision over recall, at their posterior means."""
    factor = np.ones(counts.shape[-1])
    for code, seen in errors.items():
        precision = (seen.true_positive + 0.5) / (seen.true_positive + seen.false_positive + 1)
        recall = (seen.true_positive + 0.5) / (seen.true_positive + seen.false_negative + 1)
        factor[_places(code)] = precision / recall
    return counts * factor


def _factors(errors: Mapping[str, Errors], draws: int, random: np.random.Generator) -> Floats:
    factors = np.ones((draws, len(AT)))
    for code, seen in errors.items():
        precision = random.beta(seen.true_positive + 0.5, seen.false_positive + 0.5, draws)
        recall = random.beta(seen.true_positive + 0.5, seen.false_negative + 0.5, draws)
        factors[:, _places(code)] = (precision / recall)[:, None]
    return factors


def _places(code: str) -> list[int]:
    """The columns that count messages with the code."""
    return [AT[name] for name in (*CODES, *DETAILS) if name.partition(":")[0] == code]


def _chunks(draws: int, conversations: int) -> list[int]:
    size = max(min(draws, _CELLS // conversations), 1)
    return [min(size, draws - start) for start in range(0, draws, size)]
