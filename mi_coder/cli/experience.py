"""`mi-code experience`: technique use against counselors' experience."""

from pathlib import Path

import click

from mi_coder.cli.options import force_option
from mi_coder.cli.studies import OVERWRITE, folder_for, need_analysis
from mi_coder.cli.target import show

EXAMPLE = """\b
Example:
  mi-code experience study.yaml -o experience/

\b
The study file says what experience is:
  experience:
    time: started_at     # experience is the number of the counselor's earlier chats; or field: a column
    min_chats: 5
"""


@click.command("experience", epilog=EXAMPLE)
@click.argument("study", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: STUDY.experience]")
@force_option(OVERWRITE)
def command(study: Path, output: Path | None, force: bool) -> None:
    """Relate technique use to counselors' experience, as a STUDY file says.

    Pooled slopes and slopes within and between counselors side by side, use by months since the first chat for all and
    for those who stayed, and a figure of counselors' curves for each technique. Codes are the tagger's: label_error
    corrects them in `mi-code relate` alone.

    The folder contains report.html and report.md, tables as CSV and LaTeX, and figures as SVG and PNG.
    """
    need_analysis()
    from mi_coder.outcomes.study.experience import run_experience
    from mi_coder.outcomes.study.experience_writing import write_experience
    from mi_coder.outcomes.study.spec import read_study

    spec = read_study(study)
    output = folder_for(study, spec, output, ".experience", force)
    show(write_experience(run_experience(spec, study.parent), spec, study.parent, output, force))
    click.echo(f"Look at {output}/report.html", err=True)
