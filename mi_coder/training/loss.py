"""The loss: known entries count, unknown ones have no part in it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from mi_coder.arrays import Floats
from mi_coder.training.targets import Targets

Weighting = Literal["none", "root", "inverse"]
MAX_WEIGHT = 10.0

_EXPONENTS: dict[Weighting, float] = {"none": 0.0, "root": 0.5, "inverse": 1.0}


@dataclass(frozen=True, slots=True)
class BatchTargets:
    """`Targets` of one batch as tensors on the device of the model."""

    known: Tensor
    groups: Tensor
    group_rows: Tensor

    @classmethod
    def of(cls, targets: Targets, device: torch.device) -> "BatchTargets":
        """The targets of the messages of a batch."""
        return cls(
            torch.as_tensor(targets.known, dtype=torch.float32, device=device),
            torch.as_tensor(targets.groups, device=device),
            torch.as_tensor(targets.group_rows, device=device),
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """What the loss does for codes that are rare.

    Attributes:
        weights: [heads] how much more a positive counts than a negative.
        shift: [heads] what is added to the logits in the loss, and there only.
    """

    weights: Floats
    shift: Floats

    @classmethod
    def of(cls, targets: Targets, weighting: Weighting = "root", adjustment: float = 0.0) -> "Balance":
        """The balance for messages with these targets.

        Args:
            weighting: none counts all alike; inverse weighs positives by negatives over positives; root by the root of
                that, which trades less precision for recall. All within 1 and 10.
            adjustment: how much of the log odds of the base rate is the shift (Menon et al. 2021, equation 10).
        """
        odds = (targets.positives + 1) / (targets.negatives + 1)
        return cls(np.clip(odds ** -_EXPONENTS[weighting], 1.0, MAX_WEIGHT), adjustment * np.log(odds))

    @property
    def lift(self) -> Floats:
        """[heads] how much higher it makes the logits than the log odds are."""
        return np.log(self.weights) - self.shift


def base_logits(targets: Targets, balance: Balance) -> Floats:
    """[heads] the logit that a constant prediction reaches at best under the balanced loss."""
    return np.log((targets.positives + 1) / (targets.negatives + 1)) + balance.lift


def masked_loss(logits: Tensor, targets: BatchTargets, weights: Tensor) -> Tensor:
    """Mean over the messages of the batch of the summed loss of what is known.

    Known entries: binary cross-entropy, positives weighted by `weights` [heads]; an entry may be a probability.
    Groups (at least one of these codes applies): -log(1 - prod(1 - p)).
    """
    known = ~torch.isnan(targets.known)
    truth = torch.where(known, targets.known, 0.0)
    entries = binary_cross_entropy_with_logits(logits, truth, pos_weight=weights, reduction="none")
    total = torch.where(known, entries, 0.0).sum() + group_loss(logits, targets)
    return total / len(logits)


def group_loss(logits: Tensor, targets: BatchTargets) -> Tensor:
    """Sum over groups of -log(1 - prod(1 - p)), from log(1 - p) = -softplus(logit) so that nothing underflows."""
    absent = torch.where(targets.groups, softplus(logits[targets.group_rows]), 0.0).sum(dim=1)
    return -torch.log(-torch.expm1(-absent.clamp_min(1e-30))).sum()
