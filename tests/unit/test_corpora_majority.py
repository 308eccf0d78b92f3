"""One answer from several raters."""

import pytest

from mi_coder.corpora.majority import majority, settled


@pytest.mark.parametrize(
    ("votes", "open_answers"),
    [
        (["open"], {"open"}),
        ([None], {None}),
        (["open"] * 6 + [None] * 4, {"open"}),
        (["open"] * 4 + [None] * 6, {None}),
        (["open"] * 5 + [None] * 5, {"open", None}),
        (["open"] * 4 + ["closed"] * 2 + [None] * 4, {"open"}),
        (["open"] * 4 + ["closed"] * 4 + [None] * 2, {"open", "closed"}),
        (["a"] * 3 + ["b"] * 2 + ["c"] * 1, {"a", "b", "c"}),
        (["open"] * 3 + ["closed"] * 2 + [None] * 5, {"open", "closed", None}),
    ],
)
def test_majority(votes: list[str | None], open_answers: set[str | None]) -> None:
    assert majority(votes) == open_answers


def test_only_a_single_answer_is_settled() -> None:
    assert settled({"open"}) == "open"
    assert settled({"open", "closed"}) is None
    assert settled({None}) is None
