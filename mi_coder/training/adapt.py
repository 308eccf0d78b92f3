"""Further pre-training: an encoder learns to predict hidden tokens of chats without codes (Gururangan et al. 2020).

The result is an encoder that `mi-code train --base` starts from.
"""

import math
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers.utils import logging

from mi_coder.arrays import Indices
from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.leak import training_hashes
from mi_coder.tagger.config import TOKENIZER_FILE
from mi_coder.tagger.window import Tokens
from mi_coder.training.adapted import Adapted, read_adapted, write_adapted
from mi_coder.training.base import LOCAL, NoBase, base_name, resolve_base
from mi_coder.training.batches import EVALUATION_BATCH, shuffled_batches, sorted_batches
from mi_coder.training.device import best_device, bf16_is_native
from mi_coder.training.fit import MAX_GRADIENT, SMALL_HIDDEN_SIZE, TrainingFailed, set_seeds
from mi_coder.training.folder import new_folder, refuse_existing
from mi_coder.training.license import LICENSE_FILE
from mi_coder.training.masking import Masked, Vocabulary, hide
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.readable import check_readable, longest_text

HELD_OUT_SHARE = 0.05

_LEAST_TOKENS = 16
_MASKED = 0.15
_WEIGHT_DECAY = 0.01
_MEMORY = 0.9
_RISE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptOptions:
    """How the encoder is trained further. What comes first ends it: `epochs`, `max_steps` or `minutes`.

    Attributes:
        max_tokens: longest window, in tokens, special ones included.
        batch: windows per step.
        lr: peak learning rate; None takes 2e-4 for encoders of at most 384 hidden units and 5e-5 for larger ones.
        warmup: share of the training over which the learning rate rises; it then falls linearly to 0.
        dropout: keep the dropout of the encoder, which is slow on a CPU; without it there is none.
        minutes: most time for the steps. The learning rate falls in time; with the same seed, another machine may
            come to another encoder.
        threads: CPU threads of torch; None leaves them as they are.
    """

    epochs: int = 3
    max_steps: int | None = None
    minutes: float | None = None
    max_tokens: int = 128
    batch: int = 32
    lr: float | None = None
    warmup: float = 0.06
    dropout: bool = False
    seed: int = 1
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """What came out.

    Attributes:
        folder: the encoder.
        conversations, windows, tokens: what it learned from.
        held_out: conversations that it did not learn from.
        steps, epochs: how far it came; the losses are per hidden token, in nats.
        before, after: perplexity of the hidden tokens of the held-out conversations.
        new_head: the base came without the layer that predicts tokens, which started anew; `before` is then that of a
            layer that knows how frequent the tokens are and no more.
    """

    folder: Path
    conversations: int
    windows: int
    tokens: int
    held_out: int
    steps: int
    epochs: tuple[Epoch, ...]
    before: float
    after: float
    new_head: bool


def adapt(
    base: str,
    conversations: Iterable[Conversation],
    output: Path,
    options: AdaptOptions | None = None,
    progress: Progress | None = None,
) -> AdaptReport:
    """Train an encoder further on conversations and write it to the folder `output`.

    Codes that the conversations carry are not read. Leave out the chats on which a model is to be tested. A twentieth
    of the conversations, chosen by a hash of their ids and at least one, is held out to measure perplexity. The folder
    holds `config.json`, `model.safetensors`, `tokenizer.json` and `adapted.json`, which says what it has read, and the
    `LICENSE` of the base, where that has one; it is written whole or not at all.

    Args:
        base: as `mi_coder.training.base.resolve_base` takes it.

    Raises:
        MissingExtra: as `resolve_base`.
        UsageProblem: the output exists, fewer than two conversations have text, or `max_tokens` is out of range.
        NoBase: as `resolve_base` and `check_readable`, or the folder holds no encoder that can predict hidden tokens.
        TrainingFailed: the loss is no longer a finite number, or rises for good.
    """
    options, progress = options or AdaptOptions(), progress or Progress()
    refuse_existing(output)
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seeds(options.seed)
    source = resolve_base(base)
    words = Vocabulary.from_file(source / TOKENIZER_FILE)
    model, new_head = _load(source)
    _check_length(options.max_tokens, model)
    progress.stage("reading")
    known = set(before.training_ids) if (before := read_adapted(source)) else set()
    learned, held_out = _split(_noted(conversations, known), words, options.max_tokens)
    windows = [window for one in learned for window in one]
    if new_head:
        _start_from_frequencies(model, windows)
    adapter = _Adapter(model.to(best_device()), words, options, [window for one in held_out for window in one])
    progress.stage("held-out perplexity")
    loss_before = adapter.held_out_loss()
    progress.stage("training")
    epochs = adapter.learn(windows, progress)
    progress.stage("writing")
    with new_folder(output) as folder, _quiet():
        model.base_model.save_pretrained(folder)
        shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)
        if (source / LICENSE_FILE).is_file():
            shutil.copyfile(source / LICENSE_FILE, folder / LICENSE_FILE)
        for weights in folder.glob("*.safetensors"):  # written for their owner alone
            shutil.copymode(folder / TOKENIZER_FILE, weights)
        write_adapted(Adapted(base_name(base), sorted(known)), folder)
    return AdaptReport(
        folder=output,
        conversations=len(learned),
        windows=len(windows),
        tokens=sum(len(window.ids) for window in windows),
        held_out=len(held_out),
        steps=adapter.steps,
        epochs=tuple(epochs),
        before=_perplexity(loss_before),
        after=_perplexity(epochs[-1].dev_loss),
        new_head=new_head,
    )


