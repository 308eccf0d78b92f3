"""Adjusted p values for a family of tests, such as one outcome against 21 codes."""

from typing import Literal

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.errors import UsageProblem, need

METHODS = ("bh", "by")
CLEAR = 0.05
"""What q or p is below where reports call a finding clear. It does not follow the level of the intervals."""


def q_values(p: Floats, method: Literal["bh", "by"] = "bh") -> Floats:
    """[tests] p values adjusted for the false discovery rate; NaN where there is no p value, which is not counted.

    Args:
        p: [tests], NaN where there is none (nothing to fit, a code that never occurs).
        method: "bh": Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300, for tests
            that are independent or positively dependent; "by": Benjamini and Yekutieli 2001, Annals of Statistics 29,
            1165-1188, for any dependence.

    Raises:
        MissingExtra: scipy is not installed.
        UsageProblem: a p value outside 0 to 1, or another method.
    """
    if method not in METHODS:
        raise UsageProblem(f"There is no method {method!r}: it is one of {', '.join(METHODS)}.")
    p = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(p)
    wrong = np.flatnonzero(known & ~((p >= 0) & (p <= 1)))
    if wrong.size:
        raise UsageProblem(f"Test {wrong[0] + 1} has a p value of {p[wrong[0]]:g}: it must be from 0 to 1.")
    q = np.full(p.shape, np.nan)
    q[known] = need("scipy.stats", "analysis").false_discovery_control(p[known], method=method)
    return q
