"""Pictures of outcome models. Each function returns a matplotlib figure; nothing is shown and no state is kept.

Colors are those of Okabe and Ito, which people with any color vision tell apart; marks differ in shape too, so that a
print in gray can be read.
"""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mi_coder.arrays import Bools, Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.balance import Balance, CovariateBalance
from mi_coder.outcomes.label_error import FOUND_PER_TRUE, RECALL
from mi_coder.outcomes.multiplicity import CLEAR
from mi_coder.outcomes.propensity import Propensity
from mi_coder.pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SVG = {"svg.hashsalt": "mi_coder", "svg.fonttype": "none"}
_SIZE = {"font.size": 9}
# Effects and ends of intervals beyond this ratio are drawn at it.
_WIDEST_RATIO = 1e9
# A ratio axis up to the first from end to end has even ticks; up to the next ones, these parts of each power of 10.
_NARROW = 2.5
_PARTS: Mapping[float, tuple[float, ...]] = {6.0: (1, 1.5, 2, 3, 4, 5, 7), 300.0: (1, 2, 5), math.inf: (1,)}
_LINE = 40
_PIECES = re.compile(rf".{{1,{_LINE}}}$|.{{1,{_LINE - 1}}}[ _/]|.{{1,{_LINE}}}")
_TWO_LINES = 0.34
"""Inches that two lines of a name take."""


@dataclass(frozen=True)
class _Mark:
    label: str
    color: str
    shape: str


_MARKS: Mapping[str, _Mark] = {
    "": _Mark("uncorrected", BLUE, "o"),
    "naive": _Mark("naive (tagger as true)", ORANGE, "s"),
    "gold": _Mark("gold chats only", BLUE, "D"),
    "ptd": _Mark("corrected", BLACK, "o"),
}
_LEVELS = {"within": "Within counselors", "between": "Between counselors", "": ""}


def save(figure: "Figure", stem: Path) -> None:
    """Write `stem`.svg and `stem`.png."""
    for ending, content in drawn(figure).items():
        stem.with_name(stem.name + ending).write_bytes(content)


def drawn(figure: "Figure") -> dict[str, bytes]:
    """A figure as the files `.svg` and `.png`, the same bytes for the same figure."""
    from matplotlib import rc_context

    svg, png = BytesIO(), BytesIO()
    with rc_context(_SVG):
        # A layout moves a little each time it is made: once, and then it stays.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return {".svg": svg.getvalue(), ".png": png.getvalue()}


def forest(tidy: pd.DataFrame) -> "Figure":
    """Effects of one model with intervals: naive, gold-only and corrected, within and between counselors side by side.

    Filled marks have q < .05. Each level has an axis of its own; one without corrected rows beside one with says so.

    Args:
        tidy: rows of one outcome and model; of several designs the last one is drawn, and covariates are left out: they
            have units of their own.

    Raises:
        UsageProblem: there is no technique among the rows.
    """
    tidy = tidy[tidy["code"] != ""]
    if tidy.empty:
        raise UsageProblem("No technique to draw: the rows of this outcome and model are of covariates alone.")
    tidy = tidy[tidy["design"] == tidy["design"].iloc[-1]]
    levels = [level for level in ("within", "between", "") if (tidy["level"] == level).any()]
    codes = list(dict.fromkeys(tidy["code"]))
    corrections = [name for name in _MARKS if (tidy["correction"] == name).any()]
    names = [_name(code) for code in codes]
    height = 1.4 + len(codes) * max(_line(names), 0.13 * len(corrections) + 0.1)
    figure, axes = _axes(len(levels), (3.2 + 3.6 * len(levels), height), sharey=True)
    place = {code: len(codes) - 1 - i for i, code in enumerate(codes)}
    ratio = "ratio" in tidy["unit"].iloc[0]
    for axis, level in zip(axes, levels, strict=True):
        _null_line(axis, 1.0 if ratio else 0.0)
        for i, correction in enumerate(corrections):
            rows = tidy[(tidy["level"] == level) & (tidy["correction"] == correction)]
            offset = (len(corrections) - 1) / 2 * 0.24 - i * 0.24
            places = np.array([place[code] for code in rows["code"]], dtype=float) + offset
            _points(axis, rows, places, _MARKS[correction], ratio)
        if ratio:
            _log_ratio_axis(axis)
        own = set(tidy.loc[tidy["level"] == level, "correction"])
        axis.set_title(_LEVELS[level] + (", not corrected" if "ptd" in {*corrections} - own else ""), fontsize=10)
        axis.set_xlabel(tidy["unit"].iloc[0].replace(" per ", "\nper "))
        axis.set_ylim(-0.7, len(codes) - 0.3)
        axis.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes[0].set_yticks(list(place.values()), names, parse_math=False)
    if tidy["q_bh"].notna().any():
        axes[0].plot([], [], " ", label="filled: q < .05")
    _legend(figure, axes[0], columns=len(corrections) + 1)
    return figure


