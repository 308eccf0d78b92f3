"""The loss: known entries count, unknown ones have no part in it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from mi_coder.evaluation.metrics import Floats
from mi_coder.training.targets import Targets

MAX_WEIGHT = 10.0


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


def positive_weights(targets: Targets) -> Floats:
    """[heads] how much more a positive counts than a negative: the root of negatives over positives, within 1 and 10.

    The root tempers the full inverse frequency, which on rare codes trades too much precision for recall.
    """
    ratio = (targets.negatives + 1) / (targets.positives + 1)
    return np.clip(np.sqrt(ratio), 1.0, MAX_WEIGHT)


def base_logits(targets: Targets, weights: Floats) -> Floats:
    """[heads] the logit that a constant prediction reaches at best under the weighted loss."""
    return np.log(weights * (targets.positives + 1) / (targets.negatives + 1))


def masked_loss(logits: Tensor, targets: BatchTargets, weights: Tensor) -> Tensor:
    """Mean over the messages of the batch of the summed loss of what is known.

    Known entries: binary cross-entropy, positives weighted by `weights` [heads].
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
