"""Tagging one source into one output: resumable for files, straight through for streams."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import msgspec

from mi_coder.batch.counts import Counts
from mi_coder.batch.finish import clear, finish
from mi_coder.batch.intake import Intake
from mi_coder.batch.interrupt import Stop
from mi_coder.batch.journal import Journal, fingerprint_of, write_journal
from mi_coder.batch.limits import refuse_too_many
from mi_coder.batch.lock import exclusive
from mi_coder.batch.meta import Meta
from mi_coder.batch.options import TagOptions
from mi_coder.batch.output import output_format
from mi_coder.batch.parts import Parts, encode
from mi_coder.batch.paths import RunPaths
from mi_coder.batch.problems import Refused, Remedy
from mi_coder.batch.start import restart, start
from mi_coder.batch.stream import Coder
from mi_coder.errors import MiCoderError
from mi_coder.formats import OUTPUT_FIELDS, RecordReader, Reject, open_records
from mi_coder.formats.atomic import remove_left_behind
from mi_coder.tagger.tagger import Tagger

Progress = Callable[[int, Counts], None]
"""Called after every batch with the bytes read (decompressed) and the counts so far."""

_FLAT = ("csv", "tsv")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what it counted, and whether it had been done before and was left alone."""

    counts: Counts
    already_done: bool = False
    resumed: bool = False


def tag_file(paths: RunPaths, tagger: Tagger, options: TagOptions, progress: Progress, stop: Stop) -> Outcome:
    """Tag a file, taking up an unfinished run of the same kind.

    The output appears under its name when it is complete; until then there are `.part` files and a journal beside it.

    Raises:
        Refused: a finished output, an unfinished run of another kind, a run at work or a file of no run is in the way,
            conversations are to become a table of messages, or the disk fails.
        StoppedAtReject: a bad record with `on_error="fail"`.
        Rejected: more bad records than allowed, or a damaged input; the good records are in the output all the same.
        CountMismatch: the counts do not add up.
        Interrupted: a signal came.
        MiCoderError: the source cannot be read.
    """
    try:
        paths.output.parent.mkdir(parents=True, exist_ok=True)
        meta = Meta.of(tagger, options, fingerprint_of(paths.source))
        with exclusive(paths) as left:
            if left:
                remove_left_behind(paths.journal, paths.meta, paths.output)
            return _tag_file(paths, tagger, options, meta, progress, stop)
    except OSError as error:
        remedy = Remedy.RESUME if paths.journal.exists() else None
        raise Refused(f"{error.filename or paths.output}: {error.strerror or error}.", remedy) from error


def _tag_file(
    paths: RunPaths, tagger: Tagger, options: TagOptions, meta: Meta, progress: Progress, stop: Stop
) -> Outcome:
    begun = start(paths, meta.fingerprint, options)
    counts = begun.counts
    if isinstance(begun, Journal):
        done = begun if begun.finished else _work(paths, begun, tagger, options, progress, stop)
        counts.check()
        finish(paths, msgspec.structs.replace(meta, counts=counts), done.columns)
    refuse_too_many(
        counts, options.max_errors, f"The good records are in {paths.output}, the bad ones listed in {paths.rejects}."
    )
    if isinstance(begun, Meta):
        return Outcome(counts, already_done=True)
    return Outcome(counts, resumed=begun.items > 0)


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
    intake = Intake(reader, options.on_error, stop)
    for items in coder.batches(intake):
        for item in items:
            if isinstance(item, Reject):
                on_reject(item)
            else:
                write(encode(item))
        progress(reader.bytes_read, counts)
        if stop.signal is not None:
            break
    intake.check("Stopped. A stream cannot be resumed.")
    counts.blank = reader.blank
    counts.check()
    refuse_too_many(counts, options.max_errors, "All good records were written.")
    return Outcome(counts)


def _work(
    paths: RunPaths, journal: Journal, tagger: Tagger, options: TagOptions, progress: Progress, stop: Stop
) -> Journal:
    """Read, code and write from the checkpoint in `journal` to the end, with checkpoints on the way; the last of them.

    What fails before a record is finished leaves no file.
    """
    counts = journal.counts
    items = journal.items
    with stop.wait_for(lambda: open_records(paths.source, options.read)) as reader:
        write_journal(paths.journal, journal)
        try:
            with closing(Parts(paths, journal)) as parts:
                coder = Coder(tagger, options.scores, options.batch_size, counts)
                reached = _replay(reader, coder, journal, paths)
                intake = Intake(reader, options.on_error, stop, flat=output_format(paths.output) in _FLAT)

                def checkpoint(finished: bool = False) -> Journal:
                    state = Journal(
                        journal.fingerprint,
                        items,
                        reached,
                        counts=counts,
                        columns=_columns(reader),
                        finished=finished,
                    )
                    parts.checkpoint(state)
                    return state

                last = time.monotonic()
                for batch in coder.batches(intake):
                    parts.write(batch)
                    items, reached = items + len(batch), batch[-1].end
                    progress(reached, counts)
                    if stop.signal is not None:
                        break
                    if time.monotonic() - last >= options.checkpoint_seconds:
                        checkpoint()
                        last = time.monotonic()
                counts.blank = reader.blank
                last_state = checkpoint(finished=not intake.cut)
                intake.check(f"Stopped after {items} records.", Remedy.RESUME)
                return last_state
        except MiCoderError:
            if items == 0:
                clear(paths)
            raise


def _columns(reader: RecordReader) -> tuple[str, ...]:
    """Those of the input, if it is a table, and those that tagging adds to messages."""
    return (*(reader.fields or ()), *(OUTPUT_FIELDS if reader.layout != "conversation" else ()))


def _replay(reader: RecordReader, coder: Coder, journal: Journal, paths: RunPaths) -> int:
    """Read again what an earlier run finished, without coding it, so that ids, contexts and places are as they were."""
    reached = 0
    for _ in range(journal.items):
        item = next(reader, None)
        if item is None:
            break
        coder.skip(item)
        reached = item.end
    if reached != journal.input_byte:
        raise Refused(f"{reader.source} has changed since the run began.", restart(paths))
    return reached
