"""Ctrl-C, kill and a closed pipe: the right exit code, no traceback, and nothing that cannot be gone on from."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.material.chats import write_flat

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")

MAIN = "from mi_coder.cli.main import main; main()"
# Every batch takes a tenth of a second, so that a signal meets the run at work.
SLOW = f"""
import time
from mi_coder.batch.stream import Coder
finish = Coder._finish
Coder._finish = lambda *args: time.sleep(0.1) or finish(*args)
{MAIN}
"""
# A batch that never ends.
STUCK = f"""
import pathlib, time
from mi_coder.batch.stream import Coder
def finish(*args):
    pathlib.Path("at_work").touch()
    while True:
        time.sleep(0.01)
Coder._finish = finish
{MAIN}
"""


def start(folder: Path, model: Path, program: str, *args: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", program, "tag", "chats.jsonl", "--model", str(model), "--threads", "1", *args]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(path: Path, process: "subprocess.Popen[bytes]", size: int = 0) -> None:
    while not (path.exists() and path.stat().st_size >= size):
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.01)


def tag(folder: Path, model: Path, *args: str) -> None:
    process = start(folder, model, MAIN, "--max-errors", "100%", *args)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_good_order(tmp_path: Path, tiny: Path, number: int, code: int) -> None:
    write_flat(tmp_path / "chats.jsonl", 2000, bad_every=77)
    process = start(tmp_path, tiny, SLOW, "--max-errors", "100%", "-o", "out/a.jsonl")
    wait_for(tmp_path / "out" / "a.jsonl.part", process, size=1)
    process.send_signal(number)
    out, errors = process.communicate()
    assert process.returncode == code
    assert out == b""
    assert errors.startswith(b"Error: Stopped after ")
    assert b"Run the same command again to resume." in errors
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.jsonl.journal",
        "a.jsonl.part",
        "a.rejects.jsonl.part",
    ]
    tag(tmp_path, tiny, "-o", "out/a.jsonl")
    tag(tmp_path, tiny, "-o", "whole/a.jsonl")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


ONE = b'{"conversation_id": "c", "role": "helper", "text": "hm?"}\n'


def start_waiting(folder: Path, model: Path, *args: str) -> "subprocess.Popen[bytes]":
    """A run over standard input, which stays open."""
    command = [sys.executable, "-c", MAIN, "tag", "-", "--model", str(model), "--threads", "1", "--quiet", *args]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stream_answers_at_once_and_a_signal_ends_its_wait(
    tmp_path: Path, tiny: Path, number: int, code: int
) -> None:
    process = start_waiting(tmp_path, tiny)
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(2):
        process.stdin.write(ONE)
        assert b'"codes"' in process.stdout.readline()
    process.send_signal(number)
    assert process.wait() == code
    rest, errors = process.communicate()
    assert (rest, errors.strip()) == (b"", b"Error: Stopped. A stream cannot be resumed.")


def test_a_signal_ends_the_wait_of_a_run_from_standard_input_to_a_file(tmp_path: Path, tiny: Path) -> None:
    process = start_waiting(tmp_path, tiny, "-o", "a.jsonl")
    assert process.stdin is not None
    process.stdin.write(ONE)
    wait_for(tmp_path / "a.jsonl.part", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    _, errors = process.communicate()
    assert b"cannot be resumed" in errors
    assert not (tmp_path / "a.jsonl").exists()


def test_a_signal_ends_the_wait_for_the_first_bytes(tmp_path: Path, tiny: Path) -> None:
    catching = "import mi_coder.batch.interrupt as i, pathlib\n"
    catching += "wait = i.Stop.wait_for\n"
    catching += "i.Stop.wait_for = lambda *args: pathlib.Path('waits').touch() or wait(*args)\n"
    command = [sys.executable, "-c", catching + MAIN, "tag", "-", "--model", str(tiny)]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(tmp_path / "waits", process)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert process.communicate()[1].strip() == b"Error: Stopped while waiting for input."


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_interrupt_leaves_at_once(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "chats.jsonl", 200)
    process = start(tmp_path, tiny, STUCK)
    wait_for(tmp_path / "at_work", process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate()
    assert (process.returncode, out, errors.strip()) == (130, b"", b"Interrupted.")


def test_a_reader_that_goes_away_ends_the_stream_quietly(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "chats.jsonl", 4000)
    process = start(tmp_path, tiny, MAIN, "-o", "-")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b'{"conversation_id":"c0"')
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_signal_ends_a_stream_after_the_batch(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "chats.jsonl", 1000)
    process = start(tmp_path, tiny, SLOW, "-o", "-")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate()
    assert process.returncode == 143
    assert errors.startswith(b"Error: Stopped. A stream cannot be resumed.")
    assert (first + rest).endswith(b"}\n")
