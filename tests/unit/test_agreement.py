"""Agreement per code, on sets and attributes, in groups, and what is taken for what."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.annotation.agreement import SETS, Agreement, agreements, compared, exact_match, split
from mi_coder.annotation.codings import Given, Unit, rater_names
from mi_coder.annotation.coefficients import cohen_kappa
from mi_coder.annotation.confusions import Confusion, confusions
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.evaluation.report import Figure

ALL = frozenset(Codebook.load().ids)


def gold(*codes: str, depth: str | None = None, permission: str | None = None, reason: str | None = None) -> Gold:
    return Gold(frozenset(codes), ALL - set(codes), depth=depth, permission=permission, reason=reason)


def unit(conversation: str, index: int, *golds: Gold, coders: str = "abcdefgh", round: str = "1") -> Unit:
    given = tuple(Given(coder, round, one) for coder, one in zip(coders, golds, strict=False))
    return Unit(conversation, index, given)


UNITS = [
    unit("a", 0, gold("OQ"), gold("OQ")),
    unit("a", 1, gold("REF", depth="simple"), gold("REF", depth="complex")),
    unit("b", 0, gold("REF", depth="simple"), gold("REF", depth="simple")),
    unit("b", 1, gold("CQ"), gold("OQ")),
    unit("b", 2, gold("SU")),
]


def test_codes_sets_and_attributes() -> None:
    rows = {row.name: row for row in agreements(UNITS, samples=50)}
    attributes = ["depth of REF", "permission of PR", "permission of RC", "reason of IP"]
    assert list(rows) == [*Codebook.load().ids, SETS, *attributes]
    assert (rows["OQ"].units, rows["OQ"].given, rows["OQ"].share) == (4, 3, 3 / 8)
    assert rows["OQ"].alpha.value == pytest.approx(1 - 7 * 1 / (3 * 5))
    assert rows["OQ"].cohen.value == pytest.approx(0.5)
    assert rows["OQ"].positive.value == pytest.approx(2 / 3)
    assert rows["OQ"].negative.value == pytest.approx(4 / 5)
    assert (rows["REF"].alpha.value, rows["REF"].verdict, rows["REF"].few) == (1, "uncertain", True)
    assert math.isnan(rows["IP"].alpha.value)
    assert rows["IP"].reading == "all the same"
    assert (rows["permission of RC"].units, rows["permission of RC"].verdict) == (0, "not compared")
    assert rows["depth of REF"].units == 2
    assert rows["depth of REF"].alpha.value == pytest.approx(1 - 3 * 1 / (3 * 1))
    assert exact_match(UNITS) == 3 / 4


@pytest.mark.parametrize(
    ("alpha", "low", "verdict"),
    [
        (0.9, 0.8, "reliable"),
        (0.9, 0.7999, "tentative"),
        (0.8, 0.667, "tentative"),
        (0.888, -0.0001, "uncertain"),
        (0.667, 0.6669, "uncertain"),
        (0.6669, 0.5, "unreliable"),
        (0.8, math.nan, "uncertain"),
        (0.7999, math.nan, "uncertain"),
        (0.667, math.nan, "uncertain"),
        (0.6669, math.nan, "unreliable"),
        (math.nan, math.nan, "all the same"),
    ],
)
def test_the_readings_change_at_their_marks(alpha: float, low: float, verdict: str) -> None:
    row = Agreement("OQ", 50, 40, 0.4, 40, Figure(alpha, low, 1.0))
    assert row.reading == verdict


def test_few_are_fewer_than_20_messages_with_either_value() -> None:
    def few(present: int, absent: int) -> bool:
        codes = ["OQ"] * present + ["SU"] * absent
        units = [unit(f"c{i % 5}", i, gold(code), gold(code)) for i, code in enumerate(codes)]
        return agreements(units, samples=0)[Codebook.load().ids.index("OQ")].few

    assert (few(20, 20), few(19, 50), few(50, 19)) == (False, True, True)


def test_one_of_40_conversations_tells_nothing_reliable_of_a_code() -> None:
    def row(conversations: int) -> Agreement:
        """25 messages with CC, spread over so many conversations, and others without."""
        units = [unit(f"c{i % 40}", i, gold("OQ"), gold("OQ")) for i in range(400)]
        units += [unit(f"c{i % conversations}", 400 + i, gold("CC"), gold("CC")) for i in range(25)]
        return agreements(units, samples=50)[Codebook.load().ids.index("CC")]

    told = {count: (row(count).rarest, row(count).conversations, row(count).reading) for count in (1, 4, 5)}
    assert told == {1: (25, 1, "uncertain, few"), 4: (25, 4, "uncertain, few"), 5: (25, 5, "reliable")}
    low = Agreement("CC", 50, 40, 0.4, 40, Figure(0.6, 0.5, 0.7), conversations=4)
    assert low.reading == "unreliable, few"


def test_sets_of_few_conversations_are_few() -> None:
    def sets(conversations: int) -> Agreement:
        codes = ["OQ", "SU", "AF", "SU", "CQ"]
        units = [unit(f"c{i % conversations}", i, *[gold(codes[i % 5])] * 2) for i in range(60)]
        return {row.name: row for row in agreements(units, samples=50)}[SETS]

    assert [(sets(count).conversations, sets(count).reading) for count in (4, 6)] == [
        (4, "uncertain, few"),
        (6, "reliable"),
    ]


def test_by_coder_messages_are_counted_once() -> None:
    units = [unit(f"c{i}", i, *[gold("OQ" if i % 2 else "SU")] * 6) for i in range(12)]
    [whole] = split(units, "all").values()
    for own in split(units, "coder").values():
        assert len(own) == 60
        for one, of_all in zip(agreements(own, samples=50), agreements(whole, samples=50), strict=True):
            counts = (one.units, one.rarest, one.conversations, one.reading)
            assert counts == (of_all.units, of_all.rarest, of_all.conversations, of_all.reading)


def test_permission_is_compared_where_both_give_the_same_code() -> None:
    units = [
        unit("a", 0, gold("PR", permission="with"), gold("RC", permission="without")),
        unit("a", 1, gold("PR", permission="with"), gold("PR", permission="with")),
        unit("a", 2, gold("PR", permission="without"), gold("PR", permission="with")),
    ]
    rows = {row.name: row for row in agreements(units, samples=0)}
    assert (rows["permission of PR"].units, rows["permission of RC"].units) == (2, 0)
    assert rows["permission of PR"].positive.value == pytest.approx(2 / 3)


def test_an_attribute_of_many_values_counts_its_codings() -> None:
    pairs = [("abuse", "abuse"), ("abuse", "stigma"), ("sexual", "sexual")]
    units = [unit("a", i, *(gold("IP", reason=one) for one in pair)) for i, pair in enumerate(pairs)]
    row = agreements(units, samples=0)[-1]
    assert (row.name, row.units, row.given, row.rarest) == ("reason of IP", 3, 6, 0)
    # 5 of the 6 codings times 2 that differ, over 36 - 9 - 1 - 4: Krippendorff's coincidences by hand.
    assert row.alpha.value == pytest.approx(1 - 5 * 2 / 22)
    assert math.isnan(row.share) and math.isnan(row.positive.value) and math.isnan(row.negative.value)


def test_codes_that_a_coding_leaves_open_are_missing_there() -> None:
    partial = Gold(positive=frozenset({"OQ"}), negative=frozenset({"REF"}))
    rows = {row.name: row for row in agreements([unit("a", 0, gold("OQ"), gold("REF"), partial)], samples=0)}
    assert (rows["OQ"].given, rows["OQ"].share) == (2, 2 / 3)
    assert (rows["SU"].share, rows["SU"].units) == (0, 1)
    assert rows["SU"].rarest == 0
    assert rows[SETS].given == 2
    assert exact_match([unit("a", 0, gold("OQ"), gold("OQ"), partial)]) == 1


def test_codings_that_leave_codes_open_are_no_exact_matches() -> None:
    partial = unit("a", 0, gold("OQ"), Gold(positive=frozenset({"OQ"})))
    assert math.isnan(exact_match([partial]))
    assert exact_match([partial, unit("a", 1, gold("OQ"), gold("CQ"))]) == 0


def test_alpha_on_sets_by_hand() -> None:
    def on_sets(*units: Unit) -> float:
        [row] = [row for row in agreements(units, samples=0) if row.name == SETS]
        return row.alpha.value

    one, both, other = gold("OQ"), gold("OQ", "SU"), gold("CQ")
    # MASI distances: {OQ} and {OQ, SU} 1 - 1/2 * 2/3, others 1. Pairs of one message count over its coders less one.
    near = 2 / 3
    # Two coders: of six codings three are {OQ}, one {OQ, SU} and two {CQ}.
    expected = 2 * (3 * 1 * near + 3 * 2 + 1 * 2)
    two = on_sets(unit("a", 0, one, both), unit("a", 1, other, other), unit("a", 2, one, one))
    assert two == pytest.approx(1 - 5 * (2 * near) / expected)
    # Three coders: of six codings one is {OQ}, one {OQ, SU} and four {CQ}.
    observed, expected = 2 * (near + 1 + 1) / 2, 2 * (near + 4 + 4)
    three = on_sets(unit("a", 0, one, both, other), unit("a", 1, other, other, other))
    assert three == pytest.approx(1 - 5 * observed / expected)


def test_the_mean_kappa_is_over_pairs_of_coders() -> None:
    units = [unit("a", i, *(gold("OQ" if c == "1" else "SU") for c in codes)) for i, codes in enumerate(TRIPLES)]
    row = agreements(units, samples=0)[Codebook.load().ids.index("OQ")]
    kappas = []
    for one, other in ((0, 1), (0, 2), (1, 2)):
        joint = np.zeros((2, 2))
        for codes in TRIPLES:
            joint[int(codes[one]), int(codes[other])] += 1
        kappas.append(float(cohen_kappa(joint)))
    assert row.cohen.value == pytest.approx(np.mean(kappas))


TRIPLES = ["111", "110", "100", "000", "011", "000", "111"]


def test_intervals_hold_the_value_and_shrink_with_more_conversations() -> None:
    def figures(conversations: int) -> list[tuple[float, float, float]]:
        random = np.random.default_rng(5)
        units = []
        for number in range(conversations):
            for index in range(5):
                truth = random.random(2) < 0.4
                golds = [gold("OQ" if (truth[0] ^ (random.random() < 0.1)) else "SU") for _ in range(3)]
                units.append(unit(f"c{number}", index, *golds))
        row = agreements(units, samples=400)[0]
        figures = (row.alpha, row.fleiss, row.cohen, row.ac1, row.positive, row.negative)
        return [(one.value, one.low, one.high) for one in figures]

    few, many = figures(10), figures(160)
    for value, low, high in few + many:
        assert low < value < high
    for (_, low, high), (_, less, more) in zip(few, many, strict=True):
        assert more - less < (high - low) / 2


def test_95_percent_intervals_hold_the_true_alpha_mostly() -> None:
    """Two coders who each err in one of ten messages: alpha of presence with a prevalence of one half is .64."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(100):
        truth = random.random(200) < 0.5
        given = truth ^ (random.random((2, 200)) < 0.1)
        units = [
            unit(f"c{i // 4}", i, *(gold("OQ" if has else "SU") for has in pair)) for i, pair in enumerate(given.T)
        ]
        alpha = agreements(units, samples=200)[Codebook.load().ids.index("OQ")].alpha
        held += alpha.low <= 0.64 <= alpha.high
    assert 88 <= held <= 100


