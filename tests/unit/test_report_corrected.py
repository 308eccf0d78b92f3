"""What the report says of the tagger's errors is true of its figures, and a field that is not there is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder.cli.report import command
from mi_coder.errors import UsageProblem
from tests.report_chats import write_chats


def _page(folder: Path, *options: str) -> str:
    page = folder / "r.html"
    result = CliRunner().invoke(command, [str(folder / "t.jsonl"), "-o", str(page), "--force", *options])
    if result.exception:
        raise result.exception
    return page.read_text()


def test_it_names_the_codes_that_are_corrected(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl", gold=True)
    html = _page(tmp_path, "--validation", str(path))
    named = html.partition("The shares of ")[2].partition(" are corrected for the tagger")[0]
    assert sorted(named.split(", ")) == ["INT", "OQ", "OUT", "REF", "SU"]
    assert "errors not in: CQ rightly found fewer than 5 times" in html


def test_with_too_little_validation_no_code_is_said_to_be_corrected(tmp_path: Path) -> None:
    few = write_chats(tmp_path / "few.jsonl", 4, gold=True)
    write_chats(tmp_path / "t.jsonl")
    assert "The shares of no code are corrected" in _page(tmp_path, "--validation", str(few))
    assert "are corrected for" not in _page(tmp_path)


def test_a_field_that_no_chat_has_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    with pytest.raises(UsageProblem, match=r"Did you mean 'counselor_id'.*there are: at, counselor_id"):
        _page(tmp_path, "--counselor", "counsellor_id")
