"""What the rules make of codings that differ."""

import json
from itertools import permutations
from pathlib import Path

import pytest

from mi_coder.annotation.codings import DETAILS, Given, Unit, read_units
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
        (["OQ+AF+SU", "OQ+AF+GI", "OQ+SU+GI", "AF+SU+GI"], None, "4 codes are left, and at most 3 are allowed: "),
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


def test_a_tie_on_own_codes_keeps_a_message_open() -> None:
    own = [frozenset({"GOAL"}), frozenset(), None]
    given = zip("abc", ["OQ", "OQ", "CQ"], own, strict=True)
    coded = Unit("c", 0, tuple(Given(coder, "1", gold(code), own=mine) for coder, code, mine in given))
    [decision] = settle([coded], "majority")
    assert (decision.gold, decision.own) == (None, frozenset())
    assert decision.why.startswith("GOAL undecided: ")


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


def by(*raters: tuple[str, str, str], tells: frozenset[str] = frozenset(DETAILS)) -> Unit:
    """A message by coders, rounds and codes."""
    return Unit("c", 0, tuple(Given(coder, round, gold(codes), tells=tells) for coder, round, codes in raters))


def test_a_coder_has_one_voice_that_of_the_last_round() -> None:
    outvoted = by(("ann", "1", "OQ"), ("ann", "2", "OQ"), ("ben", "1", "SU"))
    changed = by(("ann", "10", "SU"), ("ann", "2", "OQ"), ("ben", "1", "SU"))
    alone = by(("ann", "1", "OQ"), ("ann", "2", "SU"))
    left, agreed, single = settle([outvoted, changed, alone], "majority")
    assert (left.gold, left.why) == (None, "OQ, SU undecided: OQ 1 of 2, SU 1 of 2")
    assert (agreed.gold, agreed.how, agreed.why) == (gold("SU"), "agreed", "2 codings are the same")
    assert (single.gold, single.how) == (gold("SU"), "single")
    assert [one.unit for one in (left, agreed, single)] == [outvoted, changed, alone], "the log lists all codings"
    assert [one.gold for one in settle([outvoted, changed, alone], "unanimous")] == [None, gold("SU"), gold("SU")]
    assert [agrees(one) for one in (outvoted, changed, alone)] == [False, True, True]
    [differing] = disagreements([outvoted, changed, alone])
    assert [one.rater for one in differing.given] == [("ann", "2"), ("ben", "1")]


def test_the_confidence_of_a_message_is_the_lowest_of_the_last_rounds() -> None:
    rounds = [("ann", "1", 1), ("ann", "2", 3), ("ben", "1", 2), ("cat", "1", None)]
    given = tuple(Given(coder, round, gold("OQ"), confidence=sure) for coder, round, sure in rounds)
    assert Unit("c", 0, given).confidence == 2


NO_DETAILS: frozenset[str] = frozenset()
DEPTH = frozenset({"depth"})


def told_by(*codings: tuple[Gold, frozenset[str]]) -> Unit:
    given = zip("abc", codings, strict=False)
    return Unit("c", 0, tuple(Given(coder, "1", one, tells=tells) for coder, (one, tells) in given))


@pytest.mark.parametrize("rule", ["majority", "unanimous", "dawid-skene"])
def test_details_are_compared_among_those_who_tell_them(rule: Rule) -> None:
    bare, simple = (gold("REF"), NO_DETAILS), (gold("REF", "simple"), DEPTH)
    for order in permutations([bare, simple, simple]):
        [decision] = settle([told_by(*order)], rule)
        assert (decision.gold, decision.how) == (gold("REF", "simple"), "agreed")
    [nothing] = settle([told_by(bare, bare)], rule)
    assert (nothing.gold, nothing.how) == (gold("REF"), "agreed")


def test_details_that_are_told_otherwise_or_left_empty_differ() -> None:
    bare, simple = (gold("REF"), NO_DETAILS), (gold("REF", "simple"), DEPTH)
    assert not agrees(told_by(bare, simple, (gold("REF", "complex"), DEPTH)))
    assert not agrees(told_by(simple, (gold("REF"), DEPTH)))
    assert agrees(told_by((gold("PR"), DEPTH), (gold("PR", permission="with"), frozenset(DETAILS))))


def test_ot_never_stays_beside_another() -> None:
    estimates = [CodeEstimate(code, 0.5, (), {"c#0": 0.99}, True) for code in ("OT", "CQ")]
    [decision] = settle([unit(gold("OT"), gold("CQ"))], "dawid-skene", estimates)
    assert (decision.gold, decision.why) == (None, "OT is left with other codes: CQ 0.99, OT 0.99")


def test_a_coding_in_words() -> None:
    assert told(gold("PR+REF", "complex", "without")) == "REF complex+PR without"


def test_a_file_tells_the_details_for_which_it_has_a_column_or_a_field(tmp_path: Path) -> None:
    def table(name: str, header: str, *rows: str) -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join((f"conversation_id,index,codes{header}", *rows)) + "\n")
        return path

    def chats(name: str, *golds: object) -> Path:
        messages = [{"role": "counselor", "text": "a", "gold": one} for one in golds]
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps({"conversation_id": "x", "messages": messages}) + "\n")
        return path

    bare = table("bare", "", "x,0,REF", "x,1,PR")
    whole = table("whole", ",depth,permission", "x,0,REF,complex,", "x,1,PR,,with")
    gaps = table("gaps", ",depth", "x,0,REF,", "x,1,PR,")
    told = chats("told", {"codes": ["REF"]}, {"codes": ["PR"], "permission": "with"})
    untold = chats("untold", {"codes": ["REF"]}, {"codes": ["PR"]})
    ways = {path.stem: read_units([path])[0].given[0].tells for path in (bare, gaps, told, untold)}
    assert ways == {"bare": NO_DETAILS, "gaps": DEPTH, "told": {"permission"}, "untold": NO_DETAILS}
    for other in (bare, told, untold):
        for paths in ([other, whole], [whole, other]):
            decisions = settle(read_units(paths), "unanimous")
            assert [one.gold for one in decisions] == [gold("REF", "complex"), gold("PR", permission="with")]
    assert [agrees(one) for one in read_units([whole, gaps])] == [False, True]