def test_one_conversation_tells_no_interval() -> None:
    alpha = agreements(UNITS[:2], samples=50)[0].alpha
    assert alpha.value == 1
    assert math.isnan(alpha.low)


def test_nothing_coded_twice_has_no_figures() -> None:
    rows = agreements(UNITS[-1:], samples=10)
    assert all(row.units == 0 and math.isnan(row.alpha.value) for row in rows)


THREE = [
    unit("a", 0, gold("OQ"), gold("OQ"), gold("CQ")),
    unit("a", 1, gold("REF"), gold("REF"), gold("REF")),
    unit("b", 0, gold("CQ"), gold("OQ"), coders="ac"),
]


def test_groups() -> None:
    assert list(split(THREE, "all")) == [""]
    pairs = split(THREE, "pair")
    assert {name: [one.id for one in units] for name, units in pairs.items()} == {
        "a and b": ["a#0", "a#1"],
        "a and c": ["a#0", "a#1", "b#0"],
        "b and c": ["a#0", "a#1"],
    }
    coders = split(THREE, "coder")
    assert {name: len(units) for name, units in coders.items()} == {"a": 5, "b": 4, "c": 5}
    assert [one.coder for one in coders["b"][0].given] == ["a", "b"]
    rounds = split(
        [*THREE, unit("c", 0, gold("SU"), gold("SU"), round="2"), unit("c", 1, gold("SU"), round="3")], "round"
    )
    assert {name: len(units) for name, units in rounds.items()} == {"1": 3, "2": 1}
    assert split(UNITS[-1:], "all") == {}


