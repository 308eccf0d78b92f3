"""The documentation builds without warnings, and what it tells readers to run runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
    """Blocks marked sh and python, in their order, in one empty folder; other blocks need a server or own data."""
    pytest.importorskip("matplotlib")
    for language, code in _blocks(page):
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, f"{page}:\n{code}\n{done.stdout}\n{done.stderr}"


def test_pages_show_commands_that_exist() -> None:
    from mi_coder.cli.main import VERBS

    for page in PAGES:
        for verb in re.findall(r"mi-code ([a-z][a-z-]+)", (ROOT / "docs" / page).read_text(encoding="utf-8")):
            assert verb in VERBS, f"{page}: mi-code {verb}"
