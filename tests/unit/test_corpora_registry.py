"""Names and descriptions of the corpora, and counting their codes."""

from pathlib import Path
from typing import Any

import pytest

from mi_coder import corpora
from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Gold, Message
from mi_coder.corpora.parts import hashed_part
from mi_coder.corpora.tally import CorpusPart, Tally, by_part, count_rows
from mi_coder.errors import UnknownName, UsageProblem


def test_every_corpus_is_described() -> None:
    assert corpora.names() == ("annomi", "esconv", "feedback_esconv", "mibot", "physical_activity", "welivita")
    for name in corpora.names():
        about = corpora.info(name)
        assert about.name == name
        assert all([about.title, about.content, about.license, about.gold, about.citation, about.folder, about.files])


def test_a_misspelled_corpus_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'esconv'"):
        corpora.load("escon", ".")


@pytest.mark.parametrize("name", corpora.names())
def test_missing_files_are_told_before_the_first_conversation(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        corpora.load(name, tmp_path)
    assert all(file in str(caught.value) for file in corpora.info(name).files)


def conversation(corpus: str, split: str | None, *golds: Gold | None) -> Conversation:
    messages = [Message(COUNSELOR, "Hm.", gold=gold) for gold in golds]
    extra = {"corpus": corpus} | ({"split": split} if split else {})
    return Conversation("c", [Message(CLIENT, "Hi."), *messages], extra=extra)


def test_tallies_by_corpus_and_split() -> None:
    known, doubtful = Gold(positive=frozenset({"GR", "SU"})), Gold(any_of=(frozenset({"OQ", "CQ"}),))
    tallies = by_part(
        [
            conversation("one", "train", known, None),
            conversation("one", "test", doubtful),
            conversation("one", "train", known),
            conversation("two", None, None),
        ]
    )
    two = hashed_part("c")
    assert [str(key) for key in tallies] == ["one/train", "one/test", f"two/{two}"]
    train = tallies[CorpusPart("one", "train")]
    assert (train.conversations, train.messages, train.counselor_messages) == (2, 5, 3)
    assert (train.with_gold, train.with_code, train.positives) == (2, 2, {"GR": 2, "SU": 2})
    test = tallies[CorpusPart("one", "test")]
    assert (test.with_code, test.any_of) == (1, {frozenset({"OQ", "CQ"}): 1})
    assert (train.without_split, tallies[CorpusPart("two", two)].without_split) == (0, 1)


def test_parts_stand_in_their_order_whatever_comes_first() -> None:
    chats = [conversation("b", part) for part in ("own", "test", "dev", "train")] + [conversation("a", "dev")]
    assert [str(key) for key in by_part(chats)] == ["b/train", "b/dev", "b/test", "b/own", "a/dev"]


@pytest.mark.parametrize("empty", [{}, {"split": None}, {"split": ""}])
def test_the_group_decides_where_no_part_is_named(empty: dict[str, Any]) -> None:
    group = next(name for name in map(str, range(100)) if hashed_part(name) != hashed_part("c"))
    chat = Conversation("c", [], {"source_group": group, "official_split": "valid", **empty})
    [(key, tally)] = by_part([chat]).items()
    assert key == CorpusPart("-", hashed_part(group))
    assert tally.without_split == 1


def test_rows_of_counts_are_codes_then_sets_then_totals() -> None:
    doubtful = Gold(positive=frozenset({"GR"}), any_of=(frozenset({"CQ", "OQ"}),))
    chats = [conversation("one", "train", doubtful, None), conversation("one", "dev", None)]
    rows = count_rows(by_part(chats).values(), Codebook.load())
    assert [name for name, _ in rows[:21]] == list(Codebook.load().ids)
    assert dict(rows)["GR"] == [1, 0]
    assert rows[21:] == [
        ("OQ or CQ", [1, 0]),
        ("conversations", [1, 1]),
        ("messages", [3, 2]),
        ("counselor messages", [2, 1]),
        ("with gold", [1, 0]),
    ]


def test_a_code_known_not_to_apply_is_gold_without_a_code() -> None:
    tally = Tally()
    tally.add(conversation("one", None, Gold(negative=frozenset({"GR"}))))
    assert (tally.with_gold, tally.with_code, tally.positives) == (1, 0, {})


def test_a_tally_lets_conversations_pass() -> None:
    tally, chats = Tally(), [conversation("one", None, None), conversation("one", None)]
    assert list(tally.over(chats)) == chats
    assert (tally.conversations, tally.messages) == (2, 3)
