"""Tiny encoders, gold and a model trained on it. What is heavy is imported only where a test asks for it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mi_coder.training.run import TrainReport


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT."""
    from tests.training_material import make_bert

    return make_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny RoBERTa."""
    from tests.training_material import make_roberta

    return make_roberta(tmp_path_factory.mktemp("roberta"))


@pytest.fixture(scope="session")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of invented chats with gold codes."""
    from tests.training_material import write_gold

    return write_gold(tmp_path_factory.mktemp("gold") / "invented.jsonl")


@pytest.fixture(scope="session")
def report(bert: Path, gold: Path, tmp_path_factory: pytest.TempPathFactory) -> "TrainReport":
    """What came of a training of the BERT on the gold."""
    from mi_coder.training.fit import FitOptions
    from mi_coder.training.run import TrainOptions, train

    output = tmp_path_factory.mktemp("out") / "model"
    options = FitOptions(epochs=3, batch=16, lr=3e-3, seed=3, threads=1)
    return train(TrainOptions(gold=(gold,), output=output, version="1", base=str(bert), fit=options))
