"""Figures of merit of multi-label coding. Only what is known counts: where a code is unknown, the message is left out.

Arrays: `truth` is float [messages, codes] with 1 (applies), 0 (does not) and nan (unknown); `predicted` is bool and
`probability` float of the same shape.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats, Numbers

CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class CodeScore:
    """How well one code is given.

    Attributes:
        precision, recall, f1: between 0 and 1; nan where undefined (see `Confusion`).
        positives: messages known to carry the code: its support.
        negatives: messages known not to carry it.
        predicted: messages given the code, among those where it is known.
        f1_low, f1_high: ends of the 95% interval of F1; nan where none was estimated.
    """

    code: str
    precision: float
    recall: float
    f1: float
    positives: int
    negatives: int
    predicted: int
    f1_low: float = np.nan
    f1_high: float = np.nan


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of right and wrong codes.

    Precision and F1 need a known positive and a known negative: without either, they would tell how the gold was made
    and not how well the code is given.

    Attributes:
        cells: [..., 4, codes]; the four: true positives, false positives, false negatives, true negatives.
    """

    cells: Numbers

    @classmethod
    def of_messages(cls, truth: Floats, predicted: Bools) -> "Confusion":
        """The cells of every message, [messages, 4, codes]. An unknown code falls into none."""
        positive, negative = truth == 1, truth == 0
        cells = [positive & predicted, negative & predicted, positive & ~predicted, negative & ~predicted]
        return cls(np.stack(cells, axis=1))

    def total(self) -> "Confusion":
        """The sum over the first axis."""
        return Confusion(self.cells.sum(axis=0))

    @property
    def positives(self) -> Numbers:
        """[..., codes] messages known to carry the code."""
        return self.cells[..., 0, :] + self.cells[..., 2, :]

    @property
    def negatives(self) -> Numbers:
        """[..., codes] messages known not to carry the code."""
        return self.cells[..., 1, :] + self.cells[..., 3, :]

    @property
    def predicted(self) -> Numbers:
        """[..., codes] messages given the code, among those where it is known."""
        return self.cells[..., 0, :] + self.cells[..., 1, :]

    @property
    def precision(self) -> Floats:
        """tp / (tp + fp); nan where the code was never given."""
        return np.where(self._judged, _ratio(self.cells[..., 0, :], self.predicted), np.nan)

    @property
    def recall(self) -> Floats:
        """tp / (tp + fn); nan without positives."""
        return _ratio(self.cells[..., 0, :], self.positives)

    @property
    def f1(self) -> Floats:
        """2 tp / (2 tp + fp + fn)."""
        return np.where(self._judged, _ratio(2 * self.cells[..., 0, :], self.predicted + self.positives), np.nan)

    @property
    def _judged(self) -> Bools:
        return (self.positives > 0) & (self.negatives > 0)


def per_code(
    codes: Sequence[str], truth: Floats, predicted: Bools, f1_interval: tuple[Floats, Floats] | None = None
) -> tuple[CodeScore, ...]:
    """Score every code, in the order of `codes`.

    Args:
        f1_interval: low and high ends, [codes] each, from `mi_coder.evaluation.bootstrap`.
    """
    counts = Confusion.of_messages(truth, predicted).total()
    low, high = f1_interval or (np.full(len(codes), np.nan), np.full(len(codes), np.nan))
    return tuple(
        CodeScore(
            code=code,
            precision=float(counts.precision[i]),
            recall=float(counts.recall[i]),
            f1=float(counts.f1[i]),
            positives=int(counts.positives[i]),
            negatives=int(counts.negatives[i]),
            predicted=int(counts.predicted[i]),
            f1_low=float(low[i]),
            f1_high=float(high[i]),
        )
        for i, code in enumerate(codes)
    )


def macro(values: Floats, counted: Bools) -> Floats:
    """Mean over the counted codes, [..., codes] -> [...]. Undefined values are left out; nan where nothing is left."""
    defined = counted & ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def exact_matches(truth: Floats, predicted: Bools) -> Bools:
    """[messages, 2]: whether exactly the right codes were given, and whether every code of the message is known."""
    complete = ~np.isnan(truth).any(axis=1)
    return np.stack([complete & ((truth == 1) == predicted).all(axis=1), complete], axis=1)


def share(hits_and_cases: Numbers) -> Floats:
    """Hits over cases, [..., 2] -> [...]; nan without cases."""
    return _ratio(hits_and_cases[..., 0], hits_and_cases[..., 1])


def brier(truth: Floats, probability: Floats) -> float:
    """Mean squared distance of probability and truth, [messages] each, of one code (Brier 1950)."""
    return math.fsum((truth - probability) ** 2) / len(truth)


def calibration_gaps(truth: Floats, probability: Floats, bins: int = CALIBRATION_BINS) -> Floats:
    """What each message adds to the totals of `calibration_error` for one code, [messages, bins + 1].

    It is probability less truth in the message's bin, and 1 in the last column, which counts the messages. The bins are
    of equally many messages (Nixon et al. 2019); messages of the same probability share one, that of the middle of
    them. Arrays are [messages], without nan.
    """
    ascending = np.sort(probability)
    first, after = (np.searchsorted(ascending, probability, side=side) for side in ("left", "right"))
    bin_of_rank = np.repeat(np.arange(bins), [len(part) for part in np.array_split(ascending, bins)])
    gaps = np.zeros((len(truth), bins + 1))
    gaps[np.arange(len(truth)), bin_of_rank[(first + after - 1) // 2]] = probability - truth
    gaps[:, -1] = 1
    return gaps


def calibration_error(totals: Floats) -> Floats:
    """Expected calibration error of totals of `calibration_gaps`, [..., bins + 1] -> [...]; nan without messages.

    Mean distance between the probability and the observed share over the bins (Naeini, Cooper and Hauskrecht 2015).
    """
    return _ratio(np.abs(totals[..., :-1]).sum(axis=-1), totals[..., -1])


def _ratio(numerator: Numbers, denominator: NDArray[np.generic]) -> Floats:
    """numerator / denominator, nan where the denominator is 0."""
    empty = np.full(np.shape(denominator), np.nan)
    return np.divide(numerator, denominator, out=empty, where=np.asarray(denominator) > 0)
