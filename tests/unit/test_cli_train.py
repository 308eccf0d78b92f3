"""Options of `mi-code train`: each arrives where it works, and bad ones are refused before the work begins."""

import math
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.train import EXAMPLE, command
from mi_coder.errors import MissingExtra
from mi_coder.evaluation.report import Figure, Options, Versus
from mi_coder.tagger.config import Window
from mi_coder.training import base as bases
from mi_coder.training import run
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitOptions
from mi_coder.training.fold import Fold
from mi_coder.training.run import TrainOptions
from mi_coder.training.teaching import Teaching

READ = {"format": "csv", "text_field": "said", "role_field": "who", "conversation_field": "chat", "overwrite": True}
FIGURES = SimpleNamespace(
    rows=[SimpleNamespace(counted=True), SimpleNamespace(counted=False)],
    messages=12,
    macro=SimpleNamespace(coder=SimpleNamespace(value=0.5), baseline=None, difference=None),
)


class Trained:
    """Stands for `run.train`: keeps the options and trains nothing."""

    def __init__(self) -> None:
        self.asked: list[TrainOptions] = []
        self.figures = FIGURES

    def __call__(self, options: TrainOptions, progress: object) -> SimpleNamespace:
        self.asked.append(options)
        config = SimpleNamespace(untrained=("WA", "CC"))
        return SimpleNamespace(folder=options.output, dev=self.figures, test=FIGURES, config=config)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    stub = Trained()
    monkeypatch.setattr(run, "train", stub)
    return stub


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.jsonl"
    path.touch()
    return path


def invoke(gold: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [str(gold), "-o", "model", *arguments], catch_exceptions=False)


def asked(trained: Trained, gold: Path, *arguments: str) -> TrainOptions:
    result = invoke(gold, *arguments)
    assert result.exit_code == 0, result.stderr
    [options] = trained.asked
    return options


def test_without_options_the_defaults_of_the_library_are_taken(trained: Trained, gold: Path) -> None:
    options = asked(trained, gold, "--base", "minilm")
    plain = TrainOptions(gold=(gold,), output=Path("model"), version=date.today().isoformat(), base="minilm")
    assert replace(options, read=plain.read) == plain
    assert options.fit.device == plain.fit.device == "auto"


FIT = {
    "--epochs": ("7", "epochs", 7),
    "--patience": ("3", "patience", 3),
    "--batch": ("8", "batch", 8),
    "--lr": ("2e-5", "lr", 2e-5),
    "--layer-decay": ("0.9", "layer_decay", 0.9),
    "--freeze-words": (None, "freeze_words", True),
    "--dropout": ("0", "dropout", 0.0),
    "--word-dropout": ("0.1", "word_dropout", 0.1),
    "--context-dropout": ("0.2", "context_dropout", 0.2),
    "--average": ("0.99", "average", 0.99),
    "--weighting": ("inverse", "weighting", "inverse"),
    "--logit-adjustment": ("0.5", "logit_adjustment", 0.5),
    "--seed": ("12", "seed", 12),
    "--threads": ("2", "threads", 2),
    "--device": ("cpu", "device", "cpu"),
}


@pytest.mark.parametrize("option", FIT)
def test_options_of_the_fitting_arrive(option: str, trained: Trained, gold: Path) -> None:
    text, name, value = FIT[option]
    options = asked(trained, gold, "--base", "minilm", option, *([] if text is None else [text]))
    assert getattr(FitOptions(), name) != value
    assert replace(FitOptions(), **{name: value}) == options.fit
    assert getattr(options.fit, name) == value


