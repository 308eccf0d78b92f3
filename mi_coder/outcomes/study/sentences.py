"""What a study can and cannot say, from its design alone."""

from collections.abc import Mapping, Sequence
from typing import get_args

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.outcomes.guards import ENOUGH_CLUSTERS
from mi_coder.outcomes.information import IN_EFFECT
from mi_coder.outcomes.multiplicity import CLEAR
from mi_coder.outcomes.study.result import Result
from mi_coder.outcomes.study.spec import Model, Study

_HARM = (
    "Outcomes are shown side by side and never merged into one score: what is rated well need not help, and in "
    "published "
    "studies advice was rated well and went with worse symptoms."
)
_BETTER = {
    "rating": {"higher": "a better rating", "lower": "a worse rating"},
    "symptom": {"higher": "more symptoms: worse", "lower": "fewer symptoms: better"},
}
"""What values of an outcome mean, where its type tells."""


def what_can_be_said(result: Result, gold: bool, stood_in: Sequence[str] = ()) -> tuple[str, ...]:
    """Sentences on findings, then on their limits.

    Args:
        gold: whether gold chats were given; what they corrected is in the rows.
        stood_in: sentences on models that stand in for others.
    """
    rows = result.recommended
    outcomes = [outcome for outcome, _ in result.headlines()]
    corrected = set(rows.loc[rows["correction"] == "ptd", "outcome"])
    uncorrected = [name for name in outcomes if name not in corrected]
    said = list(_limits(result.study, uncorrected, gold, bool(corrected)))
    if ((rows["correction"] == "naive") & (rows["level"] == "between")).any():
        said.append(
            "Differences between counselors are uncorrected: they have naive rows only, since people coded too few "
            "chats of each counselor to know the counselor's mean. With techniques.within_between: false the pooled "
            "slope, which mixes both levels, is corrected."
        )
    return (*_findings(result), *_few_clusters(result), *stood_in, *said, *_errors_by_outcome(result))


def stands_in(outcome: str, model: Model, instead: Model, by: str) -> str:
    """Why a model without variance between clusters is not there, and which one is.

    Args:
        by: the name of the clusters, such as counselor.
    """
    return (
        f"{outcome}, {model}: {by} variance is estimated as 0 (given all columns, chats of one {by} are no more alike "
        f"than chats of several), so there is no random effect to fit. The {instead} model with standard errors "
        f"clustered by {by} says the same, and is shown instead."
    )


def one_slope(outcome: str, models: Sequence[Model], clustered: Model, beside: bool, by: str) -> str:
    """What intervals of models with random intercepts assume, and which model does not.

    Args:
        clustered: the model with clustered standard errors.
        beside: whether it was fitted.
        by: the name of the clusters, such as counselor.
    """
    there = "which is shown too" if beside else "which is not among the models of this outcome"
    return (
        f"{outcome}, {' and '.join(models)}: intervals assume that the slope of a technique is the same for each {by}, "
        f"and are too narrow where slopes differ. The {clustered} model with standard errors clustered by {by}, "
        f"{there}, does not assume this."
    )


def _errors_by_outcome(result: Result) -> Sequence[str]:
    """Whether the tagger's errors were seen to depend on the outcome, for outcomes that gold chats corrected."""
    said = []
    rows = result.recommended
    for outcome, _ in result.headlines():
        table = result.tables.get(f"error by outcome: {outcome}")
        if table is None:
            continue
        gold = rows[(rows["outcome"] == outcome) & (rows["correction"] == "gold")]
        among, p = f"{outcome}: in {int(gold['n'].iloc[0]):,} gold chats", float(table["p_joint"].iloc[0])
        shown = f"p {'< .001' if p < 0.001 else f'= {p:.3f}'} over all codes"
        if p != p:
            said.append(f"{among} it could not be tested whether the tagger's errors depend on the outcome.")
        elif p < CLEAR:
            said.append(
                f"{among} the tagger's errors were found to depend on the outcome ({shown}): naive figures can be "
                "wrong in size and "
                "in sign; corrected figures account for this."
            )
        else:
            said.append(
                f"{among} there was no sign that the tagger's errors depend on the outcome ({shown}). This does "
                "not prove that they do not: the test misses small differences, especially with few gold chats."
            )
    return said


