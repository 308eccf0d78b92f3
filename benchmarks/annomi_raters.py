"""How well one rater of AnnoMI agrees with another, as the F1 that the folds of `annomi_folds.py` are judged by.

python benchmarks/annomi_raters.py [--data ../shared/data]

A few transcripts have ten raters. Each rater in turn is taken for the truth and each other one for its coder; all pairs
count alike, so precision and recall are the same. Most turns of the folds have one rater, so this is what a further
expert would be expected to reach there. Brackets are 95 % intervals from resampling transcripts, which are few. Writes
benchmarks/runs/annomi_raters.md.
"""

import argparse
import sys
from itertools import permutations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.annomi_folds import CLASSES, FOUR, LEVELS, ROOT, ratings
from mi_coder.evaluation import render
from mi_coder.evaluation.folds import Judged, fold_figures

RESULT = ROOT / "benchmarks" / "runs" / "annomi_raters.md"


def pairs(path: Path) -> list[Judged]:
    """Every turn with several raters, once for each two of them who gave it one of the eight classes."""
    found = []
    for (transcript, utterance), by_rater in ratings(path).items():
        given = [name for name in by_rater.values() if name in CLASSES]
        for one, other in permutations(given, 2):
            classes = {("8", "truth"): one, ("8", "given"): other}
            classes |= {("4", "truth"): FOUR[one], ("4", "given"): FOUR[other]}
            found.append(Judged(0, transcript, int(utterance), classes))
    return found


def page(path: Path) -> str:
    """The table as Markdown."""
    rows = pairs(path)
    turns = {(row.conversation_id, row.index) for row in rows}
    transcripts = {row.conversation_id for row in rows}
    lines = [
        "# AnnoMI: one rater against another",
        "",
        f"{len(turns)} turns of {len(transcripts)} transcripts with several raters, {len(rows) // 2:,} pairs of "
        "ratings; brackets: 95 % from resampling transcripts.",
        "",
        "| classes | macro-F1 | same class | F1 of each |",
        "| --- | --- | --- | --- |",
    ]
    for level in LEVELS:
        one = fold_figures(rows, level)
        each = ", ".join(f"{name} {value:.2f}" for name, value in one.by_class.items())
        lines.append(f"| {level} | {render.figure(one.macro)} | {one.accuracy:.3f} | {each} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora")
    options = parser.parse_args()
    text = page(options.data / "annomi" / "annomi_full_subset.csv")
    RESULT.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
