"""`mi-code agreement`: how far codings of the same messages agree."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mi_coder.cli.options import choice, force_option
from mi_coder.cli.target import new_file, show, show_report

if TYPE_CHECKING:
    from mi_coder.annotation.agreement import By
    from mi_coder.annotation.agreement_report import Style

EXAMPLE = """\b
Examples:
  mi-code agreement annotations/esconv/round1.csv annotations/esconv/round2.csv
  mi-code agreement ann.jsonl ben.jsonl cleo.jsonl --by pair --as csv -o agreement.csv
  mi-code agreement round1.csv round2.csv --confusions 10
"""

CONFUSIONS = 20


class Most(click.IntRange):
    """How many rows of a table; says what to do if the name of a file follows instead."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Read a number from 1.

        Raises:
            click.BadParameter: it is none.
        """
        try:
            return int(super().convert(value, parameter, context))
        except click.BadParameter:
            self.fail(
                f"{value!r} is not a number of at least 1. Write one, or put --confusions last.", parameter, context
            )


@click.command("agreement", epilog=EXAMPLE)
@click.argument("codes", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@choice(
    "--by",
    values=["all", "pair", "coder", "round"],
    help="Compare all codings together, or by pair of coders, coder or round; see above.",
)
@click.option(
    "--confusions",
    "most",
    type=Most(min=1),
    is_flag=False,
    flag_value=CONFUSIONS,
    metavar="[N]",
    help="Show confusions (which code one coder gives where another gives a different one), with ids of the messages: "
    "the N most frequent, 20 without N. With --as csv they replace the figures.",
)
@click.option("--samples", default=2000, show_default=True, type=click.IntRange(0, 100_000), help="Bootstrap samples.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of these samples.")
@choice("--as", "style", values=["table", "markdown", "json", "csv"], help="How the figures are written.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the report. Default: standard output.")
@force_option()
def command(
    codes: tuple[Path, ...],
    by: "By",
    most: int | None,
    samples: int,
    seed: int,
    style: "Style",
    output: Path | None,
    force: bool,
) -> None:
    """How well coders agree on the messages that the files CODES... code at least twice.

    CODES are files of codes (CSV with the columns conversation_id, index and codes, and further ones if you have them)
    or chats whose messages have a field gold, one file for each coder. There may be many coders, and not all need to
    code each message.

    Per code, as present or absent: Krippendorff's alpha, Fleiss' kappa, Cohen's kappa (mean over pairs of coders),
    Gwet's AC1, and agreement on its presence (positive) and absence (negative). Then alpha on the sets of codes (MASI),
    and depth, permission and reason among coders who agree on the code. Intervals are 95%, over conversations.

    --by pair compares each pair of coders, --by coder each coder with the others, --by round the coders of the same
    round. Of a coder's rounds the last one counts; --by pair also compares the rounds, and so does --by all if there is
    only one coder. The report contains ids of messages, never their text.
    """
    if output:
        new_file(output, force, codes)
    from mi_coder.annotation.agreement_report import report
    from mi_coder.annotation.codings import read_units, unchecked

    made = report(read_units(codes), by, samples, seed, most)
    outside = made.notes if style in ("json", "csv") else ()
    for line in filter(None, (*outside, unchecked(codes))):
        show(line, err=True)
    show_report(made.render(style), output, style)
