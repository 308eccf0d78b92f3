"""Profiles: the formulas of the manuals by hand, volleys, groups, intervals, and what cannot be told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.cli.profile import command
from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation, Message
from mi_coder.errors import UsageProblem
from mi_coder.measures import intervals as of_intervals
from mi_coder.measures.intervals import intervals
from mi_coder.measures.patterns import Patterns
from mi_coder.measures.profile import Counted, Figure, Profile, count, profile
from mi_coder.measures.reading import Chat, read_chats
from mi_coder.measures.summaries import CANNOT_TELL, LEFT_OPEN, MEASURES, NEEDS_DEPTH, NOTHING, legend
from mi_coder.measures.tally import AT, CODES, COLUMNS, OPEN, Turn, tally
from mi_coder.measures.validation import SPLITS, Errors, Split, TaggerErrors, errors_of

CLIENT = Turn("client", None, None, None, 4)


def _turn(*codes: str, depth: str | None = None, permission: str | None = None, words: int = 3) -> Turn:
    return Turn("counselor", codes, depth, permission, words)


def _of(turns: list[Turn], unit: str = "message") -> dict[str, Figure]:
    found = profile([Chat("a", turns, {})], ["all"], unit)  # type: ignore[arg-type]
    return {figure.measure: figure for figure in found.figures}


def test_the_summaries_by_hand() -> None:
    turns = [
        _turn("OQ"), CLIENT, _turn("REF", depth="simple"), CLIENT, _turn("REF", "CQ", depth="complex"), CLIENT,
        _turn("REF", depth="complex"), CLIENT, _turn("AF"), CLIENT, _turn("EA", "SC"), CLIENT,
        _turn("PR", permission="without"), CLIENT, _turn("PR", permission="with"), CLIENT, _turn("CO"), CLIENT,
        _turn("WA"), CLIENT,
    ]  # fmt: skip
    found = _of(turns)
    assert found["R:Q"].value == 3 / 2
    assert found["% complex reflections"].value == 2 / 3
    assert found["% open questions"].value == 1 / 2
    assert found["MI-adherent per unit"].value == 3 / 10
    assert found["MI-non-adherent per unit"].value == 3 / 10
    # MICO: PR with, AF, EA, SC, OQ, 3 REF; MIIN: PR without, CO, WA.
    assert found["% MI-consistent"].value == 8 / 11
    assert found["talk share"].value == 30 / 70
    assert found["CQ"].value == 1 / 10
    assert all(figure.units == 10 and figure.conversations == 1 and figure.low is None for figure in found.values())
    assert [found[f"MI-{side} total"].value for side in ("adherent", "non-adherent")] == [3, 3]


@pytest.mark.parametrize("side", ["adherent", "non-adherent"])
@pytest.mark.parametrize("of", ["per unit", "total"])
def test_the_totals_of_miti_count_what_the_codebook_has_on_that_side_but_for_concerns(side: str, of: str) -> None:
    book = Codebook.load()
    for code in book.codes:
        for permission in ("with", "without") if "permission" in code.attributes else (None,):
            found = _of([_turn(code.id, permission=permission)])[f"MI-{side} {of}"]
            stands = code.standing("miti", permission) == side and code.id != "RC"
            assert found.value == stands, (code.id, permission)


def test_every_figure_says_what_it_is_made_of() -> None:
    turns = [_turn("REF", depth="simple")] * 4 + [_turn("OQ"), _turn("CQ"), _turn("SC", "AF")]
    found = _of([each for turn in turns for each in (turn, CLIENT)])

    def made_of(measure: str) -> tuple[float | None, float | None, float | None, int | None]:
        return found[measure].value, found[measure].numerator, found[measure].denominator, found[measure].n

    assert made_of("R:Q") == (2, 4, 2, 2)
    assert made_of("MI-adherent total") == (2, 2, None, 2)
    assert made_of("MI-adherent per unit") == (2 / 7, 2, 7, 7)
    assert made_of("OQ") == (1 / 7, 1, 7, 7)
    assert made_of("% MI-consistent") == (1, 7, 7, 7)
    nothing = _of([_turn("REF", depth="simple")])["R:Q"]
    assert (nothing.value, nothing.note, nothing.numerator, nothing.denominator) == (None, NOTHING, 1, 0)
    untold = _of([_turn("REF")])["% complex reflections"]
    assert (untold.numerator, untold.denominator, untold.n) == (None, None, None)
    row = next(row for row in profile([Chat("a", turns, {})], ["all"]).long() if row["measure"] == "R:Q")
    assert (row["numerator"], row["denominator"], row["n"]) == (4, 2, 2)


def test_the_legend_has_formulas_thresholds_and_why_asking_permission_is_consistent() -> None:
    assert "; fair 40%, good 50%" in legend() and "; fair 1, good 2" in legend() and "MICO / (MICO + MIIN)" in legend()
    assert "MI-adherent per message" in legend() and "(AF + EA + SC) / volleys" in legend("volley")
    assert "Brackets: 95% intervals over conversations." in legend()
    assert "asking permission as emphasizing control" in legend()


def test_what_is_named_a_percentage_is_shown_as_one_and_kept_as_a_fraction() -> None:
    turns = [_turn("REF", depth="complex"), _turn("REF", depth="simple"), _turn("OQ"), _turn("SC"), CLIENT]
    found = profile([Chat(f"c{i}", turns, {}) for i in range(5)], ["all"])
    shown = found.summary()
    assert "% complex reflections        50%  [50%, 50%]  (5 / 10)" in shown
    assert "R:Q                          2.00  [2.00, 2.00]  (10 / 5)" in shown
    assert "MI-adherent per message      0.25  [0.25, 0.25]  (5 / 20)" in shown and "per unit" not in shown
    rows = {row["measure"]: row for row in found.long()}
    assert rows["% complex reflections"]["value"] == 0.5 and rows["% complex reflections"]["fair"] == 0.4
    assert rows["MI-adherent per unit"]["formula"] == "(AF + EA + SC) / units, MITI 4.2.1 total MIA"
    assert "MI-adherent per volley" in profile([Chat("c", turns, {})], ["all"], "volley").summary()


def test_in_a_volley_each_code_counts_once_and_complex_wins() -> None:
    volley = [
        _turn("REF", depth="simple"), _turn("REF", "AF", depth="complex"), _turn("AF"), _turn("CQ"), _turn("OQ"),
        _turn("PR", permission="without"), _turn("PR", permission="with"),
    ]  # fmt: skip
    row = tally([*volley, CLIENT, _turn("AF"), CLIENT], "volley")
    assert [row[AT[name]] for name in ("units", "REF", "REF:complex", "REF:simple", "AF", "OQ", "CQ")] == [
        2, 1, 1, 0, 2, 1, 0,
    ]  # fmt: skip
    assert [row[AT[name]] for name in ("PR", "PR:with", "PR:without")] == [1, 1, 0]
    assert tally([*volley, CLIENT, _turn("AF")], "message")[AT["units"]] == 8


@pytest.mark.parametrize(
    ("others", "simple"), [([_turn("OQ"), _turn("PR", permission="without")], 1), ([_turn("REF")], 0)]
)
def test_the_depth_of_a_volley_is_that_of_its_reflections(others: list[Turn], simple: int) -> None:
    row = tally([_turn("REF", depth="simple"), *others, CLIENT], "volley")
    assert [row[AT[name]] for name in ("units", "REF", "REF:simple", "REF:complex")] == [1, 1, simple, 0]


def test_a_volley_ends_with_the_chat_and_uncoded_messages_do_not_count() -> None:
    row = tally([_turn("OQ"), Turn("counselor", None, None, None, 2), _turn("SU"), CLIENT], "volley")
    assert row[AT["units"]] == 1 and row[AT["counselor_words"]] == 8
    assert tally([CLIENT, Turn("counselor", None, None, None, 2)], "volley")[AT["units"]] == 0


@pytest.mark.parametrize("advice", ["PR", "RC"])
def test_what_cannot_be_told_is_said(advice: str) -> None:
    found = _of([_turn("REF"), CLIENT, _turn(advice)])
    assert found["% complex reflections"].value is None and found["% complex reflections"].note == NEEDS_DEPTH
    assert found["% MI-consistent"].note == CANNOT_TELL
    assert found["MI-non-adherent per unit"].note == (CANNOT_TELL if advice == "PR" else "")
    assert found["R:Q"].value is None and found["R:Q"].note == NOTHING


def _chats(number: int = 30, seed: int = 1) -> list[Chat]:
    random = np.random.default_rng(seed)
    chats = []
    for i in range(number):
        turns: list[Turn] = []
        for _ in range(20):
            code = str(random.choice(["OQ", "CQ", "REF", "SU"], p=[0.3, 0.2, 0.3, 0.2]))
            turns += [CLIENT, _turn(code, depth="simple" if code == "REF" else None)]
        chats.append(Chat(f"c{i}", turns, {"counselor_id": f"k{i % 3}", "at": f"2024-0{1 + i % 2}-10T09:00:00"}))
    return chats


def _groups(found: Profile) -> set[tuple[str, ...]]:
    return {figure.group for figure in found.figures}


def test_groups_by_field_period_and_chat() -> None:
    chats = _chats()
    assert _groups(profile(chats, ["counselor_id", "month"], time="at")) == {
        (f"k{k}", month) for k in range(3) for month in ("2024-01", "2024-02")
    }
    assert _groups(profile(chats, ["year"], time="at")) == {("2024",)}
    assert _groups(profile(chats, ["week"], time="at")) == {("2024-W02",), ("2024-W06",)}
    assert len(_groups(profile(chats))) == 30 and _groups(profile(chats, ["all"])) == {()}
    with pytest.raises(UsageProblem, match="--time"):
        profile(chats, ["month"])
    with pytest.raises(UsageProblem, match="no date or time"):
        profile([Chat("x", [_turn("OQ")], {"at": "yesterday"})], ["month"], time="at")


def test_no_chats_and_no_codes() -> None:
    with pytest.raises(UsageProblem, match="no chats"):
        profile([])
    with pytest.raises(UsageProblem, match="mi-code tag"):
        profile([Chat("a", [Turn("counselor", None, None, None, 1)], {})])
    with pytest.raises(UsageProblem, match="Did you mean 'volley'"):
        profile(_chats(2), unit="voley")  # type: ignore[arg-type]


def test_a_conversation_that_comes_twice_is_refused() -> None:
    chats = _chats(3)
    with pytest.raises(UsageProblem) as refused:
        profile(chats + chats, ["all"])
    assert str(refused.value) == (
        f"Conversation {chats[0].id!r} is there more than once, and would count each time. Give each conversation "
        "once, or the conversations ids of their own."
    )


@pytest.mark.parametrize("draws", [0, -1])
def test_without_draws_there_is_no_interval(draws: int) -> None:
    with pytest.raises(UsageProblem, match=f"draws is {draws}; it must be at least 1"):
        profile(_chats(6), ["all"], draws=draws)


def test_numbers_of_a_frame_are_numbers_though_all_are_empty() -> None:
    pandas = pytest.importorskip("pandas")
    few, many = profile(_chats(3)).frame(), profile(_chats(8), ["all"]).frame()
    numbers = ["value", "low", "high", "numerator", "denominator", "n", "fair", "good"]
    assert few["low"].isna().all() and not many["low"].isna().all()
    assert {*few[numbers].dtypes, *many[numbers].dtypes} == {np.dtype(float)}
    low = pandas.concat([many, few]).round(2)["low"].dropna()
    assert (low == low.round(2)).all()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        figure = next(f for f in profile(_chats(40, seed), ["all"], draws=200).figures if f.measure == "OQ")
        assert figure.low is not None and figure.high is not None
        held += figure.low <= 0.3 <= figure.high
    assert 0.90 * 200 <= held <= 0.99 * 200


def test_draws_without_anything_to_divide_by_are_left_out_of_the_interval() -> None:
    counts = np.zeros((6, len(COLUMNS)))
    counts[:, AT["units"]] = 1
    counts[0, AT["OQ"]], counts[1:3, AT["REF"]] = 1, 1
    [(low, high)] = intervals(counts, [one for one in MEASURES if one.name == "R:Q"]) or []
    assert low == 0 and high >= 2, "a third of the draws have no question"


def test_how_many_draws_are_made_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(1).integers(0, 9, (8, len(COLUMNS))).astype(float)
    expected = intervals(counts, MEASURES, draws=100)
    monkeypatch.setattr(of_intervals, "_CELLS", 8 * 30)
    np.testing.assert_array_equal(intervals(counts, MEASURES, draws=100), expected)


def test_few_chats_have_no_interval() -> None:
    assert intervals(np.ones((4, len(AT))), MEASURES) is None


def _line(i: int, roles: list[str], codes: list[list[str] | None], **more: Any) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for role, found in zip(roles, codes, strict=True):
        message: dict[str, Any] = {"role": role, "text": "so it goes"}
        if role in ("counselor", "helper") and found is not None:
            message |= {"codes": found, "scores": dict.fromkeys(found, 0.5)}
            message |= {"depth": "simple"} if "REF" in found else {}
            message |= {"permission": "with"} if "PR" in found else {}
        messages.append(message)
    return {"conversation_id": f"c{i}", "messages": messages, **more}


_CODES = st.one_of(st.none(), st.lists(st.sampled_from(["OQ", "REF", "PR", "SU"]), min_size=1, max_size=3, unique=True))
_CHAT = st.lists(st.tuples(st.sampled_from(["counselor", "client", "helper"]), _CODES), min_size=1, max_size=8)


@given(st.lists(_CHAT, min_size=1, max_size=4))
def test_the_quick_reader_and_the_one_for_all_formats_agree(chats: list[list[tuple[str, list[str] | None]]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        lines = [_line(i, [r for r, _ in chat], [c for _, c in chat], site="x") for i, chat in enumerate(chats)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        other = path.with_suffix(".ndjson.jsonl")
        other.write_text(json.dumps({**lines[0], "conversation_id": 7}) + "\n" + path.read_text())
        quick, general = list(read_chats(str(path), ["site"])), list(read_chats(str(other), ["site"]))
    assert [(chat.id, chat.turns, chat.fields) for chat in general[1:]] == [
        (chat.id, chat.turns, chat.fields) for chat in quick
    ]


def test_the_command_writes_figures_and_counts_and_leaves_bad_records_out(tmp_path: Path) -> None:
    lines = [_line(i, ["client", "counselor"], [None, ["OQ"]], counselor_id=f"k{i % 2}") for i in range(12)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "t.jsonl").write_text(text + '{"conversation_id": "bad", "messages": 3}\n')
    for ending in ("csv", "jsonl", "parquet"):
        out, counts = tmp_path / f"p.{ending}", tmp_path / f"c.{ending}"
        arguments = [str(tmp_path / "t.jsonl"), "--by", "counselor_id", "-o", str(out), "--counts", str(counts)]
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 0, result.output
        assert "counselor_id k0: 6 conversations, 6 messages" in result.output
        assert "1 bad record was left out: " in result.output and legend() in result.output
        assert out.stat().st_size and counts.stat().st_size
        assert isinstance(CliRunner().invoke(command, arguments).exception, UsageProblem)
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert {row["measure"] for row in rows} == {measure.name for measure in MEASURES}
    assert rows[0]["fair"] == 1.0 and "MITI" in rows[0]["formula"]
    first = (tmp_path / "c.csv").read_text().splitlines()
    assert first[0].startswith("conversation_id,messages,OQ,") and first[1].startswith("c0,1,1,")


def _left(codes: tuple[str, ...], left: tuple[str, ...]) -> Turn:
    return Turn("counselor", codes, None, None, 3, open=left)


def test_a_message_counts_for_the_codes_that_its_gold_tells() -> None:
    turns = [_left(("OQ",), ("WA",)), CLIENT, _left((), ("OQ", "WA")), CLIENT, _left(("SU",), ("WA",)), CLIENT]
    found = _of(turns * 5)
    assert (found["OQ"].value, found["OQ"].units) == (1 / 2, 10)
    assert (found["SU"].value, found["SU"].units) == (1 / 3, 15)
    assert (found["WA"].value, found["WA"].units, found["WA"].note) == (None, 0, f"{LEFT_OPEN}: WA")
    assert (found["R:Q"].value, found["R:Q"].note) == (None, f"{LEFT_OPEN}: OQ")
    assert found["% MI-consistent"].note == f"{LEFT_OPEN}: OQ, WA"
    assert found["MI-adherent per unit"].value == 0 and found["talk share"].value is not None
    assert found["% MI-consistent"].numerator is None and found["MI-adherent total"].value == 0


def test_a_summary_bears_a_few_open_codes() -> None:
    told = [_left(("OQ",), ()), CLIENT, _left(("REF",), ()), CLIENT]
    few, many = (_of([*told * 5, *[_left((), ("REF",)), CLIENT] * left])["R:Q"] for left in (2, 3))
    assert few.value == 1 and many.note == f"{LEFT_OPEN}: REF"


def test_a_volley_knows_a_code_that_one_of_its_messages_has() -> None:
    row = tally([_left(("SU",), ("AF", "OQ")), _left(("AF", "CQ"), ("SU",)), CLIENT], "volley")
    assert [row[AT[name]] for name in ("units", "SU", "AF", "OQ", "CQ")] == [1, 1, 1, 0, 0]
    assert {code for code in CODES if row[AT[OPEN[code]]]} == {"OQ", "CQ"}, "whether the closed question counts is open"
    row = tally([_left(("OQ",), ("CQ",)), CLIENT], "volley")
    assert row[AT["OQ"]] == 1 and row[AT[OPEN["CQ"]]] == 0


def test_gold_that_leaves_codes_open_has_no_counts_and_blames_no_tagger(tmp_path: Path) -> None:
    lines = [_line(i, ["client", "counselor"], [None, ["OQ"]]) for i in range(6)]
    for i, line in enumerate(lines):
        line["messages"][1]["gold"] = {"codes": ["OQ"]} if i else {"positive": ["SU"], "negative": ["REF"]}
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    seen = errors_of(read_chats(str(path)), read_chats(str(path), gold=True)).codes
    assert seen == {
        **dict.fromkeys(CODES, Errors(0, 0, 0, 5)),
        "OQ": Errors(5, 0, 0, 0),
        "SU": Errors(0, 0, 1, 5),
        "REF": Errors(0, 0, 0, 6),
    }
    out = tmp_path / "p.csv"
    arguments = [str(path), "--gold", "-o", str(out), "--counts", str(tmp_path / "c.csv")]
    problem = CliRunner().invoke(command, arguments).exception
    assert (
        isinstance(problem, UsageProblem) and "1 of 6 chats (OQ, CQ, AF" in str(problem) and "SU," not in str(problem)
    )
    assert not out.exists()
    assert CliRunner().invoke(command, arguments[:-2]).exit_code == 0 and out.exists()


def test_chats_are_counted_once_and_profiled_in_several_ways() -> None:
    chats = _chats(12)
    counted = count(chats)
    for by, time in ((["all"], ""), (["counselor_id", "month"], "at"), (["conversation"], "")):
        assert counted.profile(by, time, draws=50).figures == profile(chats, by, time=time, draws=50).figures
    with pytest.raises(UsageProblem, match="--time"):
        counted.profile(["month"])


def test_conversations_in_memory_are_profiled_as_they_are() -> None:
    coded = Conversation(
        "a", [Message("counselor", "How was it?", coding=Coding(("OQ",), {})), Message("client", "Hard.")], {"who": "k"}
    )
    (figure,) = (each for each in profile([coded], ["who"]).figures if each.measure == "OQ")
    assert (figure.group, figure.value) == (("k",), 1.0)


def test_groups_side_by_side_are_what_each_is_alone() -> None:
    """To the last bit, corrected or not: the sums of one group do not depend on how many others there are."""
    errors = TaggerErrors(
        "message",
        {code: Errors(31, 7, 11, 400) for code in CODES},
        {code: Split((90, 40, 20), (30, 80, 20), (5, 5, 400)) for code in SPLITS},
    )
    random = np.random.default_rng(3)
    counts = random.integers(1, 50, (40, len(COLUMNS))).astype(float)
    for code, (_, first, second) in SPLITS.items():
        counts[:, AT[code]] = counts[:, AT[first]] + counts[:, AT[second]]
    counts[:, AT["units"]], counts[:, [AT[name] for name in OPEN.values()]] = 400, 0
    names = [f"k{i % 8}" for i in range(len(counts))]

    def figures(places: list[int], known: TaggerErrors | None) -> tuple[Figure, ...]:
        fields = tuple({"who": names[i]} for i in places)
        counted = Counted("message", tuple(map(str, places)), fields, counts[places], Patterns(), False)
        return counted.profile(["who"], errors=known).figures

    for known in (None, errors):
        together = figures(list(range(len(counts))), known)
        for who in set(names):
            alone = figures([i for i, name in enumerate(names) if name == who], known)
            assert alone == tuple(figure for figure in together if figure.group == (who,))
            assert all(figure.value is not None for figure in alone)
            assert any(figure.corrected for figure in alone) is (known is not None)


def test_only_some_groups_and_only_summaries_get_the_figures_that_they_have_among_all() -> None:
    counted, told = count(_chats(33)), []
    whole = counted.profile(["counselor_id", "month"], "at", min_chats=6)
    wanted = sorted(_groups(whole))[1:3]
    some = counted.profile(
        ["counselor_id", "month"], "at", min_chats=6, only=wanted, rates=False, progress=lambda *at: told.append(at)
    )
    expected = [one for one in whole.figures if one.group in wanted and one.measure not in CODES]
    assert list(some.figures) == expected and expected
    assert told == [(1, 2), (2, 2)]
    assert (some.few(), some.groups, some.left_out) == (whole.few(), whole.groups, whole.left_out)
    sizes = {one.group: one.units for one in whole.figures if one.measure == "R:Q"}
    assert counted.units(["counselor_id", "month"], "at", 6) == sizes


def test_rows_are_the_long_table() -> None:
    found = count(_chats()).profile(["counselor_id"])
    assert list(found.rows()) == found.long() and len(found.long()) == len(found.figures)
