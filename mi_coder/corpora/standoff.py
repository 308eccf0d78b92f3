"""Stand-off codes: the project's own codes for public chats, in files without the text.

A file is a CSV with one coded counselor message a row: `conversation_id`, `index` (place of the message in its
conversation, from 0), `text_hash` (first 16 hex digits of the SHA-256 of the text as UTF-8), `codes` (joined by "+", or
by ";" as in tagged tables; most salient first), `depth`, `permission`, `reason`, `confidence` (3 sure to 1 unsure),
`coder`, `round`. Cells may carry the guard of guard.py, as in all that mi-code writes.

Beside it stands `NAME.csv.meta.json` with the hash of the codebook by which the codes were given and who gave them.

A table of one's own needs `conversation_id`, `index` and `codes` alone. What else is there is checked; a column that is
missing is read as empty, the coder then as the name of the file, and the round as 1.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from mi_coder.codebook import Codebook
from mi_coder.conversation import ALONE, MOST_CODES, Conversation, Gold
from mi_coder.corpora.source import Row, header_of, read_rows
from mi_coder.errors import UnknownName, UsageProblem
from mi_coder.formats.fields import OUTPUT_FIELDS
from mi_coder.formats.on_disk import check_on_disk

COLUMNS = (
    "conversation_id",
    "index",
    "text_hash",
    "codes",
    "depth",
    "permission",
    "reason",
    "confidence",
    "coder",
    "round",
)
NEEDED = ("conversation_id", "index", "codes")
CONFIDENCES = ("1", "2", "3")
HOW_HASHED = (
    "the first 16 hex digits of the SHA-256 of the text as UTF-8, in lower case; in Python "
    "mi_coder.corpora.standoff.text_hash(text)"
)
_HASH = re.compile("[0-9a-f]{16}")


class BadStandoff(UsageProblem):
    """Stand-off codes that belong to another text or another codebook."""


class StandoffMeta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sidecar of a file.

    Attributes:
        codebook: hash of the codebook by which the codes were given.
        coder: who gave them, as conversations with these codes say it in their field `gold_from`.
        unit: what was coded.
        schema: hash of the Label Studio schema by which it was coded; empty where it was coded otherwise.
    """

    codebook: str
    coder: str
    unit: Literal["message"]
    schema: str = ""


@dataclass(frozen=True, slots=True)
class StandoffCode:
    """One row: where it belongs, the complete coding, and who gave it how surely in which round.

    Attributes:
        text_hash: empty where the file does not tell it.
        confidence: None where the file does not tell it.
        coder: the id of one coder in its file.
        gold_from: who the coders of that file are; without a sidecar the name of the file.
        source: the project and the annotation in Label Studio from which it was pulled; empty where it was not.
        place: the file and the line, for messages.
    """

    conversation_id: str
    index: int
    text_hash: str
    gold: Gold
    confidence: int | None
    coder: str
    round: str
    gold_from: str
    source: str = ""
    place: str = field(default="", compare=False)

    @property
    def where(self) -> str:
        """The row and the message that it codes, for messages."""
        return f"{self.place}: conversation {self.conversation_id!r}, message {self.index}"


