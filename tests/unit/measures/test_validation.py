"""The tagger's errors: counted by message and by volley, put into the figures that they suffice for, and no others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mi_coder.arrays import Bools
from mi_coder.cli.profile import command
from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.errors import UsageProblem
from mi_coder.measures.intervals import intervals
from mi_coder.measures.profile import Figure, profile
from mi_coder.measures.reading import Chat
from mi_coder.measures.summaries import MEASURES
from mi_coder.measures.tally import AT, CODES, COLUMNS, Turn
from mi_coder.measures.validation import SPLITS, Errors, Split, TaggerErrors, errors_of, expected

CLIENT = Turn("client", None, None, None, 4)
UNSEEN = Errors(0, 0, 0, 0)
NO_SPLITS = dict.fromkeys(SPLITS, Split((0, 0, 0), (0, 0, 0), (0, 0, 0)))
NONE = (0, 0, 1_000_000)
"""Of so many messages without the code the tagger gave it to none."""


def _turn(*codes: str, depth: str | None = None) -> Turn:
    return Turn("counselor", codes, depth, None, 3)


def _chats(number: int = 40) -> list[Chat]:
    random = np.random.default_rng(number)
    chats = []
    for i in range(number):
        turns: list[Turn] = []
        for _ in range(20):
            code = str(random.choice(["OQ", "CQ", "REF", "SU"], p=[0.3, 0.2, 0.3, 0.2]))
            depth = str(random.choice(["simple", "complex"])) if code == "REF" else None
            turns += [CLIENT, _turn(code, depth=depth)]
        chats.append(Chat(f"c{i}", turns, {}))
    return chats


def _errors(splits: dict[str, Split] | None = None, **codes: Errors) -> TaggerErrors:
    every = dict.fromkeys(CODES, UNSEEN)
    return TaggerErrors("message", {**every, **codes}, {**NO_SPLITS, **(splits or {})})


def _of(errors: TaggerErrors | None, chats: list[Chat] | None = None) -> dict[str, Figure]:
    return {figure.measure: figure for figure in profile(chats or _chats(), ["all"], errors=errors).figures}


def _width(figure: Figure) -> float:
    assert figure.low is not None and figure.high is not None
    return figure.high - figure.low


def test_the_taggers_errors_mend_the_figure_and_widen_the_interval() -> None:
    plain, mended = _of(None)["OQ"], _of(_errors(OQ=Errors(40, 10, 40, 190)))["OQ"]
    assert plain.value is not None and plain.numerator is not None
    recall, alarms = 40.5 / 81, 10.5 / 201
    assert mended.value == pytest.approx((plain.value - alarms) / (recall - alarms))
    assert mended.numerator == pytest.approx((plain.numerator - alarms * 800) / (recall - alarms))
    assert mended.n == plain.n == 800
    assert _width(mended) > 2 * _width(plain)
    assert (plain.interval, mended.interval) == ("conversations", "conversations and tagger")
    assert (plain.corrected, mended.corrected) == (False, True)


def test_only_figures_of_which_all_codes_are_validated_are_corrected() -> None:
    plain = _of(None)
    found = _of(_errors(OQ=Errors(40, 10, 40, 190), REF=Errors(30, 3, 3, 190), CQ=Errors(4, 0, 0, 190)))
    for measure in ("R:Q", "% open questions", "CQ", "SU", "AF", "MI-adherent total", "% MI-consistent"):
        one, same = found[measure], plain[measure]
        assert (one.value, one.low, one.high) == (same.value, same.low, same.high), measure
        assert one.interval == "conversations" and not one.corrected
        assert one.note.startswith("not corrected for the tagger's errors: "), measure
    why, few = "not corrected for the tagger's errors: ", "found correctly fewer than 5 times in the validation chats"
    assert found["R:Q"].note == f"{why}CQ was {few}"
    assert found["MI-adherent total"].note == f"{why}AF, EA, SC were each {few}"
    assert (found["talk share"].interval, found["talk share"].note) == ("conversations", "")
    assert {one.measure for one in found.values() if one.corrected} == {"OQ", "REF"}
    enough = _of(_errors(OQ=Errors(40, 10, 40, 190), REF=Errors(30, 3, 3, 190), CQ=Errors(5, 0, 0, 190)))
    assert enough["R:Q"].corrected and enough["R:Q"].note == ""


def test_depth_is_shared_out_as_the_tagger_confuses_it() -> None:
    perfect = Errors(1_000_000, 0, 0, 1_000_000)
    plain = _of(None)["% complex reflections"]
    weak = "depth comes from the tagger, which is often wrong on it: check on your own chats with mi-code evaluate"
    assert plain.note == weak and plain.value is not None
    # It calls 30% of the simple ones complex, and 80% of the complex ones.
    known = Split((7000, 3000, 0), (1000, 4000, 0), NONE)
    mended = _of(_errors({"REF": known}, REF=perfect))["% complex reflections"]
    assert mended.value == pytest.approx((plain.value - 0.3) / (0.8 - 0.3), rel=1e-2)
    assert (mended.interval, mended.corrected) == ("conversations and tagger", True)
    assert mended.note == plain.note, "the depths stay weak"
    fewer = _of(_errors({"REF": Split((70, 30, 0), (10, 40, 0), NONE)}, REF=perfect))["% complex reflections"]
    assert _width(fewer) > 1.3 * _width(mended)


@pytest.mark.parametrize(
    ("split", "why"),
    [
        (Split((70, 30, 0), (1, 3, 0), NONE), "fewer than 5 validated messages for one value of depth of REF"),
        (Split((60, 40, 0), (25, 25, 0), NONE), "depth of REF not surely distinguished in the validation chats"),
    ],
)
def test_depth_is_not_corrected_where_too_little_is_known_of_it(split: Split, why: str) -> None:
    plain = _of(None)["% complex reflections"]
    found = _of(_errors({"REF": split}, REF=Errors(10_000, 0, 0, 10_000)))["% complex reflections"]
    assert (found.value, found.interval, found.corrected) == (plain.value, "conversations", False)
    assert found.note == f"not corrected for the tagger's errors: {why}; {plain.note}"


@pytest.mark.parametrize(("seen", "corrected"), [(5, True), (4, False)])
def test_five_validated_messages_of_each_value_are_enough_to_correct_depth(seen: int, corrected: bool) -> None:
    [measure] = [one for one in MEASURES if one.name == "% complex reflections"]
    errors = _errors({"REF": Split((400, 0, 0), (0, seen, 0), NONE)}, REF=Errors(404, 0, 0, 1000))
    assert bool(errors.lacking(measure)) is not corrected
    counts = np.zeros(len(COLUMNS))
    counts[[AT["REF"], AT["REF:simple"], AT["REF:complex"], AT["units"]]] = 20, 12, 8, 100
    assert bool(errors.mended(counts, expected)[AT["REF:simple"]] == 12) is not corrected


def test_what_has_no_value_is_not_called_corrected() -> None:
    errors = _errors(**dict.fromkeys(("REF", "OQ", "CQ"), Errors(90, 1, 1, 1_000_000)))
    for code, told in (("OQ", True), ("SU", False)):
        found = _of(errors, [Chat(f"c{i}", [_turn(code), CLIENT], {}) for i in range(6)])["R:Q"]
        assert (found.value is not None, found.corrected) == (told, told)


def test_a_code_is_not_corrected_where_the_tagger_might_as_well_guess() -> None:
    plain = _of(None)
    found = _of(_errors(OQ=Errors(30, 30, 70, 170), CQ=Errors(400, 20, 100, 900)))
    assert found["OQ"].value == plain["OQ"].value and not found["OQ"].corrected and found["CQ"].corrected
    why = "recall of OQ not surely above its false alarms in the validation chats"
    assert found["OQ"].note == found["% open questions"].note == f"not corrected for the tagger's errors: {why}"
    both = _of(_errors(OQ=Errors(30, 30, 70, 170), CQ=Errors(30, 30, 70, 170)))["% open questions"].note
    assert both.endswith("recall of OQ, CQ not surely above their false alarms in the validation chats")


def test_reflections_that_are_corrected_keep_their_depths_in_proportion() -> None:
    counts = np.zeros(len(COLUMNS))
    counts[[AT["REF"], AT["REF:simple"], AT["REF:complex"], AT["units"]]] = 30, 20, 10, 100
    split = Split((600, 100, 300), (200, 300, 100), (90, 10, 900))
    done = _errors({"REF": split}, REF=Errors(1200, 100, 400, 900)).mended(counts, expected)
    alarms, recall = 100.5 / 1001, 1200.5 / 1601
    assert done[AT["REF"]] == pytest.approx((30 - alarms * 100) / (recall - alarms))
    assert done[AT["REF:simple"]] + done[AT["REF:complex"]] == pytest.approx(done[AT["REF"]])
    rates = [np.array(row) / sum(row) for row in (split.first, split.second, split.none)]
    true = np.linalg.solve(np.array(rates).T, np.array([20, 10, 70]))
    assert done[AT["REF:complex"]] / done[AT["REF"]] == pytest.approx(true[1] / (true[0] + true[1]), rel=1e-2)


def test_depth_is_shared_out_where_false_alarms_are_of_one_value() -> None:
    """Complex ones are given where there is no reflection more often than where there is a complex one."""
    rates = np.array([[0.63, 0.27, 0.10], [0.12, 0.18, 0.70], [0.025, 0.225, 0.75]])
    split = Split(*(tuple(row) for row in (rates * 1_000_000).astype(int).tolist()))
    found = np.array([30, 20, 50]) @ rates
    counts = np.zeros(len(COLUMNS))
    counts[[AT["REF:simple"], AT["REF:complex"], AT["REF"], AT["units"]]] = *found[:2], found[:2].sum(), 100
    done = _errors({"REF": split}, REF=Errors(1_200_000, 250_000, 800_000, 750_000)).mended(counts, expected)
    assert done[AT["REF:complex"]] / done[AT["REF"]] == pytest.approx(20 / 50, rel=1e-3)


def test_a_corrected_count_is_neither_below_none_nor_above_all() -> None:
    counts = np.zeros((2, len(COLUMNS)))
    counts[:, AT["units"]], counts[:, AT["OQ"]] = 100, (1, 90)
    errors = _errors({"REF": Split((70, 30, 9), (10, 40, 9), (5, 5, 500))}, OQ=Errors(70, 30, 30, 170))
    assert errors.mended(counts, expected)[:, AT["OQ"]].tolist() == [0, 100]
    assert not np.isnan(errors.mended(counts, expected)).any()


def _simulated(random: np.random.Generator, chats: int, use: float) -> tuple[Bools, Bools]:
    """[chats, messages] where AF is, and where the tagger gives it: to 80% of these, and to 4% of the others."""
    true = random.random((chats, 20)) < use
    return true, random.random(true.shape) < np.where(true, 0.8, 0.04)


@pytest.mark.parametrize("use", [0.03, 0.1, 0.3])
def test_groups_that_use_a_code_more_or_less_than_the_validated_chats_get_their_own_rate(use: float) -> None:
    """Recall and false alarms are alike in all of them, precision is not."""
    measure = next(one for one in MEASURES if one.name == "AF")
    held, values = 0, []
    for seed in range(200):
        random = np.random.default_rng(seed)
        parts = [_simulated(random, 60, one) for one in (0.03, 0.1, 0.3)]
        true, found = (np.concatenate(each) for each in zip(*parts, strict=True))
        seen = [int(each.sum()) for each in (true & found, ~true & found, true & ~found, ~true & ~found)]
        errors = _errors(AF=Errors(*seen))
        counts = np.zeros((60, len(COLUMNS)))
        counts[:, AT["units"]], counts[:, AT["AF"]] = 20, _simulated(random, 60, use)[1].sum(axis=1)
        values.append(float(measure.value(errors.mended(counts.sum(axis=0), expected))))
        (bounds,) = intervals(counts, [measure], errors, draws=200, seed=seed) or []
        held += bounds[0] <= use <= bounds[1]
    assert np.mean(values) == pytest.approx(use, abs=0.004)
    assert 0.90 * 200 <= held <= 0.99 * 200


def test_what_is_validated_in_full_comes_out_as_gold_has_it() -> None:
    random = np.random.default_rng(5)
    gold: list[Chat] = []
    tagged: list[Chat] = []
    for i in range(60):
        true = random.choice(["OQ", "REF", "SU"], size=30, p=[0.3, 0.3, 0.4])
        deep = random.random(30) < 0.4
        given = np.where(random.random(30) < 0.2, random.choice(["OQ", "REF", "SU"], size=30), true)
        other = np.where(random.random(30) < 0.25, ~deep, deep)
        for chats, codes, depths in ((gold, true, deep), (tagged, given, other)):
            turns = [
                _turn(str(code), depth=("complex" if one else "simple") if code == "REF" else None)
                for code, one in zip(codes, depths, strict=True)
            ]
            chats.append(Chat(f"c{i}", turns, {}))
    true_figures, found = _of(None, gold), _of(errors_of(tagged, gold), tagged)
    for measure in ("OQ", "REF", "SU", "% complex reflections"):
        assert found[measure].corrected
        assert found[measure].value == pytest.approx(true_figures[measure].value, rel=0.01), measure


def test_corrected_figures_are_marked_and_the_mark_is_explained_once() -> None:
    errors = _errors(OQ=Errors(40, 10, 40, 190), CQ=Errors(9, 0, 0, 190))
    found = profile(_chats(), ["conversation"], errors=errors).summary(most=2)
    lines = [line.split() for line in found.splitlines() if "% open questions " in line]
    assert all(line[3].endswith("*") and "." in line[-1] for line in lines) and len(lines) == 2
    assert found.count("* corrected for the tagger's errors on the validated chats") == 1
    assert "*" not in profile(_chats(), ["all"]).summary()
    alone = _errors(OQ=Errors(40, 10, 40, 190))
    assert "*" not in profile(_chats(), ["all"], errors=alone).summary(), "none of those shown"


def test_a_doubt_of_the_errors_goes_to_all_figures_that_they_correct() -> None:
    errors = replace(_errors(OQ=Errors(40, 10, 40, 190)), doubt="seen in training")
    found = _of(errors)
    assert found["OQ"].note == "seen in training" and "seen" not in found["R:Q"].note
    assert "seen" not in found["talk share"].note


def test_gold_depth_bears_no_note() -> None:
    chats = [Chat(chat.id, chat.turns, {}, gold=True) for chat in _chats()]
    assert _of(None, chats)["% complex reflections"].note == ""


def test_errors_by_message() -> None:
    found = [_turn("OQ")] * 7 + [_turn("SU")] * 2 + [_turn("REF", depth="simple"), _turn("REF", depth="complex")]
    true = [_turn("OQ")] * 6 + [_turn("SU")] * 3 + [_turn("REF", depth="complex"), _turn("REF", depth="complex")]
    errors = errors_of([Chat("a", found, {}), Chat("b", found, {})], [Chat("a", true, {})])
    assert (errors.codes["OQ"], errors.codes["SU"], errors.codes["AF"]) == (
        Errors(6, 1, 0, 4), Errors(2, 0, 1, 8), Errors(0, 0, 0, 11),
    )  # fmt: skip
    assert errors.splits["REF"] == Split((0, 0, 0), (1, 1, 0), (0, 0, 9))
    with pytest.raises(UsageProblem, match="mi-code tag"):
        errors_of([Chat("a", found, {})], [Chat("b", true, {})])
    with pytest.raises(UsageProblem) as refused:
        errors_of([Chat("a", found[1:], {})], [Chat("a", true, {})])
    assert str(refused.value) == (
        "Chat 'a' has 10 messages where it is tagged and 11 where it has gold codes, so which codes are of the same "
        "message is not known. Tag the chats that have gold codes:  mi-code tag GOLD.jsonl -o gold.tagged.jsonl"
    )
    with pytest.raises(
        UsageProblem, match=r"The unit is 'volleys': it is one of message, volley\. Did you mean 'volley'"
    ):
        errors_of([Chat("a", found, {})], [Chat("a", true, {})], "volleys")  # type: ignore[arg-type]


def test_conversations_in_memory_are_compared_with_their_own_gold() -> None:
    gold = Gold(frozenset({"OQ"}))
    said = [Message("counselor", "how so?", gold=gold, coding=Coding((code,), {})) for code in ("OQ", "SU")]
    chats = [Conversation("a", said)]
    assert errors_of(chats, chats).codes["OQ"] == Errors(1, 0, 1, 0)


def test_errors_by_volley_are_those_of_what_volleys_count() -> None:
    found = [_turn("OQ"), _turn("SU"), CLIENT, _turn("SU")]
    true = [_turn("SU"), _turn("OQ"), CLIENT, _turn("AF")]
    by_message, by_volley = (
        errors_of([Chat("a", found, {})], [Chat("a", true, {})], unit) for unit in ("message", "volley")
    )
    assert by_message.codes["OQ"] == Errors(0, 1, 1, 1) and by_volley.codes["OQ"] == Errors(1, 0, 0, 1)
    assert by_volley.codes["SU"] == Errors(1, 1, 0, 0) and by_volley.codes["AF"] == Errors(0, 0, 1, 1)
    with pytest.raises(UsageProblem, match="by volley, the counts by message"):
        profile(_chats(5), ["all"], errors=by_volley)


def test_gold_codes_are_not_corrected(tmp_path: Path) -> None:
    chats = [Chat(chat.id, chat.turns, {}, gold=True) for chat in _chats(5)]
    with pytest.raises(UsageProblem, match="Gold codes are not corrected"):
        profile(chats, ["all"], errors=_errors())
    path = tmp_path / "t.jsonl"
    said = {"role": "counselor", "text": "how so?", "codes": ["OQ"], "gold": {"codes": ["OQ"]}}
    path.write_text(json.dumps({"conversation_id": "a", "messages": [said]}) + "\n")
    problem = CliRunner().invoke(command, [str(path), "--gold", "--validation", str(path)]).exception
    assert isinstance(problem, UsageProblem) and "without a validation" in str(problem)
