"""The summaries of MITI 4.2.1 and MISC 2.5 from counts, for one row of counts or for many at once.

Where a formula needs what the codes do not tell, it says so in place of a number: the depth of reflections, whether
advice came with permission, or codes that gold leaves open. Thresholds are those that MITI 4.2.1 gives as expert
opinion; it has no norms.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mi_coder.evaluation.metrics import Floats
from mi_coder.measures.tally import AT, CODES, OPEN

MOST_UNKNOWN = 0.2
"""With a greater share of reflections without depth, or of advice without permission, a summary is not given. Nor is it
where gold leaves one of its codes open in more units than this share of the times that its codes are given."""
NEEDS_DEPTH = "needs depth: reflections are not told simple from complex"
CANNOT_TELL = "cannot tell which side: advice or concern without a code for permission"
NOTHING = "nothing to divide by"
LEFT_OPEN = "gold leaves codes open"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a profile.

    Attributes:
        name: as it is written.
        formula: in codes, with the manual it is from.
        top, bottom: [..., columns] -> [...] numerator and denominator.
        needs: why it cannot be given with these counts, or an empty string.
        fair, good: thresholds, where the manual has any.
    """

    name: str
    formula: str
    top: Callable[[Floats], Floats]
    bottom: Callable[[Floats], Floats]
    needs: Callable[[Floats], str]
    fair: float | None = None
    good: float | None = None

    def value(self, counts: Floats) -> Floats:
        """[...] of counts [..., columns]; not a number where there is nothing to divide by."""
        bottom = self.bottom(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(bottom > 0, self.top(counts) / bottom, np.nan), dtype=np.float64)


def _sum(*names: str) -> Callable[[Floats], Floats]:
    places = [AT[name] for name in names]
    return lambda counts: np.asarray(counts[..., places].sum(axis=-1))


def _nothing(counts: Floats) -> str:
    return ""


def _open(*codes: str) -> Callable[[Floats], str]:
    def needs(counts: Floats) -> str:
        unknown = {code: counts[AT[OPEN[code]]] for code in codes}
        given = sum(counts[AT[code]] for code in codes)
        if max(unknown.values()) <= MOST_UNKNOWN * given:
            return ""
        return f"{LEFT_OPEN}: {', '.join(code for code in codes if unknown[code])}"

    return needs


def _first(*checks: Callable[[Floats], str]) -> Callable[[Floats], str]:
    """The first reason that one of the checks has."""
    return lambda counts: next((reason for check in checks if (reason := check(counts))), "")


def _known_units(code: str) -> Callable[[Floats], Floats]:
    return lambda counts: np.asarray(counts[..., AT["units"]] - counts[..., AT[OPEN[code]]])


def _all_open(code: str) -> Callable[[Floats], str]:
    def needs(counts: Floats) -> str:
        units = counts[AT["units"]]
        return f"{LEFT_OPEN}: {code}" if units and units == counts[AT[OPEN[code]]] else ""

    return needs


def _depth(counts: Floats) -> str:
    reflections, known = counts[AT["REF"]], counts[AT["REF:simple"]] + counts[AT["REF:complex"]]
    return NEEDS_DEPTH if reflections - known > MOST_UNKNOWN * reflections else ""


def _sides(*codes: str) -> Callable[[Floats], str]:
    def needs(counts: Floats) -> str:
        given = sum(counts[AT[code]] for code in codes)
        known = sum(counts[AT[f"{code}:{side}"]] for code in codes for side in ("with", "without"))
        return CANNOT_TELL if given - known > MOST_UNKNOWN * given else ""

    return needs


_QUESTIONS = _sum("OQ", "CQ")
_MICO = ("PR:with", "AF", "EA", "SC", "OQ", "RC:with", "REF", "SU")
_MIIN = ("PR:without", "CO", "DI", "RC:without", "WA")
_EITHER = tuple(dict.fromkeys(name.partition(":")[0] for name in (*_MICO, *_MIIN)))

SUMMARIES: tuple[Measure, ...] = (
    Measure("R:Q", "REF / (OQ + CQ), MITI 4.2.1", _sum("REF"), _QUESTIONS, _open("REF", "OQ", "CQ"), 1.0, 2.0),
    Measure(
        "% complex reflections",
        "complex / (simple + complex), MITI 4.2.1",
        _sum("REF:complex"),
        _sum("REF:simple", "REF:complex"),
        _first(_open("REF"), _depth),
        0.4,
        0.5,
    ),
    Measure("% open questions", "OQ / (OQ + CQ), MISC 2.5", _sum("OQ"), _QUESTIONS, _open("OQ", "CQ")),
    Measure(
        "MI-adherent per unit",
        "(SC + AF + EA) / units, MITI 4.2.1 total MIA",
        _sum("SC", "AF", "EA"),
        _sum("units"),
        _open("SC", "AF", "EA"),
    ),
    Measure(
        "MI-non-adherent per unit",
        "(CO + PR without permission) / units, MITI 4.2.1 total MINA",
        _sum("CO", "PR:without"),
        _sum("units"),
        _first(_open("CO", "PR"), _sides("PR")),
    ),
    Measure(
        "% MI-consistent",
        f"MICO / (MICO + MIIN), MISC 2.5: MICO = {' + '.join(_MICO)}; MIIN = {' + '.join(_MIIN)}",
        _sum(*_MICO),
        _sum(*_MICO, *_MIIN),
        _first(_open(*_EITHER), _sides("PR", "RC")),
    ),
    Measure(
        "talk share",
        "counselor's words / all words",
        _sum("counselor_words"),
        _sum("counselor_words", "client_words"),
        _nothing,
    ),
)

RATES: tuple[Measure, ...] = tuple(
    Measure(code, f"{code} / units", _sum(code), _known_units(code), _all_open(code)) for code in CODES
)

MEASURES = (*SUMMARIES, *RATES)
