"""The trained model leaves PyTorch: ONNX, checked against the original."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from mi_coder.errors import MiCoderError
from mi_coder.tagger.config import Window
from mi_coder.tagger.encoder import INPUTS, OUTPUTS, PAD, Encoder, padded
from mi_coder.tagger.window import Tokens
from mi_coder.training.encoder import FunnelReader
from mi_coder.training.fit import logits
from mi_coder.training.model import Coder
from mi_coder.training.packed import read_packed

MAX_DIFFERENCE = 1e-4
OPSET = 17

_ANOTHER = "This encoder cannot be exported with these versions of torch and transformers; try another --base."


class ExportFailed(MiCoderError):
    """An exported model that does not do what the trained one does."""


class _Alone(nn.Module):
    """Gives the heads of a `Coder` as the three outputs of a model folder, for one message."""

    def __init__(self, model: Coder, codes: int) -> None:
        super().__init__()
        self.model = model
        self.codes = codes

    def forward(self, message: Tensor, context: Tensor, client: Tensor) -> tuple[Tensor, ...]:
        return self.outputs(self.model(message, context, client=client))

    def outputs(self, heads: Tensor) -> tuple[Tensor, ...]:
        return heads[:, : self.codes], heads[:, self.codes], heads[:, self.codes + 1]


class _Together(_Alone):
    """The same for several messages, padded with `PAD`, of a model with a funnel."""

    def forward(self, message: Tensor, context: Tensor, client: Tensor) -> tuple[Tensor, ...]:
        there = [(ids != PAD).to(torch.int64) for ids in (message, context)]
        vector = read_packed(self.model.reader, message, context, *there)
        said = [ids.masked_fill(ids == PAD, self.model.pad_id) for ids in (message, client)]
        return self.outputs(self.model.told(vector, *said))


def export_onnx(
    model: Coder, codes: int, path: Path, example: Sequence[Tokens], longest: int = Window().max_tokens
) -> None:
    """Write a model as 32-bit ONNX for messages of any length, and compare it with the original on `example`.

    A model with a funnel is written for any number of messages, another for one.

    Args:
        longest: how many tokens the longest window has that will be read. One such window is compared, too, and traced
            where there is no funnel: on a short one, encoders with sliding attention, such as ModernBERT, leave it out.

    Raises:
        ExportFailed: torch cannot write the model, what it wrote does not run, or a logit differs by 1e-4 or more.
    """
    model = model.cpu().eval()
    together = isinstance(model.reader, FunnelReader)
    outputs = (_Together if together else _Alone)(model, codes).eval()
    long = _stretched(example[0], longest)
    traced = padded([example[0], example[-1]] if together else [long])
    number = {0: "messages"} if together else {}
    with warnings.catch_warnings():
        # The tracing exporter warns that it is the older one and that it may fix lengths; `_check` would notice that.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                outputs,
                tuple(torch.as_tensor(traced[name]) for name in INPUTS),
                str(path),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_axes={
                    **{name: {**number, 1: f"{name} tokens"} for name in INPUTS},
                    **dict.fromkeys(OUTPUTS, number),
                },
                opset_version=OPSET,
                dynamo=False,
            )
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ExportFailed(f"torch cannot export the model ({type(error).__name__}). {_ANOTHER}") from error
    _check(model, path, [long, *example])


def try_export(model: Coder, codes: int, example: Sequence[Tokens], longest: int) -> None:
    """Export a model to no file that stays: to learn before a long training whether it can be exported.

    The model stays on its device.

    Raises:
        ExportFailed: as `export_onnx`.
    """
    device = model.device
    with TemporaryDirectory() as folder:
        export_onnx(model, codes, Path(folder) / "model.onnx", example, longest)
    model.to(device)


def _stretched(window: Tokens, tokens: int) -> Tokens:
    """A window of so many tokens, half of them its message, with those of `window` over and over."""
    return replace(window, ids=list(islice(cycle(window.ids), tokens)), own=tokens // 2)


def simplify(source: Path, target: Path) -> None:
    """Write `source` to `target` with what is constant computed and what does nothing left out: half of the nodes.

    Only operators of the ONNX standard are used. A smaller graph loads faster.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def difference(model: Coder, path: Path, example: Sequence[Tokens]) -> float:
    """By how much at most the file `path` differs from the model in a logit of `example`."""
    return float(np.abs(Encoder(path).logits(example) - logits(model, example)).max())


def _check(model: Coder, path: Path, example: Sequence[Tokens]) -> None:
    try:
        found = difference(model, path, example)
    except Exception as error:  # the kinds of ONNX Runtime have no base of their own
        raise ExportFailed(f"The exported model does not run ({type(error).__name__}). {_ANOTHER}") from error
    if not found < MAX_DIFFERENCE:
        raise ExportFailed(
            f"The exported model differs from the trained one by up to {found:.2g} in a logit (allowed: "
            f"{MAX_DIFFERENCE:g}). {_ANOTHER}"
        )
