"""Bars are drawn on a terminal alone, in one line of it, and what is watched comes through unchanged."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mi_coder.batch.counts import Counts
from mi_coder.cli import progress
from mi_coder.cli.train_progress import Shown
from mi_coder.progress import watched


def test_each_step_is_told_when_it_is_done() -> None:
    told: list[tuple[int, int]] = []
    items = watched("abc", 3, lambda done, of: told.append((done, of)))
    assert next(items) == "a" and told == []
    assert list(items) == ["b", "c"] and told == [(1, 3), (2, 3), (3, 3)]


@pytest.fixture
def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make standard error a terminal of some width and kind, whose line is drawn at every step."""

    def make(columns: int = 80, kind: str = "xterm") -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setattr(sys.stderr, "fileno", lambda: 2)
        monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((columns, 24)))
        monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0)
        monkeypatch.setenv("TERM", kind)

    return make


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_bar_of_a_file_is_one_line_that_ends_with_its_name(
    columns: int, terminal_of: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal_of(columns)
    source = tmp_path / f"{'night_shift_' * 5}.jsonl"
    source.write_bytes(b"x" * 100)
    progress.Bar(str(source), quiet=False)(50, Counts(messages=1234))
    drawn = capsys.readouterr().err.removeprefix("\r").removesuffix("\x1b[K")
    assert len(drawn) == columns - 1 and drawn.startswith("[============            ]  50% 1,234 ")
    assert columns < 80 or "  night_shift_" in drawn


def test_a_terminal_that_cannot_draw_again_gets_whole_lines(
    terminal_of: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal_of(kind="dumb")
    (tmp_path / "a.jsonl").write_bytes(b"x" * 100)
    progress.Bar(str(tmp_path / "a.jsonl"), quiet=False)(50, Counts(messages=3))
    progress.Steps("groups")(1, 2)
    Shown().step(1, 1, 2)
    assert capsys.readouterr().err == ""


def test_without_standard_error_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0)
    bar = progress.Bar(str(tmp_path / "a.jsonl"), quiet=False)
    bar(50, Counts(messages=3))
    bar.say("done")
    progress.Steps("groups")(1, 2)
    Shown().step(1, 1, 2)


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_are_drawn_on_a_terminal_only(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0)
    monkeypatch.setenv("TERM", "xterm")
    steps = progress.Steps("groups")
    steps(500, 1000)
    drawn = "\r[============            ]  50% 500 of 1,000 groups\x1b[K"
    assert capsys.readouterr().err == (drawn if terminal else "")
    steps.stage("reading")
    assert capsys.readouterr().err == ("\r\x1b[K" if terminal else "") + "reading ...\n"
    steps.close()
    assert capsys.readouterr().err == ""
