"""kill -9 at random times loses nothing, doubles nothing and changes nothing."""

import sys
from pathlib import Path

import pytest

from benchmarks.trials.kills import kill_trials

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a matter of POSIX")


def test_twenty_kills_leave_no_trace(tiny: Path, tmp_path: Path) -> None:
    report = kill_trials(tmp_path, tiny, kills=20, messages=1500, bad_every=60)
    assert report.differences == []
    assert report.kills.total() == 20
    assert report.kills["after a checkpoint"] > 0, report.kills
