"""Runs the ONNX encoder of a model folder.

Every message is a pass of its own: no padding, and nothing of one message can touch the scores of another. So labels
and scores are the same for every batch size, number of threads and order of conversations. Threads run different
messages, each pass on one core; on chats this is also faster than padded batches, because the lengths of messages
differ so much.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mi_coder.tagger.config import BadModel
from mi_coder.tagger.window import Tokens

if TYPE_CHECKING:
    from concurrent.futures import Executor

INPUTS = ("message", "context", "client")
OUTPUTS = ("codes", "depth", "permission")


class Encoder:
    """An ONNX session and the threads that share it.

    Args:
        path: the model file; inputs `message`, `context` and `client` (int64 [1, tokens]; older models have no
            `client`), outputs `codes` [1, codes], `depth` [1] and `permission` [1], all logits.
        threads: messages that are encoded at the same time.

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
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._threads = threads

    def logits(self, windows: Sequence[Tokens]) -> NDArray[np.float32]:
        """Logits of all heads, shape [windows, codes + 2]; the last two columns are depth and permission."""
        together = self._threads > 1 and len(windows) > 1
        rows = self._pool.map(self._run, windows) if together else map(self._run, windows)
        return np.stack(list(rows))

    @cached_property
    def _pool(self) -> "Executor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self._threads)

    def _run(self, window: Tokens) -> NDArray[np.float32]:
        ids = np.asarray([window.ids], dtype=np.int64)
        client = np.asarray([window.client], dtype=np.int64)
        read = {"message": ids[:, : window.own], "context": ids[:, window.own :], "client": client}
        feed = {name: read[name] for name in self._inputs}
        codes, depth, permission = self._session.run(OUTPUTS, feed)
        return np.concatenate([codes[0], depth, permission])


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
