"""Scores of the PHQ-2, PHQ-4, PHQ-9, GAD-2 and GAD-7, and who counts as a case.

Every item is 0, 1, 2 or 3 ("not at all" to "nearly every day"). A score is the sum of the items: higher is worse.

Missing items: a row that misses any item has no score (nan). Prorating must be asked for. It then gives a row that
misses no more than `Scale.may_miss` items (2 of the PHQ-9, 1 of the GAD-7, none of the short forms) the mean of its
answered items times the number of items, rounded half up, so that scores stay whole. This is a convention for items
that are missing by accident: say in the report how many rows it touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean
from mi_coder.outcomes.rows import by_place, floats, truths

ANSWERS = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The lowest score of a case, and who set it."""

    points: int
    source: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A questionnaire.

    Attributes:
        cutoffs: the default one first.
        may_miss: the most items that prorating makes up for.
        nhs_change: the change in points that NHS Talking Therapies calls reliable, for the two scales that have one.
    """

    name: str
    items: int
    cutoffs: tuple[Cutoff, ...]
    may_miss: int = 0
    nhs_change: int | None = None

    @property
    def highest(self) -> int:
        """The highest score."""
        return self.items * max(ANSWERS)


PHQ2 = Scale("PHQ-2", 2, (Cutoff(3, "Kroenke, Spitzer and Williams 2003, Medical Care 41, 1284-1292"),))
PHQ4 = Scale(
    "PHQ-4",
    4,
    (Cutoff(6, "from 'moderate' on, Kroenke et al. 2009, Psychosomatics 50, 613-621 (its halves: GAD-2, then PHQ-2)"),),
)
PHQ9 = Scale(
    "PHQ-9",
    9,
    (Cutoff(10, "Kroenke, Spitzer and Williams 2001, J Gen Intern Med 16, 606-613; NHS Talking Therapies"),),
    may_miss=2,
    nhs_change=6,
)
GAD2 = Scale("GAD-2", 2, (Cutoff(3, "Kroenke et al. 2007, Annals of Internal Medicine 146, 317-325"),))
GAD7 = Scale(
    "GAD-7",
    7,
    (
        Cutoff(8, "NHS Talking Therapies; Kroenke et al. 2007, Annals of Internal Medicine 146, 317-325"),
        Cutoff(10, "screening, Spitzer et al. 2006, Archives of Internal Medicine 166, 1092-1097"),
    ),
    may_miss=1,
    nhs_change=4,
)
SCALES = (PHQ2, PHQ4, PHQ9, GAD2, GAD7)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of one scale.

    Attributes:
        values: [rows] nan where there is none.
        prorated: [rows] whether missing items were made up for.
    """

    scale: Scale
    values: Floats
    prorated: Bools

    def __post_init__(self) -> None:
        """Take columns of pandas by row: scores before and after are of the same rows, whatever their index."""
        object.__setattr__(self, "values", floats(self.values, "values"))
        object.__setattr__(self, "prorated", truths(self.prorated, "prorated"))

    @property
    def missing(self) -> int:
        """How many rows have no score."""
        return int(np.isnan(self.values).sum())


def scale_named(name: str) -> Scale:
    """The scale with that name; case, hyphens and spaces do not count.

    Raises:
        UnknownName: there is none.
    """
    plain = {scale.name.replace("-", "").casefold(): scale for scale in SCALES}
    wanted = name.replace("-", "").replace(" ", "").casefold()
    if wanted not in plain:
        allowed = ", ".join(scale.name for scale in SCALES)
        raise UnknownName(f"No scale {name!r}.{did_you_mean(wanted, plain)} There are {allowed}.")
    return plain[wanted]


@by_place
def score_items(
    scale: Scale,
    items: Floats,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    prorate: bool = False,
) -> Scores:
    """Sum the items.

    Args:
        items: [rows, items] in the order of the questionnaire, nan where missing.
        rows: [rows] names for errors; None counts from 1.
        columns: [items] names for errors.
        prorate: make up for missing items, by the rule at the top of this module.

    Raises:
        UsageProblem: another number of items than the scale has, or a value that is no answer.
    """
    if items.ndim != 2 or items.shape[1] != scale.items:
        raise UsageProblem(f"The {scale.name} has {scale.items} items: give an array [rows, {scale.items}].")
    unanswered = np.isnan(items)
    wrong = np.argwhere(~unanswered & ~np.isin(items, ANSWERS))
    if len(wrong):
        row, item = map(int, wrong[0])
        place = f"item {item + 1} of the {scale.name}" + (f" ({columns[item]})" if columns is not None else "")
        raise UsageProblem(
            f"{_row(row, rows)}, {place} is {items[row, item]:g}: an item is 0, 1, 2 or 3.{_others(len(wrong))}"
        )
    missed = unanswered.sum(axis=1)
    prorated = (missed > 0) & (missed <= scale.may_miss) & prorate
    answered = np.where(unanswered, 0, items).sum(axis=1)
    values = np.where(missed == 0, answered, np.nan)
    values[prorated] = np.floor(answered[prorated] * scale.items / (scale.items - missed[prorated]) + 0.5)
    return Scores(scale, values, prorated)


@by_place
def score_totals(scale: Scale, totals: Floats, *, rows: Sequence[str] | None = None) -> Scores:
    """Take totals, [rows] with nan where missing, as scores.

    Raises:
        UsageProblem: a total that the scale cannot give.
    """
    wrong = np.flatnonzero(~np.isnan(totals) & ~np.isin(totals, np.arange(scale.highest + 1)))
    if len(wrong):
        row = int(wrong[0])
        raise UsageProblem(
            f"{_row(row, rows)}, {scale.name}: the total is {totals[row]:g}, and totals are whole numbers from 0 to "
            f"{scale.highest}.{_others(len(wrong))}"
        )
    return Scores(scale, totals.copy(), np.zeros(len(totals), dtype=np.bool_))


def cases(scores: Scores, cutoff: Cutoff | None = None) -> Floats:
    """[rows] 1 where a score reaches the cut-off (None: the scale's first), 0 where not, nan where there is none."""
    points = (cutoff or scores.scale.cutoffs[0]).points
    return np.where(np.isnan(scores.values), np.nan, scores.values >= points)


def _row(row: int, names: Sequence[str] | None) -> str:
    return f"Row {list(names)[row]}" if names is not None else f"Row {row + 1}"


def _others(wrong: int) -> str:
    return f" {wrong - 1} more such values." if wrong > 1 else ""
