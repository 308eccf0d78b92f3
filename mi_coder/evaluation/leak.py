"""Was a model trained on the conversations that are to test it?

A model keeps one hash for every conversation that trained or tuned it, and one for its `source_group` (one worker, one
video, one text) where it has one: another conversation of the same group is no fair test either.
"""

from collections.abc import Iterable
from hashlib import sha256

from mi_coder.conversation import Conversation


def training_hash(name: str) -> str:
    """The first 16 hex digits of the SHA-256 of a name (UTF-8)."""
    return sha256(name.encode()).hexdigest()[:16]


def training_hashes(conversation: Conversation) -> tuple[str, ...]:
    """What a model keeps of a conversation: the hash of its id, and that of its group."""
    group = conversation.extra.get("source_group")
    return tuple(map(training_hash, [conversation.id, f"group:{group}"] if group else [conversation.id]))


def overlap(conversations: Iterable[Conversation], training_ids: Iterable[str]) -> tuple[str, ...]:
    """The ids, sorted, of the conversations that are among the training ones or share a group with one of them.

    Args:
        training_ids: of the model. Those of older models hold no groups.
    """
    trained = set(training_ids)
    return tuple(sorted({one.id for one in conversations if not trained.isdisjoint(training_hashes(one))}))
