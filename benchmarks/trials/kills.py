"""Kills `mi-code tag` (SIGKILL) at random times until it is done, and compares with a run that was left alone."""

import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.material.chats import write_flat
from mi_coder.batch.journal import Journal
from mi_coder.batch.paths import RunPaths

# The command line as it is, but with a checkpoint every few batches: a short run then has as many as a long one.
_CHILD = """
from functools import partial
import mi_coder.batch.options as options
from mi_coder.cli.main import main
options.TagOptions = partial(options.TagOptions, checkpoint_seconds=0.05)
main()
"""


@dataclass
class KillReport:
    """What happened.

    Attributes:
        kills: runs that were killed, by the stage in which they were.
        trials: how often the file was tagged to the end.
        differences: what was not as in the undisturbed run; empty when all is well.
    """

    kills: Counter[str] = field(default_factory=Counter)
    trials: int = 0
    differences: list[str] = field(default_factory=list)


def kill_trials(
    folder: Path, model: Path, kills: int, messages: int, bad_every: int = 1000, seed: int = 0
) -> KillReport:
    """Tag a file of `messages` over and over, with `kills` kills in all, each at a time drawn from the whole duration.

    Args:
        folder: an empty folder to work in.
    """
    source = write_flat(folder / "chats.jsonl", messages, bad_every)
    command = [sys.executable, "-c", _CHILD, "tag", str(source), "--model", str(model)]
    command += ["--threads", "1", "--batch-size", "64", "--max-errors", "100%", "-o"]
    duration = _run(command, folder / "undisturbed", None)
    assert duration is not None
    expected = _contents(folder / "undisturbed")

    dice = random.Random(seed)
    report = KillReport()
    target = folder / "killed"
    while True:
        fresh = not target.exists()
        patience = dice.uniform(0, duration) if report.kills.total() < kills else None
        took = _run(command, target, patience)
        if took is None:
            report.kills[_stage(RunPaths(str(source), target / "out.jsonl"))] += 1
            continue
        report.trials += 1
        report.differences += _differences(expected, _contents(target))
        shutil.rmtree(target)
        if report.kills.total() == kills:
            return report
        if fresh:
            # A busy machine slows a run down; kills are drawn from the quickest, or they would come too late.
            duration = min(duration, took)


def _run(command: list[str], target: Path, patience: float | None) -> float | None:
    """Run the command; the seconds it took, or None where it took longer than `patience` seconds and was killed."""
    started = time.monotonic()
    child = subprocess.Popen([*command, str(target / "out.jsonl")], stderr=subprocess.PIPE)
    try:
        _, errors = child.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return None
    if child.returncode != 0:
        raise RuntimeError(f"mi-code tag left with {child.returncode}: {errors.decode()}")
    return time.monotonic() - started


def _contents(target: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in target.iterdir()}


def _differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    names = sorted(expected.keys() | found.keys())
    return [f"{name} is not as it should be" for name in names if expected.get(name) != found.get(name)]


def _stage(paths: RunPaths) -> str:
    """How far a killed run had come."""
    if paths.journal.exists():
        journal = msgspec.json.decode(paths.journal.read_bytes(), type=Journal)
        if journal.finished:
            return "last steps"
        return "after a checkpoint" if journal.items else "before the first checkpoint"
    if paths.output.exists():
        return "after the last step"
    return "starting up"
