"""`mi-code demo`, with a tiny model in the place of the bundled one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.material.chats import write_flat
from mi_coder.cli.demo import command
from mi_coder.errors import UsageProblem
from mi_coder.tagger.tagger import Tagger


@pytest.fixture
def demo(tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the demo in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Tagger, "load", lambda: tagger)
    return lambda *args: CliRunner().invoke(command, args)


def test_the_demo_can_be_run_again(demo: Callable[..., Result], tmp_path: Path) -> None:
    for _ in range(2):
        done = demo()
        assert done.exit_code == 0, done.output
        assert "12 records in = 12 out" in done.stdout
        assert "all chats: 12 conversations" in done.stdout and "Open demo.report.html" in done.stdout
    names = ["demo.report.html", "demo.tagged.jsonl", "demo.tagged.meta.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert "<h1>The demo chats</h1>" in (tmp_path / "demo.report.html").read_text()


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("40", 60), ("300", 100)])
def test_chats_fit_the_terminal(
    demo: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, columns: str, widest: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    chats = demo().stdout.partition("\n--- ")[2].partition("\ncode ")[0]
    longest = max(map(len, chats.splitlines()[1:]))
    assert widest - 15 < longest <= widest


def test_a_page_that_is_not_of_a_demo_is_left_alone(demo: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "demo.report.html").write_text("mine")
    assert isinstance(demo().exception, UsageProblem)
    assert (tmp_path / "demo.report.html").read_text() == "mine"


def test_a_file_that_is_not_of_a_demo_is_left_alone(demo: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "demo.tagged.jsonl").write_text("mine")
    refused = demo()
    assert isinstance(refused.exception, UsageProblem)
    assert "--force" in str(refused.exception)
    assert (tmp_path / "demo.tagged.jsonl").read_text() == "mine"
    assert demo("--force").exit_code == 0
    assert json.loads((tmp_path / "demo.tagged.meta.json").read_bytes())["counts"]["read"] == 12


def test_tagged_chats_of_the_user_are_not_of_a_demo(
    demo: Callable[..., Result], tmp_path: Path, tagger: Tagger
) -> None:
    from mi_coder.batch.interrupt import Stop
    from mi_coder.batch.options import TagOptions
    from mi_coder.batch.paths import RunPaths
    from mi_coder.batch.run import tag_file

    source = write_flat(tmp_path / "demo.jsonl", 8)
    paths = RunPaths(str(source), tmp_path / "demo.tagged.jsonl")
    tag_file(paths, tagger, TagOptions(), lambda *_: None, Stop())
    before = paths.output.read_bytes()
    assert isinstance(demo().exception, UsageProblem)
    assert paths.output.read_bytes() == before


def test_standard_output_is_for_the_table(demo: Callable[..., Result], tmp_path: Path) -> None:
    assert "Name a file" in str(demo("-o", "-").exception)
    assert not list(tmp_path.iterdir())


def test_advice_names_options_of_the_demo_only(
    demo: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        failed = str(demo().exception)
    assert "No space left on device" in failed
    assert "--no-resume" not in failed
    assert not list(tmp_path.iterdir())
    (tmp_path / "demo.tagged.meta.json").write_text("mine")
    failed = str(demo().exception)
    assert "demo.tagged.meta.json exists" in failed
    assert "--no-resume" not in failed
