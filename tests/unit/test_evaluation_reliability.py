"""Stated probabilities against how often they were right, by hand."""

import pytest

from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.evaluation.compare import compare
from mi_coder.evaluation.doubt import doubt
from mi_coder.evaluation.reliability import reliability
from mi_coder.evaluation.report import Options

CODES = ("OQ", "CQ", "SU")
ALL = frozenset(CODES)


def _chat(name: str, *said: tuple[str, dict[str, float], frozenset[str]]) -> Conversation:
    """A message for its right code, the probabilities of the codes that were given, and what gold tells of."""
    return Conversation(
        name,
        [
            Message("counselor", "x", gold=Gold(frozenset({code}), known - {code}), coding=Coding(tuple(given), given))
            for code, given, known in said
        ],
    )


CHATS = [
    _chat("a", ("OQ", {"OQ": 0.95, "SU": 0.62}, ALL), ("CQ", {"CQ": 1.0}, ALL)),
    _chat("b", ("SU", {"SU": 0.6}, ALL), ("SU", {"OQ": 0.91}, ALL), ("SU", {"CQ": 0.3}, frozenset({"SU"}))),
]


def test_bins_hold_what_was_stated_and_what_was_right() -> None:
    found = reliability(compare(CHATS, CHATS, CODES), Options(1, 200))
    assert found is not None
    low, high = found.bins
    assert (low.low, low.codes, low.stated, low.right.value) == (0.6, 2, pytest.approx(0.61), 0.5)
    assert (high.low, high.codes, high.stated) == (0.9, 3, pytest.approx(2.86 / 3))
    assert high.right.value == pytest.approx(2 / 3)
    assert (high.right.low, high.right.high) == (0.0, 1.0), "conversations are drawn whole: b alone has none right"
    assert found.codes == 5, "a code that gold leaves open is not judged"
    assert found.error == pytest.approx((2 * 0.11 + 3 * (2.86 / 3 - 2 / 3)) / 5)


def test_a_probability_is_in_the_bin_that_it_lies_in() -> None:
    chats = [_chat("a", *[("OQ", {"OQ": stated}, ALL) for stated in (0.56, 0.59, 0.96, 1.0)])]
    found = reliability(compare(chats, chats, CODES), Options(1, 10))
    assert found is not None
    assert [(one.low, one.codes) for one in found.bins] == [(0.5, 2), (0.9, 2)]


def test_probabilities_of_given_codes_are_enough() -> None:
    found = doubt(compare(CHATS, CHATS, CODES), Options(1, 20), None)
    assert found.risk is None and found.reliability is not None


def test_without_probabilities_there_is_none() -> None:
    coded = [Conversation("a", [Message("counselor", "x", gold=Gold(ALL), coding=Coding(("OQ",), {}))])]
    assert reliability(compare(coded, coded, CODES), Options(1, 20)) is None
