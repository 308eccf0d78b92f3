"""Batches of messages of like length, so that little time goes to padding."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mi_coder.arrays import Indices
from mi_coder.tagger.encoder import PAD, padded
from mi_coder.tagger.window import Tokens

EVALUATION_BATCH = 64
"""Windows that are read at once where nothing is learned."""

_BATCHES_SORTED_TOGETHER = 50
_MESSAGE_STEP = 8


class Batch(NamedTuple):
    """Inputs of the model, int64 [batch, tokens of the part] each, padded on the right; masks are 1 on tokens."""

    message: Tensor
    context: Tensor
    message_mask: Tensor
    context_mask: Tensor
    client: Tensor


def shuffled_batches(windows: Sequence[Tokens], size: int, random: np.random.Generator) -> list[Indices]:
    """Row numbers of random batches, each of windows of like length.

    Windows are shuffled, sorted by length within pieces of 50 batches, and the batches are shuffled again.
    """
    order = random.permutation(len(windows))
    batches: list[Indices] = []
    for rows in _cut(order, size * _BATCHES_SORTED_TOGETHER):
        batches += _cut(rows[_by_length([windows[row] for row in rows])], size)
    return [batches[index] for index in random.permutation(len(batches))]


def sorted_batches(windows: Sequence[Tokens], size: int) -> list[Indices]:
    """Row numbers of batches from the shortest windows to the longest."""
    return _cut(_by_length(windows), size)


def pad(windows: Sequence[Tokens], pad_id: int, device: torch.device) -> Batch:
    """Stack token windows, messages and contexts apart."""
    message, context, client = (torch.as_tensor(ids, device=device) for ids in padded(windows).values())
    message_mask, context_mask = ((ids != PAD).to(torch.int64) for ids in (message, context))
    message, context, client = (ids.masked_fill(ids == PAD, pad_id) for ids in (message, context, client))
    return Batch(message, context, message_mask, context_mask, client)


def drop_words(window: Tokens, share: float, random: np.random.Generator) -> Tokens:
    """The window without a random share of its tokens, as if they had not been said (word dropout, Iyyer et al. 2015).

    The first token stays: the encoder sums up the message there.
    """
    keep = random.random(len(window.ids)) >= share
    keep[0] = True
    ids = [one for one, kept in zip(window.ids, keep, strict=True) if kept]
    return replace(window, ids=ids, own=int(keep[: window.own].sum()))


def drop_context(window: Tokens, share: float, random: np.random.Generator) -> Tokens:
    """With the probability `share` the window as if nothing had been said before, else as it is.

    Every window ends with one special token, which stays.
    """
    if random.random() >= share:
        return window
    return replace(window, ids=[*window.ids[: window.own], window.ids[-1]], client=())


def _by_length(windows: Sequence[Tokens]) -> Indices:
    """The order of windows by the length of the message in steps of eight tokens, then by that of the context.

    Both are padded, so a batch should be even in both; steps of one would leave the contexts as they come.
    """
    own = np.array([one.own for one in windows])
    context = np.array([len(one.ids) - one.own for one in windows])
    return np.lexsort((context, own // _MESSAGE_STEP))


def _cut(rows: Indices, size: int) -> list[Indices]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
