"""How many counselors, or other clusters, a model rests on, and what that makes of t and p."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.effective_clusters import ENOUGH_EFFECTIVE, effective_clusters, in_effect
from mi_coder.outcomes.guards import ENOUGH_CLUSTERS, cluster_codes

# The share of the rows from which on a cluster is named.
LARGE = 0.25
# Of the columns on which few clusters decide, so many are named.
NAMED = 4
# With more clusters, the wild bootstrap of a column takes seconds and hundreds of MB.
MOST_BOOTSTRAPPED = 1000
LARGER_P = "p the larger of that of t and that of the wild cluster bootstrap"
# In every warning of few that decide.
IN_EFFECT = "clusters, but in effect only"


@dataclass(frozen=True, slots=True, eq=False)
class Information:
    """How many clusters the columns of a model rest on.

    Attributes:
        names: [columns]
        clusters: how many there are.
        effective: [columns] as `effective_clusters`.
        largest: the cluster with more than a quarter of the rows and its share, in words, or an empty string.
    """

    names: tuple[str, ...]
    clusters: int
    effective: Floats
    largest: str

    @property
    def few(self) -> bool:
        """Whether there are too few clusters for every column."""
        return self.clusters < ENOUGH_CLUSTERS

    @property
    def thin(self) -> NDArray[np.bool_]:
        """[columns] which rest on too few of clusters that are enough."""
        return np.asarray((self.effective < ENOUGH_EFFECTIVE) & (not self.few))

    @property
    def df(self) -> Floats:
        """[columns] degrees of freedom of the t distribution: of thin columns by their effective clusters."""
        effective = np.full(len(self.names), np.inf) if self.few else self.effective
        return in_effect(effective, float(self.clusters)) - 1

    def told(self, chosen: NDArray[np.bool_]) -> str:
        """That few clusters decide on the chosen columns [columns], the fewest first."""
        order = [i for i in np.argsort(self.effective, kind="stable").tolist() if chosen[i]]
        named = [f"{self.effective[i]:.1f} for {self.names[i]}" for i in order[:NAMED]]
        if more := len(order[NAMED:]):
            named.append(f"less than {ENOUGH_EFFECTIVE} for {more} more")
        listed = f"{', '.join(named[:-1])} and {named[-1]}" if named[1:] else named[0]
        largest = f" ({self.largest})" if self.largest else ""
        return f"{self.clusters} {IN_EFFECT} {listed}{largest}"


def warn_of_thin_slopes(information: Information) -> str:
    """The warning beside slopes on experience that few of many counselors decide on, or an empty string."""
    if not information.thin.any():
        return ""
    return (
        f"Slopes on experience are of {information.told(information.thin)}. Intervals and p values of these slopes are "
        "from the t distribution with one degree of freedom less than that (at least 1), which makes up for a part of "
        "standard errors that are too small: take p values just below .05 as not clear."
    )


def information_of(
    names: Sequence[str], columns: Floats, clusters: Sequence[Any] | NDArray[Any], weights: Floats | None = None
) -> Information:
    """The information of columns [rows, columns] by clusters [rows]; weights [rows] of a weighted fit."""
    groups = cluster_codes(clusters, len(columns))
    first = int(np.argmax(groups.sizes))
    share = groups.sizes[first] / len(columns)
    largest = f"{groups.labels[first]} has {share:.0%} of the chats" if share > LARGE else ""
    return Information(tuple(names), len(groups), effective_clusters(columns, groups.codes, weights), largest)
