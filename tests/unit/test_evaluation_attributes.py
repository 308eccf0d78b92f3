"""Depth, permission and groups of which one code applies."""

import numpy as np
import pytest

from mi_coder.conversation import Coding, Gold
from mi_coder.evaluation.attributes import AttributeScore, attribute_scores, group_scores

CODES = ("OQ", "CQ", "REF", "PR", "RC")


def test_depth_counts_where_the_code_is_right() -> None:
    gold = [
        Gold(frozenset({"REF"}), depth="simple"),
        Gold(frozenset({"REF"}), depth="simple"),
        Gold(frozenset({"REF"}), depth="complex"),
        Gold(frozenset({"REF"}), depth="complex"),
        Gold(frozenset({"REF"})),
    ]
    coding = [
        Coding(("REF",), {}, depth="simple"),
        Coding(("REF",), {}, depth="complex"),
        Coding(("REF", "OQ"), {}, depth="complex"),
        Coding(("OQ",), {}),
        Coding(("REF",), {}, depth="simple"),
    ]
    (score,) = attribute_scores(gold, coding, np.array([0, 0, 1, 1, 2]), 200, 0)
    assert (score.attribute, score.messages) == ("depth", 3)
    assert (score.accuracy, score.majority) == pytest.approx((2 / 3, 2 / 3))
    assert (score.low, score.high) == (0.5, 1.0), "one conversation has one of two right, the other its only one"


def test_permission_belongs_to_either_code_but_to_the_same_one() -> None:
    gold = [Gold(frozenset({"PR"}), permission="with"), Gold(frozenset({"RC"}), permission="without")]
    given = [Coding(("PR",), {}, permission="without"), Coding(("PR",), {}, permission="without")]
    (score,) = attribute_scores(gold, given, np.array([0, 1]), 50, 0)
    assert score == AttributeScore("permission", 1, 0.0, 1.0, 0.0, 0.0)


def test_permission_of_concern_is_scored_as_that_of_advice() -> None:
    gold = [Gold(frozenset({"PR"}), permission="with"), Gold(frozenset({"RC"}), permission="without")]
    given = [Coding(("PR",), {}, permission="with"), Coding(("RC",), {}, permission="with")]
    (score,) = attribute_scores(gold, given, np.array([0, 1]), 50, 0)
    assert (score.attribute, score.messages, score.accuracy) == ("permission", 2, 0.5)


def test_an_attribute_that_is_never_given_is_not_scored() -> None:
    gold = [Gold(frozenset({"REF"}), depth="simple"), Gold(frozenset({"PR"}), permission="with")]
    given = [Coding(("REF",), {}), Coding(("PR",), {}, permission="with")]
    assert [score.attribute for score in attribute_scores(gold, given, np.array([0, 1]), 0, 0)] == ["permission"]


def test_group_is_hit_by_any_of_its_codes() -> None:
    question, advice = frozenset({"CQ", "OQ"}), frozenset({"RC", "PR"})
    gold = [Gold(any_of=(question,)), Gold(any_of=(advice, question)), Gold(any_of=(question,)), Gold()]
    predicted = np.array(
        [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 0, 0, 0, 0]],
        dtype=bool,
    )
    first, second = group_scores(CODES, gold, predicted, baseline=np.ones((4, 5), dtype=bool))
    assert (first.codes, first.messages, first.hit_rate) == (("OQ", "CQ"), 3, pytest.approx(2 / 3))
    assert (second.codes, second.messages, second.hit_rate) == (("PR", "RC"), 1, 0.0)
    assert (first.baseline_hit_rate, second.baseline_hit_rate) == (1.0, 1.0)


def test_nothing_to_judge_gives_no_scores() -> None:
    alone = [Gold(frozenset({"REF"}))], [Coding(("REF",), {}, depth="simple")]
    assert attribute_scores(*alone, np.array([0]), 10, 0) == ()
    assert group_scores(CODES, [Gold()], np.zeros((1, 5), dtype=bool)) == ()
