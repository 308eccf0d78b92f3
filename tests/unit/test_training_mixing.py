"""Copies of chats whose sentences are mixed with others of their corpus."""

import re
from itertools import pairwise

import pytest

from mi_coder.conversation import Conversation, Gold, Message
from mi_coder.tagger.sentences import Span
from mi_coder.training.data import MIXED
from mi_coder.training.mixing import mixed


def split(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"[^.\s][^.]*\.", text)]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


def chat(name: str, corpus: str, number: int) -> Conversation:
    messages = [
        message
        for turn in range(number)
        for message in (
            Message("client", f"client {name}{turn}."),
            Message("counselor", f"first {name}{turn}. Second {name}{turn}.", gold=Gold(frozenset({"OQ"}))),
        )
    ]
    return Conversation(name, messages, {"corpus": corpus, "source_group": f"group of {name}"})


CHATS = [chat("a", "one", 200), chat("b", "one", 200), chat("c", "two", 20)]


def counselors(chats: list[Conversation]) -> list[str]:
    return [message.text for one in chats for message in one.messages if message.is_counselor]


def test_ids_fields_and_clients_stay_and_codes_do_not() -> None:
    copies = mixed(CHATS, 2, split, seed=1)
    assert [one.id for one in copies] == ["a", "b", "c"] * 2
    for one, of in zip(copies, CHATS * 2, strict=True):
        assert one.extra == {**of.extra, "gold_from": MIXED}
        for new, old in zip(one.messages, of.messages, strict=True):
            assert new.role == old.role
            assert new.gold is None if new.is_counselor else new == old


def test_shares_are_as_described() -> None:
    """Half of the sentences stay; a quarter of the drawn ones is the clients'; a third of the messages grows."""
    mixes, own = counselors(mixed(CHATS[:2], 10, split, seed=2)), counselors(CHATS[:2]) * 10
    lengths = [len(sentences(text)) for text in mixes]
    assert {length: round(lengths.count(length) / len(lengths), 1) for length in (1, 2, 3)} == {1: 0.3, 2: 0.3, 3: 0.3}
    stayed = [sentences(new)[0] == sentences(old)[0] for new, old in zip(mixes, own, strict=True)]
    assert sum(stayed) / len(stayed) == pytest.approx(0.5, abs=0.03)
    drawn = [sentences(new)[0] for new, kept in zip(mixes, stayed, strict=True) if not kept]
    of_clients = [text.startswith("client") for text in drawn]
    assert sum(of_clients) / len(of_clients) == pytest.approx(0.25, abs=0.03)


def test_sentences_are_drawn_from_the_own_corpus() -> None:
    one, two = mixed([CHATS[0], CHATS[2]], 1, split, seed=3)
    assert not re.search(r" c\d", " ".join(counselors([one])))
    assert not re.search(r" a\d", " ".join(counselors([two])))


def test_a_seed_repeats_and_copies_differ() -> None:
    again = [mixed(CHATS, 3, split, seed=4) for _ in range(2)]
    assert again[0] == again[1]
    copies = [again[0][start : start + len(CHATS)] for start in range(0, 3 * len(CHATS), len(CHATS))]
    assert all(counselors(first) != counselors(second) for first, second in pairwise(copies))


def test_without_clients_counselors_alone_are_drawn_from() -> None:
    alone = Conversation("x", [Message("counselor", "one. Two."), Message("counselor", "  ")], {"corpus": "own"})
    *others, copy = mixed([alone], 30, split, seed=5)
    for one in (*others, copy):
        assert set(sentences(one.messages[0].text)) <= {"one.", "Two."}
    assert copy.messages[1] == alone.messages[1]


def test_a_message_keeps_at_least_a_sentence_and_a_blank_one_its_text_alone() -> None:
    said = Message("counselor", "one.", gold=Gold(frozenset({"OQ"})))
    blank = Message("counselor", "", gold=Gold(frozenset({"OT"})))
    short = Conversation("x", [said, blank], {"corpus": "own"})
    for copy in mixed([short], 30, split, seed=6):
        assert sentences(copy.messages[0].text)
        assert copy.messages[1] == Message("counselor", "")
