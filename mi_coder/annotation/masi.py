"""How far two sets of codes are apart: MASI, measuring agreement on set-valued items.

Passonneau 2006, LREC: the Jaccard index (common members of all members), times 1 for equal sets, 2/3 where
one set holds the other, 1/3 where they only overlap, and 0 where they have nothing in common.
"""

from collections.abc import Sequence, Set

import numpy as np

from mi_coder.arrays import Floats


def masi_distance(one: Set[str], other: Set[str]) -> float:
    """1 - MASI: 0 for equal sets, 1 for sets without a common member."""
    if one == other:
        return 0.0
    common = len(one & other)
    monotonicity = 2 / 3 if common == min(len(one), len(other)) else 1 / 3
    return 1 - common / len(one | other) * monotonicity


def masi_distances(sets: Sequence[Set[str]]) -> Floats:
    """[sets, sets] distance of each pair of sets."""
    return np.array([[masi_distance(one, other) for other in sets] for one in sets]).reshape(len(sets), len(sets))
