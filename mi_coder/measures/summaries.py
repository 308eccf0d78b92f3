"""The summaries of MITI 4.2.1 and MISC 2.5 from counts, for one row of counts or for many at once.

Where a formula needs what the codes do not say, the reason stands in place of a number: the depth of reflections,
whether advice came with permission, or codes that gold leaves open. Thresholds are those that MITI 4.2.1 gives as
expert opinion; it has no norms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook, Standing
from mi_coder.measures.tally import AT, CODES, DETAILS, OPEN, Unit
from mi_coder.measures.words import NO_WIDTH, amount, by_unit

MOST_UNKNOWN = 0.2
"""With a greater share of reflections without depth, or of advice without permission, a summary is not given. Nor is it
where gold leaves one of its codes open in more units than this share of the times that its codes are given."""
NEEDS_DEPTH = "needs depth: simple and complex reflections are not distinguished"
CANNOT_TELL = "cannot tell which side: advice or concern without a code for permission"
NOTHING = "nothing to divide by"
LEFT_OPEN = "gold leaves codes open"
LEGEND = (
    f"How they are made. Brackets: 95% intervals over conversations. {NO_WIDTH} Fair and good are opinions of "
    "experts on spoken sessions: context, and no verdict."
)


Row = Sequence[float]
"""[columns] counts of one group."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a profile.

    Attributes:
        name: as it is written.
        formula: in codes, with the manual it is from.
        top, bottom: columns that are added up to the numerator and the denominator; a total has no denominator.
        off: columns that are taken off the denominator.
        needs: why it cannot be given with these counts of one group, or an empty string.
        fair, good: thresholds, where the manual has any.
    """

    name: str
    formula: str
    top: Sequence[str]
    bottom: Sequence[str]
    needs: Callable[[Row], str]
    fair: float | None = None
    good: float | None = None
    off: Sequence[str] = ()

    def numerator(self, counts: Floats) -> Floats:
        """[...] of counts [..., columns]."""
        return _sum(counts, self.top)

    def denominator(self, counts: Floats) -> Floats:
        """[...] of counts [..., columns]; of a total 1."""
        return _sum(counts, self.bottom) - _sum(counts, self.off) if self.bottom else np.ones(counts.shape[:-1])

    def value(self, counts: Floats) -> Floats:
        """[...] of counts [..., columns]; not a number where there is nothing to divide by."""
        bottom = self.denominator(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(bottom > 0, self.numerator(counts) / bottom, np.nan), dtype=np.float64)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that it counts."""
        return tuple(dict.fromkeys(code for name in self._counted if (code := name.partition(":")[0]) in CODES))

    @property
    def split(self) -> tuple[str, ...]:
        """The codes of which it needs the depth or the permission."""
        return tuple(dict.fromkeys(name.partition(":")[0] for name in self._counted if name in DETAILS))

    @property
    def _counted(self) -> tuple[str, ...]:
        return (*self.top, *self.bottom)


def _sum(counts: Floats, names: Sequence[str]) -> Floats:
    # `take` and not an index: its rows are contiguous, so that each sum is the same to the last bit among many rows.
    return np.asarray(counts.take([AT[name] for name in names], axis=-1).sum(axis=-1))


def _nothing(counts: Row) -> str:
    return ""


def _open(*codes: str) -> Callable[[Row], str]:
    def needs(counts: Row) -> str:
        unknown = {code: counts[AT[OPEN[code]]] for code in codes}
        given = sum(counts[AT[code]] for code in codes)
        if max(unknown.values()) <= MOST_UNKNOWN * given:
            return ""
        return f"{LEFT_OPEN}: {', '.join(code for code in codes if unknown[code])}"

    return needs


def _first(*checks: Callable[[Row], str]) -> Callable[[Row], str]:
    """The first reason that one of the checks has."""
    return lambda counts: next((reason for check in checks if (reason := check(counts))), "")


def _all_open(code: str) -> Callable[[Row], str]:
    def needs(counts: Row) -> str:
        units = counts[AT["units"]]
        return f"{LEFT_OPEN}: {code}" if units and units == counts[AT[OPEN[code]]] else ""

    return needs


def _depth(counts: Row) -> str:
    reflections, known = counts[AT["REF"]], counts[AT["REF:simple"]] + counts[AT["REF:complex"]]
    return NEEDS_DEPTH if reflections - known > MOST_UNKNOWN * reflections else ""


def _sides(*codes: str) -> Callable[[Row], str]:
    def needs(counts: Row) -> str:
        given = sum(counts[AT[code]] for code in codes)
        known = sum(counts[AT[f"{code}:{side}"]] for code in codes for side in ("with", "without"))
        return CANNOT_TELL if given - known > MOST_UNKNOWN * given else ""

    return needs


