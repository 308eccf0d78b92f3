"""The token window: one counselor message and the messages before it become a row of the encoder's input.

Layout: `[CLS] message [SEP] context [SEP]`, the context oldest first, each of its messages led by its role
("client: ..."). Training and tagging both build their input here, so they see the same ids.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from mi_coder.conversation import CLIENT, Message, model_text
from mi_coder.tagger.config import BadModel, Window

# A token of English has about four characters, its space included. What is further from the ends of a text than this
# many characters for each token that fits is cut before the text is tokenized, so that one huge message costs no more
# than another.
_CHARS_PER_TOKEN = 8

BUCKETS = 1 << 16
"""Into how many buckets the word pieces of sentences, and pairs and triples of them, are hashed."""

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|\n\s*")
_ENDS = ((1 << 31) - 1, (1 << 31) - 2)
_FACTORS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_SENTENCES_KEPT = 4096

# The end of a message of the client that is looked at for sentences: some two hundred words. What is further away is
# cut before anything is cleaned.
_SAID_CHARS = 1024
_SAID_REACH = 8 * _SAID_CHARS


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One sentence that the client said before a message.

    Attributes:
        back: how many messages back; 1 is the one before.
        grams: the different buckets, below `BUCKETS`, of its word pieces and of the pairs and triples of them.
    """

    back: int
    grams: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the encoder reads of one message.

    Attributes:
        ids: token ids, those of the message first.
        own: how many of them belong to the message, its special tokens included; the rest is context.
        truncated: the message did not fit and lost its middle.
        client: the different ids among the tokens of the client's messages in the context, in ascending order.
        said: the client's sentences among the last `Window.asking` messages, the nearest message first; of a message
            longer than 1,024 characters those at its end.
    """

    ids: list[int]
    own: int
    truncated: bool
    client: tuple[int, ...] = ()
    said: tuple[Said, ...] = ()


class WindowBuilder:
    """Builds token windows with the tokenizer of a model."""

    def __init__(self, tokenizer: Tokenizer, window: Window) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.window = window
        self._pieces = _special_pieces(tokenizer)
        self._sentences = lru_cache(_SENTENCES_KEPT)(self._grams_by_sentence)

    @classmethod
    def from_file(cls, path: Path, window: Window) -> "WindowBuilder":
        """Load `tokenizer.json`. Nothing is looked up on a hub.

        Raises:
            BadModel: the file holds no tokenizer.
        """
        try:
            return cls(Tokenizer.from_file(str(path)), window)
        except Exception as error:  # the library raises nothing more special
            raise BadModel(f"{path} is no tokenizer that can be used: {error}. Copy the whole folder again.") from error

    @property
    def context_chars(self) -> int:
        """Characters at the end of a text that are enough to fill the context."""
        return _CHARS_PER_TOKEN * self.window.context_tokens

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        return self._tokenizer.encode(model_text(text), add_special_tokens=False).ids

    def build(self, text: str, context: Sequence[Message]) -> Tokens:
        """The window of a message `text` after the messages `context` (oldest first; only the last few are read).

        The oldest context goes first where space is short. Only a message that alone exceeds the window is itself cut:
        its middle goes, because acts sit at both ends (a question often ends a message).
        """
        start, middle, end = self._pieces
        room = self.window.max_tokens - len(start) - len(middle) - len(end)
        own = model_text(text)
        reach = _CHARS_PER_TOKEN * self.window.max_tokens
        huge = len(own) > 2 * reach
        message = self.tokens(own[:reach] + own[-reach:] if huge else own)
        truncated = huge or len(message) > room
        if len(message) > room:
            head = room // 2
            message = message[:head] + message[len(message) - (room - head) :]
        space = min(room - len(message), self.window.context_tokens)
        before, client = self._context(context, space)
        ids = start + message + middle + before + end
        size = len(start) + len(message) + len(middle)
        return Tokens(ids, size, truncated, tuple(sorted(client)), self.said(context))

    def _context(self, messages: Sequence[Message], space: int) -> tuple[list[int], set[int]]:
        """The tokens of the context, at most `space`, and which of them are the client's."""
        kept: list[int] = []
        client: set[int] = set()
        last = self.window.context
        for message in reversed(messages[-last:] if last else []):
            room = space - len(kept)
            if room <= 0:
                break
            said = self.tokens(f"{message.role}: {_end(message.text, self.context_chars)}")[-room:]
            kept = said + kept
            if not message.is_counselor:
                client.update(said)
        return kept, client

    def said(self, messages: Sequence[Message]) -> tuple[Said, ...]:
        """`Tokens.said` of a message after these."""
        last = self.window.asking
        return tuple(
            Said(back, grams)
            for back, message in enumerate(reversed(messages[-last:] if last else []), start=1)
            if message.role == CLIENT
            for grams in self._sentences(_end(message.text.rstrip()[-_SAID_REACH:], _SAID_CHARS))
        )

    def _grams_by_sentence(self, text: str) -> tuple[NDArray[np.intp], ...]:
        sentences = filter(None, map(str.strip, _SENTENCE_END.split(model_text(text))))
        return tuple(_grams(self.tokens(sentence)) for sentence in sentences)


def _grams(pieces: Sequence[int]) -> NDArray[np.intp]:
    """`Said.grams` of the word pieces of a sentence, whose ends count as pieces."""
    ids = np.array([_ENDS[0], *pieces, _ENDS[1]], dtype=np.uint32)
    hashed = [ids * np.uint32(_FACTORS[0])]
    for place, factor in enumerate(_FACTORS[1:], start=1):
        hashed.append((hashed[-1][:-1] ^ ids[place:]) * np.uint32(factor))
    return np.unique(np.concatenate(hashed) >> np.uint32(16)).astype(np.intp)


def _end(text: str, chars: int) -> str:
    return text if len(text) <= chars else model_text(text)[-chars:]


def _special_pieces(tokenizer: Tokenizer) -> tuple[list[int], list[int], list[int]]:
    """The special tokens before, between and after a pair, as the tokenizer's own template sets them."""
    probe = tokenizer.encode("a", "a")
    inner = [index for index, special in enumerate(probe.special_tokens_mask) if not special]
    return probe.ids[: inner[0]], probe.ids[inner[0] + 1 : inner[-1]], probe.ids[inner[-1] + 1 :]
