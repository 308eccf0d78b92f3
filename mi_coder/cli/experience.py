"""`mi-code experience`: technique use against counselors' experience."""

import json
from pathlib import Path

import click

from mi_coder.errors import need

EXAMPLE = """\b
Example:
  mi-code experience study.yaml -o experience/

The study file says what experience is:
  experience:
    time: started_at     # experience is the number of the counselor's earlier chats; or field: a column
    min_chats: 5
"""


@click.command("experience", epilog=EXAMPLE)
@click.argument("study", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: STUDY.experience]")
def command(study: Path, output: Path | None) -> None:
    """Relate technique use to counselors' experience, as a STUDY file says.

    Pooled slopes and slopes within and between counselors side by side, use by months since the first chat for all and
    for those who stayed, and a picture of counselors' curves for each technique.
    """
    for module in ("pandas", "scipy", "statsmodels", "matplotlib"):
        need(module, extra="analysis")
    from mi_coder.outcomes import figures
    from mi_coder.outcomes.study.experience import run_experience
    from mi_coder.outcomes.study.history import LOG, add_to_log, exploratory, provenance
    from mi_coder.outcomes.study.spec import read_study
    from mi_coder.outcomes.tables import to_markdown

    spec = read_study(study)
    result = run_experience(spec, study.parent)
    output = output or study.with_suffix(".experience")
    output.mkdir(parents=True, exist_ok=True)
    facts = provenance(spec, study.parent, output / LOG)
    left_out = [f"{count:,}: {reason}" for reason, count in result.dropped.items()]
    report = "\n".join(
        [
            "# Technique use and experience",
            *([f"- {exploratory(facts)}"] if facts["exploratory"] else []),
            *(f"- {sentence}" for sentence in result.sentences()),
            "\nRate ratios per doubling of 1 + experience:\n",
            to_markdown(result.table()),
            "\n## Left out, and why\n",
            *(f"- {line}" for line in [*left_out, *result.notes] or ["nothing"]),
        ]
    )
    (output / "report.md").write_text(report + "\n", encoding="utf-8")
    (output / "study.resolved.yaml").write_text(spec.to_yaml(), encoding="utf-8")
    (output / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    result.tidy().to_csv(output / "tidy.csv", index=False)
    if result.tenure is not None:
        result.tenure.to_csv(output / "tenure.csv", index=False)
    if result.stays is not None:
        result.stays.tidy().to_csv(output / "who_stays.csv", index=False)
    if result.fixed.codes:
        result.fixed.tidy().to_csv(output / "counselor_effects.csv", index=False)
    for found in result.found.codes:
        figures.save(result.plot(found.code), output / f"curves_{found.code.lower()}")
    add_to_log(output / LOG, facts)
    click.echo(report)
    click.echo(f"Tables and curves are in {output}.", err=True)
