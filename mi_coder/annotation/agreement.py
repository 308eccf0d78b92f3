"""How far several codings of the same messages agree: per code, on sets of codes, on depth, permission and reason.

Each code counts as one variable with the values present and absent; where a coding leaves a code open, it is missing
for that code. Krippendorff's alpha is 1 where all agree, 0 where they agree as if the values had been drawn from one
urn, and less where they agree even less. Intervals come from resampled conversations.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mi_coder.annotation.codings import DETAILS, Given, Unit, rater_names, several_coders
from mi_coder.annotation.coefficients import Nominal, alpha_of_totals, mean_cohen_kappa, terms
from mi_coder.annotation.masi import masi_distances
from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.evaluation.bootstrap import draws, summed
from mi_coder.evaluation.report import Figure
from mi_coder.formats.coding import is_complete

By = Literal["all", "pair", "coder", "round"]

SAMPLES = 2000
RELIABLE = 0.8
TENTATIVE = 0.667
FEW = 20
FEW_CONVERSATIONS = 5
SETS = "all codes"
UNDEFINED = Figure(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the codings agree on one variable: a code (present or absent), an attribute of it, or the set of codes.

    Attributes:
        name: code id; the name of the attribute and the code, such as "depth of REF"; or `SETS`.
        units: messages with at least two codings of this variable.
        given: how many of these codings have the first of two values (the code is present); of more values, and for
            sets, how many codings there are. Where units are pairs, a coding counts once for each of its pairs.
        share: the same as a share; nan for sets and for more than two values.
        rarest: how many messages have the value that comes least, in any coding; for sets, how many messages there are.
        alpha: Krippendorff's alpha; for sets with MASI distances.
        fleiss, cohen, ac1: Fleiss' kappa, the mean of Cohen's kappa over pairs of coders, and Gwet's AC1.
        positive, negative: agreement on the first and on the second of two values (see `Nominal.specific`).
        conversations: how many conversations have the value that the fewest have, of those that occur in any coding;
            for sets, how many conversations there are. None in a file of a version that did not count them.
    """

    name: str
    units: int
    given: int
    share: float
    rarest: int
    alpha: Figure
    fleiss: Figure = UNDEFINED
    cohen: Figure = UNDEFINED
    ac1: Figure = UNDEFINED
    positive: Figure = UNDEFINED
    negative: Figure = UNDEFINED
    conversations: int | None = None

    @property
    def verdict(self) -> str:
        """How alpha reads, by the lower end of its interval.

        Krippendorff's bounds: reliable from .8, tentative from .667. Below them unreliable, or uncertain where only the
        interval falls short: what counts is whether alpha may fail to reach a bound (Hayes and Krippendorff 2007,
        Communication Methods and Measures 1(1), 77-89). Without an interval, and where so few conversations have one of
        the values that the interval means little, it is uncertain at best.
        """
        if math.isnan(self.alpha.value):
            return "all the same" if self.units else "not compared"
        low = math.nan if self._few_conversations else self.alpha.low
        if low >= RELIABLE:
            return "reliable"
        if low >= TENTATIVE:
            return "tentative"
        return "uncertain" if self.alpha.value >= TENTATIVE else "unreliable"

    @property
    def reading(self) -> str:
        """The verdict, and a warning where it rests on few messages or conversations."""
        return f"{self.verdict}, few" if self.few and not math.isnan(self.alpha.value) else self.verdict

    @property
    def few(self) -> bool:
        """Whether too few have one of the values to rely on the figures.

        That is fewer than `FEW` messages, or fewer than `FEW_CONVERSATIONS` conversations.
        """
        return self.rarest < FEW or self._few_conversations

    @property
    def _few_conversations(self) -> bool:
        return self.conversations is not None and self.conversations < FEW_CONVERSATIONS


@dataclass(frozen=True, slots=True)
class _Codings:
    """The codings of all units, one after another, and their pairs within units.

    Attributes:
        units: how many units there are.
        unit: [codings] number of the unit of each coding.
        message, conversation: [units] number of the message and of the conversation of each unit.
        first, second: [pairs] numbers of two codings of one unit, in the order of their raters.
        raters: [pairs] number of the pair of raters.
        weights: [samples, conversations] how often each is drawn.
    """

    golds: Sequence[Gold]
    units: int
    unit: NDArray[np.intp]
    message: NDArray[np.intp]
    conversation: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    raters: NDArray[np.intp]
    weights: Floats


def agreements(units: Sequence[Unit], samples: int = SAMPLES, seed: int = 1) -> list[Agreement]:
    """Agreement on every code in the order of the codebook, on the whole sets, and on depth, permission and reason.

    Messages with one coding say nothing and are left out. An attribute is compared among the codings of a message that
    agree on a code that carries it.
    """
    book = Codebook.load()
    codings = _codings([unit for unit in units if len(unit.given) > 1], samples, seed)
    rows = [_agreement(code, [_presence(gold, code) for gold in codings.golds], 2, codings) for code in book.ids]
    rows.append(_set_agreement(codings))
    for name in DETAILS:
        allowed = book.attributes[name]
        for code in book.codes:
            if name in code.attributes:
                values = [_detail(gold, code.id, name, allowed) for gold in codings.golds]
                rows.append(_agreement(f"{name} of {code.id}", values, len(allowed), codings))
    return rows


