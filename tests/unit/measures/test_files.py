"""Several files are read as one; a chat that is in two of them is refused."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command as profile_command
from mi_coder.errors import UsageProblem
from mi_coder.measures.reading import read_chats, read_files
from mi_coder.report.build import ReportOptions, build_report
from tests.report_chats import write_chats


def test_files_follow_one_another(tmp_path: Path) -> None:
    whole = write_chats(tmp_path / "whole.jsonl", 6)
    lines = whole.read_bytes().splitlines(keepends=True)
    parts = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    parts[0].write_bytes(b"".join(lines[:2]))
    parts[1].write_bytes(b"".join(lines[2:]))
    assert list(read_files(map(str, parts))) == list(read_chats(str(whole)))


@pytest.mark.parametrize("names", [("a.jsonl", "b.jsonl"), ("a.jsonl", "a.jsonl")])
def test_a_chat_in_two_files_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    paths = [str(write_chats(tmp_path / name, 6)) for name in names]
    with pytest.raises(UsageProblem, match=rf"{names[0]} and in .*{names[1]}, and would count twice"):
        list(read_files(paths))
    with pytest.raises(UsageProblem, match="would count twice"):
        build_report(paths, ReportOptions())
    assert isinstance(CliRunner().invoke(profile_command, paths).exception, UsageProblem)
