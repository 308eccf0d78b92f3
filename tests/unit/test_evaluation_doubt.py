"""Doubt: errors of the most confident messages, prediction sets and review, by hand."""

import json
import math

import numpy as np
import pytest

from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.evaluation.compare import compare
from mi_coder.evaluation.doubt import doubt
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.render import doubt_lines
from mi_coder.evaluation.report import Options, Source
from mi_coder.evaluation.risk import Ranking, reduction

CODES = ("OQ", "CQ", "SU")
SOURCE = Source("gold.jsonl", "a" * 64, "toy 1", "b" * 64, "sha256:00")
OPTIONS = Options(1, 200)


def message(gold: tuple[str, ...], scores: tuple[float, float, float], review: bool = False) -> Message:
    """A message that was given the codes of 0.5 and more."""
    given = dict(zip(CODES, scores, strict=True))
    codes = tuple(code for code, score in given.items() if score >= 0.5)
    known = Gold(frozenset(gold), frozenset(CODES) - set(gold))
    return Message("counselor", "x", gold=known, coding=Coding(codes, given, review=review))


# From the most to the least confident message: right, wrong, right, wrong.
CHATS = [
    Conversation("a", [message(("OQ",), (0.9, 0.0, 0.0)), message(("CQ",), (0.8, 0.1, 0.0))]),
    Conversation("b", [message(("OQ",), (0.7, 0.2, 0.1)), message(("OQ", "SU"), (0.6, 0.2, 0.3), review=True)]),
]


def test_errors_of_the_most_confident_messages() -> None:
    ranking = Ranking.of(np.array([0.6, 0.9, 0.7, 0.8]), np.array([True, False, False, True]))
    errors = ranking.errors(np.array([0.25, 0.5, 0.75, 0.8, 1.0]), np.ones(4))
    np.testing.assert_allclose(errors, [0, 1 / 2, 1 / 3, 1.2 / 3.2, 2 / 4])
    assert ranking.area(np.ones(4)) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_equally_sure_messages_are_kept_in_random_order() -> None:
    ranking = Ranking.of(np.array([0.5, 0.9, 0.5, 0.5]), np.array([True, False, True, False]))
    np.testing.assert_allclose(ranking.errors(np.array([0.5]), np.ones(4)), [(2 / 3) / 2])


def test_without_messages_there_is_no_error() -> None:
    ranking = Ranking.of(np.array([0.5]), np.array([True]))
    assert np.isnan(ranking.errors(np.array([0.5, 1.0]), np.zeros(1))).all()
    assert math.isnan(ranking.area(np.zeros(1)))


def test_reduction_is_undefined_where_nothing_is_wrong() -> None:
    np.testing.assert_allclose(reduction(np.array([0.1, 0.0]), np.array([0.4, 0.0])), [0.75, np.nan])


def test_the_curve_of_a_report() -> None:
    risk = doubt(compare(CHATS, CHATS, CODES), OPTIONS, None).risk
    assert risk is not None
    assert [kept.coverage for kept in risk.curve] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert [kept.error.value for kept in risk.curve] == pytest.approx(
        [1 / 2, 1 / 2.4, 1 / 2.8, 1.2 / 3.2, 1.6 / 3.6, 1 / 2]
    )
    assert risk.reduction.value == pytest.approx(1 - (1.2 / 3.2) / (1 / 2))
    assert risk.area.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert risk.messages == 4
    assert risk.curve[-1].error.low == risk.curve[-1].error.high == 0.5


def test_a_code_given_below_one_half_makes_a_message_unsure() -> None:
    gold = Gold(frozenset({"CQ"}), frozenset({"OQ", "SU"}))
    unlikely = Message("counselor", "x", gold=gold, coding=Coding(("OQ",), {"OQ": 0.3, "CQ": 0.0, "SU": 0.0}))
    chats = [Conversation("a", [unlikely, message(("OQ",), (0.6, 0.0, 0.0))])]
    risk = doubt(compare(chats, chats, CODES), OPTIONS, None).risk
    assert risk is not None
    assert (risk.curve[0].coverage, risk.curve[0].error.value) == (0.5, 0.0)


def test_sets_of_a_report() -> None:
    sets = doubt(compare(CHATS, CHATS, CODES), OPTIONS, 0.2).sets
    assert sets is not None
    # {OQ}, {OQ}, {OQ, CQ}, {OQ, CQ, SU}: the second lacks CQ.
    assert (sets.coverage, sets.messages) == (0.9, 4)
    assert (sets.held.value, sets.size.value) == (0.75, 7 / 4)
    assert (sets.held.low, sets.held.high) == (0.5, 1.0)
    assert (sets.size.low, sets.size.high) == (1.0, 2.5)


def test_a_code_that_follows_from_a_group_must_be_in_the_set() -> None:
    coding = Coding(("OQ",), {"OQ": 0.9, "CQ": 0.0, "SU": 0.1})
    for gold in (
        Gold(frozenset({"SU"}), frozenset({"OQ", "CQ"})),
        Gold(negative=frozenset({"OQ", "CQ"}), any_of=(frozenset({"SU"}),)),
    ):
        chats = [Conversation("a", [Message("counselor", "x", gold=gold, coding=coding)])]
        sets = doubt(compare(chats, chats, CODES), OPTIONS, 0.2).sets
        assert sets is not None and sets.held.value == 0