OTHER = {
    "--output": (["-o", "other"], {"output": Path("other")}),
    "--base": (["--base", "mpnet"], {"base": "mpnet"}),
    "--name": (["--name", "mine"], {"name": "mine"}),
    "--model-version": (["--model-version", "1.2"], {"version": "1.2"}),
    "--context": (["--context", "3"], {"window": Window(context=3, asking=20)}),
    "--context-layers": (["--context-layers", "2"], {"funnel": Funnel(2, 1)}),
    "--first-token-layers": (["--context-layers", "0", "--first-token-layers", "2"], {"funnel": Funnel(0, 2)}),
    "--teacher": (["--teacher", "a", "--teacher", "b"], {"teaching": Teaching((Path("a"), Path("b")))}),
    "--mixed": (["--teacher", "a", "--mixed", "2"], {"teaching": Teaching((Path("a"),)), "mixed": 2}),
    "--leave-out": (["--leave-out", "2/3"], {"leave_out": Fold(2, 3)}),
    "--keep": (["--base", "bundled", "--keep", "0.5"], {"keep": 0.5}),
    "--teacher-share": (["--teacher", "a", "--teacher-share", "0.7"], {"teaching": Teaching((Path("a"),), 0.7)}),
    "--format": (
        ["--format", "csv", "--text-field", "said", "--role-field", "who", "--conversation-field", "chat"],
        {},
    ),
}


