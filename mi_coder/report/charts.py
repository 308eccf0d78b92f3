"""Pictures as inline SVG: no scripts, no addresses, text that can be read aloud, colors of the page.

Shades are steps of one blue, so that people with any color vision order them alike; every cell and point has its number
in the title that shows on hovering, and in a table that the section puts behind the picture.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Any

ROW = 22
FEWEST = 5
"""A share of fewer is not shaded."""
_LABEL = 260
_WIDTH = 720
_LETTER = 6.4
"""Width of a letter, generously."""
_TONES = (("on", 0.75), ("mid", 0.575), ("off", 0.0))
"""How dark a cell is, by its share of the darkest: the style of the page sets the color of its number by it, so that it
has a contrast of 4.5 (WCAG AA) in light and dark."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Widths of a dot chart; where a row is higher than `ROW`, its name stands above the dot."""

    kind: str
    width: int
    left: int
    right: int
    row: int


_BROAD = _Layout("broad", _WIDTH, _LABEL, 60, ROW)
_NARROW = _Layout("narrow", 340, 14, 18, 38)


@dataclass(frozen=True, slots=True)
class Dot:
    """One line of a dot chart.

    Attributes:
        low, high: None without an interval.
        title: what the line says, with its numbers.
        hollow: few cases.
        beside: at most two further values, an upright line and a diamond; None where there is none.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    title: str
    hollow: bool = False
    beside: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One point of a line over periods.

    Attributes:
        text: the value and its interval in words.
    """

    period: str
    value: float | None
    low: float | None
    high: float | None
    text: str = ""


def dots(
    rows: Sequence[Dot],
    label: str,
    percent: bool = True,
    marks: Mapping[float, str] | None = None,
    legend: Sequence[str] = (),
) -> str:
    """A dot and its interval per row, twice: names left of the dots, and above them for narrow screens.

    The style of the page shows one of the two.

    Args:
        label: what the picture shows, for those who hear it.
        marks: lines at some values, and what they mean.
        legend: what the dot and the values of `Dot.beside` are; empty for those that no row has. Not with `marks`.
    """
    return "".join(_dots(rows, label, percent, marks or {}, legend, layout) for layout in (_BROAD, _NARROW))


