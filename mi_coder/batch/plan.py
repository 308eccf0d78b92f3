"""From the inputs as they were given to the runs: refusals before anything is touched."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.batch.output import check_output
from mi_coder.batch.paths import STDIO, FileIdentity, RunPaths, identity, output_for
from mi_coder.errors import UsageProblem


@dataclass(frozen=True)
class Input:
    """A file or folder to tag, or - for standard input; `found` by a pattern, or named."""

    path: str
    found: bool = False


@dataclass(frozen=True)
class Plan:
    """The runs, and what a pattern found though another of the runs writes it."""

    runs: list[RunPaths]
    left_out: list[str]


def expand(patterns: Sequence[str]) -> list[Input]:
    """Resolve globs; a name that exists is taken as it is.

    Raises:
        UsageProblem: nothing matches.
    """
    inputs: dict[str, Input] = {}
    for pattern in patterns:
        if pattern == STDIO or Path(pattern).exists():
            inputs[pattern] = Input(pattern)
            continue
        # Path.glob refuses absolute patterns.
        matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207
        if not matches:
            raise UsageProblem(
                f"{pattern}: there is no such file. Check the name, or quote a pattern such as 'chats/*.jsonl'."
            )
        for match in matches:
            inputs.setdefault(match, Input(match, found=True))
    return list(inputs.values())


def plan(inputs: Sequence[Input], chosen: str | None) -> Plan:
    """The runs over `inputs`. What another of the runs writes is left out where a pattern found it.

    Raises:
        UsageProblem: a run would write over its own input or over one that was named, two inputs have the same output,
            an output cannot be written, or as `output_for`.
        MissingExtra: a package for the format of an output is missing.
    """
    runs = [RunPaths(one.path, output_for(one.path, chosen, len(inputs) > 1)) for one in inputs]
    writers = {identity(path): run for run in runs for path in run.written}
    kept: dict[FileIdentity, RunPaths] = {}
    left_out: list[str] = []
    for one, run in zip(inputs, runs, strict=True):
        source = identity(Path(run.source))
        if source in map(identity, run.written):
            raise UsageProblem(f"{run.source} would be overwritten by its own run. Name another output with -o.")
        if source in writers and not one.found:
            raise UsageProblem(
                f"{run.source} would be overwritten by the run over {writers[source].source}. Leave one of them out, "
                "or quote a pattern such as 'chats/*.jsonl': outputs that it finds are then left out."
            )
        if source in writers:
            left_out.append(run.source)
            continue
        check_output(run.output)
        other = kept.setdefault(identity(run.output), run)
        if other is not run:
            raise UsageProblem(
                f"{other.source} and {run.source} would both be written to {run.output}. "
                "Tag them one after the other, each with its own -o."
            )
    return Plan(list(kept.values()), left_out)
