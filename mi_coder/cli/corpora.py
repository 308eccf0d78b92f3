"""`mi-code corpora`: public data sets as coded conversations."""

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import click

from mi_coder import corpora
from mi_coder.batch.paths import STDIO
from mi_coder.cli.options import Group, choice, force_option
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_file
from mi_coder.codebook import Codebook
from mi_coder.corpora.source import locate
from mi_coder.corpora.splits import read_splits, with_splits
from mi_coder.corpora.standoff import hashed, read_standoff, with_standoff
from mi_coder.corpora.tally import CorpusPart, Tally, by_part, count_rows
from mi_coder.errors import UsageProblem
from mi_coder.formats import Layout, read_conversations, write_conversations
from mi_coder.formats.writing import format_to_write

_ZERO = (
    '0: no message is known to have the code. Labels may not tell it apart (see the lines with "or"), or not have it.'
)


@click.group(epilog="Example:  mi-code corpora list", cls=Group)
def command() -> None:
    """Read public data sets as conversations with gold codes."""


@command.command("list", epilog="Example:  mi-code corpora list")
def list_corpora() -> None:
    """Show the corpora: what they contain, their licenses, where their gold codes come from, how to cite them."""
    for name in corpora.names():
        about = corpora.info(name)
        lines = {
            "contains": about.content,
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
    help="The folder with the folders of all corpora, or the folder of this corpus.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    help="The file to write (.jsonl, .csv or .tsv, each also with .gz or .zst, or .parquet); - for JSONL on stdout.",
)
@force_option()
@choice("--layout", values=["conversation", "message"], help="One conversation or one message per line.")
@click.option(
    "--codes",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Files of codes that replace the corpus's own labels. Repeatable.",
)
@click.option("--only-coded", is_flag=True, help="With --codes: leave out the conversations that have none.")
@click.option(
    "--splits",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the part of every conversation (annotations/splits.csv), which goes into the field 'split'.",
)
def convert(
    name: str,
    root: Path,
    output: str,
    force: bool,
    layout: Layout,
    codes: tuple[Path, ...],
    only_coded: bool,
    splits: Path | None,
) -> None:
    """Write the corpus NAME as conversations with gold codes."""
    if only_coded and not codes:
        raise UsageProblem("--only-coded needs --codes: the file with the codes of the conversations to keep.")
    if output != STDIO:
        format_to_write(Path(output))
        new_file(Path(output), force, [*codes, *([splits] if splits else []), *_files(name, root)])
    tally = Tally()
    standoff = hashed(chain.from_iterable(map(read_standoff, codes)))
    conversations = with_standoff(corpora.load(name, root), standoff, only_coded)
    if splits:
        own = [split for split in read_splits(splits) if split.corpus == name]
        if own:
            conversations = with_splits(conversations, own)
        else:
            click.echo(f"{splits} has no rows of {name}: its conversations get no field 'split'.", err=True)
    write_conversations(tally.over(conversations), output, layout=layout)
    click.echo(
        f"{name}: {tally.conversations} conversations, {tally.messages} messages, "
        f"{tally.counselor_messages} by counselors; of these {tally.with_gold} with gold, "
        f"{tally.with_code} with codes known to apply.",
        err=True,
    )


@command.command(epilog="Example:  mi-code corpora stats esconv.jsonl annomi.jsonl")
@click.argument("files", nargs=-1, required=True)
@choice("--as", "style", values=["text", "markdown", "json"], help="How the counts are written.")
@reading_options()
def stats(files: tuple[str, ...], style: str, reading: Reading) -> None:
    """Count the counselor messages to which each code is known to apply, by corpus and part (train, dev, test).

    The part is the field 'split'; without this field, it is the part into which training puts the conversation, by a
    hash of its source_group.

    "OQ or CQ" counts messages to which at least one of the two applies, when it is not known which.
    """
    options = reading.options(overwrite=True)
    tallies = by_part(conversation for file in files for conversation in read_conversations(file, options))
    if style == "json":
        click.echo(json.dumps({"parts": [_figures(key, tally) for key, tally in tallies.items()]}))
        return
    click.echo(_table(tallies, markdown=style == "markdown"))
    click.echo(f"\n{_ZERO}")
    if hashed := sum(tally.without_split for tally in tallies.values()):
        total = sum(tally.conversations for tally in tallies.values())
        click.echo(
            f"\n{hashed} of {total} conversations have no field 'split'. They are counted where training puts them: by "
            "the hash of their source_group."
        )


def _files(name: str, root: Path) -> list[Path]:
    """The files of a corpus that are read."""
    about = corpora.info(name)
    folder = locate(about, root)
    return [folder / file for file in about.files + about.optional]


def _table(tallies: Mapping[CorpusPart, Tally], markdown: bool) -> str:
    """A table with a column per part of a corpus; numbers stand at the right."""
    from mi_coder.evaluation.render import table

    names = [str(key) for key in tallies]
    widths = [max(len(name), 7) for name in names]
    rows = [
        [name, *(str(count).rjust(width) for count, width in zip(counts, widths, strict=True))]
        for name, counts in count_rows(tallies.values(), Codebook.load())
    ]
    header = [name.rjust(width) for name, width in zip(names, widths, strict=True)]
    return table(["code", *header], rows, markdown)


def _figures(key: CorpusPart, tally: Tally) -> dict[str, object]:
    """What a part of a corpus holds, as JSON."""
    book = Codebook.load()
    return {
        "corpus": key.corpus,
        "part": key.part,
        "conversations": tally.conversations,
        "without_split": tally.without_split,
        "messages": tally.messages,
        "counselor_messages": tally.counselor_messages,
        "with_gold": tally.with_gold,
        "with_code": tally.with_code,
        "codes": {code: tally.positives[code] for code in book.ids},
        "one_of": [{"codes": book.in_order(group), "messages": count} for group, count in tally.any_of.items()],
    }
