"""What the stopping report advises."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mi_coder.annotation.codings import Given, Unit
from mi_coder.annotation.learning import Curve, Point, TooLittleGold, learning_curve
from mi_coder.annotation.sample_file import Drawn
from mi_coder.annotation.stopping import _advice, alpha_growth, few_codes, stopping_report
from mi_coder.annotation.stopping_report import render
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold, Message

ALL = frozenset(Codebook.load().ids)


def gold(code: str) -> Gold:
    return Gold(frozenset({code}), ALL - {code})


def units(chats: int, *pairs: str) -> list[Unit]:
    """In each chat the same messages, each coded as `pairs` say: "OQ/SU" by two coders, "OQ" by one."""
    return [Unit(f"c{chat}", at, given(pair)) for chat in range(chats) for at, pair in enumerate(pairs)]


def given(codes: str) -> tuple[Given, ...]:
    return tuple(Given(coder, "1", gold(code)) for coder, code in zip("ab", codes.split("/"), strict=False))


def curve(gain: float) -> Curve:
    return Curve((Point(100, 0.5), Point(200, 0.5 + gain)), gain, gain, gain, 5, 1)


def advice(coded: list[Unit], curve: Curve | None = None) -> str:
    return "\n".join(stopping_report(coded, curve).advice)


def test_alpha_on_growing_parts_ends_with_all_of_it() -> None:
    points, rows = alpha_growth(units(12, "OQ/OQ", "SU/SU", "OQ/SU", "CQ"))
    assert [point.messages for point in points] == [9, 18, 27, 36]
    assert points[-1].alpha.value == pytest.approx(1 - (1 / 3) / (1 - (36**2 + 36**2 - 72) / (72 * 71)))
    assert {row.name: row.verdict for row in rows}["OQ"] == "unreliable"
    assert points[0].few == 21 and points[-1].unreliable == 2


def test_weak_agreement_comes_first() -> None:
    told = advice(units(20, "OQ/OQ", "SU/SU", "OQ/SU"), curve(0.02))
    assert told.startswith("Coders agree too little (alpha under 0.667) on OQ, SU: revise the manual first.")


def test_good_agreement_and_a_flat_curve() -> None:
    told = advice(units(60, "OQ/OQ", "SU/SU", "CQ/CQ"), curve(0.001))
    assert "from now on one coding per message is enough" in told
    assert "Stop coding randomly drawn messages: 100 more codings last gained +0.001" in told
    assert "--codes REF,AF," in told


@pytest.mark.parametrize(("gain", "shown"), [(0.02, "+0.020"), (0.005, "+0.005")])
def test_a_curve_that_rises(gain: float, shown: str) -> None:
    told = advice(units(60, "OQ/OQ", "SU/SU"), curve(gain))
    assert f"Continue: 100 more codings last gained {shown} macro-F1." in told


@pytest.mark.parametrize(("messages", "few"), [(19, True), (20, False)])
def test_codes_of_fewer_than_20_messages_are_few(messages: int, few: bool) -> None:
    assert ("OQ" in few_codes(units(messages, "OQ"))) is few


def test_codes_too_few_to_tell_are_never_called_good() -> None:
    assert "No code is given often enough to estimate agreement" in advice(units(2, "OQ/OQ", "SU/SU"))
    assert "No message is coded twice" in advice(units(9, "OQ", "SU"))


def test_few_conversations_do_not_hide_agreement_that_is_too_low() -> None:
    coded = units(4, *["OQ/OQ", "SU/SU", "OQ/SU", "SU/OQ"] * 20)
    assert advice(coded).startswith("Coders agree too little (alpha under 0.667) on OQ, SU: revise the manual first.")
    assert alpha_growth(coded)[0][-1].unreliable == 2


def test_codes_that_are_only_in_few_conversations_are_not_known() -> None:
    assert advice(units(4, *["OQ/OQ", "SU/SU"] * 50)).startswith(
        "Every code is present, or absent, in fewer than 5 conversations: have more of them coded twice."
    )


def test_rates_count_the_last_round_whatever_the_order_of_the_files() -> None:
    rounds = [Given("a", "1", gold("OQ")), Given("a", "2", gold("SU"))]
    sample = [Drawn("c0", 0, 0.5, "random", "")]
    for given in (rounds, rounds[::-1]):
        found = stopping_report([Unit("c0", 0, tuple(given))], sample=sample).rates
        assert found is not None and found.by_code["SU"].value == 1


def test_an_interval_that_is_wide_or_unknown() -> None:
    differing = [*units(8, *["OQ/OQ", "SU/SU"] * 4), *units(1, *["OQ/SU"] * 12)]
    differing[-12:] = [Unit("other", unit.index, unit.given) for unit in differing[-12:]]
    assert "The interval of alpha is wider" in advice(differing)
    assert "The interval of alpha is wider" in advice(units(1, *["OQ/OQ", "SU/SU"] * 20))


def test_where_every_code_may_be_unreliable_it_is_said() -> None:
    points, rows = alpha_growth(units(60, "OQ/OQ", "SU/SU"))
    unsure = [replace(row, alpha=replace(row.alpha, low=0.6)) for row in rows]
    [told] = _advice(points, unsure, True, (), None, None)
    assert told == "It is not certain that alpha reaches 0.667 on OQ, SU: have more conversations coded twice."


def test_agreement_is_never_called_high_while_a_code_is_uncertain() -> None:
    report = stopping_report([*units(40, *["OQ/OQ", "SU/SU"] * 5), *rare(40, "CQ/CQ", 30), *rare(40, "CQ/OQ", 24)])
    assert report.alpha[-1].reliable == 2 and report.alpha[-1].alpha.low > 0.8
    assert (report.weak, report.uncertain) == ((), ("CQ",))
    told = "\n".join(report.advice)
    assert "It is not certain that alpha reaches 0.667 on CQ: have more" in told
    assert "high enough" not in told


def rare(chats: int, pair: str, count: int) -> list[Unit]:
    """Further messages of the chats, in the first of them."""
    return [Unit(f"c{at % chats}", 100 + ord(pair[-1]) + at, given(pair)) for at in range(count)]


def test_codes_too_rare_to_tell_are_named_where_the_others_are_known() -> None:
    [told, _] = stopping_report([*units(60, "OQ/OQ", "SU/SU", "CQ/CQ"), *rare(60, "AF/SU", 3)]).advice
    assert told.startswith(
        "Agreement is high enough and precise enough: from now on one coding per message is enough. For "
    )
    named = told.partition(" For ")[2].partition(" it is unknown: too few messages were coded twice.")[0].split(", ")
    assert sorted(named) == sorted(ALL - {"OQ", "SU", "CQ"})


def test_rounds_of_one_coder_are_no_agreement_between_coders() -> None:
    coded = units(60, "OQ/OQ", "SU/SU")
    again = [Unit(one.conversation, one.index, (*one.given, Given("a", "0", gold("CQ")))) for one in coded]
    assert stopping_report(again).alpha == stopping_report(coded).alpha
    assert stopping_report(again).note.startswith("120 messages have earlier rounds of a coder")
    assert stopping_report(again).note in render(stopping_report(again), "table")
    assert not stopping_report(coded).note
    own = [Unit(one.conversation, one.index, (one.given[0], Given("a", "2", one.given[0].gold))) for one in coded]
    report = stopping_report(own)
    assert report.alpha and not report.note
    assert report.advice[0] == "These are rounds of one coder: have some messages coded by a second person."
    assert "high enough" not in "\n".join(report.advice)


def test_rates_weigh_and_tell_what_is_missing() -> None:
    sample = [Drawn("c0", 0, 0.1, "random", ""), Drawn("c0", 1, 0.5, "random", ""), Drawn("c9", 9, 0.5, "random", "")]
    report = stopping_report(units(1, "OQ", "SU/CQ"), sample=sample)
    assert report.rates is not None
    assert (report.rates.coded, report.rates.drawn) == (2, 3)
    assert report.rates.by_code["OQ"].value == pytest.approx(10 / 12)
    assert report.rates.by_code["CQ"].value == pytest.approx(2 / 12)
    assert math.isnan(report.rates.by_code["CQ"].low)
    assert "1 of 3 drawn messages are not coded" in report.advice[-1]
    nothing = stopping_report(units(1, "OQ"), sample=sample[2:])
    assert nothing.rates is not None and math.isnan(nothing.rates.by_code["OQ"].value)


def talk(chats: int, messages: int) -> list[Conversation]:
    """Chats in which a word tells the code."""
    words = {"OQ": "how", "SU": "sorry", "CQ": "did"}
    return [
        Conversation(
            f"c{chat}",
            [
                Message("counselor", f"{words[code]} {chat} {at} then", gold=gold(code))
                for at, code in ((at, ["OQ", "SU", "CQ"][at % 3]) for at in range(messages))
            ],
        )
        for chat in range(chats)
    ]


def test_a_learning_curve_of_what_is_easy() -> None:
    found = learning_curve(talk(20, 9), repeats=2)
    assert [point.messages for point in found.points] == [36, 63, 99, 126]
    assert found.points[-1].macro_f1 == pytest.approx(1)
    assert found.gain_low <= found.gain <= found.gain_high
    assert (found.codes, found.repeats) == (3, 2)
    assert learning_curve(talk(20, 9), repeats=2) == found


def test_the_gain_is_that_of_100_codings_from_half_of_them_to_all() -> None:
    """In eight messages of ten a word tells the code, so that F1 depends on how many were learned from."""
    random = np.random.default_rng(5)
    words = {"OQ": ["what", "how", "why"], "SU": ["sorry", "hard", "here"], "AF": ["great", "proud", "strong"]}
    chats = []
    for chat in range(30):
        said = []
        for _ in range(6):
            code, other = map(str, random.choice(list(words), 2))
            word = random.choice(words[code if random.random() < 0.8 else other])
            said.append(Message("counselor", f"{word} {random.integers(40)}", gold=gold(code)))
        chats.append(Conversation(f"c{chat:02}", said))
    found = learning_curve(chats, repeats=1)
    half, whole = found.points[1], found.points[3]
    expected = 100 * (whole.macro_f1 - half.macro_f1) / (whole.messages - half.messages)
    assert expected != 0
    assert (found.gain, found.gain_low, found.gain_high) == pytest.approx((expected,) * 3)


def test_a_code_that_gold_leaves_open_is_no_counterexample() -> None:
    """Where no message is known to lack a code, none is judged."""
    chats = talk(20, 9)
    for chat in chats:
        for message in chat.messages:
            assert message.gold is not None
            message.gold = replace(message.gold, negative=frozenset())
    assert learning_curve(chats, repeats=1).codes == 0


def test_conversations_of_one_group_stay_together() -> None:
    grouped = talk(20, 9)
    for chat in grouped[:11]:
        chat.extra["source_group"] = "one"
    found = learning_curve(grouped, repeats=4)
    # Of ten groups seven are trained on: 17 chats or, where the large group is kept apart, 7 in each of four repeats.
    assert found.points[-1].messages * 4 / 9 in {17 * large + 7 * (4 - large) for large in range(5)}
    for chat in grouped[11:]:
        chat.extra["source_group"] = "two"
    with pytest.raises(TooLittleGold, match="180 of 2"):
        learning_curve(grouped)


def test_too_little_gold() -> None:
    with pytest.raises(TooLittleGold, match="99 of 11"):
        learning_curve(talk(11, 9))
