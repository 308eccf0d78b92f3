"""A matched comparison as text and as a folder."""

from pathlib import Path

import pandas as pd

from mi_coder.outcomes import figures
from mi_coder.outcomes.study.history import exploratory, recorded
from mi_coder.outcomes.study.match import Matched
from mi_coder.outcomes.study.spec import Study
from mi_coder.outcomes.tables import to_markdown


def matched_report(matched: Matched) -> str:
    """In Markdown: sentences, balance of every attempt, estimates, bounds, and who was left out."""
    bounds = pd.DataFrame([{"gamma": bound.gamma, "p_from": bound.low, "p_to": bound.high} for bound in matched.bounds])
    parts = [
        "# Matched comparison",
        *(f"- {sentence}" for sentence in matched.sentences()),
        "\n## Balance\n",
        to_markdown(matched.balance_table()),
        "\n## Estimates\n",
        to_markdown(matched.tidy()),
    ]
    if matched.random_effects is not None:
        parts += ["\n## Matched rows with a random effect for the client\n", to_markdown(matched.random_effects)]
    parts += [
        "\n## Rosenbaum bounds: p if treatment were up to gamma times as likely in one row of a pair\n",
        to_markdown(bounds),
        "\n## Left out, and why\n",
        *([f"- {count:,}: {reason}" for reason, count in matched.dropped.items()] or ["- nobody"]),
        *(f"- {note}" for note in matched.notes),
    ]
    return "\n".join(parts) + "\n"


def write_matched(matched: Matched, study: Study, folder: Path, output: Path) -> str:
    """Write report, tables, love plot and overlap to `output`, and return the report.

    Args:
        folder: what the paths in the study start from.
    """
    with recorded(study, folder, output) as facts:
        note = exploratory(facts)
        report = (f"{note}\n\n" if note else "") + matched_report(matched)
        (output / "report.md").write_text(report, encoding="utf-8")
        matched.tidy().to_csv(output / "estimates.csv", index=False)
        matched.balance_table().to_csv(output / "balance.csv", index=False)
        if matched.random_effects is not None:
            matched.random_effects.to_csv(output / "random_effects.csv", index=False)
        figures.save(matched.love_plot(), output / "love_plot")
        figures.save(matched.overlap_plot(), output / "overlap")
    return report
