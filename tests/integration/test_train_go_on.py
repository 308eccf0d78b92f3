"""Training that goes on from a finished model."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from mi_coder.cli.train import command
from mi_coder.errors import UsageProblem
from mi_coder.tagger.config import ASKING_FILE, BadModel, Window
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import file_sha256, open_model
from mi_coder.training.asking import REACH
from mi_coder.training.encoder import Funnel
from mi_coder.training.run import TrainOptions, TrainReport, train
from mi_coder.training.start import _weights
from tests.training_material import FAST, Watched, windows


@pytest.fixture(scope="module")
def finished(bert: Path, gold: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """Four epochs teach it permission; after two it is at the edge of it, and the vocabulary differs by run."""
    options = TrainOptions(
        gold=(gold,),
        output=tmp_path_factory.mktemp("finished") / "model",
        version="1",
        base=str(bert),
        funnel=Funnel(0, 1),
        window=Window(context=2),
        fit=replace(FAST, epochs=4, patience=4),
    )
    return train(options)


def of_an_older_version(folder: Path) -> Path:
    """The record of a model as older versions wrote it."""
    record = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**record, "layers": None}))
    return folder


def test_training_goes_on_from_a_finished_model(finished: TrainReport, gold: Path, tmp_path: Path) -> None:
    still = replace(FAST, epochs=1, lr=1e-12)
    further = train(
        TrainOptions(gold=(gold,), output=tmp_path / "model", version="2", base=str(finished.folder), fit=still)
    )
    made, told = (Encoder(one.folder / "model.onnx").logits(windows(8))[:, :21] for one in (further, finished))
    np.testing.assert_allclose(made, told, atol=0.02)  # rounded once more
    assert further.config.window == Window(context=2)
    assert further.config.base == finished.config.base
    assert set(further.config.training_ids) >= set(finished.config.training_ids)
    name = f"{finished.config.name} 1 ({finished.config.files['model.onnx'][:8]})"
    card, license = ((further.folder / file).read_text(encoding="utf-8") for file in ("MODEL_CARD.md", "LICENSE"))
    assert f"- continued from: {name}" in card
    for text in (card, license):
        assert f"Training went on from the model {name}" in text
        assert "decides on the terms" not in text.partition("Terms of mi-coder")[0]
    before = (finished.folder / "LICENSE").read_text(encoding="utf-8").strip().split("\n\n")
    assert set(before) <= set(license.strip().split("\n\n"))


def test_what_a_model_knew_is_kept_where_the_new_gold_is_silent(
    finished: TrainReport, gold: Path, tmp_path: Path
) -> None:
    """No new message carries SU, and permission is known of none."""
    own = tmp_path / "own.jsonl"
    with own.open("w", encoding="utf-8") as file:
        for number, line in enumerate(gold.read_text(encoding="utf-8").splitlines()):
            chat = json.loads(line)
            chat["messages"] = [one for one in chat["messages"] if "SU" not in one.get("gold", {}).get("codes", ())]
            for message in chat["messages"]:
                message.get("gold", {}).pop("permission", None)
            group = chat["source_group"]
            file.write(json.dumps({**chat, "conversation_id": f"own-{number}", "source_group": f"own-{group}"}) + "\n")
    seen = Watched()
    options = TrainOptions(gold=(own,), output=tmp_path / "model", version="2", base=str(finished.folder), fit=FAST)
    config = train(options, seen).config
    at = config.codes.index("SU")
    assert config.heads[at] == finished.config.heads[at]
    assert config.heads[at].trained
    assert config.permission == finished.config.permission
    assert not seen.notes


def asking_before_advice(gold: Path, path: Path, told: bool) -> Path:
    """The same chats three times, in which the client mostly asks right before advice that has permission."""
    draw = random.Random(7)
    lines = []
    for number, line in enumerate(gold.read_text(encoding="utf-8").splitlines() * 3):
        chat = json.loads(line)
        chat["conversation_id"] = f"{path.stem}-{number}"
        chat["source_group"] = f"{path.stem}-{number // 2}"
        for said, message in zip(chat["messages"][::2], chat["messages"][1::2], strict=True):
            if message["gold"].get("permission") == "with" and draw.random() < 0.9:
                said["text"] = "What should I do?"
            if not told:
                message["gold"].pop("permission", None)
        lines.append(json.dumps(chat) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_training_finds_the_sentences_that_ask_and_goes_on_from_them(
    finished: TrainReport, gold: Path, tmp_path: Path
) -> None:
    """The model before had none; what it knows then is kept where the new gold tells nothing of permission."""
    assert ASKING_FILE not in finished.config.files
    told, silent = (asking_before_advice(gold, tmp_path / f"{name}.jsonl", name == "told") for name in ("told", "not"))
    once = replace(FAST, epochs=1)
    options = TrainOptions(gold=(told,), output=tmp_path / "1", version="2", base=str(finished.folder), fit=once)
    first = train(options)
    assert first.config.window == msgspec.structs.replace(finished.config.window, asking=REACH)
    assert open_model(first.folder).digests[ASKING_FILE] == file_sha256(first.folder / ASKING_FILE)
    row = f"- previous messages that are searched for what the client asked: {REACH}"
    assert row in (first.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    second = train(replace(options, gold=(silent,), output=tmp_path / "2", base=str(first.folder)))
    assert (second.folder / ASKING_FILE).read_bytes() == (first.folder / ASKING_FILE).read_bytes()
    assert second.config.window == first.config.window


def test_a_share_of_the_weights_can_be_kept(finished: TrainReport, gold: Path, tmp_path: Path) -> None:
    options = TrainOptions(gold=(gold,), output=tmp_path / "0", version="2", base=str(finished.folder), fit=FAST)
    made = [train(replace(options, output=tmp_path / str(keep), keep=keep)).folder for keep in (0.0, 0.5)]
    folders = (finished.folder, *made)
    old, new, half = (dict(_weights(folder / "model.onnx"))["output.weight"][:21] for folder in folders)
    torch.testing.assert_close(half, (old + new) / 2)
    assert not torch.allclose(old, new, atol=1e-3)
    assert "- share of its weights that is kept: 0.5" in (made[1] / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_dev_chats_that_the_model_has_read_are_told(finished: TrainReport, gold: Path, tmp_path: Path) -> None:
    seen, still = Watched(), replace(FAST, epochs=1, lr=1e-12)
    train(TrainOptions(gold=(gold,), output=tmp_path / "out", version="2", base=str(finished.folder), fit=still), seen)
    [note] = seen.notes
    assert "conversations of the dev part" in note


def test_a_model_that_cannot_be_gone_on_from_says_why(finished: TrainReport, gold: Path, tmp_path: Path) -> None:
    options = TrainOptions(gold=(gold,), output=tmp_path / "out", version="2", base=str(finished.folder), fit=FAST)
    old = of_an_older_version(shutil.copytree(finished.folder, tmp_path / "old"))
    with pytest.raises(BadModel, match=r"cannot continue from .*: it does not say how its encoder is built"):
        train(replace(options, base=str(old)))
    other = shutil.copytree(finished.folder, tmp_path / "other")
    config = json.loads((other / "encoder.json").read_text())
    (other / "encoder.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(BadModel, match=r"continue from .*: the weight .* is missing, unknown or of another shape"):
        train(replace(options, base=str(other)))
    (other / "encoder.json").write_text(json.dumps({**config, "num_attention_heads": 4}))
    described = r"what encoder\.json and training\.json describe is not what model\.onnx computes"
    with pytest.raises(BadModel, match=described):
        train(replace(options, base=str(other)))
    (other / "encoder.json").write_text("{}")
    with pytest.raises(BadModel, match=r"encoder\.json is no configuration of an encoder"):
        train(replace(options, base=str(other)))
    chats = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    others = tmp_path / "others.jsonl"
    tested = ("worker-0", "worker-1", "worker-2")
    for chat in chats:
        chat["split"] = "test" if chat["source_group"] in tested else "train"
    others.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    with pytest.raises(UsageProblem, match=r"The model .* was trained on \d conversations of the test part"):
        train(replace(options, gold=(others,)))


def test_what_a_model_reads_is_not_for_the_command_to_change(finished: TrainReport, gold: Path, tmp_path: Path) -> None:
    arguments = [str(gold), "-o", str(tmp_path / "model"), "--base", str(finished.folder), "--context", "3"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "is a model and reads what it was trained to read: leave out --context" in result.stderr
