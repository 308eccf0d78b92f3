"""The result of a training: its figures, and where the model is."""

import math
from typing import TYPE_CHECKING

import click

from mi_coder.evaluation import render

if TYPE_CHECKING:
    from mi_coder.evaluation.report import Versus
    from mi_coder.training.run import TrainReport


def show(report: "TrainReport", test: bool) -> None:
    """Figures on the dev part on standard output, what else is to be said on standard error.

    Args:
        test: also the figures on the test part.
    """
    click.echo(
        f"{'part':<6}{'messages':>10}{'codes':>7}{'macro-F1':>10}{'TF-IDF':>9}  difference with its 95% interval"
    )
    for part, figures in [("dev", report.dev), *([("test", report.test)] if test else [])]:
        counted = sum(row.counted for row in figures.rows)
        click.echo(f"{part:<6}{figures.messages:>10}{counted:>7}{_versus(figures.macro)}")
        if not counted:
            click.echo(
                f"No code has {figures.options.min_support} messages in {part}, so there is no macro-F1. Exact match "
                f"there: {render.versus(figures.exact)}.",
                err=True,
            )
    if report.config.untrained:
        click.echo(f"Codes that it cannot give, for lack of gold: {', '.join(report.config.untrained)}.", err=True)
    click.echo(
        f"The model is in {report.folder}. What it can and cannot do, on the test part too: "
        f"{report.folder / 'MODEL_CARD.md'}",
        err=True,
    )


def _versus(macro: "Versus") -> str:
    values = (macro.coder.value, macro.baseline.value if macro.baseline else math.nan)
    own, beside = ("–" if math.isnan(value) else f"{value:.3f}" for value in values)
    return f"{own:>10}{beside:>9}  {render.figure(macro.difference, '+')}"