def test_review_of_a_report() -> None:
    review = doubt(compare(CHATS, CHATS, CODES), OPTIONS, None).review
    assert review is not None
    assert (review.sent.value, review.error.value) == (0.25, 0.5)
    assert review.kept_error.value == pytest.approx(1 / 3)
    assert review.reduction.value == pytest.approx(1 / 3)
    assert (review.sent.low, review.sent.high) == (0.0, 0.5)


def test_where_nothing_is_wrong_no_share_of_the_error_is_named() -> None:
    messages = [message(("OQ",), (0.9, 0.0, 0.0)), message(("CQ",), (0.1, 0.8, 0.0), review=True)]
    right = [Conversation(name, messages) for name in "ab"]
    said = list(doubt_lines(doubt(compare(right, right, CODES), OPTIONS, None)))
    assert len(said) == 1
    assert said[0].endswith(
        "Exact-match error is 0.000 [0.000, 0.000] over all messages and 0.000 [0.000, 0.000] over the rest."
    )
    wrong = list(doubt_lines(doubt(compare(CHATS, CHATS, CODES), OPTIONS, None)))
    assert "removes 0.250" in wrong[0]
    assert wrong[1].endswith("of the error is removed.")


def test_only_messages_with_complete_gold_and_all_probabilities_are_judged() -> None:
    partial = Message("counselor", "x", gold=Gold(frozenset({"OQ"})), coding=Coding(("SU",), dict.fromkeys(CODES, 0.6)))
    chosen = Message("counselor", "x", gold=CHATS[0].messages[0].gold, coding=Coding(("OQ",), {"OQ": 0.9}))
    chats = [*CHATS, Conversation("c", [partial, chosen])]
    found, without = (doubt(compare(some, some, CODES), OPTIONS, 0.2) for some in (chats, CHATS))
    assert found.risk is not None
    assert without.risk is not None
    assert (found.risk.messages, found.risk.area.value) == (4, without.risk.area.value)
    assert found.sets is not None
    assert (found.sets.messages, found.sets.held.value) == (4, 0.75)
    assert found.review is not None
    assert found.review.sent.value == 1 / 5


def test_messages_that_are_not_judged_leave_the_others_in_their_conversations() -> None:
    partial = Message("counselor", "x", gold=Gold(frozenset({"OQ"})), coding=Coding(("SU",), dict.fromkeys(CODES, 0.6)))
    right, wrong = message(("OQ",), (0.9, 0.0, 0.0)), message(("CQ",), (0.8, 0.1, 0.0))
    chats = [Conversation("a", [partial, right]), Conversation("b", [wrong])]
    risk = doubt(compare(chats, chats, CODES), OPTIONS, None).risk
    assert risk is not None
    assert risk.messages == 2
    error = risk.curve[-1].error
    assert (error.low, error.value, error.high) == (0.0, 0.5, 1.0), "conversations are drawn whole: a right, b wrong"


def test_a_message_that_is_sent_counts_only_where_its_gold_is_complete() -> None:
    sent = Coding(("OQ",), dict.fromkeys(CODES, 0.5), review=True)
    partial = Message("counselor", "x", gold=Gold(frozenset({"OQ"})), coding=sent)
    chats = [Conversation("a", [partial, message(("OQ",), (0.9, 0.0, 0.0))])]
    assert doubt(compare(chats, chats, CODES), OPTIONS, None).review is None
    chats.append(Conversation("b", [message(("CQ",), (0.8, 0.1, 0.0), review=True)]))
    review = doubt(compare(chats, chats, CODES), OPTIONS, None).review
    assert review is not None and review.sent.value == 0.5


def test_what_is_unknown_is_left_out() -> None:
    bare = [Conversation("a", [Message("counselor", "x", gold=Gold(frozenset(CODES)), coding=Coding(("OQ",), {}))])]
    found = doubt(compare(bare, bare, CODES), OPTIONS, 0.2)
    assert (found.risk, found.sets, found.review) == (None, None, None)
    assert "Confidence" not in evaluate(compare(bare, bare, CODES), SOURCE, OPTIONS, set_cut=0.2).to_text()


def test_the_section_of_the_page() -> None:
    report = evaluate(compare(CHATS, CHATS, CODES), SOURCE, OPTIONS, set_cut=0.2)
    section = report.to_markdown().split("**Confidence**")[1].split("Human coders:")[0]
    assert "| 80%                     | 0.375 [" in section
    assert "Keeping only the most confident 80% of 4 messages removes 0.250 [" in section
    sets = "contain all gold codes in 0.750 [0.500, 1.000] of 4 messages, with 1.750 [1.000, 2.500] codes per message."
    assert sets in section
    assert "Review: 0.250 [0.000, 0.500] of the messages" in section
    assert "\nConfidence\n" in report.to_text()
    found = json.loads(report.to_json())["doubt"]
    assert found["sets"]["held"] == {"value": 0.75, "low": 0.5, "high": 1.0}
    assert found["risk"]["curve"][-1] == {"coverage": 1.0, "error": {"value": 0.5, "low": 0.5, "high": 0.5}}
