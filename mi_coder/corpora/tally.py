"""How much a corpus holds and how often its gold has each code."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mi_coder.conversation import Conversation


@dataclass(slots=True)
class Tally:
    """Running counts over conversations.

    Attributes:
        with_gold: counselor messages of which at least one code is known to apply or not to apply.
        with_code: counselor messages to which a code, or one of several codes, is known to apply.
        positives: by code, counselor messages to which the code is known to apply.
        any_of: by set of codes, counselor messages to which at least one of them is known to apply.
    """

    conversations: int = 0
    messages: int = 0
    counselor_messages: int = 0
    with_gold: int = 0
    with_code: int = 0
    positives: Counter[str] = field(default_factory=Counter)
    any_of: Counter[frozenset[str]] = field(default_factory=Counter)

    def add(self, conversation: Conversation) -> None:
        """Count one conversation."""
        self.conversations += 1
        self.messages += len(conversation.messages)
        for message in conversation.counselor_messages:
            self.counselor_messages += 1
            if message.gold is not None:
                self.with_gold += 1
                self.with_code += bool(message.gold.positive or message.gold.any_of)
                self.positives.update(message.gold.positive)
                self.any_of.update(message.gold.any_of)

    def over(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """The same conversations, each counted as it passes."""
        for conversation in conversations:
            self.add(conversation)
            yield conversation


def by_part(conversations: Iterable[Conversation]) -> dict[str, Tally]:
    """A tally per corpus and part of it, in order of first appearance; "-" where no corpus is named.

    The part is what `split` or else `official_split` says ("esconv/train"), or "failed" for failed chats without one.
    """
    tallies: dict[str, Tally] = {}
    for conversation in conversations:
        tallies.setdefault(_part(conversation), Tally()).add(conversation)
    return tallies


def _part(conversation: Conversation) -> str:
    fields = conversation.extra
    split = fields.get("split") or fields.get("official_split") or ("failed" if fields.get("failed") else None)
    corpus = str(fields.get("corpus", "-"))
    return f"{corpus}/{split}" if split else corpus
