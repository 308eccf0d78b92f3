"""SIGTERM while a model or an encoder is written: the right exit code, and nothing half written stays."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")

# The writing of a file never ends.
STUCK = """
import pathlib, sys, time
from mi_coder.training import {module}
def write(*given):
    folder = next(one for one in reversed(given) if isinstance(one, pathlib.Path))
    (folder / "model.onnx").write_bytes(b"weights")
    pathlib.Path("at_work").touch()
    time.sleep(600)
{module}.{function} = write
from mi_coder.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("verb", "module", "function", "stays"),
    [("train", "run", "write_model", ["at_work", "made.checkpoint"]), ("adapt", "adapt", "write_adapted", ["at_work"])],
)
def test_sigterm_leaves_nothing_half_written(
    verb: str, module: str, function: str, stays: list[str], roberta: Path, gold: Path, tmp_path: Path
) -> None:
    program = STUCK.format(module=module, function=function)
    arguments = [verb, str(gold), "-o", "made", "--base", str(roberta), "--epochs", "1", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (tmp_path / "at_work").exists():
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.05)
    assert len(list(tmp_path.glob(".made-*/model/model.onnx"))) == 1
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 143
    assert errors.decode().splitlines()[-1] == "Interrupted."
    assert sorted(path.name for path in tmp_path.iterdir()) == stays
