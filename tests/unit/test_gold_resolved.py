"""What follows from groups of codes, of which at least one applies: the same in training and evaluation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.codebook import Codebook
from mi_coder.conversation import COUNSELOR, Coding, Conversation, Gold, Message
from mi_coder.evaluation.compare import compare
from mi_coder.tagger.window import Tokens
from mi_coder.training.data import Example
from mi_coder.training.targets import targets

BOOK = Codebook.load()
CODES = st.sampled_from(BOOK.ids[:6])
SETS = st.frozensets(CODES, max_size=4)


@st.composite
def golds(draw: st.DrawFn) -> Gold:
    """Gold that does not contradict itself."""
    positive = draw(SETS)
    negative = draw(SETS) - positive
    groups = draw(st.lists(st.frozensets(CODES, min_size=1, max_size=3), max_size=3))
    return Gold(positive, negative, tuple(group for group in groups if not group <= negative))


def group(*codes: str) -> frozenset[str]:
    return frozenset(codes)


def test_the_last_code_of_a_group_applies() -> None:
    gold = Gold(negative=group("CQ"), any_of=(group("OQ", "CQ"), group("REF", "AF"))).resolved()
    assert gold.positive == {"OQ"}
    assert gold.any_of == (group("REF", "AF"),)


def test_a_group_that_another_settles_says_nothing_more() -> None:
    gold = Gold(negative=group("CQ"), any_of=(group("OQ", "REF"), group("OQ", "CQ"))).resolved()
    assert (gold.positive, gold.any_of) == ({"OQ"}, ())


@given(golds())
def test_resolving_twice_is_resolving_once(gold: Gold) -> None:
    once = gold.resolved()
    assert once.resolved() == once
    assert gold.positive <= once.positive and once.negative == gold.negative


@given(golds())
def test_training_and_evaluation_take_the_same_codes_for_true(gold: Gold) -> None:
    known = targets([Example("c", "esconv", "t", Tokens([1, 2], 2, False), gold)], BOOK).known[:, : len(BOOK.ids)]
    if not (gold.positive or gold.negative or gold.any_of):
        assert np.isnan(known).all()
        return
    chat = Conversation("c", [Message(COUNSELOR, "t", gold=gold, coding=Coding(("OQ",), {"OQ": 0.9}))])
    np.testing.assert_array_equal(known, compare([chat], [chat], BOOK.ids).truth)