def test_a_coder_who_codes_again_is_compared_with_themself() -> None:
    again = Unit("a", 0, (Given("ann", "1", gold("OQ")), Given("ann", "2", gold("CQ")), Given("ben", "1", gold("OQ"))))
    assert rater_names([again]) == {("ann", "1"): "ann (1)", ("ann", "2"): "ann (2)", ("ben", "1"): "ben"}
    assert list(split([again], "pair")) == ["ann (1) and ann (2)", "ann (1) and ben", "ann (2) and ben"]
    assert [one.coder for one in split([again], "round")["1"][0].given] == ["ann", "ben"]
    alone = Unit("a", 1, again.given[:2])
    assert list(split([alone], "all")) == [""]
    assert list(split([alone], "coder")) == ["ann (1)", "ann (2)"]
    assert compared([alone], "all") == [alone]


def test_of_a_coder_with_several_rounds_the_last_one_counts() -> None:
    units = [
        Unit("a", 0, (Given("ann", "10", gold("SU")), Given("ann", "2", gold("CQ")), Given("ben", "1", gold("OQ")))),
        Unit("a", 1, (Given("ann", "1", gold("OQ")), Given("ann", "2", gold("OQ")))),
    ]
    [[both]] = split(units, "all").values()
    assert [one.rater for one in both.given] == [("ann", "10"), ("ben", "1")]
    coders = split(units, "coder")
    assert {name: [one.id for one in own] for name, own in coders.items()} == {"ann": ["a#0"], "ben": ["a#0"]}
    assert all(len({one.coder for one in pair.given}) == 2 for own in coders.values() for pair in own)
    assert list(split(units[:1], "pair")) == ["ann (10) and ann (2)", "ann (10) and ben", "ann (2) and ben"]


