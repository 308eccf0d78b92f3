"""Physical-activity counseling: dialogues that researchers wrote after real interviews.

A message is one sentence, as the table cuts them. No message has gold codes: the two label layers (`social_exchange`,
`task_focused`) are mostly empty and name social and task acts, not techniques; they stay in the message's extra.
Liang et al. 2021, SIGDIAL.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Message
from mi_coder.corpora.source import CorpusInfo, Row, read_rows

SENTENCES = "pa_counseling_subset.csv"

INFO = CorpusInfo(
    name="physical_activity",
    title="Physical-activity counseling dialogues",
    content="simulated coaching, written after real interviews; one sentence a message",
    license="Apache-2.0",
    gold="none: its labels are social and task acts",
    citation="Liang et al. 2021, SIGDIAL",
    folder="physical_activity",
    files=(SENTENCES,),
)

COLUMNS = ("dialog", "speaker", "domain", "social_exchange", "task_focused", "text")
ROLES = {"coach": COUNSELOR, "client": CLIENT}


def read(folder: Path) -> Iterator[Conversation]:
    """One conversation per dialogue."""
    rows = read_rows(folder / SENTENCES, COLUMNS)
    for dialog, sentences in groupby(rows, key=lambda row: row["dialog"]):
        identity = f"pa-{dialog}"
        yield Conversation(
            id=identity,
            messages=[_message(f"{identity}#{index}", row) for index, row in enumerate(sentences)],
            extra={"corpus": INFO.name, "source_group": identity},
        )


def _message(identity: str, row: Row) -> Message:
    extra = {column: row[column] for column in ("domain", "social_exchange", "task_focused")}
    return Message(role=ROLES[row.one_of("speaker", ROLES)], text=row["text"], id=identity, extra=extra)
