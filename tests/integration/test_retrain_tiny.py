"""Retraining as the suggestion server does it: a real training in the background, and what becomes of the new model."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mi_coder.annotation.retrain import Retraining
from mi_coder.annotation.suggest import Suggester
from mi_coder.annotation.suggestion_server import application
from mi_coder.annotation.suggestions import results
from mi_coder.annotation.tasks import Task
from mi_coder.conversation import Message
from mi_coder.tagger.tagger import Tagger
from mi_coder.training.fit import FitOptions
from mi_coder.training.run import TrainOptions, train
from tests.training_material import CLIENT_SAID, SAID

testclient = pytest.importorskip("starlette.testclient")

GOOD = FitOptions(epochs=4, batch=16, lr=3e-3, seed=3, threads=1)
HARDLY = replace(GOOD, epochs=1, lr=1e-9)
START = {"action": "START_TRAINING", "project": {"id": 7}}
PATIENCE = 300


class Project:
    """A project in which people coded 400 messages of 100 chats."""

    def __init__(self) -> None:
        draw = random.Random(5)
        self._tasks = []
        for number in range(400):
            code = draw.choice(list(SAID))
            before = (Message("client", draw.choice(CLIENT_SAID)),)
            said = draw.choice(SAID[code])
            task = Task(f"c{number // 4}", 2 * (number % 4) + 1, "counselor", said, before).to_import()
            depth, permission = "simple" if code == "REF" else None, "without" if code == "PR" else None
            coded = {"id": number, "completed_by": 1, "result": results([code], depth, permission)}
            self._tasks.append({"id": number, "project": 7, **task, "annotations": [coded]})

    def export(self, project: int) -> list[dict[str, Any]]:
        return self._tasks

    def tasks(self, project: int) -> list[dict[str, Any]]:
        return self._tasks

    def users(self) -> dict[int, str]:
        return {1: "ann@example.com"}


class Trainer:
    """Trains a tiny encoder; the training waits until it may go on, and says when it is over."""

    def __init__(self, base: Path) -> None:
        self.base, self.fit = base, GOOD
        self.began, self.may_go_on, self.over = threading.Event(), threading.Event(), threading.Event()
        self.thread = ""
        self.said: list[str] = []

    def __call__(self, gold: Sequence[Path], folder: Path) -> None:
        self.thread = threading.current_thread().name
        self.began.set()
        assert self.may_go_on.wait(PATIENCE)
        base, version = str(self.base), folder.name
        train(TrainOptions(gold=tuple(gold), output=folder, version=version, name="new", base=base, fit=self.fit))

    def say(self, line: str) -> None:
        self.said.append(line)
        self.over.set()


def test_a_better_model_takes_over_in_the_background_and_a_worse_one_does_not(
    tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    trainer = Trainer(request.getfixturevalue("bert"))
    suggester = Suggester(Tagger.load(tiny))
    folder = tmp_path / "models"
    retraining = Retraining(Project(), suggester, tiny, folder, (), trainer)  # type: ignore[arg-type]
    asked = {"tasks": [Task("new", 1, "counselor", "did you sleep?").to_import()]}
    with testclient.TestClient(application(suggester, retraining, trainer.say), "http://127.0.0.1:9090") as client:

        def suggested() -> tuple[str, list[str]]:
            [one] = client.post("/predict", json=asked).json()["results"]
            return one["model_version"], [code for entry in one["result"][:1] for code in entry["value"]["choices"]]

        assert client.post("/webhook", json=START).json() == {"status": "training"}
        assert trainer.began.wait(PATIENCE)
        assert trainer.thread != threading.current_thread().name
        assert suggested()[0] == "tiny 1"
        assert client.get("/health").status_code == 200
        assert client.post("/webhook", json=START).json() == {"status": "noted"}
        trainer.may_go_on.set()
        assert trainer.over.wait(PATIENCE)
        [said] = trainer.said
        assert said.startswith("exchanged: macro-F1 "), said
        [first] = folder.iterdir()
        assert retraining.current == first
        assert suggested() == (f"new {first.name}", ["CQ"])

        trainer.fit = HARDLY
        trainer.over.clear()
        while client.post("/webhook", json=START).json() != {"status": "training"}:
            pass
        assert trainer.over.wait(PATIENCE)
        assert trainer.said[1].startswith("not exchanged: macro-F1 "), trainer.said[1]
        assert len(list(folder.iterdir())) == 2
        assert retraining.current == first
        assert suggested() == (f"new {first.name}", ["CQ"])
