"""Figures in words: the value, its interval, the two numbers that it is made of, and what it does not account for."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mi_coder.measures.profile import Figure

CORRECTED = "*"
"""Stands behind values that are corrected for the tagger's errors."""
_LEGEND = (
    f"{CORRECTED} corrected for the tagger's errors on the validated chats, on the assumption that recall and false "
    "alarms are alike in all groups; 0 where false alarms alone account for what the tagger found"
)
NO_WIDTH = (
    "Where all conversations have the same value, the interval has no width, such as [0.0%, 0.0%]: that does not mean "
    "that another value is unlikely."
)


def shown(figure: "Figure") -> str:
    """A figure with all that belongs to it; the reason where it has no value."""
    if figure.value is None:
        return figure.note
    if figure.denominator is None:
        return f"{number(figure.value)}{mark(figure)}{_between(figure, number)}"
    told = partial(amount, figure.measure)
    return f"{told(figure.value)}{mark(figure)}{_between(figure, told)}  ({made_of(figure, ' / ')})"


def is_percentage(measure: str) -> bool:
    """Whether a measure is named a percentage, and so is shown as one. Files and frames keep the fraction."""
    return measure.startswith("%")


def amount(measure: str, value: float, plain: str = ".2f") -> str:
    """A value of a measure as it is shown: 58% of what is named a percentage.

    Args:
        plain: the format of other values.
    """
    return f"{value:{'.0%' if is_percentage(measure) else plain}}"


def by_unit(text: str, unit: str) -> str:
    """The name of a measure, or its formula, as it is shown: per message or per volley, whichever was counted."""
    return text.replace("per unit", f"per {unit}").replace("/ units", f"/ {unit}s")


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


def notes(figures: Iterable["Figure"], unit: str) -> list[str]:
    """What values do not account for, each once, with the measures that it is said of."""
    return _by_note((figure for figure in figures if figure.value is not None), unit)


def reasons(figures: Iterable["Figure"], unit: str) -> list[str]:
    """Why figures have no value, each once, with the measures that it is said of."""
    return _by_note((figure for figure in figures if figure.value is None), unit)


def number(value: float) -> str:
    """A count: whole, or with one digit where it is not."""
    return f"{value:,.1f}".removesuffix(".0")


def _by_note(figures: Iterable["Figure"], unit: str) -> list[str]:
    measures: dict[str, dict[str, None]] = defaultdict(dict)
    for figure in figures:
        if figure.note:
            measures[figure.note][by_unit(figure.measure, unit)] = None
    return [f"{', '.join(names)}: {note}" for note, names in measures.items()]


def _between(figure: "Figure", told: Callable[[float], str]) -> str:
    return "" if figure.low is None or figure.high is None else f"  [{told(figure.low)}, {told(figure.high)}]"
