"""`mi-code agreement`: how far codings of the same messages agree."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mi_coder.cli.options import choice

if TYPE_CHECKING:
    from mi_coder.annotation.agreement import Agreement

EXAMPLE = """\b
Example:
  mi-code agreement annotations/esconv/round1.csv annotations/esconv/round2.csv
"""

_HEADER = ("code", "messages", "share", "alpha", "positive", "reading")


@click.command("agreement", epilog=EXAMPLE)
@click.argument("codes", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--samples", default=2000, show_default=True, type=click.IntRange(0, 100_000), help="Bootstrap samples.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@choice("--as", "style", values=["table", "markdown", "json"], help="How the figures are written.")
def command(codes: tuple[Path, ...], samples: int, seed: int, style: str) -> None:
    """Krippendorff's alpha per code over the messages that the files CODES... code at least twice.

    CODES are stand-off files (CSV with conversation_id, index, codes ...). Each code is compared as present or absent;
    intervals are 95 %, over conversations.
    """
    from mi_coder.annotation.agreement import agreements, exact_match
    from mi_coder.annotation.codings import read_units
    from mi_coder.errors import UsageProblem
    from mi_coder.evaluation.render import table

    units = [unit for unit in read_units(codes) if len(unit.codings) > 1]
    if not units:
        raise UsageProblem(
            "No message is coded twice. Name files of two coders, or of two rounds, of the same messages."
        )
    rows = agreements(units, samples, seed)
    exact = exact_match(units)
    if style == "json":
        click.echo(json.dumps({"messages": len(units), "exact": exact, "rows": [_defined(row) for row in rows]}))
        return
    conversations = len({unit.conversation for unit in units})
    click.echo(
        f"{len(units)} messages of {conversations} conversations coded at least twice; "
        f"{exact:.0%} of the pairs have the very same codes.\n"
    )
    click.echo(table(_HEADER, [_cells(row) for row in rows], markdown=style == "markdown"))


def _defined(row: "Agreement") -> dict[str, object]:
    values = asdict(row) | {"verdict": row.verdict}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def _cells(row: "Agreement") -> list[str]:
    from mi_coder.evaluation.render import UNDEFINED, interval, number

    share = UNDEFINED if math.isnan(row.share) else f"{row.share:.1%}"
    alpha = f"{number(row.alpha)}{interval(row.low, row.high)}"
    return [row.name, str(row.units), share, alpha, number(row.positive), row.verdict]
