"""Figures in words: the value, its interval, the two numbers that it is made of, and what it does not hold."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mi_coder.measures.profile import Figure

CORRECTED = "*"
"""Stands behind values that are corrected for the tagger's errors."""
_LEGEND = f"{CORRECTED} corrected for the tagger's errors on the validated chats"


def shown(figure: "Figure") -> str:
    """A figure with all that belongs to it; the reason where it has no value."""
    if figure.value is None:
        return figure.note
    if figure.denominator is None:
        return f"{number(figure.value)}{mark(figure)}{_between(figure, number)}"
    return f"{figure.value:.2f}{mark(figure)}{_between(figure, '{:.2f}'.format)}  ({made_of(figure, ' / ')})"


def mark(figure: "Figure") -> str:
    """The sign of a corrected figure, to be put behind its value."""
    return CORRECTED if figure.corrected else ""


def corrected_legend(figures: Iterable["Figure"]) -> list[str]:
    """What the sign means, where one of the figures bears it."""
    return [_LEGEND] if any(figure.corrected for figure in figures) else []


def made_of(figure: "Figure", over: str) -> str:
    """Numerator and denominator; nothing where it has none.

    Args:
        over: what stands between the two.
    """
    if figure.numerator is None or figure.denominator is None:
        return ""
    told = "{:,.1f}".format if figure.corrected else number
    return f"{told(figure.numerator)}{over}{told(figure.denominator)}"


def notes(figures: Iterable["Figure"]) -> list[str]:
    """What values do not hold, each once, with the measures that it is said of."""
    return _by_note(figure for figure in figures if figure.value is not None)


def reasons(figures: Iterable["Figure"]) -> list[str]:
    """Why figures have no value, each once, with the measures that it is said of."""
    return _by_note(figure for figure in figures if figure.value is None)


def number(value: float) -> str:
    """A count: whole, or with one digit where it is not."""
    return f"{value:,.1f}".removesuffix(".0")


def _by_note(figures: Iterable["Figure"]) -> list[str]:
    measures: dict[str, dict[str, None]] = defaultdict(dict)
    for figure in figures:
        if figure.note:
            measures[figure.note][figure.measure] = None
    return [f"{', '.join(names)}: {note}" for note, names in measures.items()]


def _between(figure: "Figure", told: Callable[[float], str]) -> str:
    return "" if figure.low is None or figure.high is None else f"  [{told(figure.low)}, {told(figure.high)}]"