def compared(units: Iterable[Unit], by: By) -> list[Unit]:
    """The messages with the codings that are compared.

    Of all and by coder the last round of each coder counts, since agreement with oneself says nothing of other coders.
    Where no message has codings of two coders the rounds are compared.
    """
    units = list(units)
    if by in ("all", "coder") and several_coders(units):
        return [unit.last_rounds() for unit in units]
    return units


def split(units: Iterable[Unit], by: By) -> dict[str, list[Unit]]:
    """The units of each group, with at least two codings each, of those that are `compared`.

    Args:
        by: "all" is one group, named "". "pair" has a group for each two raters. "coder" has one for each rater, where
            every unit is a pair of a coding of this rater with one of another. "round" compares within rounds.
    """
    units = [unit for unit in compared(units, by) if len(unit.given) > 1]
    groups: dict[str, list[Unit]] = {"": units} if by == "all" and units else {}
    if by == "round":
        for unit in units:
            for round in {given.round for given in unit.given}:
                within = tuple(given for given in unit.given if given.round == round)
                _add(groups, round, unit, within)
    elif by != "all":
        names = rater_names(units)
        for unit in units:
            for pair in combinations(sorted(unit.given, key=lambda given: given.rater), 2):
                raters = [names[given.rater] for given in pair]
                for name in raters if by == "coder" else [" and ".join(raters)]:
                    _add(groups, name, unit, pair)
    return dict(sorted(groups.items()))


def exact_match(units: Iterable[Unit]) -> float:
    """Share of pairs of complete codings of one message that have the very same set of codes; nan without pairs."""
    same = pairs = 0
    for unit in units:
        for one, other in combinations(filter(is_complete, unit.codings), 2):
            same += one.positive == other.positive
            pairs += 1
    return same / pairs if pairs else math.nan


def _add(groups: dict[str, list[Unit]], name: str, unit: Unit, given: tuple[Given, ...]) -> None:
    if len(given) > 1:
        groups.setdefault(name, []).append(Unit(unit.conversation, unit.index, given))


def _codings(units: Sequence[Unit], samples: int, seed: int) -> _Codings:
    names = rater_names(units)
    golds: list[Gold] = []
    unit_of: list[int] = []
    pairs: list[tuple[int, int]] = []
    raters: dict[tuple[str, str], int] = {}
    numbers: list[int] = []
    for number, unit in enumerate(units):
        given = sorted(unit.given, key=lambda one: names[one.rater])
        for first, second in combinations(range(len(given)), 2):
            pairs.append((len(golds) + first, len(golds) + second))
            key = (names[given[first].rater], names[given[second].rater])
            numbers.append(raters.setdefault(key, len(raters)))
        golds += [one.gold for one in given]
        unit_of += [number] * len(given)
    _, message = np.unique([unit.id for unit in units], return_inverse=True)
    conversations, conversation = np.unique([unit.conversation for unit in units], return_inverse=True)
    drawn = list(draws(len(conversations), samples, seed))
    return _Codings(
        golds=golds,
        units=len(units),
        unit=np.array(unit_of, dtype=np.intp),
        message=message.astype(np.intp),
        conversation=conversation.astype(np.intp),
        first=np.array([first for first, _ in pairs], dtype=np.intp),
        second=np.array([second for _, second in pairs], dtype=np.intp),
        raters=np.array(numbers, dtype=np.intp),
        weights=np.array(drawn, dtype=np.float64).reshape(len(drawn), len(conversations)),
    )


