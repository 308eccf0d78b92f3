"""What teachers tell and gold, together."""

import numpy as np
import pytest

from mi_coder.training.targets import Targets
from mi_coder.training.teaching import tempered

NAN = np.nan


def targets(known: list[list[float]]) -> Targets:
    return Targets(np.array(known), np.zeros((0, len(known[0])), dtype=bool), np.zeros(0, dtype=np.intp))


def test_gold_is_tempered_and_what_it_leaves_open_is_told() -> None:
    told = np.array([[0.9, 0.2, 0.6, NAN], [0.4, NAN, 0.1, NAN]])
    mixed = tempered(targets([[1, 0, NAN, NAN], [NAN, 1, 0, 1]]), told, share=0.25)
    assert mixed.known == pytest.approx(np.array([[0.975, 0.05, 0.6, NAN], [0.4, 1, 0.025, 1]]), nan_ok=True)


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (1, 0.3)])
def test_the_ends_are_gold_alone_and_teachers_alone(share: float, expected: float) -> None:
    assert tempered(targets([[1]]), np.array([[0.3]]), share).known.tolist() == [[pytest.approx(expected)]]
