"""Where the tagger was trained on the validated chats, profile and report warn of its errors alike; and both refuse
files that were tagged by another codebook."""

import json
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command as profile_command
from mi_coder.cli.report import command as report_command
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
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


@pytest.mark.parametrize("command", [profile_command, report_command])
def test_files_of_another_codebook_are_refused(command: click.Command, tmp_path: Path) -> None:
    path, sidecar = write_chats(tmp_path / "t.jsonl", gold=True), tmp_path / "t.meta.json"
    arguments = [str(path), "-o", str(tmp_path / ("r.html" if command is report_command else "p.csv")), "--force"]

    def run(codebook: str, *more: str) -> BaseException | None:
        sidecar.write_text(json.dumps({"codebook": codebook}))
        return CliRunner().invoke(command, [*arguments, *more]).exception

    assert run(Codebook.load().hash) is None
    problem = run("sha256:0000000000000000")
    assert isinstance(problem, UsageProblem)
    assert str(problem) == (
        f"{path} was tagged by another codebook (sha256:0000000000000000; this one is {Codebook.load().hash}): codes "
        "may mean something else. Tag the chats again with mi-code tag."
    )
    if command is profile_command:
        assert run("sha256:0000000000000000", "--gold") is None, "the tagger's codes are not counted"
    sidecar.write_text("{")
    assert CliRunner().invoke(command, arguments).exception is None, "as without a sidecar"
