"""Random samples whose inclusion probabilities are known, so that weighted estimates from them are unbiased.

A plan gives each unit its probability before anything is drawn. Every unit has one above 0, and they add up to the
size of the sample. Units are drawn within strata by systematic sampling in random order (Hartley and Rao 1962; Särndal,
Swensson and Wretman 1992, section 3.6.2), which keeps each probability exactly and the number of each stratum fixed;
with equal probabilities it is simple random sampling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import UsageProblem

CERTAIN = "certain"
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Plan:
    """How likely each unit is to be drawn.

    Attributes:
        probabilities: [units] above 0 and at most 1; they add up to a whole number in every stratum.
        strata: [units] the stratum of each; empty text where there are none. Units that are surely drawn because of
            their size are in the stratum `CERTAIN`.
    """

    probabilities: Floats
    strata: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many units are drawn."""
        return round(float(self.probabilities.sum()))


def check_size(units: int, size: int) -> None:
    """Whether so many can be drawn.

    Raises:
        UsageProblem: fewer than one or more than all units are to be drawn.
    """
    if not 1 <= size <= units:
        mend = f"Draw 1 to {units}." if units else "Name more chats."
        raise UsageProblem(f"{size} are to be drawn, but {units} are left to draw from. {mend}")


def simple(units: int, size: int) -> Plan:
    """Every unit equally likely.

    Raises:
        UsageProblem: fewer than one or more than all units are to be drawn.
    """
    return stratified([""] * units, size)


def stratified(strata: Sequence[str], size: int, minimum: int = 1, equal: bool = False) -> Plan:
    """Equally likely within each stratum.

    Args:
        strata: [units] the stratum of each.
        minimum: units that are drawn from each stratum at least, or all where it has fewer.
        equal: as many from each stratum as from any other, as far as it has them, in place of in proportion to it.

    Raises:
        UsageProblem: fewer than one or more than all units are to be drawn, or the minimum needs more.
    """
    check_size(len(strata), size)
    names, of_unit, held = np.unique(np.array(strata, dtype=np.str_), return_inverse=True, return_counts=True)
    least = np.minimum(minimum, held)
    if minimum < 1 or least.sum() > size:
        raise UsageProblem(
            f"{len(names)} strata with at least {minimum} from each need {least.sum()} units, but {size} are to be "
            "drawn. Every stratum needs one or more: draw more (--n), ask for fewer from each (--minimum), or choose "
            "a field with fewer values (--by)."
        )
    wanted = np.full(len(names), size / len(names)) if equal else size * held / held.sum()
    drawn = _allocation(held, least, wanted, size)
    return Plan((drawn / held)[of_unit], tuple(strata))


def proportional(sizes: Floats, size: int, floor: float) -> Plan:
    """In proportion to a size, mixed with a floor so that no unit is out of reach.

    A unit so large that its probability would pass 1 is drawn for certain, and the others share what is left.

    Args:
        sizes: [units] not negative.
        floor: share of the sample that is spread evenly, above 0 and at most 1. No unit is less likely than this times
            the probability of a simple random sample; with 1 it is one.

    Raises:
        UsageProblem: fewer than one or more than all units are to be drawn, or the floor is not in its range.
    """
    check_size(len(sizes), size)
    if not 0 < floor <= 1:
        raise UsageProblem(f"The floor is {floor:g}; it must be above 0 and at most 1.")
    even = np.full(len(sizes), 1 / len(sizes))
    total = float(sizes.sum())
    mixed = floor * even + (1 - floor) * (sizes / total if total > 0 else even)
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        left = size - int(certain.sum())
        scale = left / mixed[~certain].sum() if left and not certain.all() else 0.0
        probabilities = np.where(certain, 1.0, mixed * scale)
        passing = ~certain & (probabilities >= 1 - _ROUNDING)
        if not passing.any():
            return Plan(probabilities, tuple(CERTAIN if sure else "" for sure in certain))
        certain |= passing


def draw(plan: Plan, seed: int) -> Indices:
    """The numbers of the drawn units, rising. They depend on the plan and the seed alone."""
    random = np.random.default_rng(seed)
    names, of_unit = np.unique(np.array(plan.strata, dtype=np.str_), return_inverse=True)
    drawn = [_systematic(plan.probabilities, np.flatnonzero(of_unit == at), random) for at in range(len(names))]
    return np.sort(np.concatenate(drawn))


def _systematic(probabilities: Floats, units: Indices, random: np.random.Generator) -> Indices:
    """Draw from one stratum: the units lie end to end in random order, and points one apart fall on them."""
    order = random.permutation(units)
    ends = np.cumsum(probabilities[order])
    size = round(float(ends[-1]))
    points = np.arange(size) + random.random()
    hit = np.searchsorted(ends * (size / ends[-1]), points, side="right")
    return order[np.minimum(hit, len(order) - 1)]


def _allocation(held: Indices, least: Indices, wanted: Floats, size: int) -> Indices:
    """[strata] whole numbers from `least` to `held` that add up to `size`, one at a time to what lacks most."""
    drawn = least.copy()
    for _ in range(size - int(least.sum())):
        drawn[np.argmax(np.where(drawn < held, wanted - drawn, -np.inf))] += 1
    return drawn
