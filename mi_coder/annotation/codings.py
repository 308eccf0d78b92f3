"""Brings the codings of the same messages together from several files of codes."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from mi_coder.conversation import Conversation, Gold
from mi_coder.corpora.standoff import NEEDED, joined, read_standoff_rows, refuse_tagged, text_hash, texts_unchecked
from mi_coder.errors import UsageProblem
from mi_coder.formats.compress import open_source
from mi_coder.formats.conversations import read_conversations
from mi_coder.formats.lines import BOM
from mi_coder.formats.on_disk import check_on_disk
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord
from mi_coder.formats.sniff import UnknownFormat

Rater = tuple[str, str]
"""Who codes when: a coder and a round."""

DETAILS = ("depth", "permission", "reason")
SHOWN_CODERS = 4
_HEADER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Given:
    """One coding of a message, by whom and in which round.

    Attributes:
        source: the annotation from which it was pulled; empty where it was not.
        own: the chosen codes of the platform's own; None where the file does not tell.
        tells: which of `DETAILS` the file tells: it has the column or, if it is one of chats, the field in some gold.
        confidence: 3 sure to 1 unsure; None where the file does not tell it.
    """

    coder: str
    round: str
    gold: Gold
    source: str = ""
    own: frozenset[str] | None = None
    tells: frozenset[str] = frozenset(DETAILS)
    confidence: int | None = None

    @property
    def rater(self) -> Rater:
        return self.coder, self.round


@dataclass(frozen=True, slots=True)
class Stored:
    """One coding as a file holds it.

    Attributes:
        index: place of the message in its conversation, from 0.
        text_hash: of the message that was coded; empty where the file does not tell it.
        gold_from: who the coders of the file are.
    """

    conversation: str
    index: int
    text_hash: str
    given: Given
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
    def confidence(self) -> int | None:
        """The lowest of the codings that count, those of the last rounds; None where none tells it."""
        return min((one.confidence for one in self.last_rounds().given if one.confidence is not None), default=None)

    @property
    def id(self) -> str:
        """The id by which people find the message."""
        return f"{self.conversation}#{self.index}"

    def last_rounds(self) -> "Unit":
        """The message with one coding of each coder, that of the last round.

        Round 2 comes before 10; rounds without a number come in the order of their texts.
        """
        if len({one.coder for one in self.given}) == len(self.given):
            return self
        last = {one.coder: one for one in sorted(self.given, key=lambda one: (_natural(one.round), one.round))}
        return replace(self, given=tuple(one for one in self.given if one is last[one.coder]))


def read_units(
    paths: Iterable[str | Path], also: Callable[[Path, Stored], None] = lambda path, stored: None
) -> list[Unit]:
    """Every message that any of the files codes, with all of its codings.

    Where a file does not tell the texts it is not checked that all code the same ones (see `unchecked`).

    Args:
        also: called with each coding and its file, for what else is to be known of it.

    Raises:
        UsageProblem: a coder codes a message twice in one round, two codings are of different texts, or the same
            annotation is there as two rounds.
        BadStandoff, MiCoderError: as `read_codings` says.
    """
    codings: dict[tuple[str, int], dict[Rater, Given]] = {}
    texts: dict[tuple[str, int], str] = {}
    for path in map(Path, paths):
        for stored in read_codings(path):
            also(path, stored)
            given = stored.given
            place = stored.conversation, stored.index
            where = f"{path}: conversation {stored.conversation!r}, message {stored.index}"
            if stored.text_hash and texts.setdefault(place, stored.text_hash) != stored.text_hash:
                raise UsageProblem(f"{where}: the other coding is of another text. Compare codings of the same corpus.")
            own = codings.setdefault(place, {})
            if given.rater in own:
                raise UsageProblem(
                    f"{where}: coder {given.coder!r} codes it twice in round {given.round!r}. Remove one, or give "
                    "the coders (column or field coder) or the rounds (round) different names."
                )
            if twin := next((one for one in own.values() if given.source and one.source == given.source), None):
                raise UsageProblem(
                    f"{where}: rounds {twin.round!r} and {given.round!r} have the same annotation of Label Studio, so "
                    "they would be compared with themselves. Code the second round in a separate project."
                )
            own[given.rater] = given
    return [Unit(conversation, index, tuple(given.values())) for (conversation, index), given in codings.items()]


def read_codings(path: str | Path) -> Iterator[Stored]:
    """The codings of one file, in its order.

    A stand-off file may hold several codings of a message, by coders or rounds of their own. It is one that ends in
    .csv or has the columns of one, plain or compressed. In any other file, of chats, each message has one coding, its
    field `gold`. Fields `coder` and `round` of the message or the conversation say whose it is; without them the name
    of the file stands for the coder.

    Raises:
        BadStandoff, UsageProblem: a row that breaks the rules of the codebook; names file, line and field.
        MiCoderError: a file of chats that cannot be read; names file and line.
    """
    path = Path(path)
    return _standoff(path) if _is_standoff(path) else _chats(path)


def unchecked(paths: Iterable[str | Path]) -> str:
    """What to say of the files that do not tell the texts of their codes; empty where all do."""
    return texts_unchecked(filter(_is_standoff, map(Path, paths)))


def rater_names(units: Iterable[Unit]) -> Mapping[Rater, str]:
    """What to call each rater: the coder, or "coder (round)" for those who code a message in more than one round."""
    units = list(units)
    repeaters: set[str] = set()
    for unit in units:
        coders = [given.coder for given in unit.given]
        repeaters |= {coder for coder in coders if coders.count(coder) > 1}
    raters = sorted({given.rater for unit in units for given in unit.given})
    return {(coder, round): f"{coder} ({round})" if coder in repeaters else coder for coder, round in raters}


def several_coders(units: Iterable[Unit]) -> bool:
    """Whether any message has codings of two coders."""
    return any(len({given.coder for given in unit.given}) > 1 for unit in units)


def earlier_rounds(units: Iterable[Unit]) -> str:
    """What to say of rounds that do not count because their coder has a later one; empty where there are none."""
    earlier = sum(len(unit.last_rounds().given) < len(unit.given) for unit in units)
    if not earlier:
        return ""
    return (
        f"{earlier} messages have earlier rounds of a coder, which are ignored: the last round counts. To compare "
        "the rounds of a coder: mi-code agreement CODES... --by pair"
    )


def coded_alone(units: Sequence[Unit]) -> str:
    """What to say of the messages that have one coding, by coder; empty where there are none."""
    names = rater_names(units)
    codings = Counter(names[given.rater] for unit in units for given in unit.given)
    alone = Counter(names[unit.given[0].rater] for unit in units if len(unit.given) == 1)
    if not alone:
        return ""
    coders = sorted(alone, key=lambda name: (-alone[name], name))
    shown = ", ".join(f"{name} {alone[name]} of {codings[name]}" for name in coders[:SHOWN_CODERS])
    left = len(coders) - SHOWN_CODERS
    more = f" and {left} more coders" if left > 0 else ""
    return f"{alone.total()} of {len(units)} messages have only one coding and are left out: {shown}{more}."


def look_alikes(units: Iterable[Unit]) -> str:
    """What to say of messages with one coding whose ids differ by blanks or leading zeros; empty if there are none."""
    alike: dict[tuple[str, int], list[Unit]] = defaultdict(list)
    for unit in units:
        if len(unit.given) == 1:
            alike[unit.conversation.strip().lstrip("0"), unit.index].append(unit)
    found = [pair for same in alike.values() if (pair := next(filter(_by_two, combinations(same, 2)), None))]
    if not found:
        return ""
    one, other = (unit.conversation for unit in found[0])
    zeros = one.strip() != other.strip()
    return (
        f"{len(found)} more messages would be coded twice if {one!r} and {other!r}, and other such ids, were the same: "
        + ("a spreadsheet removes leading zeros. Keep ids as text." if zeros else "remove the blanks.")
    )


def _by_two(pair: tuple[Unit, Unit]) -> bool:
    one, other = (unit.given[0].rater for unit in pair)
    return one != other


def _natural(text: str) -> list[tuple[str, int]]:
    """A key that sorts the numbers in texts by their size."""
    return [(words, int(digits or -1)) for words, digits in re.findall("([^0-9]*)([0-9]{0,9})", text)]


def _is_standoff(path: Path) -> bool:
    """Whether a file is a table of codes: by its ending .csv, and with any other by its header.

    Raises:
        UsageProblem: it has the header of one, separated by something else than commas.
    """
    if path.suffix.casefold() == ".csv":
        return True
    header = _first_line(path)
    if any(_has_needed(header, separator) for separator in "\t;"):
        raise UsageProblem(f"{path}:1: the columns are not separated by commas. Save the codes as CSV with commas.")
    return _has_needed(header, ",")


def _first_line(path: Path) -> str:
    """The start of a file, plain or compressed; empty of what can be read only once, and where the data are damaged."""
    if not path.is_file():
        return ""
    with closing(open_source(path)) as opened:
        try:
            return opened.stream.readline(_HEADER_BYTES).removeprefix(BOM).decode("utf-8", "replace")
        except BadRecord:
            return ""


def _has_needed(header: str, separator: str) -> bool:
    return set(NEEDED) <= _columns(header, separator)


def _columns(header: str, separators: str) -> set[str]:
    return {cell.strip().strip('"') for cell in re.split(separators, header)}


def _standoff(path: Path) -> Iterator[Stored]:
    for row, cells in read_standoff_rows(path):
        own = frozenset(joined(cells["own"])) - {""} if "own" in cells else None
        given = Given(
            row.coder, row.round, row.gold, row.source, own, frozenset(DETAILS) & cells.keys(), row.confidence
        )
        yield Stored(row.conversation_id, row.index, row.text_hash, given, row.gold_from)


def _chats(path: Path) -> Iterator[Stored]:
    chats = read_conversations(path, ReadOptions(overwrite=True))
    try:
        found = [stored for conversation in chats for stored in _gold_of(conversation, path.stem)]
    except UnknownFormat:
        check_on_disk(path)
        raise
    if not found:
        refuse_tagged(path, _columns(_first_line(path), "[,;\t]"))
        raise UsageProblem(f'{path}: no message has gold, such as "gold": {{"codes": ["OQ"]}}. Name files of codes.')
    tells = frozenset(name for name in DETAILS if any(getattr(one.given.gold, name) for one in found))
    for stored in found:
        yield replace(stored, given=replace(stored.given, tells=tells))


def _gold_of(conversation: Conversation, coder: str) -> Iterator[Stored]:
    gold_from = str(conversation.extra.get("gold_from", coder))
    for index, message in enumerate(conversation.messages):
        if message.gold:
            named = {"coder": coder, "round": "", **conversation.extra, **message.extra}
            given = Given(str(named["coder"]), str(named["round"]), message.gold)
            yield Stored(conversation.id, index, text_hash(message.text), given, gold_from)
