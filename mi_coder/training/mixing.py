"""Copies of training chats, the counselor's sentences mixed with others, of which teachers tell the codes.

A small model learns more of its teachers from further messages than the gold has (Jiao et al. 2020, TinyBERT,
augmentation of the data of the task).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from mi_coder.conversation import Conversation, Message
from mi_coder.tagger.sentences import Splitter
from mi_coder.training.data import MIXED

_KEPT = 0.5
_OF_CLIENTS = 0.25

Sentences = Mapping[tuple[str, bool], Sequence[str]]
"""By corpus, and whether a counselor said them."""


def mixed(conversations: Sequence[Conversation], copies: int, splitter: Splitter, seed: int) -> list[Conversation]:
    """`copies` of every conversation, with mixed counselor messages that have no codes.

    Of the sentences of a message, one more or one less or as many as it has, half stay where they are. The others are
    drawn from all messages of its corpus (field `corpus`), a quarter of them from those that no counselor wrote, mostly
    clients'. Clients' messages stay, and so do id and fields of the conversation, but for `gold_from`. At least one
    sentence is left.

    Args:
        splitter: gives the character spans of the sentences of a text.
    """
    random = np.random.default_rng(seed)

    @cache
    def sentences(text: str) -> list[str]:
        return [text[start:end] for start, end in splitter(text)]

    spoken = _spoken(conversations, sentences)

    def mix(message: Message, corpus: str) -> Message:
        if not message.is_counselor:
            return message
        own = sentences(message.text)
        if not own:
            return Message(message.role, message.text)
        number = max(1, len(own) + int(random.integers(-1, 2)))
        parts = [
            own[place] if place < len(own) and random.random() < _KEPT else _drawn(spoken, corpus, random)
            for place in range(number)
        ]
        return Message(message.role, " ".join(parts))

    return [
        replace(
            chat,
            messages=[mix(one, str(chat.extra["corpus"])) for one in chat.messages],
            extra={**chat.extra, "gold_from": MIXED},
        )
        for _ in range(copies)
        for chat in conversations
    ]


def _spoken(conversations: Sequence[Conversation], sentences: Callable[[str], list[str]]) -> Sentences:
    spoken: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for chat in conversations:
        for message in chat.messages:
            if said := sentences(message.text):
                spoken[str(chat.extra["corpus"]), message.is_counselor] += said
    return spoken


def _drawn(spoken: Sentences, corpus: str, random: np.random.Generator) -> str:
    """A sentence of the corpus; of a counselor where no client said any."""
    of_client = random.random() < _OF_CLIENTS and (corpus, False) in spoken
    choice = spoken[corpus, not of_client]
    return choice[int(random.integers(len(choice)))]
