"""Pairs of a treated and an untreated row with nearly the same propensity score.

Greedy matching, one to one, without replacement, on the logit of the score: treated rows choose in descending order of
the score, each the nearest row that is left, and none if that is farther than the caliper, .2 standard deviations of
the logit (Austin 2011, Pharmaceutical Statistics 10, 150-161; the standard deviation of all rows). The scale matters in
small data: on the probability itself other pairs come out. Ties go to the row that comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.rows import by_place

CALIPER = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Matched rows.

    Attributes:
        treated: [pairs] rows.
        untreated: [pairs] the row that each is matched with.
        caliper: the largest distance allowed, in log-odds.
        dropped: treated rows without a partner. Where there are any, effects are those of the matched treated rows.
    """

    treated: Indices
    untreated: Indices
    caliper: float
    dropped: Indices

    def __len__(self) -> int:
        return len(self.treated)

    @property
    def rows(self) -> Indices:
        """[2 * pairs] treated rows, then untreated ones."""
        return np.concatenate([self.treated, self.untreated])

    @property
    def pair(self) -> Indices:
        """[2 * pairs] the number of the pair of each of `rows`."""
        return np.tile(np.arange(len(self)), 2)

    def only(self, kept: Bools) -> "Pairs":
        """Those pairs [pairs] that are kept."""
        return replace(self, treated=self.treated[kept], untreated=self.untreated[kept])

    def weights(self, rows: int) -> Floats:
        """[rows] 1 for matched rows and 0 for the others."""
        weights = np.zeros(rows)
        weights[self.rows] = 1
        return weights


class _Left:
    """Places on a line, some taken: which is the next that is not, to one side. Paths shorten as they are walked."""

    def __init__(self, places: int, step: int) -> None:
        self._next = list(range(places + 2))
        self._step = step

    def take(self, place: int) -> None:
        self._next[place + 1] = place + 1 + self._step

    def seek(self, place: int) -> int:
        """The first place from `place` on that is not taken; -1 or the number of places where there is none."""
        following = self._next
        at = place + 1
        while following[at] != at:
            following[at] = following[following[at]]
            at = following[at]
        return at - 1


@by_place
def match_pairs(
    logit: Floats, treated: Bools, *, caliper: float = CALIPER, within: Sequence[str] | None = None
) -> Pairs:
    """Match treated rows with untreated ones; n log n in the number of rows.

    Args:
        logit: [rows] `Propensity.logit`.
        treated: [rows]
        caliper: in standard deviations of the logit over all rows.
        within: [rows] pairs are sought only among rows with the same value here, such as the same counselor; None
            allows all.

    Raises:
        UsageProblem: a caliper that is not above 0, arguments of unequal length, or no pair at all.
    """
    if not caliper > 0:
        raise UsageProblem(f"The caliper is {caliper:g} standard deviations: it must be above 0.")
    if not len(logit) == len(treated) == len(within if within is not None else logit):
        raise UsageProblem("Scores, treatment and the groups to match within must be of the same rows.")
    width = caliper * float(logit.std(ddof=1))
    groups = np.zeros(len(logit), dtype=np.intp) if within is None else np.unique(within, return_inverse=True)[1]
    partner = np.full(len(logit), -1, dtype=np.intp)
    order = np.lexsort([np.arange(len(logit)), logit, groups])
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        chosen = treated[rows]
        seekers = rows[chosen][np.lexsort([rows[chosen], -logit[rows[chosen]]])]
        partner[seekers] = _greedy(logit, seekers, rows[~chosen], width)
    takers = np.flatnonzero(treated)
    takers = takers[np.argsort(-logit[takers], kind="stable")]
    found = partner[takers] >= 0
    if not found.any():
        raise UsageProblem(
            f"No treated row has an untreated one within {caliper:g} standard deviations of the logit. The groups do "
            "not overlap: look at the scores of both before widening the caliper."
        )
    return Pairs(takers[found], partner[takers[found]], width, np.sort(takers[~found]))


def _greedy(logit: Floats, seekers: Indices, candidates: Indices, width: float) -> Indices:
    """The candidate of each seeker in turn, or -1. Candidates are sorted by their logit, and then by row."""
    values = logit[candidates]
    places = np.searchsorted(values, logit[seekers]).tolist()
    first_of_run = np.searchsorted(values, values).tolist()
    left, right = _Left(len(candidates), -1), _Left(len(candidates), 1)
    line, names = values.tolist(), candidates.tolist()
    found = np.full(len(seekers), -1, dtype=np.intp)
    for i, (place, value) in enumerate(zip(places, logit[seekers].tolist(), strict=True)):
        below, above = left.seek(place - 1), right.seek(place)
        options = []
        if below >= 0:
            first = right.seek(first_of_run[below])
            options.append((value - line[first], names[first], first))
        if above < len(line):
            options.append((line[above] - value, names[above], above))
        if options:
            distance, row, taken = min(options)
            if distance <= width:
                found[i] = row
                left.take(taken)
                right.take(taken)
    return found
