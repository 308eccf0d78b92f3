"""What a study can and cannot say, from its design alone."""

from collections.abc import Sequence

import pandas as pd

from mi_coder.outcomes.study.result import Result, code_name
from mi_coder.outcomes.study.spec import Study

_HARM = (
    "Outcomes stand side by side and are never merged into one score: what is rated well need not help, and advice was "
    "rated well and went with worse symptoms in published studies."
)


def what_can_be_said(result: Result, corrected: bool) -> tuple[str, ...]:
    """Sentences on findings, then on their limits."""
    study = result.study
    return (*_findings(result, corrected), *_limits(study, corrected))


def _findings(result: Result, corrected: bool) -> Sequence[str]:
    said = []
    for outcome, model in result.headlines():
        rows = result.tidy(outcome, model)
        shown = rows[rows["correction"] == "ptd"] if corrected and (rows["correction"] == "ptd").any() else rows
        shown = shown[shown["correction"] != "gold"]
        tested = shown["q_bh"].notna().sum()
        clear = shown[shown["q_bh"] < 0.05]
        size = f"{int(shown['n'].max()):,} chats" if len(shown) else "these chats"
        if clear.empty:
            said.append(
                f"{outcome}: of {tested} associations in {size}, none stands out from chance once all are counted (q < "
                ".05). That is no proof of none: read the width of the intervals."
            )
        else:
            said.append(
                f"{outcome}: of {tested} associations in {size}, {len(clear)} stand out from chance (q < .05): "
                + "; ".join(_finding(row) for _, row in clear.iterrows())
                + "."
            )
    return said


def _finding(row: "pd.Series[str]") -> str:
    level = {"within": " (a counselor's chats compared with each other)", "between": " (counselors compared)"}
    way = "higher" if float(row["estimate"]) > 0 else "lower"
    return (
        f"{code_name(row['code'])}{level.get(row['level'], '')} goes with {way} values, {row['effect']:.2f} "
        f"[{row['effect_low']:.2f}, {row['effect_high']:.2f}] ({row['unit']})"
    )


def _limits(study: Study, corrected: bool) -> Sequence[str]:
    said = [
        "These are associations. Nobody assigned techniques to chats: counselors choose them for clients who may have "
        "fared better or worse anyway (selection), and how a chat goes shapes what a counselor does next (reverse "
        "causation)."
    ]
    if study.techniques.within_between and study.data.counselor:
        said.append(
            "Differences within a counselor are free of what makes counselors differ (training, shifts, clients); "
            "differences between counselors are not."
        )
    else:
        said.append(
            "Differences within and between counselors are not told apart here: a technique may stand for the "
            "counselors who use it."
        )
    if study.techniques.form == "share":
        said.append(
            "A share rises only where another falls: each figure says what goes with 10 points more of this code and "
            f"10 less of the reference ({' and '.join(study.techniques.reference)}), and codes that are not estimated."
        )
    if not corrected:
        said.append(
            "The codes are the tagger's, and intervals take them as true. Errors can hide effects, make them up or "
            "turn them round; code a random part of the chats by hand and give it in label_error.gold."
        )
    elif study.label_error.sampling == "convenience":
        said.append("The gold chats were not drawn at random: the correction holds only if they are like the others.")
    else:
        said.append(
            "Corrected figures hold whatever errors the tagger makes, also errors that depend on the outcome, as long "
            "as the gold chats were drawn as stated and their codes are right."
        )
    if len(study.outcomes) > 1:
        said.append(_HARM)
    return said
