"""What `--base` names: an encoder, or a finished model that training goes on from.

The weights of a finished model come back out of `model.onnx` as they run, rounded to 8 bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mi_coder.errors import need
from mi_coder.tagger.config import MODEL_FILE, BadModel
from mi_coder.tagger.model import ModelFolder, open_model
from mi_coder.tagger.record import read_record
from mi_coder.training.adapted import ADAPTED, read_adapted
from mi_coder.training.base import NoBase, base_name, resolve_base
from mi_coder.training.encoder import Funnel
from mi_coder.training.model import Coder
from mi_coder.training.quantize import INTEGERS, SCALE

BUNDLED = "bundled"
_LICENSE = "LICENSE"
_MODULE = "model."


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished model that a training goes on from.

    Attributes:
        funnel: which positions its layers compute; None for all in every layer.
    """

    folder: ModelFolder
    funnel: Funnel | None

    @property
    def name(self) -> str:
        """Name, version and the start of the hash of its weights."""
        config = self.folder.config
        return f"{config.name} {config.version} ({config.files[MODEL_FILE][:8]})"

    @property
    def license(self) -> str:
        """The text of its license; empty where its folder has none."""
        path = self.folder.path / _LICENSE
        return path.read_text(encoding="utf-8") if path.is_file() else ""


@dataclass(frozen=True, slots=True)
class Start:
    """What a training starts from.

    Attributes:
        base: the encoder as the new model names it, which is no path of this machine.
        encoder: the folder with its configuration and weights.
        training_ids: what is kept of the conversations that encoder or model were trained on.
        finished: the model, where it is one.
    """

    base: str
    encoder: Path
    training_ids: frozenset[str]
    finished: Finished | None = None

    @classmethod
    def of(cls, base: str) -> "Start":
        """What `base` names: "bundled" or the folder of a model, else as `resolve_base`.

        Raises:
            BadModel: the model is not sound, or older than the record of its layers.
            NoBase, MissingExtra: the encoder is not here, nor that from which the model was made.
        """
        finished = _finished(base)
        if finished:
            config = finished.folder.config
            return cls(config.base, _encoder_of(finished), frozenset(config.training_ids), finished)
        encoder = resolve_base(base)
        adapted = read_adapted(encoder)
        return cls(base_name(base), encoder, frozenset(adapted.training_ids if adapted else ()))

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"The model {self.finished.name}" if self.finished else f"The encoder {self.base}"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files on which the weights depend."""
        read = sorted(path for path in self.encoder.iterdir() if path.suffix in (".json", ".safetensors"))
        return (*read, self.finished.folder.path / MODEL_FILE) if self.finished else tuple(read)

    def coder(self, heads: int, funnel: Funnel | None) -> Coder:
        """The model to train.

        Raises:
            BadModel: the weights of the finished model are not those of its encoder.
            NoBase, UsageProblem: as `Coder.from_folder`.
        """
        model = Coder.from_folder(self.encoder, heads, funnel)
        if self.finished:
            path = self.finished.folder.path / MODEL_FILE
            try:
                model.restore(dict(_weights(path)))
            except ValueError as error:
                raise BadModel(
                    f"{path} has other weights than the encoder {self.base}, from which it was made: {error}. "
                    "Give the encoder itself to --base."
                ) from error
        return model


def names_model(base: str) -> bool:
    """Whether `--base` names a finished model."""
    return base == BUNDLED or (Path(base) / MODEL_FILE).is_file()


def _finished(base: str) -> Finished | None:
    if not names_model(base):
        return None
    folder = open_model(None if base == BUNDLED else Path(base))
    record = read_record(folder.path)
    if record is None or record.layers is None:
        raise BadModel(
            f"{folder.path} does not say which layers read the context, as models of older versions do not: training "
            "cannot go on from it. It can teach: give it to --teacher."
        )
    layers = record.layers
    return Finished(folder, None if layers.context is None else Funnel(layers.context, layers.first_token))


def _encoder_of(finished: Finished) -> Path:
    """The encoder that a model was made from: of it only the configuration is needed, adapted or not."""
    base = finished.folder.config.base.removesuffix(ADAPTED)
    try:
        return resolve_base(base)
    except NoBase as error:
        raise NoBase(
            f"{finished.folder.path} was made from the encoder {base!r}, whose configuration is needed to go on and is "
            f"not here. {error}"
        ) from error


def _weights(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and value, in 32-bit floats, of every weight of a `Coder` in the file."""
    onnx = need("onnx", extra="train")
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(path)).graph.initializer}
    for name, value in stored.items():
        if not name.startswith(_MODULE) or name.endswith(SCALE):
            continue
        if name.endswith(INTEGERS):
            weight = name.removesuffix(INTEGERS)
            scale = stored[weight + SCALE]
            floats = value.astype(np.float32) * scale
            # Tables have one scale per row, [rows, 1]. Matrices have one per column and lie the other way round.
            yield weight.removeprefix(_MODULE), torch.tensor(floats if scale.ndim == 2 else floats.T.copy())
        else:
            yield name.removeprefix(_MODULE), torch.tensor(value)