def predicted_ratings(frame: pd.DataFrame, use: str = "Use of the technique", title: str = "") -> "Figure":
    """Predicted probability of each rating over the use of a technique, with bands from low to high.

    Args:
        frame: columns share, level, probability, low, high.
        use: which technique and in which unit, below the axis.
        title: above the picture.
    """
    figure, (axis,) = _axes(1, (6.0, 4.0))
    levels = sorted(frame["level"].unique())
    colors = [VERMILION, ORANGE, PURPLE, SKY, BLUE, GREEN, BLACK]
    styles = ["-", "--", "-.", ":"]
    band = 0.15 if len(levels) <= len(colors) else 0.06
    for i, level in enumerate(levels):
        rows = frame[frame["level"] == level].sort_values("share")
        color = colors[i % len(colors)]
        axis.plot(
            rows["share"], rows["probability"], color=color, linestyle=styles[i % len(styles)], label=f"{level:g}"
        )
        axis.fill_between(rows["share"], rows["low"], rows["high"], color=color, alpha=band, linewidth=0)
    axis.set_ylim(0, None)
    axis.set_xlabel(textwrap.fill(use, 2 * _LINE), parse_math=False)
    axis.set_ylabel("Predicted probability")
    axis.set_title(title, fontsize=10, parse_math=False)
    axis.legend(title="rating", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def love_plot(balance: Balance) -> "Figure":
    """Standardized mean differences of all covariates before and after matching; infinite ones stand in the label."""
    names = [_lines(row.name + _infinite(row)) for row in balance.covariates]
    figure, (axis,) = _axes(1, (6.5, 1.4 + max(_line(names), 0.3) * len(names)))
    places = np.arange(len(names))[::-1]
    _null_line(axis, 0.0)
    for limit in (-balance.threshold, balance.threshold):
        axis.axvline(limit, color="#777777", linestyle="--", linewidth=0.8)
    axis.plot([row.before.smd for row in balance.covariates], places, "s", color=ORANGE, mfc="white", label="before")
    axis.plot([row.after.smd for row in balance.covariates], places, "o", color=BLACK, label="after")
    axis.set_yticks(places, names, parse_math=False)
    axis.set_xlabel("Standardized mean difference")
    axis.grid(axis="y", color="#dddddd", linewidth=0.5)
    _legend(figure, axis, columns=2)
    return figure


def overlap(propensity: Propensity, treated: Bools) -> "Figure":
    """Propensity scores of treated (up) and untreated rows (down), on the logit scale."""
    figure, (axis,) = _axes(1, (6.0, 3.6))
    edges = np.histogram_bin_edges(propensity.logit, bins=30)
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    for chosen, sign, color, label in ((treated, 1, BLUE, "treated"), (~treated, -1, ORANGE, "untreated")):
        counts = np.histogram(propensity.logit[chosen], edges)[0]
        axis.bar(middle, sign * counts, width, color=color, edgecolor="white", linewidth=0.4, label=label)
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axis.set_xlabel("Logit of the propensity score")
    axis.set_ylabel("Rows")
    _legend(figure, axis, columns=2)
    return figure


def experience_curves(
    curves: pd.DataFrame, fit: pd.DataFrame | None = None, title: str = "", measure: str = ""
) -> "Figure":
    """Share of messages with a code over experience: a thin line per counselor, and the fit within counselors.

    Args:
        curves: columns counselor, experience, share.
        fit: columns experience, share, low, high.
        title: above the picture.
        measure: what experience is, below the axis.
    """
    figure, (axis,) = _axes(1, (6.0, 4.0))
    for i, (_, rows) in enumerate(curves.groupby("counselor", sort=False)):
        label = "each counselor" if i == 0 else None
        axis.plot(rows["experience"], 100 * rows["share"], color=SKY, linewidth=0.8, alpha=0.6, label=label)
    if fit is not None:
        axis.plot(fit["experience"], 100 * fit["share"], color=BLACK, linewidth=1.8, label="within counselors")
        axis.fill_between(fit["experience"], 100 * fit["low"], 100 * fit["high"], color=BLACK, alpha=0.15, linewidth=0)
    axis.set_ylim(0, None)
    axis.set_xlabel(f"Experience: {measure}" if measure else "Experience", parse_math=False)
    axis.set_ylabel("% of messages")
    axis.set_title(title, fontsize=10, parse_math=False)
    _legend(figure, axis, columns=2)
    return figure


def error_by_outcome(frame: pd.DataFrame) -> "Figure":
    """What the tagger finds of each code in the lower and the upper half of the outcome, with 95% intervals.

    Args:
        frame: columns code, stratum, recall (or found_per_true, which may be above 1), low, high.
    """
    measure = RECALL if RECALL in frame else FOUND_PER_TRUE
    frame = frame.dropna(subset=[measure])
    codes = list(dict.fromkeys(frame["code"]))
    names = [_name(code) for code in codes]
    figure, (axis,) = _axes(1, (6.5, 1.4 + 0.36 * max(len(codes), 1)))
    place = {code: len(codes) - 1 - i for i, code in enumerate(codes)}
    for stratum, offset, mark in (
        ("lower", 0.13, _Mark("lower half of the outcome", VERMILION, "s")),
        ("upper", -0.13, _Mark("upper half of the outcome", BLUE, "o")),
    ):
        rows = frame[frame["stratum"] == stratum]
        places = np.array([place[code] for code in rows["code"]], dtype=float) + offset
        spread = np.clip([rows[measure] - rows["low"], rows["high"] - rows[measure]], 0, None)
        axis.errorbar(
            rows[measure], places, xerr=spread, fmt=mark.shape, color=mark.color, ms=4.5, lw=1.2, label=mark.label
        )
    axis.set_yticks(list(place.values()), names, parse_math=False)
    if measure == RECALL:
        axis.set_xlim(-0.02, 1.02)
        axis.set_xlabel("Recall of the tagger on gold chats")
    else:
        _null_line(axis, 1.0)
        axis.set_xlim(-0.02, None)
        axis.set_xlabel("Messages found per true message on gold chats (false alarms count, too)")
    axis.set_ylim(-0.7, max(len(codes), 1) - 0.3)
    axis.grid(axis="y", color="#dddddd", linewidth=0.5)
    _legend(figure, axis, columns=2)
    return figure


def interval_widths(
    frame: pd.DataFrame, level: float, pilot: tuple[int, float], wanted: float | None = None
) -> "Figure":
    """Expected width of the interval of one technique over the number of gold chats, a line per number of chats.

    Args:
        frame: columns technique, chats, gold, width.
        level: of the intervals, such as 0.95.
        pilot: its gold chats, and the width that it gives.
        wanted: a width, drawn as a dashed line.
    """
    figure, (axis,) = _axes(1, (6.5, 3.8))
    colors, styles = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY], ["-", "--", "-.", ":"]
    for i, (chats, rows) in enumerate(frame.groupby("chats")):
        color, style = colors[i % len(colors)], styles[i % len(styles)]
        axis.plot(rows["gold"], rows["width"], color=color, linestyle=style, label=f"{chats:,}")
    axis.plot(*pilot, "o", color=BLACK, ms=4.5, label="the pilot")
    if wanted is not None:
        axis.axhline(wanted, color="#777777", linestyle="--", linewidth=0.9)
    axis.set_xlim(0, None)
    axis.set_ylim(0, None)
    axis.set_xlabel("Chats with gold codes")
    axis.set_ylabel(f"Width of the {100 * level:g}% interval")
    axis.set_title(_name(frame["technique"].iloc[0]), fontsize=10, parse_math=False)
    axis.legend(title="chats in all", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _axes(count: int, size: tuple[float, float], **options: Any) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_SIZE):
        figure = Figure(figsize=size, layout="constrained")
        axes = list(figure.subplots(1, count, squeeze=False, **options)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _points(axis: "Axes", rows: pd.DataFrame, places: Floats, mark: _Mark, ratio: bool) -> None:
    """Effects with intervals; those that are clear of chance filled."""
    effect, low, high = (rows[name].to_numpy(dtype=float) for name in ("effect", "effect_low", "effect_high"))
    if ratio:
        effect, low, high = (np.clip(each, 1 / _WIDEST_RATIO, _WIDEST_RATIO) for each in (effect, low, high))
    spread = np.clip([effect - low, high - effect], 0, None)
    axis.errorbar(effect, places, xerr=spread, fmt="none", color=mark.color, elinewidth=1.2)
    clear = (rows["q_bh"] < CLEAR).to_numpy()
    for chosen, face in ((clear, mark.color), (~clear, "white")):
        axis.plot(effect[chosen], places[chosen], mark.shape, color=mark.color, mfc=face, ms=4.5)
    axis.plot([], [], mark.shape, color=mark.color, label=mark.label, ms=4.5)


def _log_ratio_axis(axis: "Axes") -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(ratio_ticks(*axis.get_xlim())))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())


