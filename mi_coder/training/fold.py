"""Shares of the conversations for cross-fitting. Never by message."""

from dataclasses import dataclass
from hashlib import sha256

from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import group_of

_SALT = "x"  # so that folds do not follow the parts, which are drawn by a hash of the same names


@dataclass(frozen=True, slots=True)
class Fold:
    """One of several equal shares of the groups, drawn by a hash of their names.

    Attributes:
        number: from 1 to `of`.
        of: how many folds there are, at least 2.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Fold":
        """Read `1/2`, the first of two folds.

        Raises:
            ValueError: it is no such fold.
        """
        number, of = map(int, text.split("/"))
        if not 1 <= number <= of or of < 2:
            raise ValueError(text)
        return cls(number, of)

    def holds(self, conversation: Conversation) -> bool:
        """Whether the group of the conversation is in this fold."""
        drawn = int(sha256(f"{_SALT}{group_of(conversation)}".encode()).hexdigest(), 16)
        return drawn % self.of == self.number - 1
