"""What teachers tell and gold, together."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.material.tiny_model import make_tiny_model
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Message
from mi_coder.evaluation.leak import training_hashes
from mi_coder.tagger.config import Head, Platt
from mi_coder.tagger.model import ModelFolder, open_model
from mi_coder.training.targets import Targets
from mi_coder.training.teaching import teach, tempered

NAN = np.nan


def targets(known: list[list[float]]) -> Targets:
    return Targets(np.array(known), np.zeros((0, len(known[0])), dtype=bool), np.zeros(0, dtype=np.intp))


def test_gold_is_tempered_and_what_it_leaves_open_is_told() -> None:
    told = np.array([[0.9, 0.2, 0.6, NAN], [0.4, NAN, 0.1, NAN]])
    mixed = tempered(targets([[1, 0, NAN, NAN], [NAN, 1, 0, 1]]), told, share=0.25)
    assert mixed.known == pytest.approx(np.array([[0.975, 0.05, 0.6, NAN], [0.4, 1, 0.025, 1]]), nan_ok=True)


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (1, 0.3)])
def test_the_ends_are_gold_alone_and_teachers_alone(share: float, expected: float) -> None:
    assert tempered(targets([[1]]), np.array([[0.3]]), share).known.tolist() == [[pytest.approx(expected)]]


def chat(name: str) -> Conversation:
    said = [(CLIENT, "hi"), (COUNSELOR, f"hello {name}"), (COUNSELOR, "how are you?")]
    messages = [Message(role, text) for role, text in said]
    return Conversation(name, messages, extra={"corpus": "invented"})


def teacher(folder: Path, offset: float, seen: list[Conversation]) -> ModelFolder:
    """One whose probabilities are moved by `offset`, so that it is told from others."""
    model = open_model(
        make_tiny_model(folder, training_ids=tuple(hash for one in seen for hash in training_hashes(one)))
    )
    heads = [Head(Platt(1.0, offset)) for _ in model.config.codes]
    return replace(model, config=msgspec.structs.replace(model.config, heads=heads))


def test_who_has_not_seen_a_chat_in_training_tells_its_codes_alone(tmp_path: Path) -> None:
    chats = seen_by_one, seen_by_other, seen_by_both, _ = [chat(name) for name in "abcd"]
    one = teacher(tmp_path / "one", -1.0, [seen_by_one, seen_by_both])
    other = teacher(tmp_path / "other", 1.0, [seen_by_other, seen_by_both])
    first, second = teach([one], chats)[:, :21], teach([other], chats)[:, :21]
    assert np.abs(first - second).min() > 0
    mean = (first + second) / 2
    expected = np.concatenate([second[:2], first[2:4], mean[4:]])
    np.testing.assert_allclose(teach([one, other], chats)[:, :21], expected)
