"""Pictures of profiles. Each function returns a matplotlib figure; nothing is shown and no state is kept."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from mi_coder.measures.summaries import MEASURES
from mi_coder.measures.words import by_unit, is_percentage
from mi_coder.pictures import GRAY, MARKS, Spread, axes, code_lines, heights, legend, legend_within, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

    from mi_coder.measures.profile import Figure

_DARK = 0.55


def panels(groups: Mapping[str, Mapping[str, "Figure"]], measures: Sequence[str], unit: str, more: int) -> "Picture":
    """A panel per measure: a line per group with its interval, and the manual's thresholds, fair dashed and good solid.

    A measure that cannot be given for a group has no point there. What is named a percentage is shown as one.

    Args:
        groups: figures by name of the group and of the measure.
        more: groups that are not shown.
    """
    picture, made = axes(len(measures), (1.6 + 2.2 * len(measures), 1.2 + 0.32 * len(groups)))
    known = {measure.name: measure for measure in MEASURES}
    places = heights(len(groups))
    for axis, name in zip(made, measures, strict=True):
        scale = 100 if is_percentage(name) else 1
        for threshold, style, meaning in ((known[name].fair, "--", "fair"), (known[name].good, "-", "good")):
            if threshold is not None:
                label = f"{meaning}, MITI 4.2.1"
                axis.axvline(threshold * scale, color=GRAY, linestyle=style, linewidth=0.9, label=label)
        points(axis, [_spread(figures[name], scale) for figures in groups.values()], places, MARKS[0])
        axis.set_title(by_unit(name, unit), fontsize=9)
        _start_at_zero(axis)
        axis.set_ylim(-0.6, len(groups) - 0.4)
    made[0].set_yticks(places, list(groups), parse_math=False)
    if with_thresholds := [axis for axis in made if axis.get_legend_handles_labels()[0]]:
        legend(picture, with_thresholds[0], columns=2)
    _say_below(picture, [figures[name] for figures in groups.values() for name in measures], more)
    return picture


def code_rates(groups: Mapping[str, Mapping[str, "Figure"]], codes: Sequence[str], unit: str, more: int) -> "Picture":
    """A line per code with a mark and an interval per group: percent of messages or volleys that carry it.

    Args:
        more: groups that are not shown.
    """
    picture, (axis,) = axes(1, (6.5, 1.2 + len(codes) * (0.17 + 0.06 * len(groups))))
    for i, ((label, figures), mark) in enumerate(zip(groups.items(), MARKS, strict=False)):
        places = heights(len(codes), i, len(groups))
        points(axis, [_spread(figures[code], scale=100) for code in codes], places, mark, label)
    code_lines(axis, codes)
    axis.set_xlabel(f"% of {unit}s")
    _start_at_zero(axis)
    if len(groups) > 1:
        legend_within(axis)
    _say_below(picture, [figures[code] for figures in groups.values() for code in codes], more)
    return picture


def heat(rows: Sequence[Mapping[str, Any]], title: str) -> "Picture":
    """Shares as shades of one color, with the percent in each cell that is not empty.

    Args:
        rows: of `Patterns.rows`. A line per `first`, with the number that its shares are of; a column per `code`.
    """
    firsts = {row["first"]: row["of"] for row in rows}
    codes = list(dict.fromkeys(row["code"] for row in rows))
    picture, (axis,) = axes(1, (2.2 + 0.45 * len(codes), 1.4 + 0.28 * len(firsts)))
    places = [(list(firsts).index(row["first"]), codes.index(row["code"]), row) for row in rows]
    shares = [[nan] * len(codes) for _ in firsts]
    for i, j, row in places:
        shares[i][j] = row["share"]
        if row["count"]:
            shade = "white" if row["share"] > _DARK else "black"
            axis.text(j, i, f"{100 * row['share']:.0f}", ha="center", va="center", fontsize=7, color=shade)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(codes)), codes)
    axis.set_yticks(range(len(firsts)), [f"{first} (n {of:,})" for first, of in firsts.items()])
    axis.set_title(f"{title}: % of n", fontsize=9)
    return picture


def _start_at_zero(axis: "Axes") -> None:
    """Begin the axis at 0, with whole marks there."""
    axis.set_xlim(0, None)
    for drawn in axis.get_lines():
        # A line without points that is not clipped has no size, and the layout would fail.
        drawn.set_clip_on(not np.size(drawn.get_xdata()))


def _say_below(picture: "Picture", drawn: Sequence["Figure"], more: int) -> None:
    """What the picture leaves out, and what hollow marks are, where there are any."""
    said = [f"{more:,} more groups are not shown."] if more else []
    if any(figure.value is not None and figure.low is None for figure in drawn):
        said.append("Hollow: no interval, so it says little.")
    if said:
        picture.supxlabel(" ".join(said), fontsize=8)


def _spread(figure: "Figure", scale: float = 1) -> Spread:
    value, low, high = (nan if end is None else end * scale for end in (figure.value, figure.low, figure.high))
    return Spread(value, low, high, hollow=isnan(low))
