"""What `--base` names: an encoder, or a finished model that training goes on from.

The weights of a finished model come back out of `model.onnx` as they run, rounded to 8 bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from mi_coder.conversation import CLIENT, Message
from mi_coder.errors import need
from mi_coder.tagger.config import MODEL_FILE, TOKENIZER_FILE, BadModel
from mi_coder.tagger.model import ModelFolder, open_model
from mi_coder.tagger.record import RECORD_FILE, read_record
from mi_coder.tagger.window import WindowBuilder
from mi_coder.training.adapted import read_adapted
from mi_coder.training.base import base_name, resolve_base
from mi_coder.training.encoder import Funnel
from mi_coder.training.export import MAX_DIFFERENCE, difference
from mi_coder.training.fit import FitOptions
from mi_coder.training.folder import ENCODER_FILE
from mi_coder.training.license import read_license
from mi_coder.training.model import Coder
from mi_coder.training.quantize import INTEGERS, SCALE, TRANSPOSED

BUNDLED = "bundled"
FEW = FitOptions(epochs=12, patience=3, freeze_words=True, dropout=0.0)
"""How a model learns from a few hundred messages of a platform (`benchmarks/go_on.py` says how well)."""

_MODULE = "model."
_PROBE = ("You miss him most at night.", [Message(CLIENT, "I miss him. The nights are long and I cannot sleep.")])


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished model that a training goes on from.

    Attributes:
        funnel: which positions its layers compute; None for all in every layer.
    """

    folder: ModelFolder
    funnel: Funnel | None

    def coder(self, heads: int) -> Coder:
        """The model, to be trained further.

        Raises:
            BadModel: its file does not hold all weights by name, as those of other versions may not.
        """
        path = self.folder.path
        try:
            model = Coder.from_weights(path / ENCODER_FILE, dict(_weights(path / MODEL_FILE)), heads, self.funnel)
        except ValueError as error:
            raise _refused(path, str(error)) from error
        encoder_alone = msgspec.structs.replace(self.folder.config.window, asking=0)
        builder = WindowBuilder.from_file(path / TOKENIZER_FILE, encoder_alone)
        if not difference(model, path / MODEL_FILE, [builder.build(*_PROBE)]) < MAX_DIFFERENCE:
            raise _refused(path, f"what {ENCODER_FILE} and {RECORD_FILE} describe is not what {MODEL_FILE} computes")
        return model


@dataclass(frozen=True, slots=True)
class Start:
    """What a training starts from.

    Attributes:
        base: the encoder as the new model names it, which is no path of this machine.
        tokenizer: its file.
        training_ids: what is kept of the conversations that encoder or model were trained on.
        license: text of the license of a model, or of an encoder that `mi-code adapt` made; empty where it has none.
        finished: the model, where it is one.
    """

    base: str
    tokenizer: Path
    training_ids: frozenset[str]
    license: str
    finished: Finished | None = None

    @classmethod
    def of(cls, base: str) -> "Start":
        """What `base` names: "bundled" or the folder of a model, else as `resolve_base`.

        Raises:
            BadModel: the model is not sound, or lacks what going on needs.
            NoBase, MissingExtra: the encoder is not here.
            MiCoderError: a license cannot be read.
        """
        if names_model(base):
            finished = _finished(open_model(None if base == BUNDLED else Path(base)))
            config, path = finished.folder.config, finished.folder.path
            known = frozenset(config.training_ids)
            return cls(config.base, path / TOKENIZER_FILE, known, read_license(path), finished)
        encoder = resolve_base(base)
        adapted = read_adapted(encoder)
        known = frozenset(adapted.training_ids if adapted else ())
        return cls(base_name(base), encoder / TOKENIZER_FILE, known, read_license(encoder) if adapted else "")

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"The model {self.finished.folder.name}" if self.finished else f"The encoder {self.base}"

    @property
    def config(self) -> Path:
        """The configuration of the encoder, as Transformers reads it."""
        return self.tokenizer.with_name(ENCODER_FILE if self.finished else "config.json")

    def coder(self, heads: int, funnel: Funnel | None) -> Coder:
        """The model to train.

        Args:
            funnel: of a new model; a finished one has its own.

        Raises:
            BadModel, NoBase, UsageProblem: as `Finished.coder` and `Coder.from_folder`.
        """
        return self.finished.coder(heads) if self.finished else Coder.from_folder(self.tokenizer.parent, heads, funnel)


def names_model(base: str) -> bool:
    """Whether `--base` names a finished model, and not an encoder that lies beside its own ONNX file."""
    folder = Path(base)
    return base == BUNDLED or ((folder / MODEL_FILE).is_file() and not any(folder.glob("*.safetensors")))


def _finished(folder: ModelFolder) -> Finished:
    record = read_record(folder.path)
    if record is None or record.layers is None or not (folder.path / ENCODER_FILE).is_file():
        raise _refused(folder.path, "it does not say how its encoder is built, as models of older versions do not")
    layers = record.layers
    return Finished(folder, None if layers.context is None else Funnel(layers.context, layers.first_token))


def _refused(folder: Path, reason: str) -> BadModel:
    return BadModel(
        f"Training cannot continue from {folder}: {reason}. Train it again with this version of mi-coder, or train "
        "from its encoder with it as a teacher (--teacher)."
    )


def _weights(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and value, in 32-bit floats, of every weight of a `Coder` in the file."""
    onnx = need("onnx", extra="train")
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(path)).graph.initializer}
    for name, value in stored.items():
        if not name.startswith(_MODULE) or name.endswith(SCALE):
            continue
        weight = name.removesuffix(INTEGERS).removesuffix(TRANSPOSED)
        if name.endswith(INTEGERS):
            scale = stored[weight + SCALE]
            value = value.astype(np.float32) * scale
            # Tables have one scale per row, [rows, 1]. Matrices have one per column and lie the other way round.
            value = value if scale.ndim == 2 else value.T
        elif name.endswith(TRANSPOSED):
            value = value.T
        yield weight.removeprefix(_MODULE), torch.tensor(value.copy())
