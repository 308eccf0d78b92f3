"""`mi-code profile`: technique use by counselor, period or chat, with intervals."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mi_coder.cli.options import choice, force_option
from mi_coder.cli.target import new_file

if TYPE_CHECKING:
    from mi_coder.formats.rejects import Reject
    from mi_coder.measures.tally import Unit

EXAMPLE = """\b
Examples:
  mi-code profile chats.tagged.jsonl                                  # all chats together
  mi-code profile chats.tagged.jsonl --by counselor_id -o profiles.csv
  mi-code profile chats.tagged.jsonl --by counselor_id,month --time started_at --unit volley
  mi-code profile chats.tagged.jsonl --validation gold.tagged.jsonl   # the tagger's errors in the intervals
  mi-code profile chats.tagged.jsonl --counts counts.csv              # one row per chat, for study files
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
@choice("--unit", values=["message", "volley"], help="What is counted: messages, or all between two of the client.")
@click.option(
    "--gold",
    is_flag=True,
    help="Count gold codes in place of the tagger's; a message counts for the codes that its gold tells.",
)
@click.option(
    "--validation",
    type=click.Path(exists=True, dir_okay=False),
    help="Tagged chats that have gold codes too: corrects figures, and widens intervals by the tagger's errors.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="All figures (.csv, .jsonl or .parquet).")
@click.option("--counts", type=click.Path(path_type=Path), help="Counts by chat (.csv, .jsonl or .parquet).")
@click.option("--draws", default=500, show_default=True, type=click.IntRange(min=50), help="Draws for intervals.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the intervals.")
@force_option("Write over files that are there.")
def command(
    tagged: tuple[str, ...],
    by: str,
    time: str,
    unit: "Unit",
    gold: bool,
    validation: str | None,
    output: Path | None,
    counts: Path | None,
    draws: int,
    seed: int,
    force: bool,
) -> None:
    """Profile technique use in TAGGED chats: rates of codes, and the summaries of MITI 4.2.1 and MISC 2.5.

    Every figure comes with its n and, from five conversations on, an interval over conversations. Thresholds of the
    manuals stand beside the figures as context: they are expert opinion for spoken sessions, and no verdict on anybody.
    """
    from mi_coder.measures.profile import PERIODS, errors_of, profile
    from mi_coder.measures.reading import read_chats
    from mi_coder.measures.writing import write_rows

    inputs = [Path(path) for path in tagged]
    for path in filter(None, (output, counts)):
        new_file(path, force, inputs)
    names = [name.strip() for name in by.split(",") if name.strip()]
    fields = [name for name in names if name not in ("all", "conversation", *PERIODS)] + ([time] if time else [])
    rejects: list[Reject] = []
    errors = None
    if validation:
        errors = errors_of(read_chats(validation), read_chats(validation, gold=True))
    chats = chain.from_iterable(read_chats(path, fields, gold, on_reject=rejects.append) for path in tagged)
    found = profile(chats, names, unit, time, errors, draws, seed)
    by_chat = found.counts_table() if counts else []
    click.echo(found.summary())
    if output:
        write_rows(output, found.long())
    if counts:
        write_rows(counts, by_chat)
    for path in filter(None, (output, counts)):
        click.echo(f"Written: {path}", err=True)
    if rejects:
        click.echo(f"{len(rejects)} bad records were left out, the first: {rejects[0]}", err=True)
