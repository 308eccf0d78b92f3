"""One hash of many pieces."""

from collections.abc import Iterable
from hashlib import sha256


def digest(pieces: Iterable[bytes]) -> str:
    """SHA-256 (hex) of all pieces, one after the other."""
    hashed = sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()