def _standing(grouping: str, wanted: Standing) -> tuple[str, ...]:
    """The columns that a manual counts on one side, as the codebook has it."""
    return tuple(
        f"{code.id}:{side}" if side else code.id
        for code in Codebook.load().codes
        for side in (("with", "without") if "permission" in code.attributes else (None,))
        if code.standing(grouping, side) == wanted
    )


def _told(*columns: str) -> Callable[[Row], str]:
    """Gold settles their codes, and permission is known where it decides."""
    codes = [name.partition(":")[0] for name in columns]
    split = [code for code, name in zip(codes, columns, strict=True) if name in DETAILS]
    return _first(_open(*dict.fromkeys(codes)), _sides(*dict.fromkeys(split)))


def _written(columns: Sequence[str]) -> str:
    """A sum of columns, such as CO + PR without permission."""
    return " + ".join(f"{name.replace(':', ' ')} permission" if name in DETAILS else name for name in columns)


_QUESTIONS = ("OQ", "CQ")
_CONCERN = {"RC:with", "RC:without"}
"""MITI has no code for a raised concern; the codebook's links of it to codes of MITI are weak."""
_MIA = tuple(name for name in _standing("miti", "adherent") if name not in _CONCERN)
_MINA = tuple(name for name in _standing("miti", "non-adherent") if name not in _CONCERN)
_MICO, _MIIN = _standing("misc", "adherent"), _standing("misc", "non-adherent")
_TOTAL_MIA = "MITI 4.2.1 total MIA"
_TOTAL_MINA = "MITI 4.2.1 total MINA; WA is in its Confront, and RC, for which it has no code, is left out"

SUMMARIES: tuple[Measure, ...] = (
    Measure("R:Q", "REF / (OQ + CQ), MITI 4.2.1", ("REF",), _QUESTIONS, _open("REF", "OQ", "CQ"), 1.0, 2.0),
    Measure(
        "% complex reflections",
        "complex / (simple + complex), MITI 4.2.1",
        ("REF:complex",),
        ("REF:simple", "REF:complex"),
        _first(_open("REF"), _depth),
        0.4,
        0.5,
    ),
    Measure("% open questions", "OQ / (OQ + CQ), MISC 2.5", ("OQ",), _QUESTIONS, _open("OQ", "CQ")),
    Measure("MI-adherent per unit", f"({_written(_MIA)}) / units, {_TOTAL_MIA}", _MIA, ("units",), _told(*_MIA)),
    Measure(
        "MI-non-adherent per unit", f"({_written(_MINA)}) / units, {_TOTAL_MINA}", _MINA, ("units",), _told(*_MINA)
    ),
    Measure(
        "% MI-consistent",
        f"MICO / (MICO + MIIN), MISC 2.5: MICO = {_written(_MICO)}; MIIN = {_written(_MIIN)}. SC is consistent, as "
        "MISC 2.5 codes asking permission as emphasizing control",
        _MICO,
        (*_MICO, *_MIIN),
        _told(*_MICO, *_MIIN),
    ),
    Measure(
        "talk share",
        "counselor's words / all words",
        ("counselor_words",),
        ("counselor_words", "client_words"),
        _nothing,
    ),
)

TOTALS: tuple[Measure, ...] = (
    Measure("MI-adherent total", f"{_written(_MIA)}, {_TOTAL_MIA}", _MIA, (), _told(*_MIA)),
    Measure("MI-non-adherent total", f"{_written(_MINA)}, {_TOTAL_MINA}", _MINA, (), _told(*_MINA)),
)

RATES: tuple[Measure, ...] = tuple(
    Measure(code, f"{code} / units", (code,), ("units",), _all_open(code), off=(OPEN[code],)) for code in CODES
)

MEASURES = (*SUMMARIES, *TOTALS, *RATES)


def thresholds(measure: Measure) -> dict[str, str]:
    """The thresholds of MITI 4.2.1 by name, as they are shown; empty where it has none."""
    both = {"fair": measure.fair, "good": measure.good}
    return {name: amount(measure.name, value, "g") for name, value in both.items() if value is not None}


def legend(unit: Unit = "message") -> str:
    """How the summaries are made, a line each, with the thresholds of MITI 4.2.1 as context."""
    lines = [LEGEND]
    for one in (*SUMMARIES, *TOTALS):
        limits = ", ".join(f"{name} {value}" for name, value in thresholds(one).items())
        lines.append(f"  {by_unit(one.name, unit):28} {by_unit(one.formula, unit)}" + (f"; {limits}" if limits else ""))
    return "\n".join(lines)
