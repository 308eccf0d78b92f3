"""`mi-code tag`: code the counselor messages of chats."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.options import Size, choice
from mi_coder.cli.progress import Bar, summary
from mi_coder.errors import TooManyRejects, UsageProblem, did_you_mean

if TYPE_CHECKING:
    from mi_coder.batch.counts import Counts
    from mi_coder.batch.interrupt import Stop
    from mi_coder.batch.options import TagOptions
    from mi_coder.batch.paths import RunPaths
    from mi_coder.conversation import Role
    from mi_coder.formats import ReadOptions, Reject
    from mi_coder.tagger.tagger import Tagger

EPILOG = """\b
Examples:
  mi-code tag transcripts.jsonl                 writes transcripts.tagged.jsonl
  mi-code tag 'chats/*.jsonl.gz' -o tagged/     every file of a folder
  cat chat.jsonl | mi-code tag - | head         a stream
  mi-code tag survey.csv --text-field body --role-field who --role peer=counselor
"""


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="File or folder; - for standard output. Default: NAME.tagged.EXT beside the input.",
)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Model folder made by mi-code train. Default: the bundled model.",
)
@click.option(
    "--context", type=click.IntRange(min=0), help="Previous messages that are read. Default: as the model was trained."
)
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="P|CODE=P",
    help="Probability from which a code is given, for all codes or one. Repeatable.",
)
@choice("--scores", values=["chosen", "all", "none"], help="Which probabilities are written.")
@choice("--unit", values=["message", "sentence"], help="Code whole messages, or every sentence of them.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="Messages coded at once. Changes no label.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Messages coded at the same time. Changes no label. Default: all cores.",
)
@choice("--on-error", values=["skip", "fail"], help="Set bad records aside, or stop at the first.")
@click.option(
    "--max-errors",
    default="1%",
    show_default=True,
    metavar="N|P%",
    help="More bad records than this end with exit code 3.",
)
@click.option("--strict", is_flag=True, help="As --max-errors 0.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Take up an unfinished run, or start over.")
@click.option("--force", is_flag=True, help="Write over a finished output.")
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With -o -: file for the bad records. Files get NAME.rejects.jsonl.",
)
@click.option(
    "--format",
    "format_name",
    metavar="FORMAT",
    help="jsonl, csv, tsv, parquet, convokit or chat-text. Default: told from the file.",
)
@click.option("--text-field", metavar="NAME", help="Field of the text, where it is not 'text' or 'content'.")
@click.option("--role-field", metavar="NAME", help="Field of the role, where it is not 'role', 'speaker' or 'author'.")
@click.option(
    "--conversation-field", metavar="NAME", help="Field of the conversation id, where it is not 'conversation_id'."
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="NAME=ROLE",
    help="Further role names; ROLE is counselor, client or other. Repeatable.",
)
@choice("--unknown-role", values=["reject", "other"], help="What to do with other role names.")
@choice("--duplicates", values=["reject", "keep"], help="What to do with ids that come twice.")
@choice(
    "--non-contiguous",
    values=["reject", "restart"],
    help="What to do with a conversation that comes back after another.",
)
@click.option("--overwrite", is_flag=True, help="Replace codes that the records already carry.")
@click.option(
    "--max-line-bytes",
    type=Size(),
    default="16MiB",
    show_default=True,
    metavar="SIZE",
    help="Longest line, and longest CSV or chat record.",
)
@click.option(
    "--max-decompressed",
    type=Size(),
    metavar="SIZE",
    help="Most bytes that a compressed input may grow to. Default: no limit.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
def command(inputs: tuple[str, ...], output: str | None, **choices: Any) -> None:
    """Code the counselor messages of INPUT... with up to three codes each.

    INPUT is JSON Lines (one message or one conversation a line), CSV, TSV, Parquet, a ConvoKit folder or pasted chat
    text, plain or compressed (.gz, .zst), or - for standard input. Bad records go to NAME.rejects.jsonl and the rest
    goes on.
    """
    keep_blas_to_one_thread()
    from mi_coder.batch.interrupt import catching_signals
    from mi_coder.batch.options import MaxErrors, TagOptions
    from mi_coder.batch.paths import STDIO, expand, plan
    from mi_coder.tagger.tagger import Tagger

    options = TagOptions(
        scores=choices["scores"],
        batch_size=choices["batch_size"],
        on_error=choices["on_error"],
        max_errors=MaxErrors.parse("0" if choices["strict"] else choices["max_errors"]),
        resume=choices["resume"],
        force=choices["force"],
        read=_read_options(choices),
    )
    sources = expand(inputs)
    if STDIO in sources and len(sources) > 1:
        raise UsageProblem("Standard input (-) goes alone; tag the files in a run of their own.")
    streamed = output == STDIO or (output is None and sources == [STDIO])
    runs = [] if streamed else plan(sources, output)
    rejects = choices["rejects"]
    if rejects and not streamed:
        raise UsageProblem("--rejects goes with -o -; the bad records of a file are listed beside its output.")
    if rejects and rejects.resolve() in (Path(source).resolve() for source in sources):
        raise UsageProblem(f"--rejects {rejects} is an input. Name another file.")
    tagger = Tagger.load(
        choices["model"],
        context=choices["context"],
        threshold=_thresholds(choices["thresholds"]),
        threads=choices["threads"] or _cores(),
        unit=choices["unit"],
    )
    quiet = choices["quiet"]
    with catching_signals() as stop:
        if streamed:
            with rejects.open("wb") if rejects else nullcontext() as listed:
                for source in sources:
                    with closing(Bar(source, quiet)) as bar:
                        _stream(source, listed, tagger, options, bar, stop)
        else:
            _files(runs, tagger, options, quiet, stop)


def _files(runs: "Sequence[RunPaths]", tagger: "Tagger", options: "TagOptions", quiet: bool, stop: "Stop") -> None:
    """Tag one file after the other. One with too many bad records does not keep the others waiting."""
    from mi_coder.batch.run import StoppedAtReject

    problems: list[str] = []
    for paths in runs:
        with closing(Bar(paths.source, quiet)) as bar:
            try:
                _file(paths, tagger, options, bar, stop)
            except StoppedAtReject:
                raise
            except TooManyRejects as problem:
                problems.append(f"{paths.source}: {problem}" if len(runs) > 1 else str(problem))
    if problems:
        raise TooManyRejects("\n".join(problems))


def _file(paths: "RunPaths", tagger: "Tagger", options: "TagOptions", bar: Bar, stop: "Stop") -> None:
    from mi_coder.batch.run import tag_file

    outcome = tag_file(paths, tagger, options, bar, stop)
    bar.say(summary(outcome.counts, str(paths.output), str(paths.rejects)))
    if outcome.already_done:
        bar.say("It was already there, from the same input and options: nothing was done (--force tags it again).")


def _stream(
    source: str, listed: BinaryIO | None, tagger: "Tagger", options: "TagOptions", bar: Bar, stop: "Stop"
) -> None:
    from mi_coder.batch.run import tag_stream
    from mi_coder.formats import open_records

    if sys.stdout is None:
        raise UsageProblem("Standard output is closed.")
    out = sys.stdout.buffer
    with open_records(source, options.read) as reader:

        def on_reject(reject: "Reject") -> None:
            if listed:
                listed.write(reject.to_json() + b"\n")
            else:
                bar.say(str(reject))

        def progress(reached: int, counts: "Counts") -> None:
            out.flush()
            bar(reached, counts)

        outcome = tag_stream(reader, out.write, on_reject, tagger, options, progress, stop)
        out.flush()
    bar.say(summary(outcome.counts, "standard output", listed.name if listed else "the lines above"))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _thresholds(choices: Sequence[str]) -> float | dict[str, float] | None:
    """Read "0.6" or "OQ=0.6"; a bare number goes with no other."""
    pairs = [choice.rpartition("=") for choice in choices]
    try:
        values = {code.strip().upper(): float(value) for code, _, value in pairs}
    except ValueError:
        raise UsageProblem("--threshold takes a probability such as 0.6, or a code with one such as OQ=0.6.") from None
    if "" in values:
        if len(values) > 1:
            raise UsageProblem("--threshold takes one probability for all codes, or CODE=P for single ones, not both.")
        return values[""]
    return values or None


def _read_options(choices: Mapping[str, Any]) -> "ReadOptions":
    from mi_coder.conversation import RoleTable
    from mi_coder.formats import ReadOptions

    return ReadOptions(
        format=choices["format_name"],
        text_field=choices["text_field"],
        role_field=choices["role_field"],
        conversation_field=choices["conversation_field"],
        roles=RoleTable().extended(dict(_role(pair) for pair in choices["roles"])),
        unknown_role=choices["unknown_role"],
        duplicates=choices["duplicates"],
        non_contiguous=choices["non_contiguous"],
        overwrite=choices["overwrite"],
        max_line_bytes=choices["max_line_bytes"],
        max_decompressed=choices["max_decompressed"],
    )


def _role(pair: str) -> "tuple[str, Role]":
    from mi_coder.conversation import ROLES

    name, separator, role = pair.rpartition("=")
    for known in ROLES:
        if separator and name.strip() and role.strip().casefold() == known:
            return name, known
    raise UsageProblem(
        f"--role {pair!r}: write NAME=ROLE with ROLE one of {', '.join(ROLES)}.{did_you_mean(role, ROLES)}"
    )
