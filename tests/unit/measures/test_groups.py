"""Fields to group by: those that no chat has are refused, chats without one are counted and said."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command
from mi_coder.errors import UsageProblem
from mi_coder.measures.groups import PERIODS, all_periods, has, value_of
from mi_coder.measures.profile import count, profile
from mi_coder.measures.reading import Chat, read_chats
from mi_coder.measures.tally import Turn

TURNS = [Turn("client", None, None, None, 4), Turn("counselor", ("OQ",), None, None, 3)]


def _file(folder: Path, *fields: dict[str, object]) -> str:
    said = [{"role": "client", "text": "so it goes"}, {"role": "counselor", "text": "how so?", "codes": ["OQ"]}]
    lines = [{"conversation_id": f"c{i}", "messages": said, **more} for i, more in enumerate(fields)]
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "counsellor_id"], "'counsellor_id'. Did you mean 'counselor_id'?"),
        (["--by", "monht"], "Did you mean 'month'?"),
        (["--by", "month", "--time", "started"], "'started'. Did you mean 'started_at'?"),
        (["--time", "when"], "'when'. Fields that"),
    ],
)
def test_a_field_that_no_chat_has_is_refused_with_those_that_there_are(
    tmp_path: Path, options: list[str], said: str
) -> None:
    path = _file(tmp_path, {"counselor_id": "k", "started_at": "2024-05-31", "empty": "", "list": [1]})
    result = CliRunner().invoke(command, [path, *options])
    assert isinstance(result.exception, UsageProblem) and result.stdout == ""
    assert said in str(result.exception)
    assert "Fields that there are: counselor_id, started_at." in str(result.exception)


def test_fields_of_standard_input_are_not_said_to_be_none(tmp_path: Path) -> None:
    content = Path(_file(tmp_path, {"counselor_id": "k"})).read_text()
    result = CliRunner().invoke(command, ["-", "--by", "months"], input=content)
    assert str(result.exception) == "No conversation has the field 'months'. Did you mean 'month'? Check its name."


def test_chats_in_memory_name_their_fields_too() -> None:
    chats = [Chat("a", TURNS, {"site": "x", "empty": None})]
    with pytest.raises(UsageProblem, match=r"Did you mean 'site'\? Fields that there are: site\."):
        profile(chats, ["sites"])
    with pytest.raises(UsageProblem, match="By note: the table has a column of that name"):
        profile([Chat("a", TURNS, {"note": "x"})], ["note"])
    with pytest.raises(UsageProblem, match="There are no fields"):
        count([Chat("a", TURNS, {})]).profile(["site"])


def test_chats_without_the_field_are_counted_and_said(tmp_path: Path) -> None:
    path = _file(tmp_path, {"who": "k1"}, {"who": ""}, {}, {"who": "k1"})
    result = CliRunner().invoke(command, [path, "--by", "who"])
    assert result.exit_code == 0, result.output
    assert "2 of 4 conversations have no who: group (none)" in result.output
    assert "who (none): 2 conversations, 2 messages\n" in result.output
    one = profile([Chat("a", TURNS, {"who": "k"})], ["who"], unit="volley").summary()
    assert one.startswith("who k: 1 conversation, 1 volley\n")
    html = profile([Chat("a", TURNS, {"who": "k"}), Chat("b", TURNS, {})], ["who"])._repr_html_()
    assert "1 of 2 conversations have no who" in html and ">(none)<" in html
    whole = profile([Chat("a", TURNS, {"who": "k"})], ["who"])
    assert "have no" not in whole.summary() and whole.without == {"who": 0}


@pytest.mark.parametrize("name", ["nan", "NaN", "NaT", "NA"])
def test_what_pandas_calls_missing_is_no_value(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    missing = {"nan": float("nan"), "NaN": np.float32("nan"), "NaT": pandas.NaT, "NA": pandas.NA}[name]
    found = profile([Chat("a", TURNS, {"site": "x"}), Chat("b", TURNS, {"site": missing})], ["site"])
    assert {figure.group for figure in found.figures} == {("x",), ("",)}
    assert "1 of 2 conversations have no site: group (none)" in found.summary()
    with pytest.raises(UsageProblem, match="No conversation has the field 'site'"):
        profile([Chat("b", TURNS, {"site": missing})], ["site"])


def test_one_field_may_be_given_alone(tmp_path: Path) -> None:
    path = _file(tmp_path, {"who": "k1", "at": "2024-05-31"}, {"who": "k2", "at": "2024-06-01"})
    chats = list(read_chats(path, "who"))
    assert chats == list(read_chats(Path(path), ["who"])) and chats[0].fields == {"who": "k1"}
    for alone, listed in (("who", ["who"]), ("all", ["all"]), ("conversation", ["conversation"])):
        assert profile(chats, alone).figures == profile(chats, listed).figures
    assert count(chats).units("who") == {("k1",): 1, ("k2",): 1}
    dated = list(read_chats(path, "at"))
    assert profile(dated, "month", time="at").by == ("month",)
    with pytest.raises(UsageProblem, match="By month: name the field with the time of the chat"):
        profile(dated, "month")


@pytest.mark.parametrize(
    ("day", "week"), [("2024-12-30", "2025-W01"), ("2021-01-03", "2020-W53"), ("2024-05-31", "2024-W22")]
)
def test_a_week_is_of_the_year_that_has_most_of_it(day: str, week: str) -> None:
    assert value_of("a", {"at": day}, "week", "at") == week


def test_a_chat_without_a_time_is_in_no_period() -> None:
    assert (
        value_of("a", {"at": ""}, "month", "at") == ""
        and value_of("a", {"at": "2024-05-31"}, "month", "at") == "2024-05"
    )
    assert has({"n": 0}, "n") and value_of("a", {"n": 0}, "n", "") == "0"


@pytest.mark.parametrize(
    ("periods", "name", "all_of_them"),
    [
        (["2024-02", "2023-11"], "month", ["2023-11", "2023-12", "2024-01", "2024-02"]),
        (["2020-W52", "2021-W01"], "week", ["2020-W52", "2020-W53", "2021-W01"]),
        (["2021", "2024"], "year", ["2021", "2022", "2023", "2024"]),
        (["2024-12"], "month", ["2024-12"]),
        (["9999-11", "9999-12"], "month", ["9999-11", "9999-12"]),
        ([], "month", []),
    ],
)
def test_periods_without_a_chat_are_periods_too(periods: list[str], name: str, all_of_them: list[str]) -> None:
    assert all_periods(periods, name) == all_of_them


def test_periods_of_any_year_come_back() -> None:
    days = ["0001-01-01", "0999-12-31", "9999-12-31"]
    for name in PERIODS:
        periods = [value_of("a", {"at": day}, name, "at") for day in days]
        found = all_periods(periods, name)
        assert found[0] == periods[0] and found[-1] == periods[-1] and set(periods) <= set(found)


@pytest.mark.parametrize("name", ["nothere.jsonl", "nothere.csv"])
def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path, name: str) -> None:
    problem = CliRunner().invoke(command, [str(tmp_path / name)]).exception
    assert isinstance(problem, UsageProblem) and "mi-code tag" in str(problem) and name in str(problem)


@pytest.mark.parametrize("name", ["conversation_id", "messages"])
def test_what_every_conversation_has_for_itself_is_no_group(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"conversation_id": "a", "messages": []}\n')
    with pytest.raises(UsageProblem, match=f"{name} is no field to group by"):
        list(read_chats(str(tmp_path / "a.jsonl"), [name]))
