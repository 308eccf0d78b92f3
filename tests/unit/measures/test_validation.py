"""The tagger's errors: counted by message and by volley, put into the figures that they suffice for, and no others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command
from mi_coder.errors import UsageProblem
from mi_coder.measures.profile import Figure, profile
from mi_coder.measures.reading import Chat
from mi_coder.measures.tally import AT, CODES, COLUMNS, Turn
from mi_coder.measures.validation import SPLITS, Errors, TaggerErrors, errors_of, expected

CLIENT = Turn("client", None, None, None, 4)
NO_SPLITS = dict.fromkeys(SPLITS, ((0, 0), (0, 0)))


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


def _errors(splits: dict[str, tuple[tuple[int, int], tuple[int, int]]] | None = None, **codes: Errors) -> TaggerErrors:
    every = dict.fromkeys(CODES, Errors(0, 0, 0))
    return TaggerErrors("message", {**every, **codes}, {**NO_SPLITS, **(splits or {})})


def _of(errors: TaggerErrors | None, chats: list[Chat] | None = None) -> dict[str, Figure]:
    return {figure.measure: figure for figure in profile(chats or _chats(), ["all"], errors=errors).figures}


def _width(figure: Figure) -> float:
    assert figure.low is not None and figure.high is not None
    return figure.high - figure.low


def test_the_taggers_errors_mend_the_figure_and_widen_the_interval() -> None:
    plain, mended = _of(None)["OQ"], _of(_errors(OQ=Errors(40, 10, 40)))["OQ"]
    assert plain.value is not None and plain.numerator is not None
    assert mended.value == pytest.approx(plain.value * (40.5 / 51) / (40.5 / 81))
    assert mended.numerator == pytest.approx(plain.numerator * (40.5 / 51) / (40.5 / 81)) and mended.n == plain.n
    assert _width(mended) > 2 * _width(plain)
    assert (plain.interval, mended.interval) == ("conversations", "conversations and tagger")
    assert (plain.corrected, mended.corrected) == (False, True)


def test_only_figures_of_which_all_codes_are_validated_are_corrected() -> None:
    plain = _of(None)
    found = _of(_errors(OQ=Errors(40, 10, 40), REF=Errors(30, 3, 3), CQ=Errors(4, 0, 0)))
    for measure in ("R:Q", "% open questions", "CQ", "SU", "AF", "MI-adherent total", "% MI-consistent"):
        one, same = found[measure], plain[measure]
        assert (one.value, one.low, one.high) == (same.value, same.low, same.high), measure
        assert one.interval == "conversations" and not one.corrected
        assert one.note.startswith("not corrected for the tagger's errors: "), measure
    why, few = "not corrected for the tagger's errors: ", "found correctly fewer than 5 times in the validation chats"
    assert found["R:Q"].note == f"{why}CQ was {few}"
    assert found["MI-adherent total"].note == f"{why}SC, AF, EA were each {few}"
    assert (found["talk share"].interval, found["talk share"].note) == ("conversations", "")
    assert {one.measure for one in found.values() if one.corrected} == {"OQ", "REF"}
    enough = _of(_errors(OQ=Errors(40, 10, 40), REF=Errors(30, 3, 3), CQ=Errors(5, 0, 0)))
    assert enough["R:Q"].corrected and enough["R:Q"].note == ""


def test_depth_is_shared_out_as_gold_has_it() -> None:
    perfect = Errors(1_000_000, 0, 0)
    plain = _of(None)["% complex reflections"]
    weak = "depth comes from the tagger, which is often wrong on it: check on your own chats with mi-code evaluate"
    assert plain.note == weak and plain.value is not None
    # Of 100 that the tagger calls simple 30 are complex, of 50 that it calls complex 40 are.
    mended = _of(_errors({"REF": ((70, 30), (10, 40))}, REF=perfect))["% complex reflections"]
    assert mended.value == pytest.approx((1 - plain.value) * 30.5 / 101 + plain.value * 40.5 / 51, rel=1e-5)
    assert (mended.interval, mended.corrected) == ("conversations and tagger", True)
    assert mended.note == plain.note, "the depths stay weak"
    many = _of(_errors({"REF": ((7000, 3000), (1000, 4000))}, REF=perfect))["% complex reflections"]
    assert _width(mended) > 1.3 * _width(many)
    few = _of(_errors({"REF": ((70, 30), (3, 1))}, REF=perfect))["% complex reflections"]
    assert few.value == plain.value and few.interval == "conversations"
    why = "not corrected for the tagger's errors: fewer than 5 validated messages for one value of depth of REF"
    assert few.note == f"{why}; {weak}"


def test_reflections_that_are_corrected_keep_their_depths_in_proportion() -> None:
    counts = np.zeros(len(COLUMNS))
    counts[[AT["REF"], AT["REF:simple"], AT["REF:complex"]]] = 10, 6, 4
    done = _errors({"REF": ((60, 20), (10, 30))}, REF=Errors(80, 20, 40)).mended(counts, expected)
    assert done[AT["REF"]] == pytest.approx(10 * (80.5 / 101) / (80.5 / 121))
    assert done[AT["REF:simple"]] + done[AT["REF:complex"]] == pytest.approx(done[AT["REF"]])


def test_corrected_figures_are_marked_and_the_mark_is_explained_once() -> None:
    errors = _errors(OQ=Errors(40, 10, 40), CQ=Errors(9, 0, 0))
    found = profile(_chats(), ["conversation"], errors=errors).summary(most=2)
    lines = [line.split() for line in found.splitlines() if "% open questions " in line]
    assert all(line[3].endswith("*") and "." in line[-1] for line in lines) and len(lines) == 2
    assert found.count("* corrected for the tagger's errors on the validated chats") == 1
    assert "*" not in profile(_chats(), ["all"]).summary()
    assert "*" not in profile(_chats(), ["all"], errors=_errors(OQ=Errors(40, 10, 40))).summary(), "none of those shown"


def test_a_doubt_of_the_errors_goes_to_all_figures_that_they_correct() -> None:
    errors = replace(_errors(OQ=Errors(40, 10, 40)), doubt="seen in training")
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
        Errors(6, 1, 0), Errors(2, 0, 1), Errors(0, 0, 0),
    )  # fmt: skip
    assert errors.splits["REF"] == ((0, 1), (0, 1))
    with pytest.raises(UsageProblem, match="mi-code tag"):
        errors_of([Chat("a", found, {})], [Chat("b", true, {})])
    with pytest.raises(UsageProblem, match="both gold codes"):
        errors_of([Chat("a", found[1:], {})], [Chat("a", true, {})])


def test_errors_by_volley_are_those_of_what_volleys_count() -> None:
    found = [_turn("OQ"), _turn("SU"), CLIENT, _turn("SU")]
    true = [_turn("SU"), _turn("OQ"), CLIENT, _turn("AF")]
    by_message, by_volley = (
        errors_of([Chat("a", found, {})], [Chat("a", true, {})], unit) for unit in ("message", "volley")
    )
    assert by_message.codes["OQ"] == Errors(0, 1, 1) and by_volley.codes["OQ"] == Errors(1, 0, 0)
    assert by_volley.codes["SU"] == Errors(1, 1, 0) and by_volley.codes["AF"] == Errors(0, 0, 1)
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
