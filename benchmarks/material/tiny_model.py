"""A model folder of a few kilobytes: real files, real ONNX, made-up weights.

It reads message and context and is quick.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from mi_coder.codebook import Codebook
from mi_coder.tagger.config import MODEL_FILE, TOKENIZER_FILE, Head, ModelConfig, Window, write_config

_WORDS = 64


def make_tiny_model(folder: Path, *, untrained: tuple[str, ...] = (), training_ids: tuple[str, ...] = ()) -> Path:
    """Write a complete model folder: a code's logit is a fixed random function of the letters it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    book = Codebook.load()
    _tokenizer().save(str(folder / TOKENIZER_FILE))
    onnx.save(_graph(len(book.ids)), str(folder / MODEL_FILE))
    config = ModelConfig(
        name="tiny",
        version="1",
        codebook=book.hash,
        codes=list(book.ids),
        heads=[Head(trained=code not in untrained) for code in book.ids],
        depth=Head(),
        permission=Head(),
        review_below=0.2,
        window=Window(context=2, max_tokens=96, context_tokens=32),
        base="none",
        training_ids=sorted(training_ids),
        files={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL_FILE, TOKENIZER_FILE)},
    )
    write_config(config, folder)
    return folder


def _tokenizer() -> Tokenizer:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789?!.,:'"
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3} | {
        letter: 4 + at for at, letter in enumerate(letters)
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _graph(codes: int) -> onnx.ModelProto:
    random = np.random.default_rng(7)
    weights = {
        "own": random.normal(0, 9.0, (_WORDS, codes + 2)),
        "before": random.normal(0, 4.0, (_WORDS, codes + 2)),
        "bias": np.full(codes + 2, -3.0),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["own", "message"], ["own_rows"]),
        node("Gather", ["before", "context"], ["before_rows"]),
        node("ReduceMean", ["own_rows"], ["own_mean"], axes=[1], keepdims=0),
        node("ReduceMean", ["before_rows"], ["before_mean"], axes=[1], keepdims=0),
        node("Sum", ["own_mean", "before_mean", "bias"], ["all"]),
        node("Split", ["all", "sizes"], ["codes", "depth_column", "permission_column"], axis=1),
        node("Squeeze", ["depth_column", "one"], ["depth"]),
        node("Squeeze", ["permission_column", "one"], ["permission"]),
    ]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    constants.append(numpy_helper.from_array(np.array([codes, 1, 1], dtype=np.int64), "sizes"))
    constants.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "one"))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, None]) for name in ("message", "context")]
    outputs = [
        helper.make_tensor_value_info("codes", TensorProto.FLOAT, [1, codes]),
        helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info("permission", TensorProto.FLOAT, [1]),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
