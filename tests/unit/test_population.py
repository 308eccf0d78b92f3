"""What there is to sample from."""

from pathlib import Path

import pytest

from mi_coder.annotation.population import Done, population, read_done
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold, Message
from mi_coder.corpora.standoff import text_hash
from mi_coder.errors import UsageProblem


def chat(name: str, *texts: str) -> Conversation:
    """Client lines start with <."""
    return Conversation(name, [Message("client" if text[:1] == "<" else "counselor", text) for text in texts])


def ids(*chats: Conversation, done: Done = Done(), unit: str = "message") -> list[str]:  # noqa: B008
    return [name for one in population(chats, unit, done).units for name in one.ids]  # type: ignore[arg-type]


def test_counselor_messages_with_text_in_the_order_of_ids() -> None:
    found = population([chat("b", "hi", "<hm", "go on"), chat("a", "\u200b ", "well")], "message", Done())
    assert [name for unit in found.units for name in unit.ids] == ["a#1", "b#0", "b#2"]
    assert (found.empty, found.coded, found.duplicates) == (1, 0, 0)


def test_of_the_same_text_only_the_first_is_kept() -> None:
    found = population([chat("a", "Go  on", "go on\u200b", "Go on!"), chat("b", "GO ON")], "message", Done())
    assert [unit.ids for unit in found.units] == [["a#0"], ["a#2"]]
    assert found.duplicates == 2


def test_what_is_coded_is_left_out_with_whatever_has_its_text() -> None:
    found = population([chat("a", "go on", "why"), chat("b", "Go on")], "message", Done(frozenset({("b", 0)})))
    assert [unit.ids for unit in found.units] == [["a#1"]]
    assert (found.coded, found.duplicates) == (1, 1)
    elsewhere = Done(hashes=frozenset({text_hash("why")}))
    assert ids(chat("a", "go on", "why"), done=elsewhere) == ["a#0"]


def test_only_complete_gold_counts_as_coded() -> None:
    chats = chat("a", "one", "two")
    book = Codebook.load()
    chats.messages[0].gold = Gold(frozenset({"OQ"}), frozenset(book.ids) - {"OQ"})
    chats.messages[1].gold = Gold(frozenset({"OQ"}))
    assert ids(chats) == ["a#1"]


def test_conversations_are_left_out_whole() -> None:
    chats = [
        chat("a", "<x", "one", "two"),
        chat("b", "<x", "ONE", "two"),
        chat("c", "<y", "one", "two"),
        chat("d", "<z"),
    ]
    found = population(chats, "conversation", Done(frozenset({("c", 2)})))
    assert [unit.ids for unit in found.units] == [["a#1", "a#2"]]
    assert (found.empty, found.coded, found.duplicates) == (1, 1, 1)


def test_the_fingerprint_tells_texts_and_places_not_the_order_of_files() -> None:
    one, other = chat("a", "one"), chat("b", "two")
    prints = [population(chats, "message", Done()).hash for chats in ([one, other], [other, one], [one])]
    assert prints[0] == prints[1] != prints[2]
    assert population([chat("a", "one"), chat("b", "three")], "message", Done()).hash != prints[0]


def test_an_id_that_comes_twice() -> None:
    with pytest.raises(UsageProblem, match="'a' comes twice"):
        population([chat("a", "one"), chat("a", "two")], "message", Done())


def test_files_of_codes_and_of_samples(tmp_path: Path) -> None:
    codes, sample = tmp_path / "codes.csv", tmp_path / "sample.csv"
    codes.write_text("conversation_id,index,text_hash,codes\na,3,0123456789abcdef,OQ\n")
    sample.write_text("conversation_id,index,inclusion_probability\nb,0,0.5\n")
    assert read_done([codes, sample]) == Done(frozenset({("a", 3), ("b", 0)}), frozenset({"0123456789abcdef"}))
    sample.write_text("conversation_id,index\nb,x\n")
    with pytest.raises(UsageProblem, match=r"sample\.csv:2: index"):
        read_done([sample])