def text_hash(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a text as UTF-8."""
    return sha256(text.encode()).hexdigest()[:16]


def read_standoff(path: Path) -> Iterator[StandoffCode]:
    """Read one file and, if there is one, its sidecar.

    Raises:
        BadStandoff: the sidecar is damaged or names another codebook.
        UsageProblem: it is no file on disk or a tagged table, or a row is malformed or breaks the rules of the
            codebook; names file, line and column.
    """
    return (code for code, _ in read_standoff_rows(path))


def read_standoff_rows(path: Path) -> Iterator[tuple[StandoffCode, Row]]:
    """The same, each with the cells of its row, which may have columns of their own.

    Raises: as `read_standoff`.
    """
    check_on_disk(path)
    refuse_tagged(path, header_of(path))
    book = Codebook.load()
    meta = _read_meta(path, book)
    name = path.stem
    for row in read_rows(path, NEEDED, guarded=True):
        yield _parse(row, book, name, meta.coder if meta else name), row


def refuse_tagged(path: Path, columns: Collection[str]) -> None:
    """Refuse a table of tagged chats, which does not say by itself where in a conversation a message stands.

    Raises:
        UsageProblem: its columns are those of one.
    """
    if "index" not in columns and set(OUTPUT_FIELDS) <= set(columns):
        raise UsageProblem(
            f"{path} is a tagged table, not a file of codes: it lacks the column index. To compare the tagger with "
            "coders, use `mi-code evaluate`. To make a file of codes, copy conversation_id and codes of the coded "
            "messages into a new CSV file and add index: the place of the message in its conversation, where all "
            "messages count, from 0."
        )


def joined(cell: str) -> list[str]:
    """The codes in a cell, joined by "+" or, as in tagged tables, by ";"."""
    return re.split("[+;]", cell)


def texts_unchecked(paths: Iterable[Path]) -> str:
    """What to say of the files of codes that do not tell the texts they are for; empty where all do."""
    names = [str(path) for path in paths if any(not row.get("text_hash") for row in read_rows(path, NEEDED))]
    if not names:
        return ""
    return (
        "Without text_hash it is not checked whether codes and texts belong together, nor without .meta.json whether "
        f"the codes are of this codebook: {', '.join(names)}"
    )


def hashed(codes: Iterable[StandoffCode]) -> Iterator[StandoffCode]:
    """The codes, for a corpus of which there are several releases.

    Raises:
        BadStandoff: one does not tell the text that it is for.
    """
    for code in codes:
        if not code.text_hash:
            raise BadStandoff(
                f"{code.where}: the codes have no text_hash, but a corpus has releases with other texts. Add it: "
                f"{HOW_HASHED}. To do without it: mi-code corpora convert NAME --root FOLDER -o chats.jsonl, then "
                "mi-code studio gold chats.jsonl CODES -o gold.jsonl"
            )
        yield code


def with_standoff(
    conversations: Iterable[Conversation], codes: Iterable[StandoffCode], only_coded: bool = False
) -> Iterator[Conversation]:
    """Put the codes into the messages that they belong to, in place of gold that they had, and say so in `gold_from`.

    Args:
        codes: later rows win over earlier ones for the same message.
        only_coded: leave out conversations without any of the codes.

    Raises:
        BadStandoff: a row names a message that is not there, or whose text is another than the one it tells.
    """
    by_conversation: dict[str, dict[int, StandoffCode]] = {}
    for code in codes:
        by_conversation.setdefault(code.conversation_id, {})[code.index] = code
    for conversation in conversations:
        own = by_conversation.pop(conversation.id, {})
        if own:
            _apply(conversation, own)
            conversation.extra["gold_from"] = "; ".join(sorted({code.gold_from for code in own.values()}))
        if own or not only_coded:
            yield conversation
    if by_conversation:
        code = next(iter(by_conversation[min(by_conversation)].values()))
        raise BadStandoff(
            f"{code.where}: {len(by_conversation)} coded conversations, such as this one, are not in the corpus. The "
            "codes are for another corpus or another release of it, or a spreadsheet changed its ids (007 to 7)."
        )


def sidecar_of(path: Path) -> Path:
    """Where what holds for all rows of a file of codes, or of a sample, stands: beside it."""
    return path.with_name(path.name + ".meta.json")


def differing(codes: Iterable[StandoffCode], settled: str) -> list[str]:
    """Messages with several codings that differ, none of which settles them, as conversation_id#index in their order.

    Args:
        settled: the round whose codings settle a message where they come last.
    """
    by_message: dict[str, list[StandoffCode]] = {}
    for code in codes:
        by_message.setdefault(f"{code.conversation_id}#{code.index}", []).append(code)
    return [
        name
        for name, given in by_message.items()
        if given[-1].round != settled and any(code.gold != given[-1].gold for code in given)
    ]


def own_unused(paths: Iterable[Path]) -> str:
    """What to say of codes of the platform's own in files of codes, for which gold has no place; empty without any."""
    count = sum(bool(row.get("own")) for path in paths for row in read_rows(path, NEEDED))
    return f"{count} codings have codes of your own (column own), which are not put into the chats." if count else ""


def _apply(conversation: Conversation, codes: Mapping[int, StandoffCode]) -> None:
    for index, code in codes.items():
        message = conversation.messages[index] if index < len(conversation.messages) else None
        if message is None or not message.is_counselor:
            raise BadStandoff(
                f"{code.where}: the counselor says nothing here. The index counts all messages of a conversation, "
                "also those of the client, from 0."
            )
        if code.text_hash and code.text_hash != text_hash(message.text):
            raise BadStandoff(
                f"{code.where}: the text here is not the one that was coded. Its text_hash is {HOW_HASHED}."
            )
        message.gold = code.gold


def _read_meta(path: Path, book: Codebook) -> StandoffMeta | None:
    sidecar = sidecar_of(path)
    try:
        meta = msgspec.json.decode(sidecar.read_bytes(), type=StandoffMeta)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadStandoff(
            f"{sidecar} is not the .meta.json of a file of codes: {error}. Save the codes under another name."
        ) from None
    if meta.codebook != book.hash:
        raise BadStandoff(
            f"{path}: the codes were given by the codebook {meta.codebook}, but this is {book.hash}. Read them with "
            "the version of mi-coder that has their codebook, or check them against docs/codebook.md and then write "
            f"this hash into {sidecar.name}."
        )
    return meta


def _parse(row: Row, book: Codebook, coder: str, gold_from: str) -> StandoffCode:
    codes = _codes(row, book)
    details = _details(row, codes, book)
    positive, negative = _sides(codes, book.ids)
    gold = Gold(
        positive,
        negative,
        depth=details["depth"],
        permission=details["permission"],
        reason=details["reason"],
    )
    return StandoffCode(
        row["conversation_id"],
        row.count("index"),
        _text_hash(row),
        gold,
        int(row.one_of("confidence", CONFIDENCES)) if row.get("confidence") else None,
        row.get("coder") or coder,
        row.get("round") or "1",
        gold_from,
        f"{row['project']}/{row['annotation']}" if row.get("project") and row.get("annotation") else "",
        row.place,
    )


@lru_cache(maxsize=10_000)
def _sides(codes: tuple[str, ...], every: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The codes that are given and those that are not: one object for all rows with the same codes."""
    return frozenset(codes), frozenset(every) - set(codes)


def _text_hash(row: Row) -> str:
    value = row.get("text_hash", "")
    if value and not _HASH.fullmatch(value):
        raise row.problem("text_hash", f"must be {HOW_HASHED}, or empty")
    return value


def _details(row: Row, codes: Sequence[str], book: Codebook) -> dict[str, str | None]:
    """Depth, permission and reason, each None where the row does not tell it."""
    values = {name: row.get(name) or None for name in book.attributes}
    for name, value in values.items():
        if value is not None and not (
            value in book.attributes[name] and any(name in book[code].attributes for code in codes)
        ):
            allowed = ", ".join(book.attributes[name])
            raise row.problem(name, f"one of {allowed} with the codes that carry it, and empty otherwise")
    return values


def _codes(row: Row, book: Codebook) -> tuple[str, ...]:
    try:
        codes = tuple(book[name].id for name in joined(row["codes"]))
    except UnknownName as error:
        raise UsageProblem(f'{row.place}: codes: {error} Join several by "+", as in OQ+SU.') from None
    if not 1 <= len(set(codes)) == len(codes) <= MOST_CODES:
        raise row.problem("codes", "one to three different codes are allowed")
    if ALONE in codes and len(codes) > 1:
        raise row.problem("codes", "OT cannot be combined with another code")
    return codes
