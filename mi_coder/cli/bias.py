"""`mi-code bias`: how much shown suggestions influence coders."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.options import choice, force_option
from mi_coder.cli.target import new_file, show_report

if TYPE_CHECKING:
    from mi_coder.annotation.pull_report import Style

_EXAMPLE = """\b
Examples:
  mi-code studio pull "Night shift" -o codes.csv
  mi-code bias codes.csv --limit 0.1
"""


@click.command("bias", epilog=_EXAMPLE)
@click.argument("codes", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--limit", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Influence from which a code is named."
)
@click.option("--samples", default=2000, show_default=True, type=click.IntRange(0, 100_000), help="Bootstrap samples.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of these samples.")
@choice("--as", "style", values=["table", "markdown", "json"], help="How the report is written.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the report. Default: standard output.")
@force_option()
def command(
    codes: tuple[Path, ...],
    limit: float,
    samples: int,
    seed: int,
    style: "Style",
    output: Path | None,
    force: bool,
) -> None:
    """How much shown suggestions influence coders, per code, from files of `mi-code studio pull`.

    `mi-code studio push` hides the suggestions of a random share of the messages (--hidden) and records what they would
    have been. The influence on a code is how much more often it is chosen where its suggestion is shown than where it
    is hidden. If it exceeds --limit and its interval is above 0, the report names the --silent options of `mi-code
    studio push` that switch the suggestion off.
    """
    keep_blas_to_one_thread()
    if output:
        new_file(output, force, codes)
    from mi_coder.annotation.pull_of_suggestions import read_choices, suggestion_pull
    from mi_coder.annotation.pull_report import render

    rows, without = read_choices(codes)
    rendered = render(suggestion_pull(rows, without, limit, samples, seed), style)
    show_report(rendered, output, style)
