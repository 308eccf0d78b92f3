"""Groups of few chats are left out as asked, and it is said how many."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command as profile_command
from mi_coder.cli.report import command as report_command
from mi_coder.errors import UsageProblem
from mi_coder.measures.profile import profile
from mi_coder.measures.reading import read_chats
from tests.report_chats import write_chats

SENTENCE = "1 of 2 groups have fewer than 13 chats and are left out, as --min-chats asks"


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """Twelve chats of one counselor and thirteen of the other, in three months."""
    return write_chats(tmp_path / "t.jsonl", 25)


def test_smaller_groups_have_no_figures(chats: Path) -> None:
    found = profile(read_chats(str(chats), ["counselor_id"]), ["counselor_id"], min_chats=13)
    assert {figure.group for figure in found.figures} == {("<b>k0",)}
    assert (found.min_chats, found.left_out) == (13, 1)
    assert SENTENCE in found.summary() and SENTENCE in found._repr_html_()
    assert "left out" not in profile(read_chats(str(chats)), ["all"]).summary()


def _profile(chats: Path, options: Sequence[str]) -> str:
    done = CliRunner().invoke(profile_command, [str(chats), "--by", "counselor_id", *options])
    if done.exception:
        raise done.exception
    return done.output


def test_profile_leaves_them_out_of_the_file_too(chats: Path, tmp_path: Path) -> None:
    assert SENTENCE in _profile(chats, ["--min-chats", "13", "-o", str(tmp_path / "p.csv")])
    assert "<b>k1" not in (tmp_path / "p.csv").read_text()


def test_profile_refuses_where_no_group_is_left(chats: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="No group has 26 chats"):
        _profile(chats, ["--min-chats", "26", "-o", str(tmp_path / "p.csv")])
    assert not (tmp_path / "p.csv").exists()


def _report(chats: Path, least: int) -> str:
    page = chats.with_name("r.html")
    options = ["-o", str(page), "--force", "--counselor", "counselor_id", "--time", "at", "--min-chats", str(least)]
    done = CliRunner().invoke(report_command, [str(chats), *options])
    if done.exception:
        raise done.exception
    return page.read_text()


def test_the_report_says_how_many_are_left_out(chats: Path) -> None:
    html = _report(chats, 13)
    assert "&lt;b&gt;k1" not in html and html.count("&lt;b&gt;k0") == 1
    assert f"{SENTENCE}." in html
    assert "6 of 6 groups have fewer than 13 chats" in html, "counselors in a month"


def test_the_report_keeps_months_with_enough_chats(chats: Path) -> None:
    html = _report(chats, 5)
    assert "&lt;b&gt;k1" in html and "5 of 6 groups have fewer than 5 chats" in html


def test_by_itself_nothing_is_left_out(chats: Path) -> None:
    assert "min-chats" not in _report(chats, 1)
