"""Fields to group by: those that no chat has are refused, chats without one are counted and said."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command
from mi_coder.errors import UsageProblem
from mi_coder.measures.groups import has, value_of
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
    assert "who (none): 2 conversations" in result.output
    html = profile([Chat("a", TURNS, {"who": "k"}), Chat("b", TURNS, {})], ["who"])._repr_html_()
    assert "1 of 2 conversations have no who" in html and ">(none)<" in html
    whole = profile([Chat("a", TURNS, {"who": "k"})], ["who"])
    assert "have no" not in whole.summary() and whole.without == {"who": 0}


def test_a_chat_without_a_time_is_in_no_period() -> None:
    assert (
        value_of("a", {"at": ""}, "month", "at") == ""
        and value_of("a", {"at": "2024-05-31"}, "month", "at") == "2024-05"
    )
    assert has({"n": 0}, "n") and value_of("a", {"n": 0}, "n", "") == "0"


@pytest.mark.parametrize("name", ["nothere.jsonl", "nothere.csv"])
def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path, name: str) -> None:
    problem = CliRunner().invoke(command, [str(tmp_path / name)]).exception
    assert isinstance(problem, UsageProblem) and "mi-code tag" in str(problem) and name in str(problem)


@pytest.mark.parametrize("name", ["conversation_id", "messages"])
def test_what_every_conversation_has_for_itself_is_no_group(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"conversation_id": "a", "messages": []}\n')
    with pytest.raises(UsageProblem, match=f"{name} is no field to group by"):
        list(read_chats(str(tmp_path / "a.jsonl"), [name]))
