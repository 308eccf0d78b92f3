"""`mi-code power`: how many chats and gold chats a study needs, and which chats to code."""

from pathlib import Path

import click

from mi_coder.cli.options import force_option
from mi_coder.cli.studies import need_analysis
from mi_coder.cli.target import new_file, show

EXAMPLE = """\b
Examples:
  mi-code power study.yaml --width 0.4                       # pilot with gold chats in label_error.gold
  mi-code power study.yaml --width 0.4 --tagger tagger.csv   # else: the tagger's precision and recall
  mi-code power study.yaml --width 0.4 --gold 400 -o chances.csv
  mi-code sample chats.jsonl -o to_code.csv --n 400 --unit conversation \\
      --design given --chances chances.csv
"""


@click.command("power", epilog=EXAMPLE)
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--width",
    required=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Wanted width of intervals, on the scale of the estimates: log odds ratio or points. 0.4 in log odds ratio "
    "is, "
    "for an odds ratio of 1, an interval from 0.82 to 1.22.",
)
@click.option(
    "--chats",
    multiple=True,
    type=click.IntRange(min=1),
    help="Chats in all. Repeatable.  [default: those there are, 2, 5 and 10 times as many]",
)
@click.option(
    "--tagger",
    type=click.Path(path_type=Path),
    help="Table with the columns code, precision and recall, instead of gold chats.",
)
@click.option("--gold", type=click.IntRange(min=1), help="Gold chats to draw, for -o.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File for every chat's probability of being drawn (CSV)."
)
@force_option()
def command(
    study: Path,
    width: float,
    chats: tuple[int, ...],
    tagger: Path | None,
    gold: int | None,
    output: Path | None,
    force: bool,
) -> None:
    """Say how many chats, and how many with gold codes, a STUDY needs for intervals of a wanted width.

    It takes the clustering, the outcome and the use of codes from the chats of the study, and the tagger's errors from
    its gold chats or from a table. With -o it writes for every chat the probability of being drawn for coding, which is
    higher for more informative chats. `mi-code sample` draws by these probabilities, and later estimates stay valid
    with them.
    """
    need_analysis(pictures=False)
    from mi_coder.formats.atomic import atomic_file
    from mi_coder.outcomes.frame_guard import guarded
    from mi_coder.outcomes.study.history import data_files
    from mi_coder.outcomes.study.power import FEWEST, plan_study, read_tagger
    from mi_coder.outcomes.study.spec import read_study
    from mi_coder.outcomes.tables import to_markdown

    if (gold is None) != (output is None):
        raise click.UsageError("--gold and -o go together.")
    spec = read_study(study)
    if output:
        named = [study.parent / name for name in data_files(spec)]
        new_file(output, force, [study, *named, *([tagger] if tagger else [])])
    plan = plan_study(spec, study.parent, read_tagger(tagger) if tagger else None)
    now = plan.budget.n
    show(plan.summary())
    click.echo(f"Intervals of width {width:g}:\n")
    table = to_markdown(plan.table(width, chats or (now, 2 * now, 5 * now, 10 * now)))
    show(table)
    if FEWEST in table:
        click.echo(f"\n{plan.least()}")
    click.echo("\nMore chats are assumed to come from more counselors, with as many chats each as now.")
    if output is not None and gold is not None:
        with atomic_file(output) as file:
            file.write(guarded(plan.probabilities(gold)).to_csv(index=False).encode())
        click.echo(
            f"Draw {gold} chats by {output}:  mi-code sample CHATS -o to_code.csv --n {gold} --unit conversation "
            f"--design given --chances {output}",
            err=True,
        )