def _agreement(name: str, given: Sequence[float], values: int, codings: _Codings) -> Agreement:
    """Agreement on a variable from its value in each coding: 0 to `values` - 1, or nan."""
    counts = _counts(given, values, codings)
    counts[counts.sum(axis=1) < 2] = 0
    of_units = summed(terms(counts), codings.conversation)
    of_pairs = _joint(given, values, codings)
    nominal, draw = (Nominal.of_totals(totals) for totals in _totals(of_units, codings))
    joint, joint_draw = (
        totals.reshape(*totals.shape[:-1], of_pairs.shape[1] // values**2, values, values)
        for totals in _totals(of_pairs, codings)
    )
    two = values == 2
    return Agreement(
        name=name,
        units=_distinct(counts.sum(axis=1, keepdims=True) > 0, codings.message),
        given=int(nominal.given[0] if two else nominal.given.sum()),
        share=float(nominal.share(0)) if two else math.nan,
        rarest=_distinct(counts > 0, codings.message),
        alpha=Figure.of(nominal.alpha(), draw.alpha()),
        fleiss=Figure.of(nominal.fleiss_kappa(), draw.fleiss_kappa()),
        cohen=Figure.of(mean_cohen_kappa(joint), mean_cohen_kappa(joint_draw)),
        ac1=Figure.of(nominal.gwet_ac1(), draw.gwet_ac1()),
        positive=Figure.of(nominal.specific(0), draw.specific(0)) if two else UNDEFINED,
        negative=Figure.of(nominal.specific(1), draw.specific(1)) if two else UNDEFINED,
        conversations=_distinct(counts[:, counts.any(axis=0)] > 0, codings.conversation),
    )


def _set_agreement(codings: _Codings) -> Agreement:
    """Alpha on the sets of codes with MASI distances, over the complete codings."""
    complete = [gold.positive if is_complete(gold) else None for gold in codings.golds]
    sets = sorted({one for one in complete if one is not None}, key=sorted)
    number: Mapping[frozenset[str] | None, int] = {None: -1} | {one: i for i, one in enumerate(sets)}
    value = np.array([number[one] for one in complete], dtype=np.intp)
    distance = masi_distances(sets)
    coders = np.bincount(codings.unit[value >= 0], minlength=codings.units)
    pairable = coders > 1
    compared = (value >= 0) & pairable[codings.unit]
    given = _table(codings, codings.unit[compared], value[compared], len(sets))
    observed = _apart(codings, value, distance, coders)[:, None]
    both = zip(_totals(observed, codings), _totals(given, codings), strict=True)
    totals, drawn = (np.concatenate(pair, axis=-1) for pair in both)
    units = _distinct(pairable[:, None], codings.message)
    return Agreement(
        name=SETS,
        units=units,
        given=int(totals[1:].sum()),
        share=math.nan,
        rarest=units,
        alpha=Figure.of(alpha_of_totals(totals, distance), alpha_of_totals(drawn, distance)),
        conversations=_distinct(pairable[:, None], codings.conversation),
    )


def _apart(codings: _Codings, value: NDArray[np.intp], distance: Floats, coders: NDArray[np.intp]) -> Floats:
    """[conversations] distances of all ordered pairs of codings of a unit, divided by its coders less one.

    Args:
        value: [codings] number of its set; -1 where the coding is not complete.
        coders: [units] complete codings.
    """
    first, second = value[codings.first], value[codings.second]
    known = (first >= 0) & (second >= 0)
    unit = codings.unit[codings.first[known]]
    conversation = codings.conversation[unit]
    apart = 2 * distance[first[known], second[known]] / (coders[unit] - 1)
    order = np.lexsort((apart, conversation))  # the order of the units changes no digit of the sums
    return np.asarray(np.bincount(conversation[order], apart[order], codings.weights.shape[1]), dtype=np.float64)


def _counts(given: Sequence[float], values: int, codings: _Codings) -> Floats:
    """[units, values] how many codings of each unit have each value."""
    value = np.array(given, dtype=np.float64)
    known = ~np.isnan(value)
    cell = codings.unit[known] * values + value[known].astype(np.intp)
    return np.bincount(cell, minlength=codings.units * values).astype(np.float64).reshape(codings.units, values)


def _joint(given: Sequence[float], values: int, codings: _Codings) -> Floats:
    """[conversations, pairs of raters * values * values] how often two raters gave one message these two values.

    Pairs of raters who never both gave one have no columns.
    """
    value = np.array(given, dtype=np.float64)
    first, second = value[codings.first], value[codings.second]
    known = ~np.isnan(first + second)
    pairs, number = np.unique(codings.raters[known], return_inverse=True)
    cell = number * values**2 + (first[known] * values + second[known]).astype(np.intp)
    return _table(codings, codings.unit[codings.first[known]], cell, len(pairs) * values**2)


def _table(codings: _Codings, unit: NDArray[np.intp], column: NDArray[np.intp], width: int) -> Floats:
    """[conversations, width] how many things, each of a unit and of a column, there are in a conversation."""
    conversations = codings.weights.shape[1]
    place = codings.conversation[unit] * width + column
    counts = np.asarray(np.bincount(place, np.ones(len(place)), conversations * width), dtype=np.float64)
    return counts.reshape(conversations, width)


def _distinct(has: NDArray[np.bool_], of: NDArray[np.intp]) -> int:
    """How many messages, or conversations, have the value that the fewest have; 0 without values.

    Args:
        has: [units, values] whether a unit has each value.
        of: [units] number of the message or conversation of each unit.
    """
    unit, value = np.nonzero(has)
    found = np.zeros(has.shape, dtype=np.bool_)
    found[of[unit], value] = True
    return min(found.sum(axis=0).tolist(), default=0)


def _totals(of_conversations: Floats, codings: _Codings) -> tuple[Floats, Floats]:
    """Totals of [conversations, columns] over all of them, [columns], and over each sample, [samples, columns]."""
    return of_conversations.sum(axis=0), codings.weights @ of_conversations


def _presence(gold: Gold, code: str) -> float:
    """0 where the code is present, 1 where it is absent, nan where the coding leaves it open."""
    if code in gold.positive:
        return 0
    return 1 if code in gold.negative else math.nan


def _detail(gold: Gold, code: str, attribute: str, allowed: Sequence[str]) -> float:
    """The number of the attribute's value, nan where the coding does not have the code or no value."""
    value = getattr(gold, attribute)
    return allowed.index(value) if code in gold.positive and value is not None else math.nan
