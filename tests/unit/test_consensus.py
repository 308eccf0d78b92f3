"""What the rules make of codings that differ."""

from itertools import permutations

import pytest

from mi_coder.annotation.codings import Given, Unit
from mi_coder.annotation.consensus import Decision, Rule, agrees, disagreements, settle, told
from mi_coder.annotation.dawid_skene import CodeEstimate
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold

ALL = frozenset(Codebook.load().ids)


def gold(codes: str, depth: str | None = None, permission: str | None = None) -> Gold:
    given = frozenset(codes.split("+"))
    return Gold(given, ALL - given, depth=depth, permission=permission)


def unit(*golds: Gold) -> Unit:
    return Unit("c", 0, tuple(Given(coder, "1", one) for coder, one in zip("abcdef", golds, strict=False)))


def settled(rule: Rule, *golds: Gold) -> Decision:
    [decision] = settle([unit(*golds)], rule)
    return decision


def test_agreement_is_on_codes_and_attributes() -> None:
    same = unit(gold("REF", "simple"), gold("REF", "simple"))
    depth = unit(gold("REF", "simple"), gold("REF", "complex"))
    codes = unit(gold("OQ"), gold("OQ+AF"))
    assert [agrees(one) for one in (same, depth, codes)] == [True, False, False]
    assert disagreements([same, depth, codes]) == [depth, codes]


@pytest.mark.parametrize("rule", ["majority", "unanimous", "dawid-skene"])
def test_codings_that_are_the_same_are_kept(rule: Rule) -> None:
    assert settled(rule, gold("AF"), gold("AF")).gold == gold("AF")
    assert settled(rule, gold("AF"), gold("AF")).how == "agreed"
    assert settled(rule, gold("AF")).how == "single"


@pytest.mark.parametrize(
    ("codings", "left", "why"),
    [
        (["OQ", "OQ", "CQ"], "OQ", "OQ 2 of 3, CQ 1 of 3"),
        (["OQ+AF", "AF", "AF+CQ"], "AF", ""),
        (["OQ", "CQ"], None, "OQ, CQ undecided: "),
        (["OQ+AF", "OQ"], None, "AF undecided: "),
        (["OQ", "CQ", "SU"], None, "no code is left: "),
        (["OQ+AF+SU", "OQ+AF+GI", "OQ+SU+GI", "AF+SU+GI"], None, "4 codes are left, and 3 are the most: "),
    ],
)
def test_majority(codings: list[str], left: str | None, why: str) -> None:
    for order in permutations(codings):
        decision = settled("majority", *map(gold, order))
        assert decision.gold == (gold(left) if left else None)
        assert decision.why.startswith(why)


def test_the_majority_of_those_with_the_code_settles_its_attribute() -> None:
    golds = [gold("REF", "simple"), gold("REF", "simple"), gold("REF", "complex"), gold("OQ")]
    for order in permutations(golds):
        assert settled("majority", *order).gold == gold("REF", "simple")
    tie = settled("majority", gold("REF", "simple"), gold("REF", "complex"), gold("OQ"))
    assert tie.gold is None
    assert tie.why == "depth undecided: OQ 1 of 3, REF 2 of 3"


def test_attributes_of_codes_that_fall_away_go_with_them() -> None:
    decision = settled("majority", gold("AF"), gold("AF"), gold("AF+PR", permission="with"))
    assert decision.gold == gold("AF")


def test_unanimous_leaves_every_difference_open() -> None:
    decision = settled("unanimous", gold("OQ"), gold("OQ"), gold("CQ"))
    assert (decision.gold, decision.why) == (None, "the codings differ")


@pytest.mark.parametrize(
    ("chances", "left", "why"),
    [
        ({"OQ": 0.97, "CQ": 0.04}, "OQ", ""),
        ({"OQ": 0.97, "CQ": 0.5}, None, "CQ undecided: "),
        ({"OQ": 0.97}, None, "CQ undecided: "),
        ({"OQ": 0.02, "CQ": 0.04}, None, "no code is left: "),
    ],
)
def test_dawid_skene_settles_what_is_sure(chances: dict[str, float], left: str | None, why: str) -> None:
    estimates = [
        CodeEstimate(code, 0.5, (), {"c#0": chances[code]} if code in chances else {}, True) for code in ("OQ", "CQ")
    ]
    [decision] = settle([unit(gold("OQ"), gold("CQ"), gold("CQ"))], "dawid-skene", estimates)
    assert decision.gold == (gold(left) if left else None)
    assert decision.why.startswith(why)


def test_ot_never_stays_beside_another() -> None:
    estimates = [CodeEstimate(code, 0.5, (), {"c#0": 0.99}, True) for code in ("OT", "CQ")]
    [decision] = settle([unit(gold("OT"), gold("CQ"))], "dawid-skene", estimates)
    assert (decision.gold, decision.why) == (None, "OT is left beside others: CQ 0.99, OT 0.99")


def test_a_coding_in_words() -> None:
    assert told(gold("PR+REF", "complex", "without")) == "REF complex+PR without"
