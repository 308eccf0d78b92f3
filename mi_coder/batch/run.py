"""Tagging one source into one output: resumable for files, straight through for streams."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import msgspec

from mi_coder.batch.counts import Counts
from mi_coder.batch.finish import clear, finish
from mi_coder.batch.interrupt import Interrupted, Stop
from mi_coder.batch.journal import Fingerprint, Journal, fingerprint_of, read_journal
from mi_coder.batch.lock import exclusive
from mi_coder.batch.meta import Meta, read_meta
from mi_coder.batch.options import TagOptions
from mi_coder.batch.parts import Parts, encode
from mi_coder.batch.paths import STDIO, RunPaths
from mi_coder.batch.stream import Coder
from mi_coder.errors import TooManyRejects, UsageProblem
from mi_coder.formats import Record, RecordReader, Reject, open_records
from mi_coder.tagger.tagger import Tagger

_SECONDS_BETWEEN_CHECKPOINTS = 2.0

Progress = Callable[[int, Counts], None]
"""Called after every batch with the bytes read (decompressed) and the counts so far."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what it counted, and whether it had been done before and was left alone."""

    counts: Counts
    already_done: bool = False
    resumed: bool = False


class StoppedAtReject(TooManyRejects):
    """A bad record with `--on-error fail`."""


def tag_file(paths: RunPaths, tagger: Tagger, options: TagOptions, progress: Progress, stop: Stop) -> Outcome:
    """Tag a file, taking up an unfinished run of the same kind.

    The output appears under its name when it is complete; until then there are `.part` files and a journal beside it.

    Raises:
        UsageProblem: a finished output, an unfinished run of another kind or a run at work is in the way,
            or the disk fails.
        StoppedAtReject: a bad record with `on_error="fail"`.
        TooManyRejects: more bad records than allowed; the output is complete all the same.
        CountMismatch: the counts do not add up.
        Interrupted: a signal came.
    """
    paths.output.parent.mkdir(parents=True, exist_ok=True)
    meta = Meta.of(tagger, options, fingerprint_of(paths.source))
    with exclusive(paths):
        try:
            return _tag_file(paths, tagger, options, meta, progress, stop)
        except OSError as error:
            reason = f"{error.filename or paths.output}: {error.strerror or error}."
            raise UsageProblem(f"{reason} {_how_to_resume(paths, options)}") from error


def _tag_file(
    paths: RunPaths, tagger: Tagger, options: TagOptions, meta: Meta, progress: Progress, stop: Stop
) -> Outcome:
    start = _start(paths, meta.fingerprint, options)
    counts = start.counts
    if isinstance(start, Journal):
        if not start.finished:
            _work(paths, start, tagger, options, progress, stop)
        counts.check()
        finish(paths, msgspec.structs.replace(meta, counts=counts))
    _refuse_too_many(counts, options, f"The output is complete, and the bad records are listed in {paths.rejects}.")
    if isinstance(start, Meta):
        return Outcome(counts, already_done=True)
    return Outcome(counts, resumed=start.items > 0)


def tag_stream(
    reader: RecordReader,
    write: Callable[[bytes], object],
    on_reject: Callable[[Reject], object],
    tagger: Tagger,
    options: TagOptions,
    progress: Progress,
    stop: Stop,
) -> Outcome:
    """Tag records straight through, without a journal: for stdin and stdout. Raises as `tag_file`."""
    counts = Counts()
    coder = Coder(tagger, options.scores, options.batch_size, counts)
    for items in coder.batches(_checked(reader, options)):
        for item in items:
            if isinstance(item, Reject):
                on_reject(item)
            else:
                write(encode(item))
        progress(reader.bytes_read, counts)
        if stop.signal is not None:
            raise Interrupted("Stopped. A stream cannot be resumed.", stop.signal)
    counts.blank = reader.blank
    counts.check()
    _refuse_too_many(counts, options, "All good records were written.")
    return Outcome(counts)


