"""`mi-code corpora`: public data sets as coded conversations."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import click

from mi_coder import corpora
from mi_coder.batch.paths import STDIO
from mi_coder.cli.options import choice, force_option
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_file
from mi_coder.codebook import Codebook
from mi_coder.corpora.source import locate
from mi_coder.corpora.standoff import read_standoff, with_standoff
from mi_coder.corpora.tally import Tally, by_part
from mi_coder.errors import UsageProblem
from mi_coder.formats import Layout, read_conversations, write_conversations
from mi_coder.formats.writing import format_to_write


@click.group(epilog="Example:  mi-code corpora list")
def command() -> None:
    """Read public data sets as conversations with gold codes."""


@command.command("list", epilog="Example:  mi-code corpora list")
def list_corpora() -> None:
    """Show the corpora: what they hold, their licenses, where their gold codes come from, how to cite them."""
    for name in corpora.names():
        about = corpora.info(name)
        lines = {
            "holds": about.content,
            "license": about.license,
            "gold": about.gold,
            "cite": about.citation,
            "files": f"{about.folder}/ with {', '.join(about.files + about.optional)}",
        }
        click.echo(f"{name}  {about.title}")
        for label, text in lines.items():
            click.echo(f"  {label:8} {text}")


@command.command(epilog="Example:  mi-code corpora convert esconv --root data -o esconv.jsonl")
@click.argument("name")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    help="The data root that holds the corpus's folder, or that folder itself.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    help="The file to write (.jsonl, .csv or .tsv, each also with .gz or .zst, or .parquet); - for JSONL on stdout.",
)
@force_option("Write over a file that is there.")
@choice("--layout", values=["conversation", "message"], help="One conversation or one message per line.")
@click.option(
    "--codes",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Stand-off codes that take the place of the corpus's own labels. Repeatable.",
)
@click.option("--only-coded", is_flag=True, help="With --codes: leave out the conversations that have none.")
def convert(
    name: str, root: Path, output: str, force: bool, layout: Layout, codes: tuple[Path, ...], only_coded: bool
) -> None:
    """Write the corpus NAME as conversations with gold codes."""
    if only_coded and not codes:
        raise UsageProblem("--only-coded needs --codes: the file with the codes of the conversations to keep.")
    if output != STDIO:
        format_to_write(Path(output))
        new_file(Path(output), force, [*codes, *_files(name, root)])
    tally = Tally()
    standoff = chain.from_iterable(map(read_standoff, codes))
    conversations = with_standoff(corpora.load(name, root), standoff, only_coded)
    write_conversations(tally.over(conversations), output, layout=layout)
    click.echo(
        f"{name}: {tally.conversations} conversations, {tally.messages} messages, "
        f"{tally.counselor_messages} by counselors; of these {tally.with_gold} with gold, "
        f"{tally.with_code} with codes known to apply.",
        err=True,
    )


@command.command(epilog="Example:  mi-code corpora stats esconv.jsonl annomi.jsonl")
@click.argument("files", nargs=-1, required=True)
@reading_options()
def stats(files: tuple[str, ...], reading: Reading) -> None:
    """Count the messages to which each code is known to apply, by corpus and split.

    "OQ or CQ" counts messages to which at least one of the two applies, without its being known which.
    """
    options = reading.options(overwrite=True)
    tallies = by_part(conversation for file in files for conversation in read_conversations(file, options))
    click.echo("\n".join(_table(tallies)))


def _files(name: str, root: Path) -> list[Path]:
    """The files of a corpus that are read."""
    about = corpora.info(name)
    folder = locate(about, root)
    return [folder / file for file in about.files + about.optional]


def _table(tallies: Mapping[str, Tally]) -> list[str]:
    """Lines of a table with a column per part: codes, sets of codes, and totals."""
    book = Codebook.load()
    parts = list(tallies.values())
    rows = [(code, [part.positives[code] for part in parts]) for code in book.ids]
    for group in dict.fromkeys(group for part in parts for group in part.any_of):
        name = " or ".join(book.in_order(group))
        rows.append((name, [part.any_of[group] for part in parts]))
    rows.append(("conversations", [part.conversations for part in parts]))
    rows.append(("counselor messages", [part.counselor_messages for part in parts]))
    rows.append(("with gold", [part.with_gold for part in parts]))
    first = max(len(name) for name, _ in rows)
    widths = [max(len(part), 7) for part in tallies]
    lines = [("", list(tallies)), *((name, [str(count) for count in counts]) for name, counts in rows)]
    return [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])
        for name, cells in lines
    ]
