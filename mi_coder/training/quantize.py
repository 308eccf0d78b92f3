"""Shrinks an ONNX encoder to a quarter: weights as 8-bit integers with one scale per output channel (or per word).

Only the stored weights are rounded. ONNX Runtime turns them back into floats once, when the model is loaded, and
computes in 32-bit floats. Scores therefore do not depend on what else is in a batch, nor on which integer kernels a
processor has, as they would with dynamically quantized activations. The rounding is symmetric: w is stored as
round(w / s) with s = max|w| / 127 of its channel (ONNX operator DequantizeLinear).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.errors import need

# Smaller tensors (biases, norms) stay as they are: they weigh nothing and carry much.
_SMALLEST = 100_000

INTEGERS = "_int8"
SCALE = "_scale"
TRANSPOSED = "_transposed"
"""What the names of stored weights end in; matrices in 8 bits lie transposed as well."""


def quantize_weights(source: Path, target: Path) -> None:
    """Write `source` to `target` with 8-bit weights in its matrix products and embedding tables.

    Inputs, outputs and their names stay the same. The stored weights are named NAME_int8 and NAME_scale, with NAME the
    name that the parameter has in Transformers, and matrices too small for that NAME_transposed.
    """
    onnx = need("onnx", "train")
    model = onnx.load(str(source))
    _Quantizer(onnx, model.graph).run()
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


class _Quantizer:
    """Rewrites one graph."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self._onnx = onnx
        self._graph = graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._biases = {
            value: bias
            for node in graph.node
            if node.op_type == "Add"
            for bias, value in (node.input, reversed(node.input))
            if bias in self._tensors
        }

    def run(self) -> None:
        nodes = [new for node in self._graph.node for new in self._rewritten(node)]
        used = {name for node in nodes for name in node.input}
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        del self._graph.initializer[:]
        self._graph.initializer.extend(tensor for name, tensor in self._tensors.items() if name in used)

    def _rewritten(self, node: Any) -> list[Any]:
        if node.op_type == "Gather" and self._is_large(node.input[0]):
            return self._gather(node)
        if node.op_type == "MatMul" and self._is_large(node.input[1]):
            return self._product(node)
        if node.op_type == "MatMul" and node.input[1] in self._tensors:
            self._name(node)
        return [node]

    def _name(self, node: Any) -> None:
        """Call a matrix after its parameter; exporters give it a number."""
        bias = self._biases.get(node.output[0], "")
        if bias.endswith(".bias"):
            name = bias.replace(".bias", ".weight") + TRANSPOSED
            matrix = self._onnx.numpy_helper.to_array(self._tensors[node.input[1]])
            self._tensors[name] = self._onnx.numpy_helper.from_array(matrix, name)
            node.input[1] = name

    def _is_large(self, name: str) -> bool:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.data_type != self._onnx.TensorProto.FLOAT:
            return False
        return len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= _SMALLEST

    def _product(self, node: Any) -> list[Any]:
        """The product with a matrix [in, out] that is stored by output channel."""
        weight = self._biases.get(node.output[0], node.input[1]).replace(".bias", ".weight")
        stored = self._store(node.input[1], weight, axis=1)
        make = self._onnx.helper.make_node
        floats = f"{weight}_floats"
        return [
            make("DequantizeLinear", stored, [floats], axis=1, name=f"{node.name}_restore"),
            make("MatMul", [node.input[0], floats], list(node.output), name=node.name),
        ]

    def _gather(self, node: Any) -> list[Any]:
        """The look-up in a table [words, hidden] that is stored by word: look up integers and scale, multiply."""
        integers, scale = self._store(node.input[0], node.input[0], axis=0)
        rows, scales, floats = (f"{node.name}_{part}" for part in ("rows", "scales", "floats"))
        make = self._onnx.helper.make_node
        return [
            make("Gather", [integers, node.input[1]], [rows], axis=0, name=rows),
            make("Gather", [scale, node.input[1]], [scales], axis=0, name=scales),
            make("Cast", [rows], [floats], to=self._onnx.TensorProto.FLOAT, name=floats),
            make("Mul", [floats, scales], list(node.output), name=node.name),
        ]

    def _store(self, tensor: str, name: str, axis: int) -> list[str]:
        """Add the integers and scales of a tensor under `name`; scales of rows keep their second axis."""
        names = [name + INTEGERS, name + SCALE]
        if names[0] not in self._tensors:
            integers, scale = rounded(self._onnx.numpy_helper.to_array(self._tensors[tensor]), axis)
            arrays = (integers, scale if axis == 0 else scale.ravel())
            for array, title in zip(arrays, names, strict=True):
                self._tensors[title] = self._onnx.numpy_helper.from_array(array, title)
        return names


def rounded(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """8-bit integers of the shape of `values` [rows, columns], and one scale for each slice along `axis`."""
    largest = np.abs(values).max(axis=1 - axis, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.round(values / scale).astype(np.int8), scale
