"""Which conversations train the model, which tune it and which test it. Never by message."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from mi_coder.conversation import Conversation
from mi_coder.corpora.splits import PARTS, Part, group_of, hashed_part
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean

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


def split(conversations: Iterable[Conversation]) -> dict[Part, list[Conversation]]:
    """Put every conversation into one part.

    A field `split` decides for its whole group; the other groups are placed by a hash of their name, so that a group
    stays where it is when data is added.

    Raises:
        UnknownName: a field `split` that names no part.
        UsageProblem: the conversations of one group name two parts.
    """
    conversations = list(conversations)
    named: dict[str, Part] = {}
    for conversation in conversations:
        part = _named_part(conversation)
        group = group_of(conversation)
        if part and named.setdefault(group, part) != part:
            raise UsageProblem(
                f"The group {group!r} is in two parts: conversation {conversation.id!r} has split {part!r}, another "
                f"one has {named[group]!r}. Give all conversations of a source_group the same split, or none."
            )
    parts: dict[Part, list[Conversation]] = {part: [] for part in PARTS}
    for conversation in conversations:
        group = group_of(conversation)
        parts[named.get(group) or hashed_part(group)].append(conversation)
    return parts


def _named_part(conversation: Conversation) -> Part | None:
    name = conversation.extra.get("split")
    if name is None:
        return None
    for part in PARTS:
        if name == part:
            return part
    raise UnknownName(
        f"Conversation {conversation.id!r}: split {name!r} is none of {', '.join(PARTS)}."
        f"{did_you_mean(str(name), PARTS)}"
    )
