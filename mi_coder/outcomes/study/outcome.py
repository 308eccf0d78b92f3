"""The values of an outcome: ratings and counts as they are, symptoms checked against their scale."""

import math

import msgspec
import numpy as np
import pandas as pd

from mi_coder.arrays import Floats
from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.fields import column_of
from mi_coder.outcomes.study.spec import Outcome
from mi_coder.outcomes.symptom_change import RECOVERED, classify, effect_sizes, nhs_reliable_change
from mi_coder.outcomes.symptoms import Cutoff, Scale, Scores, cases, scale_named, score_items, score_totals


def outcome_values(outcome: Outcome, chats: Chats) -> tuple[Floats, Floats | None]:
    """The outcome and, where there is one, the score before [chats], not a number where missing.

    Raises:
        UsageProblem: a column is missing or no number, or a score is out of the range of its scale.
        ModelProblem: a value that the type of the outcome does not have.
    """
    if outcome.type == "symptom":
        before, after = (score.values for score in _scores(outcome, chats))
        return after, before
    columns = [_column(outcome, name, chats) for name in outcome.fields]
    if outcome.type == "change":
        return columns[1], columns[0]
    values = columns[0]
    known = values[~np.isnan(values)]
    if outcome.type == "binary" and not np.isin(known, (0, 1)).all():
        raise ModelProblem(f"{outcome.name} is declared as binary, but has values other than 0 and 1.")
    if outcome.type == "count" and not ((known >= 0) & (known == np.floor(known))).all():
        raise ModelProblem(
            f"{outcome.name} is declared as a count, but has values that are not whole numbers of at least 0."
        )
    if outcome.type == "rating" and outcome.levels and not np.isin(known, outcome.levels).all():
        wrong = int((~np.isin(known, outcome.levels)).sum())
        levels = ", ".join(f"{level:g}" for level in outcome.levels)
        raise ModelProblem(
            f"{outcome.name}: {wrong} ratings are not among the levels {levels}. Fix the ratings or the levels."
        )
    return values, None


def symptom_change(outcome: Outcome, chats: Chats) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Classes of change and labeled effect sizes of a symptom, with what to keep in mind.

    Returns:
        Rows of what, value and, where the value is a number of chats, percent of the chats with both scores; for those
        who reliably recovered also percent_of_cases: of the chats whose score before is at or above the cut-off.
    """
    before, after = _scores(outcome, chats)
    sizes = effect_sizes(before.values, after.values)
    counts = {"chats with both scores": sizes.pairs}
    threshold = _reliable_change(outcome, before.scale)
    both = ~np.isnan(before.values) & ~np.isnan(after.values)
    cases_before = 0
    if threshold is not None:
        own = None if outcome.cutoff is msgspec.UNSET else Cutoff(outcome.cutoff, "the study file")
        classes = classify(before, after, threshold, own)
        cases_before = int(np.nansum(cases(before, classes.cutoff)[both]))
        counts[f"cases before (score of {classes.cutoff.points} or more)"] = cases_before
        counts |= classes.counts()
    figures = {
        "mean change": sizes.mean_change,
        "d_z: mean change / sd of changes": sizes.d_z,
        "d_av: mean change / root of the mean of both variances": sizes.d_av,
        "d_pre: mean change / sd before": sizes.d_pre,
    }
    rows = [
        (what, float(count), 100 * count / sizes.pairs, 100 * count / cases_before)
        if what == RECOVERED and cases_before
        else (what, float(count), 100 * count / sizes.pairs, math.nan)
        for what, count in counts.items()
    ]
    rows += [(what, value, math.nan, math.nan) for what, value in figures.items()]
    notes = [
        f"{outcome.name}: clients with high scores before tend to score lower after without any help (regression to "
        "the "
        "mean), and there is no group without chats here: the mean change is not an effect of the chats."
    ]
    if threshold is None:
        notes.append(
            f"{outcome.name}: there are no classes of change (reliably improved, recovered): the rule for them has "
            f"thresholds for the PHQ-9 and the GAD-7, not for the {before.scale.name}. Give your own in "
            "reliable_change."
        )
    if prorated := int(((before.prorated | after.prorated) & both).sum()):
        notes.append(
            f"{outcome.name}: {prorated:,} chats miss up to {before.scale.may_miss} items of the {before.scale.name} "
            "before or after; the mean of the other items replaces them (prorate)."
        )
    return pd.DataFrame(rows, columns=["what", "value", "percent", "percent_of_cases"]), tuple(notes)


def _reliable_change(outcome: Outcome, scale: Scale) -> float | None:
    """Points of the study file, else of the rule, else none."""
    if outcome.reliable_change is not msgspec.UNSET:
        return outcome.reliable_change
    return None if scale.nhs_change is None else nhs_reliable_change(scale)


def _scores(outcome: Outcome, chats: Chats) -> tuple[Scores, Scores]:
    return _score(outcome, outcome.before, chats), _score(outcome, outcome.after, chats)


def _score(outcome: Outcome, given: str | tuple[str, ...], chats: Chats) -> Scores:
    """Scores from a column with totals, or from columns with items."""
    scale = scale_named(outcome.scale)
    rows = [str(name) for name in chats.frame.index]
    if isinstance(given, str):
        return score_totals(scale, _column(outcome, given, chats), rows=rows)
    items = np.column_stack([_column(outcome, name, chats) for name in given])
    return score_items(scale, items, rows=rows, columns=given, prorate=bool(outcome.prorate))


def _column(outcome: Outcome, name: str, chats: Chats) -> Floats:
    return column_of(chats.frame, name, f"outcomes: {outcome.name}").to_numpy()
