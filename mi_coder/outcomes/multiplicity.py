"""Adjusted p values for a family of tests, such as one outcome against 21 codes.

A test without a p value (nothing to fit, a code that never occurs) stays without one and is not counted; passed on to
other programs it can turn all adjusted values of the family into none while rejections stay.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mi_coder.errors import UsageProblem
from mi_coder.evaluation.metrics import Bools, Floats

METHODS = ("bh", "by")


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """A family of tests, adjusted.

    Attributes:
        q: [tests] adjusted p values; NaN where there was no p value.
        tested: how many have a p value: the size of the family.
        missing: how many have none.
    """

    q: Floats
    tested: int
    missing: int

    def rejected(self, level: float = 0.05) -> Bools:
        """[tests] which are discoveries at a false discovery rate of `level`; those without p value never are."""
        return np.asarray(np.nan_to_num(self.q, nan=np.inf) <= level)


def adjust(p: Floats, method: Literal["bh", "by"] = "bh") -> Adjusted:
    """Adjust p values [tests], NaN where there is none, for the false discovery rate.

    Args:
        method: "bh": Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300, for tests
            that are independent or positively dependent; "by": Benjamini and Yekutieli 2001, Annals of Statistics 29,
            1165-1188, for any dependence.

    Raises:
        UsageProblem: a p value outside 0 to 1, or another method.
    """
    if method not in METHODS:
        raise UsageProblem(f"There is no method {method!r}: it is one of {', '.join(METHODS)}.")
    p = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(p)
    wrong = np.flatnonzero(known & ~((p >= 0) & (p <= 1)))
    if wrong.size:
        raise UsageProblem(f"Test {wrong[0] + 1} has a p value of {p[wrong[0]]:g}: it must be from 0 to 1.")
    tested = int(known.sum())
    order = np.argsort(p[known], kind="stable")
    ranks = np.arange(1, tested + 1)
    factor = float((1 / ranks).sum()) if method == "by" else 1.0
    raised = p[known][order] * (tested * factor / ranks)
    adjusted = np.empty(tested)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1)
    q = np.full(p.shape, np.nan)
    q[known] = adjusted
    return Adjusted(q, tested, len(p) - tested)
