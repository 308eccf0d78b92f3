"""Fine-tuning: epochs over the training part, watched on the dev part, the best one kept."""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.evaluation.metrics import Confusion, macro
from mi_coder.tagger.window import Tokens
from mi_coder.training.batches import EVALUATION_BATCH, drop_context, drop_words, pad, shuffled_batches, sorted_batches
from mi_coder.training.checkpoint import Checkpoint, NotContinued, Snapshot
from mi_coder.training.device import Device, bf16_is_native, find_device
from mi_coder.training.identity import identity
from mi_coder.training.loss import Balance, BatchTargets, Weighting, base_logits, masked_loss
from mi_coder.training.model import Coder
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.targets import Targets

SMALL_HIDDEN_SIZE = 384
"""Most hidden units of an encoder that learns at the higher of two learning rates."""

MAX_GRADIENT = 1.0
"""Largest norm of the gradient of a step; a larger one is scaled down to it."""

_DIVERGED = 1.5
_LAYER = re.compile(r"\.layers?\.(\d+)\.")


class TrainingFailed(MiCoderError):
    """A training that cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How the encoder is fine-tuned.

    Attributes:
        batch: messages per step.
        lr: peak learning rate; None takes 1e-4 for encoders of at most 384 hidden units and 3e-5 for larger ones.
        warmup: share of all steps over which the learning rate rises; it then falls linearly to 0.
        patience: epochs without a better dev result after which training stops.
        weighting: how much more the positives of rare codes count (see `Balance.of`).
        logit_adjustment: how much of the log odds of a code's base rate the loss adds to its logit (Menon et al. 2021,
            equation 10); 0 adds nothing.
        layer_decay: what the learning rate of a layer is multiplied with for every layer above it (Howard and Ruder
            2018, discriminative fine-tuning); 1 for the same rate in all.
        freeze_words: leave the word vectors of the encoder as they are; quicker, and words that the training part lacks
            keep their place among the others.
        dropout: share of the encoder's units that are hidden in every step; None leaves it as the encoder has it. 0 is
            nearly twice as quick on a CPU.
        word_dropout: share of the words of message and context that are left out in every step (`drop_words`).
        context_dropout: share of the messages that lose their context in every step (`drop_context`). What is to be
            learned of them stays, depth and permission too, although these are told from the context.
        average: what every step leaves of the running mean of the weights, which is judged and kept in place of the
            last weights (Izmailov et al. 2018; exponential, as in Tarvainen and Valpola 2017). At first less, so that
            the start is soon forgotten: (1 + n) / (10 + n) after n steps, until that is more. 0 for no mean.
        threads: CPU threads of torch; None leaves them as they are.
        device: where it runs; "auto" leaves the model where it is.
    """

    epochs: int = 4
    batch: int = 32
    lr: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2
    weighting: Weighting = "root"
    logit_adjustment: float = 0.0
    layer_decay: float = 1.0
    freeze_words: bool = False
    dropout: float | None = None
    word_dropout: float = 0.0
    context_dropout: float = 0.0
    average: float = 0.0
    seed: int = 1
    threads: int | None = None
    device: Device = field(default="auto", repr=False)  # no part of what tells one training from another

    def balance(self, targets: Targets) -> Balance:
        """What makes up for the rareness of codes in `targets`."""
        return Balance.of(targets, self.weighting, self.logit_adjustment)


@dataclass(frozen=True, slots=True)
class FitData:
    """The messages of one part as the encoder reads them, and their truth.

    Attributes:
        taught: what is learned in place of `targets`, such as their mean with what teachers say; None for `targets`.
    """

    tokens: Sequence[Tokens]
    targets: Targets
    taught: Targets | None = None

    @property
    def learned(self) -> Targets:
        return self.targets if self.taught is None else self.taught


def set_seeds(seed: int) -> None:
    """Seed random, numpy and torch, which together decide initial weights, dropout and order."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def fit(
    model: Coder,
    train: FitData,
    dev: FitData,
    options: FitOptions,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[Epoch]:
    """Fine-tune `model` in place and leave it with the weights of its best epoch.

    The best epoch has the highest macro-F1 on dev over the codes, depth and permission that dev can judge, given where
    the loss takes them for more likely than not, or the lowest dev loss where it can judge none. Ctrl-C ends the
    training with the best epoch so far, once there is one.

    Args:
        checkpoint: where the state after every epoch is kept, and from which a training that was broken off goes on.

    Raises:
        UsageProblem: torch does not see the device that is asked for.
        TrainingFailed: the loss is no longer a finite number, or training diverges: after an epoch it is half as high
            again as that of always naming the base rates.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device != "auto":
        model.to(find_device(options.device))
    fitting = _Fitting(model, train, dev, options, progress or Progress())
    if checkpoint:
        fitting.go_on(checkpoint)
    while not fitting.over:
        try:
            fitting.epoch()
            if checkpoint:
                checkpoint.save(fitting.snapshot())
        except KeyboardInterrupt:
            if not fitting.epochs:
                raise
            break
    model.load_state_dict(fitting.best)
    model.eval()
    return fitting.epochs


