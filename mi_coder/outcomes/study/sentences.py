"""What a study can and cannot say, from its design alone."""

from collections.abc import Sequence

import pandas as pd

from mi_coder.outcomes.study.result import Result, code_name
from mi_coder.outcomes.study.spec import Study

_HARM = (
    "Outcomes stand side by side and are never merged into one score: what is rated well need not help, and advice was "
    "rated well and went with worse symptoms in published studies."
)


def what_can_be_said(result: Result, gold: bool) -> tuple[str, ...]:
    """Sentences on findings, then on their limits.

    Args:
        gold: whether gold chats were given; what they corrected is in the rows.
    """
    rows = result.rows
    outcomes = [outcome for outcome, _ in result.headlines()]
    mended = rows[rows["correction"] == "ptd"]
    corrected = set(mended["outcome"])
    uncorrected = [name for name in outcomes if name not in corrected]
    said = list(_limits(result.study, uncorrected, gold, bool(corrected)))
    if (mended["level"] == "between").any():
        said.append(
            "Corrected figures between counselors still compare the tagger's means of counselors: what it finds too "
            "much or too little of a counselor as a whole is not corrected."
        )
    return (*_findings(result), *said)


def _findings(result: Result) -> Sequence[str]:
    said = []
    for outcome, model in result.headlines():
        rows = result.tidy(outcome, model)
        rows = rows[rows["design"] == rows["design"].iloc[-1]] if len(rows) else rows
        shown = rows[rows["correction"] == "ptd"] if (rows["correction"] == "ptd").any() else rows
        shown = shown[shown["correction"] != "gold"]
        adjusted = result.study.inference.adjust != "none"
        tests = shown["q_bh" if adjusted else "p"]
        tested = tests.notna().sum()
        clear = shown[tests < 0.05]
        size = f"{int(shown['n'].max()):,} chats" if len(shown) else "these chats"
        if not adjusted:
            said.append(
                f"{outcome}: {len(clear)} of {tested} associations in {size} have p < .05, not adjusted for how many "
                f"were looked at (by chance alone some {0.05 * tested:.1f} would)"
                + (": " if len(clear) else "")
                + "; ".join(_finding(row) for _, row in clear.iterrows())
                + "."
            )
        elif clear.empty:
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


def _limits(study: Study, uncorrected: Sequence[str], gold: bool, corrected: bool) -> Sequence[str]:
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
        step = "10 points" if study.techniques.per == "unit" else "one standard deviation"
        said.append(
            f"A share rises only where another falls: each figure says what goes with {step} more of this code and as "
            f"much less of the reference ({' and '.join(study.techniques.reference)}) and of codes that are not "
            "estimated."
        )
    if uncorrected and gold:
        said.append(
            f"The gold chats could not correct {', '.join(uncorrected)} (the reason is among what was left out): these "
            "intervals take the tagger's codes as true, and errors can hide effects, make them up or turn them round."
        )
    elif uncorrected:
        said.append(
            "The codes are the tagger's, and intervals take them as true. Errors can hide effects, make them up or "
            "turn them round; code a random part of the chats by hand and give it in label_error.gold."
        )
    if corrected and study.label_error.sampling == "convenience":
        said.append("The gold chats were not drawn at random: the correction holds only if they are like the others.")
    elif corrected:
        said.append(
            "Corrected figures hold whatever errors the tagger makes, also errors that depend on the outcome, as long "
            "as the gold chats were drawn as stated and their codes are right."
        )
    if len(study.outcomes) > 1:
        said.append(_HARM)
    return said
