"""Stand-off codes: the project's own codes for public chats, in files without the text.

A file is a CSV with one coded counselor message a row: `conversation_id`, `index` (place of the message in its
conversation, from 0), `text_hash` (first 16 hex digits of the SHA-256 of the text), `codes` (joined by "+", most
salient first), `depth`, `permission`, `reason`, `confidence` (3 sure to 1 unsure), `coder`, `round`.

Beside it stands `NAME.csv.meta.json` with the hash of the codebook by which the codes were given and who gave them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold
from mi_coder.corpora.source import Row, read_rows
from mi_coder.errors import UnknownName, UsageProblem

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
CONFIDENCES = ("1", "2", "3")


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
        coder: the id of one coder in its file.
        gold_from: who the coders of that file are.
        source: the project and the annotation in Label Studio from which it was pulled; empty where it was not.
    """

    conversation_id: str
    index: int
    text_hash: str
    gold: Gold
    confidence: int
    coder: str
    round: str
    gold_from: str
    source: str = ""


def text_hash(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a text."""
    return sha256(text.encode()).hexdigest()[:16]


def read_standoff(path: Path) -> Iterator[StandoffCode]:
    """Read one file and its sidecar.

    Raises:
        BadStandoff: the sidecar is missing or names another codebook.
        UsageProblem: a row is malformed or breaks the rules of the codebook; names file, line and column.
    """
    book = Codebook.load()
    gold_from = _read_meta(path, book).coder
    for row in read_rows(path, COLUMNS):
        yield _parse(row, book, gold_from)


def with_standoff(
    conversations: Iterable[Conversation], codes: Iterable[StandoffCode], only_coded: bool = False
) -> Iterator[Conversation]:
    """Put the codes into the messages that they belong to, in place of gold that they had, and say so in `gold_from`.

    Args:
        codes: later rows win over earlier ones for the same message.
        only_coded: leave out conversations without any of the codes.

    Raises:
        BadStandoff: a row names a message that is not there, or whose text is another.
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
        raise BadStandoff(
            f"{len(by_conversation)} coded conversations are not in the corpus, the first of them "
            f"{min(by_conversation)!r}. The codes are for another corpus or another release of it."
        )


def _apply(conversation: Conversation, codes: Mapping[int, StandoffCode]) -> None:
    for index, code in codes.items():
        message = conversation.messages[index] if index < len(conversation.messages) else None
        if message is None or not message.is_counselor or text_hash(message.text) != code.text_hash:
            raise BadStandoff(
                f"Conversation {conversation.id!r}, message {index}: "
                "the corpus has another text here than the one that was coded."
            )
        message.gold = code.gold


def _read_meta(path: Path, book: Codebook) -> StandoffMeta:
    sidecar = path.with_name(path.name + ".meta.json")
    try:
        meta = msgspec.json.decode(sidecar.read_bytes(), type=StandoffMeta)
    except FileNotFoundError:
        raise BadStandoff(
            f"{sidecar} is missing: it says by which codebook the codes were given. If that is the present one, write "
            f'{{"codebook": "{book.hash}", "coder": "...", "unit": "message"}} into it, with who the coders are.'
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadStandoff(f"{sidecar}: {error}") from None
    if meta.codebook != book.hash:
        raise BadStandoff(
            f"{path}: the codes were given by the codebook {meta.codebook}, and this is {book.hash}. Read them with "
            "the version of mi-coder that has their codebook, or check them against docs/codebook.md and then write "
            f"the present hash into {sidecar.name}."
        )
    return meta


def _parse(row: Row, book: Codebook, gold_from: str) -> StandoffCode:
    codes = _codes(row, book)
    values: dict[str, str | None] = {}
    for name, allowed in book.attributes.items():
        due = any(name in book[code].attributes for code in codes)
        value = row[name] or None
        if due != (value is not None) or (value is not None and value not in allowed):
            raise row.problem(name, f"one of {', '.join(allowed)} with the codes that carry it, and empty otherwise")
        values[name] = value
    gold = Gold(
        frozenset(codes),
        frozenset(book.ids) - set(codes),
        depth=values["depth"],
        permission=values["permission"],
        reason=values["reason"],
    )
    return StandoffCode(
        row["conversation_id"],
        row.count("index"),
        row["text_hash"],
        gold,
        int(row.one_of("confidence", CONFIDENCES)),
        row["coder"],
        row["round"],
        gold_from,
        f"{row['project']}/{row['annotation']}" if row.get("project") and row.get("annotation") else "",
    )


def _codes(row: Row, book: Codebook) -> tuple[str, ...]:
    try:
        codes = tuple(book[name].id for name in row["codes"].split("+"))
    except UnknownName as error:
        raise UsageProblem(f"{row.place}: codes: {error}") from None
    if not 1 <= len(set(codes)) == len(codes) <= 3:
        raise row.problem("codes", "one to three different codes are allowed")
    if "OT" in codes and len(codes) > 1:
        raise row.problem("codes", "OT never stands with another code")
    return codes
