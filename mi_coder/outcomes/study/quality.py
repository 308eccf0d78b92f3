"""How well the tagger codes the very chats of a study: its codes against the gold codes, message by message."""

from collections.abc import Mapping

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.outcomes.study.chats import Coded


def tagger_quality(tagged: Mapping[str, Coded], gold: Mapping[str, Coded]) -> pd.DataFrame:
    """Precision, recall, F1 and support per code over the gold chats whose messages both sides have.

    Returns:
        One row per code of the codebook; not a number where the code is neither given nor found.
    """
    pairs = [
        pair
        for chat in gold.keys() & tagged.keys()
        if len(gold[chat]) == len(tagged[chat])
        for pair in zip(tagged[chat], gold[chat], strict=True)
    ]
    rows = []
    for code in Codebook.load().ids:
        hits = sum(code in found and code in true for found, true in pairs)
        found = sum(code in each for each, _ in pairs)
        support = sum(code in each for _, each in pairs)
        rows.append(
            {
                "code": code,
                "precision": hits / found if found else float("nan"),
                "recall": hits / support if support else float("nan"),
                "f1": 2 * hits / (found + support) if found + support else float("nan"),
                "support": support,
            }
        )
    return pd.DataFrame(rows)
