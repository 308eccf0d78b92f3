"""Was a model trained on the conversations that are to test it?"""

from collections.abc import Iterable
from hashlib import sha256


def training_hash(conversation_id: str) -> str:
    """What a model keeps of a training conversation: the first 16 hex digits of the SHA-256 of its id (UTF-8)."""
    return sha256(conversation_id.encode()).hexdigest()[:16]


def overlap(conversation_ids: Iterable[str], training_ids: Iterable[str]) -> tuple[str, ...]:
    """The conversation ids, sorted, whose hashes are among `training_ids`."""
    trained = set(training_ids)
    return tuple(sorted({one for one in conversation_ids if training_hash(one) in trained}))
