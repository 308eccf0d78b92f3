"""How many chats, and how many with gold codes, an interval of a wanted width takes.

From a pilot (`label_error.Pieces`) the variance of a corrected coefficient with N chats and m gold chats is

    V(N, m) = (Vg - 2 W Vgc + W^2 Vc) (m0 - k) / (m - k)  +  (W^2 Va + 2 W (Vga - W Vca)) N0 / N

with what N0 chats, m0 gold chats and k parameters of the pilot gave: variances of the fits with gold codes on gold
chats (g), the tagger's codes there (c) and everywhere (a), their covariances by cluster, and the best W for N and m.
It takes more chats to come from more counselors, as many each as now. What falls with N cannot be below 0, but its
estimate from one pilot can: it is then taken as 0, so that more chats never ask for more gold chats.

Intervals are by the t distribution with clusters of the gold chats - 1 degrees of freedom, of columns that rest on few
of them with their effective number in place of it, which grows as they do. There are at least as many gold chats and
clusters of them as it takes. Both are as in `label_error.correct`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mi_coder.annotation.sampling import proportional
from mi_coder.arrays import Floats
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.effective_clusters import in_effect
from mi_coder.outcomes.guards import FEWEST_CLUSTERS, cluster_codes
from mi_coder.outcomes.label_error import ROWS_PER_PARAMETER, Pieces

MOST_CHATS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """What a pilot tells of other numbers of chats.

    Attributes:
        names: [columns]
        n, n_gold, parameters: of the pilot.
        sizes: [clusters] chats of each cluster of the pilot.
        n_gold_clusters: of them with gold chats.
        gold, tagged, everyone: [columns] variances of the three fits in the pilot.
        gold_tagged, gold_everyone, tagged_everyone: [columns] their covariances.
        effective: [columns] effective number of clusters with gold chats; infinite where they are not few.
        alpha: intervals hold 1 - alpha.
    """

    names: tuple[str, ...]
    n: int
    n_gold: int
    parameters: int
    sizes: NDArray[np.intp]
    n_gold_clusters: int
    gold: Floats
    tagged: Floats
    everyone: Floats
    gold_tagged: Floats
    gold_everyone: Floats
    tagged_everyone: Floats
    effective: Floats
    alpha: float = 0.05

    @property
    def least_gold(self) -> int:
        """Gold chats without which nothing is corrected."""
        return ROWS_PER_PARAMETER * self.parameters

    @property
    def least_gold_clusters(self) -> int:
        """Clusters of gold chats without which nothing is corrected."""
        return max(FEWEST_CLUSTERS, self.parameters + 1)

    def gold_clusters(self, chats: int, gold: int) -> float:
        """Clusters that `gold` of `chats` are expected to be of: those of the pilot, by what random draws reach."""
        reached = self._reached(chats, gold) / self._reached(self.n, self.n_gold)
        return min(self.n_gold_clusters * reached, len(self.sizes) * chats / self.n)

    def width(self, chats: int, gold: int) -> Floats:
        """[columns] expected width of the corrected intervals.

        Args:
            chats: in all.
            gold: of them with gold codes.

        Raises:
            UsageProblem: more gold chats than chats, or too few to correct by.
        """
        if not self._corrects(chats, gold):
            raise UsageProblem(
                f"{gold} of {chats} chats have gold codes: the {self.parameters} parameters of the model need at least "
                f"{self.least_gold} gold chats, from at least {self.least_gold_clusters} clusters (counselors, or what "
                "inference.cluster names), and no more than there are chats."
            )
        few, many = (self.n_gold - self.parameters) / (gold - self.parameters), self.n / chats
        best = self.gold_tagged * few - self.gold_everyone * many
        scale = self.tagged * few + (self.everyone - 2 * self.tagged_everyone) * many
        share = np.where(scale > 0, np.clip(best / np.where(scale > 0, scale, 1.0), 0, 1), 2 * best > scale)
        variance = (self.gold - 2 * share * self.gold_tagged + share**2 * self.tagged) * few
        falling = share**2 * self.everyone + 2 * share * (self.gold_everyone - share * self.tagged_everyone)
        variance += np.clip(falling, 0, None) * many
        clusters = self.gold_clusters(chats, gold)
        effective = self.effective * (clusters / self.n_gold_clusters)
        quantile = stats.t.ppf(1 - self.alpha / 2, in_effect(effective, clusters) - 1)
        return np.asarray(2 * quantile * np.sqrt(np.clip(variance, 0, None)))

    def fewest_gold(self, chats: int) -> int | None:
        """Fewest gold chats of so many chats by which anything is corrected; None where all chats are not enough."""
        if not self._corrects(chats, chats):
            return None
        return bisect_left(range(chats), True, key=partial(self._corrects, chats))

    def fewest_chats(self, gold_share: float) -> int:
        """Fewest chats of which that share is enough to correct by, as far as `MOST_CHATS`."""
        return bisect_left(range(MOST_CHATS), True, key=lambda chats: self._corrects(chats, round(gold_share * chats)))

    def gold_needed(self, chats: int, width: float) -> list[int | None]:
        """[columns] fewest gold chats for intervals of at most `width`; None where all chats are not enough.

        Raises:
            UsageProblem: a width that is not above 0.
        """
        if not width > 0:
            raise UsageProblem(f"The width is {width:g}: it must be above 0.")
        return [self._fewest(i, chats, width) for i in range(len(self.names))]

    def chats_needed(self, gold_share: float, width: float) -> list[int | None]:
        """[columns] fewest chats for intervals of at most `width` where that share of them has gold codes.

        Raises:
            UsageProblem: a width or share that is not above 0.
        """
        if not (width > 0 and 0 < gold_share <= 1):
            raise UsageProblem("The width must be above 0, and the share of gold chats above 0 and at most 1.")
        return [self._fewest_chats(i, gold_share, width) for i in range(len(self.names))]

    def _fewest_chats(self, column: int, gold_share: float, width: float) -> int | None:
        def narrow(chats: int) -> bool:
            return bool(self.width(chats, round(gold_share * chats))[column] <= width)

        found = bisect_left(range(MOST_CHATS), True, self.fewest_chats(gold_share), key=narrow)
        return found if found < MOST_CHATS else None

    def _fewest(self, column: int, chats: int, width: float) -> int | None:
        fewest = self.fewest_gold(chats)
        if fewest is None or self.width(chats, chats)[column] > width:
            return None
        return bisect_left(range(chats), True, fewest, key=lambda gold: bool(self.width(chats, gold)[column] <= width))

    def _corrects(self, chats: int, gold: int) -> bool:
        """Whether so many gold chats of so many chats are enough to correct by."""
        enough = self.least_gold <= gold <= chats
        return enough and self.gold_clusters(chats, gold) >= self.least_gold_clusters

    def _reached(self, chats: int, gold: int) -> float:
        """Clusters that a random draw of `gold` of `chats` is expected to reach."""
        return float(chats / self.n * (1 - (1 - gold / chats) ** self.sizes).sum())


def budget(names: Sequence[str], pieces: Pieces, clusters: Sequence[Any] | NDArray[Any], alpha: float = 0.05) -> Budget:
    """What the three fits of a pilot tell.

    Args:
        clusters: [chats] as they were fitted with.
    """
    small = pieces.gold_clusters / (pieces.gold_clusters - 1)

    def together(one: Floats, other: Floats) -> Floats:
        return np.asarray(small * (one * other).sum(axis=0))

    g, c, a = pieces.gold, pieces.tagged, pieces.everyone
    return Budget(
        tuple(names),
        pieces.n,
        pieces.n_gold,
        pieces.everywhere.parameters,
        cluster_codes(clusters, pieces.n).sizes,
        pieces.gold_clusters,
        together(g, g),
        together(c, c),
        together(a, a),
        together(g, c),
        together(g, a),
        together(c, a),
        np.where(pieces.information.thin, pieces.information.effective, np.inf),
        alpha,
    )


def sampling_probabilities(influence: Floats, size: int, floor: float = 0.2) -> Floats:
    """[chats] probabilities to draw `size` chats for gold coding, higher for chats that move the coefficients more.

    The best probabilities for a mean are proportional to the size of what is averaged (Neyman allocation); here that is
    the root mean square influence on the coefficients, each in units of its own spread, with the tagger's codes.

    Args:
        influence: [chats, columns] of a fit with the tagger's codes on all chats.
        floor: share of the sample that is spread evenly, so that no chat is out of reach.

    Raises:
        UsageProblem: more chats are wanted than there are, or a floor outside 0 to 1.
    """
    spread = influence.std(axis=0)
    merit = np.sqrt(((influence / np.where(spread > 0, spread, 1.0)) ** 2).mean(axis=1))
    return proportional(merit, size, floor).probabilities
