"""The documentation builds without warnings, and what it tells readers to run runs."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, text_hash

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
DEFAULT_OF_SAMPLE = "draw"
DEMO = ROOT / "annotations" / "practice" / "demo.jsonl"
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\bmi-code((?: [a-z][a-z-]*\b)+)([^\n|>`]*)")


def _blocks(page: str) -> list[tuple[str, str]]:
    return _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def test_the_site_builds_without_warnings_or_dead_links(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "site" / "commands" / "index.html").read_text(encoding="utf-8")
    for verb in ("relate", "profile", "report", "adjudicate"):
        assert f"mi-code {verb}" in commands
    assert (tmp_path / "site" / "images" / "report.png").is_file()


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page)])
def test_what_a_page_tells_to_run_runs(page: str, tmp_path: Path) -> None:
    """Blocks marked sh and python, in their order, in a folder with chats; blocks marked text need a server."""
    pytest.importorskip("matplotlib")
    if page == "training.md":
        pytest.importorskip("torch")
    _own_files(tmp_path)
    for language, code in _blocks(page):
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, f"{page}:\n{code}\n{done.stdout}\n{done.stderr}"


def test_the_way_to_study_data_keeps_every_chat_and_every_counselor(tmp_path: Path) -> None:
    """Ids of chats that a spreadsheet would run, and of people who are the same number but not the same text."""
    pytest.importorskip("matplotlib")
    _own_files(tmp_path)
    chats = [json.loads(line) for line in (tmp_path / "chats.jsonl").read_text(encoding="utf-8").splitlines()]
    names, people = ("-N0a", "=1", "+2", "@3", "0012", "12", "1e3"), ("007", "7", "0012", "12", "1e3", "-5", None)
    chats = chats[: len(names)]
    for i, chat in enumerate(chats):
        chat |= {"conversation_id": names[i], "counselor_id": people[i], "rating": 1 + i % 5}
    _write(tmp_path / "chats.jsonl", chats)
    [python] = [code for language, code in _blocks("analysts.md") if language == "python"]
    for command in ("tag chats.jsonl", "profile chats.tagged.jsonl -o profile.csv --counts counts.csv"):
        done = [sys.executable, "-m", "mi_coder", *command.split()]
        subprocess.run(done, cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "study_data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["conversation_id"] for row in rows] == list(names)
    assert [row["counselor_id"] for row in rows] == [name or "" for name in people]
    assert all(int(row["messages"]) > 0 for row in rows)


def test_pages_show_commands_that_exist() -> None:
    from mi_coder.cli.main import VERBS

    for page in PAGES:
        for verb in re.findall(r"mi-code ([a-z][a-z-]+)", (ROOT / "docs" / page).read_text(encoding="utf-8")):
            assert verb in VERBS, f"{page}: mi-code {verb}"


@pytest.mark.parametrize("page", [*(f"docs/{page}" for page in PAGES), "README.md"])
def test_options_that_a_page_names_exist(page: str) -> None:
    """In every block and in running text, also where nothing is run."""
    from mi_coder.cli.main import group

    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for verbs, rest in _COMMAND.findall(text):
        command: click.Command | None = group
        for verb in verbs.split():
            if isinstance(command, click.Group):
                context, parent = click.Context(command), command
                command = parent.get_command(context, verb) or parent.get_command(context, DEFAULT_OF_SAMPLE)
        assert command is not None, f"{page}: mi-code{verbs}"
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
            assert option in known, f"{page}: mi-code{verbs} {option}"


def _own_files(folder: Path) -> None:
    """What pages call yours: chats, the same with gold codes, and the codes of two coders who differ now and then."""
    chats = [json.loads(line) for line in DEMO.read_text(encoding="utf-8").splitlines()]
    for i, chat in enumerate(chats):
        chat["started_at"] = f"2026-0{1 + i % 2}-10T20:00:00"
    _write(folder / "gold.jsonl", chats)
    for name in ("ann", "ben"):
        _write_codes(folder / f"{name}.csv", chats, name)
    for chat in chats:
        for message in chat["messages"]:
            message.pop("gold", None)
    _write(folder / "chats.jsonl", chats)


def _write(path: Path, chats: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")


def _write_codes(path: Path, chats: list[dict[str, Any]], coder: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for chat in chats:
            for i, message in enumerate(chat["messages"]):
                if (gold := message.get("gold")) is None:
                    continue
                codes, details = gold["codes"], (gold.get("depth", ""), gold.get("permission", ""))
                if coder == "ben" and i % 7 == 2:
                    codes, details = ["SU"], ("", "")
                reason = gold.get("reason", "") if "IP" in codes else ""
                place = (chat["conversation_id"], i, text_hash(message["text"]))
                table.writerow((*place, "+".join(codes), *details, reason, 3, coder, 1))
    meta = {"codebook": Codebook.load().hash, "coder": coder, "unit": "message"}
    path.with_name(path.name + ".meta.json").write_text(json.dumps(meta), encoding="utf-8")
