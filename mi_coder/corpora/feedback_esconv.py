"""FeedbackESConv: supporter messages of ESConv that experts and a language model judged, each after what came before.

A conversation is one judged message, the last one, after messages that came before it. The release merges lines that
were sent one after another, and more than half of its contexts start in mid-chat, so neither texts nor places are
ESConv's; most judged messages are also in ESConv, as one message or as several.

The judged message's extra has `appropriate` (True where nothing was found to improve), and `good_areas` and
`bad_areas`, lists of what was done well and badly. No message has gold codes: an area is no technique, and a bad area
can mean that something is missing. The judges' written feedback and the better message that they propose are largely a
language model's, and are not read.

A conversation's `source_group` is that of its ESConv chat, so that both stay in one part, and its id names that chat.
The groups come from ESConv's own files: its folder must stand beside this corpus's folder.
Chaszczewicz et al. 2024, ACL.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Message, Role
from mi_coder.corpora import esconv
from mi_coder.corpora.source import CorpusInfo, Row, locate, read_rows

JUDGED = "feedback_esconv_subset.csv.gz"

INFO = CorpusInfo(
    name="feedback_esconv",
    title="FeedbackESConv",
    content="supporter messages of ESConv after what came before, judged appropriate or not",
    license="none stated; ESConv, on which it builds, is CC BY-NC 4.0",
    gold="none: its labels are areas done well or badly",
    citation="Chaszczewicz et al. 2024, Multi-Level Feedback Generation with Large Language Models "
    "for Empowering Novice Peer Counselors, ACL",
    folder="feedback_esconv",
    files=(JUDGED,),
)

COLUMNS = ("conv_id", "helper_index", "context", "text", "appropriate", "good_areas", "bad_areas")
ROLES: Mapping[str, Role] = {"Helper": COUNSELOR, "Seeker": CLIENT}
TRUTH = {"True": True, "False": False}


def read(folder: Path) -> Iterator[Conversation]:
    """One conversation per judged message.

    Raises:
        UsageProblem: ESConv is not beside the folder, or a row names a chat that is not in it.
    """
    beside = locate(esconv.INFO, folder.absolute().parent)
    groups = {chat.id: str(chat.extra["source_group"]) for chat in esconv.read(beside)}
    for row in read_rows(folder / JUDGED, COLUMNS):
        yield _conversation(row, groups)


def _conversation(row: Row, groups: Mapping[str, str]) -> Conversation:
    chat = row["conv_id"]
    if chat not in groups:
        raise row.problem("conv_id", "ESConv has no such chat; is its folder of the same release?")
    identity = f"feedback-{chat}-{row.count('helper_index')}"
    messages = [*_context(row), Message(COUNSELOR, row["text"], extra=_judgment(row))]
    for index, message in enumerate(messages):
        message.id = f"{identity}#{index}"
    return Conversation(id=identity, messages=messages, extra={"corpus": INFO.name, "source_group": groups[chat]})


def _context(row: Row) -> Iterator[Message]:
    """The messages before, one a line as "Helper: text" or "Seeker: text"."""
    for line in row["context"].split("\n") if row["context"] else ():
        speaker, colon, text = line.partition(": ")
        if not colon or speaker not in ROLES:
            raise row.problem("context", f"every line must start with one of {', '.join(ROLES)}, a colon and a space")
        yield Message(ROLES[speaker], text)


def _judgment(row: Row) -> dict[str, Any]:
    return {
        "appropriate": TRUTH[row.one_of("appropriate", TRUTH)],
        "good_areas": _areas(row["good_areas"]),
        "bad_areas": _areas(row["bad_areas"]),
    }


def _areas(cell: str) -> list[str]:
    return cell.split(";") if cell else []
