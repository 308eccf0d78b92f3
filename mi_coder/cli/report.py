"""`mi-code report`: one page about tagged chats."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.options import choice, force_option, unit_option
from mi_coder.cli.progress import Steps
from mi_coder.cli.target import new_file

if TYPE_CHECKING:
    from mi_coder.measures.tally import Unit

EXAMPLE = """\b
Examples:
  mi-code report chats.tagged.jsonl -o report.html
  mi-code report chats.tagged.jsonl -o report.html --counselor counselor_id --time started_at
  mi-code report chats.tagged.jsonl -o report.html --validation gold.tagged.jsonl --outcomes out/
"""
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("report", epilog=EXAMPLE)
@click.argument("tagged", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The page (HTML).")
@click.option("--counselor", default="", metavar="FIELD", help="Field with the counselor.")
@click.option("--time", default="", metavar="FIELD", help="Field with the date or time of the chat.")
@choice("--period", values=["month", "week", "year"], help="Steps of the pictures over time.")
@unit_option()
@click.option(
    "--min-chats",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Leave counselors with fewer chats, and their periods with fewer, out of tables and pictures.",
)
@click.option("--validation", type=click.Path(dir_okay=False), help="Tagged chats that have gold codes too.")
@click.option("--agreement", type=_FILE, help="Report of mi-code agreement --as json.")
@click.option("--outcomes", type=click.Path(file_okay=False, path_type=Path), help="Folder of mi-code relate.")
@click.option("--include-text", is_flag=True, help="Show messages. They are private: take care who gets the page.")
@click.option("--title", default="Use of techniques", show_default=True, help="Title of the page.")
@force_option("Overwrite an existing page.")
def command(
    tagged: tuple[str, ...],
    output: Path,
    counselor: str,
    time: str,
    period: str,
    unit: "Unit",
    min_chats: int,
    validation: str | None,
    agreement: Path | None,
    outcomes: Path | None,
    include_text: bool,
    title: str,
    force: bool,
) -> None:
    """Write one page about TAGGED chats: use of codes, counselors over time, order in chats, quality of the tagger.

    The page is one file without scripts that loads nothing from the network. It shows no message text unless you ask
    for it with --include-text.
    """
    keep_blas_to_one_thread()
    from mi_coder.formats.atomic import atomic_file, permissions
    from mi_coder.report.build import ReportOptions, build_report

    new_file(output, force, [Path(path) for path in (*tagged, validation, agreement) if path])
    options = ReportOptions(
        counselor=counselor,
        time=time,
        period=period,
        unit=unit,
        min_chats=min_chats,
        validation=validation or "",
        agreement=agreement,
        outcomes=outcomes,
        include_text=include_text,
        title=title,
    )
    with closing(Steps("counselors")) as steps:
        html = build_report(tagged, options, steps)
    texts = map(Path, tagged) if include_text else ()
    with atomic_file(output, permissions(output, texts)) as file:
        file.write(html.encode())
    click.echo(f"Open {output} in a browser.", err=True)
