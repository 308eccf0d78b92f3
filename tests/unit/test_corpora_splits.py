"""The file that fixes the parts of the public corpora."""

from pathlib import Path

import pytest

from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import hashed_part, split
from mi_coder.corpora.splits import BadSplits, Split, read_splits, render_splits, with_splits
from mi_coder.errors import UsageProblem
from tests.chats import write_jsonl
from tools import splits as tool

FILE = tool.ROOT / tool.SPLITS

ROWS = (Split("esconv", "a", "g1", "train"), Split("esconv", "b", "g1", "train"), Split("annomi", "a", "g2", "test"))


def chat(identity: str, group: str) -> Conversation:
    return Conversation(id=identity, messages=[], extra={"source_group": group})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text(render_splits(ROWS))
    assert read_splits(tmp_path / "splits.csv") == ROWS


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (Split("esconv", "a", "g1", "train"), "conversation_id.*has a row already"),
        (Split("esconv", "c", "g1", "dev"), "part.*a group has only one"),
        (Split("mibot", "c", "g1", "dev"), "part.*a group has only one"),
        (Split("esconv", "c", "g3", "valid"), "part.*train, dev, test"),  # type: ignore[arg-type]
    ],
)
def test_rows_that_cannot_be_are_named_with_their_line(row: Split, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text(render_splits([*ROWS, row]))
    with pytest.raises(UsageProblem, match=rf"splits\.csv.*5.*{problem}"):
        read_splits(path)


def test_every_conversation_gets_its_part() -> None:
    placed = list(with_splits([chat("b", "g1"), chat("a", "g1")], ROWS[:2]))
    assert [one.extra["split"] for one in placed] == ["train", "train"]


@pytest.mark.parametrize("stranger", [chat("c", "g1"), chat("a", "other")])
def test_a_conversation_of_another_release_is_refused(stranger: Conversation) -> None:
    with pytest.raises(BadSplits, match=r"tools/splits\.py"):
        list(with_splits([stranger], ROWS[:2]))


def test_training_honors_the_part_that_a_conversation_got() -> None:
    group = next(name for name in map(str, range(100)) if hashed_part(name) == "train")
    placed = list(with_splits([chat("a", group)], [Split("esconv", "a", group, "test")]))
    assert split(placed)["test"] == placed


@pytest.mark.parametrize(
    ("group", "part"), [("mibot-group-0", "train"), ("mibot-group-2", "test"), ("mibot-group-6", "dev")]
)
def test_the_rule_never_changes(group: str, part: str) -> None:
    assert hashed_part(group) == part


def test_no_group_of_the_project_is_in_two_parts() -> None:
    parts: dict[str, set[str]] = {}
    for one in read_splits(FILE):
        parts.setdefault(one.source_group, set()).add(one.part)
    assert len(parts) > 900
    assert all(len(names) == 1 for names in parts.values())


def test_the_project_splits_the_public_corpora_by_the_rule() -> None:
    public = [one for one in read_splits(FILE) if one.corpus != "practice"]
    assert {one.corpus for one in public} == set(tool.CORPORA)
    assert all(one.part == hashed_part(one.source_group) for one in public)


def test_every_practice_chat_is_in_the_part_that_it_names() -> None:
    rows = [one for one in read_splits(FILE) if one.corpus == "practice"]
    assert rows == list(tool.of_practice(tool.ROOT / tool.PRACTICE))


def practice(identity: str, **fields: str) -> dict[str, object]:
    messages = [{"role": "counselor", "text": "hm?"}]
    return {"conversation_id": identity, "corpus": "practice", **fields, "messages": messages}


def test_a_practice_chat_without_a_part_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train_a.jsonl", [practice("p")])
    with pytest.raises(UsageProblem, match=r"train_a\.jsonl: chat 'p' has no field split.*train, dev, test"):
        list(tool.of_practice(tmp_path))


def test_a_stale_file_is_named_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.corpora, "load", lambda name, data: [chat(f"{name}-1", "g")])
    (tmp_path / tool.PRACTICE).mkdir(parents=True)
    write_jsonl(tmp_path / tool.PRACTICE / "demo.jsonl", [practice("d")])
    write_jsonl(tmp_path / tool.PRACTICE / "train_a.jsonl", [practice("p", split="dev")])
    data = ["--data", str(tmp_path)]
    assert tool.main([*data, "--check"], tmp_path) == 1
    assert "stale: annotations/splits.csv" in capsys.readouterr().err
    assert not (tmp_path / tool.SPLITS).exists()

    assert tool.main(data, tmp_path) == 0
    assert tool.main([*data, "--check"], tmp_path) == 0
    public = [Split(name, f"{name}-1", "g", hashed_part("g")) for name in tool.CORPORA]
    assert list(read_splits(tmp_path / tool.SPLITS)) == [*public, Split("practice", "p", "p", "dev")]


def test_without_the_corpora_the_check_is_skipped_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "none")]
    assert tool.main([*data, "--check"], tmp_path) == 0
    assert "skipped: the corpora are not here" in capsys.readouterr().err
    assert tool.main(data, tmp_path) == 2
    assert "does not exist" in capsys.readouterr().err
