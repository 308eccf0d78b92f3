"""The compact set of hashes behaves as a set."""

from hypothesis import given
from hypothesis import strategies as st

from mi_coder.formats.hash_set import HashSet


@given(st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 40).map(lambda number: number << 12), max_size=200))
def test_it_holds_what_was_added_and_nothing_else(keys: list[int]) -> None:
    found, expected = HashSet(), set()
    for key in keys:
        assert (key in found) == (key in expected)
        found.add(key)
        expected.add(key)
        assert len(found) == len(expected)


def test_it_grows() -> None:
    found = HashSet()
    for number in range(1, 5001):
        found.add(number * 2654435761 % 2**64)
    assert len(found) == 5000
    assert all(number * 2654435761 % 2**64 in found for number in range(1, 5001))
    assert 7 not in found
