"""How well probabilities are calibrated: the expected calibration error of each code, and means over codes.

A sample of the bootstrap draws conversations, and every message stays in its bin. The error of a sample is larger than
that of the messages themselves, because the draw adds to the gap of each bin by chance. So the samples are shifted by
as much as they are larger on average: the interval shows the spread alone. The error itself has such an excess over
that of infinitely many messages, which no interval shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.evaluation.bootstrap import redrawn, summed
from mi_coder.evaluation.compare import Comparison
from mi_coder.evaluation.metrics import CALIBRATION_BINS, brier, calibration_error, calibration_gaps, macro
from mi_coder.evaluation.report import Calibration, Figure


@dataclass(frozen=True, slots=True)
class CodeCalibration:
    """One code over the messages where gold and probability are known.

    Attributes:
        error: expected calibration error.
        gaps: [conversations, bins + 1] what each conversation adds to its totals (see `calibration_gaps`).
        brier, brier_of_base_rate: see `Calibration`.
    """

    error: float
    gaps: Floats
    brier: float
    brier_of_base_rate: float


def by_code(comparison: Comparison) -> list[CodeCalibration | None]:
    """One per code of the comparison, in their order; None where no message has both gold and a probability."""
    columns = zip(comparison.truth.T, comparison.probability.T, strict=True)
    return [_of_code(truth, probability, comparison.conversation) for truth, probability in columns]


def calibration(codes: Sequence[CodeCalibration | None], counted: Bools, samples: int, seed: int) -> Calibration | None:
    """Means over the counted codes; None where none of them has probabilities.

    Args:
        counted: [codes] those with the support to count.
        samples, seed: of the bootstrap.
    """
    judged = [code for code, counts in zip(codes, counted, strict=True) if code and counts]
    if not judged:
        return None
    error = float(np.mean([code.error for code in judged]))
    drawn = calibration_error(redrawn(np.stack([code.gaps for code in judged], axis=1), samples, seed))
    means = macro(drawn, np.ones(len(judged), dtype=bool))
    shift = error - (np.nanmean(means) if len(means) else 0)
    spread = Figure.of(error, np.maximum(means + shift, 0))
    return Calibration(
        error=error,
        brier=float(np.mean([code.brier for code in judged])),
        brier_of_base_rate=float(np.mean([code.brier_of_base_rate for code in judged])),
        low=spread.low,
        high=spread.high,
    )


def _of_code(truth: Floats, probability: Floats, conversation: Indices) -> CodeCalibration | None:
    """Args: truth, probability, conversation: [messages] of the code.

    They are sorted within conversations, so that sums are the same to the last bit however the messages stand.
    """
    order = np.lexsort((truth, probability, conversation))
    truth, probability, conversation = truth[order], probability[order], conversation[order]
    known = ~np.isnan(truth) & ~np.isnan(probability)
    if not known.any():
        return None
    gaps = np.zeros((len(truth), CALIBRATION_BINS + 1))
    gaps[known] = calibration_gaps(truth[known], probability[known])
    return CodeCalibration(
        error=float(calibration_error(gaps.sum(axis=0))),
        gaps=summed(gaps, conversation),
        brier=brier(truth[known], probability[known]),
        brier_of_base_rate=brier(truth[known], np.full(known.sum(), truth[known].mean())),
    )
