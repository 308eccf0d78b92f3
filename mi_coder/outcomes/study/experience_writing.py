"""Technique use against experience as a report."""

from pathlib import Path

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.outcomes.study.document import Document, Picture, Section, Table, stem_of, to_markdown, write_document
from mi_coder.outcomes.study.experience import ExperienceResult
from mi_coder.outcomes.study.spec import Study
from mi_coder.outcomes.tables import interval_text, level_text, p_text


def experience_document(result: ExperienceResult) -> Document:
    """Sentences, slopes, a picture of each technique, tenure, and who was left out."""
    level = level_text(result.found.alpha)
    ratios = f"Rate ratios per doubling of 1 + experience ({result.measure}), with {level}"
    label_of = Codebook.load().label_of
    data: dict[str, pd.DataFrame] = {"tidy": result.tidy()}
    sections = [
        Section("Slopes", [Table(result.table(), caption=ratios)]),
        Section(
            "Counselors' curves",
            [
                Picture(
                    result.plot(found.code), f"curves_{stem_of(found.code)}", "curves", f"Use of {label_of(found.code)}"
                )
                for found in result.found.codes
            ],
        ),
    ]
    further = []
    if result.tenure is not None:
        data["tenure"] = result.tenure
        caption = f"Percent of messages, of all counselors and of those who reached the last months, with {level}"
        further.append(Table(_tenure(result.tenure), "Use by months since the first chat", caption, folded=True))
    if result.stays is not None:
        data["who stays"] = result.stays.tidy()
        caption = (
            f"Percent of messages in first chats, and the ratio of those who stay to those who leave, with {level}"
        )
        if result.stays.codes:
            further.append(Table(_stays(data["who stays"]), "Who stays", caption, folded=True))
    if result.fixed.codes:
        data["counselor effects"] = result.fixed.tidy()
        further.append(
            Table(_ratios(data["counselor effects"]), "With an effect of each counselor", ratios, folded=True)
        )
    if further:
        sections.append(Section("Tenure, and who stays", further))
    left_out = [f"{count:,} chat{'' if count == 1 else 's'}: {reason}" for reason, count in result.dropped.items()]
    return Document(
        "experience",
        "Technique use and experience",
        result.sentences(),
        sections,
        (*left_out, *result.notes),
        data,
    )


def _tenure(tenure: pd.DataFrame) -> pd.DataFrame:
    """A line per technique and group, a column per months."""
    lines = []
    for (code, who), group in tenure.groupby(["code", "who"], sort=False):
        shares = {
            str(row["months"]): interval_text(*(100 * row[name] for name in ("share", "low", "high")))
            for _, row in group.iterrows()
        }
        lines.append({"technique": Codebook.load().label_of(str(code)), "counselors": who, **shares})
    return pd.DataFrame(lines).fillna("")


def _stays(stays: pd.DataFrame) -> pd.DataFrame:
    ratios = _ratios(stays)
    for name in ("share_stayers", "share_leavers"):
        ratios.insert(1, name.removeprefix("share_"), [f"{100 * share:.1f}" for share in stays[name]])
    return ratios


def _ratios(tidy: pd.DataFrame) -> pd.DataFrame:
    """A line per technique, the interval before p."""
    return pd.DataFrame(
        {
            "technique": Codebook.load().label_of(row["code"]),
            "ratio": interval_text(row["effect"], row["effect_low"], row["effect_high"]),
            "p": p_text(row["p"]),
            "q": p_text(row["q_bh"]),
        }
        for _, row in tidy.iterrows()
    )


def write_experience(
    result: ExperienceResult, study: Study, folder: str | Path, output: str | Path, force: bool = False
) -> str:
    """Write report, tables and a picture of each technique to `output`, and return the report in Markdown.

    Args:
        folder: what the paths in the study start from.
        force: as in `write_document`.

    Raises:
        UsageProblem: a file is in the way, as `history.refuse_to_overwrite` says.
    """
    return to_markdown(write_document(experience_document(result), study, folder, output, force), pictures=False)
