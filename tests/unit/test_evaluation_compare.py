"""Aligning gold with tagged messages."""

from dataclasses import replace

import numpy as np
import pytest

from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.errors import UnknownName
from mi_coder.evaluation.compare import NotComparable, compare, from_codes

CODES = ("OQ", "CQ", "SU")


def coded(*codes: str, **scores: float) -> Coding:
    return Coding(codes, scores)


def conversation(name: str, *messages: Message) -> Conversation:
    return Conversation(name, [Message("client", "hello"), *messages])


def counselor(text: str, gold: Gold | None = None, coding: Coding | None = None) -> Message:
    return Message("counselor", text, gold=gold, coding=coding)


def test_known_unknown_and_given_codes_become_arrays() -> None:
    gold = Gold(frozenset({"OQ"}), frozenset({"SU"}))
    one = conversation("a", counselor("how so?", gold, coded("OQ", "SU", OQ=0.9, SU=0.6, CQ=0.2)))
    both = compare([one], [one], CODES)
    np.testing.assert_equal(both.truth, [[1, np.nan, 0]])
    assert both.predicted.tolist() == [[True, False, True]]
    assert both.probability.tolist() == [[0.9, 0.2, 0.6]]
    assert both.texts == ("how so?",)


def test_scores_of_chosen_codes_alone_are_no_probabilities() -> None:
    one = conversation("a", counselor("how so?", Gold(frozenset({"OQ"})), coded("OQ", OQ=0.9)))
    assert np.isnan(compare([one], [one], CODES).probability).all()


def test_messages_without_known_codes_and_other_conversations_are_left_out() -> None:
    gold = [
        conversation("b", counselor("x", Gold(frozenset({"SU"})), coded("SU"))),
        conversation("a", counselor("y", None, coded()), counselor("z", Gold(), coded())),
        conversation("c", Message("client", "x", gold=Gold(frozenset({"SU"})), coding=coded("SU"))),
    ]
    both = compare(gold, [*gold, conversation("d", counselor("x", None, coded("OQ")))], CODES)
    assert both.conversation_ids == ("b",)
    assert len(both.truth) == 1


def test_conversations_are_numbered_by_sorted_id() -> None:
    gold = [conversation(name, counselor(name, Gold(frozenset({"SU"})), coded("SU"))) for name in ("b", "c", "a")]
    both = compare(gold, gold[::-1], CODES)
    assert both.conversation_ids == ("a", "b", "c")
    assert both.texts == ("a", "b", "c")
    assert both.conversation.tolist() == [0, 1, 2]


GOLD = conversation("talk-7", counselor("a private matter", Gold(frozenset({"SU"})), coded("SU")))


@pytest.mark.parametrize(
    ("tagged", "message"),
    [
        pytest.param([], "1 of 1 gold conversations are not in the tagged file, the first is 'talk-7'", id="absent"),
        pytest.param([replace(GOLD, messages=GOLD.messages[:1])], "message 1: .* only 1 messages", id="shorter"),
        pytest.param([conversation("talk-7", counselor("other", None, coded("SU")))], "message 1: its text", id="text"),
        pytest.param([conversation("talk-7", counselor("a private matter"))], "message 1: .* no codes", id="uncoded"),
    ],
)
def test_other_messages_are_refused_without_their_text(tagged: list[Conversation], message: str) -> None:
    with pytest.raises(NotComparable, match=message) as error:
        compare([GOLD], tagged, CODES)
    assert "private" not in str(error.value)
    assert "mi-code tag" in str(error.value)


def test_a_file_without_gold_is_refused() -> None:
    with pytest.raises(NotComparable, match="No counselor message of the gold file carries gold codes"):
        compare([conversation("a", counselor("x"))], [], CODES)


@pytest.mark.parametrize(
    "gold", [Gold(frozenset({"OQX"})), Gold(negative=frozenset({"OQX"})), Gold(any_of=(frozenset({"OQX", "CQ"}),))]
)
def test_unknown_gold_codes_are_named(gold: Gold) -> None:
    one = conversation("a", counselor("x", gold, coded("SU")))
    with pytest.raises(UnknownName, match=r"conversation 'a', message 1: no code 'OQX' .* Did you mean 'OQ'\?"):
        compare([one], [one], CODES)


def test_finished_codes_are_complete_gold() -> None:
    coding = Coding(("SU",), {}, depth="simple", permission="with")
    human = conversation("a", counselor("x", None, coding), counselor("", None, Coding((), {}, uncoded="empty")))
    messages = from_codes(human, CODES).messages
    assert messages[1].gold == Gold(frozenset({"SU"}), frozenset({"OQ", "CQ"}), depth="simple", permission="with")
    assert messages[2].gold is None
    assert human.messages[1].gold is None
