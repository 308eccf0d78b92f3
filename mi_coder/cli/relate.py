"""`mi-code relate`: a study file in, a folder with tables, figures and a report out."""

from pathlib import Path
from time import monotonic

import click

from mi_coder.cli.options import force_option
from mi_coder.cli.studies import OVERWRITE, folder_for, need_analysis
from mi_coder.cli.target import show

CHECK = (
    "Check keys, values and codes of the study, show it with all defaults, and stop. Chats are not read: whether its "
    "files and columns exist turns out when it is run."
)
EXAMPLE = """\b
Example:
  mi-code relate --example > study.yaml      # a study file to fill in
  mi-code relate study.yaml -o out/          # tables, figures, report.html
  mi-code relate study.yaml --check          # show it with all defaults; fit nothing
"""

STUDY = """\
# Which chats, and what is known of them. Paths start from the folder of this file.
data:
  chats: [transcripts.tagged.jsonl]   # written by mi-code tag; ratings and scores are fields beside `messages`
  # outcomes: outcomes.csv            # or in a table, one row per chat, joined by the column `id`
  id: conversation_id
  counselor: counselor_id
  # client: client_id
outcomes:
  - {name: rating, type: rating, levels: [1, 2, 3, 4, 5]}
  # - {name: depression, type: symptom, scale: PHQ-9, before: phq9_pre, after: phq9_post}
  # - {name: worry, type: symptom, scale: GAD-2, before: [gad1_pre, gad2_pre], after: [gad1_post, gad2_post]}  # items
  # - {name: distress, type: change, before: distress_pre, after: distress_post}
techniques:
  form: share              # or count, presence
  reference: [OT, CC]      # whose share falls where that of another code rises
  within_between: true     # a counselor's chats compared with each other, and counselors compared
  min_chats: 30
covariates:
  - log_messages           # log of the number of coded messages
  # - {field: earlier_chats, transform: log1p}
# label_error:             # gold codes of a random part of the chats correct for the tagger's errors
#   gold: [gold.jsonl]
#   sampling: random
inference: {alpha: 0.05, adjust: bh, family: outcome}
seed: 1
"""


def _show_example(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(STUDY.encode(), nl=False)
        context.exit()


@click.command("relate", epilog=EXAMPLE)
@click.argument("study", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: STUDY.results]")
@click.option("--check", is_flag=True, help=CHECK)
@click.option(
    "--example",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_example,
    help="Show a study file to fill in.",
)
@force_option(OVERWRITE)
def command(study: Path, output: Path | None, check: bool, force: bool) -> None:
    """Relate technique use to outcomes, as a STUDY file says.

    With gold codes of part of the chats (label_error), slopes within counselors, or pooled ones, are corrected for the
    tagger's errors. The folder contains report.html and report.md, tables as CSV and LaTeX, figures as SVG and PNG, the
    study with all defaults, and the hashes of study, data and codebook. A run with a changed study file is marked
    exploratory, in the same folder or on the same outcomes of the same data.
    """
    need_analysis()
    from mi_coder.outcomes.study.run import run_study
    from mi_coder.outcomes.study.spec import read_study
    from mi_coder.outcomes.study.writing import write_result

    spec = read_study(study)
    if check:
        click.echo(spec.to_yaml().encode(), nl=False)
        return
    output = folder_for(study, spec, output, ".results", force)
    click.echo(f"{study}: {spec.digest}", err=True)
    start = monotonic()
    result = write_result(run_study(spec, study.parent), study.parent, output, force)
    for outcome, model in result.headlines():
        show(f"{outcome}: {model}\n\n{result.to_markdown(outcome, model)}\n")
    for sentence in result.sentences:
        show(f"- {sentence}")
    if result.notes:
        click.echo("\nLeft out, and why:")
        for note in result.notes:
            show(f"- {note}")
    click.echo(
        f"{monotonic() - start:.0f} s. Look at {output}/report.html; study.resolved.yaml beside it has all defaults.",
        err=True,
    )
