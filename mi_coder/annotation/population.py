"""What there is to sample from: counselor messages with text, or whole conversations, that nobody has coded yet.

Of units with the same text (case, spacing and invisible characters aside) only the first is kept, in the order of
conversation ids and messages; none is, where one of them is coded. So rates that are estimated from a sample are those
of the different uncoded texts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Literal

from mi_coder.conversation import Conversation, Message, model_text
from mi_coder.corpora.source import folded, read_rows
from mi_coder.corpora.standoff import text_hash
from mi_coder.errors import UsageProblem
from mi_coder.formats.coding import is_complete

UnitKind = Literal["message", "conversation"]
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One unit to draw: the messages at some places of a chat, one of them or all that can be coded."""

    chat: Conversation
    places: tuple[int, ...]

    @property
    def messages(self) -> list[Message]:
        """The messages that would be coded."""
        return [self.chat.messages[place] for place in self.places]

    @property
    def ids(self) -> list[str]:
        """Their utterance ids."""
        return [f"{self.chat.id}#{place}" for place in self.places]


@dataclass(frozen=True, slots=True)
class Population:
    """The units to draw from, by conversation id and place, and how many were left out.

    Attributes:
        empty: without text that could be coded.
        coded: with codes already, in part or whole.
        duplicates: with the text of another unit.
    """

    unit: UnitKind
    units: tuple[Candidate, ...]
    empty: int
    coded: int
    duplicates: int

    @property
    def hash(self) -> str:
        """Fingerprint of the utterance ids and texts that could be drawn, in their order."""
        digest = sha256()
        for unit in self.units:
            for name, message in zip(unit.ids, unit.messages, strict=True):
                digest.update(f"{name}\0{text_hash(message.text)}\n".encode())
        return f"sha256:{digest.hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Done:
    """What is coded already, or drawn to be.

    Attributes:
        hashes: of texts as they were coded (see `mi_coder.corpora.standoff.text_hash`).
    """

    places: frozenset[Place] = frozenset()
    hashes: frozenset[str] = frozenset()


def read_done(paths: Iterable[Path]) -> Done:
    """Read files of codes or earlier samples: CSV with `conversation_id`, `index` and, if there is one, `text_hash`.

    Raises:
        UsageProblem: a file cannot be read or lacks a column, or an index is no number.
    """
    places, hashes = set(), set()
    for path in paths:
        for row in read_rows(path, ("conversation_id", "index"), guarded=True):
            places.add((row["conversation_id"], row.count("index")))
            hashes.add(row.get("text_hash", ""))
    return Done(frozenset(places), frozenset(hashes - {""}))


def population(chats: Iterable[Conversation], unit: UnitKind, done: Done) -> Population:
    """The units of the chats that are to be drawn from.

    Messages with complete gold count as coded, beside those of `done`.

    Raises:
        UsageProblem: a conversation id comes twice.
    """
    ordered = sorted(chats, key=lambda chat: chat.id)
    for first, second in pairwise(ordered):
        if first.id == second.id:
            raise UsageProblem(
                f"The conversation id {first.id!r} comes twice. Name each file once, and give each conversation its "
                "own id."
            )
    found = list(_messages(ordered) if unit == "message" else _conversations(ordered))
    filled = [candidate for candidate in found if candidate.places]
    fresh = [candidate for candidate in filled if not _is_done(candidate, done)]
    fresh_numbers = set(map(id, fresh))
    seen = {_same(candidate, unit) for candidate in filled if id(candidate) not in fresh_numbers}
    kept = []
    for candidate in fresh:
        key = _same(candidate, unit)
        if key not in seen and not (unit == "message" and text_hash(candidate.messages[0].text) in done.hashes):
            seen.add(key)
            kept.append(candidate)
    return Population(unit, tuple(kept), len(found) - len(filled), len(filled) - len(fresh), len(fresh) - len(kept))


def _messages(chats: Sequence[Conversation]) -> Iterator[Candidate]:
    """A candidate for each counselor message; one without text has no places."""
    for chat in chats:
        for place, message in enumerate(chat.messages):
            if message.is_counselor:
                yield Candidate(chat, (place,) if model_text(message.text) else ())


def _conversations(chats: Sequence[Conversation]) -> Iterator[Candidate]:
    for chat in chats:
        places = (place for place, one in enumerate(chat.messages) if one.is_counselor and model_text(one.text))
        yield Candidate(chat, tuple(places))


def _is_done(candidate: Candidate, done: Done) -> bool:
    return any(
        (candidate.chat.id, place) in done.places or _is_coded(message)
        for place, message in zip(candidate.places, candidate.messages, strict=True)
    )


def _is_coded(message: Message) -> bool:
    return message.gold is not None and is_complete(message.gold)


def _same(candidate: Candidate, unit: UnitKind) -> str:
    """What two units with the same text have in common: of a conversation, all its messages and their roles."""
    messages = candidate.messages if unit == "message" else candidate.chat.messages
    return text_hash("\0".join(f"{message.role}\0{folded(model_text(message.text))}" for message in messages))
