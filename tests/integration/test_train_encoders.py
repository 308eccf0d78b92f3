"""Encoders that are built otherwise than BERT: the whole path with those that work, and why others are refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from tokenizers import Tokenizer
from torch import nn

from mi_coder.cli.tag import command
from mi_coder.conversation import Conversation, Message
from mi_coder.tagger.config import Window
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.tagger import Tagger
from mi_coder.training import fit as fitting
from mi_coder.training.adapt import AdaptOptions, adapt
from mi_coder.training.base import NoBase
from mi_coder.training.batches import pad
from mi_coder.training.encoder import Funnel
from mi_coder.training.export import ExportFailed, export_onnx, try_export
from mi_coder.training.fit import FitData, FitOptions, fit, logits, weights_of
from mi_coder.training.model import Coder
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.readable import check_length, longest_text
from mi_coder.training.run import TrainOptions, train
from tests.training_material import FAST, SAID, SIZES, chats, some_targets, windows

PIECES = {"vocab_size": 301, "pad_token_id": 0}
ENDS = {"cls_token_id": 2, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
DISTANCES = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm"}
KINDS = {
    "modernbert": {**SIZES, **PIECES, **ENDS, "max_position_embeddings": 512, "local_attention": 12},
    "deberta-v2": {
        **SIZES,
        **PIECES,
        **DISTANCES,
        "position_biased_input": False,
        "type_vocab_size": 0,
        "position_buckets": 16,
        "share_att_key": True,
    },
    "xlnet": {**PIECES, "d_model": 32, "n_layer": 3, "n_head": 2, "d_inner": 64},
}
LIKE_BERT = {kind: {**SIZES, **PIECES, "max_position_embeddings": 256} for kind in ("distilbert", "electra", "albert")}
REFUSED = {
    "gpt2": {"vocab_size": 301, "n_embd": 32, "n_layer": 2, "n_head": 2},
    "fnet": {**SIZES, "vocab_size": 301},
    "t5": {"vocab_size": 301, "d_model": 32, "num_layers": 2, "num_heads": 2, "d_kv": 16, "d_ff": 64},
    "vit": {**SIZES, "image_size": 32},
}


def made(kind: str, folder: Path, tokenizer: Path, **settings: object) -> Path:
    """An encoder with random weights, so large that a difference shows, and a tokenizer with a mask token."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **settings)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    pieces = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    pieces.add_special_tokens(["[MASK]"])
    pieces.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("kind", ["modernbert", "deberta-v2"])
def test_the_whole_path_from_further_pretraining_to_tagging(kind: str, bert: Path, gold: Path, tmp_path: Path) -> None:
    base = made(kind, tmp_path / "base", bert, **KINDS[kind])
    brief = AdaptOptions(max_steps=20, batch=8, lr=3e-3, threads=1)
    adapted = adapt(str(base), chats(), tmp_path / "encoder", brief)
    assert adapted.steps == 20
    how = replace(FAST, epochs=3, layer_decay=0.9)
    report = train(
        TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(adapted.folder), fit=how)
    )
    assert report.test.macro.coder.value > 0.5
    said = [Message("client", "i feel alone " * 90), Message("counselor", SAID["CQ"][0])]
    record = {"conversation_id": "a", "messages": [{"role": one.role, "text": one.text} for one in said]}
    (tmp_path / "chats.jsonl").write_text(json.dumps(record) + "\n")
    arguments = [str(tmp_path / "chats.jsonl"), "--model", str(report.folder), "-o", str(tmp_path / "tagged.jsonl")]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    [tagged] = map(json.loads, (tmp_path / "tagged.jsonl").read_text().splitlines())
    coding = Tagger.load(report.folder).tag(Conversation("a", said)).messages[1].coding
    assert coding is not None and coding.codes
    assert tagged["messages"][1]["codes"] == list(coding.codes)


