"""Conversations of one group never land in two parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import PARTS, group_of, hashed_part, split
from mi_coder.errors import UnknownName, UsageProblem


def chat(identity: str, **extra: str) -> Conversation:
    return Conversation(identity, [], dict(extra))


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.booleans()),
        max_size=40,
    )
)
def test_groups_stay_together_and_nothing_is_lost(members: list[tuple[str, bool]]) -> None:
    chats = [
        chat(f"c{number}", source_group=group, **({"split": "dev"} if named and group == "a" else {}))
        for number, (group, named) in enumerate(members)
    ]
    parts = split(chats)
    groups = [{group_of(one) for one in parts[part]} for part in PARTS]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert sorted(one.id for part in PARTS for one in parts[part]) == sorted(one.id for one in chats)


def test_a_named_split_takes_its_whole_group_along() -> None:
    group = next(name for name in map(str, range(100)) if hashed_part(name) == "train")
    parts = split([chat("x", source_group=group), chat("y", source_group=group, split="test")])
    assert [one.id for one in parts["test"]] == ["x", "y"]


def test_without_a_group_the_conversation_id_decides() -> None:
    parts = split([chat(f"chat-{number}") for number in range(2000)])
    shares = [len(parts[part]) / 2000 for part in PARTS]
    assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.03)
    for part in PARTS:
        assert all(hashed_part(one.id) == part for one in parts[part])


def test_a_group_in_two_parts_is_refused() -> None:
    with pytest.raises(UsageProblem, match=r"'g' is in two parts.*'b'"):
        split([chat("a", source_group="g", split="train"), chat("b", source_group="g", split="test")])


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'test'"):
        split([chat("a", split="tset")])
