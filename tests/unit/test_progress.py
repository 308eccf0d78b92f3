"""Bars are drawn on a terminal alone, and what is watched comes through unchanged."""

import sys

import pytest

from mi_coder.cli import progress
from mi_coder.progress import watched


def test_each_step_is_told_when_it_is_done() -> None:
    told: list[tuple[int, int]] = []
    items = watched("abc", 3, lambda done, of: told.append((done, of)))
    assert next(items) == "a" and told == []
    assert list(items) == ["b", "c"] and told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_are_drawn_on_a_terminal_only(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0)
    steps = progress.Steps("groups")
    steps(500, 1000)
    drawn = "\r[============            ]  50% 500 of 1,000 groups\x1b[K"
    assert capsys.readouterr().err == (drawn if terminal else "")
    steps.stage("reading")
    assert capsys.readouterr().err == ("\r\x1b[K" if terminal else "") + "reading ...\n"
    steps.close()
    assert capsys.readouterr().err == ""
