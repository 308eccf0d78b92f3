"""Stated probabilities against how often they were right, over the codes that a coder gave.

Tagged files keep the probabilities of given codes alone unless all were asked for, so codes that were not given are
left out here; where all were kept, `mi_coder.evaluation.report.Calibration` counts them too.
"""

import math
from collections.abc import Iterator

import numpy as np

from mi_coder.evaluation.bootstrap import resampled
from mi_coder.evaluation.compare import Comparison
from mi_coder.evaluation.metrics import share
from mi_coder.evaluation.report import Bin, Figure, Options, Reliability

BINS = 10


def reliability(comparison: Comparison, options: Options) -> Reliability | None:
    """Bins of equal width, with intervals from resampling conversations; None where no probability was kept.

    The expected calibration error is that of Guo et al. (2017): the mean over codes of the distance between what their
    bin states and how often it was right.
    """
    given = list(_given(comparison))
    if not given:
        return None
    counts = np.zeros((len(comparison.gold), BINS, 3))
    for row, probability, right in given:
        counts[row, min(int(probability * BINS), BINS - 1)] += right, probability, 1
    totals = np.apply_along_axis(math.fsum, 0, counts)
    samples = resampled(counts[..., [0, 2]], comparison.conversation, options.samples, options.seed)
    bins = tuple(
        Bin(i / BINS, int(codes), stated / codes, Figure.of(share(totals[i, [0, 2]]), share(samples[:, i])))
        for i, (_, stated, codes) in enumerate(totals.tolist())
        if codes
    )
    error = sum(one.codes * abs(one.stated - one.right.value) for one in bins) / len(given)
    return Reliability(len(given), bins, float(error))


def _given(comparison: Comparison) -> Iterator[tuple[int, float, bool]]:
    """Message, probability and whether it was right, of every given code of which both are known."""
    column = {code: i for i, code in enumerate(comparison.codes)}
    for row, coding in enumerate(comparison.coding):
        for code in coding.codes:
            truth = comparison.truth[row, column[code]]
            if code in coding.scores and not np.isnan(truth):
                yield row, coding.scores[code], bool(truth)
