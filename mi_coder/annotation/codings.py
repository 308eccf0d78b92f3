"""Brings the codings of the same messages together from several files of codes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.conversation import Conversation, Gold
from mi_coder.corpora.source import read_rows
from mi_coder.corpora.standoff import COLUMNS, read_standoff, text_hash
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

    A stand-off file (.csv) may hold several codings of a message, by coders or rounds of their own. In any other file
    of chats each message has one, its field `gold`. Fields `coder` and `round` of the message or the conversation say
    whose it is; without them the name of the file stands for the coder.

    Raises:
        UsageProblem: a coder codes a message twice in one round, two codings are of different texts, or the same
            annotation is there as two rounds.
        BadStandoff: a row that breaks the rules of the codebook; names file, line and field.
        MiCoderError: a file of chats that cannot be read; names file and line.
    """
    codings: dict[tuple[str, int], dict[Rater, Given]] = {}
    texts: dict[tuple[str, int], str] = {}
    for path in paths:
        for place, text, given in _standoff(path) if path.suffix.casefold() == ".csv" else _chats(path):
            conversation, index = place
            where = f"{path}: conversation {conversation!r}, message {index}"
            if texts.setdefault(place, text) != text:
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


def rater_names(units: Iterable[Unit]) -> Mapping[Rater, str]:
    """What to call each rater: the coder, or "coder (round)" for those who code a message in more than one round."""
    units = list(units)
    repeaters: set[str] = set()
    for unit in units:
        coders = [given.coder for given in unit.given]
        repeaters |= {coder for coder in coders if coders.count(coder) > 1}
    raters = sorted({given.rater for unit in units for given in unit.given})
    return {(coder, round): f"{coder} ({round})" if coder in repeaters else coder for coder, round in raters}


_Item = tuple[tuple[str, int], str, Given]


def _standoff(path: Path) -> Iterator[_Item]:
    for row, cells in zip(read_standoff(path), read_rows(path, COLUMNS), strict=True):
        own = frozenset(cells["own"].split("+")) - {""} if "own" in cells else None
        yield (row.conversation_id, row.index), row.text_hash, Given(row.coder, row.round, row.gold, row.source, own)


def _chats(path: Path) -> Iterator[_Item]:
    found = False
    for conversation in read_conversations(path, ReadOptions(overwrite=True)):
        for item in _gold_of(conversation, path.stem):
            found = True
            yield item
    if not found:
        raise UsageProblem(f'{path}: no message has gold, such as "gold": {{"codes": ["OQ"]}}. Name files of codes.')


def _gold_of(conversation: Conversation, coder: str) -> Iterator[_Item]:
    for index, message in enumerate(conversation.messages):
        if message.gold:
            named = {"coder": coder, "round": "", **conversation.extra, **message.extra}
            given = Given(str(named["coder"]), str(named["round"]), message.gold)
            yield (conversation.id, index), text_hash(message.text), given
