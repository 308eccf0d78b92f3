"""What a study found beside its models, a line per technique: in ratings, before and after, and the checks.

`Result.tables` holds the same with a row per figure, as it is written to CSV.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mi_coder.codebook import Codebook
from mi_coder.outcomes import tables
from mi_coder.outcomes.label_error import FOUND_PER_TRUE, RECALL
from mi_coder.outcomes.study.document import Table
from mi_coder.outcomes.study.fits import few_clusters
from mi_coder.outcomes.study.result import Result
from mi_coder.outcomes.symptom_change import RECOVERED

UNCORRECTED = "From the ordinal model on the tagger's codes: the tagger's errors are not corrected here."
NO_RECALL = (
    "Found per true message is not recall: numbers of messages per chat do not say which messages were found, and a "
    "false alarm makes up for a message that was missed, so it may be above 1. For recall, give the codes of each "
    "message (data.chats and label_error.gold)."
)
RECOVERIES = (
    "Reliably recovered: a case before (score at or above the cut-off), below the cut-off after, and a reliable "
    "improvement; these chats are not counted under reliable improvement again.",
    "The recovery rate of NHS Talking Therapies is another figure: of all who were cases before, it counts those below "
    "the cut-off after, also those whose change is too small to be reliable.",
)
_ESTIMATES = {"naive": "naive", "gold": "gold only", "ptd": "corrected"}
_SIGNED = "+z.1f"
_DIFFERENCE = "z.2f"


def cautions(rows: pd.DataFrame) -> list[str]:
    """The warnings of rows of the tidy table, each once and with the estimates that it is of, where not of all."""
    found: dict[str, set[str]] = {}
    labels = rows["level"].where(rows["level"] == "between", rows["correction"].map(_ESTIMATES).fillna(""))
    for label, warnings in zip(labels, rows["warnings"], strict=True):
        for warning in filter(None, str(warnings).split("; ")):
            found.setdefault(warning, set()).add(label)
    return [
        f"{warning[0].upper()}{warning[1:]}."
        if of == set(labels) or "" in of
        else f"{', '.join(sorted(of)).capitalize()}: {warning}."
        for warning, of in found.items()
    ]


def marginal_effects(result: Result, outcome: str) -> list[Table]:
    """What each rating gains or loses, and the mean rating with its interval."""
    rows = result.recommended
    units = rows.loc[(rows["outcome"] == outcome) & (rows["code"] != ""), "unit"]
    per = units.iloc[0].partition(" per ")[2]

    def line(group: pd.DataFrame) -> dict[str, Any]:
        ratings = group[group["rating"] != "mean"]
        mean = group[group["rating"] == "mean"].iloc[0]
        reach = _quantile(result, mean["df"]) * mean["se"]
        low, high = mean["effect"] - reach, mean["effect"] + reach
        return {
            "mean rating": tables.interval_text(mean["effect"], low, high),
            **{
                f"% {rating:g}": 100 * effect
                for rating, effect in zip(ratings["rating"], ratings["effect"], strict=True)
            },
        }

    return _by_term(
        result,
        f"marginal effects: {outcome}",
        line,
        title="Average marginal effects",
        caption="Change of the mean rating, and of the share of each rating in percentage points" + f", per {per}, "
        f"with {result.level}",
        shape=_SIGNED,
        notes=[UNCORRECTED],
    )


def proportional_odds(result: Result, outcome: str) -> list[Table]:
    """The odds ratio at each cut of the rating, and whether they differ."""

    def line(group: pd.DataFrame) -> dict[str, Any]:
        reach = _quantile(result, group["df"].iloc[0]) * group["se"]
        with np.errstate(over="ignore"):
            ratios = np.exp([group["slope"] - reach, group["slope"], group["slope"] + reach])
        cuts = zip(group["cut"], ratios.T, strict=True)
        return {
            **{f"{cut:g} or more": tables.interval_text(ratio, low, high) for cut, (low, ratio, high) in cuts},
            "p same": tables.p_text(group["p"].iloc[0]),
        }

    return _by_term(
        result,
        f"proportional odds: {outcome}",
        line,
        title="Proportional odds",
        caption="Odds ratio of a rating at or above each cut; the ordinal model assumes that they are the same, "
        f"with {result.level}",
        notes=["A small p means that they differ: compare them. " + UNCORRECTED],
    )


def response(result: Result, outcome: str) -> list[Table]:
    """Chats with an outcome against those without."""
    gaps = result.tables.get(f"response: {outcome}")
    if gaps is None:
        return []
    names = ["with", "without", "difference", "after weighting"]
    frame = pd.DataFrame(
        [
            _named(result, outcome, str(name)) | dict(zip(names, values, strict=True))
            for name, *values in gaps[["name", "mean_with", "mean_without", "difference", "weighted"]].itertuples(
                index=False
            )
        ]
    ).fillna("")
    return [
        Table(
            frame,
            "Who gave an outcome",
            f"Means of chats with and without {outcome}, and their difference in standard deviations",
            formats=dict.fromkeys(names, _DIFFERENCE),
            notes=["After weighting: the difference of the weighted chats with an outcome from all chats."],
            folded=True,
        )
    ]


def error_by_outcome(result: Result, outcome: str) -> list[Table]:
    """What the tagger finds in both halves of the outcome, and whether its errors depend on it."""
    errors = result.tables.get(f"error by outcome: {outcome}")
    if errors is None:
        return []
    lines = []
    recall = RECALL in errors
    measure = RECALL if recall else FOUND_PER_TRUE
    shown = "recall" if recall else "found per true message"
    for code, group in errors.groupby("code", sort=False):
        line: dict[str, Any] = {"technique": Codebook.load().label_of(str(code))}
        for _, row in group.iterrows():
            line[f"{shown}, {row['stratum']} half"] = tables.interval_text(row[measure], row["low"], row["high"])
            line[f"messages, {row['stratum']} half"] = int(row["n"])
        lines.append(line | {"p": tables.p_text(group["p"].iloc[0])})
    return [
        Table(
            pd.DataFrame(lines),
            "Errors of the tagger by outcome",
            f"{shown.capitalize()} on the gold chats with {outcome} in its lower and upper half, with 95% intervals, "
            "and whether errors depend on it",
            notes=[
                f"p for all codes together: {tables.p_text(errors['p_joint'].iloc[0]) or 'not tested'}.",
                *([] if recall else [NO_RECALL]),
            ],
            folded=True,
        )
    ]


def gain(result: Result, outcome: str, model: str) -> list[Table]:
    """How much corrected figures rely on the tagger, and how many gold chats that saves."""
    found = result.tables.get(f"gain: {outcome}, {model}")
    if found is None:
        return []
    lines = [
        _named(result, outcome, str(row.term)) | {"weight on tagger": row.weight, "times the gold chats": row.gain}
        for row in found.itertuples(index=False)
    ]
    return [
        Table(
            pd.DataFrame(lines).fillna(""),
            "What the tagger adds to the gold chats",
            "Weight of the tagger's codes, and how many times as many gold chats alone would give intervals as narrow "
            "as the corrected ones",
            formats={"weight on tagger": ".2f", "times the gold chats": ".2f"},
            folded=True,
        )
    ]


def change(result: Result, outcome: str) -> list[Table]:
    """What became of the scores: classes of change, and effect sizes that say which they are."""
    found = result.tables.get(f"change: {outcome}")
    if found is None:
        return []
    counted = found["percent"].notna()
    shown = [
        f"{value:,.0f}" if count else tables.number_text(value)
        for value, count in zip(found["value"], counted, strict=True)
    ]
    columns = {"of chats with both scores": found["percent"]}
    classified = (found["what"] == RECOVERED).any()
    if classified:
        columns["of cases before"] = found["percent_of_cases"]
    percents = {
        name: ["" if np.isnan(value) else f"{value:.1f}%" for value in column] for name, column in columns.items()
    }
    return [
        Table(
            pd.DataFrame({"what": found["what"], "value": shown, **percents}),
            caption="Changes are after minus before: below 0 is fewer symptoms. Counts and means of these chats, "
            "without intervals",
            notes=[
                *(RECOVERIES if classified else ()),
                "No effect of the chats: clients with high scores before tend to score lower after without any help "
                "(regression to the mean), and there is no group without chats.",
            ],
        )
    ]


def _by_term(
    result: Result,
    name: str,
    line: Callable[[pd.DataFrame], dict[str, Any]],
    *,
    title: str,
    caption: str,
    notes: list[str],
    shape: str = "",
) -> list[Table]:
    """A line per term of a table of an ordinal model, if there is one; where few clusters decide, a note says so."""
    found = result.tables.get(name)
    if found is None:
        return []
    outcome = name.partition(": ")[2]
    lines = [_named(result, outcome, str(term)) | line(group) for term, group in found.groupby("term", sort=False)]
    frame = pd.DataFrame(lines).fillna("")
    rows = result.rows[(result.rows["outcome"] == outcome) & (result.rows["model"] == "ordinal")]
    clusters = int(rows["n_clusters"].max())
    few = few_clusters(clusters)
    notes = [*notes, *([f"{few[0].upper()}{few[1:]}."] if few else [])]
    thin = found.loc[found["df"] < clusters - 1, "term"].unique()
    if len(thin):
        notes.append(
            f"Few of the {clusters} clusters decide on {', '.join(thin)}: there t has as few degrees of freedom as in "
            "the table of the model."
        )
    numbers = [column for column in frame.columns if pd.api.types.is_numeric_dtype(frame[column])]
    return [Table(frame, title, caption, formats=dict.fromkeys(numbers, shape), notes=notes, folded=True)]


def _named(result: Result, outcome: str, term: str) -> dict[str, Any]:
    """The technique of a term and its level, where terms have one, or the name of a covariate."""
    rows = result.rows[(result.rows["outcome"] == outcome) & (result.rows["term"] == term)]
    row = rows.iloc[-1] if len(rows) else {"code": "", "level": ""}
    technique = Codebook.load().label_of(row["code"]) if row["code"] else term
    return {"technique": technique, **({"level": row["level"]} if result.rows["level"].any() else {})}


def _quantile(result: Result, df: float) -> float:
    """Half the width of an interval, in standard errors."""
    return float(stats.t.ppf(1 - result.study.inference.alpha / 2, df))
