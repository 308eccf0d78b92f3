"""Stand-off codes: the project's own codes for public chats, in files without the text.

A file is a CSV with one coded counselor message a row: `conversation_id`, `index` (place of the message in its
conversation, from 0), `text_hash` (first 16 hex digits of the SHA-256 of the text), `codes` (joined by "+", most
salient first), `depth`, `permission`, `reason`, `confidence` (3 sure to 1 unsure), `coder`, `round`.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold
from mi_coder.errors import MiCoderError

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


GOLD_FROM = "all 21 codes, given by a language model that read every message; no human expert checked them"
"""What conversations with stand-off codes say of them in their field `gold_from`."""


class BadStandoff(MiCoderError):
    """A row of stand-off codes that cannot be used, or that belongs to another text."""


@dataclass(frozen=True, slots=True)
class StandoffCode:
    """One row: where it belongs, the complete coding, and who gave it how surely in which round."""

    conversation_id: str
    index: int
    text_hash: str
    gold: Gold
    confidence: int
    coder: str
    round: str


def text_hash(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a text."""
    return sha256(text.encode()).hexdigest()[:16]


def read_standoff(path: Path) -> Iterator[StandoffCode]:
    """Read one file.

    Raises:
        BadStandoff: naming file, line and field of a row that breaks the rules of the codebook.
    """
    book = Codebook.load()
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if missing := set(COLUMNS) - set(rows.fieldnames or ()):
            raise BadStandoff(f"{path}:1: the columns {', '.join(sorted(missing))} are missing.")
        for row in rows:
            try:
                yield _parse(row, book)
            except (ValueError, MiCoderError) as error:
                raise BadStandoff(f"{path}:{rows.line_num}: {error}") from None


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
            conversation.extra["gold_from"] = GOLD_FROM
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


def _parse(row: Mapping[str, str], book: Codebook) -> StandoffCode:
    codes = tuple(book[name].id for name in row["codes"].split("+"))
    if not 1 <= len(set(codes)) == len(codes) <= 3:
        raise ValueError("codes: one to three different codes are allowed")
    if "OT" in codes and len(codes) > 1:
        raise ValueError("codes: OT never stands with another code")
    values: dict[str, str | None] = {}
    for name, allowed in book.attributes.items():
        due = any(name in book[code].attributes for code in codes)
        value = row[name] or None
        if due != (value is not None) or (value is not None and value not in allowed):
            raise ValueError(
                f"{name}: must be one of {', '.join(allowed)} with the codes that carry it, and empty otherwise"
            )
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
        int(row["index"]),
        row["text_hash"],
        gold,
        int(row["confidence"]),
        row["coder"],
        row["round"],
    )
