"""Where the tagger's codes come from: the sidecar of a tagged file, and whether its model saw the gold chats."""

from collections.abc import Iterable
from pathlib import Path

from mi_coder.batch.meta import read_meta
from mi_coder.batch.paths import RunPaths
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.leak import training_hash
from mi_coder.outcomes.study.chats import Chats
from mi_coder.tagger.model import open_model


def check_codebook(paths: Iterable[Path]) -> None:
    """Refuse files that were tagged by another codebook; files without a sidecar are taken as they are.

    Raises:
        UsageProblem: the codebook is another one, with the command that fixes it.
    """
    for path in paths:
        meta = read_meta(RunPaths("-", path).meta)
        if meta is not None and meta.codebook != Codebook.load().hash:
            raise UsageProblem(
                f"{path} was tagged by another codebook ({meta.codebook}; this one is {Codebook.load().hash}): codes "
                "may mean something else. Tag the chats again with mi-code tag."
            )


def learned_from(gold: Chats, model: Path | None) -> int:
    """How many gold chats, or chats of the same `source_group`, trained or tuned a model (the bundled one if None)."""
    trained = set(open_model(model).config.training_ids)
    groups = gold.frame["source_group"] if "source_group" in gold.frame.columns else [None] * len(gold)
    return sum(
        training_hash(str(chat)) in trained or (bool(group) and training_hash(f"group:{group}") in trained)
        for chat, group in zip(gold.frame.index, groups, strict=True)
    )
