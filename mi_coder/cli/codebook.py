"""`mi-code codebook`: list, explain, translate and export the codes."""

from collections.abc import Callable
from pathlib import Path

import click

from mi_coder.cli.options import force_option
from mi_coder.cli.target import new_file
from mi_coder.codebook import GROUPINGS, STANDINGS, SUBSETS, Code, Codebook
from mi_coder.crosswalk import Translation
from mi_coder.errors import UsageProblem

EXPORTS = ("markdown", "json", "csv", "label-studio")

EPILOG = """\b
Examples:
  mi-code codebook                             # all codes, one line each
  mi-code codebook OQ "raise concern"          # explain two codes
  mi-code codebook --set shah17 --group misc   # the paper's codes as MISC groups them
  mi-code codebook --translate esconv Question
  mi-code codebook --export label-studio -o label_studio.xml
"""


@click.command(epilog=EPILOG)
@click.argument("names", metavar="[CODE]...", nargs=-1)
@click.option("--set", "subset", default="all", show_default=True, metavar="SET", help=f"One of {', '.join(SUBSETS)}.")
@click.option(
    "--group",
    "grouping",
    metavar="GROUPING",
    help=f"Group the list by adherent, neutral or non-adherent, as one of {', '.join(GROUPINGS)} has it.",
)
@click.option(
    "--translate",
    "scheme",
    metavar="SCHEME",
    help="Take the arguments as labels that one message has in another scheme (misc25, miti421, annomi, welivita or "
    "esconv), and show our codes.",
)
@click.option("--export", type=click.Choice(EXPORTS), help="Write the whole codebook in this format.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for --export; else standard output.")
@force_option()
def command(
    names: tuple[str, ...],
    subset: str,
    grouping: str | None,
    scheme: str | None,
    export: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """List the codes, or explain the CODEs given by id or name.

    In the definitions, member means the client, and listener the counselor.
    """
    book = Codebook.load()
    if output and not export:
        raise UsageProblem("-o needs --export. Example:  mi-code codebook --export csv -o codebook.csv")
    if export and (names or scheme or grouping or subset != "all"):
        raise UsageProblem("--export writes the whole codebook; leave out the codes and the other options.")
    if (names or scheme) and (grouping or subset != "all"):
        raise UsageProblem("--set and --group are for the list of codes; leave them out, or leave out everything else.")
    if export:
        _write(_renderer(export)(book), output and new_file(output, force))
    elif scheme:
        click.echo(_translation_text(book, _translated(book, scheme, names)))
    elif names:
        from mi_coder.codebook_export import explain

        click.echo("\n".join(explain(book, book[name]) for name in names), nl=False)
    else:
        click.echo(_listing(book, subset, grouping))


def _renderer(export: str) -> Callable[[Codebook], str]:
    from mi_coder import codebook_export
    from mi_coder.annotation.label_config import label_config

    renderers = {
        "markdown": codebook_export.to_markdown,
        "json": codebook_export.to_json,
        "csv": codebook_export.to_csv,
        "label-studio": label_config,
    }
    return renderers[export]


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text.encode(), nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageProblem(f"Cannot write {output}: {error.strerror}.") from error
    click.echo(f"Wrote {output}.", err=True)


def _listing(book: Codebook, subset: str, grouping: str | None) -> str:
    ids = book.subset(subset)
    codes = [code for code in book.codes if code.id in ids]
    if grouping is None:
        return _rows(codes)
    blocks = []
    for title, match in (*((standing, standing) for standing in STANDINGS), ("depends on permission", None)):
        members = [code for code in codes if code.standing(grouping) == match]
        if members:
            blocks.append(f"{title}\n{_rows(members)}")
    return "\n\n".join(blocks)


def _rows(codes: list[Code]) -> str:
    rows = [("id", "key", "set", "name", "definition")]
    rows += [(code.id, code.hotkey, code.set, code.name, code.definition) for code in codes]
    columns = [_padded(column) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def _padded(cells: tuple[str, ...]) -> list[str]:
    width = max(map(len, cells))
    return [cell.ljust(width) for cell in cells]


def _translated(book: Codebook, scheme: str, labels: tuple[str, ...]) -> Translation:
    if not labels:
        names = ", ".join(label.label for label in book.scheme(scheme).labels)
        raise UsageProblem(f"--translate needs one or more labels of {scheme}: {names}.")
    return book.translate_labels(scheme, labels)


def _translation_text(book: Codebook, translation: Translation) -> str:
    lines = [
        ("applies", _in_order(book, translation.positive)),
        *(("at least one of", _in_order(book, group)) for group in translation.any_of),
        ("does not apply", _in_order(book, translation.negative)),
        ("unknown", _in_order(book, translation.unknown)),
        ("depth", translation.depth or "-"),
        ("permission", translation.permission or "-"),
    ]
    return "\n".join(f"{title + ':':<17}{value}" for title, value in lines)


def _in_order(book: Codebook, codes: frozenset[str]) -> str:
    return " ".join(book.in_order(codes)) or "-"
