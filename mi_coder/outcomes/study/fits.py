"""Each model of an outcome, fitted to a design and put into rows of the tidy table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mi_coder.arrays import Floats
from mi_coder.outcomes.cr2 import fit_cr2
from mi_coder.outcomes.crossed import fit_crossed
from mi_coder.outcomes.families import Family, clustered_covariance, fit_family
from mi_coder.outcomes.gee import fit_gee
from mi_coder.outcomes.guards import ENOUGH_CLUSTERS, ModelProblem, Separation
from mi_coder.outcomes.information import LARGER_P, MOST_BOOTSTRAPPED, information_of
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.penalized import penalized_terms
from mi_coder.outcomes.random_intercept import fit_random_intercept
from mi_coder.outcomes.score_bootstrap import score_bootstrap
from mi_coder.outcomes.study.design import Design
from mi_coder.outcomes.study.spec import Model, Outcome, Study
from mi_coder.outcomes.study.term import Term
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap

TIDY = (
    *("design", "model", "outcome", "term", "code", "level", "estimate", "se", "stat", "df", "p", "q_bh"),
    *("ci_low", "ci_high", "effect", "effect_low", "effect_high", "unit", "n", "n_clusters", "correction", "weight"),
    "warnings",
)
"""Columns of the tidy table, one row per model and term."""

_SCALES: Mapping[Model, str] = {"ordinal": "odds ratio", "ordinal_random": "odds ratio", "poisson": "rate ratio"}
POINTS_OF_OUTCOME = "points"
PENALIZED: tuple[Model, ...] = ("ordinal", "logit")
"""Models that have a penalized fit beside them where a column separates the outcome."""
PENALIZED_LABEL = "(penalized)"


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One fitted model.

    Attributes:
        rows: tidy, one per term.
        facts: what there is to say of the model as a whole, by name.
        notes: sentences on what was left out or could not be done.
        separated: names of the columns that were left out because they separate the outcome.
        penalized: rows of these columns from a fit with all, where there is one.
    """

    rows: pd.DataFrame
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    separated: tuple[str, ...] = ()
    penalized: "Fit | None" = None


def fit_model(model: Model, study: Study, outcome: Outcome, design: Design, weights: Floats | None = None) -> Fit:
    """Fit one model. Columns that separate the outcome are left out one at a time, and named.

    With a column of a technique go its others: deviations from the counselor's mean hide that use as such separates. A
    logit or ordinal model without weights has a penalized fit with all columns beside it then.

    Args:
        weights: [rows] for models that take them.

    Raises:
        ModelProblem: the data cannot carry the model; `NoClusterVariance` where another says the same (`STANDS_IN`).
    """
    notes: tuple[str, ...] = ()
    separated: tuple[str, ...] = ()
    given = design
    while True:
        try:
            fit = _FITTERS[model](study, outcome, design, weights)
        except Separation as problem:
            left_out = _all_levels(design, problem.columns[-1:])
            if not problem.columns or max(len(problem.columns), len(left_out)) >= len(design.names):
                raise
            named = "It was" if len(left_out) == 1 else f"{' and '.join(left_out)}, of one technique, were"
            note = f"{model}: {problem} {named} left out of this model."
            separated += left_out
            design, notes = design.without(left_out, note), (*notes, note)
        else:
            break
    penalized = None
    if separated and weights is None and model in PENALIZED:
        try:
            if penalized := _penalized(model, study, outcome, given, separated):
                finite = f"has finite estimates of {', '.join(separated)}, with all columns in the model."
                notes = (*notes, f"{model}: {model} {PENALIZED_LABEL} {finite}")
        except ModelProblem as problem:
            notes = (*notes, f"{model}, penalized: {problem}")
    return replace(fit, notes=(*notes, *fit.notes), separated=separated, penalized=penalized)


def _all_levels(design: Design, names: Sequence[str]) -> tuple[str, ...]:
    """These columns, and all of the same techniques."""
    codes = {term.code for term in design.terms if term.name in names and term.code}
    return tuple(term.name for term in design.terms if term.name in names or term.code in codes)