@dataclass(slots=True)
class _Fitting:
    """One training under way.

    Attributes:
        judged: what is judged on dev and kept: `model`, or the running mean of its weights.
        best: the weights of the best epoch so far, and its `score`.
    """

    model: Coder
    train: FitData
    dev: FitData
    options: FitOptions
    progress: Progress
    epochs: list[Epoch] = field(default_factory=list)
    score: float = -np.inf
    judged: Coder = field(init=False)
    best: dict[str, Tensor] = field(init=False)
    _mean: AveragedModel | None = field(init=False, default=None)
    _base_loss: float = field(init=False)
    _weights: Tensor = field(init=False)
    _shift: Tensor = field(init=False)
    _optimizer: AdamW = field(init=False)
    _random: np.random.Generator = field(init=False)
    _identity: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        model, options = self.model, self.options
        self._identity = identity(model, self.train, self.dev, options)
        balance = options.balance(self.train.targets)
        self._weights, self._shift = _tensor(balance.weights, model), _tensor(balance.shift, model)
        constant = _tensor(base_logits(self.train.targets, balance), model)
        self._base_loss = self._loss(constant.expand(len(self.train.tokens), -1), self.train.learned).item()
        if not model.finished:
            model.start_from(constant)
        model.reader.encoder.get_input_embeddings().requires_grad_(not options.freeze_words)
        if options.dropout is not None:
            _set_dropout(model, options.dropout)
        self.judged = model
        if options.average:
            self._mean = AveragedModel(model, avg_fn=_running(options.average))
            self.judged = self._mean.module
        self._optimizer = _optimizer(model, options)
        self._random = np.random.default_rng(options.seed)
        self.best = weights_of(model)

    @property
    def over(self) -> bool:
        done = len(self.epochs)
        patient = not done or done - next(one.number for one in self.epochs if one.best) < self.options.patience
        return done >= self.options.epochs or not patient

    def epoch(self) -> None:
        """One pass over the training part, and a look at dev."""
        started = time.perf_counter()
        train_loss = self._learn(len(self.epochs) + 1)
        dev_loss, dev_f1 = self._judge()
        if not np.isfinite(dev_loss):
            raise self._failed(f"The dev loss after epoch {len(self.epochs) + 1} is not a finite number.")
        score = -dev_loss if np.isnan(dev_f1) else dev_f1
        seconds, best = time.perf_counter() - started, score > self.score
        epoch = Epoch(len(self.epochs) + 1, train_loss, dev_loss, dev_f1, seconds, best)
        if best:
            before = [replace(one, best=False) for one in self.epochs]
            self.score, self.best, self.epochs = score, weights_of(self.judged), [*before, epoch]
        else:
            self.epochs.append(epoch)
        self.progress.epoch(epoch)

    def snapshot(self) -> Snapshot:
        """All that a further epoch depends on."""
        return Snapshot(
            epochs=tuple(self.epochs),
            score=self.score,
            order=dict(self._random.bit_generator.state),
            random=torch.get_rng_state(),
            weights=self.model.state_dict(),
            mean=self.judged.state_dict() if self._mean else {},
            best=self.best,
            optimizer=self._optimizer.state_dict()["state"],
            identity=self._identity,
        )

    def go_on(self, checkpoint: Checkpoint) -> None:
        """Resume from what was kept of the same training, and say so, or why not."""
        try:
            kept = checkpoint.load(self._identity)
        except NotContinued as reason:
            self.progress.note(f"not resumed: {reason}. The kept state is replaced after the first epoch.")
            return
        if kept:
            self._restore(kept)
            self.progress.note(f"resumed after epoch {len(self.epochs)}")

    def _restore(self, kept: Snapshot) -> None:
        self.epochs, self.score, self.best = list(kept.epochs), kept.score, dict(kept.best)
        self._random.bit_generator.state = dict(kept.order)
        torch.set_rng_state(kept.random)
        self.model.load_state_dict(dict(kept.weights))
        if self._mean:
            self.judged.load_state_dict(dict(kept.mean))
            batches = -(-len(self.train.tokens) // self.options.batch)
            self._mean.n_averaged.fill_(len(self.epochs) * batches)
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": dict(kept.optimizer)})

    def _learn(self, number: int) -> float:
        """The mean loss of the messages."""
        self.model.train()
        total = 0.0
        batches = shuffled_batches(self.train.tokens, self.options.batch, self._random)
        for done, rows in enumerate(batches, start=1):
            loss = self._loss(self._forward(rows), self.train.learned.take(rows))
            if not torch.isfinite(loss):
                raise self._failed(f"The loss of epoch {number}, batch {done} is not a finite number.")
            self._step(loss, (number - 1) * len(batches) + done - 1, self.options.epochs * len(batches))
            total += loss.item() * len(rows)
            self.progress.step(number, done, len(batches))
        mean = total / len(self.train.tokens)
        if mean > _DIVERGED * self._base_loss:
            raise self._failed(
                f"Training diverges: the loss of epoch {number} is {mean:.3g}, and always predicting the base rates "
                f"has {self._base_loss:.3g}."
            )
        return mean

    def _failed(self, reason: str) -> TrainingFailed:
        rate = learning_rate(self.model, self.options)
        return TrainingFailed(f"{reason} Train again with a lower --lr (it was {rate:g}).")

    def _forward(self, rows: Indices) -> Tensor:
        device, windows = self.model.device, [self.train.tokens[row] for row in rows]
        if self.options.context_dropout:
            windows = [drop_context(one, self.options.context_dropout, self._random) for one in windows]
        if self.options.word_dropout:
            windows = [drop_words(one, self.options.word_dropout, self._random) for one in windows]
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16_is_native(device)):
            return _forward(self.model, windows).float()

    def _step(self, loss: Tensor, step: int, steps: int) -> None:
        rate = learning_rate(self.model, self.options) * _rate(step, steps, self.options.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
        self._optimizer.step()
        if self._mean:
            self._mean.update_parameters(self.model)

    def _loss(self, scores: Tensor, targets: Targets) -> Tensor:
        return masked_loss(scores + self._shift, BatchTargets.of(targets, self.model.device), self._weights)

    def _judge(self) -> tuple[float, float]:
        """Mean loss and macro-F1 on dev."""
        scores = _tensor(logits(self.judged, self.dev.tokens), self.model)
        loss = self._loss(scores, self.dev.targets)
        given = (scores + self._shift > 0).cpu().numpy()
        counts = Confusion.of_messages(self.dev.targets.known, given).total()
        return loss.item(), float(macro(counts.f1, self.dev.targets.trainable & self.train.targets.trainable))


def logits(model: Coder, tokens: Sequence[Tokens]) -> Floats:
    """[messages, heads] logits of the model as it stands, dropout off."""
    model.eval()
    result = np.empty((len(tokens), model.output.out_features))
    with torch.inference_mode():
        for rows in sorted_batches(tokens, EVALUATION_BATCH):
            result[rows] = _forward(model, [tokens[row] for row in rows]).cpu().numpy()
    return result


def _running(share: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A running mean of which a step keeps `share`, and less in the first steps."""

    def averaged(mean: Tensor, new: Tensor, steps: Tensor) -> Tensor:
        done = int(steps)
        return mean.lerp(new, 1 - min(share, (1 + done) / (10 + done)))

    return averaged


def learning_rate(model: Coder, options: FitOptions) -> float:
    """The peak learning rate: the one asked for, or the default for the size of the encoder."""
    if options.lr is not None:
        return options.lr
    return 1e-4 if model.reader.encoder.config.hidden_size <= SMALL_HIDDEN_SIZE else 3e-5


def _forward(model: Coder, tokens: Sequence[Tokens]) -> Tensor:
    return model(*pad(tokens, model.pad_id, model.device))


def _set_dropout(model: Coder, share: float) -> None:
    for module in model.reader.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def _optimizer(model: Coder, options: FitOptions) -> AdamW:
    layers = model.reader.encoder.config.num_hidden_layers
    groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    if options.layer_decay < 1 and not any(_LAYER.search(name) for name, _ in model.named_parameters()):
        raise UsageProblem("The layers of this encoder cannot be distinguished; leave out --layer-decay.")
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            scale = options.layer_decay ** _layers_above(name, layers)
            groups.setdefault((scale, weight.ndim >= 2), []).append(weight)
    return AdamW(
        [
            {"params": weights, "scale": scale, "weight_decay": options.weight_decay if matrices else 0.0}
            for (scale, matrices), weights in groups.items()
        ],
        lr=learning_rate(model, options),
    )


def _layers_above(name: str, layers: int) -> int:
    """How many layers of the encoder lie above a weight: all above the word vectors, none above the output."""
    if match := _LAYER.search(name):
        return layers - 1 - int(match[1])
    if ".encoder.encoder." in name:  # what all layers share, such as the distances of MPNet and DeBERTa
        return layers - 1
    return layers if ".embeddings." in name else 0


def _rate(step: int, steps: int, warmup: float) -> float:
    rising = max(1, round(steps * warmup))
    return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))


def _tensor(array: Floats, model: Coder) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32, device=model.device)


def weights_of(model: Coder) -> dict[str, Tensor]:
    """A copy of the weights by name, as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
