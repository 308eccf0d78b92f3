"""How many chats, and how many with gold codes, an interval of a wanted width takes.

From a pilot (`label_error.Pieces`) the variance of a corrected coefficient with N chats and m gold chats is

    V(N, m) = (Vg - 2 W Vgc + W^2 Vc) (m0 - k) / (m - k)  +  (W^2 Va + 2 W (Vga - W Vca)) N0 / N

with what N0 chats, m0 gold chats and k parameters of the pilot gave: variances of the fits with gold codes on gold
chats (g), the tagger's codes there (c) and everywhere (a), their covariances by cluster, and the best W for N and m.
It takes more chats to come from more counselors, as many each as now. What falls with N cannot be below 0, but its
estimate from one pilot can: it is then taken as 0, so that more chats never ask for more gold chats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mi_coder.annotation.sampling import proportional
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.metrics import Floats
from mi_coder.outcomes.label_error import Pieces

MOST_CHATS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """What a pilot tells of other numbers of chats.

    Attributes:
        names: [columns]
        n, n_gold, parameters: of the pilot.
        gold, tagged, everyone: [columns] variances of the three fits in the pilot.
        gold_tagged, gold_everyone, tagged_everyone: [columns] their covariances.
        alpha: intervals hold 1 - alpha.
    """

    names: tuple[str, ...]
    n: int
    n_gold: int
    parameters: int
    gold: Floats
    tagged: Floats
    everyone: Floats
    gold_tagged: Floats
    gold_everyone: Floats
    tagged_everyone: Floats
    alpha: float = 0.05

    def width(self, chats: int, gold: int) -> Floats:
        """[columns] expected width of the corrected intervals.

        Args:
            chats: in all.
            gold: of them with gold codes.

        Raises:
            UsageProblem: more gold chats than chats, or no more than parameters.
        """
        if not self.parameters < gold <= chats:
            raise UsageProblem(
                f"Of {chats} chats {gold} with gold codes: it takes more than the {self.parameters} parameters of the "
                "model, and no more than there are chats."
            )
        few, many = (self.n_gold - self.parameters) / (gold - self.parameters), self.n / chats
        best = self.gold_tagged * few - self.gold_everyone * many
        scale = self.tagged * few + (self.everyone - 2 * self.tagged_everyone) * many
        share = np.where(scale > 0, np.clip(best / np.where(scale > 0, scale, 1.0), 0, 1), 2 * best > scale)
        variance = (self.gold - 2 * share * self.gold_tagged + share**2 * self.tagged) * few
        falling = share**2 * self.everyone + 2 * share * (self.gold_everyone - share * self.tagged_everyone)
        variance += np.clip(falling, 0, None) * many
        return np.asarray(2 * stats.norm.ppf(1 - self.alpha / 2) * np.sqrt(np.clip(variance, 0, None)))

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
        low = int(np.ceil((self.parameters + 1) / gold_share))
        high = low
        while self.width(high, max(round(gold_share * high), self.parameters + 1))[column] > width:
            high *= 2
            if high > MOST_CHATS:
                return None
        while low < high:
            middle = (low + high) // 2
            if self.width(middle, max(round(gold_share * middle), self.parameters + 1))[column] <= width:
                high = middle
            else:
                low = middle + 1
        return low

    def _fewest(self, column: int, chats: int, width: float) -> int | None:
        if chats <= self.parameters or self.width(chats, chats)[column] > width:
            return None
        low, high = self.parameters + 1, chats
        while low < high:
            middle = (low + high) // 2
            if self.width(chats, middle)[column] <= width:
                high = middle
            else:
                low = middle + 1
        return low


def budget(names: Sequence[str], pieces: Pieces, alpha: float = 0.05) -> Budget:
    """What the three fits of a pilot tell."""
    small = pieces.gold_clusters / (pieces.gold_clusters - 1)

    def together(one: Floats, other: Floats) -> Floats:
        return np.asarray(small * (one * other).sum(axis=0))

    g, c, a = pieces.gold, pieces.tagged, pieces.everyone
    return Budget(
        tuple(names),
        pieces.n,
        pieces.n_gold,
        pieces.everywhere.parameters,
        together(g, g),
        together(c, c),
        together(a, a),
        together(g, c),
        together(g, a),
        together(c, a),
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
