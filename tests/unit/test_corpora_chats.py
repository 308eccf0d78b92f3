"""ESConv, MIBot and Welivita & Pu from small invented files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mi_coder.conversation import Conversation
from mi_coder.corpora import load
from mi_coder.errors import UnknownName, UsageProblem

ABOUT: dict[str, Any] = {
    "experience_type": "Current Experience",
    "emotion_type": "fear",
    "problem_type": "job crisis",
    "situation": "My shop closes soon.",
    "survey_score": {
        "seeker": {"initial_emotion_intensity": "4", "final_emotion_intensity": "2", "empathy": "5", "relevance": "4"},
        "supporter": {"relevance": "0"},
    },
}
CHAT = ABOUT | {
    "conv_id": "esconv-train-0007",
    "official_split": "train",
    "dialog": [
        {"text": "Hi there", "speaker": "usr", "feedback": "3"},
        {"text": "What happened?\n", "speaker": "sys", "strategy": "Question"},
        {"text": "Good day", "speaker": "sys", "strategy": "Others"},
    ],
}
FAILED = ABOUT | {
    "conv_id": "failed-003",
    "situation": "my SHOP  closes soon.",
    "survey_score": {"seeker": {"initial_emotion_intensity": "5"}, "supporter": {}},
    "dialog": [
        {"speaker": "speaker", "annotation": {"feedback": "1"}, "content": "Hello\nyou\n\n"},
        {"speaker": "listener", "annotation": {"strategy": "Questions"}, "content": " Are you well? \n"},
        {"speaker": "listener", "annotation": {"strategy": "Direct Guidance"}, "content": "Try a list."},
    ],
}


def esconv(folder: Path, chat: dict[str, Any] = CHAT, failed: dict[str, Any] = FAILED) -> list[Conversation]:
    for name, record in {"esconv_subset.jsonl.gz": chat, "failed_esconv_subset.jsonl.gz": failed}.items():
        (folder / name).write_bytes(gzip.compress(json.dumps(record).encode() + b"\n"))
    return list(load("esconv", folder))


def test_esconv_covers_both_kinds_of_chats(tmp_path: Path) -> None:
    chat, failed = esconv(tmp_path)
    assert (chat.id, chat.extra["official_split"], chat.extra["failed"]) == ("esconv-train-0007", "train", False)
    assert (failed.id, failed.extra["official_split"], failed.extra["failed"]) == ("esconv-failed-003", None, True)
    assert [message.role for message in failed.messages] == ["client", "counselor", "counselor"]
    assert chat.messages[1].id == "esconv-train-0007#1"


def test_esconv_scores_are_numbers_and_missing_ones_none(tmp_path: Path) -> None:
    chat, failed = esconv(tmp_path)
    assert (chat.extra["initial_emotion_intensity"], chat.extra["supporter_relevance"]) == (4, 0)
    assert failed.extra["initial_emotion_intensity"] == 5
    assert failed.extra["final_emotion_intensity"] is failed.extra["supporter_relevance"] is None
    assert (chat.messages[0].extra["feedback"], failed.messages[0].extra["feedback"]) == (3, 1)


def test_esconv_situations_group_chats_of_both_files(tmp_path: Path) -> None:
    chat, failed = esconv(tmp_path)
    assert chat.extra["source_group"] == failed.extra["source_group"]
    other = esconv(tmp_path, failed=FAILED | {"situation": "An exam is near."})[1]
    assert other.extra["source_group"] != chat.extra["source_group"]


def test_only_failed_texts_lose_their_last_line_ends(tmp_path: Path) -> None:
    chat, failed = esconv(tmp_path)
    assert chat.messages[1].text == "What happened?\n"
    assert [message.text for message in failed.messages] == ["Hello\nyou", " Are you well? ", "Try a list."]


def test_esconv_gold_knows_both_spellings(tmp_path: Path) -> None:
    chat, failed = esconv(tmp_path)
    question, others = chat.messages[1].gold, chat.messages[2].gold
    assert question is not None and others is not None
    assert question.any_of == (frozenset({"OQ", "CQ"}),)
    assert "REF" in question.negative
    assert not others.positive and not others.any_of
    assert failed.messages[1].gold == question
    assert failed.messages[1].extra["label"] == "Questions"
    suggestion = failed.messages[2].gold
    assert suggestion is not None and suggestion.positive == {"PR"}
    assert chat.messages[0].gold is None


def test_an_unknown_strategy_is_refused(tmp_path: Path) -> None:
    dialog = [{"text": "Hi", "speaker": "sys", "strategy": "Informatoin"}]
    with pytest.raises(UnknownName, match="Information"):
        esconv(tmp_path, chat=CHAT | {"dialog": dialog})


def test_an_unknown_speaker_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"esconv_subset\.jsonl\.gz:1: .*speaker"):
        esconv(tmp_path, chat=CHAT | {"dialog": [{"text": "Hi", "speaker": "robot"}]})


MIBOT_ROWS = """participant_id,speaker,volley,utterance,automisc_label,text,automisc_explanation
aaaaaaaaaaaa1111,counsellor,0,0,Other,Welcome!,why
aaaaaaaaaaaa1111,counsellor,0,1,Q,What brings you?,why
aaaaaaaaaaaa1111,client,1,2,N,NA,why
bbbbbbbbbbbb2222,counsellor,0,0,R,You miss them.,why
"""
MIBOT_OUTCOMES = """ParticipantID,PreRulerConfidence,AutoMISC_R:Q,LikedBot,WeekLaterQuitAttempt,FeedbackQ2
aaaaaaaaaaaa1111,3,1.5,YES,False,NO
"""


def mibot(folder: Path, outcomes: str | None = MIBOT_OUTCOMES) -> list[Conversation]:
    (folder / "mibot_utterances.csv.gz").write_bytes(gzip.compress(MIBOT_ROWS.encode()))
    if outcomes is not None:
        (folder / "data.csv").write_text(outcomes)
    return list(load("mibot", folder))


def test_mibot_has_no_gold_and_keeps_the_machine_labels(tmp_path: Path) -> None:
    first, second = mibot(tmp_path)
    assert [first.id, second.id] == ["mibot-aaaaaaaaaaaa", "mibot-bbbbbbbbbbbb"]
    assert [message.text for message in first.messages] == ["Welcome!", "What brings you?", "NA"]
    assert first.messages[1].extra == {"volley": 0, "automisc_label": "Q"}
    assert all(message.gold is None for message in first.messages + second.messages)


def test_mibot_outcomes_have_their_types(tmp_path: Path) -> None:
    first, second = mibot(tmp_path)
    assert first.extra == {
        "corpus": "mibot",
        "source_group": "mibot-aaaaaaaaaaaa",
        "client_id": "aaaaaaaaaaaa1111",
        "PreRulerConfidence": 3,
        "AutoMISC_R:Q": 1.5,
        "LikedBot": True,
        "WeekLaterQuitAttempt": False,
        "FeedbackQ2": "NO",
    }
    assert "LikedBot" not in second.extra
    (tmp_path / "data.csv").unlink()
    assert "LikedBot" not in mibot(tmp_path, outcomes=None)[0].extra


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("counsellor,0,1", "counsellor,first,1", r"mibot_utterances\.csv\.gz:3: volley: must be a whole number"),
        ("client,1", "robot,1", r"mibot_utterances\.csv\.gz:4: speaker: must be one of"),
    ],
)
def test_a_cell_of_mibot_that_cannot_be_used_names_its_place(
    old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "mibot_utterances.csv.gz").write_bytes(gzip.compress(MIBOT_ROWS.replace(old, new).encode()))
    with pytest.raises(UsageProblem, match=complaint):
        list(load("mibot", tmp_path))


def test_a_score_of_mibot_that_is_no_number_names_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"data\.csv:2: PreRulerConfidence: must be a number or empty"):
        mibot(tmp_path, MIBOT_OUTCOMES.replace(",3,", ",three,"))


def test_welivita_sentences_are_conversations_of_one_message(tmp_path: Path) -> None:
    rows = [
        '"You drew the line, and it cost you.",Complex Reflection,Affirm',
        "Ask her first.,Direct,Direct",
        "ask  her first.,Advise without Permission,Direct",
    ]
    (tmp_path / "mi_gold_test_subset.csv").write_text("\n".join(["text,label,roberta_pred", *rows]))
    reflection, order, advice = load("welivita", tmp_path)
    assert (reflection.id, reflection.messages[0].id) == ("welivita-1", "welivita-1#0")
    gold = reflection.messages[0].gold
    assert gold is not None
    assert gold.positive == {"REF"}
    assert gold.depth == "complex"
    assert {"OQ", "SU", "WA"} <= gold.negative
    assert not {"SC", "ST", "IP"} & gold.negative
    assert advice.messages[0].gold is not None and advice.messages[0].gold.permission == "without"
    assert order.extra["source_group"] == advice.extra["source_group"] != reflection.extra["source_group"]


def test_physical_activity_dialogues_are_read_sentence_by_sentence(tmp_path: Path) -> None:
    (tmp_path / "pa_counseling_subset.csv").write_text(
        "dialog,turn_id,speaker,domain,social_exchange,task_focused,text\n"
        "walk1,0,coach,Goal,Greeting,,Hi there.\n"
        "walk1,1,client,Goal,,,Hello\n"
        "walk2,0,coach,Diet,,Orient,Today we talk about food.\n"
    )
    first, second = load("physical_activity", tmp_path)
    assert (first.id, second.id) == ("pa-walk1", "pa-walk2")
    assert [message.role for message in first.messages] == ["counselor", "client"]
    assert first.messages[0].extra == {"domain": "Goal", "social_exchange": "Greeting", "task_focused": ""}
    assert second.messages[0].gold is None


def test_a_speaker_that_is_neither_coach_nor_client_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "pa_counseling_subset.csv").write_text(
        "dialog,speaker,domain,social_exchange,task_focused,text\nwalk1,robot,,,,Hi\n"
    )
    with pytest.raises(UsageProblem, match=r"pa_counseling_subset\.csv:2: speaker: must be one of coach, client"):
        list(load("physical_activity", tmp_path))
