"""A set of 64-bit hashes that stays small: a million of them take 16 MB, where a set of Python numbers takes 80."""

from array import array

_FIRST_SIZE = 1024


class HashSet:
    """Open addressing with linear probing (Knuth, The Art of Computer Programming 3, 6.4), at most half full."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SIZE))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return self._slots[self._place(key)] != 0

    def add(self, key: int) -> None:
        """Add a hash from 0 to 2**64 - 1. Zero marks empty slots, so 0 and 1 count as the same."""
        place = self._place(key)
        if self._slots[place] == 0:
            self._slots[place] = key or 1
            self._count += 1
            if 2 * self._count > len(self._slots):
                self._grow()

    def _place(self, key: int) -> int:
        """The slot that holds the key, or the empty one where it belongs."""
        key = key or 1
        slots, mask = self._slots, len(self._slots) - 1
        place = key & mask
        while slots[place] not in (0, key):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        kept = self._slots
        self._slots = array("Q", bytes(16 * len(kept)))
        for key in kept:
            if key:
                self._slots[self._place(key)] = key
