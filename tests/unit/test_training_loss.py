"""The masked loss against figures worked out by hand."""

import math

import numpy as np
import pytest
import torch

from mi_coder.training.loss import Balance, BatchTargets, Weighting, base_logits, group_loss, masked_loss
from mi_coder.training.targets import Targets

NAN = math.nan


def batch(known: list[list[float]], groups: list[list[int]] = [], rows: list[int] = []) -> BatchTargets:  # noqa: B006
    flags = np.array(groups, dtype=bool).reshape(len(groups), len(known[0]))
    return BatchTargets.of(Targets(np.array(known), flags, np.array(rows, dtype=np.intp)), torch.device("cpu"))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_known_entries_by_hand() -> None:
    logits = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]])
    weights = torch.tensor([3.0, 1.0, 1.0])
    loss = masked_loss(logits, batch([[1, 0, NAN], [NAN, NAN, 0]]), weights)
    by_hand = -3 * math.log(sigmoid(0.5)) - math.log(1 - sigmoid(-1.0)) - math.log(1 - sigmoid(-0.5))
    assert loss.item() == pytest.approx(by_hand / 2, rel=1e-6)


def test_unknown_entries_have_no_gradient() -> None:
    logits = torch.zeros(2, 4, requires_grad=True)
    masked_loss(logits, batch([[1, 0, NAN, NAN], [NAN, NAN, NAN, 0]], [[1, 1, 0, 0]], [1]), torch.ones(4)).backward()
    moved = (logits.grad != 0).tolist()
    assert moved == [[True, True, False, False], [True, True, False, True]]


def test_nothing_known_is_no_loss() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    loss = masked_loss(logits, batch([[NAN, NAN]]), torch.ones(2))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_group_by_hand() -> None:
    logits = torch.tensor([[9.0, 9.0, 9.0], [0.3, -1.2, 4.0]])
    loss = group_loss(logits, batch([[NAN] * 3, [NAN] * 3], [[1, 1, 0]], [1]))
    by_hand = -math.log(1 - (1 - sigmoid(0.3)) * (1 - sigmoid(-1.2)))
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("z", [-60.0, 60.0])
def test_group_stays_finite_and_pulls_up_at_the_ends(z: float) -> None:
    logits = torch.full((1, 2), z, requires_grad=True)
    loss = group_loss(logits, batch([[NAN, NAN]], [[1, 1]], [0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad <= 0).all()
    if z < 0:
        assert loss.item() == pytest.approx(-z - math.log(2), rel=1e-4)


def test_weights_are_tempered_and_bounded() -> None:
    known = np.full((2000, 3), NAN)
    known[:99, 0], known[99:, 0] = 1, 0
    known[:1, 1], known[1:, 1] = 1, 0
    known[:, 2] = 1
    targets = Targets(known, np.zeros((0, 3), dtype=bool), np.zeros(0, dtype=np.intp))
    assert Balance.of(targets).weights == pytest.approx([math.sqrt(1902 / 100), 10, 1])
    assert Balance.of(targets, "none").weights.tolist() == [1, 1, 1]
    assert Balance.of(targets, "inverse").weights == pytest.approx([10, 10, 1])


@pytest.mark.parametrize(
    ("weighting", "adjustment"), [("none", 0), ("root", 0), ("inverse", 0), ("none", 1), ("root", 0.5)]
)
def test_base_logits_are_the_best_constants(weighting: Weighting, adjustment: float) -> None:
    known = np.full((1000, 1), 0.0)
    known[:50] = 1
    targets = Targets(known, np.zeros((0, 1), dtype=bool), np.zeros(0, dtype=np.intp))
    balance = Balance.of(targets, weighting, adjustment)
    constant = torch.tensor(base_logits(targets, balance), dtype=torch.float32, requires_grad=True)
    truth = BatchTargets.of(targets, torch.device("cpu"))
    shifted = constant.expand(1000, 1) + torch.tensor(balance.shift, dtype=torch.float32)
    masked_loss(shifted, truth, torch.tensor(balance.weights, dtype=torch.float32)).backward()
    assert constant.grad.abs().item() < 0.01  # not 0: base rates are smoothed


def test_full_logit_adjustment_takes_the_base_rate_out() -> None:
    known = np.zeros((1000, 1))
    known[:50] = 1
    targets = Targets(known, np.zeros((0, 1), dtype=bool), np.zeros(0, dtype=np.intp))
    assert base_logits(targets, Balance.of(targets, "none", 1)) == pytest.approx([0])


def test_a_probability_is_learned_as_such() -> None:
    logits = torch.full((1, 1), math.log(0.3 / 0.7), requires_grad=True)
    masked_loss(logits, batch([[0.3]]), torch.ones(1)).backward()
    assert logits.grad.item() == pytest.approx(0, abs=1e-7)
