"""Figures by code in a model card, read back: what a model folder says of its quality on chats held out."""

import re
from dataclasses import dataclass
from math import nan
from pathlib import Path

from mi_coder.evaluation.render import BASELINE_F1, PEOPLE, UNDEFINED
from mi_coder.evaluation.report import Figure, Options, Row

CARD_FILE = "MODEL_CARD.md"

_TABLE = re.compile(r"^#+ (?P<title>.+ on the test part)$(?:\n(?!\||#).*)*\n(?P<lines>(?:\|.*\n)+)", re.MULTILINE)
_NUMBER = re.compile(r"\d+\.\d+|\d+")


@dataclass(frozen=True, slots=True)
class CodeFigures:
    """How well one code is given.

    Attributes:
        support: messages that carry it.
        precision, recall: nan where undefined, as the value and the interval of `f1`.
        baseline_f1, people: of the TF-IDF baseline, and Krippendorff's alpha of human coders; None where unknown.
        few: whether the support is too small for the macro figures.
    """

    code: str
    support: int
    precision: float
    recall: float
    f1: Figure
    baseline_f1: float | None
    people: float | None
    few: bool

    @classmethod
    def of(cls, row: Row) -> "CodeFigures":
        """Those of an evaluation."""
        score = row.score
        f1 = Figure(score.f1, score.f1_low, score.f1_high)
        beside = (row.baseline_f1, row.human_alpha)
        return cls(score.code, score.positives, score.precision, score.recall, f1, *beside, not row.counted)


@dataclass(frozen=True, slots=True)
class CardFigures:
    """The table of a model card.

    Attributes:
        title: the model and what it was tested on.
        rows: the codes that its test part has.
    """

    title: str
    rows: tuple[CodeFigures, ...]


def read_card(folder: Path) -> CardFigures | None:
    """The figures of the test part; None where the folder has no card, or one without such a table."""
    path = folder / CARD_FILE
    found = _TABLE.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    if found is None:
        return None
    header, _, *lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in found["lines"].splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    return CardFigures(found["title"], tuple(map(_figures, rows)))


def _figures(cells: dict[str, str]) -> CodeFigures:
    support = int(cells["support"])
    value, *ends = map(float, _NUMBER.findall(cells["F1"])) if cells["F1"] != UNDEFINED else (nan,)
    low, high = ends or (nan, nan)
    return CodeFigures(
        code=cells["code"],
        support=support,
        precision=_number(cells["precision"]),
        recall=_number(cells["recall"]),
        f1=Figure(value, low, high),
        baseline_f1=_known(cells.get(BASELINE_F1, UNDEFINED)),
        people=_known(cells.get(PEOPLE, UNDEFINED)),
        few=support < Options().min_support,
    )


def _number(cell: str) -> float:
    return nan if cell == UNDEFINED else float(cell)


def _known(cell: str) -> float | None:
    return None if cell == UNDEFINED else float(cell)
