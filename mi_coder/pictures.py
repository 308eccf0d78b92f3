"""What pictures have in common: colors, marks, axes, points with intervals.

A picture is a matplotlib figure; nothing is shown and no state is kept. Colors are those of Okabe and Ito, which people
with any color vision tell apart; marks differ in shape too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from mi_coder.codebook import Codebook
from mi_coder.errors import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

BLACK, ORANGE, BLUE, GREEN = "#000000", "#E69F00", "#0072B2", "#009E73"
VERMILION, SKY, PURPLE = "#D55E00", "#56B4E9", "#CC79A7"
MARKS: Sequence[tuple[str, str]] = (
    (BLUE, "o"),
    (ORANGE, "s"),
    (GREEN, "D"),
    (VERMILION, "^"),
    (PURPLE, "v"),
    (SKY, "P"),
    (BLACK, "X"),
)
GRAY = "#777777"
_SHIELD = "\u2060"
"""Stands before labels that begin with "_", which matplotlib would leave out of a legend. It has no width."""
_PALE = "#dddddd"


@dataclass(frozen=True, slots=True)
class Spread:
    """A value and the ends of its interval; nan where there is none.

    Attributes:
        hollow: drawn without a filling, as a value of little weight.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    hollow: bool = False


def axes(count: int, size: tuple[float, float]) -> "tuple[Picture, Sequence[Axes]]":
    """A figure with `count` axes side by side, which share what stands on the left.

    Args:
        size: width and height in inches.

    Raises:
        MissingExtra: the extra `analysis` is not installed.
    """
    figure = need("matplotlib.figure", "analysis").Figure(figsize=size, layout="constrained")
    made = list(figure.subplots(1, count, squeeze=False, sharey=True)[0])
    for axis in made:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, made


def points(
    axis: "Axes", spreads: Sequence[Spread], places: Sequence[float], mark: tuple[str, str], label: str = ""
) -> None:
    """Values with their intervals, where there are any.

    Args:
        places: height of each.
        label: for the legend.
    """
    color, shape = mark
    told = [(one, place) for one, place in zip(spreads, places, strict=True) if not isnan(one.value)]
    for hollow in sorted({False, *(one.hollow for one, _ in told)}):
        style: dict[str, Any] = {"label": _shielded(label) or None} if not hollow else {"markerfacecolor": "white"}
        chosen = [(one.value, place) for one, place in told if one.hollow == hollow]
        values, heights = [value for value, _ in chosen], [height for _, height in chosen]
        axis.plot(values, heights, shape, color=color, markersize=5, linestyle="none", zorder=3, **style)
    for one, place in told:
        if not isnan(one.low):
            axis.plot([one.low, one.high], [place, place], color=color, linewidth=1.3)


def code_lines(axis: "Axes", codes: Sequence[str], support: Sequence[int] = ()) -> None:
    """A line per code from top to bottom, at the heights of `heights`, with its name and how often it was given."""
    book = Codebook.load()
    names = [f"{book[code].name} ({code})" for code in codes]
    if support:
        names = [f"{name}, {count:,}" for name, count in zip(names, support, strict=True)]
    axis.set_yticks(heights(len(codes)), names, parse_math=False)
    axis.set_ylim(-0.7, len(codes) - 0.3)
    axis.grid(axis="y", color=_PALE, linewidth=0.5)


def heights(lines: int, place: int = 0, of: int = 1) -> list[float]:
    """Where the lines of a picture stand, from top to bottom; of several marks on a line, where the one at `place`."""
    offset = 0.6 * (place - (of - 1) / 2) / of
    return [lines - 1 - line - offset for line in range(lines)]


def legend(figure: "Picture", axis: "Axes", columns: int) -> None:
    """The marks of an axis, above it."""
    _legend_of(axis, figure, loc="outside upper center", ncols=columns, fontsize=8)


def legend_within(axis: "Axes") -> None:
    """The marks of an axis, in it, where most is empty."""
    _legend_of(axis, axis)


def _legend_of(axis: "Axes", place: "Picture | Axes", **style: Any) -> None:
    """A legend with the labels as they are: "$" begins no formula, and "_" in front hides none."""
    marks, labels = axis.get_legend_handles_labels()
    for text, label in zip(place.legend(marks, labels, frameon=False, **style).get_texts(), labels, strict=True):
        text.set_text(label.removeprefix(_SHIELD))
        text.set_parse_math(False)


def _shielded(label: str) -> str:
    return f"{_SHIELD}{label}" if label.startswith("_") else label