def family_data(model: Model, outcome: Outcome, design: Design) -> tuple[Family, Design, Floats | None]:
    """The family of a model, the design with the outcome as that family takes it, and class weights if asked for."""
    if model == "logit":
        values = (design.outcome >= outcome.satisfied).astype(float) if outcome.type == "rating" else design.outcome
        weights = _class_weights(values) if outcome.balanced else None
        return "logit", replace(design, outcome=values), weights
    if model == "change":
        assert design.before is not None
        changed = replace(design, outcome=design.outcome - design.before)
        return "linear", changed.without([outcome.fields[0]], ""), None
    return {"ordinal": "ordinal", "poisson": "poisson"}.get(model, "linear"), design, None  # type: ignore[return-value]


def scale_of(model: Model, outcome: Outcome) -> str:
    """What effects of a model are: an odds ratio, with the cut where a rating is cut in two, a rate ratio or points."""
    if model == "logit":
        return f"odds ratio of a rating of {outcome.satisfied:g} or more" if outcome.type == "rating" else "odds ratio"
    return _SCALES.get(model, POINTS_OF_OUTCOME)


def tidy_rows(
    model: str,
    outcome: str,
    terms: Sequence[Term],
    estimate: Floats,
    se: Floats,
    df: float | Floats,
    alpha: float,
    *,
    correction: str = "",
    weight: Floats | None = None,
    p: Floats | None = None,
    n: int = 0,
    n_clusters: int = 0,
    warnings: str | Sequence[str] = "",
    scale: str = POINTS_OF_OUTCOME,
) -> pd.DataFrame:
    """Rows of the tidy table from estimates and standard errors [terms].

    Args:
        df: degrees of freedom of the t distribution, of all or [terms] of each; infinite for the normal.
        p: [terms] p values from elsewhere than the t distribution.
        warnings: of all, or [terms] of each.
        scale: what effects are, as of `scale_of`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        stat = estimate / se
    width = stats.t.ppf(1 - alpha / 2, df) * se
    low, high = estimate - width, estimate + width
    shown = np.asarray if scale == POINTS_OF_OUTCOME else np.exp
    nothing = np.full(len(terms), np.nan)
    with np.errstate(over="ignore"):
        return pd.DataFrame(
            {
                "design": "",
                "model": model,
                "outcome": outcome,
                "term": [term.name for term in terms],
                "code": [term.code for term in terms],
                "level": [term.level for term in terms],
                "estimate": estimate,
                "se": se,
                "stat": stat,
                "df": df,
                "p": 2 * stats.t.sf(abs(stat), df) if p is None else p,
                "q_bh": nothing,
                "ci_low": low,
                "ci_high": high,
                "effect": shown(estimate),
                "effect_low": shown(low),
                "effect_high": shown(high),
                "unit": [f"{scale} per {term.unit}" if term.unit else scale for term in terms],
                "n": n,
                "n_clusters": n_clusters,
                "correction": correction,
                "weight": nothing if weight is None else weight,
                "warnings": warnings,
            },
            columns=TIDY,
        )


def _clustered(model: Model, study: Study, outcome: Outcome, design: Design, weights: Floats | None) -> Fit:
    """Rows independent between clusters: coefficients of the family, errors by cluster, t with clusters - 1 degrees.

    Least squares of few clusters have errors and degrees of freedom of their own, which hold then. Technique columns on
    which few of many clusters decide are treated as those of few clusters.
    """
    family, data, own = family_data(model, outcome, design)
    both = own if weights is None else weights if own is None else own * weights
    estimate = fit_family(family, data.outcome, data.names, data.columns, both)
    labels = data.clusters.to_numpy()
    se = np.sqrt(np.diag(clustered_covariance(estimate, labels)))
    information = information_of(data.names, data.columns, labels, both)
    clusters = information.clusters
    thin = information.thin & data.coded
    df: float | Floats = clusters - 1
    p: Floats | None = None
    warnings: str | Sequence[str] = ""
    if information.few:
        warnings = few_clusters(clusters)
        if both is None:
            if family == "linear":
                few = fit_cr2(data.outcome, data.names, data.columns, labels)
                se, df = few.se, few.df
                warnings = f"only {clusters} clusters: CR2 standard errors, t with Satterthwaite's degrees of freedom"
            p = _wild_p(study, family, data, data.coded)
            warnings += ", p of codes by the wild cluster bootstrap"
    elif thin.any():
        df, how = np.where(thin, information.df, clusters - 1), "t with one degree of freedom less than that"
        if both is None and family == "linear":
            few = fit_cr2(data.outcome, data.names, data.columns, labels)
            se, df = np.where(thin, few.se, se), np.where(thin, few.df, clusters - 1)
            how = "CR2 standard errors, t with Satterthwaite's degrees of freedom"
        p = np.asarray(2 * stats.t.sf(abs(estimate.coefficients / se), df))
        if both is None and clusters <= MOST_BOOTSTRAPPED:
            p = np.fmax(p, _wild_p(study, family, data, thin))
            how += f", {LARGER_P}"
        warnings = [f"{information.told(thin)}: {how}" if each else "" for each in thin]
    facts: dict[str, Any] = {"levels": ", ".join(f"{level:g}" for level in estimate.levels)} if estimate.levels else {}
    if family in ("poisson", "linear"):
        facts["dispersion"] = estimate.dispersion
    label = model if weights is None else f"{model} (weighted for response)"
    rows = tidy_rows(
        label,
        outcome.name,
        data.terms,
        estimate.coefficients,
        se,
        df,
        study.inference.alpha,
        p=p,
        n=len(data.outcome),
        n_clusters=clusters,
        warnings=warnings,
        scale=scale_of(model, outcome),
    )
    return Fit(rows, facts)


def _penalized(model: Model, study: Study, outcome: Outcome, design: Design, separated: Sequence[str]) -> Fit | None:
    """Rows of the columns that separate, none where classes are weighted: a profile takes likelihoods without weights.

    Raises:
        ModelProblem: the penalized likelihood has no maximum.
    """
    _, data, weights = family_data(model, outcome, design)
    if weights is not None:
        return None
    clusters, alpha = data.clusters.to_numpy(), study.inference.alpha
    found = penalized_terms(data.outcome, data.names, data.columns, separated, clusters, alpha)
    terms = {term.name: term for term in data.terms}
    p, df = np.array([each.p for each in found]), found[0].df
    rows = tidy_rows(
        f"{model} {PENALIZED_LABEL}",
        outcome.name,
        [terms[each.name] for each in found],
        np.array([each.estimate for each in found]),
        np.array([each.se for each in found]),
        df,
        alpha,
        p=p,
        n=len(data.outcome),
        n_clusters=int(df) + 1,
        scale=scale_of(model, outcome),
    )
    low, high = np.array([(each.low, each.high) for each in found]).T
    with np.errstate(over="ignore"):
        rows = rows.assign(
            stat=np.sign(rows["estimate"]) * stats.t.isf(p / 2, df),
            ci_low=low,
            ci_high=high,
            effect_low=np.exp(low),
            effect_high=np.exp(high),
            warnings=[
                "the column separates the outcome: estimate with Firth's penalty, p and interval from its profile "
                f"likelihood, clustering accounted for by a design effect of {each.inflation:.2f}"
                for each in found
            ],
        )
    return Fit(rows, {})


def _wild_p(study: Study, family: Family, data: Design, chosen: NDArray[np.bool_]) -> Floats:
    """p values of the chosen columns [terms] by the wild cluster bootstrap, not numbers for the others."""
    clusters = data.clusters.to_numpy()
    draws, seed = study.inference.draws, study.seed

    def p_of(name: str) -> float:
        if family == "linear":
            return wild_bootstrap(data.outcome, data.names, data.columns, clusters, name, draws=draws, seed=seed).p
        return score_bootstrap(family, data.outcome, data.names, data.columns, clusters, name, draws, seed)

    return np.array([p_of(name) if each else np.nan for name, each in zip(data.names, chosen, strict=True)])


def _ordinal_random(study: Study, outcome: Outcome, design: Design, weights: Floats | None) -> Fit:
    fit = fit_ordinal_random(design.outcome, design.names, design.columns, design.clusters.to_numpy())
    rows = tidy_rows(
        "ordinal_random",
        outcome.name,
        design.terms,
        fit.coefficients,
        fit.se,
        _df(fit.clusters),
        study.inference.alpha,
        n=fit.rows,
        n_clusters=fit.clusters,
        warnings=few_clusters(fit.clusters),
        scale=scale_of("ordinal_random", outcome),
    )
    return Fit(rows, {"log_likelihood": fit.log_likelihood, "icc": fit.icc, "sd_between": fit.sd})


def _ancova(study: Study, outcome: Outcome, design: Design, weights: Floats | None) -> Fit:
    """The score after, given that before, with a random intercept for the cluster."""
    fit = fit_random_intercept(design.outcome, design.names, design.columns, design.clusters.to_numpy())
    rows = tidy_rows(
        "ancova",
        outcome.name,
        design.terms,
        fit.coefficients[1:],
        fit.se[1:],
        _df(fit.clusters),
        study.inference.alpha,
        n=fit.rows,
        n_clusters=fit.clusters,
        warnings=few_clusters(fit.clusters),
    )
    return Fit(rows, {"log_likelihood": fit.log_likelihood, "icc": fit.icc, "tau2": fit.tau2, "sigma2": fit.sigma2})


def _crossed(study: Study, outcome: Outcome, design: Design, weights: Floats | None) -> Fit:
    """A random intercept for the counselor and one for the client; a rating is taken as a number."""
    assert design.clients is not None
    counselors, clients = design.counselors.to_numpy(), design.clients.to_numpy()
    fit = fit_crossed(design.outcome, design.names, design.columns, counselors, clients)
    fewer = min(fit.counselors, fit.clients)
    rows = tidy_rows(
        "crossed",
        outcome.name,
        design.terms,
        fit.coefficients[1:],
        fit.se[1:],
        _df(fewer),
        study.inference.alpha,
        n=fit.rows,
        n_clusters=fit.counselors,
        warnings=few_clusters(fewer),
    )
    facts = {"icc": fit.icc_counselor, "tau2": fit.tau2_counselor, "icc_client": fit.icc_client}
    of_clients = {"tau2_client": fit.tau2_client, "sigma2": fit.sigma2, "clients": fit.clients}
    return Fit(rows, {"log_likelihood": fit.log_likelihood, **facts, **of_clients})


def _gee(study: Study, outcome: Outcome, design: Design, weights: Floats | None) -> Fit:
    """Population averages with exchangeable correlation in a cluster."""
    family: Literal["linear", "logit"] = "logit" if outcome.type in ("rating", "binary") else "linear"
    data = family_data("logit", outcome, design)[1] if family == "logit" else design
    labels = data.clusters.to_numpy()
    information = information_of(data.names, data.columns, labels)
    thin = information.thin & data.coded
    fit = fit_gee(family, data.outcome, data.names, data.columns, labels, bias_reduced=bool(thin.any()))
    how = "bias-reduced standard errors, t with one degree of freedom less than that"
    rows = tidy_rows(
        "gee",
        outcome.name,
        data.terms,
        fit.coefficients[1:],
        fit.se[1:],
        np.where(thin, information.df, fit.df) if thin.any() else fit.df,
        study.inference.alpha,
        n=fit.rows,
        n_clusters=fit.clusters,
        warnings=[f"{information.told(thin)}: {how}" if each else few_clusters(fit.clusters) for each in thin],
        scale=scale_of(family, outcome),
    )
    return Fit(rows, {"correlation": fit.correlation})


def _df(clusters: int) -> float:
    """Degrees of freedom of a model with random effects: infinite where clusters are enough."""
    return max(clusters - 1, 1) if clusters < ENOUGH_CLUSTERS else np.inf


def few_clusters(clusters: int) -> str:
    """The warning beside standard errors of few clusters, or an empty string."""
    if clusters >= ENOUGH_CLUSTERS:
        return ""
    return f"only {clusters} clusters: t with {clusters - 1} degrees of freedom"


def _class_weights(values: Floats) -> Floats:
    """[rows] weights by which both classes weigh the same, with mean 1."""
    ones = values.mean()
    return np.where(values > 0, 0.5 / max(ones, 1e-12), 0.5 / max(1 - ones, 1e-12))


_Fitter = Callable[[Study, Outcome, Design, Floats | None], Fit]
_FITTERS: Mapping[Model, _Fitter] = {
    "ordinal": partial(_clustered, "ordinal"),
    "logit": partial(_clustered, "logit"),
    "linear": partial(_clustered, "linear"),
    "poisson": partial(_clustered, "poisson"),
    "change": partial(_clustered, "change"),
    "ordinal_random": _ordinal_random,
    "ancova": _ancova,
    "gee": _gee,
    "crossed": _crossed,
}
