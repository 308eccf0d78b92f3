"""The file that fixes which part of the data each conversation of the public corpora is in.

The file is a CSV with one conversation a row: `corpus`, `conversation_id`, `source_group` (conversations that stay
together) and `part` (train, dev or test). It holds no text. `python tools/splits.py` writes it.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import PARTS, Part, group_of
from mi_coder.corpora.source import Row, read_rows
from mi_coder.errors import UsageProblem

COLUMNS = ("corpus", "conversation_id", "source_group", "part")


class BadSplits(UsageProblem):
    """Splits that belong to other conversations than those of the corpus."""


@dataclass(frozen=True, slots=True)
class Split:
    """One row: the part that a conversation is in, together with its group."""

    corpus: str
    conversation_id: str
    source_group: str
    part: Part


def read_splits(path: Path) -> tuple[Split, ...]:
    """The rows of a file, in its order.

    Raises:
        UsageProblem: the file cannot be read; a part has another name; a conversation is there twice; a group is in two
            parts. Names file, line and column.
    """
    splits: dict[tuple[str, str], Split] = {}
    parts: dict[str, Part] = {}
    for row in read_rows(path, COLUMNS):
        split = _parse(row)
        key = (split.corpus, split.conversation_id)
        if key in splits:
            raise row.problem("conversation_id", "the conversation has a row already")
        if parts.setdefault(split.source_group, split.part) != split.part:
            raise row.problem("part", "an earlier row has the source_group in another part, and a group has only one")
        splits[key] = split
    return tuple(splits.values())


def render_splits(splits: Iterable[Split]) -> str:
    """The text of a file with these rows."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(map(astuple, splits))
    return text.getvalue()


def with_splits(conversations: Iterable[Conversation], splits: Iterable[Split]) -> Iterator[Conversation]:
    """Put the part of every conversation into its field `split`, which training honors.

    Args:
        splits: rows of the corpus that the conversations are from.

    Raises:
        BadSplits: a conversation has no row, or its row names another source_group than its own.
    """
    by_id = {split.conversation_id: split for split in splits}
    for conversation in conversations:
        split = by_id.get(conversation.id)
        if split is None:
            raise BadSplits(
                f"Conversation {conversation.id!r} has no row in the file of splits, which is for another release of "
                "the corpus. Write it again with: python tools/splits.py"
            )
        if split.source_group != group_of(conversation):
            raise BadSplits(
                f"Conversation {conversation.id!r} has the source_group {group_of(conversation)!r} in the corpus and "
                f"{split.source_group!r} in the file of splits, which is for another release of the corpus. Write it "
                "again with: python tools/splits.py"
            )
        conversation.extra["split"] = split.part
        yield conversation


def _parse(row: Row) -> Split:
    for part in PARTS:
        if row["part"] == part:
            return Split(row["corpus"], row["conversation_id"], row["source_group"], part)
    raise row.problem("part", f"must be one of {', '.join(PARTS)}")
