"""A run never writes over the file that it reads."""

import sys
from pathlib import Path

import pytest

from mi_coder.batch.plan import Input, plan
from mi_coder.errors import UsageProblem


@pytest.mark.parametrize(("source", "output"), [("y.rejects.jsonl", "y.jsonl"), ("y.meta.json", "y.jsonl")])
@pytest.mark.parametrize("linked", [False, True])
def test_an_input_among_the_files_of_its_run_is_refused(tmp_path: Path, source: str, output: str, linked: bool) -> None:
    if linked and sys.platform == "win32":
        pytest.skip("needs symbolic links")
    folder = tmp_path / "chats"
    folder.mkdir()
    (folder / source).write_text("{}\n")
    beside = folder
    if linked:
        beside = tmp_path / "link"
        beside.symlink_to(folder)
    with pytest.raises(UsageProblem, match="overwritten by its own run"):
        plan([Input(str(folder / source))], str(beside / output))
