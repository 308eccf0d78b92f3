"""`mi-code profile`: technique use by counselor, period or chat, with intervals."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.options import force_option, unit_option
from mi_coder.cli.progress import Steps
from mi_coder.cli.target import new_files, show
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.formats.rejects import Reject
    from mi_coder.measures.tally import Unit

EXAMPLE = """\b
Examples:
  mi-code profile chats.tagged.jsonl                                  # all chats together
  mi-code profile chats.tagged.jsonl --by counselor_id -o profiles.csv
  mi-code profile chats.tagged.jsonl --by counselor_id,month --time started_at --unit volley
  mi-code profile chats.tagged.jsonl --validation gold.tagged.jsonl   # corrected for the tagger's errors
  mi-code profile chats.tagged.jsonl --counts counts.csv              # one row per chat, for study files
  mi-code profile chats.tagged.jsonl --patterns patterns.csv          # together, in a row, where in the chat
"""


@click.command("profile", epilog=EXAMPLE)
@click.argument("tagged", nargs=-1, required=True)
@click.option(
    "--by",
    default="all",
    show_default=True,
    metavar="FIELD,...",
    help="Fields of the conversation; conversation for each chat; month, week or year of --time.",
)
@click.option("--time", default="", metavar="FIELD", help="Field with the date or time of the chat.")
@unit_option()
@click.option(
    "--gold",
    is_flag=True,
    help="Count gold codes instead of the tagger's; a message counts for the codes that its gold settles.",
)
@click.option(
    "--validation",
    type=click.Path(exists=True, dir_okay=False),
    help="Tagged chats that have gold codes too: a figure is corrected for the tagger's errors, and marked with *, if "
    "all its codes are found often enough there; its interval then includes this uncertainty.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="All figures (.csv, .jsonl or .parquet).")
@click.option("--counts", type=click.Path(path_type=Path), help="Counts by chat (.csv, .jsonl or .parquet).")
@click.option(
    "--patterns",
    type=click.Path(path_type=Path),
    help="Which codes occur together, follow each other within a turn and across the client's, and occur where in a "
    "chat, over all chats (.csv, .jsonl or .parquet).",
)
@click.option(
    "--min-chats",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Leave out groups with fewer chats; the output says how many. Does not affect --counts and --patterns.",
)
@click.option("--draws", default=500, show_default=True, type=click.IntRange(min=50), help="Draws for intervals.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the intervals.")
@force_option("Overwrite existing files.")
def command(
    tagged: tuple[str, ...],
    by: str,
    time: str,
    unit: "Unit",
    gold: bool,
    validation: str | None,
    output: Path | None,
    counts: Path | None,
    patterns: Path | None,
    min_chats: int,
    draws: int,
    seed: int,
    force: bool,
) -> None:
    """Profile technique use in TAGGED chats: rates of codes, and the summaries of MITI 4.2.1 and MISC 2.5.

    Every figure comes with its n and, from five conversations on, a 95% interval over conversations. Thresholds of the
    manuals stand beside the figures as context: they are expert opinion for spoken sessions, and no verdict on anybody.
    """
    keep_blas_to_one_thread()
    from mi_coder.batch.codebook import check_codebook
    from mi_coder.measures.groups import check_fields, fields_needed
    from mi_coder.measures.profile import GOLD_ERRS_NOT, count
    from mi_coder.measures.reading import fields_of, read_files
    from mi_coder.measures.summaries import legend
    from mi_coder.measures.writing import write_rows

    if gold and validation:
        raise UsageProblem(GOLD_ERRS_NOT)
    inputs = [*tagged, *([validation] if validation else [])]
    outputs = new_files((output, counts, patterns), force, map(Path, inputs))
    if not gold:
        check_codebook(tagged)
    names = [name.strip() for name in by.split(",") if name.strip()]
    fields = fields_needed(names, time)
    rejects: list[Reject] = []
    errors, warning = None, ""
    if validation:
        from mi_coder.report.seen import checked_errors

        errors, warning = checked_errors(validation, unit)
    with _telling(rejects):
        counted = count(read_files(tagged, fields, gold, rejects.append), unit)
        check_fields(counted.fields, fields, lambda: fields_of(tagged))
        with closing(Steps("groups")) as steps:
            found = counted.profile(names, time, errors, draws, seed, min_chats, progress=steps)
        if not found.figures:
            raise UsageProblem(
                f"No group has {min_chats:,} chats. Choose a lower --min-chats, or larger groups with --by."
            )
        by_chat = found.counts_table() if counts else []
    show("\n\n".join(filter(None, (found.summary(), warning, legend(counted.unit)))))
    if output:
        write_rows(output, found.rows())
    if counts:
        write_rows(counts, by_chat)
    if patterns:
        write_rows(patterns, found.patterns.rows())
    for path in outputs:
        click.echo(f"Written: {path}", err=True)
    if rejects:
        show(_left_out(rejects), err=True)


@contextmanager
def _telling(rejects: Sequence["Reject"]) -> Iterator[None]:
    """Say beside a problem which records were left out, since they may be the reason."""
    try:
        yield
    except UsageProblem as problem:
        if not rejects:
            raise
        raise UsageProblem(f"{problem} {_left_out(rejects)}") from problem


def _left_out(rejects: Sequence["Reject"]) -> str:
    if len(rejects) == 1:
        return f"1 bad record was left out: {rejects[0]}"
    return f"{len(rejects):,} bad records were left out, the first: {rejects[0]}"
