"""Runs the ONNX encoder of a model folder.

Messages of like length go through the encoder together, some 250 tokens of theirs, since a single chat message is short
and would wait for the weights. Nothing of one message touches the scores of another: padding has no weight and lies
behind the last token, and sums are added in an order that company does not change (`mi_coder.training.packed`). So
labels and scores are the same for every batch size, number of threads and order of conversations. Threads run different
groups of messages, each on one core. Models that were exported without a funnel, and older ones, take one message at a
time.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mi_coder.tagger.asking import read_asking
from mi_coder.tagger.config import BadModel
from mi_coder.tagger.window import Tokens

if TYPE_CHECKING:
    from concurrent.futures import Executor

INPUTS = ("message", "context", "client")
OUTPUTS = ("codes", "depth", "permission")

PAD = -1
"""What fills up the shorter of several messages."""

# Of the messages of a group, padded; and with their contexts, which bounds the memory of attention.
_TOKENS_TOGETHER = 256
_READ_TOGETHER = 2048


class Encoder:
    """An ONNX session and the threads that share it.

    Args:
        path: the model file; inputs `message`, `context` and `client` (int64 [messages, tokens], padded with `PAD`;
            older models have no `client`), outputs `codes` [messages, codes], `depth` [messages] and `permission`
            [messages], all logits. The number of messages may be fixed to 1. What stands beside it in `asking.json`, if
            that is there, joins the logit of permission.
        threads: groups of messages that are encoded at the same time.

    Raises:
        BadModel: the file holds no such model.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Turn 8-bit weights back into floats once, at load, in place of computing with rounded activations.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session = _session(path, options)
        self._asking = read_asking(path.parent)
        inputs = self._session.get_inputs()
        self._inputs = [one.name for one in inputs]
        self._one_at_a_time = inputs[0].shape[0] == 1
        self._threads = threads

    def logits(self, windows: Sequence[Tokens]) -> NDArray[np.float32]:
        """Logits of all heads, shape [windows, codes + 2]; the last two columns are depth and permission."""
        groups = [[row] for row in range(len(windows))] if self._one_at_a_time else list(_groups(windows))
        runs = self._pool.map if self._threads > 1 and len(groups) > 1 else map
        found = list(runs(self._run, [[windows[row] for row in rows] for rows in groups]))
        logits: NDArray[np.float32] = np.concatenate(found)[np.argsort(np.concatenate(groups))]
        return self._asking.join(logits, windows) if self._asking else logits

    @cached_property
    def _pool(self) -> "Executor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self._threads)

    def _run(self, windows: Sequence[Tokens]) -> NDArray[np.float32]:
        feed = padded(windows)
        codes, depth, permission = self._session.run(OUTPUTS, {name: feed[name] for name in self._inputs})
        return np.column_stack([codes, depth, permission])


def padded(windows: Sequence[Tokens]) -> dict[str, NDArray[np.int64]]:
    """The inputs of a model for some messages, [messages, tokens] each, `PAD` behind the last token of a row."""
    return {
        "message": _stacked([one.ids[: one.own] for one in windows]),
        "context": _stacked([one.ids[one.own :] for one in windows]),
        "client": _stacked([one.client for one in windows]),
    }


def _stacked(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    stacked = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for row, ids in zip(stacked, rows, strict=True):
        row[: len(ids)] = ids
    return stacked


def _groups(windows: Sequence[Tokens]) -> Iterator[list[int]]:
    """Rows of `windows` by length, as many together as the bounds allow, one at least."""
    group: list[int] = []
    context = 0
    for row in sorted(range(len(windows)), key=lambda row: (windows[row].own, len(windows[row].ids))):
        own, others, size = windows[row].own, len(windows[row].ids) - windows[row].own, len(group) + 1
        context = max(context, others)
        if group and (size * own > _TOKENS_TOGETHER or size * (own + context) > _READ_TOGETHER):
            yield group
            group, context = [], others
        group.append(row)
    if group:
        yield group


def _session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the kinds of ONNX Runtime have no base of their own
        raise BadModel(
            f"{path} cannot be loaded by ONNX Runtime ({type(error).__name__}). Copy the whole folder again, "
            "or export the model again with `mi-code train`."
        ) from error
    inputs, outputs = ({value.name for value in values} for values in (session.get_inputs(), session.get_outputs()))
    if inputs | {"client"} != {*INPUTS} or not outputs >= {*OUTPUTS}:
        raise BadModel(
            f"{path} has the inputs {', '.join(sorted(inputs))} and the outputs {', '.join(sorted(outputs))}; "
            f"a model has {', '.join(INPUTS)} and {', '.join(OUTPUTS)}. Export the model again with `mi-code train`."
        )
    return session
