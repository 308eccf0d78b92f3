"""The runs of `mi-code tag`, one after the other, and what is said of them."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import click

from mi_coder.batch.counts import Counts
from mi_coder.batch.interrupt import Interrupted, Stop
from mi_coder.batch.options import TagOptions
from mi_coder.batch.paths import STDIO, RunPaths
from mi_coder.batch.problems import StoppedAtReject
from mi_coder.batch.run import tag_file, tag_stream
from mi_coder.cli.advice import advised, how_to_go_on
from mi_coder.cli.progress import Bar, summary
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.formats import Reject, open_records
from mi_coder.tagger.tagger import Tagger


class Problems(MiCoderError):
    """What went wrong with one or more inputs. `exit_code` is the highest of theirs."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Tagging:
    """Tags inputs with one tagger and the same options.

    Attributes:
        quiet: show neither progress nor summary.
    """

    tagger: Tagger
    options: TagOptions
    stop: Stop
    quiet: bool

    def files(self, runs: Sequence[RunPaths]) -> None:
        """Tag every source into its file.

        Raises:
            Problems: of any of them, after all were tried; a signal or a bad record that is to end it stops at once.
        """
        self._each([run.source for run in runs], lambda place, bar: self._file(runs[place], bar))

    def streams(self, sources: Sequence[str], rejects: Path | None) -> None:
        """Tag every source to standard output, and list bad records in the file `rejects` or on standard error.

        Raises: as `files`.
        """
        if sys.stdout is None:
            raise UsageProblem("Standard output is closed.")
        with rejects.open("wb") if rejects else nullcontext() as listed:
            self._each(sources, lambda place, bar: self._stream(sources[place], listed, bar))

    def _each(self, sources: Sequence[str], tag: Callable[[int, Bar], None]) -> None:
        texts: list[str] = []
        exit_code = 0
        for place, source in enumerate(sources):
            with closing(Bar(source, self.quiet)) as bar:
                try:
                    tag(place, bar)
                except MiCoderError as problem:
                    afresh = self.options.force or not self.options.resume
                    text = advised(problem, how_to_go_on(source == STDIO, afresh))
                    named = isinstance(problem, Interrupted | StoppedAtReject) or len(sources) == 1
                    texts.append(text if named else f"{source}: {text}")
                    exit_code = max(exit_code, problem.exit_code)
                    if isinstance(problem, Interrupted | StoppedAtReject):
                        break
        if texts:
            raise Problems("\n".join(texts), exit_code)

    def _file(self, run: RunPaths, bar: Bar) -> None:
        outcome = tag_file(run, self.tagger, self.options, bar, self.stop)
        bar.say(summary(outcome.counts, str(run.output), str(run.rejects)))
        if outcome.already_done:
            bar.say("It was already there, from the same input and options: nothing was done (--force tags it again).")

    def _stream(self, source: str, listed: BinaryIO | None, bar: Bar) -> None:
        out = sys.stdout.buffer
        # A message that comes in goes out at once: whoever writes may wait for the answer.
        options = replace(self.options, batch_size=1) if source == STDIO else self.options

        def on_reject(reject: Reject) -> None:
            if listed:
                listed.write(reject.to_json() + b"\n")
            else:
                bar.warn(str(reject))

        def progress(reached: int, counts: Counts) -> None:
            out.flush()
            bar(reached, counts)

        with self.stop.wait_for(lambda: open_records(source, options.read)) as reader:
            outcome = tag_stream(reader, out.write, on_reject, self.tagger, options, progress, self.stop)
        bar.say(summary(outcome.counts, "standard output", listed.name if listed else "the lines above"))


def say_left_out(names: Sequence[str]) -> None:
    """Name the files that a pattern found and that are not inputs."""
    if names:
        click.echo(f"Left out, because this command writes them: {', '.join(names)}.", err=True)