@pytest.mark.parametrize("kind", [*KINDS, *LIKE_BERT])
def test_a_message_is_told_the_same_alone_in_company_and_exported_however_long_it_is(
    kind: str, bert: Path, tmp_path: Path
) -> None:
    """Attention that slides is left out of short texts, which the first example is."""
    model = Coder.from_folder(
        made(kind, tmp_path, bert, **{**KINDS, **LIKE_BERT}[kind], initializer_range=0.3), 23
    ).eval()
    nn.init.normal_(model.output.weight)
    ids = np.random.default_rng(0).integers(4, 290, (8, 256))
    example = [
        replace(windows(1)[0], ids=[2, *row[: length - 2].tolist(), 3], own=length // 2)
        for row, length in zip(ids, (6, 9, 14, 30, 70, 130, 200, 256), strict=True)
    ]
    alone = np.concatenate([logits(model, [one]) for one in example])
    np.testing.assert_allclose(logits(model, example), alone, atol=1e-3)
    export_onnx(model, 21, tmp_path / "model.onnx", example[:1])
    np.testing.assert_allclose(Encoder(tmp_path / "model.onnx").logits(example), alone, atol=1e-3)
    assert alone.std(axis=0).min() > 0.1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("gpt2", r"it does not read what comes after a message, where the context is"),
        ("fnet", r"its output depends on the padding of a batch"),
        ("t5", r"it has a decoder, and codes need an encoder alone"),
        ("vit", r"it cannot be run on a text alone \(\w+Error\)"),
    ],
)
def test_an_encoder_that_cannot_read_chats_is_refused_with_the_reason(
    kind: str, reason: str, bert: Path, gold: Path, tmp_path: Path
) -> None:
    base = made(kind, tmp_path / "base", bert, **REFUSED[kind])
    wanted = rf"\(type {kind}\): {reason}\. Name another --base, such as FacebookAI/roberta-base, minilm or mpnet\.$"
    options = TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(base))
    with pytest.raises(NoBase, match=wanted):
        train(options)
    assert not options.output.exists()


