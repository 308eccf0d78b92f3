"""A matched comparison as a report."""

from pathlib import Path

import pandas as pd

from mi_coder.outcomes.study.document import Document, Picture, Section, Table, to_markdown, write_document
from mi_coder.outcomes.study.match import Matched
from mi_coder.outcomes.study.spec import Study
from mi_coder.outcomes.tables import interval_text, level_text, p_text

_ENDS = ("p_from", "p_to")
BOUNDS = (
    "p, one-sided in the direction of the estimate, if the odds of treatment in one row of a pair were up to gamma "
    "times those in the other"
)


def matched_document(matched: Matched) -> Document:
    """Sentences, estimates, balance of every attempt, bounds, and who was left out."""
    bounds = pd.DataFrame([{"gamma": bound.gamma, "p_from": bound.low, "p_to": bound.high} for bound in matched.bounds])
    caption = f"Treated minus untreated, with {level_text(matched.alpha)}"
    data = {"estimates": matched.tidy(), "balance": matched.balance_table(), "bounds": bounds}
    sections = [
        Section("Estimates", [Table(_estimates(matched), caption=caption)]),
        Section(
            "Balance",
            [
                Picture(matched.love_plot(), "love_plot", "love", "Differences before and after matching"),
                Table(_balance(matched), caption="Standardized mean differences (SMD) of each attempt"),
                Picture(matched.overlap_plot(), "overlap", "overlap", "Propensity scores of both groups"),
            ],
        ),
    ]
    if matched.random_effects is not None:
        data["random effects"] = matched.random_effects
        sections.append(Section("Matched rows with a random effect for the client", [Table(matched.random_effects)]))
    sections.append(
        Section(
            "Rosenbaum bounds",
            [
                Table(
                    _readable(bounds).assign(**{name.replace("_", " "): bounds[name].map(p_text) for name in _ENDS}),
                    caption=BOUNDS,
                )
            ],
        )
    )
    left_out = [f"{count:,} chat{'' if count == 1 else 's'}: {reason}" for reason, count in matched.dropped.items()]
    return Document("match", "Matched comparison", matched.sentences(), sections, (*left_out, *matched.notes), data)


def _balance(matched: Matched) -> pd.DataFrame:
    table = _readable(matched.balance_table())
    return table.assign(balanced=table["balanced"].map({True: "yes", False: "no"}))


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=lambda name: name.replace("_", " "))


def _estimates(matched: Matched) -> pd.DataFrame:
    """A line per estimate, the interval before p."""
    return pd.DataFrame(
        {
            "method": row["method"],
            "estimate": interval_text(row["estimate"], row["ci_low"], row["ci_high"]),
            "p": p_text(row["p"]),
            "rows": int(row["n"]),
            "standard errors": row["errors"],
        }
        for _, row in matched.tidy().iterrows()
    )


def write_matched(matched: Matched, study: Study, folder: str | Path, output: str | Path, force: bool = False) -> str:
    """Write report, tables, love plot and overlap to `output`, and return the report in Markdown, without pictures.

    Args:
        folder: what the paths in the study start from.
        force: as in `write_document`.

    Raises:
        UsageProblem: a file is in the way, as `history.refuse_to_overwrite` says.
    """
    return to_markdown(write_document(matched_document(matched), study, folder, output, force), pictures=False)