def predict(model: PreTrainedModel, batch: Masked) -> Tensor:
    """Logits [hidden tokens, vocabulary] of the hidden tokens of a batch.

    The layers that predict tokens see the states of these positions only: they are the largest of a small encoder.
    """

    def gather(module: nn.Module, inputs: object, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[batch.hidden][None]
        return output

    hook = model.base_model.register_forward_hook(gather)
    try:
        return model(input_ids=batch.ids, attention_mask=batch.mask).logits[0]
    finally:
        hook.remove()


@dataclass(slots=True)
class _Pace:
    """How far a training is, by steps and by time.

    Attributes:
        steps: most steps.
        seconds: most time.
        done: steps so far.
    """

    steps: int
    seconds: float
    started: float = field(default_factory=time.perf_counter)
    done: int = 0

    @property
    def over(self) -> bool:
        return self.done >= self.steps or (self.done > 0 and self._time >= 1)

    def rate(self, warmup: float) -> float:
        """Share of the peak learning rate for the next step: up to 1, and down to 0 at the end."""
        share = min(1.0, max((self.done + 0.5) / self.steps, self._time))
        return share / warmup if share < warmup else (1 - share) / (1 - warmup)

    @property
    def _time(self) -> float:
        return (time.perf_counter() - self.started) / self.seconds


class _Adapter:
    """Trains one encoder with its layers that predict tokens.

    Attributes:
        steps: steps so far.
    """

    def __init__(
        self, model: PreTrainedModel, words: Vocabulary, options: AdaptOptions, held_out: Sequence[Tokens]
    ) -> None:
        self._model = model
        self._words = words
        self._options = options
        self._held_out = held_out
        self._half = bf16_is_native(model.device)
        self._lr = options.lr or (2e-4 if model.config.hidden_size <= SMALL_HIDDEN_SIZE else 5e-5)
        self._optimizer = _optimizer(model)
        self._random = torch.Generator().manual_seed(options.seed)
        self._order = np.random.default_rng(options.seed)
        self._mean = self._lowest = math.inf
        self.steps = 0

    def held_out_loss(self) -> float:
        """Mean loss per hidden token of the held-out conversations; the same tokens are hidden at every call."""
        self._model.eval()
        random = torch.Generator().manual_seed(self._options.seed)
        total = count = 0.0
        with torch.inference_mode():
            for rows in sorted_batches(self._held_out, EVALUATION_BATCH):
                loss, hidden = self._loss(self._held_out, rows, random)
                total += loss.item() * hidden
                count += hidden
        return total / count

    def learn(self, windows: Sequence[Tokens], progress: Progress) -> list[Epoch]:
        """Train to the end.

        Raises:
            TrainingFailed: the loss is no longer a finite number, or rises for good.
        """
        options = self._options
        steps = options.epochs * -(-len(windows) // options.batch)
        pace = _Pace(min(steps, options.max_steps or steps), 60 * (options.minutes or math.inf))
        epochs: list[Epoch] = []
        while not pace.over:
            started, number = time.perf_counter(), len(epochs) + 1
            train_loss = self._epoch(windows, pace, number, progress)
            held_out_loss = self.held_out_loss()
            self._check(held_out_loss, f"The held-out loss after epoch {number}")
            epochs.append(Epoch(number, train_loss, held_out_loss, math.nan, time.perf_counter() - started))
            progress.epoch(epochs[-1])
        self.steps = pace.done
        return epochs

    def _epoch(self, windows: Sequence[Tokens], pace: _Pace, number: int, progress: Progress) -> float:
        """One pass over the windows, or what time and steps leave of it; the mean loss per hidden token."""
        self._model.train(self._options.dropout)
        total = count = 0.0
        batches = shuffled_batches(windows, self._options.batch, self._order)
        for done, rows in enumerate(batches, start=1):
            loss, hidden = self._loss(windows, rows, self._random)
            self._watch(loss.item(), f"The loss of epoch {number}, batch {done}")
            self._step(loss, self._lr * pace.rate(self._options.warmup))
            pace.done += 1
            total += loss.item() * hidden
            count += hidden
            progress.step(number, done, len(batches))
            if pace.over:
                break
        return total / count

    def _loss(self, windows: Sequence[Tokens], rows: Indices, random: torch.Generator) -> tuple[Tensor, int]:
        """The mean loss of the hidden tokens of a batch, and how many they are."""
        device = self._model.device
        pad_id = self._model.config.pad_token_id or 0
        batch = hide([windows[row] for row in rows], self._words, pad_id, _MASKED, random).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._half):
            logits = predict(self._model, batch)
        return nn.functional.cross_entropy(logits.float(), batch.truth), len(batch.truth)

    def _step(self, loss: Tensor, lr: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), MAX_GRADIENT)
        self._optimizer.step()

    def _watch(self, loss: float, name: str) -> None:
        self._check(loss, name)
        self._mean = loss if math.isinf(self._mean) else _MEMORY * self._mean + (1 - _MEMORY) * loss
        self._lowest = min(self._lowest, self._mean)
        if self._mean > self._lowest + _RISE:
            raise TrainingFailed(
                f"{name} shows that training diverges: the running mean has risen from {self._lowest:.2f} to "
                f"{self._mean:.2f}. {self._remedy}"
            )

    def _check(self, loss: float, name: str) -> None:
        if not math.isfinite(loss):
            raise TrainingFailed(f"{name} is not a finite number. {self._remedy}")

    @property
    def _remedy(self) -> str:
        return f"Train again with a lower learning rate (--lr; it was {self._lr:g}). Nothing was written."


