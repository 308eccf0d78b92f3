"""Names and descriptions of the corpora, and counting their codes."""

from pathlib import Path
from typing import Any

import pytest

from mi_coder import corpora
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Gold, Message
from mi_coder.corpora.tally import Tally, by_part
from mi_coder.errors import UnknownName, UsageProblem


def test_every_corpus_is_described() -> None:
    assert corpora.names() == ("annomi", "esconv", "mibot", "physical_activity", "welivita")
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
    assert list(tallies) == ["one/train", "one/test", "two"]
    train = tallies["one/train"]
    assert (train.conversations, train.messages, train.counselor_messages) == (2, 5, 3)
    assert (train.with_gold, train.with_code, train.positives) == (2, 2, {"GR": 2, "SU": 2})
    assert tallies["one/test"].with_code == 1
    assert tallies["one/test"].any_of == {frozenset({"OQ", "CQ"}): 1}


def test_parts_of_a_corpus() -> None:
    fields: list[dict[str, Any]] = [
        {"official_split": "valid", "failed": False},
        {"official_split": None, "failed": True},
        {"split": "dev"},
    ]
    chats = [Conversation("c", [], {"corpus": "one", **extra}) for extra in fields]
    assert list(by_part(chats)) == ["one/valid", "one/failed", "one/dev"]


def test_a_code_known_not_to_apply_is_gold_without_a_code() -> None:
    tally = Tally()
    tally.add(conversation("one", None, Gold(negative=frozenset({"GR"}))))
    assert (tally.with_gold, tally.with_code, tally.positives) == (1, 0, {})


def test_a_tally_lets_conversations_pass() -> None:
    tally, chats = Tally(), [conversation("one", None, None), conversation("one", None)]
    assert list(tally.over(chats)) == chats
    assert (tally.conversations, tally.messages) == (2, 3)
