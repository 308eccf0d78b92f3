"""Technique use against experience as text and as a folder."""

from pathlib import Path

from mi_coder.outcomes import figures
from mi_coder.outcomes.study.experience import ExperienceResult
from mi_coder.outcomes.study.history import exploratory, recorded
from mi_coder.outcomes.study.spec import Study
from mi_coder.outcomes.tables import to_markdown


def write_experience(result: ExperienceResult, study: Study, folder: Path, output: Path) -> str:
    """Write report, tables and a picture of each technique to `output`, and return the report.

    Args:
        folder: what the paths in the study start from.
    """
    with recorded(study, folder, output) as facts:
        report = _report(result, exploratory(facts))
        (output / "report.md").write_text(report + "\n", encoding="utf-8")
        result.tidy().to_csv(output / "tidy.csv", index=False)
        if result.tenure is not None:
            result.tenure.to_csv(output / "tenure.csv", index=False)
        if result.stays is not None:
            result.stays.tidy().to_csv(output / "who_stays.csv", index=False)
        if result.fixed.codes:
            result.fixed.tidy().to_csv(output / "counselor_effects.csv", index=False)
        for found in result.found.codes:
            figures.save(result.plot(found.code), output / f"curves_{found.code.lower()}")
    return report


def _report(result: ExperienceResult, exploratory: str) -> str:
    left_out = [f"{count:,}: {reason}" for reason, count in result.dropped.items()]
    return "\n".join(
        [
            "# Technique use and experience",
            *([f"- {exploratory}"] if exploratory else []),
            *(f"- {sentence}" for sentence in result.sentences()),
            "\nRate ratios per doubling of 1 + experience:\n",
            to_markdown(result.table()),
            "\n## Left out, and why\n",
            *(f"- {line}" for line in [*left_out, *result.notes] or ["nothing"]),
        ]
    )
