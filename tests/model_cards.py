"""Model cards for the tests that read them."""

import numpy as np

from mi_coder.conversation import Coding, Gold
from mi_coder.tagger.config import Head, ModelConfig, Window
from mi_coder.tagger.window import Tokens
from mi_coder.training.card import Card, render_card
from mi_coder.training.data import Example
from mi_coder.training.judge import judge
from mi_coder.training.sources import sources
from mi_coder.training.targets import Targets

CONFIG = ModelConfig(
    name="tiny",
    version="1",
    codebook="sha256:0",
    codes=["OQ", "SU", "WA"],
    heads=[Head(), Head(), Head(trained=False)],
    depth=Head(),
    permission=Head(trained=False),
    review_below=0.5,
    window=Window(),
    base="minilm",
    training_ids=[],
    files={"model.onnx": "0" * 64},
)


def made(corpus: str, count: int) -> list[Example]:
    """Messages with known OQ, two to a conversation."""
    gold = Gold(frozenset({"OQ"}), frozenset({"SU"}))
    return [
        Example(f"{corpus}-{number // 2}", corpus, "secret words", Tokens([1], 1, False), gold)
        for number in range(count)
    ]


def card(examples: list[Example], config: ModelConfig = CONFIG, teachers: tuple[str, ...] = ()) -> str:
    """The card of a model trained on `examples`, with figures on 60 messages."""
    truth = Targets(
        np.array([[1.0, 0.0, np.nan], [0.0, 1.0, np.nan]] * 30),
        np.zeros((0, 5), dtype=bool),
        np.zeros(0, dtype=np.intp),
    )
    codings = [Coding(("OQ",), {"OQ": 0.9, "SU": 0.1})] * 60
    beside = np.tile([True, True, False], (60, 1))
    report = judge("test", made("own", 60), truth, codings, beside, config, "f" * 64)
    settings = {"seed": "1"}
    sizes = {"train": (3, 6), "dev": (1, 2), "test": (30, 60)}
    return render_card(
        Card(
            config=config,
            sources=sources(examples),
            sizes=sizes,
            settings=settings,
            dev=report,
            test=report,
            teachers=teachers,
        )
    )