@pytest.mark.parametrize(
    "rounds", [("1", "2", "10"), ("", "1"), ("round 9", "round 10"), ("1", "first", "second"), ("2024-9", "2024-10")]
)
def test_rounds_are_ordered_by_the_numbers_in_them(rounds: tuple[str, ...]) -> None:
    for order in permutations(rounds):
        again = Unit("a", 0, tuple(Given("ann", round, gold("OQ")) for round in order))
        assert [one.round for one in again.last_rounds().given] == [rounds[-1]]


def test_confusions() -> None:
    units = [
        unit("a", 0, gold("OQ"), gold("CQ"), gold("CQ")),
        unit("a", 1, gold("CQ", "INT"), gold("OQ", "INT")),
        unit("b", 7, gold("SU", "AF"), gold("SU")),
        unit("b", 8, gold("SU"), Gold(positive=frozenset({"REF"}))),
        unit("b", 9, gold("REF", "GR"), gold("PR")),
    ]
    assert confusions(units) == [
        Confusion("OQ", "CQ", 3, ("a#0", "a#1")),
        Confusion("REF", "PR", 1, ("b#9",)),
        Confusion("REF", None, 1, ("b#8",)),
        Confusion("AF", None, 1, ("b#7",)),
        Confusion("PR", "GR", 1, ("b#9",)),
    ]


codings = st.lists(st.sets(st.sampled_from(["OQ", "CQ", "REF"]), min_size=1, max_size=2), min_size=1, max_size=4)
drawn_units = st.lists(st.tuples(st.sampled_from("abc"), codings), min_size=1, max_size=12)
Drawn = list[tuple[str, list[set[str]]]]


@given(drawn_units)
def test_the_order_of_coders_and_units_does_not_count(drawn: Drawn) -> None:
    made = [unit(name, i, *(gold(*codes) for codes in sets)) for i, (name, sets) in enumerate(drawn)]
    turned = [Unit(one.conversation, one.index, one.given[::-1]) for one in reversed(made)]
    for one, other in zip(agreements(made, samples=0), agreements(turned, samples=0), strict=True):
        assert one.units == other.units
        for name in ("alpha", "fleiss", "cohen", "ac1", "positive", "negative"):
            assert getattr(one, name).value == pytest.approx(getattr(other, name).value, nan_ok=True)
    count = {(row.code, row.other): row.pairs for row in confusions(made)}
    assert count == {(row.code, row.other): row.pairs for row in confusions(turned)}


@given(drawn_units)
def test_coders_who_copy_each_other_agree_fully(drawn: Drawn) -> None:
    copied = [unit(name, i, gold(*sets[0]), gold(*sets[0])) for i, (name, sets) in enumerate(drawn)]
    for row in agreements(copied, samples=0):
        for figure in (row.alpha, row.cohen, row.ac1, row.positive):
            assert math.isnan(figure.value) or figure.value == pytest.approx(1)
    assert exact_match(copied) == 1
    assert confusions(copied) == []
