"""Fine-tuning: epochs over the training part, watched on the dev part, the best one kept."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from mi_coder.errors import MiCoderError
from mi_coder.evaluation.metrics import Confusion, Floats, macro
from mi_coder.tagger.window import Tokens
from mi_coder.training.batches import pad, shuffled_batches, sorted_batches
from mi_coder.training.loss import BatchTargets, base_logits, masked_loss, positive_weights
from mi_coder.training.model import Coder
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.targets import Targets

_SMALL_HIDDEN_SIZE = 384
_EVALUATION_BATCH = 64


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
        freeze_words: leave the word vectors of the encoder as they are; quicker, and words that the training part lacks
            keep their place among the others.
        dropout: share of the encoder's units that are hidden in every step; None leaves it as the encoder has it. 0 is
            nearly twice as quick on a CPU.
        threads: CPU threads of torch; None leaves them as they are.
    """

    epochs: int = 4
    batch: int = 32
    lr: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_gradient: float = 1.0
    patience: int = 2
    freeze_words: bool = False
    dropout: float | None = None
    seed: int = 1
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class FitData:
    """The messages of one part as the encoder reads them, and their truth."""

    tokens: Sequence[Tokens]
    targets: Targets


def set_seeds(seed: int) -> None:
    """Seed random, numpy and torch, which together decide initial weights, dropout and order."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def best_device() -> torch.device:
    """A GPU where torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    model: Coder, train: FitData, dev: FitData, options: FitOptions, progress: Progress | None = None
) -> list[Epoch]:
    """Fine-tune `model` in place and leave it with the weights of its best epoch.

    The best epoch has the highest macro-F1 on dev at probability 0.5 over the codes that dev can judge, or the lowest
    dev loss where it can judge none. Ctrl-C ends the training with the best epoch so far, once there is one.

    Raises:
        TrainingFailed: the loss is no longer a finite number.
    """
    progress = progress or Progress()
    if options.threads:
        torch.set_num_threads(options.threads)
    order = np.random.default_rng(options.seed)
    weights = positive_weights(train.targets)
    model.start_from(_tensor(base_logits(train.targets, weights), model))
    weight = _tensor(weights, model)
    steps = options.epochs * -(-len(train.tokens) // options.batch)
    model.reader.encoder.get_input_embeddings().requires_grad_(not options.freeze_words)
    if options.dropout is not None:
        _set_dropout(model, options.dropout)
    optimizer = _optimizer(model, options)
    schedule = LambdaLR(optimizer, lambda step: _rate(step, steps, options.warmup))
    epochs: list[Epoch] = []
    best_score, best_state = -np.inf, _copy(model)
    for number in range(1, options.epochs + 1):
        started = time.perf_counter()
        try:
            train_loss = _epoch(model, train, weight, options, (optimizer, schedule), order, number, progress)
        except KeyboardInterrupt:
            if not epochs:
                raise
            break
        dev_loss, dev_f1 = _judge(model, dev, weight, train.targets)
        score = -dev_loss if np.isnan(dev_f1) else dev_f1
        epoch = Epoch(number, train_loss, dev_loss, dev_f1, time.perf_counter() - started)
        if score > best_score:
            best_score, best_state = score, _copy(model)
            epochs = [replace(one, best=False) for one in epochs]
            epoch = replace(epoch, best=True)
        epochs.append(epoch)
        progress.epoch(epoch)
        if number - next(one.number for one in epochs if one.best) >= options.patience:
            break
    model.load_state_dict(best_state)
    model.eval()
    return epochs


def _epoch(
    model: Coder,
    train: FitData,
    weight: Tensor,
    options: FitOptions,
    stepper: tuple[AdamW, LambdaLR],
    order: np.random.Generator,
    number: int,
    progress: Progress,
) -> float:
    """One pass over the training part; the mean loss of its messages."""
    optimizer, schedule = stepper
    model.train()
    total = 0.0
    batches = shuffled_batches(train.tokens, options.batch, order)
    for done, rows in enumerate(batches, start=1):
        loss = _loss(model, train, rows, weight)
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"The loss of epoch {number}, batch {done} is not a finite number. Train again with a lower --lr "
                f"(it was {learning_rate(model, options):g})."
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.max_gradient)
        optimizer.step()
        schedule.step()
        total += loss.item() * len(rows)
        progress.step(number, done, len(batches))
    return total / len(train.tokens)


def logits(model: Coder, tokens: Sequence[Tokens]) -> Floats:
    """[messages, heads] logits of the model as it stands, dropout off."""
    model.eval()
    result = np.empty((len(tokens), model.output.out_features))
    with torch.inference_mode():
        for rows in sorted_batches(tokens, _EVALUATION_BATCH):
            result[rows] = _forward(model, [tokens[row] for row in rows]).cpu().numpy()
    return result


def learning_rate(model: Coder, options: FitOptions) -> float:
    """The peak learning rate: the one asked for, or the default for the size of the encoder."""
    if options.lr is not None:
        return options.lr
    return 1e-4 if model.reader.encoder.config.hidden_size <= _SMALL_HIDDEN_SIZE else 3e-5


def _forward(model: Coder, tokens: Sequence[Tokens]) -> Tensor:
    return model(*pad(tokens, model.pad_id, model.device))


def _loss(model: Coder, part: FitData, rows: np.ndarray, weight: Tensor) -> Tensor:
    batch_targets = BatchTargets.of(part.targets.take(rows), model.device)
    return masked_loss(_forward(model, [part.tokens[row] for row in rows]), batch_targets, weight)


def _judge(model: Coder, dev: FitData, weight: Tensor, trained_on: Targets) -> tuple[float, float]:
    scores = logits(model, dev.tokens)
    loss = masked_loss(_tensor(scores, model), BatchTargets.of(dev.targets, model.device), weight)
    counts = Confusion.of_messages(dev.targets.known, scores > 0).total()
    return loss.item(), float(macro(counts.f1, dev.targets.trainable & trained_on.trainable))


def _set_dropout(model: Coder, share: float) -> None:
    for module in model.reader.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def _optimizer(model: Coder, options: FitOptions) -> AdamW:
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    matrices = [weight for weight in learned if weight.ndim >= 2]
    vectors = [weight for weight in learned if weight.ndim < 2]
    return AdamW(
        [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=learning_rate(model, options),
    )


def _rate(step: int, steps: int, warmup: float) -> float:
    rising = max(1, round(steps * warmup))
    return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))


def _tensor(array: Floats, model: Coder) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32, device=model.device)


def _copy(model: Coder) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
