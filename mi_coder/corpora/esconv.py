"""ESConv and FailedESConv: chats in which crowd workers support each other, with the supporters' own strategy labels.

Every conversation's extra has `failed` (False in ESConv proper), `official_split` (train, valid or test as the authors
split ESConv, None for failed chats), the survey scores as numbers (None where the survey is missing; distress, empathy
and relevance run from 1 to 5, a few supporters gave 0), `emotion_type`, `problem_type`, `experience_type`, and the
seeker's `situation`, which is the client's own text. The answers to open survey questions are left out. The official
split puts a few situations into two parts; chats of one `source_group` share a situation.

Message texts are as written, except that FailedESConv's line ends at the end of a text are stripped.
Liu et al. 2021, ACL; strategies in section 3.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Message, Role
from mi_coder.corpora.gold import gold_of
from mi_coder.corpora.source import CorpusInfo, folded, group_id, number, read_objects

CHATS = "esconv_subset.jsonl.gz"
FAILED_CHATS = "failed_esconv_subset.jsonl.gz"

INFO = CorpusInfo(
    name="esconv",
    title="ESConv and FailedESConv",
    content="peer support chats between crowd workers, with surveys of both sides",
    license="CC BY-NC 4.0",
    gold="strategies that supporters chose for their own messages, through the crosswalk",
    citation="Liu et al. 2021, Towards Emotional Support Dialog Systems, ACL",
    folder="esconv",
    files=(CHATS, FAILED_CHATS),
)

Speaker = Literal["sys", "usr", "listener", "speaker"]
ROLES: Mapping[Speaker, Role] = {"sys": COUNSELOR, "usr": CLIENT, "listener": COUNSELOR, "speaker": CLIENT}


class Survey(msgspec.Struct):
    seeker: dict[str, str]
    supporter: dict[str, str]


class Turn(msgspec.Struct):
    speaker: Speaker
    text: str
    strategy: str | None = None
    feedback: str | None = None


class FailedTurn(msgspec.Struct):
    """A turn in FailedESConv's older schema."""

    speaker: Speaker
    content: str
    annotation: dict[str, str]

    def renewed(self) -> Turn:
        """The same turn in ESConv's schema."""
        return Turn(
            self.speaker,
            self.content.rstrip("\n"),
            self.annotation.get("strategy"),
            self.annotation.get("feedback"),
        )


class About(msgspec.Struct, kw_only=True):
    """What both schemas tell of a chat."""

    conv_id: str
    experience_type: str
    emotion_type: str
    problem_type: str
    situation: str
    survey_score: Survey


class Chat(About, kw_only=True):
    official_split: str
    dialog: list[Turn]


class FailedChat(About, kw_only=True):
    dialog: list[FailedTurn]


def read(folder: Path) -> Iterator[Conversation]:
    """The chats of ESConv, then those of FailedESConv."""
    book = Codebook.load()
    for chat in read_objects(folder / CHATS, Chat):
        yield _conversation(chat.conv_id, chat, chat.dialog, chat.official_split, book)
    for failed in read_objects(folder / FAILED_CHATS, FailedChat):
        turns = [turn.renewed() for turn in failed.dialog]
        yield _conversation(f"esconv-{failed.conv_id}", failed, turns, None, book)


def _conversation(identity: str, about: About, turns: list[Turn], split: str | None, book: Codebook) -> Conversation:
    seeker, supporter = about.survey_score.seeker, about.survey_score.supporter
    return Conversation(
        id=identity,
        messages=[_message(f"{identity}#{index}", turn, book) for index, turn in enumerate(turns)],
        extra={
            "corpus": INFO.name,
            "failed": split is None,
            "official_split": split,
            "source_group": group_id(INFO.name, folded(about.situation)),
            "experience_type": about.experience_type,
            "emotion_type": about.emotion_type,
            "problem_type": about.problem_type,
            "situation": about.situation,
            "initial_emotion_intensity": number(seeker.get("initial_emotion_intensity")),
            "final_emotion_intensity": number(seeker.get("final_emotion_intensity")),
            "seeker_empathy": number(seeker.get("empathy")),
            "seeker_relevance": number(seeker.get("relevance")),
            "supporter_relevance": number(supporter.get("relevance")),
        },
    )


def _message(identity: str, turn: Turn, book: Codebook) -> Message:
    message = Message(role=ROLES[turn.speaker], text=turn.text, id=identity)
    if turn.strategy is not None:
        message.gold = gold_of(book.translate("esconv", turn.strategy))
        message.extra["label"] = turn.strategy
    if turn.feedback is not None:
        message.extra["feedback"] = number(turn.feedback)
    return message
