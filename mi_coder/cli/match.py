"""`mi-code match`: a matched comparison, its balance, and its sensitivity to hidden bias."""

from pathlib import Path

import click

from mi_coder.cli.options import force_option
from mi_coder.cli.studies import OVERWRITE, folder_for, need_analysis
from mi_coder.cli.target import show

EXAMPLE = """\b
Example:
  mi-code match study.yaml -o matched/

\b
The study file says what is compared:
  matching:
    technique: EA            # or treated: a column of 0 and 1
    high: any                # any use, or above the median; set it before looking at outcomes
    covariates: [phq9_pre, {field: earlier_chats, transform: log1p}]   # known before the chat
    caliper: 0.2
"""


@click.command("match", epilog=EXAMPLE)
@click.argument("study", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: STUDY.matched]")
@force_option(OVERWRITE)
def command(study: Path, output: Path | None, force: bool) -> None:
    """Compare chats with much and little of a technique, matched on what was known before, as a STUDY file says.

    Propensity score by logit, greedy 1:1 pairs within a caliper, balance before and after, the effect with standard
    errors clustered by pair, beside weighting and regression, the E-value, Rosenbaum bounds and a placebo. The report
    says if balance fails. Codes are the tagger's: label_error corrects them in `mi-code relate` alone.

    The folder contains report.html and report.md, tables as CSV and LaTeX, and figures as SVG and PNG.
    """
    need_analysis()
    from mi_coder.outcomes.study.match import run_matching
    from mi_coder.outcomes.study.match_writing import write_matched
    from mi_coder.outcomes.study.spec import read_study

    spec = read_study(study)
    output = folder_for(study, spec, output, ".matched", force)
    show(write_matched(run_matching(spec, study.parent), spec, study.parent, output, force))
    click.echo(f"Look at {output}/report.html", err=True)
