"""How far several codings of the same messages agree.

Krippendorff's alpha for nominal values with any number of coders and missing codings (Krippendorff 2011, Computing
Krippendorff's Alpha-Reliability; 2019, Content Analysis, chapter 12). Each code counts as one variable with the values
present and absent. Alpha is 1 where all agree, 0 where they agree as if the values had been drawn from one urn, and
less where they agree even less. Intervals come from resampled conversations.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.evaluation.bootstrap import interval, resampled
from mi_coder.evaluation.metrics import Floats

SAMPLES = 2000
RELIABLE = 0.8
TENTATIVE = 0.667


@dataclass(frozen=True, slots=True)
class Unit:
    """One message and the complete codings that it got, in any order."""

    conversation: str
    codings: tuple[Gold, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the codings agree on one variable: a code (present or absent), or an attribute (its value).

    Attributes:
        name: code id, or the name of the attribute.
        units: messages with at least two codings of this variable.
        share: how many of the codings have the first value (the code is present).
        alpha: Krippendorff's alpha; nan where only one value occurs.
        low, high: 95 % interval over conversations; nan where it cannot be told.
        positive: of two codings drawn from one message, one of which has the code: how often the other has it, too
            (positive agreement, Cicchetti and Feinstein 1990); nan where nobody gave the code.
    """

    name: str
    units: int
    share: float
    alpha: float
    low: float
    high: float
    positive: float

    @property
    def verdict(self) -> str:
        """Krippendorff's reading: reliable from .8, tentative from .667, else unreliable."""
        if math.isnan(self.alpha):
            return "not told"
        if self.alpha >= RELIABLE:
            return "reliable"
        return "tentative" if self.alpha >= TENTATIVE else "unreliable"


def agreements(units: Sequence[Unit], samples: int = SAMPLES, seed: int = 1) -> list[Agreement]:
    """Agreement on every code and on depth and permission, in the order of the codebook.

    Messages with one coding say nothing and are left out. An attribute is compared where at least two codings of a
    message have it.
    """
    book = Codebook.load()
    rows = [_agreement(code, units, [_presence(unit, code) for unit in units], samples, seed) for code in book.ids]
    for name in ("depth", "permission"):
        values = [_values(unit, name, book.attributes[name]) for unit in units]
        rows.append(_agreement(name, units, values, samples, seed))
    return rows


def alpha(counts: Floats) -> float:
    """Krippendorff's alpha, nominal.

    Args:
        counts: [units, values] how many coders gave each unit each value; units with fewer than two are left out.
    """
    pairable = counts[counts.sum(axis=1) > 1]
    return float(_alpha(_terms(pairable).sum(axis=0)))


def _agreement(name: str, units: Sequence[Unit], counts: Sequence[Sequence[int]], samples: int, seed: int) -> Agreement:
    table = np.array(counts, dtype=np.float64).reshape(len(counts), 2)
    pairable = table.sum(axis=1) > 1
    conversations = [unit.conversation for unit, counted in zip(units, pairable, strict=True) if counted]
    terms = _terms(table[pairable])
    totals = terms.sum(axis=0)
    _, numbers = np.unique(conversations, return_inverse=True)
    low, high = interval(_alpha(resampled(terms, numbers.astype(np.intp), samples, seed)))
    mixed, first, second = totals
    return Agreement(
        name=name,
        units=int(pairable.sum()),
        share=float(first / (first + second)) if first + second else math.nan,
        alpha=float(_alpha(totals)),
        low=float(low),
        high=float(high),
        positive=float(1 - mixed / first) if first else math.nan,
    )


def _terms(counts: Floats) -> Floats:
    """[units, 1 + values] what each unit adds: pairs of unequal values per value pair, and how often each value came.

    A unit with m codings adds its ordered pairs of unequal values, divided by m - 1 (Krippendorff 2011, page 6).
    """
    coders = counts.sum(axis=1)
    unequal = (coders**2 - (counts**2).sum(axis=1)) / (coders - 1)
    return np.column_stack([unequal / 2, counts])


def _alpha(totals: Floats) -> Floats:
    """Alpha of totals [..., 1 + values]."""
    mixed, values = 2 * totals[..., 0], totals[..., 1:]
    all_values = values.sum(axis=-1)
    expected = all_values**2 - (values**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = 1 - (all_values - 1) * mixed / expected
    return np.where(expected > 0, result, np.nan)


def _presence(unit: Unit, code: str) -> tuple[int, int]:
    present = sum(code in coding.positive for coding in unit.codings)
    return present, len(unit.codings) - present


def _values(unit: Unit, attribute: str, allowed: Sequence[str]) -> list[int]:
    given = [getattr(coding, attribute) for coding in unit.codings]
    return [given.count(value) for value in allowed]


def exact_match(units: Iterable[Unit]) -> float:
    """Share of pairs of codings of one message that have the very same set of codes; nan without pairs."""
    same = pairs = 0
    for unit in units:
        sets = [coding.positive for coding in unit.codings]
        for place, one in enumerate(sets):
            same += sum(one == other for other in sets[:place])
            pairs += place
    return same / pairs if pairs else math.nan
