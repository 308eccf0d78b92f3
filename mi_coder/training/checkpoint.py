"""The state of a training after an epoch, kept in a folder, so that a training that was broken off can go on.

The folder holds the tensors of the last epoch and `state.json`, which names their file and is written last, so a kill
between the two writes leaves the older state whole.
"""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mi_coder.errors import MiCoderError
from mi_coder.formats.atomic import atomic_file
from mi_coder.training.identity import difference
from mi_coder.training.progress import Epoch

STATE_FILE = "state.json"


class NotContinued(Exception):
    """A state that was kept but cannot be gone on from; its text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that the further epochs of a training depend on.

    Attributes:
        epochs: those that are done, and the `score` of the best one.
        order: state of the generator that orders the messages.
        random: state of torch's generator.
        weights: of the model, their running `mean` (empty where none is kept) and those of the `best` epoch, by name.
        optimizer: what the optimizer keeps of each weight, by the number of the weight.
        identity: what tells the training from others, by name (see `mi_coder.training.identity`).
    """

    epochs: tuple[Epoch, ...]
    score: float
    order: Mapping[str, Any]
    random: Tensor
    weights: Mapping[str, Tensor]
    mean: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimizer: Mapping[int, Mapping[str, Tensor]]
    identity: Mapping[str, str]


class _State(msgspec.Struct, frozen=True):
    tensors: str
    epochs: list[dict[str, Any]]
    score: float
    order: str  # JSON of its own: the numbers of the generator have 128 bits
    identity: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Keeps the last snapshot of one training.

    Attributes:
        folder: made when the first snapshot is kept.
    """

    folder: Path

    def load(self, identity: Mapping[str, str]) -> Snapshot | None:
        """The snapshot that was kept; None where there is none.

        Args:
            identity: that of the training that would go on. A snapshot of any other is not used.

        Raises:
            NotContinued: the snapshot is of another training, or damaged.
        """
        try:
            state = msgspec.json.decode((self.folder / STATE_FILE).read_bytes(), type=_State)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotContinued(f"{STATE_FILE} is damaged") from error
        if differs := difference(state.identity, identity):
            raise NotContinued(differs)
        try:
            tensors = load_file(self.folder / state.tensors)
            epochs = tuple(Epoch(**{**one, "dev_f1": _number(one["dev_f1"])}) for one in state.epochs)
            random, order = tensors["random"], json.loads(state.order)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise NotContinued(f"the weights in {state.tensors} are missing or damaged") from error
        optimizer: dict[int, dict[str, Tensor]] = {}
        for name, value in _named("optimizer", tensors).items():
            number, _, field = name.partition(".")
            optimizer.setdefault(int(number), {})[field] = value
        return Snapshot(
            epochs=epochs,
            score=state.score,
            order=order,
            random=random,
            weights=_named("weights", tensors),
            mean=_named("mean", tensors),
            best=_named("best", tensors),
            optimizer=optimizer,
            identity=state.identity,
        )

    def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot in place of the one before.

        Raises:
            MiCoderError: it cannot be written; the one before stays.
        """
        tensors = {
            "random": snapshot.random,
            **{f"weights.{name}": value for name, value in snapshot.weights.items()},
            **{f"mean.{name}": value for name, value in snapshot.mean.items()},
            **{f"best.{name}": value for name, value in snapshot.best.items()},
            **{
                f"optimizer.{number}.{field}": value
                for number, fields in snapshot.optimizer.items()
                for field, value in fields.items()
            },
        }
        identity = dict(snapshot.identity)
        run = sha256(msgspec.json.encode(identity)).hexdigest()
        name = f"epoch-{len(snapshot.epochs)}-{run[:12]}.safetensors"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(
                {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}, self.folder / name
            )
        except (OSError, SafetensorError) as error:
            raise MiCoderError(
                f"{self.folder}: the state of the training cannot be written: {error}. That of the epoch before stays. "
                "Make room, or make the folder writable, and give the same command again."
            ) from error
        epochs = [asdict(one) for one in snapshot.epochs]
        state = _State(name, epochs, snapshot.score, json.dumps(snapshot.order), identity)
        with atomic_file(self.folder / STATE_FILE) as file:
            file.write(msgspec.json.encode(state))
        for other in self.folder.glob("epoch-*.safetensors"):
            if other.name != name:
                other.unlink()

    def remove(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _number(value: float | None) -> float:
    """A figure from JSON, where an undefined one is null."""
    return math.nan if value is None else value


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