def test_code_that_lies_beside_an_encoder_is_not_run_and_not_asked_about(
    bert: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = made("bert", tmp_path / "base", bert, **SIZES, **PIECES)
    config = json.loads((base / "config.json").read_text())
    classes = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoModelForMaskedLM": "own.Model"}
    (base / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": classes}))
    (base / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("It was asked whether the code may run."))
    with pytest.raises(NoBase, match="cannot be loaded"):
        train(TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(base)))
    with pytest.raises(NoBase, match="cannot be loaded"):
        adapt(str(base), chats(), tmp_path / "encoder", AdaptOptions(max_steps=1, threads=1))
    assert {one.name for one in tmp_path.iterdir()} == {"base"}


class Told(Progress):
    """Keeps the stages, and fails where an epoch was trained."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def epoch(self, epoch: Epoch) -> None:
        pytest.fail("An epoch was trained.")


def test_an_encoder_that_cannot_be_exported_is_refused_before_the_training(
    bert: Path, gold: Path, tmp_path: Path
) -> None:
    longformer = {**SIZES, **PIECES, "max_position_embeddings": 258, "attention_window": 8}
    base = made("longformer", tmp_path / "base", bert, **longformer, initializer_range=0.3)
    told, options = Told(), TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(base), fit=FAST)
    with pytest.raises(ExportFailed, match=r"The exported model does not run \(\w+\)\. This encoder cannot be exp"):
        train(options, told)
    assert told.stages[-1] == "trying the export"
    assert [one.name for one in tmp_path.iterdir()] == ["base"]


def test_what_torch_cannot_write_is_told_without_its_traceback(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise torch.onnx.errors.UnsupportedOperatorError("aten::strange", 17, None)

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(ExportFailed, match=r"torch cannot export the model \(UnsupportedOperatorError\)\. This enc"):
        export_onnx(Coder.from_folder(bert, 23), 21, tmp_path / "model.onnx", windows(1))


def test_trying_the_export_changes_neither_the_model_nor_the_random_numbers(bert: Path) -> None:
    model = Coder.from_folder(bert, 23)
    before, state = weights_of(model), torch.get_rng_state()
    try_export(model, 21, windows(1), 256)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], weight) for name, weight in weights_of(model).items())


def test_no_encoder_is_adapted_from_which_none_could_train(bert: Path, tmp_path: Path) -> None:
    base = made("fnet", tmp_path / "base", bert, **REFUSED["fnet"])
    with pytest.raises(NoBase, match=r"Chats cannot be read with the encoder in .*base \(type fnet\)"):
        adapt(str(base), chats(), tmp_path / "encoder", AdaptOptions(max_steps=1, threads=1))
    assert not (tmp_path / "encoder").exists()


def test_a_tokenizer_of_another_encoder_is_refused_before_the_gold_is_read(bert: Path, tmp_path: Path) -> None:
    base = made("bert", tmp_path / "base", bert, **SIZES, vocab_size=40)
    wanted = r"tokenizer\.json has \d+ tokens, more than the encoder has word vectors \(40\)\. Copy the tokenizer\.json"
    with pytest.raises(NoBase, match=wanted):
        train(TrainOptions(gold=(tmp_path / "none",), output=tmp_path / "model", version="1", base=str(base)))
    with pytest.raises(NoBase, match=wanted):
        adapt(str(base), chats(), tmp_path / "encoder")


def test_an_encoder_of_short_texts_is_refused_unless_the_window_is_as_short(
    bert: Path, gold: Path, tmp_path: Path
) -> None:
    base = made("bert", tmp_path / "base", bert, **SIZES, vocab_size=301, max_position_embeddings=64)
    options = TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=str(base), fit=FAST)
    with pytest.raises(NoBase, match=r"reads up to 64 tokens, and a message with its context has up to 256\. Name ano"):
        train(replace(options, gold=(tmp_path / "none",)))
    train(replace(options, window=Window(max_tokens=64, context_tokens=32), fit=replace(FAST, epochs=1)))


def test_the_longest_text_leaves_out_the_positions_of_padding(bert: Path, roberta: Path) -> None:
    encoders = {folder: Coder.from_folder(folder, 23).reader.encoder for folder in (bert, roberta)}
    assert [longest_text(one) for one in encoders.values()] == [256, 256]
    assert encoders[roberta].config.max_position_embeddings == 258
    check_length(encoders[roberta], 256)
    with pytest.raises(NoBase):
        check_length(encoders[roberta], 257)
    unlimited = transformers.AutoModel.from_config(transformers.AutoConfig.for_model("xlnet", **KINDS["xlnet"]))
    assert longest_text(unlimited) == 8192


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_that_are_stored_in_16_bits_are_trained_in_32(dtype: torch.dtype, bert: Path, tmp_path: Path) -> None:
    base = shutil.copytree(bert, tmp_path / "base")
    transformers.AutoModel.from_pretrained(bert, dtype=dtype).save_pretrained(base)
    model = Coder.from_folder(base, 23, Funnel(0, 1)).eval()
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert torch.isfinite(model(*pad(windows(3), model.pad_id, model.device))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_encoders_of_other_kinds_learn_in_half_precision(
    kind: str, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "bf16_is_native", lambda device: True)
    model = Coder.from_folder(made(kind, tmp_path, bert, **KINDS[kind]), 23)
    part = FitData(windows(64), some_targets(64))
    epochs = fit(model, part, part, FitOptions(epochs=3, batch=8, lr=3e-3, patience=9, threads=1))
    assert epochs[2].train_loss < epochs[0].train_loss


def test_what_all_layers_share_learns_as_slowly_as_the_lowest_of_them(bert: Path, tmp_path: Path) -> None:
    model = Coder.from_folder(made("deberta-v2", tmp_path, bert, **KINDS["deberta-v2"]), 23)
    above = {name: fitting._layers_above(name, 3) for name, _ in model.named_parameters()}
    encoder = "reader.encoder.encoder"
    assert above[f"{encoder}.rel_embeddings.weight"] == above[f"{encoder}.LayerNorm.weight"] == 2
    assert above[f"{encoder}.layer.0.output.dense.weight"] == 2
    assert above["reader.encoder.embeddings.word_embeddings.weight"] == 3
    assert above["output.weight"] == 0
