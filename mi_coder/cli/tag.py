"""`mi-code tag`: code the counselor messages of chats."""

from pathlib import Path
from typing import Literal

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.coding import CodingChoices, coding_options
from mi_coder.cli.options import Command, choice, force_option, section
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_file
from mi_coder.errors import UsageProblem

EPILOG = """\b
Examples:
  mi-code tag transcripts.jsonl                 # writes transcripts.tagged.jsonl
  mi-code tag 'chats/*.jsonl.gz' -o tagged/     # every file of a folder
  cat chats.jsonl | mi-code tag - | head        # a stream
  mi-code tag survey.csv --text-field body --role-field who --role peer=counselor

\b
Exit codes: 0 done; 2 refused or wrong use; 3 too many bad records (good ones are
written); 4 counts do not add up; 130, 143 interrupted; 141 whoever read the
standard output has stopped reading.
"""

_records = section("Bad records and interrupted runs")


@click.command(epilog=EPILOG, cls=Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="File or folder; - for standard output. Default: NAME.tagged.EXT beside the input.",
)
@coding_options()
@choice("--scores", values=["chosen", "all", "none"], help="Which probabilities are written.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="Messages coded at once; one where standard input goes to standard output. Changes no label.",
)
@choice("--on-error", values=["skip", "fail"], help="Set bad records aside, or stop at the first.", option=_records)
@_records(
    "--max-errors",
    default="1%",
    show_default=True,
    metavar="N|P%",
    help="End with exit code 3 if more records than this number or percentage are bad. Good records are written all "
    "the same.",
)
@_records("--strict", is_flag=True, help="The same as --max-errors 0.")
@_records("--resume/--no-resume", default=True, show_default=True, help="Resume an unfinished run, or start over.")
@force_option("Overwrite a finished output.")
@_records(
    "--rejects",
    type=click.Path(path_type=Path),
    help="With -o -: file for the bad records. Files get NAME.rejects.jsonl.",
)
@click.option("--overwrite", is_flag=True, help="Replace codes that the records already have.")
@reading_options()
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
def command(
    inputs: tuple[str, ...],
    output: str | None,
    coding: CodingChoices,
    scores: Literal["chosen", "all", "none"],
    batch_size: int,
    on_error: Literal["skip", "fail"],
    max_errors: str,
    strict: bool,
    resume: bool,
    force: bool,
    rejects: Path | None,
    overwrite: bool,
    reading: Reading,
    quiet: bool,
) -> None:
    """Code the counselor messages of INPUT... with up to three codes each.

    With --unit sentence, each sentence of a long message gets up to three codes, and the message gets all of them.

    INPUT is JSON Lines (one message or one conversation a line), CSV, TSV, Parquet, a ConvoKit folder or pasted chat
    text, plain or compressed (.gz, .zst), or - for standard input. Bad records are listed in NAME.rejects.jsonl, and
    all others are coded.
    """
    keep_blas_to_one_thread()
    from mi_coder.batch.interrupt import catching_signals
    from mi_coder.batch.options import MaxErrors, TagOptions
    from mi_coder.batch.paths import STDIO
    from mi_coder.batch.plan import Plan, expand, plan
    from mi_coder.cli.tagging import Tagging, say_left_out

    options = TagOptions(
        scores=scores,
        batch_size=batch_size,
        on_error=on_error,
        max_errors=MaxErrors.parse("0" if strict else max_errors),
        resume=resume,
        force=force,
        read=reading.options(overwrite),
    )
    found = expand(inputs)
    sources = [one.path for one in found]
    if STDIO in sources and len(sources) > 1:
        raise UsageProblem("Standard input (-) goes alone; tag the files in a run of their own.")
    streamed = output == STDIO or (output is None and sources == [STDIO])
    if rejects and not streamed:
        raise UsageProblem("--rejects goes with -o -; the bad records of a file are listed beside its output.")
    planned = Plan([], []) if streamed else plan(found, output)
    if rejects:
        new_file(rejects, force, map(Path, sources))
    say_left_out(planned.left_out)
    tagger = coding.tagger()
    with catching_signals() as stop:
        tagging = Tagging(tagger, options, stop, quiet)
        if streamed:
            tagging.streams(sources, rejects)
        else:
            tagging.files(planned.runs)
