"""Which messages go through the encoder together."""

from hypothesis import given
from hypothesis import strategies as st

from mi_coder.tagger.encoder import _groups
from mi_coder.tagger.window import Tokens


@given(st.lists(st.tuples(st.integers(2, 300), st.integers(1, 4000)), max_size=60))
def test_groups_are_small_enough_to_compute_and_lose_no_message(sizes: list[tuple[int, int]]) -> None:
    all_windows = [Tokens([3] * (own + context), own, False) for own, context in sizes]
    groups = list(_groups(all_windows))
    assert sorted(row for group in groups for row in group) == list(range(len(sizes)))
    for group in groups:
        own, context = (max(column) for column in zip(*[sizes[row] for row in group], strict=True))
        assert len(group) == 1 or (len(group) * own <= 256 and len(group) * (own + context) <= 2048)
