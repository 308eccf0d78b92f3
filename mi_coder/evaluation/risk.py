"""What is gained by keeping only the messages of which a coder is most confident: error against the share kept.

The risk-coverage curve (El-Yaniv and Wiener 2010) and the area under it (Geifman, Uziel and El-Yaniv 2019).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats, Numbers

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
KEPT = 0.8


@dataclass(frozen=True, slots=True)
class Ranking:
    """Messages by confidence.

    Attributes:
        level: [messages] 0 for the most confident. Messages of one level are kept in random order: figures are the
            expected ones.
        wrong: [messages] whether a message was not given exactly its codes.
    """

    level: NDArray[np.intp]
    wrong: Bools

    @classmethod
    def of(cls, confidence: Floats, wrong: Bools) -> "Ranking":
        """The ranking of messages with these confidences, [messages]."""
        return cls(np.unique(-confidence, return_inverse=True)[1], wrong)

    def errors(self, coverages: Floats, times: Numbers) -> Floats:
        """Share of wrong messages among the most confident ones, [coverages]; nan without messages.

        Args:
            coverages: shares of the messages that are kept, above 0.
            times: [messages] how often each message counts.
        """
        kept, wrong = self._cumulated(times), self._cumulated(times * self.wrong)
        if not kept[-1]:
            return np.full(len(coverages), np.nan)
        wanted = coverages * kept[-1]
        return np.interp(wanted, kept, wrong) / wanted

    def area(self, times: Numbers) -> float:
        """Mean of the errors when one, two, ... and all messages are kept; nan without messages."""
        count = int(times.sum())
        if not count:
            return np.nan
        return float(self.errors(np.arange(1, count + 1) / count, times).mean())

    def _cumulated(self, counts: Numbers) -> Floats:
        """[levels + 1] sums over the levels down to each, from 0."""
        return np.concatenate([[0.0], np.cumsum(np.bincount(self.level, weights=counts))])


def reduction(kept_error: Floats, error: Floats) -> Floats:
    """Share of an error that is removed, [...]: 1 - kept_error / error; nan without any error."""
    ratio = np.full(np.shape(error), np.nan)
    return 1 - np.divide(kept_error, error, out=ratio, where=np.asarray(error) > 0)
