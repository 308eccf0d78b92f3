"""Batches of messages of like length, so that little time goes to padding."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mi_coder.tagger.window import Tokens

Rows = NDArray[np.intp]

_BATCHES_SORTED_TOGETHER = 50


class Batch(NamedTuple):
    """Inputs of the model, int64 [batch, tokens of the part] each, padded on the right; masks are 1 on tokens."""

    message: Tensor
    context: Tensor
    message_mask: Tensor
    context_mask: Tensor


def shuffled_batches(lengths: Sequence[int], size: int, random: np.random.Generator) -> list[Rows]:
    """Row numbers of random batches, each of messages of like length.

    Messages are shuffled, sorted by length within pieces of 50 batches, and the batches are shuffled again.
    """
    order = random.permutation(len(lengths))
    piece = size * _BATCHES_SORTED_TOGETHER
    batches: list[Rows] = []
    for start in range(0, len(order), piece):
        rows = order[start : start + piece]
        batches += _cut(rows[np.argsort(np.asarray(lengths)[rows], kind="stable")], size)
    return [batches[index] for index in random.permutation(len(batches))]


def sorted_batches(lengths: Sequence[int], size: int) -> list[Rows]:
    """Row numbers of batches from the shortest messages to the longest."""
    return _cut(np.argsort(np.asarray(lengths), kind="stable"), size)


def pad(windows: Sequence[Tokens], pad_id: int, device: torch.device) -> Batch:
    """Stack token windows, messages and contexts apart."""
    message, message_mask = _stack([one.ids[: one.own] for one in windows], pad_id, device)
    context, context_mask = _stack([one.ids[one.own :] for one in windows], pad_id, device)
    return Batch(message, context, message_mask, context_mask)


def _stack(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    shape = (len(rows), max(map(len, rows)))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return torch.as_tensor(ids, device=device), torch.as_tensor(mask, device=device)


def _cut(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