def _load(base: Path) -> tuple[PreTrainedModel, bool]:
    """The encoder with its layers that predict tokens, and whether those start anew."""
    try:
        with _quiet():
            model, found = AutoModelForMaskedLM.from_pretrained(
                base, **LOCAL, use_safetensors=True, output_loading_info=True
            )
    except (ImportError, OSError, ValueError) as error:
        raise NoBase(
            f"The encoder in {base} cannot be loaded to predict hidden tokens: {type(error).__name__}. Name an encoder "
            "of a type that transformers knows for masked-language modeling, such as BERT or RoBERTa."
        ) from error
    missing = sorted(found["missing_keys"])
    lost = [name for name in missing if name.startswith(f"{model.base_model_prefix}.")]
    if lost or model.base_model is model:
        raise NoBase(
            f"The weights in {base} are not those of its config.json ({len(lost)} are missing). Save it again."
        )
    model = model.float()
    check_readable(model.base_model, base)
    return model, bool(missing)


def _check_length(max_tokens: int, model: PreTrainedModel) -> None:
    most = longest_text(model.base_model)
    if not _LEAST_TOKENS <= max_tokens <= most:
        raise UsageProblem(f"--max-tokens is {max_tokens}; for this encoder it can be from {_LEAST_TOKENS} to {most}.")


def _noted(conversations: Iterable[Conversation], known: set[str]) -> Iterator[Conversation]:
    """The conversations; what is kept of them goes into `known`."""
    for conversation in conversations:
        known.update(training_hashes(conversation))
        yield conversation


def _split(
    conversations: Iterable[Conversation], words: Vocabulary, max_tokens: int
) -> tuple[list[list[Tokens]], list[list[Tokens]]]:
    """The windows of the conversations to learn from and of the held-out ones, by conversation."""
    found: list[tuple[str, list[Tokens]]] = []
    for conversation in conversations:
        if windows := words.windows(conversation, max_tokens):
            found.append((conversation.id, windows))
    if len(found) < 2:
        raise UsageProblem(
            f"{len(found)} conversations have text; at least 2 are needed: one to learn from and one held out."
        )
    ranked = [windows for _, windows in sorted(found, key=lambda one: sha256(one[0].encode()).digest())]
    held_out = max(1, round(len(ranked) * HELD_OUT_SHARE))
    return ranked[held_out:], ranked[:held_out]


def _start_from_frequencies(model: PreTrainedModel, windows: Sequence[Tokens]) -> None:
    """Let a new layer that predicts tokens know how frequent they are, so that it need not learn this first."""
    bias = model.get_output_embeddings().bias
    if bias is None:
        return
    counts = torch.zeros(len(bias), dtype=torch.float64)
    for window in windows:
        ids = torch.tensor(window.ids)
        counts.index_add_(0, ids, torch.ones(len(ids), dtype=torch.float64))
    with torch.no_grad():
        bias.copy_(((counts + 1) / (counts + 1).sum()).log())


def _optimizer(model: PreTrainedModel) -> AdamW:
    weights = list(model.parameters())
    matrices = [weight for weight in weights if weight.ndim >= 2]
    vectors = [weight for weight in weights if weight.ndim < 2]
    return AdamW([{"params": matrices, "weight_decay": _WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}])


def _perplexity(loss: float) -> float:
    return torch.tensor(loss, dtype=torch.float64).exp().item()


@contextmanager
def _quiet() -> Iterator[None]:
    """Transformers reports neither weights that start anew nor how far it has come with a file."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
