"""Do profiles tell good from poor sessions? Reflection-to-question ratio and % complex reflections on AnnoMI.

    python benchmarks/profile_annomi.py [--data ../shared/data]

The 88 shared transcripts are demonstrations of good and of poor counseling. Prints, from the experts' labels and the
tagger's codes side by side, the area under the curve of each figure for good against poor, with a bootstrap interval
over transcripts, the numbers of good and poor transcripts that have a figure, and what the tagger loses. Transcripts
that trained the tagger are in the first table too, and flatter it: the second holds those alone that it did not learn
from. The stored run is benchmarks/runs/profile_annomi.md.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from mi_coder import corpora
from mi_coder.arrays import Bools, Floats
from mi_coder.conversation import Conversation
from mi_coder.evaluation.leak import overlap
from mi_coder.measures.summaries import SUMMARIES
from mi_coder.measures.tally import tally, turns_of
from mi_coder.tagger.tagger import Tagger

ROOT = Path(__file__).parents[1]
FIGURES = ("R:Q", "% complex reflections")
DRAWS = 2000


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    data = parser.parse_args().data
    chats = list(corpora.load("annomi", data))
    tagger = Tagger.load()
    tagged = [tagger.tag(chat) for chat in chats]
    good = np.array([chat.extra["mi_quality"] == "high" for chat in chats])
    new = ~np.isin([chat.id for chat in chats], overlap(chats, tagger.config.training_ids))
    for title, chosen in (
        ("All transcripts", np.ones(len(chats), dtype=bool)),
        ("Those that the tagger did not learn from", new),
    ):
        print(f"\n{title}: {int(good[chosen].sum())} good, {int((~good[chosen]).sum())} poor\n")
        print("| figure | from | AUC | 95 % interval | good, poor with a figure |\n|---|---|---|---|---|")
        for name in FIGURES:
            aucs = []
            for source, gold, these in (("experts", True, chats), ("tagger", False, tagged)):
                values = _values(name, these, gold)
                kept = chosen & ~np.isnan(values)
                auc, low, high = _auc_interval(values[kept], good[kept])
                aucs.append(auc)
                counts = f"{int(good[kept].sum())}, {int((~good[kept]).sum())}"
                print(f"| {name} | {source} | {auc:.3f} | {low:.3f} to {high:.3f} | {counts} |")
            print(f"| {name} | loss | {aucs[0] - aucs[1]:+.3f} | | |")
    return 0


def _values(name: str, chats: list[Conversation], gold: bool) -> Floats:
    measure = next(each for each in SUMMARIES if each.name == name)
    rows = [tally(turns_of(chat, gold), "volley") for chat in chats]
    return np.array([np.nan if measure.needs(row) else float(measure.value(row)) for row in rows])


def _auc(values: Floats, good: Bools) -> float:
    above = values[good][:, None] - values[~good][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def _auc_interval(values: Floats, good: Bools) -> tuple[float, float, float]:
    random = np.random.default_rng(1)
    draws = []
    for _ in range(DRAWS):
        chosen = random.integers(0, len(values), len(values))
        if good[chosen].any() and not good[chosen].all():
            draws.append(_auc(values[chosen], good[chosen]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return _auc(values, good), float(low), float(high)


if __name__ == "__main__":
    sys.exit(main())
