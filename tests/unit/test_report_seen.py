"""Where the tagger was trained on the validated chats, profile and report warn of its errors alike."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command as profile_command
from mi_coder.cli.report import command as report_command
from mi_coder.evaluation.leak import training_hash
from mi_coder.report import seen
from tests.report_chats import write_chats

WARNING = "WARNING: the tagger was trained on 2 of the 24 validated chats or their groups"


def _trained_on(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    model = SimpleNamespace(config=SimpleNamespace(training_ids=list(map(training_hash, names))))
    monkeypatch.setattr(seen, "file_coder", lambda tagged, folder: model)


def _profile(folder: Path) -> str:
    path = write_chats(folder / "t.jsonl", gold=True)
    done = CliRunner().invoke(profile_command, [str(path), "--validation", str(path), "-o", str(folder / "p.csv")])
    assert done.exit_code == 0, done.output
    return done.output


def _report(folder: Path) -> str:
    path = write_chats(folder / "t.jsonl", gold=True)
    done = CliRunner().invoke(report_command, [str(path), "--validation", str(path), "-o", str(folder / "r.html")])
    assert done.exit_code == 0, done.output
    return (folder / "r.html").read_text().replace("&#x27;", "'")


def test_the_profile_warns_beside_the_figures_and_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _trained_on(monkeypatch, "c0", "c7", "elsewhere")
    assert WARNING in _profile(tmp_path)
    rows = [line for line in (tmp_path / "p.csv").read_text().splitlines() if ",True," in line]
    assert rows and all("the tagger was trained on 2 of the 24 validated chats" in row for row in rows)


def test_the_report_warns_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _trained_on(monkeypatch, "c0", "c7")
    assert WARNING in _report(tmp_path)


def test_no_word_where_it_saw_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _trained_on(monkeypatch, "elsewhere")
    said = _profile(tmp_path)
    assert "WARNING" not in said and "not known" not in said


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    said = "Which chats the tagger was trained on is not known."
    assert said in _profile(tmp_path) and said in _report(tmp_path)
