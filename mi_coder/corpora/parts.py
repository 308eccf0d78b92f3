"""Which conversations train a model, which tune it and which test it. Never by message."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, get_args

from mi_coder.conversation import Conversation
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

TRAIN_SHARE = 0.70
DEV_SHARE = 0.15


def group_of(conversation: Conversation) -> str:
    """Conversations of one group stay together: the field `source_group` (one worker, one video), else the own id."""
    return str(conversation.extra.get("source_group") or conversation.id)


def hashed_part(group: str) -> Part:
    """The part of a group by its name alone: 70 % train, 15 % dev, 15 % test."""
    position = int.from_bytes(sha256(group.encode()).digest()[:8], "big") / 2**64
    if position < TRAIN_SHARE:
        return "train"
    return "dev" if position < TRAIN_SHARE + DEV_SHARE else "test"


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
