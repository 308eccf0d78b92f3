"""Every kind of training experiment runs to its end and is stored: a tiny encoder, a few dozen invented chats."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import experiments
from benchmarks.experiments import EXPERIMENTS, main
from benchmarks.material.tiny_model import make_tiny_model
from mi_coder.evaluation.leak import training_hashes
from mi_coder.training.adapted import Adapted, write_adapted
from tests.training_material import CLIENT_SAID, FAST, SAID

NAMES = ("reference", "adapted", "teachers-silver", "half", "full-reader", "client-only")


def write_chats(path: Path, corpus: str, count: int) -> Path:
    rng = random.Random(corpus)
    rows = []
    for number in range(count):
        messages: list[dict[str, Any]] = []
        for code in rng.sample([*SAID], 3):
            messages.append({"role": "client", "text": rng.choice(CLIENT_SAID)})
            messages.append({"role": "counselor", "text": rng.choice(SAID[code]), "gold": {"codes": [code]}})
        part = ("train", "train", "train", "dev", "dev", "test")[number % 6]
        rows.append({"id": f"{path.stem}-{number}", "corpus": corpus, "split": part, "messages": messages})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    monkeypatch.setattr(experiments, "RUNS", folder)
    monkeypatch.setattr(experiments, "TABLE", tmp_path / "experiments.md")
    quick = replace(FAST, epochs=1)
    monkeypatch.setattr(
        experiments, "EXPERIMENTS", {name: replace(one, share=2, fit=quick) for name, one in EXPERIMENTS.items()}
    )
    return folder


def test_runs_are_made_stored_and_set_against_the_reference(roberta: Path, runs: Path, tmp_path: Path) -> None:
    gold = [
        str(write_chats(tmp_path / f"{name}.jsonl", corpus, 48))
        for name, corpus in (("esconv", "esconv"), ("train_a", "practice"))
    ]
    silver = str(write_chats(tmp_path / "all.jsonl", "mibot", 8))
    teacher, encoder = make_tiny_model(tmp_path / "teacher"), tmp_path / "encoder"
    given = ["--gold", *gold, "--uncoded", silver, "--base", str(roberta)]
    main(["adapt", str(encoder), *given, "--minutes", "0.1"])
    more = ["--teacher", str(teacher), "--adapted", str(encoder)]
    main(["run", *NAMES, *given, *more])
    stored = {one["name"]: one for one in experiments.stored()}
    assert {*stored} == {*NAMES}
    assert len({one["dev"]["sha256"] for one in stored.values()}) == 1
    assert all(len(one["given"]) == one["dev"]["messages"] == 96 for one in stored.values())
    assert stored["reference"]["practice"]["difference"] is None
    assert all(len(one["practice"]["difference"]) == 3 for name, one in stored.items() if name != "reference")
    assert {name: (one["messages"], one["uncoded_messages"]) for name, one in stored.items()} == {
        name: (72, 6 if name == "teachers-silver" else 0) for name in NAMES
    }
    assert [one["model"] for one in stored["teachers-silver"]["settings"]["teachers"]] == ["tiny 1"]
    assert stored["adapted"]["settings"]["base"].endswith("adapted")
    assert stored["adapted"]["settings"]["base_sha256"] != stored["reference"]["settings"]["base_sha256"]
    assert " | 72 and 6 without codes | " in experiments.TABLE.read_text()


def test_what_is_stored_is_not_run_again(
    roberta: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = str(write_chats(tmp_path / "esconv.jsonl", "esconv", 48))
    main(["run", "reference", "--gold", gold, "--base", str(roberta)])
    monkeypatch.delattr(experiments, "run")
    main(["run", "reference", "--gold", gold, "--base", str(roberta)])
    assert len(list(runs.iterdir())) == 1


def test_what_a_run_lacks_is_told(runs: Path, tmp_path: Path) -> None:
    gold = str(write_chats(tmp_path / "esconv.jsonl", "esconv", 12))
    for name, lacks in (("adapted", "--adapted"), ("teachers-silver", "--teacher, --uncoded with chats")):
        with pytest.raises(SystemExit, match=f"{name} needs {lacks}"):
            main(["run", name, "--gold", gold])


def test_an_encoder_that_has_read_dev_is_refused(runs: Path, tmp_path: Path) -> None:
    gold = write_chats(tmp_path / "esconv.jsonl", "esconv", 12)
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    dev = experiments._data([gold]).dev
    write_adapted(Adapted("minilm", sorted({one for chat in dev for one in training_hashes(chat)})), encoder)
    with pytest.raises(SystemExit, match="has read 4 conversations of dev or test"):
        main(["run", "adapted", "--gold", str(gold), "--adapted", str(encoder)])


def test_a_finished_model_is_scored(runs: Path, tmp_path: Path) -> None:
    gold = str(write_chats(tmp_path / "esconv.jsonl", "esconv", 24))
    model = make_tiny_model(tmp_path / "model")
    score = ["score", "all-9", str(model), "--what", "all", "--gold", gold]
    (model / "MODEL_CARD.md").write_text("no table")
    with pytest.raises(SystemExit, match=r"has no row `\| train"):
        main(score)
    (model / "MODEL_CARD.md").write_text("| part | conversations | messages |\n| train | 12 | 4321 |\n")
    main(score)
    assert [(one["messages"], one["settings"]["model"]) for one in experiments.stored()] == [(4321, "tiny 1")]
