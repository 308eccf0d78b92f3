"""MIBot v6.3A: smokers talking to a language model that counsels, with their rulers, quit attempts and CARE scores.

No message has gold codes. The labels come from a language model (AutoMISC), and its five (R reflection, Q question,
MICO MI-consistent, MIIN MI-inconsistent, Other) are wider than any code of the codebook; they stay in `automisc_label`.

A message is one utterance as AutoMISC cut it; utterances with the same `volley` were sent together. One client text is
empty: its writer typed "NA", which the table lost.

A conversation's extra has the participant's row of data.csv under the column names there, where the file has one:
numbers as numbers, yes/no answers as booleans. In `CAREQ1` to `CAREQ10` a 0 most likely means "does not apply".
Mahmood et al. 2025, Findings of ACL, doi 10.18653/v1/2025.findings-acl.1283.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Message
from mi_coder.corpora.source import CorpusInfo, Row, read_rows

UTTERANCES = "mibot_utterances.csv.gz"
OUTCOMES = "data.csv"

INFO = CorpusInfo(
    name="mibot",
    title="MIBot v6.3A",
    content="smokers talking to a counseling language model, with rulers, quit attempts and CARE scores",
    license="CC BY-SA 4.0",
    gold="none: its labels are a language model's, and wider than the codes",
    citation="Mahmood et al. 2025, Findings of ACL, 25008-25043",
    folder="mibot",
    files=(UTTERANCES,),
    optional=(OUTCOMES,),
)

COLUMNS = ("participant_id", "speaker", "volley", "automisc_label", "text")
ROLES = {"counsellor": COUNSELOR, "client": CLIENT}
FREE_TEXT = {"FeedbackQ1", "FeedbackQ2", "FeedbackQ3"}
TRUTH = {"True": True, "YES": True, "False": False, "NO": False}


def read(folder: Path) -> Iterator[Conversation]:
    """One conversation per participant."""
    outcomes = _outcomes(folder / OUTCOMES)
    rows = read_rows(folder / UTTERANCES, COLUMNS)
    for participant, utterances in groupby(rows, key=lambda row: row["participant_id"]):
        identity = f"mibot-{participant[:12]}"
        yield Conversation(
            id=identity,
            messages=[_message(f"{identity}#{index}", row) for index, row in enumerate(utterances)],
            extra={
                "corpus": INFO.name,
                "source_group": identity,
                "client_id": participant,
                **outcomes.get(participant, {}),
            },
        )


def _message(identity: str, row: Row) -> Message:
    extra = {"volley": row.count("volley"), "automisc_label": row["automisc_label"]}
    return Message(role=ROLES[row.one_of("speaker", ROLES)], text=row["text"], id=identity, extra=extra)


def _outcomes(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    return {
        row["ParticipantID"]: {
            column: row[column] if column in FREE_TEXT else _value(row, column)
            for column in row
            if column != "ParticipantID"
        }
        for row in read_rows(path, ("ParticipantID",))
    }


def _value(row: Row, column: str) -> bool | float | None:
    return TRUTH[row[column]] if row[column] in TRUTH else row.number(column)
