"""What the ordinal model of a rating says in probabilities, and whether its odds are proportional."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.information import information_of
from mi_coder.outcomes.ordinal import OrdinalFit, fit_ordinal
from mi_coder.outcomes.ordinal_effects import marginal_effect, predict
from mi_coder.outcomes.proportional import check_proportional_odds
from mi_coder.outcomes.study.design import Design
from mi_coder.outcomes.study.part import Part
from mi_coder.outcomes.study.spec import Outcome, Study
from mi_coder.outcomes.study.term import Term


def rating_tables(part: Part, study: Study, outcome: Outcome, design: Design) -> None:
    """Add what the clustered ordinal model says in probabilities, and the check of proportional odds.

    Args:
        design: what the ordinal model of the outcome was fitted to.
    """
    coded = [term for term in design.terms if term.code]
    try:
        if not coded:
            raise ModelProblem("no technique is left in the ordinal model.")
        fit = fit_ordinal(design.outcome, design.names, design.columns, design.clusters.to_numpy())
    except ModelProblem as problem:
        missing = "marginal effects, predicted ratings and the check of proportional odds are missing"
        part.notes.append(f"{outcome.name}: {missing}: {problem}")
        return
    df = _degrees(design)
    part.tables[f"marginal effects: {outcome.name}"] = _marginal(fit, design, coded, df)
    part.tables[f"predicted: {outcome.name}"] = pd.concat(
        [_predicted(fit, design, term.name, df[term.name], study.inference.alpha) for term in coded], ignore_index=True
    )
    try:
        check = check_proportional_odds(design.outcome, design.names, design.columns, design.clusters.to_numpy())
    except ModelProblem as problem:
        part.notes.append(f"{outcome.name}, check of proportional odds: {problem}")
        return
    part.tables[f"proportional odds: {outcome.name}"] = pd.DataFrame(
        [
            {"term": column.name, "cut": cut, "slope": slope, "se": se, "df": df[column.name], "p": p}
            for column in check.columns
            for p in [column.wald.p if column.wald else np.nan]
            for cut, slope, se in zip(check.cuts, column.slopes, column.se, strict=True)
        ]
    )
    part.notes.append(f"{outcome.name}: {check.sentence()}")


def _degrees(design: Design) -> Mapping[str, float]:
    """Degrees of freedom of t by column, as the rows of the model have them."""
    information = information_of(design.names, design.columns, design.clusters.to_numpy())
    thin = information.thin & design.coded
    every = information.clusters - 1
    return {name: float(information.df[i]) if thin[i] else every for i, name in enumerate(design.names)}


def _marginal(fit: OrdinalFit, design: Design, coded: Sequence[Term], df: Mapping[str, float]) -> pd.DataFrame:
    """Average marginal effects on the probability of each rating and on the mean: a row per technique and rating."""
    effects = [marginal_effect(fit, design.columns, term.name) for term in coded]
    return pd.DataFrame(
        [
            {"term": term.name, "rating": level, "effect": effect.effects[j], "se": effect.se[j], "df": df[term.name]}
            for term, effect in zip(coded, effects, strict=True)
            for j, level in enumerate(fit.levels)
        ]
        + [
            {
                **{"term": term.name, "rating": "mean", "effect": effect.expected},
                **{"se": effect.expected_se, "df": df[term.name]},
            }
            for term, effect in zip(coded, effects, strict=True)
        ]
    )


def _predicted(fit: OrdinalFit, design: Design, name: str, df: float, alpha: float, points: int = 9) -> pd.DataFrame:
    """Predicted ratings over the inner 90 % of a column, the others at their means; bands by the t distribution."""
    i = design.names.index(name)
    low, high = np.quantile(design.columns[:, i], [0.05, 0.95])
    grid = np.linspace(low, high, points)
    columns = np.tile(design.columns.mean(axis=0), (points, 1))
    columns[:, i] = grid
    predictions, reach = predict(fit, columns), float(stats.t.ppf(1 - alpha / 2, df))
    return pd.DataFrame(
        [
            {
                "term": name,
                "share": grid[row],
                "level": level,
                "probability": predictions.probabilities[row, j],
                "low": max(predictions.probabilities[row, j] - reach * predictions.se[row, j], 0),
                "high": min(predictions.probabilities[row, j] + reach * predictions.se[row, j], 1),
            }
            for row in range(points)
            for j, level in enumerate(fit.levels)
        ]
    )
