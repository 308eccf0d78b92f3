"""The matched comparison of a study file: who was matched, whether that made them alike, and what differs then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats

from mi_coder.arrays import Bools, Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.balance import Balance, balance
from mi_coder.outcomes.families import clustered_covariance, fit_family
from mi_coder.outcomes.guards import ENOUGH_CLUSTERS, ModelProblem, NoClusterVariance, TooFewClusters, standardize
from mi_coder.outcomes.match_effect import (
    BY_COUNSELOR,
    BY_PAIR_AND_COUNSELOR,
    Effect,
    matched_effect,
    regression_effect,
    weighted_effect,
)
from mi_coder.outcomes.matching import Pairs, match_pairs
from mi_coder.outcomes.propensity import Propensity, fit_propensity
from mi_coder.outcomes.random_intercept import fit_random_intercept
from mi_coder.outcomes.sensitivity import (
    EValue,
    RosenbaumBound,
    e_value,
    pair_differences,
    placebo_effect,
    rosenbaum_bounds,
)
from mi_coder.outcomes.study.chats import Chats, read_chats
from mi_coder.outcomes.study.codes import technique_groups
from mi_coder.outcomes.study.design import useless_columns
from mi_coder.outcomes.study.fields import column_of, covariate_columns, field_of, labels_of
from mi_coder.outcomes.study.kept import Kept
from mi_coder.outcomes.study.outcome import outcome_values
from mi_coder.outcomes.study.spec import Matching, Study, spelled_out
from mi_coder.outcomes.study.techniques import technique_use

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_CLIENT_VARIANCE = (
    "Client variance is estimated as 0, so there is no random effect for the client: least squares with standard "
    "errors "
    "clustered by client are shown instead."
)
TAGGERS_CODES = (
    "Codes are the tagger's, and gold chats (label_error) do not correct them here: a chat in which it misses the "
    "technique counts as one without it, and errors that depend on the outcome can hide a difference, make one up or "
    "reverse it."
)
ADDED = (
    "is the score before and was added to matching.covariates: rows with high scores before tend to score lower after "
    "without any help (regression to the mean), so matched rows must be alike in it."
)
MATCHED_ON = (
    "is among the covariates that rows are matched on, which makes it alike in both groups: as a placebo it says "
    "nothing. Choose a column that is not among them."
)
COUNSELOR = 'data.counselor ("" where counselors are not known)'
SAME = 1 - 1e-9
"""Covariates whose correlation with the score before is not below this are that score, perhaps on another scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One propensity score and how alike it made the groups.

    Attributes:
        covariates: "as given", or "with squares and products".
    """

    covariates: str
    score: Propensity
    pairs: Pairs
    balance: Balance


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matched:
    """A matched comparison.

    Attributes:
        question: what is compared with what, in which outcome.
        treated: [rows]
        by_codes: whether the tagger's codes say who was treated, not a column.
        alpha: intervals hold 1 - alpha.
        attempts: all propensity scores that were tried; the last one counts.
        effects: matched, matched and adjusted, weighted, and plain regression; then a placebo, where there is one.
        random_effects: [terms] the matched rows with a random effect for the client, where there are clients; its
            column `model` is "linear" where that effect has no variance, and least squares stand in for it.
        dropped: rows left out, by reason.
        notes: what could not be done.
    """

    question: str
    treated: Bools
    by_codes: bool
    alpha: float
    attempts: tuple[Attempt, ...]
    effects: tuple[Effect, ...]
    placebo: Effect | None
    random_effects: pd.DataFrame | None
    e_value: EValue
    bounds: tuple[RosenbaumBound, ...]
    dropped: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def chosen(self) -> Attempt:
        """The propensity score that counts."""
        return self.attempts[-1]

    def tidy(self) -> pd.DataFrame:
        """One row per estimate."""
        named = [(effect.method, effect) for effect in self.effects]
        named += [("placebo: matched", self.placebo)] if self.placebo else []
        return pd.DataFrame(
            [
                {
                    "method": name,
                    "estimate": effect.estimate,
                    "ci_low": effect.low,
                    "ci_high": effect.high,
                    "se": effect.se,
                    "df": effect.df,
                    "p": effect.p,
                    "n": effect.rows,
                    "errors": effect.errors,
                }
                for name, effect in named
            ]
        )

    def balance_table(self) -> pd.DataFrame:
        """One row per attempt and covariate."""
        return pd.DataFrame(
            [
                {
                    "attempt": attempt.covariates,
                    "covariate": row.name,
                    "smd_before": row.before.smd,
                    "smd_after": row.after.smd,
                    "variance_ratio_after": row.after.variance_ratio,
                    "ks_after": row.after.ks,
                    "balanced": row.name not in attempt.balance.failing,
                }
                for attempt in self.attempts
                for row in attempt.balance.covariates
            ]
        )

    def sentences(self) -> tuple[str, ...]:
        """What can and cannot be said."""
        pairs, effects = self.chosen.pairs, self.effects
        said = [
            f"{self.question}: {len(pairs):,} pairs; {len(pairs.dropped):,} of {int(self.treated.sum()):,} treated "
            "rows found no match" + (", so the effect is about those that did." if len(pairs.dropped) else "."),
            self.chosen.balance.sentence(refitted=True),
            "Area under the curve of the propensity score: "
            f"{self.chosen.score.auc:.2f}; treated rows outside the scores of the others: "
            f"{self.chosen.score.treated_outside:.0%}.",
        ]
        if len(self.attempts) > 1:
            said.append(
                "The score was fitted with and without squares and products: the balance of both is given, and the "
                "score "
                "with fewer unbalanced covariates is used."
            )
        elif not self.chosen.balance.passed:
            said.append("A score with squares and products was also tried, but could not be fitted.")
        said.append(self._errors())
        signs = {effect.low > 0 or (-1 if effect.high < 0 else 0) for effect in effects}
        said.append(
            (
                "Matching, weighting and regression agree: none finds a clear difference."
                if signs == {0}
                else "Matching, weighting and regression agree that there is a difference and on its direction."
            )
            if len(signs) == 1
            else "Matching, weighting and regression do not agree on whether there is a difference: that is a result."
        )
        said.append(
            f"E-value {self.e_value.estimate:.2f} (interval {self.e_value.limit:.2f}): only something unmeasured "
            "that is associated with both treatment and outcome by that risk ratio could explain the estimate away."
        )
        if self.placebo and not self.placebo.low <= 0 <= self.placebo.high:
            said.append("The placebo differs between matched groups: they differ for reasons other than the treatment.")
        if self.by_codes:
            said.append(TAGGERS_CODES)
        said.append("What was not measured is not balanced: this is not an experiment.")
        return tuple(said)

    def __repr__(self) -> str:
        return "\n".join(self.sentences())

    def _errors(self) -> str:
        """How far counselors count in the errors of the estimates."""
        clustered = [effect for effect in self.effects if effect.errors in (BY_COUNSELOR, BY_PAIR_AND_COUNSELOR)]
        if not clustered:
            return "Standard errors ignore that chats of one counselor are alike."
        told = (
            "all estimates"
            if len(clustered) == len(self.effects)
            else "some estimates (see the column standard errors)"
        )
        fewest = int(min(effect.df for effect in clustered)) + 1
        few = (
            f"; some have only {fewest} clusters, so p values may be somewhat too small, although intervals are from "
            "the "
            f"t distribution with {fewest - 1} degrees of freedom"
        )
        return f"Standard errors of {told} are clustered by counselor{few if fewest < ENOUGH_CLUSTERS else ''}."

    def love_plot(self) -> "Figure":
        """Standardized mean differences before and after."""
        from mi_coder.outcomes.figures import love_plot

        return love_plot(self.chosen.balance)

    def overlap_plot(self) -> "Figure":
        """Propensity scores of both groups."""
        from mi_coder.outcomes.figures import overlap

        return overlap(self.chosen.score, self.treated)


def run_matching(study: Study, folder: str | Path | None = None, chats: Chats | None = None) -> Matched:
    """Match and compare, as `study.matching` says, in the first outcome of the study.

    Args:
        folder: what the paths in the study start from; by default the folder of its file.
        chats: in place of the files that the study names.

    Raises:
        UsageProblem: the study has no matching, or a column is missing.
        ModelProblem: the data cannot carry it.
    """
    matching = study.matching
    if matching is None:
        raise UsageProblem("The study has no `matching`: give technique (or treated) and covariates there.")
    folder = study.data.folder if folder is None else Path(folder)
    chats = read_chats(study.data, folder) if chats is None else chats
    outcome = study.outcomes[0]
    values, before = outcome_values(outcome, chats)
    change = values if before is None else values - before
    treated, question = _treatment(study, matching, chats)
    covariates = spelled_out(matching.covariates)
    columns = [covariate_columns(chats.frame, covariate, "matching.covariates") for covariate in covariates]
    counselor = field_of(chats.frame, study.data.counselor, COUNSELOR) if study.data.counselor else None
    stratum = field_of(chats.frame, matching.within, "matching.within") if matching.within else None
    kept = Kept.all_of(chats)
    for labels, what in ((counselor, "counselor"), (stratum, matching.within)):
        if labels is not None:
            kept = kept.without(labels.isna(), f"no {what}")
    kept = kept.without(np.isnan(change), f"no {outcome.name}")
    kept = kept.without(np.isnan(treated), f"no {matching.treated}" if matching.treated else "no code at all")
    for covariate, each in zip(covariates, columns, strict=True):
        kept = kept.without(each.isna().any(axis=1), f"no {covariate.field}")
    score_before = outcome.fields[0] if before is not None else ""
    if score_before and score_before not in (covariate.field for covariate in covariates):
        columns.append(pd.DataFrame({score_before: before}, index=chats.frame.index))
    keep = kept.rows
    if not keep.any():
        raise ModelProblem(
            f"No row is left to match for {outcome.name}: {kept.reasons}. If counselors are not known, write "
            'counselor: "" under data.'
        )
    names, chosen, notes = _varying(pd.concat(columns, axis=1)[keep])
    if len(columns) > len(covariates) and score_before in names:
        notes.append(f"{score_before} {ADDED}")
    if matching.placebo in names:
        notes.append(f"matching.placebo: {matching.placebo} {MATCHED_ON}")
    high, difference = treated[keep] > 0, change[keep]
    within = None if stratum is None else labels_of(stratum)[keep].to_numpy()
    attempts = _attempts(names, chosen, high, matching, within)
    pairs = attempts[-1].pairs
    counselors = None if counselor is None else labels_of(counselor)[keep].to_numpy()
    score = attempts[-1].score
    alpha = study.inference.alpha
    effects = [
        _clustered_if_possible(partial(estimate, alpha=alpha), counselors, notes)
        for estimate in (
            partial(matched_effect, difference, pairs),
            partial(matched_effect, difference, pairs, names, chosen),
            partial(weighted_effect, difference, high, score),
            partial(regression_effect, difference, high, names, chosen),
        )
    ]
    placebo = None
    if matching.placebo:
        placebo_values = column_of(chats.frame, matching.placebo, "matching.placebo").to_numpy()[keep]
        estimate = partial(placebo_effect, placebo_values, high, pairs, alpha=alpha)
        placebo = _clustered_if_possible(estimate, counselors, notes)
    random = None
    if study.data.client and before is not None:
        clients = field_of(chats.frame, study.data.client, "data.client")[keep]
        try:
            known = _of_clients(pairs, clients)
            if without := len(pairs) - len(known):
                notes.append(
                    f"Random effect for the client: {without} pairs with a row without {clients.name} left out."
                )
            random = _random_effects(values[keep], before[keep], high, known, names, chosen, clients, alpha)
            if (random["model"] == "linear").all():
                notes.append(NO_CLIENT_VARIANCE)
        except ModelProblem as problem:
            notes.append(f"Random effect for the client: {problem}")
    alternative: Literal["greater", "less"] = "greater" if effects[0].estimate > 0 else "less"
    return Matched(
        f"{question} in {outcome.name}" + ("" if before is None else " (change: after - before)"),
        high,
        not matching.treated,
        alpha,
        attempts,
        tuple(effects),
        placebo,
        random,
        e_value(effects[1], float(difference.std(ddof=1))),
        rosenbaum_bounds(pair_differences(difference, pairs), alternative=alternative),
        kept.dropped,
        tuple(dict.fromkeys(notes)),
    )


def _clustered_if_possible(
    estimate: Callable[..., Effect], counselors: "np.ndarray | None", notes: list[str]
) -> Effect:
    """An estimate with errors by counselor or, with a note, without where counselors are too few."""
    try:
        return estimate(counselors=counselors)
    except TooFewClusters as problem:
        if counselors is None:
            raise
        notes.append(str(problem))
        return estimate()


def _treatment(study: Study, matching: Matching, chats: Chats) -> tuple[Floats, str]:
    """[rows] 1 for treated, 0 for others, not a number where unknown; and what is compared.

    It is unknown in chats without any code where the technique is a share of all codes.
    """
    if matching.treated:
        values = column_of(chats.frame, matching.treated, "matching.treated").to_numpy()
        if not np.isin(values[~np.isnan(values)], (0, 1)).all():
            raise UsageProblem(f"matching.treated: {matching.treated} must be 1 for treated rows and 0 for others.")
        return values, f"{matching.treated} against not"
    techniques = study.techniques
    groups = technique_groups(techniques) | {code: (code,) for code in techniques.reference}
    if matching.technique not in groups:
        raise UsageProblem(
            f"matching.technique: there is no code {matching.technique!r} among those of techniques.codes and "
            f"reference: {', '.join(groups)}."
        )
    use = technique_use(chats.counts, {matching.technique: groups[matching.technique]}, techniques.form)[:, 0]
    name = Codebook.load().label_of(matching.technique)
    known = chats.counts.sum(axis=1).to_numpy() > 0 if techniques.form == "share" else np.ones(len(use), dtype=bool)
    least, question = 0.0, f"Any {name} against none"
    if matching.high == "median" and known.any():
        least, question = float(np.median(use[known])), f"{name} above its median against not"
    return np.where(known, use > least, np.nan), question


def _varying(covariates: pd.DataFrame) -> tuple[list[str], Floats, list[str]]:
    """Names and columns [rows, columns] without those that say nothing, and a note on each that is left out.

    Raises:
        ModelProblem: none is left.
    """
    columns, rows = covariates.to_numpy(dtype=float), len(covariates)
    useless = useless_columns(columns)
    kept = [i for i in range(columns.shape[1]) if i not in useless]
    if not kept:
        raise ModelProblem(f"matching.covariates: none varies in these {rows} rows, so there is nothing to match on.")
    notes = [f"{covariates.columns[i]} {why} in these {rows} rows: left out." for i, why in useless.items()]
    return [str(covariates.columns[i]) for i in kept], columns[:, kept], notes


def _attempts(
    names: list[str], columns: Floats, treated: Bools, matching: Matching, within: "np.ndarray | None"
) -> tuple[Attempt, ...]:
    """The score on the covariates as given and, should that not balance them, once on squares and products too."""

    def attempt(label: str, score: Propensity) -> Attempt:
        groups = None if within is None else list(within)
        pairs = match_pairs(score.logit, treated, caliper=matching.caliper, within=groups)
        return Attempt(label, score, pairs, balance(names, columns, treated, pairs.weights(len(treated))))

    first = attempt("as given", fit_propensity(names, columns, treated))
    if first.balance.passed:
        return (first,)
    try:
        more_names, more = _with_products(names, columns)
        second = attempt("with squares and products", fit_propensity(more_names, more, treated))
    except (ModelProblem, UsageProblem):
        return (first,)
    better = len(second.balance.failing) < len(first.balance.failing)
    return (first, second) if better else (second, first)


def _with_products(names: list[str], columns: Floats) -> tuple[list[str], Floats]:
    """With squares of numbers and products of pairs, as far as they are not aliased."""
    center = columns - columns.mean(axis=0)
    labels, kept = list(names), columns
    for i in range(len(names)):
        for j in range(i, len(names)):
            product = (center[:, i] * center[:, j])[:, None]
            label = f"{names[i]} x {names[j]}"
            try:
                standardize([*labels, label], np.hstack([kept, product]), len(columns))
            except ModelProblem:
                continue
            labels, kept = [*labels, label], np.hstack([kept, product])
    return labels, kept


def _of_clients(pairs: Pairs, clients: "pd.Series[str]") -> Pairs:
    """The pairs of which both rows have a client.

    Raises:
        ModelProblem: there is none.
    """
    unknown = clients.isna().to_numpy()
    known = ~(unknown[pairs.treated] | unknown[pairs.untreated])
    if not known.any():
        raise ModelProblem(f"no pair has a {clients.name} in both rows.")
    return pairs.only(known)


def _random_effects(
    after: Floats,
    before: Floats,
    treated: Bools,
    pairs: Pairs,
    names: list[str],
    columns: Floats,
    clients: "pd.Series[str]",
    alpha: float,
) -> pd.DataFrame:
    """Score after on treatment, score before, their product and the covariates, with a random effect for clients.

    Yang, Fang et al. 2024 (arXiv 2312.10775), Table 4: the score before is standardized, so that the coefficient of the
    treatment is for a client with a mean score. Where the variance between clients is 0, it is least squares with
    errors clustered by client.

    Raises:
        ModelProblem: the model cannot be fitted.
    """
    rows = pairs.rows
    labels = labels_of(clients.iloc[rows]).to_numpy()
    pre = (before[rows] - before[rows].mean()) / before[rows].std()
    high = treated[rows].astype(float)
    kept = [
        i
        for i in range(len(names))
        if np.ptp(columns[rows, i]) > 0 and abs(np.corrcoef(columns[rows, i], pre)[0, 1]) < SAME
    ]
    design = np.column_stack([high, pre, high * pre, *(columns[rows, i] for i in kept)])
    terms = ["treated", "before (per sd)", "treated x before", *(names[i] for i in kept)]
    clusters = len(np.unique(labels))
    try:
        fit = fit_random_intercept(after[rows], terms, design, labels)
        model, estimate, se, reach = "ancova", fit.coefficients[1:], fit.se[1:], float(stats.norm.ppf(1 - alpha / 2))
    except NoClusterVariance:
        plain = fit_family("linear", after[rows], terms, design)
        model, estimate = "linear", plain.coefficients
        se = np.sqrt(np.diag(clustered_covariance(plain, labels)))
        reach = float(stats.t.ppf(1 - alpha / 2, clusters - 1))
    return pd.DataFrame(
        {
            "term": terms,
            "estimate": estimate,
            "se": se,
            "ci_low": estimate - reach * se,
            "ci_high": estimate + reach * se,
            "n": len(rows),
            "n_clusters": clusters,
            "model": model,
        }
    )
