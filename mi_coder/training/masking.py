"""Chats as input of masked-language modeling: windows of whole messages, and tokens that are hidden in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mi_coder.conversation import Conversation, model_text
from mi_coder.tagger.window import Tokens
from mi_coder.training.base import NoBase
from mi_coder.training.batches import pad

_MASK_TOKENS = ("[MASK]", "<mask>")
_SHOWN_AS_MASK = 0.8
_SHOWN_AS_ANOTHER = 0.1


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of an encoder.

    Attributes:
        size: number of tokens; their ids are below it.
        start, end: ids of the special tokens around a text.
        mask: id of the token that stands for a hidden one.
        ordinary: [size] whether a token is no special one, so that it may be hidden or take the place of another.
    """

    tokenizer: Tokenizer
    size: int
    start: list[int]
    end: list[int]
    mask: int
    ordinary: Tensor

    @classmethod
    def from_file(cls, path: Path) -> "Vocabulary":
        """Load `tokenizer.json`.

        Raises:
            NoBase: the file holds no tokenizer, or one without a mask token.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more special
            raise NoBase(f"{path} is no tokenizer that can be used: {error}. Save the encoder again.") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        masks = [found for name in _MASK_TOKENS if (found := tokenizer.token_to_id(name)) is not None]
        if not masks:
            raise NoBase(
                f"The tokenizer {path} has none of the mask tokens {', '.join(_MASK_TOKENS)}, so no token can be "
                "hidden from its encoder. Name another --base."
            )
        size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        probe = tokenizer.encode("a")
        inner = [place for place, special in enumerate(probe.special_tokens_mask) if not special]
        ordinary = torch.ones(size, dtype=torch.bool)
        added = tokenizer.get_added_tokens_decoder()
        ordinary[[masks[0], *(token_id for token_id, token in added.items() if token.special)]] = False
        return cls(tokenizer, size, probe.ids[: inner[0]], probe.ids[inner[-1] + 1 :], masks[0], ordinary)

    def windows(self, conversation: Conversation, max_tokens: int) -> list[Tokens]:
        """A whole conversation as windows of at most `max_tokens`, special tokens included.

        Every message is written as in the context of a tagger's window: "client: ...", one after the other. A window
        takes as many messages as fit; only a message that alone exceeds it is cut. Messages without text are left out,
        as are windows without a token that may be hidden.
        """
        room = max_tokens - len(self.start) - len(self.end)
        pieces: list[list[int]] = [[]]
        for message in conversation.messages:
            if not (text := model_text(message.text)):
                continue
            line = self.tokenizer.encode(f"{message.role}: {text}", add_special_tokens=False).ids
            if len(pieces[-1]) + len(line) > room:
                pieces.append([])
            for start in range(0, len(line), room):
                if pieces[-1] and start:
                    pieces.append([])
                pieces[-1] += line[start : start + room]
        return [self._window(piece) for piece in pieces if self.ordinary[piece].any()]

    def _window(self, piece: list[int]) -> Tokens:
        ids = [*self.start, *piece, *self.end]
        return Tokens(ids, len(ids), False)


class Masked(NamedTuple):
    """A batch with hidden tokens.

    Attributes:
        ids: int64 [windows, tokens] as the encoder sees them, padded on the right.
        mask: 1 for tokens and 0 for padding, same shape.
        hidden: bool, same shape: the tokens to be told.
        truth: int64 [hidden tokens]: what they are, in the order of the positions.
    """

    ids: Tensor
    mask: Tensor
    hidden: Tensor
    truth: Tensor

    def to(self, device: torch.device) -> "Masked":
        """The same on another device."""
        return Masked(*(one.to(device) for one in self))


def hide(windows: Sequence[Tokens], words: Vocabulary, pad_id: int, share: float, random: torch.Generator) -> Masked:
    """Hide a share of the ordinary tokens of windows, at least one, drawn anew at every call.

    Of the hidden tokens 80 % show the mask, 10 % another ordinary token and 10 % themselves (Devlin et al. 2019).
    """
    batch = pad(windows, pad_id, torch.device("cpu"))
    ids, mask = batch.message, batch.message_mask
    possible = words.ordinary[ids] & (mask == 1)
    draw = torch.rand(ids.shape, generator=random)
    hidden = possible & (draw <= max(share, draw[possible].min().item()))
    truth = ids[hidden]
    shown = torch.rand(truth.shape, generator=random)
    ordinary = words.ordinary.nonzero().flatten()
    another = ordinary[torch.randint(len(ordinary), truth.shape, generator=random)]
    seen = torch.where(shown < _SHOWN_AS_MASK + _SHOWN_AS_ANOTHER, another, truth)
    ids[hidden] = torch.where(shown < _SHOWN_AS_MASK, words.mask, seen)
    return Masked(ids, mask, hidden, truth)
