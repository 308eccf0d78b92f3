"""Further pre-training on chats without codes, with tiny encoders."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

from mi_coder.cli.adapt import command
from mi_coder.conversation import Conversation, Message
from mi_coder.corpora.parts import split
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.leak import training_hash
from mi_coder.tagger.tagger import Tagger
from mi_coder.training.adapt import AdaptOptions, adapt
from mi_coder.training.base import NoBase
from mi_coder.training.data import read_gold
from mi_coder.training.fit import TrainingFailed
from mi_coder.training.masking import Vocabulary, hide
from mi_coder.training.run import TrainOptions, train
from tests.training_material import FAST, QUICK, chats


def test_the_adapted_encoder_tells_hidden_tokens_better_and_trains_a_tagger(
    roberta: Path, gold: Path, tmp_path: Path
) -> None:
    report = adapt(str(roberta), chats(), tmp_path / "encoder", QUICK)
    assert report.new_head and report.held_out == 3 and report.conversations == 57
    assert report.after < 0.8 * report.before
    options = TrainOptions(
        gold=(gold,), output=tmp_path / "model", version="1", base=str(tmp_path / "encoder"), fit=FAST
    )
    trained = train(options)
    assert trained.config.base == f"{roberta.name}, adapted"
    assert training_hash("c7") in trained.config.training_ids
    said = "what is that “like” for you? 🙂"
    tagged = next(iter(Tagger.load(tmp_path / "model").tag_many([Conversation("a", [Message("counselor", said)])])))
    assert tagged.messages[0].text == said
    assert tagged.messages[0].coding is not None and tagged.messages[0].coding.codes


def test_an_encoder_that_has_read_the_test_chats_is_refused(roberta: Path, gold: Path, tmp_path: Path) -> None:
    tested = split(read_gold([gold]))["test"]
    adapt(str(roberta), [*chats(4), tested[0]], tmp_path / "once", AdaptOptions(max_steps=1, threads=1))
    adapt(str(tmp_path / "once"), chats(4), tmp_path / "twice", AdaptOptions(max_steps=1, threads=1))
    options = TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(tmp_path / "twice"), fit=FAST)
    with pytest.raises(UsageProblem, match="conversations of the test part"):
        train(options)


def test_only_what_the_tagger_needs_is_written(roberta: Path, tmp_path: Path) -> None:
    adapt(str(roberta), chats(), tmp_path / "encoder", AdaptOptions(max_steps=2, threads=1))
    written = sorted(file.name for file in (tmp_path / "encoder").iterdir())
    assert written == ["adapted.json", "config.json", "model.safetensors", "tokenizer.json"]
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "encoder").iterdir()}
    assert modes == {(tmp_path / "encoder" / "tokenizer.json").stat().st_mode & 0o777}
    before, after = (transformers.AutoModel.from_pretrained(one) for one in (roberta, tmp_path / "encoder"))
    assert not torch.equal(before.embeddings.word_embeddings.weight, after.embeddings.word_embeddings.weight)


def test_the_same_seed_gives_the_same_encoder(roberta: Path, tmp_path: Path) -> None:
    for name in "ab":
        adapt(str(roberta), chats(), tmp_path / name, AdaptOptions(max_steps=3, threads=1))
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert a == b


def test_a_share_of_the_ordinary_tokens_is_hidden(roberta: Path) -> None:
    words = Vocabulary.from_file(roberta / "tokenizer.json")
    windows = [window for chat in chats(200) for window in words.windows(chat, 32)]
    assert max(len(window.ids) for window in windows) <= 32
    batch = hide(windows, words, 1, 0.15, torch.Generator().manual_seed(1))
    original = [token for window in windows for token in window.ids]
    assert batch.mask.sum() == len(original)
    ordinary = words.ordinary[torch.tensor(original)].sum()
    assert 0.13 < batch.hidden.sum() / ordinary < 0.19
    shown = batch.ids[batch.hidden]
    assert 0.75 < (shown == words.mask).float().mean() < 0.85
    assert words.ordinary[batch.truth].all()


@pytest.mark.parametrize(
    ("options", "problem"), [(AdaptOptions(max_tokens=999), "--max-tokens is 999"), (None, "1 con")]
)
def test_what_cannot_be_learned_is_refused(
    options: AdaptOptions | None, problem: str, roberta: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageProblem, match=problem):
        adapt(str(roberta), chats(60 if options else 1), tmp_path / "encoder", options)
    assert not (tmp_path / "encoder").exists()


def test_a_tokenizer_without_mask_is_explained(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(NoBase, match="mask tokens"):
        adapt(str(bert), chats(), tmp_path / "encoder")


def test_a_training_that_diverges_writes_nothing(roberta: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="--lr"):
        adapt(str(roberta), chats(), tmp_path / "encoder", AdaptOptions(lr=1e6, batch=4, threads=1))
    assert not (tmp_path / "encoder").exists()


def test_the_command_says_what_came_out(roberta: Path, tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    lines = [
        {"conversation_id": chat.id, "messages": [{"role": one.role, "text": one.text} for one in chat.messages]}
        for chat in chats()
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    arguments = [str(path), "-o", str(tmp_path / "encoder"), "--base", str(roberta), "--epochs", "1", "--threads", "1"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Perplexity of hidden tokens in 3 held-out conversations" in done.stdout
    assert "dev macro-F1" not in done.stderr and np.isfinite(float(done.stderr.split("dev loss ")[1].split(",")[0]))


@pytest.mark.parametrize("option", ["--lr", "--minutes"])
def test_a_number_that_is_none_is_refused(option: str, tmp_path: Path) -> None:
    said = CliRunner().invoke(command, ["chats.jsonl", "-o", str(tmp_path / "encoder"), option, "nan"])
    assert said.exit_code == 2
    assert f"Invalid value for '{option}': nan is not a finite number." in said.output


def test_a_seed_that_numpy_cannot_take_is_refused(tmp_path: Path) -> None:
    said = CliRunner().invoke(command, ["chats.jsonl", "-o", str(tmp_path / "encoder"), "--seed", "4294967296"])
    assert said.exit_code == 2
    assert "Invalid value for '--seed': 4294967296 is not in the range 0<=x<=4294967295." in said.output


def test_the_license_of_the_base_goes_with_the_encoder_and_into_the_models_from_it(
    roberta: Path, gold: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(roberta, tmp_path / "base")
    terms = "Chats of a helpline, for research alone.\n\nName the helpline.\n"
    (base / "LICENSE").write_text(terms, encoding="utf-8")
    adapt(str(base), chats(), tmp_path / "encoder", AdaptOptions(max_steps=1, threads=1))
    assert (tmp_path / "encoder" / "LICENSE").read_text(encoding="utf-8") == terms

    def license(encoder: Path) -> str:
        output = tmp_path / f"from {encoder.name}"
        train(TrainOptions(gold=(gold,), output=output, version="1", base=str(encoder), fit=replace(FAST, epochs=1)))
        return (output / "LICENSE").read_text(encoding="utf-8")

    assert license(tmp_path / "encoder").endswith(
        "Training started from the encoder base, adapted, whose own license applies to it.\n\n"
        f"Terms of the encoder base, adapted, beside what stands above:\n\n{terms}"
    )
    assert license(base).endswith("Training started from the encoder base, whose own license applies to it.\n")
