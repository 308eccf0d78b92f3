"""Welivita & Pu: single sentences of forum answers with codes that people gave them.

Each sentence is a conversation of one counselor message; sentences with the same text share a `source_group`.
Two parts of the release are left out: the weak labels (made by n-gram rules and sentence similarity) and the pairs of
advice without and with permission (made from templates, which a model would learn instead of the codes).
Welivita & Pu 2022, COLING; 2023, Findings of ACL.
"""

from collections.abc import Iterator
from pathlib import Path

from mi_coder.codebook import Codebook
from mi_coder.conversation import COUNSELOR, Conversation, Message
from mi_coder.corpora.gold import gold_of
from mi_coder.corpora.source import CorpusInfo, folded, group_id, read_rows

SENTENCES = "mi_gold_test_subset.csv"

INFO = CorpusInfo(
    name="welivita",
    title="Welivita & Pu MI sentences",
    content="single sentences of forum answers, without context",
    license="CC BY-NC-SA 3.0",
    gold="15 MITI-type labels given by people, through the crosswalk",
    citation="Welivita & Pu 2022, COLING; Welivita & Pu 2023, Findings of ACL",
    folder="welivita_mi",
    files=(SENTENCES,),
)


def read(folder: Path) -> Iterator[Conversation]:
    """One conversation of one message per sentence; ids count the rows from 1."""
    book = Codebook.load()
    for number, row in enumerate(read_rows(folder / SENTENCES, ("text", "label")), start=1):
        identity = f"welivita-{number}"
        message = Message(
            role=COUNSELOR,
            text=row["text"],
            id=f"{identity}#0",
            gold=gold_of(book.translate("welivita", row["label"])),
            extra={"label": row["label"]},
        )
        group = group_id(INFO.name, folded(row["text"]))
        yield Conversation(id=identity, messages=[message], extra={"corpus": INFO.name, "source_group": group})
