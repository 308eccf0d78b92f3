"""Fine-tuning: what is learned, how fast, from which batches, and when it stops."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mi_coder.arrays import Floats
from mi_coder.conversation import Message
from mi_coder.errors import UsageProblem
from mi_coder.tagger.config import Window
from mi_coder.tagger.model import BUNDLED
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training import fit as fitting
from mi_coder.training.batches import drop_context, drop_words, shuffled_batches
from mi_coder.training.fit import FitData, FitOptions, TrainingFailed, fit, logits, set_seeds
from mi_coder.training.model import Coder
from mi_coder.training.progress import Progress
from tests.training_material import FAST, some_targets, windows


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
