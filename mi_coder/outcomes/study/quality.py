"""How well the tagger codes the very chats of a study: its codes against the gold codes, message by message."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.outcomes.study.chats import Coded
from mi_coder.outcomes.study.spec import Study


@dataclass(frozen=True, slots=True, eq=False)
class MessageCounts:
    """How many messages of each chat have a code; not numbers where one side lacks the codes of each message.

    Attributes:
        found, true: [chats, techniques] messages that have it by the tagger, and by people.
        hits: [chats, techniques] those that have it by both.
    """

    found: Floats
    true: Floats
    hits: Floats


def message_counts(
    tagged: Mapping[str, Coded],
    gold: Mapping[str, Coded],
    chats: Iterable[str],
    groups: Mapping[str, Collection[str]],
) -> MessageCounts:
    """Count, message by message, in these chats; a message has a technique that has any of its codes.

    Args:
        groups: the codes of each technique.
    """
    rows = [_counts_of(tagged.get(chat), gold.get(chat), groups) for chat in chats]
    found, true, hits = np.array(rows, dtype=float).reshape(-1, 3, len(groups)).swapaxes(0, 1)
    return MessageCounts(found, true, hits)


def _counts_of(tagged: Coded | None, gold: Coded | None, groups: Mapping[str, Collection[str]]) -> Floats:
    """[found true hits, techniques] of one chat."""
    if tagged is None or gold is None or len(tagged) != len(gold):
        return np.full((3, len(groups)), np.nan)
    found, true = (
        np.array([not codes.isdisjoint(group) for codes in side for group in groups.values()], dtype=float).reshape(
            len(side), len(groups)
        )
        for side in (tagged, gold)
    )
    return np.asarray([found.sum(axis=0), true.sum(axis=0), (found * true).sum(axis=0)])


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
    groups = {**{code: (code,) for code in Codebook.load().ids}, **(merged or {})}
    counted = message_counts(tagged, gold, list(shared), groups)
    totals = zip(
        *(np.nansum(each, axis=0).astype(int).tolist() for each in (counted.hits, counted.found, counted.true)),
        strict=True,
    )
    rows = []
    for name, (hits, found, support) in zip(groups, totals, strict=True):
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
