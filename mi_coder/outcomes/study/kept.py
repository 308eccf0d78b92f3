"""Which chats a model is fitted to, and why the others are not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mi_coder.arrays import Bools
from mi_coder.outcomes.study.chats import Chats


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Chats that are kept so far.

    Attributes:
        rows: [chats] whether each is kept.
        dropped: how many were left out, by the first reason that each met.
    """

    rows: Bools
    dropped: Mapping[str, int]

    @classmethod
    def all_of(cls, chats: Chats) -> "Kept":
        """All that were read; those that reading left out are counted."""
        return cls(np.ones(len(chats), dtype=bool), chats.left_out)

    @property
    def reasons(self) -> str:
        """Why chats were left out, and how many for each reason."""
        return "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "there are no chats"

    def without(self, bad: ArrayLike, reason: str) -> "Kept":
        """Those that are not `bad` [chats], with the reason where that leaves one out."""
        left_out = self.rows & np.asarray(bad, dtype=bool)
        if not left_out.any():
            return self
        return Kept(self.rows & ~left_out, {**self.dropped, reason: int(left_out.sum())})