@pytest.mark.parametrize("option", OTHER)
def test_other_options_arrive(
    option: str, trained: Trained, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for teacher in ("a", "b"):
        Path(teacher).mkdir()
    arguments, fields = OTHER[option]
    options = asked(trained, gold, "--base", "minilm", *arguments)
    for name, value in fields.items():
        assert getattr(options, name) == value
    if option == "--format":
        assert {name: getattr(options.read, name) for name in READ} == READ


def test_every_option_of_the_command_is_tried_here() -> None:
    tried = {*FIT, *OTHER, "--test"}
    own = {one.opts[-1] for one in command.params if isinstance(one, click.Option)}
    reading = {"--text-field", "--role-field", "--conversation-field", "--role", "--unknown-role", "--duplicates"}
    reading |= {"--non-contiguous", "--max-line-bytes", "--max-decompressed", "--csv-guard"}
    assert own - reading == tried


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "nan"], "Invalid value for '--lr': nan is not a finite number."),
        (["--lr", "inf"], "Invalid value for '--lr': inf is not a finite number."),
        (["--lr", "1e999"], "Invalid value for '--lr': inf is not a finite number."),
        (["--lr", "0"], "Invalid value for '--lr': 0.0 is not in the range x>0."),
        (["--lr", "fast"], "Invalid value for '--lr': 'fast' is not a valid float."),
        (["--layer-decay", "nan"], "Invalid value for '--layer-decay': nan is not a finite number."),
        (["--dropout", "nan"], "Invalid value for '--dropout': nan is not a finite number."),
        (["--leave-out", "3/2"], "Invalid value for '--leave-out': '3/2' is no fold; write 1/2 for the first of two."),
        (
            ["--leave-out", "half"],
            "Invalid value for '--leave-out': 'half' is no fold; write 1/2 for the first of two.",
        ),
        (["--leave-out", "1/1"], "Invalid value for '--leave-out': '1/1' is no fold; write 1/2 for the first of two."),
        (["--dropout", "1"], "Invalid value for '--dropout': 1.0 is not in the range 0<=x<1."),
        (["--logit-adjustment", "-inf"], "Invalid value for '--logit-adjustment': -inf is not a finite number."),
        (["--logit-adjustment", "-1"], "Invalid value for '--logit-adjustment': -1.0 is not in the range x>=0."),
        (["--teacher-share", "nan"], "Invalid value for '--teacher-share': nan is not a finite number."),
        (["--teacher-share", "0.5"], "--teacher-share needs --teacher."),
        (["--mixed", "1"], "--mixed needs --teacher."),
        (["--mixed", "0"], "Invalid value for '--mixed': 0 is not in the range x>=1."),
        (["--first-token-layers", "2"], "--first-token-layers needs --context-layers."),
        (["--keep", "0.5"], "--keep needs a model as --base, such as bundled."),
        (["--keep", "1"], "Invalid value for '--keep': 1.0 is not in the range 0<=x<1."),
        (["--patience", "0"], "Invalid value for '--patience': 0 is not in the range x>=1."),
        (["--seed", "4294967296"], "Invalid value for '--seed': 4294967296 is not in the range 0<=x<=4294967295."),
        (["--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range x>=1."),
        (["--batch", "0"], "Invalid value for '--batch': 0 is not in the range x>=1."),
        (["--context", "101"], "Invalid value for '--context': 101 is not in the range 0<=x<=100."),
        (["--device", "tpu"], "Invalid value for '--device': 'tpu' is not one of 'auto', 'cpu', 'cuda'."),
        (["--teacher", "nowhere"], "Invalid value for '--teacher': Directory 'nowhere' does not exist."),
    ],
)
def test_bad_values_are_refused(arguments: list[str], message: str, trained: Trained, gold: Path) -> None:
    result = invoke(gold, "--base", "minilm", *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {message}"
    assert trained.asked == []


def test_a_gpu_that_is_not_there_is_refused(trained: Trained, gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(Exception, match=r"^--device cuda: torch sees no GPU here\. Leave --device out"):
        invoke(gold, "--base", "minilm", "--device", "cuda")
    assert trained.asked == []


@pytest.mark.parametrize(("cached", "base", "found"), [(True, bases.ROBERTA, "is"), (False, "minilm", "is not")])
def test_the_encoder_that_is_taken_is_told_with_the_reason(
    cached: bool, base: str, found: str, trained: Trained, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_cache(name: str) -> Path:
        if not cached:
            raise bases.NoBase("not there")
        for file in ("config.json", "tokenizer.json", "model.safetensors"):
            (gold.parent / file).touch()
        return gold.parent

    monkeypatch.setattr(bases, "_from_cache", from_cache)
    result = invoke(gold)
    assert [one.base for one in trained.asked] == [base]
    assert result.stderr.splitlines()[0] == (
        f"encoder: {base}, since FacebookAI/roberta-base {found} in the local Hugging Face cache"
    )
    assert "since" not in invoke(gold, "--base", base).stderr


@pytest.mark.parametrize(("arguments", "parts"), [([], ["dev"]), (["--test"], ["dev", "test"])])
def test_figures_on_the_test_part_are_printed_on_request_only(
    arguments: list[str], parts: list[str], trained: Trained, gold: Path
) -> None:
    result = invoke(gold, "--base", "minilm", *arguments)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["part", *parts]
    assert result.stdout.splitlines()[1] == "dev           12      1     0.500        –  –"
    assert "Codes that it cannot give, for lack of gold: WA, CC." in result.stderr


def test_where_no_code_has_enough_messages_the_exact_match_is_told(trained: Trained, gold: Path) -> None:
    nothing = Figure(math.nan, math.nan, math.nan)
    trained.figures = SimpleNamespace(
        rows=[SimpleNamespace(counted=False)],
        messages=12,
        macro=Versus(nothing, None, None),
        exact=Versus(Figure(0.25, 0.1, 0.4), None, None),
        options=Options(),
    )
    result = invoke(gold, "--base", "minilm")
    assert result.stdout.splitlines()[1] == "dev           12      0         –        –  –"
    assert (
        "No code has 20 messages in dev, so there is no macro-F1. Exact match there: 0.250 [0.100, 0.400]."
        in result.stderr
    )


def test_mixing_sentences_names_the_extra_that_splits_them(
    trained: Trained, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtra, match=r'spacy.*pip install "mi-coder\[nlp\]"'):
        invoke(gold, "--base", "minilm", "--teacher", str(tmp_path), "--mixed", "1")
    assert trained.asked == []


def test_the_examples_of_the_help_are_understood(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("esconv.jsonl", "practice.jsonl", "gold.jsonl"):
        Path(name).touch()
    for name in ("a", "b"):
        Path(name).mkdir()
    monkeypatch.setattr(bases, "_from_cache", lambda name: tmp_path)
    lines = [line.split() for line in EXAMPLE.splitlines() if line.startswith("  mi-code train")]
    for line in lines:
        CliRunner().invoke(command, line[2:], catch_exceptions=False)
    assert len(trained.asked) == len(lines) == 9
    assert [one.base for one in trained.asked] == ["minilm", "bundled", "mpnet", *["minilm"] * 6]
