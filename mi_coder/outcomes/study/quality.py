"""How well the tagger codes the very chats of a study: its codes against the gold codes, message by message."""

from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.outcomes.study.chats import Coded
from mi_coder.outcomes.study.spec import Study


def tagger_quality(
    tagged: Mapping[str, Coded], gold: Mapping[str, Coded], merged: Mapping[str, Collection[str]] | None = None
) -> pd.DataFrame | None:
    """Precision, recall, F1 and support per code over the gold chats whose messages both sides have.

    Args:
        merged: codes that count as one, by name: a message has it that has any of them.

    Returns:
        One row per code of the codebook and per merged code; not a number where the code is neither given nor found.
        None where there is no chat with the codes of each message on both sides.
    """
    shared = gold.keys() & tagged.keys()
    if not shared:
        return None
    pairs = [
        pair
        for chat in shared
        if len(gold[chat]) == len(tagged[chat])
        for pair in zip(tagged[chat], gold[chat], strict=True)
    ]
    rows = []
    for name, codes in {**{code: (code,) for code in Codebook.load().ids}, **(merged or {})}.items():
        has = [(not found.isdisjoint(codes), not true.isdisjoint(codes)) for found, true in pairs]
        hits = sum(found and true for found, true in has)
        found, support = sum(found for found, _ in has), sum(true for _, true in has)
        rows.append(
            {
                "code": name,
                "precision": hits / found if found else float("nan"),
                "recall": hits / support if support else float("nan"),
                "f1": 2 * hits / (found + support) if found + support else float("nan"),
                "support": support,
            }
        )
    return pd.DataFrame(rows)


def merged_codes(designs: Iterable[Study]) -> dict[str, tuple[str, ...]]:
    """The codes that count as one in any of the designs of a study, by name."""
    return {name: tuple(codes) for study in designs for name, codes in study.techniques.merge.items()}


def no_quality(study: Study) -> str:
    """Why there is no F1 of the tagger although there are gold chats."""
    counted = [
        key
        for key, table in (("data.counts", study.data.counts), ("label_error.counts", study.label_error.counts))
        if table
    ]
    reason = (
        f"a table of counts ({', '.join(counted)}) says how many messages have a code, not which"
        if counted
        else "no chat has the codes of each message both from the tagger and as gold"
    )
    return (
        f"The tagger's F1 for each code is not shown: {reason}. It needs files of mi-code tag in data.chats, and "
        "gold codes of the same messages in label_error.gold."
    )
