"""Shrinks an ONNX encoder to a quarter: weights as 8-bit integers with one scale per output channel (or per word).

Only the stored weights are rounded. ONNX Runtime turns them back into floats once, when the model is loaded, and computes in 32-bit
floats. Scores therefore do not depend on what else is in a batch, nor on which integer kernels a processor has, as they would with
dynamically quantized activations. The rounding is symmetric: w is stored as round(w / s) with s = max|w| / 127 of its channel
(ONNX operator DequantizeLinear).
"""

from pathlib import Path

import numpy as np

from mi_coder.errors import need

# Smaller tensors (biases, norms, position tables' scales) stay as they are: they weigh nothing and carry much.
_SMALLEST = 100_000


def quantize_weights(source: Path, target: Path) -> None:
    """Write `source` to `target` with 8-bit weights in its matrix products and embedding tables.

    Args:
        source, target: ONNX files; inputs, outputs and their names stay the same.
    """
    onnx = need("onnx", "train")
    model = onnx.load(str(source))
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        table = weights.get(node.input[0]) if node.op_type == "Gather" else None
        matrix = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if table is not None and _is_large(onnx, table):
            nodes += _gather(onnx, graph, node, table)
        elif matrix is not None and _is_large(onnx, matrix):
            nodes += _product(onnx, graph, node, matrix)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def _is_large(onnx, tensor) -> bool:
    return (
        tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= _SMALLEST
    )


def _rounded(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers of the shape of `values` and the scales of the slices along `axis`."""
    largest = np.abs(values).max(axis=1 - axis, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.round(values / scale).astype(np.int8), scale


def _product(onnx, graph, node, tensor) -> list:
    """The matrix product with its right factor [in, out] stored by output channel."""
    integers, scale = _rounded(onnx.numpy_helper.to_array(tensor), axis=1)
    stored = _store(onnx, graph, tensor.name, integers, scale.ravel())
    floats = f"{tensor.name}_floats"
    restore = onnx.helper.make_node("DequantizeLinear", stored, [floats], axis=1, name=f"{node.name}_restore")
    product = onnx.helper.make_node("MatMul", [node.input[0], floats], list(node.output), name=node.name)
    return [restore, product]


def _gather(onnx, graph, node, tensor) -> list:
    """The look-up in a table [words, hidden] stored by word: look up integers and scale, multiply."""
    integers, scale = _rounded(onnx.numpy_helper.to_array(tensor), axis=0)
    names = _store(onnx, graph, tensor.name, integers, scale)
    rows, scales, floats = (f"{node.name}_{part}" for part in ("rows", "scales", "floats"))
    make = onnx.helper.make_node
    return [
        make("Gather", [names[0], node.input[1]], [rows], axis=0, name=rows),
        make("Gather", [names[1], node.input[1]], [scales], axis=0, name=scales),
        make("Cast", [rows], [floats], to=onnx.TensorProto.FLOAT, name=floats),
        make("Mul", [floats, scales], list(node.output), name=node.name),
    ]


def _store(onnx, graph, name: str, integers: np.ndarray, scale: np.ndarray) -> list[str]:
    names = [f"{name}_int8", f"{name}_scale"]
    known = {tensor.name for tensor in graph.initializer}
    if names[0] not in known:
        graph.initializer.extend(
            onnx.numpy_helper.from_array(array, title) for array, title in zip((integers, scale), names, strict=True)
        )
    return names
