"""The whole path from gold codes to a model folder, with tiny encoders and invented chats."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from click.testing import CliRunner

from mi_coder.cli.train import command
from mi_coder.conversation import Conversation, Message
from mi_coder.corpora.parts import split
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.evaluation.baseline import Baseline
from mi_coder.evaluation.leak import training_hash
from mi_coder.tagger.config import Window, read_config
from mi_coder.tagger.record import read_record
from mi_coder.tagger.tagger import Tagger
from mi_coder.training import run as running
from mi_coder.training.base import NoBase, base_name, resolve_base
from mi_coder.training.data import read_gold
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitOptions
from mi_coder.training.model import Coder
from mi_coder.training.run import TrainOptions, TrainReport, train
from tests.training_material import CHATS, FAST, SAID, of_kind


def test_the_loss_falls_and_the_codes_are_learned(report: TrainReport) -> None:
    losses = [epoch.train_loss for epoch in report.epochs]
    assert losses[-1] < losses[0] * 0.6
    assert sum(epoch.best for epoch in report.epochs) == 1
    assert report.test.macro.coder.value > 0.8


def test_the_folder_is_whole_and_the_tagger_uses_it(report: TrainReport) -> None:
    names = {path.name for path in report.folder.iterdir()}
    expected = {
        "config.json",
        "model.onnx",
        "tokenizer.json",
        "encoder.json",
        "LICENSE",
        "MODEL_CARD.md",
        "baseline.npz",
        "baseline.json",
        "training.json",
    }
    assert names == expected
    assert read_config(report.folder) == report.config
    chat = Conversation("new", [Message("client", "i feel alone"), Message("counselor", "did you sleep?")])
    coding = Tagger.load(report.folder).tag(chat).messages[1].coding
    assert coding is not None
    assert coding.codes[0] == "CQ"


def test_the_record_tells_what_rounding_costs(report: TrainReport) -> None:
    record = read_record(report.folder)
    assert record is not None
    assert record.macro_f1["test"] == report.test.macro.coder.value
    assert abs(record.macro_f1_fp32["test"] - record.macro_f1["test"]) < 0.05
    assert [one.best for one in record.epochs].count(True) == 1
    assert record.settings["epochs"].startswith(f"{len(record.epochs)} run")


def test_the_sets_promise_what_training_knows(report: TrainReport) -> None:
    cuts = report.config.set_cuts
    assert list(cuts) == ["0.8", "0.9", "0.95"]
    assert 0 < cuts["0.95"] <= cuts["0.9"] <= cuts["0.8"] < 1
    assert report.dev.doubt.sets is not None
    assert report.dev.doubt.sets.held.value >= 0.9


def test_sets_are_cut_by_group(bert: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(running, "set_cuts", lambda *arguments: given.append(arguments) or {"0.9": 0.5})
    train(TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(bert), fit=FAST))
    codings, _, _, kinds, groups = given[0]
    dev = split(read_gold([gold]))["dev"]
    coded = [sum(one.gold is not None for one in chat.messages) for chat in dev]
    wanted = [chat.extra["source_group"] for chat, many in zip(dev, coded, strict=True) for _ in range(many)]
    assert len(codings) == len(kinds) == len(groups) == len(wanted)
    assert groups == wanted and len(set(groups)) < len(dev)


def test_no_context_can_be_left_out_where_none_is_read(bert: Path, gold: Path, tmp_path: Path) -> None:
    options = TrainOptions(
        gold=(gold,),
        output=tmp_path / "model",
        version="1",
        base=str(bert),
        window=Window(context=0),
        fit=replace(FAST, context_dropout=0.2),
    )
    with pytest.raises(UsageProblem, match=r"^--context-dropout needs a context to leave out"):
        train(options)
    assert not options.output.exists()


def test_what_was_never_seen_is_untrained_and_never_given(report: TrainReport) -> None:
    trained = {code for code, head in zip(report.config.codes, report.config.heads, strict=True) if head.trained}
    assert trained == set(SAID)
    assert report.config.depth.trained
    assert all(not row.score.predicted for row in report.test.rows if row.score.code not in trained)
    card = (report.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    gaps = card.split("## Codes and attributes that this model does not give")[1].split("##")[0]
    assert "WA" in gaps
    assert "depth" not in gaps
    assert ("permission" in gaps) == (not report.config.permission.trained)


def test_training_ids_are_those_of_train_and_dev(report: TrainReport) -> None:
    chats = {training_hash(f"chat-{number}") for number in range(CHATS)}
    groups = {training_hash(f"group:worker-{number}") for number in range(CHATS // 2)}
    kept = set(report.config.training_ids)
    assert report.config.training_ids == sorted(kept)
    assert kept < chats | groups
    assert len(kept & chats) == 2 * len(kept & groups) == CHATS - report.test.conversations


def test_the_baseline_of_the_folder_gives_its_figures(report: TrainReport) -> None:
    baseline = Baseline.load(report.folder)
    given = baseline.predict(["did you sleep?", "that sounds rough, sorry"])
    assert [baseline.codes[row.argmax()] for row in given] == ["CQ", "SU"]
    assert report.test.macro.baseline is not None


def test_the_command_shows_epochs_and_figures(roberta: Path, gold: Path, tmp_path: Path) -> None:
    arguments = [str(gold), "-o", str(tmp_path / "model"), "--base", str(roberta), "--epochs", "2", "--lr", "0.003"]
    result = CliRunner().invoke(
        command, [*arguments, "--context-layers", "1", "--threads", "1"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "epoch 2: loss" in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["part", "dev"]
    assert read_config(tmp_path / "model").base == roberta.name
    assert not [path for path in tmp_path.iterdir() if path.name != "model"]


def test_an_existing_folder_is_not_overwritten(bert: Path, gold: Path, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(UsageProblem, match="exists already"):
        train(TrainOptions(gold=(gold,), output=tmp_path, version="1", base=str(bert)))
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_a_part_without_gold_is_named(bert: Path, tmp_path: Path) -> None:
    record = {
        "conversation_id": "x",
        "split": "train",
        "messages": [{"role": "counselor", "text": "hi", "gold": {"codes": ["INT"]}}],
    }
    (tmp_path / "one.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(UsageProblem, match="in the part dev"):
        train(TrainOptions(gold=(tmp_path / "one.jsonl",), output=tmp_path / "model", version="1", base=str(bert)))


def test_a_base_of_the_hub_is_looked_for_in_the_cache_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *place, **_: asked.append(place) or [])
    with pytest.raises(NoBase, match=r"not in the local Hugging Face cache.*hf download"):
        resolve_base("nobody/no-such-encoder")
    assert asked == []


def test_bases_that_cannot_be_used_are_explained(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(NoBase, match=r"lacks tokenizer\.json, \*\.safetensors"):
        resolve_base(str(tmp_path))
    with pytest.raises(NoBase, match="No encoder 'no such/name/here'"):
        resolve_base("no such/name/here")
    assert resolve_base(str(bert)) == bert
    assert base_name(str(bert)) == bert.name
    for kind in ("electra", "roberta-prelayernorm"):
        with pytest.raises(MiCoderError, match=f"and this encoder is {kind}: leave it out"):
            Coder(of_kind(kind), 23, Funnel(0, 1))
    with pytest.raises(MiCoderError, match=r"3 layers; --context-layers \(2\) and --first-token-layers \(1\)"):
        Coder.from_folder(bert, 23, Funnel(2, 1))


@pytest.mark.parametrize("place", ["file/model", "file/further/model", "x" * 300])
def test_a_folder_that_cannot_be_made_is_refused_before_the_gold_is_read(
    place: str, bert: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    options = TrainOptions(gold=(tmp_path / "no gold",), output=tmp_path / place, version="1", base=str(bert))
    with pytest.raises(UsageProblem, match=rf"{place} cannot be made: .*-o"):
        train(options)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_messages_of_which_only_a_group_is_known_are_trained_and_judged(bert: Path, gold: Path, tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for line in gold.read_text(encoding="utf-8").splitlines():
            chat = json.loads(line)
            chat["messages"][1]["gold"] = {"any_of": [["OQ", "CQ"]]}
            file.write(json.dumps(chat) + "\n")
    options = FitOptions(epochs=1, batch=16, lr=3e-3, threads=1)
    made = train(TrainOptions(gold=(path,), output=tmp_path / "model", version="1", base=str(bert), fit=options))
    assert made.test.groups