def ratio_ticks(low: float, high: float) -> list[float]:
    """Two to nine round ratios from low to high, with 1 where it is between."""
    from matplotlib.ticker import MaxNLocator

    if high / low <= _NARROW:
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
        return [round(float(tick), 12) for tick in ticks if low <= tick <= high]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    parts = next(parts for widest, parts in _PARTS.items() if high / low <= widest)
    every = 1 if len(parts) > 1 else max(1, math.ceil((last - first) / 8))
    powers = [power for power in range(first, last + 1) if power % every == 0]
    ticks = [float(f"{part}e{power}") for power in powers for part in parts]
    return [tick for tick in ticks if low <= tick <= high]


def _infinite(row: CovariateBalance) -> str:
    sides = [side for side, gap in (("before", row.before), ("after", row.after)) if np.isinf(gap.smd)]
    return f" (∞ {' and '.join(sides)})" if sides else ""


def _null_line(axis: "Axes", value: float) -> None:
    axis.axvline(value, color="#777777", linewidth=0.9)


def _legend(figure: "Figure", axis: "Axes", columns: int) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=9)


def _name(code: str) -> str:
    known = Codebook.load().get(code)
    return _lines(f"{known.name} ({code})" if known else code)


def _lines(name: str) -> str:
    """The name on at most two lines; of a longer one the beginning and the end, which is where they often differ."""
    kept = " ".join(name.split())
    parts: list[str] = _PIECES.findall(kept)
    if len(parts) > 2:
        parts = [kept[:_LINE], f"…{kept[1 - _LINE :]}"]
    return "\n".join(part.strip() for part in parts)


def _line(names: Sequence[str]) -> float:
    """Inches that each name takes."""
    return _TWO_LINES if any("\n" in name for name in names) else 0.26
