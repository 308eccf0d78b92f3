"""MASI: the values of the paper and of NLTK, and alpha with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.annotation.coefficients import alpha
from mi_coder.annotation.masi import masi_distances

# The first two are the documented examples of NLTK 3.10 (nltk.metrics.distance, nltk/test/metrics.doctest); the others
# follow from the definition of Passonneau 2006: Jaccard index times 1, 2/3, 1/3 or 0.
EXAMPLES = [
    ({1, 2}, {1, 2, 3, 4}, 2 / 3),
    ({1, 2, 3, 4}, {3, 4, 5}, 0.8666666666666667),
    ({1, 2}, {1, 2}, 0),
    ({1}, {1, 2}, 1 - 1 / 2 * 2 / 3),
    ({1, 2}, {2, 3}, 1 - 1 / 3 * 1 / 3),
    ({1}, {2, 3}, 1),
    (set(), {1}, 1),
    (set(), set(), 0),
]


@pytest.mark.parametrize(("one", "other", "distance"), EXAMPLES)
def test_distance(one: set[int], other: set[int], distance: float) -> None:
    found = masi_distances([set(map(str, one)), set(map(str, other))])
    assert found == pytest.approx(np.array([[0, distance], [distance, 0]]))


codings = st.lists(
    st.lists(st.frozensets(st.sampled_from("abc"), min_size=1), min_size=3, max_size=3), min_size=2, max_size=10
)


@given(codings)
def test_alpha_as_nltk(units: list[list[frozenset[str]]]) -> None:
    nltk = pytest.importorskip("nltk.metrics")
    from nltk.metrics.agreement import AnnotationTask

    sets = sorted({one for unit in units for one in unit}, key=sorted)
    if len(sets) == 1:
        return
    data = [(coder, unit, one) for unit, given in enumerate(units) for coder, one in enumerate(given)]
    counts = np.array([[unit.count(one) for one in sets] for unit in units], dtype=float)
    expected = AnnotationTask(data, distance=nltk.masi_distance).alpha()
    assert alpha(counts, masi_distances(sets)) == pytest.approx(expected)
