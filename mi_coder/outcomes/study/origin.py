"""Whether the model that gave the codes saw the gold chats."""

from pathlib import Path

from mi_coder.evaluation.leak import training_hash
from mi_coder.outcomes.study.chats import Chats
from mi_coder.tagger.model import open_model


def learned_from(gold: Chats, model: Path | None) -> int:
    """How many gold chats, or chats of the same `source_group`, trained or tuned a model (the bundled one if None)."""
    trained = set(open_model(model).config.training_ids)
    groups = gold.frame["source_group"] if "source_group" in gold.frame.columns else [None] * len(gold)
    return sum(
        training_hash(str(chat)) in trained or (bool(group) and training_hash(f"group:{group}") in trained)
        for chat, group in zip(gold.frame.index, groups, strict=True)
    )
