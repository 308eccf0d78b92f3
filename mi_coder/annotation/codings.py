"""Brings the codings of the same messages together from several files of codes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.conversation import Conversation, Gold
from mi_coder.corpora.source import read_rows
from mi_coder.corpora.standoff import NEEDED, read_standoff, text_hash, texts_unchecked
from mi_coder.errors import UsageProblem
from mi_coder.formats.conversations import read_conversations
from mi_coder.formats.options import ReadOptions

Rater = tuple[str, str]
"""Who codes when: a coder and a round."""


@dataclass(frozen=True, slots=True)
class Given:
    """One coding of a message, by whom and in which round.

    Attributes:
        source: the annotation from which it was pulled; empty where it was not.
        own: the chosen codes of the platform's own; None where the file does not tell.
    """

    coder: str
    round: str
    gold: Gold
    source: str = ""
    own: frozenset[str] | None = None

    @property
    def rater(self) -> Rater:
        return self.coder, self.round


@dataclass(frozen=True, slots=True)
class Stored:
    """One coding as a file holds it.

    Attributes:
        index: place of the message in its conversation, from 0.
        text_hash: of the message that was coded; empty where the file does not tell it.
        confidence: 3 sure to 1 unsure; None where the file does not tell it.
        gold_from: who the coders of the file are.
    """

    conversation: str
    index: int
    text_hash: str
    given: Given
    confidence: int | None
    gold_from: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One message and the codings that it got.

    Attributes:
        index: place of the message in its conversation, from 0.
        given: the codings, in any order; no rater has two.
    """

    conversation: str
    index: int
    given: tuple[Given, ...]

    @property
    def codings(self) -> tuple[Gold, ...]:
        """The codings without their raters."""
        return tuple(one.gold for one in self.given)

    @property
    def id(self) -> str:
        """The id by which people find the message."""
        return f"{self.conversation}#{self.index}"


def read_units(paths: Sequence[Path]) -> list[Unit]:
    """Every message that any of the files codes, with all of its codings.

    Where a file does not tell the texts it is not checked that all code the same ones (see `unchecked`).

    Raises:
        UsageProblem: a coder codes a message twice in one round, two codings are of different texts, or the same
            annotation is there as two rounds.
        BadStandoff, MiCoderError: as `read_codings` says.
    """
    codings: dict[tuple[str, int], dict[Rater, Given]] = {}
    texts: dict[tuple[str, int], str] = {}
    for path in paths:
        for stored in read_codings(path):
            given = stored.given
            place = stored.conversation, stored.index
            where = f"{path}: conversation {stored.conversation!r}, message {stored.index}"
            if stored.text_hash and texts.setdefault(place, stored.text_hash) != stored.text_hash:
                raise UsageProblem(f"{where}: the other coding is of another text. Compare codings of one corpus.")
            own = codings.setdefault(place, {})
            if given.rater in own:
                raise UsageProblem(
                    f"{where}: coder {given.coder!r} codes it twice in round {given.round!r}. Remove one, or name the "
                    "coders (column or field coder) or the rounds (round) apart."
                )
            if twin := next((one for one in own.values() if given.source and one.source == given.source), None):
                raise UsageProblem(
                    f"{where}: rounds {twin.round!r} and {given.round!r} hold the same annotation of Label Studio, and "
                    "would agree with themselves. Code the second round in a project of its own."
                )
            own[given.rater] = given
    return [Unit(conversation, index, tuple(given.values())) for (conversation, index), given in codings.items()]


def read_codings(path: Path) -> Iterator[Stored]:
    """The codings of one file, in its order.

    A stand-off file (.csv) may hold several codings of a message, by coders or rounds of their own. In any other file
    of chats each message has one, its field `gold`. Fields `coder` and `round` of the message or the conversation say
    whose it is; without them the name of the file stands for the coder.

    Raises:
        BadStandoff, UsageProblem: a row that breaks the rules of the codebook; names file, line and field.
        MiCoderError: a file of chats that cannot be read; names file and line.
    """
    return _standoff(path) if _is_standoff(path) else _chats(path)


def unchecked(paths: Iterable[Path]) -> str:
    """What to say of the files that do not tell the texts of their codes; empty where all do."""
    return texts_unchecked(filter(_is_standoff, paths))


def rater_names(units: Iterable[Unit]) -> Mapping[Rater, str]:
    """What to call each rater: the coder, or "coder (round)" for those who code a message in more than one round."""
    units = list(units)
    repeaters: set[str] = set()
    for unit in units:
        coders = [given.coder for given in unit.given]
        repeaters |= {coder for coder in coders if coders.count(coder) > 1}
    raters = sorted({given.rater for unit in units for given in unit.given})
    return {(coder, round): f"{coder} ({round})" if coder in repeaters else coder for coder, round in raters}


def _is_standoff(path: Path) -> bool:
    return path.suffix.casefold() == ".csv"


def _standoff(path: Path) -> Iterator[Stored]:
    for row, cells in zip(read_standoff(path), read_rows(path, NEEDED), strict=True):
        own = frozenset(cells["own"].split("+")) - {""} if "own" in cells else None
        given = Given(row.coder, row.round, row.gold, row.source, own)
        yield Stored(row.conversation_id, row.index, row.text_hash, given, row.confidence, row.gold_from)


def _chats(path: Path) -> Iterator[Stored]:
    found = False
    for conversation in read_conversations(path, ReadOptions(overwrite=True)):
        for stored in _gold_of(conversation, path.stem):
            found = True
            yield stored
    if not found:
        raise UsageProblem(f'{path}: no message has gold, such as "gold": {{"codes": ["OQ"]}}. Name files of codes.')


def _gold_of(conversation: Conversation, coder: str) -> Iterator[Stored]:
    gold_from = str(conversation.extra.get("gold_from", coder))
    for index, message in enumerate(conversation.messages):
        if message.gold:
            named = {"coder": coder, "round": "", **conversation.extra, **message.extra}
            given = Given(str(named["coder"]), str(named["round"]), message.gold)
            yield Stored(conversation.id, index, text_hash(message.text), given, None, gold_from)
