"""A training that was broken off goes on after its last whole epoch, or says why it does not."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

from mi_coder.cli.train import command
from mi_coder.corpora.parts import split
from mi_coder.formats import ReadOptions
from mi_coder.training.checkpoint import Checkpoint, NotContinued, Snapshot
from mi_coder.training.data import read_gold
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitData, FitOptions, fit, logits, set_seeds
from mi_coder.training.model import Coder
from mi_coder.training.progress import Progress
from mi_coder.training.run import TrainOptions, TrainReport, train
from mi_coder.training.targets import Targets
from mi_coder.training.teaching import Teaching
from tests.training_material import FAST, Watched, some_targets, windows

CUT_AT_12 = (slice(12), slice(12, None))


def loaded(checkpoint: Checkpoint) -> Snapshot:
    """What a checkpoint holds, which must be something."""
    kept = checkpoint.load(json.loads((checkpoint.folder / "state.json").read_bytes())["identity"])
    assert kept is not None
    return kept


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
    assert seen.notes == ["resumed after epoch 2"]
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
        assert note.startswith("not resumed: ")
        assert note.endswith(". The kept state is replaced after the first epoch.")
        return note.removeprefix("not resumed: ").partition(". The kept")[0]

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
        "not resumed: --lr was 0.003 and is 0.002. The kept state is replaced after the first epoch.\nepoch 1: loss"
        in changed.stderr
    )
    assert "resumed after epoch 1\nepoch 2: loss" in same.stderr


def test_a_state_without_a_judgeable_code_is_read_back(bert: Path, tmp_path: Path) -> None:
    part = FitData(windows(8), some_targets(8))
    nothing = FitData(windows(8), Targets(np.full((8, 23), np.nan), np.zeros((0, 23), bool), np.zeros(0, np.intp)))
    kept = Checkpoint(tmp_path)
    fit(Coder.from_folder(bert, 23), part, nothing, FitOptions(epochs=1, threads=1), None, kept)
    assert np.isnan(loaded(kept).epochs[0].dev_f1)


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
    assert seen.notes == ["resumed after epoch 1"]
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
