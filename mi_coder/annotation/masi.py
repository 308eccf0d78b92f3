"""How far two sets of codes are apart: MASI, measuring agreement on set-valued items.

Passonneau 2006, LREC: the Jaccard index (common members of all members), times 1 for equal sets, 2/3 where
one set contains the other, 1/3 where they only overlap, and 0 where they have nothing in common.
"""

from collections.abc import Sequence, Set

import numpy as np

from mi_coder.arrays import Floats


def masi_distances(sets: Sequence[Set[str]]) -> Floats:
    """[sets, sets] 1 - MASI of each pair of sets: 0 for equal sets, 1 for sets without a common member."""
    members = sorted({member for one in sets for member in one})
    has = np.array([[member in one for member in members] for one in sets], dtype=np.float64)
    has = has.reshape(len(sets), len(members))
    size, common = has.sum(axis=1), has @ has.T
    smaller, union = np.minimum(size[:, None], size), size[:, None] + size - common
    monotonicity = np.where(common == smaller, 2 / 3, 1 / 3)
    return np.where(common == union, 0.0, 1 - common / np.maximum(union, 1) * monotonicity)
