"""Gold in files with one message a line: what decides the part of a conversation holds for all of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mi_coder.corpora.parts import split
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.formats.gold_reading import gold_conversations
from mi_coder.formats.options import AS_CODED
from mi_coder.tagger.model import BUNDLED
from mi_coder.training.data import read_gold


def write_flat(path: Path, *chats: tuple[str, list[dict[str, Any]]]) -> Path:
    roles = ("client", "counselor")
    lines = [
        {"conversation_id": name, "role": roles[place % 2], "text": f"{name} {place}", **fields}
        for name, messages in chats
        for place, fields in enumerate(messages)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


GOLD = {"gold": {"codes": ["OQ"]}}


@pytest.mark.parametrize("client", [{}, {"split": ""}, {"split": "test"}])
def test_a_part_that_any_message_tells_is_that_of_the_conversation(tmp_path: Path, client: dict[str, str]) -> None:
    file = write_flat(tmp_path / "gold.jsonl", ("a", [client, {**GOLD, "split": "test"}]), ("b", [{}, GOLD]))
    chats = read_gold([file])
    assert [chat.extra.get("split") for chat in chats] == ["test", None]
    assert "a" in [chat.id for chat in split(chats)["test"]]


@pytest.mark.parametrize("name", ["split", "source_group", "corpus"])
def test_messages_that_disagree_are_refused(tmp_path: Path, name: str) -> None:
    file = write_flat(tmp_path / "gold.jsonl", ("a", [{name: "dev"}, {**GOLD, name: "test"}]))
    with pytest.raises(UsageProblem, match=rf"'a' have more than one {name}: dev, test\. Give all"):
        read_gold([file])


def test_an_empty_part_of_a_conversation_is_none(tmp_path: Path) -> None:
    messages = [{"role": "counselor", "text": "How?", **GOLD}]
    (tmp_path / "gold.jsonl").write_text(json.dumps({"conversation_id": "a", "split": "", "messages": messages}))
    assert "split" not in next(gold_conversations(tmp_path / "gold.jsonl")).extra


@pytest.mark.parametrize("reading", [{"duplicates": "keep"}, {"non_contiguous": "restart"}])
def test_a_conversation_that_comes_twice_is_refused(tmp_path: Path, reading: dict[str, Any]) -> None:
    file = write_flat(tmp_path / "gold.jsonl", *[(name, [{}, GOLD]) for name in "aba"])
    with pytest.raises(UsageProblem, match="'a' comes twice"):
        list(gold_conversations(file, replace(AS_CODED, non_contiguous="restart")))
    single = write_flat(tmp_path / "single.jsonl", ("a", [{}, GOLD]), ("b", [{}, GOLD]))
    assert len(list(gold_conversations(single, replace(AS_CODED, **reading)))) == 2


def test_messages_that_share_an_id_may_be_kept(tmp_path: Path) -> None:
    file = write_flat(tmp_path / "gold.jsonl", ("a", [{"id": "m"}, {**GOLD, "id": "m"}]))
    assert len(list(gold_conversations(file, replace(AS_CODED, duplicates="keep")))) == 1


def test_a_part_is_evaluated_alone(tmp_path: Path) -> None:
    codes = {"codes": ["OQ"]}
    parts = {"a": "test", "b": "train", "c": "test"}
    chats = [(name, [{}, {**GOLD, **codes, "split": part}]) for name, part in parts.items()]
    file = write_flat(tmp_path / "gold.jsonl", *chats)
    request = Request(file, tagged=file, part="test")
    assert evaluate_files(request).conversations == 2
    named = Request(str(file), tagged=str(file), model=str(BUNDLED), baseline=str(BUNDLED), part="test")
    assert evaluate_files(named).conversations == 2
    with pytest.raises(UsageProblem, match="is in the part dev"):
        evaluate_files(replace(request, part="dev"))
