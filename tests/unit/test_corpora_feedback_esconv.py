"""FeedbackESConv from a small invented file, beside an ESConv of one chat."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from mi_coder.conversation import Conversation
from mi_coder.corpora import load
from mi_coder.errors import UsageProblem

CHAT = {
    "conv_id": "esconv-train-0007",
    "official_split": "train",
    "experience_type": "Current Experience",
    "emotion_type": "fear",
    "problem_type": "job crisis",
    "situation": "My shop closes soon.",
    "survey_score": {"seeker": {}, "supporter": {}},
    "dialog": [{"text": "Hi", "speaker": "usr"}],
}
OPENING = {
    "conv_id": "esconv-train-0007",
    "helper_index": "0",
    "context": "",
    "text": "Hi, Helper: that's me.",
    "appropriate": "True",
    "good_areas": "Structure;Questions",
    "bad_areas": "",
    "feedback": "secret praise",
    "alternative": "secret wording",
}
LATER = OPENING | {
    "helper_index": "4",
    "context": "Seeker: It's bad: the shop closes.\nHelper: Oh\u2028no.\nSeeker: ",
    "text": "Sell it.",
    "appropriate": "False",
    "good_areas": "",
    "bad_areas": "Suggestions",
}


def write_esconv(root: Path) -> None:
    (root / "esconv").mkdir(exist_ok=True)
    for name, records in {"esconv_subset": [CHAT], "failed_esconv_subset": []}.items():
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (root / "esconv" / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))


def write_judged(root: Path, *rows: dict[str, str]) -> Path:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, OPENING)
    table.writeheader()
    table.writerows(rows)
    folder = root / "feedback_esconv"
    folder.mkdir(exist_ok=True)
    (folder / "feedback_esconv_subset.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    return folder


def judged(root: Path, *rows: dict[str, str]) -> list[Conversation]:
    write_esconv(root)
    write_judged(root, *rows)
    return list(load("feedback_esconv", root))


def test_a_judged_message_follows_its_context(tmp_path: Path) -> None:
    opening, later = judged(tmp_path, OPENING, LATER)
    assert (opening.id, later.id) == ("feedback-esconv-train-0007-0", "feedback-esconv-train-0007-4")
    assert [message.text for message in opening.messages] == ["Hi, Helper: that's me."]
    assert [(message.role, message.text) for message in later.messages] == [
        ("client", "It's bad: the shop closes."),
        ("counselor", "Oh\u2028no."),
        ("client", ""),
        ("counselor", "Sell it."),
    ]
    assert later.messages[3].id == "feedback-esconv-train-0007-4#3"


def test_areas_are_lists_and_no_gold_and_machine_text_is_left_out(tmp_path: Path) -> None:
    opening, later = judged(tmp_path, OPENING, LATER)
    assert opening.messages[-1].extra == {
        "appropriate": True,
        "good_areas": ["Structure", "Questions"],
        "bad_areas": [],
    }
    assert later.messages[-1].extra == {"appropriate": False, "good_areas": [], "bad_areas": ["Suggestions"]}
    assert not any(message.extra for message in later.messages[:-1])
    assert all(message.gold is None for message in opening.messages + later.messages)
    assert "secret" not in repr([opening, later])


def test_the_group_is_that_of_the_esconv_chat(tmp_path: Path) -> None:
    [chat] = judged(tmp_path, LATER)
    [source] = load("esconv", tmp_path)
    assert chat.extra == {"corpus": "feedback_esconv", "source_group": source.extra["source_group"]}


def test_the_own_folder_serves_as_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = judged(tmp_path, OPENING)
    assert list(load("feedback_esconv", tmp_path / "feedback_esconv")) == expected
    monkeypatch.chdir(tmp_path / "feedback_esconv")
    assert list(load("feedback_esconv", ".")) == expected


def test_without_esconv_the_missing_files_are_named(tmp_path: Path) -> None:
    write_judged(tmp_path, OPENING)
    with pytest.raises(UsageProblem, match=r"esconv lacks esconv_subset\.jsonl\.gz"):
        list(load("feedback_esconv", tmp_path))


@pytest.mark.parametrize(
    ("column", "cell", "complaint"),
    [
        ("conv_id", "esconv-train-0008", "conv_id: ESConv has no such chat"),
        ("helper_index", "first", "helper_index: must be a whole number"),
        ("context", "Seeker: Hi\nRobot: Hi", "context: every line must start with one of Helper, Seeker"),
        ("context", "Seeker", "context: every line must start with one of Helper, Seeker"),
        ("appropriate", "maybe", "appropriate: must be one of True, False"),
    ],
)
def test_a_cell_that_cannot_be_used_names_its_place(column: str, cell: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=rf"feedback_esconv_subset\.csv\.gz:3: {complaint}"):
        judged(tmp_path, OPENING, LATER | {column: cell})
