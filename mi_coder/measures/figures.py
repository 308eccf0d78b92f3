"""Pictures of profiles. Each function returns a matplotlib figure; nothing is shown and no state is kept.

Colors are those of Okabe and Ito, which people with any color vision tell apart; marks differ in shape too.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi_coder.codebook import Codebook
from mi_coder.errors import need
from mi_coder.measures.summaries import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

    from mi_coder.measures.profile import Figure

MARKS: Sequence[tuple[str, str]] = (
    ("#0072B2", "o"),
    ("#E69F00", "s"),
    ("#009E73", "D"),
    ("#D55E00", "^"),
    ("#CC79A7", "v"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
)
_GRAY = "#777777"


def panels(groups: Mapping[str, Mapping[str, "Figure"]], measures: Sequence[str]) -> "Picture":
    """A panel per measure: a line per group with its interval, and the manual's thresholds, fair dashed and good solid.

    A measure that cannot be given for a group has no point there.

    Args:
        groups: figures by name of the group and of the measure.
    """
    picture, axes = _axes(len(measures), (1.6 + 2.2 * len(measures), 1.2 + 0.32 * len(groups)))
    known = {measure.name: measure for measure in MEASURES}
    places = [len(groups) - 1 - i for i in range(len(groups))]
    for axis, name in zip(axes, measures, strict=True):
        for threshold, style in ((known[name].fair, "--"), (known[name].good, "-")):
            if threshold is not None:
                axis.axvline(threshold, color=_GRAY, linestyle=style, linewidth=0.9)
        _points(axis, [figures[name] for figures in groups.values()], places, MARKS[0])
        axis.set_title(name, fontsize=9)
        axis.set_xlim(0, None)
        axis.set_ylim(-0.6, len(groups) - 0.4)
    axes[0].set_yticks(places, list(groups))
    return picture


def code_rates(groups: Mapping[str, Mapping[str, "Figure"]], codes: Sequence[str], unit: str) -> "Picture":
    """A line per code with a mark and an interval per group: percent of messages or volleys that carry it."""
    picture, (axis,) = _axes(1, (6.5, 1.2 + len(codes) * (0.17 + 0.06 * len(groups))))
    book = Codebook.load()
    for i, ((label, figures), mark) in enumerate(zip(groups.items(), MARKS, strict=False)):
        offset = 0.6 * (i - (len(groups) - 1) / 2) / len(groups)
        places = [len(codes) - 1 - row - offset for row in range(len(codes))]
        _points(axis, [figures[code] for code in codes], places, mark, label, scale=100)
    axis.set_yticks(range(len(codes))[::-1], [f"{book[code].name} ({code})" for code in codes])
    axis.set_xlabel(f"% of {unit}s")
    axis.set_xlim(0, None)
    axis.set_ylim(-0.7, len(codes) - 0.3)
    axis.grid(axis="y", color="#dddddd", linewidth=0.5)
    if len(groups) > 1:
        axis.legend(frameon=False)
    return picture


def _axes(count: int, size: tuple[float, float]) -> "tuple[Picture, Sequence[Axes]]":
    figure = need("matplotlib.figure", "analysis").Figure(figsize=size, layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False, sharey=True)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, axes


def _points(
    axis: "Axes",
    figures: Sequence["Figure"],
    places: Sequence[float],
    mark: tuple[str, str],
    label: str = "",
    scale: float = 1,
) -> None:
    """Values with their intervals, where there are any."""
    color, shape = mark
    style: dict[str, Any] = {"color": color, "markersize": 5, "linestyle": "none", "label": label or None}
    told = [(one.value * scale, place) for one, place in zip(figures, places, strict=True) if one.value is not None]
    axis.plot([value for value, _ in told], [place for _, place in told], shape, **style)
    for one, place in zip(figures, places, strict=True):
        if one.low is not None and one.high is not None:
            axis.plot([one.low * scale, one.high * scale], [place, place], color=color, linewidth=1.3)
