"""Adjusted p values of a family."""

import numpy as np
import pytest

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.multiplicity import q_values

# The example of Benjamini and Hochberg 1995, section 3.2: four rejections at .05.
P = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]
)


def test_the_example_of_the_paper() -> None:
    assert (q_values(P) <= 0.05).sum() == 4
    assert q_values(P)[:4] == pytest.approx(P[:4] * 15 / np.arange(1, 5))


@pytest.mark.parametrize(("method", "name"), [("bh", "fdr_bh"), ("by", "fdr_by")])
def test_statsmodels_agrees_in_any_order(method: str, name: str) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    shuffled = np.random.default_rng(3).permutation(np.concatenate([P, P[:5]]))
    found = q_values(shuffled, method)  # type: ignore[arg-type]
    rejected, q = multitest.multipletests(shuffled, method=name)[:2]
    assert found == pytest.approx(q, abs=1e-12)
    assert (found <= 0.05).tolist() == rejected.tolist()


def test_tests_without_p_value_are_not_counted() -> None:
    gaps = np.insert(P, [0, 4, 15], np.nan)
    found = q_values(gaps)
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, 5, 17]
    assert found[~np.isnan(found)] == pytest.approx(q_values(P))


def test_families_of_none() -> None:
    assert q_values(np.zeros(0)).shape == (0,)
    assert np.isnan(q_values(np.full(3, np.nan))).tolist() == [True] * 3


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.inf])
def test_what_is_no_p_value(wrong: float) -> None:
    with pytest.raises(UsageProblem, match=r"Test 2 has a p value of"):
        q_values(np.array([np.nan, wrong, 0.5]))
    with pytest.raises(UsageProblem, match="no method 'holm': it is one of bh, by"):
        q_values(P, "holm")  # type: ignore[arg-type]