def _start(paths: RunPaths, fingerprint: Fingerprint, options: TagOptions) -> Journal | Meta:
    """The journal to go on from, or the sidecar of the output that is already there and right."""
    fresh = Journal(fingerprint)
    if options.force or not options.resume or paths.source == STDIO:
        if paths.output.exists() and not options.force:
            raise UsageProblem(f"{paths.output} exists. Write over it with --force, or choose another -o.")
        clear(paths)
        return fresh
    journal = read_journal(paths.journal)
    if journal is not None:
        if changed := fingerprint.differences(journal.fingerprint):
            raise UsageProblem(
                f"An unfinished run of {paths.output} differs from this one in: {', '.join(changed)}. "
                "Run it again as it was, or start over with --no-resume."
            )
        return journal
    if not paths.output.exists():
        return fresh
    done = read_meta(paths.meta)
    if done is None:
        raise UsageProblem(
            f"{paths.output} exists and was not written by a run that can be checked. Use --force or another -o."
        )
    if changed := fingerprint.differences(done.fingerprint):
        raise UsageProblem(
            f"{paths.output} exists, tagged with a difference in: {', '.join(changed)}. "
            "Write over it with --force, or choose another -o."
        )
    return done


def _how_to_resume(paths: RunPaths, options: TagOptions) -> str:
    if paths.source == STDIO:
        return "Standard input cannot be resumed; start over with --force."
    if options.force or not options.resume:
        return "Run it again without --force and --no-resume to go on."
    return "Run the same command again to resume."


def _work(
    paths: RunPaths, journal: Journal, tagger: Tagger, options: TagOptions, progress: Progress, stop: Stop
) -> None:
    """Read, code and write from the checkpoint in `journal` to the end, with checkpoints on the way."""
    counts, items = journal.counts, journal.items
    coder = Coder(tagger, options.scores, options.batch_size, counts)

    def checkpoint(finished: bool = False) -> None:
        parts.checkpoint(
            msgspec.structs.replace(journal, items=items, input_byte=reached, counts=counts, finished=finished)
        )

    with open_records(paths.source, options.read) as reader, closing(Parts(paths, journal)) as parts:
        try:
            reached = _replay(reader, coder, journal)
            last = time.monotonic()
            for done in coder.batches(_checked(reader, options)):
                parts.write(done)
                items, reached = items + len(done), done[-1].end
                progress(reached, counts)
                if stop.signal is not None:
                    checkpoint()
                    raise Interrupted(f"Stopped after {items} records. {_how_to_resume(paths, options)}", stop.signal)
                if time.monotonic() - last >= _SECONDS_BETWEEN_CHECKPOINTS:
                    checkpoint()
                    last = time.monotonic()
            counts.blank = reader.blank
            checkpoint(finished=True)
        except StoppedAtReject:
            checkpoint()
            raise


def _replay(reader: RecordReader, coder: Coder, journal: Journal) -> int:
    """Read again what an earlier run finished, without coding it, so that ids, contexts and places are as they were."""
    reached = 0
    for _ in range(journal.items):
        item = next(reader, None)
        if item is None:
            break
        coder.skip(item)
        reached = item.end
    if reached != journal.input_byte:
        raise UsageProblem(f"{reader.source} has changed since the run began. Start over with --no-resume.")
    return reached


def _checked(reader: RecordReader, options: TagOptions) -> Iterator[Record | Reject]:
    for item in reader:
        if isinstance(item, Reject) and options.on_error == "fail":
            raise StoppedAtReject(f"{item}. Mend the record, or go on without it by --on-error skip.")
        yield item


def _refuse_too_many(counts: Counts, options: TagOptions, done: str) -> None:
    if options.max_errors.exceeded(counts.rejected, counts.read):
        raise TooManyRejects(
            f"{counts.rejected} of {counts.read} records were rejected, "
            f"more than --max-errors {options.max_errors} allows. {done} "
            "Many bad records usually mean another format: "
            "see --format, --text-field, --role-field and --conversation-field."
        )
