"""How much a corpus holds and how often its gold has each code."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import PARTS, group_of, hashed_part


@dataclass(slots=True)
class Tally:
    """Running counts over conversations.

    Attributes:
        without_split: conversations without a field `split`.
        with_gold: counselor messages of which at least one code is known to apply or not to apply.
        with_code: counselor messages to which a code, or one of several codes, is known to apply.
        positives: by code, counselor messages to which the code is known to apply.
        any_of: by set of codes, counselor messages to which at least one of them is known to apply.
    """

    conversations: int = 0
    without_split: int = 0
    messages: int = 0
    counselor_messages: int = 0
    with_gold: int = 0
    with_code: int = 0
    positives: Counter[str] = field(default_factory=Counter)
    any_of: Counter[frozenset[str]] = field(default_factory=Counter)

    def add(self, conversation: Conversation) -> None:
        """Count one conversation."""
        self.conversations += 1
        self.without_split += _named_part(conversation) is None
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


@dataclass(frozen=True, slots=True)
class CorpusPart:
    """A part of a corpus; "-" where no corpus is named."""

    corpus: str
    part: str

    def __str__(self) -> str:
        return f"{self.corpus}/{self.part}"


def by_part(conversations: Iterable[Conversation]) -> dict[CorpusPart, Tally]:
    """A tally per corpus, in order of first appearance, and part of it: train, dev, test, then what others are named.

    The part is what the field `split` says. Without one, the hash of the group gives it, as it does in training.
    """
    tallies: dict[CorpusPart, Tally] = {}
    for conversation in conversations:
        part = _named_part(conversation) or hashed_part(group_of(conversation))
        key = CorpusPart(str(conversation.extra.get("corpus", "-")), part)
        tallies.setdefault(key, Tally()).add(conversation)
    corpora = list(dict.fromkeys(key.corpus for key in tallies))
    parts = list(dict.fromkeys([*PARTS, *(key.part for key in tallies)]))
    order = sorted(tallies, key=lambda key: (corpora.index(key.corpus), parts.index(key.part)))
    return {key: tallies[key] for key in order}


def count_rows(tallies: Collection[Tally], book: Codebook) -> list[tuple[str, list[int]]]:
    """Names and counts, one per tally: of the codes, of the sets of codes that are known in part, and the totals."""
    rows = [(code, [tally.positives[code] for tally in tallies]) for code in book.ids]
    for group in dict.fromkeys(group for tally in tallies for group in tally.any_of):
        rows.append((" or ".join(book.in_order(group)), [tally.any_of[group] for tally in tallies]))
    rows.append(("conversations", [tally.conversations for tally in tallies]))
    rows.append(("messages", [tally.messages for tally in tallies]))
    rows.append(("counselor messages", [tally.counselor_messages for tally in tallies]))
    rows.append(("with gold", [tally.with_gold for tally in tallies]))
    return rows


def _named_part(conversation: Conversation) -> str | None:
    part = conversation.extra.get("split")
    return str(part) if part else None