def _findings(result: Result) -> Sequence[str]:
    said = []
    types = {outcome.name: outcome.type for outcome in result.study.outcomes}
    for outcome, model in result.headlines():
        rows = result.tidy(outcome, model)
        design = rows["design"].iloc[-1]
        shown = _reported(rows[rows["design"] == design])
        counted = f"{outcome}, {design} design" if result.study.preset else outcome
        adjusted = result.study.inference.adjust != "none"
        tests = shown["q_bh" if adjusted else "p"]
        tested = tests.notna().sum()
        clear = shown[tests < CLEAR]
        size = f"{int(shown['n'].max()):,} chats" if len(shown) else "these chats"
        size += " (corrected for the tagger's errors)" if (shown["correction"] == "ptd").any() else ""
        better = _BETTER.get(types[outcome], {})
        if not adjusted:
            said.append(
                f"{counted}: {len(clear)} of {tested} associations in {size} have p < .05, not adjusted for multiple "
                f"tests (by chance alone, about {0.05 * tested:.1f} would)"
                + (": " if len(clear) else "")
                + "; ".join(_finding(row, better) for _, row in clear.iterrows())
                + "."
            )
        elif clear.empty:
            said.append(
                f"{counted}: of {tested} associations in {size}, none is clear after adjustment for multiple tests (q "
                "< .05). This does not prove that there is none: look at the width of the intervals."
            )
        else:
            said.append(
                f"{counted}: of {tested} associations in {size}, {len(clear)} {'is' if len(clear) == 1 else 'are'} "
                "clear after "
                "adjustment for multiple tests (q < .05): "
                + "; ".join(_finding(row, better) for _, row in clear.iterrows())
                + "."
            )
        if design != result.study.preset:
            said.extend(_for_comparison(result, outcome))
    return said


def _reported(rows: pd.DataFrame) -> pd.DataFrame:
    """The corrected rows where there are any, else those that are not of gold chats alone."""
    corrected = rows[rows["correction"] == "ptd"]
    return corrected if len(corrected) else rows[rows["correction"] != "gold"]


def _for_comparison(result: Result, outcome: str) -> Sequence[str]:
    """How many associations are clear in the preset of the study: by its first model that is corrected, else fitted."""
    rows = result.tidy(outcome)
    rows = _reported(rows[(rows["design"] == result.study.preset) & rows["model"].isin(get_args(Model))])
    if rows.empty:
        return []
    model = rows["model"].iloc[0]
    column = "q_bh" if result.study.inference.adjust != "none" else "p"
    tests = rows.loc[rows["model"] == model, column]
    return [
        f"{outcome}, {result.study.preset} ({model}), for comparison: {(tests < CLEAR).sum()} of {tests.notna().sum()} "
        f"associations have {column[0]} < .05."
    ]


def _few_clusters(result: Result) -> Sequence[str]:
    """What few counselors, or other clusters, do to the figures of the headlines."""
    said = []
    for outcome, model in result.headlines():
        rows = result.recommended
        rows = rows[(rows["outcome"] == outcome) & (rows["model"] == model) & (rows["code"] != "")]
        corrected = rows[rows["correction"] == "ptd"]
        shown = corrected if len(corrected) else rows
        fewest = int(shown["n_clusters"].min()) if len(shown) else ENOUGH_CLUSTERS
        if fewest >= ENOUGH_CLUSTERS:
            thin = shown.loc[shown["warnings"].str.contains(IN_EFFECT, regex=False), "warnings"]
            if len(thin):
                said.append(
                    f"{outcome}: {thin.iloc[0].partition('; ')[0]}. The others hardly tell about these associations: "
                    "they have few chats, or hardly differ in these techniques."
                )
            continue
        if len(corrected):
            said.append(
                f"{outcome}: corrected figures are based on gold chats of only {fewest} clusters (counselors, or what "
                f"inference.cluster names). Their p values are suited to few clusters (wild cluster bootstrap). Their "
                f"intervals are from the t distribution, which is too narrow with fewer than {ENOUGH_CLUSTERS} "
                "clusters. "
                "Where an interval and its p value disagree, use p; gold chats of more counselors help."
            )
        else:
            how = shown["warnings"].iloc[0].partition("; ")[0].partition(": ")[2]
            said.append(
                f"{outcome}: there are only {fewest} clusters (counselors, or what inference.cluster names). Standard "
                f"errors are suited to few clusters ({how}). Where an interval and its p value disagree, use the wider "
                "of both."
            )
    return said


def _finding(row: "pd.Series[str]", better: Mapping[str, str]) -> str:
    level = {"within": " (a counselor's chats compared with each other)", "between": " (counselors compared)"}
    way = "higher" if float(row["estimate"]) > 0 else "lower"
    meaning = f" ({better[way]})" if better else ""
    name = Codebook.load().name_of(str(row["code"]))
    return (
        f"{name}{level.get(row['level'], '')} goes with {way} values{meaning}, {row['effect']:.2f} "
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
            "Differences within and between counselors are not separated here: a technique may stand for the "
            "counselors who use it."
        )
    if study.data.counselor and not study.inference.cluster:
        said.append(
            "Standard errors assume that chats are independent of each other (inference.cluster is empty), but chats "
            "of one counselor mostly are not: the results are about these counselors only."
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
            "intervals take the tagger's codes as true, and errors can hide effects, make them up or reverse them."
        )
    elif uncorrected:
        said.append(
            "The codes are the tagger's, and intervals take them as true. Errors can hide effects, make them up or "
            "reverse them; code a random part of the chats by hand and give it in label_error.gold."
        )
    if corrected and study.label_error.sampling == "convenience":
        said.append(
            "The gold chats were not drawn at random: the correction is valid only if they are like the other chats."
        )
    elif corrected:
        said.append(
            "Corrected figures are valid whatever errors the tagger makes, even errors that depend on the outcome, as "
            "long as the gold chats were drawn as stated and their codes are right."
        )
    if len(study.outcomes) > 1:
        said.append(_HARM)
    return said
