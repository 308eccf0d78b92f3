"""Cross-validated predictions of one class per message, kept as a file without text, and their figures.

The file is a CSV with one message a row: `fold`, `conversation_id`, `index`, and for each level of classes (such as
`4` and `8`) the columns `truth_N`, `given_N` and `baseline_N`.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.corpora.source import read_rows
from mi_coder.evaluation.bootstrap import resampled
from mi_coder.evaluation.report import Figure

SAMPLES = 1000
KINDS = ("truth", "given", "baseline")


@dataclass(frozen=True, slots=True)
class Judged:
    """One message: its place, its fold, and its classes by level and kind of `KINDS`."""

    fold: int
    conversation_id: str
    index: int
    classes: dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """Macro-F1 over classes.

    Attributes:
        macro: mean of the folds, with the interval of the pooled figure's bootstrap over conversations around it.
        by_fold: one per fold, in order.
        by_class: F1 of each class over all folds.
        accuracy: share of right messages.
    """

    macro: Figure
    by_fold: tuple[float, ...]
    by_class: dict[str, float]
    accuracy: float


def read_judged(path: Path, levels: Sequence[str]) -> list[Judged]:
    """The rows of a file.

    Raises:
        UsageProblem: the file cannot be read or lacks a column.
    """
    names = {(level, kind): f"{kind}_{level}" for level in levels for kind in KINDS}
    return [
        Judged(
            row.count("fold"),
            row["conversation_id"],
            row.count("index"),
            {key: row[name] for key, name in names.items()},
        )
        for row in read_rows(path, ("fold", "conversation_id", "index", *names.values()))
    ]


def write_judged(path: Path, rows: Sequence[Judged], levels: Sequence[str]) -> None:
    """Write the rows in the order given."""
    keys = [(level, kind) for level in levels for kind in KINDS]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["fold", "conversation_id", "index", *(f"{kind}_{level}" for level, kind in keys)])
        table.writerows([row.fold, row.conversation_id, row.index, *map(row.classes.get, keys)] for row in rows)


def fold_figures(rows: Sequence[Judged], level: str, kind: str = "given") -> FoldFigures:
    """Figures of what was given at a level. A class that a fold neither has nor gets is not in its mean."""
    classes = sorted({row.classes[level, "truth"] for row in rows})
    _, conversation = np.unique([row.conversation_id for row in rows], return_inverse=True)
    cells = np.array([_cells(row.classes[level, "truth"], row.classes[level, kind], classes) for row in rows])
    folds = np.array([row.fold for row in rows])
    by_fold = tuple(float(np.nanmean(_f1(cells[folds == fold].sum(axis=0)))) for fold in np.unique(folds))
    pooled = _f1(cells.sum(axis=0))
    samples = np.nanmean(_f1(resampled(cells, conversation.astype(np.intp), SAMPLES, seed=0)), axis=-1)
    mean = float(np.mean(by_fold))
    spread = Figure.of(mean, samples + (mean - float(np.nanmean(pooled))))
    right = float(np.mean([row.classes[level, "truth"] == row.classes[level, kind] for row in rows]))
    return FoldFigures(spread, by_fold, dict(zip(classes, pooled.tolist(), strict=True)), right)


def _cells(truth: str, given: str, classes: Sequence[str]) -> list[list[int]]:
    """[3, classes] true positives, false positives, false negatives of one message."""
    return [
        [truth == one == given for one in classes],
        [truth != one == given for one in classes],
        [given != one == truth for one in classes],
    ]


def _f1(cells: Floats) -> Floats:
    """[..., classes] of [..., 3, classes]; nan for a class that neither occurs nor is given."""
    hit, wrong, missed = np.moveaxis(np.asarray(cells, dtype=np.float64), -2, 0)
    with np.errstate(invalid="ignore"):
        return 2 * hit / (2 * hit + wrong + missed)
