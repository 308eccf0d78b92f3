"""Adjusted p values of a family."""

import numpy as np
import pytest

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.multiplicity import adjust

# The example of Benjamini and Hochberg 1995, section 3.2: four rejections at .05.
P = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]
)


def test_the_example_of_the_paper() -> None:
    assert adjust(P).rejected().sum() == 4
    assert adjust(P).q[:4] == pytest.approx(P[:4] * 15 / np.arange(1, 5))


@pytest.mark.parametrize(("method", "name"), [("bh", "fdr_bh"), ("by", "fdr_by")])
def test_statsmodels_agrees_in_any_order(method: str, name: str) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    shuffled = np.random.default_rng(3).permutation(np.concatenate([P, P[:5]]))
    found = adjust(shuffled, method)  # type: ignore[arg-type]
    rejected, q = multitest.multipletests(shuffled, method=name)[:2]
    assert found.q == pytest.approx(q, abs=1e-12)
    assert found.rejected().tolist() == rejected.tolist()


def test_tests_without_p_value_are_not_counted() -> None:
    gaps = np.insert(P, [0, 4, 15], np.nan)
    found = adjust(gaps)
    assert (found.tested, found.missing) == (15, 3)
    assert np.isnan(found.q[[0, 5, 17]]).all()
    assert found.q[~np.isnan(found.q)] == pytest.approx(adjust(P).q)
    assert found.rejected(1.0).sum() == 15
    assert not found.rejected(1.0)[[0, 5, 17]].any()


def test_families_of_none() -> None:
    assert (adjust(np.zeros(0)).tested, adjust(np.zeros(0)).missing) == (0, 0)
    assert (adjust(np.full(3, np.nan)).tested, adjust(np.full(3, np.nan)).missing) == (0, 3)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.inf])
def test_what_is_no_p_value(wrong: float) -> None:
    with pytest.raises(UsageProblem, match=r"Test 2 has a p value of"):
        adjust(np.array([np.nan, wrong, 0.5]))
    with pytest.raises(UsageProblem, match="no method 'holm': it is one of bh, by"):
        adjust(P, "holm")  # type: ignore[arg-type]