def _dots(
    rows: Sequence[Dot], label: str, percent: bool, marks: Mapping[float, str], legend: Sequence[str], layout: _Layout
) -> str:
    ends = [end for row in rows for end in (row.value, row.low, row.high, *row.beside) if end is not None]
    start = min([*ends, 0.0])
    ticks = _ticks(max([*ends, *marks], default=0.0) or 1.0, start)
    scale = (layout.width - layout.left - layout.right) / (ticks[-1] - start)
    top = 18 if marks or legend else 4
    height = top + layout.row * len(rows) + 30

    def at(value: float) -> str:
        return f"{layout.left + (value - start) * scale:.1f}"

    parts = []
    for tick in ticks:
        x = at(tick)
        shown = f"{tick:.0%}" if percent else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{height - 24}"/>')
        parts.append(f'<text class="axis" x="{x}" y="{height - 8}" text-anchor="middle">{shown}</text>')
    for i, (value, meaning) in enumerate(sorted(marks.items())):
        x, side = at(value), "end" if i < len(marks) / 2 else "start"
        parts.append(f'<line class="limit" x1="{x}" x2="{x}" y1="4" y2="{height - 24}"/>')
        shift = -3 if side == "end" else 3
        parts.append(f'<text class="axis" x="{x}" dx="{shift}" y="13" text-anchor="{side}">{escape(meaning)}</text>')
    x_legend = float(layout.left)
    for mark, meaning in zip((_dot, _upright, _diamond), legend, strict=False):
        if not meaning:
            continue
        parts.append(mark(f"{x_legend + 5:.1f}", 9))
        parts.append(f'<text class="axis" x="{x_legend + 15:.1f}" y="13">{escape(meaning)}</text>')
        x_legend += 28 + _LETTER * len(meaning)
    for i, row in enumerate(rows):
        y = top + layout.row * (i + 1) - ROW / 2
        name = f'x="{layout.left - 8}" y="{y + 4:.1f}" text-anchor="end"'
        if layout.row > ROW:
            name = f'x="{layout.left}" y="{y - 11:.1f}"'
        parts.append(f"<text {name}>{escape(row.label)}</text>")
        parts.append(f"<g><title>{escape(row.title)}</title>")
        if row.low is not None and row.high is not None:
            parts.append(f'<line class="mark" x1="{at(row.low)}" x2="{at(row.high)}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_dot(at(row.value), y, row.hollow))
        drawn = zip((_upright, _diamond), row.beside, strict=False)
        parts += [mark(at(value), y) for mark, value in drawn if value is not None]
        parts.append("</g>")
    return _svg(parts, layout.width, height, label, layout.kind)


def _dot(x: str, y: float, hollow: bool = False) -> str:
    return f'<circle class="{"mark hollow" if hollow else "mark"}" cx="{x}" cy="{y:.1f}" r="4"/>'


def _upright(x: str, y: float) -> str:
    return f'<line class="upright" x1="{x}" x2="{x}" y1="{y - 6:.1f}" y2="{y + 6:.1f}"/>'


def _diamond(x: str, y: float) -> str:
    return f'<path class="diamond" d="M{x},{y - 5:.1f}l5,5l-5,5l-5,-5z"/>'


@dataclass(frozen=True, slots=True)
class Line:
    """A row or a column of a heat map.

    Attributes:
        short: its name on narrow screens.
        of: what its shares are of, where it has a number of its own.
    """

    name: str
    short: str
    of: int | None = None

    @property
    def few(self) -> bool:
        """Whether its shares are of too few to be shaded."""
        return self.of is not None and self.of < FEWEST


def heat(rows: Sequence[Line], columns: Sequence[Line], values: Sequence[Sequence[float | None]], label: str) -> str:
    """Shares as shades, with the percent in cells of 10% and more; those of fewer than `FEWEST` stay blank.

    It comes twice, as `dots`: for narrow screens with short names.

    Args:
        values: [rows][columns] from 0 to 1; None where there is nothing to count.
    """
    shown = [
        [None if row.few or column.few else value for column, value in zip(columns, line, strict=True)]
        for row, line in zip(rows, values, strict=True)
    ]
    return "".join(
        _heat(rows, columns, shown, label, *layout) for layout in (("broad", 740, 280), ("narrow", 336, 100))
    )


def _heat(
    rows: Sequence[Line],
    columns: Sequence[Line],
    values: Sequence[Sequence[float | None]],
    label: str,
    kind: str,
    width: int,
    left: int,
) -> str:
    cell = max(min((width - left) / max(len(columns), 1), 60), 24)
    first = 22 if all(column.of is None for column in columns) else 36
    top = max((value for line in values for value in line if value is not None), default=1.0) or 1.0
    parts = []
    for j, column in enumerate(columns):
        x = left + cell * (j + 0.5)
        name, n = (column.name, "n ") if kind == "broad" else (column.short, "")
        parts.append(f'<text class="axis" x="{x:.1f}" y="14" text-anchor="middle">{escape(name)}</text>')
        if column.of is not None:
            parts.append(f'<text class="axis" x="{x:.1f}" y="28" text-anchor="middle">{n}{_brief(column.of)}</text>')
    for i, (row, line) in enumerate(zip(rows, values, strict=True)):
        y = first + ROW * i
        name = (row.name if kind == "broad" else row.short) + ("" if row.of is None else f", n {_brief(row.of)}")
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
        if row.few:
            parts.append(f'<text class="axis" x="{left + 6}" y="{y + 15}">fewer than {FEWEST}: not shaded</text>')
        for column, value, x in zip(columns, line, (left + cell * j for j in range(len(columns))), strict=True):
            if value is None:
                continue
            share = value / top
            title = f"{row.name}, {column.name}: {value:.1%}"
            parts.append(
                f'<g><title>{escape(title)}</title><rect class="cell" x="{x:.1f}" y="{y}" width="{cell - 1:.1f}" '
                f'height="{ROW - 1}" style="fill-opacity:{share:.3f}"/>'
            )
            if value >= 0.095:
                tone = next(name for name, least in _TONES if share >= least)
                parts.append(
                    f'<text class="number {tone}" x="{x + cell / 2:.1f}" y="{y + 15}" text-anchor="middle">'
                    f"{value * 100:.0f}</text>"
                )
            parts.append("</g>")
    return _svg(parts, int(left + cell * len(columns) + 4), first + ROW * len(rows) + 4, label, kind)


def _brief(number: int) -> str:
    return f"{number:,}" if number < 10_000 else f"{number / 1000:,.0f}k"


def highest(tracks: Iterable[Sequence[Step]]) -> float:
    """The highest end of all intervals and values; 1 without any."""
    ends = [end for steps in tracks for step in steps for end in (step.value, step.high) if end is not None]
    return max(ends, default=0.0) or 1.0


def line(steps: Sequence[Step], label: str, top: float, percent: bool = False) -> str:
    """A figure over periods with its interval as a band; a hollow dot without one, a gap where there is no figure.

    Args:
        top: what the axis must reach (see `highest`), the same for all pictures that stand side by side.
        percent: label the axis in percent.
    """
    width, height, left, bottom = 320, 130, 40, 22
    across = (width - left - 12) / max(len(steps) - 1, 1)
    ticks = _ticks(top, most=3)
    scale = (height - bottom - 10) / ticks[-1]

    def at(i: int, value: float) -> str:
        return f"{left + across * i:.1f},{height - bottom - value * scale:.1f}"

    parts = []
    for tick in ticks:
        y = height - bottom - tick * scale
        shown = f"{tick:.0%}" if percent else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
    for band in _runs([(step.low, step.high) if step.low is not None else None for step in steps]):
        points = [at(i, high) for i, (_, high) in band] + [at(i, low) for i, (low, _) in reversed(band)]
        parts.append(f'<polygon class="band" points="{" ".join(points)}"/>')
    for path in _runs([step.value for step in steps]):
        parts.append(f'<polyline class="path" points="{" ".join(at(i, value) for i, value in path)}"/>')
    for i, step in enumerate(steps):
        if step.value is None:
            continue
        cx, cy = at(i, step.value).split(",")
        parts.append(
            f"<g><title>{escape(f'{step.period}: {step.text}')}</title>"
            f'<circle class="{"mark hollow" if step.low is None else "mark"}" cx="{cx}" cy="{cy}" r="3.5"/></g>'
        )
    for i in sorted({0, len(steps) - 1}):
        anchor = "start" if i == 0 else "end"
        x = left if i == 0 else width - 8
        parts.append(
            f'<text class="axis" x="{x}" y="{height - 5}" text-anchor="{anchor}">{escape(steps[i].period)}</text>'
        )
    return _svg(parts, width, height, label)


def _runs(values: Sequence[Any]) -> list[list[tuple[int, Any]]]:
    """The values that are there, with their places, in runs without a gap."""
    runs: list[list[tuple[int, Any]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((i, value))
    return [run for run in runs if run]


def _svg(parts: Sequence[str], width: int, height: int, label: str, kind: str = "") -> str:
    shown = f'class="{kind}" ' if kind else ""
    return (
        f'<svg {shown}viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _ticks(top: float, bottom: float = 0.0, most: int = 5) -> list[float]:
    """In about `most` round steps, with 0 among them, from `bottom` to above `top`."""
    sizes = (size * 10.0**power for power in range(-4, 5) for size in (1, 2, 5))
    step = next(size for size in sizes if (top - bottom) / size < most + 0.5)
    return [step * i for i in range(ceil(bottom / step), max(ceil(round(top / step, 9)), 1) + 1)]
