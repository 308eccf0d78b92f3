"""Pictures as inline SVG: no scripts, no addresses, text that can be read aloud, colors of the page.

Shades are steps of one blue, so that people with any color vision order them alike; every cell and point has its number
in the title that shows on hovering, and in a table beside the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil

ROW = 22
_LABEL = 260
_WIDTH = 720


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
    """One line of a dot chart; low and high are None without an interval, and few cases make a hollow dot."""

    label: str
    value: float
    low: float | None
    high: float | None
    title: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One point of a line over periods."""

    period: str
    value: float | None
    low: float | None
    high: float | None


def dots(rows: Sequence[Dot], label: str, percent: bool = True, marks: Mapping[float, str] | None = None) -> str:
    """A dot and its interval per row, twice: names left of the dots, and above them for narrow screens.

    The style of the page shows one of the two.

    Args:
        label: what the picture shows, for those who hear it.
        marks: lines at some values, and what they mean.
    """
    return "".join(_dots(rows, label, percent, marks or {}, layout) for layout in (_BROAD, _NARROW))


def _dots(rows: Sequence[Dot], label: str, percent: bool, marks: Mapping[float, str], layout: _Layout) -> str:
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    start = min([*ends, 0.0])
    ticks = _ticks(max([*ends, *marks], default=0.0) or 1.0, start)
    scale = (layout.width - layout.left - layout.right) / (ticks[-1] - start)
    top = 18 if marks else 4
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
    for i, row in enumerate(rows):
        y = top + layout.row * (i + 1) - ROW / 2
        name = f'x="{layout.left - 8}" y="{y + 4:.1f}" text-anchor="end"'
        if layout.row > ROW:
            name = f'x="{layout.left}" y="{y - 11:.1f}"'
        parts.append(f"<text {name}>{escape(row.label)}</text>")
        parts.append(f"<g><title>{escape(row.title)}</title>")
        if row.low is not None and row.high is not None:
            parts.append(f'<line class="mark" x1="{at(row.low)}" x2="{at(row.high)}" y1="{y:.1f}" y2="{y:.1f}"/>')
        kind = "mark hollow" if row.hollow else "mark"
        parts.append(f'<circle class="{kind}" cx="{at(row.value)}" cy="{y:.1f}" r="4"/></g>')
    return _svg(parts, layout.width, height, label, layout.kind)


def heat(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], label: str) -> str:
    """Shares as shades, with the percent in cells of 10 % and more.

    Args:
        values: [rows][columns] from 0 to 1; None where there is nothing to count.
    """
    cell = max(min((_WIDTH - _LABEL) / max(len(columns), 1), 60), 24)
    height = ROW * len(rows) + 26
    top = max((value for row in values for value in row if value is not None), default=1.0) or 1.0
    parts = []
    for j, name in enumerate(columns):
        x = _LABEL + cell * (j + 0.5)
        parts.append(f'<text class="axis" x="{x:.1f}" y="14" text-anchor="middle">{escape(name)}</text>')
    for i, (name, row) in enumerate(zip(rows, values, strict=True)):
        y = 22 + ROW * i
        parts.append(f'<text x="{_LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
        for j, value in enumerate(row):
            if value is None:
                continue
            x, share = _LABEL + cell * j, value / top
            title = f"{name}, {columns[j]}: {value:.1%}"
            parts.append(
                f'<g><title>{escape(title)}</title><rect class="cell" x="{x:.1f}" y="{y}" width="{cell - 1:.1f}" '
                f'height="{ROW - 1}" style="fill-opacity:{share:.3f}"/>'
            )
            if value >= 0.095:
                tone = "on" if share > 0.55 else "off"
                parts.append(
                    f'<text class="number {tone}" x="{x + cell / 2:.1f}" y="{y + 15}" text-anchor="middle">'
                    f"{value * 100:.0f}</text>"
                )
            parts.append("</g>")
    return _svg(parts, int(_LABEL + cell * len(columns) + 4), height, label)


def line(steps: Sequence[Step], label: str, top: float) -> str:
    """A figure over periods with its interval as a band; a gap where there is no figure.

    Args:
        top: the highest value of the axis, the same for all pictures that stand side by side.
    """
    width, height, left, bottom = 320, 130, 34, 22
    across = (width - left - 12) / max(len(steps) - 1, 1)
    scale = (height - bottom - 10) / (top or 1.0)

    def at(i: int, value: float) -> str:
        return f"{left + across * i:.1f},{height - bottom - min(value, top) * scale:.1f}"

    parts = []
    for tick in (0.0, top / 2, top):
        y = height - bottom - tick * scale
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{tick:.2g}</text>')
    band = [(i, step.low, step.high) for i, step in enumerate(steps) if step.low is not None and step.high is not None]
    if len(band) > 1:
        points = [at(i, high) for i, _, high in band] + [at(i, low) for i, low, _ in reversed(band)]
        parts.append(f'<polygon class="band" points="{" ".join(points)}"/>')
    known = [(i, step) for i, step in enumerate(steps) if step.value is not None]
    parts.append(f'<polyline class="path" points="{" ".join(at(i, step.value or 0) for i, step in known)}"/>')
    for i, step in known:
        cx, cy = at(i, step.value or 0).split(",")
        interval = "" if step.low is None else f" [{step.low:.2f}, {step.high:.2f}]"
        parts.append(
            f"<g><title>{escape(f'{step.period}: {step.value:.2f}{interval}')}</title>"
            f'<circle class="mark" cx="{cx}" cy="{cy}" r="3.5"/></g>'
        )
    for i in sorted({0, len(steps) - 1}):
        anchor = "start" if i == 0 else "end"
        x = left if i == 0 else width - 8
        parts.append(
            f'<text class="axis" x="{x}" y="{height - 5}" text-anchor="{anchor}">{escape(steps[i].period)}</text>'
        )
    return _svg(parts, width, height, label)


def _svg(parts: Sequence[str], width: int, height: int, label: str, kind: str = "") -> str:
    shown = f'class="{kind}" ' if kind else ""
    return (
        f'<svg {shown}viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _ticks(top: float, bottom: float = 0.0) -> list[float]:
    """In round steps, with 0 among them, from `bottom` to above `top`."""
    sizes = (size * 10.0**power for power in range(-4, 5) for size in (1, 2, 5))
    step = next(size for size in sizes if (top - bottom) / size < 5.5)
    return [step * i for i in range(ceil(bottom / step), max(ceil(round(top / step, 9)), 1) + 1)]
