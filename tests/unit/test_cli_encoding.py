"""Where standard output is not UTF-8, as with a pipe on Windows: text is shown as far as it goes, data are UTF-8."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from mi_coder.annotation.label_config import label_config
from mi_coder.cli import main as program
from mi_coder.cli.main import group
from mi_coder.codebook import Codebook
from mi_coder.codebook_export import to_csv, to_json, to_markdown
from mi_coder.corpora.standoff import COLUMNS
from tests.chats import write_jsonl

BOOK = Codebook.load()
NARROW = "cp1252"
NAME = "Łukasz"

# Runs `mi-code` with each of its arguments in turn, which ends at the first that fails.
MANY = """
import sys
from mi_coder.cli.main import main
for line in sys.argv[1:]:
    sys.argv = ["mi-code", *line.split()]
    try:
        main()
    except SystemExit as left:
        if left.code:
            sys.exit(f"mi-code {line}: {left.code}")
"""

Run = Callable[..., bytes]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `mi-code` where standard output is no UTF-8, and take what it writes there."""

    def written(*arguments: object) -> bytes:
        out = io.TextIOWrapper(io.BytesIO(), encoding=NARROW, newline="\n")
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "argv", ["mi-code", *map(str, arguments)])
        program.main()
        out.flush()
        return out.buffer.getvalue()  # type: ignore[attr-defined, no-any-return]

    return written


def verbs(command: click.Command, typed: str = "") -> list[str]:
    """What is typed for a command and all under it."""
    if not isinstance(command, click.Group):
        return [typed]
    context = click.Context(command)
    inner = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [typed, *(verb for name, one in inner if one for verb in verbs(one, f"{typed} {name}"))]


@pytest.mark.parametrize("encoding", [NARROW, "latin-1", "ascii"])
def test_the_demo_an_explanation_and_all_help_can_be_shown(encoding: str, tmp_path: Path) -> None:
    lines = ["demo", "codebook REF", *(f"{verb} --help" for verb in verbs(group) if verb)]
    done = subprocess.run(
        [sys.executable, "-c", MANY, *lines],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stdout.count(b"Usage: ") == len(lines) - 2
    assert b"Open demo.report.html" in done.stdout and b"### REF" in done.stdout


@pytest.mark.parametrize(
    ("name", "render"),
    [("markdown", to_markdown), ("json", to_json), ("csv", to_csv), ("label-studio", label_config)],
)
def test_an_export_is_utf8(name: str, render: Callable[[Codebook], str], run: Run) -> None:
    assert run("codebook", "--export", name) == render(BOOK).encode()


@pytest.fixture
def codings(tmp_path: Path) -> list[Path]:
    """Codes of two coders for the same messages; the name of one has a letter that standard output lacks."""
    paths = []
    for coder in ("ann", NAME):
        path = tmp_path / f"{coder == NAME}.csv"
        rows = [("c", index, "0" * 16, "OQ", "", "", "", 3, coder, 1) for index in range(4)]
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in (COLUMNS, *rows)), encoding="utf-8")
        meta = {"codebook": BOOK.hash, "coder": "people", "unit": "message"}
        path.with_name(path.name + ".meta.json").write_text(json.dumps(meta))
        paths.append(path)
    return paths


@pytest.mark.parametrize("style", ["markdown", "json", "csv"])
def test_a_report_for_programs_is_utf8_and_the_same_as_in_a_file(
    style: str, codings: list[Path], tmp_path: Path, run: Run
) -> None:
    arguments = ("agreement", *codings, "--by", "coder", "--samples", 9, "--as", style)
    shown = run(*arguments)
    run(*arguments, "-o", tmp_path / "report")
    assert NAME in shown.decode() and shown == (tmp_path / "report").read_bytes()


def test_a_report_for_people_is_shown_as_far_as_it_goes(codings: list[Path], run: Run) -> None:
    assert "?ukasz" in run("agreement", *codings, "--by", "coder", "--samples", 9).decode(NARROW)


def test_a_resolved_study_is_utf8(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("statsmodels", reason="needs the extra analysis")
    pytest.importorskip("matplotlib", reason="needs the extra analysis")
    study = tmp_path / "study.yaml"
    study.write_text(f"{{data: {{chats: [{NAME}.jsonl]}}, outcomes: [{{name: rating, type: rating}}]}}", "utf-8")
    assert f"{NAME}.jsonl" in run("relate", study, "--check").decode()


def test_a_stream_of_coded_chats_is_utf8(tiny: Path, tmp_path: Path, run: Run) -> None:
    chats = write_jsonl(tmp_path / "chats.jsonl", [{"conversation_id": "c", "role": "helper", "text": f"Hm, {NAME}?"}])
    assert json.loads(run("tag", chats, "-o", "-", "-q", "--model", tiny))["text"] == f"Hm, {NAME}?"
