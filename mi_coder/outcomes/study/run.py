"""Run a study: every outcome by every model, naive and corrected, with what was left out and why."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_fields
from scipy import stats

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import (
    ENOUGH_CLUSTERS,
    FEWEST_CLUSTERS,
    ModelProblem,
    NoClusterVariance,
    TooFewClusters,
)
from mi_coder.outcomes.label_error import Corrected, correct, error_by_outcome
from mi_coder.outcomes.multiplicity import q_values
from mi_coder.outcomes.ordinal import OrdinalFit, fit_ordinal
from mi_coder.outcomes.ordinal_effects import marginal_effect, predict
from mi_coder.outcomes.proportional import check_proportional_odds
from mi_coder.outcomes.response import compare_responders, fit_response, response_weights
from mi_coder.outcomes.study.chats import Chats, read_chats, read_gold
from mi_coder.outcomes.study.design import Design, Term, column_of, design_of
from mi_coder.outcomes.study.fits import PENALIZED_LABEL, TIDY, Fit, family_data, fit_model, scale_of, tidy_rows
from mi_coder.outcomes.study.match import run_matching
from mi_coder.outcomes.study.origin import check_codebook, learned_from
from mi_coder.outcomes.study.outcome import outcome_values, symptom_change
from mi_coder.outcomes.study.presets import designs_of, preset_notes, takes_matching
from mi_coder.outcomes.study.quality import merged_codes, no_quality, tagger_quality
from mi_coder.outcomes.study.result import Result
from mi_coder.outcomes.study.sentences import stands_in, what_can_be_said
from mi_coder.outcomes.study.spec import SATISFIED, STANDS_IN, STARS, LabelError, Model, Outcome, Study, models_of

CORRECTABLE: tuple[Model, ...] = ("ordinal", "logit", "linear", "change", "poisson")
"""Models whose errors by cluster come from rows, so that gold rows can correct them."""

UNCORRECTED = "uncorrected: intervals ignore the tagger's errors"
BETWEEN_UNCORRECTED = (
    "uncorrected: the counselors' means are the tagger's, and gold codes correct the pooled slope of "
    "techniques.within_between: false"
)
WITHOUT_CLUSTERS = (
    'To fit without clusters, write inference: {cluster: ""} in the study file: chats count as independent then, and '
    "the report says that it is about these counselors alone."
)
_OF_DESIGN = ("gain", "error by outcome", "response", "predicted", "marginal effects", "proportional odds")
"""Tables that differ by design; others are of the outcome alone."""


class NoModel(ModelProblem):
    """An outcome that no model can be fitted to, while others can."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What one outcome in one design gives; `sentences` are on models that stand in for others."""

    rows: list[pd.DataFrame] = field(default_factory=list)
    glance: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def of_design(self, label: str, preset: bool) -> "_Part":
        """The same with the name of its design, which goes into all texts where it is that of a preset."""
        return _Part(
            [rows.assign(design=label) for rows in self.rows],
            [{"design": label, **facts} for facts in self.glance],
            {
                f"{name} ({label})" if preset and name.startswith(_OF_DESIGN) else name: table
                for name, table in self.tables.items()
            },
            *([f"{label}: {text}" if preset else text for text in texts] for texts in (self.notes, self.sentences)),
        )


def run_study(
    study: Study, folder: Path | None = None, chats: Chats | None = None, gold: Chats | None = None
) -> Result:
    """Fit a study.

    Args:
        folder: what the paths in the study start from; by default the folder of its file.
        chats, gold: in place of the files that the study names.

    Raises:
        UsageProblem: files, columns or codes that are missing or do not fit.
        ModelProblem: not one model could be fitted.
    """
    folder = study.data.folder if folder is None else folder
    correction = study.label_error
    if gold is None and correction.correction != "none" and (correction.gold or correction.counts):
        gold = read_gold(correction, study.data, folder)
    if chats is None:
        check_codebook(folder / path for path in study.data.chats)
        chats = read_chats(study.data, folder, gold.coded if gold else ())
    if gold is not None:
        check_gold_ids(chats, gold)
    designs = designs_of(study)
    quality, unknown = None, ""
    if gold is not None:
        quality = tagger_quality(chats.coded, gold.coded, merged_codes([each for _, each in designs]))
        unknown = "" if quality is not None else no_quality(study)
    trained = _trained_on(gold, folder / correction.model if correction.model else None) if gold else ()
    parts: list[_Part] = []
    for label, design_study in designs:
        preset = bool(study.preset) and label == study.preset
        if preset:
            parts.append(_Part(notes=list(preset_notes(study))).of_design(label, preset))
        for outcome in design_study.outcomes:
            try:
                part = _relate(design_study, outcome, chats, gold)
            except NoModel as problem:
                part = _Part(notes=[str(problem)])
            parts.append(part.of_design(label, preset))
            if preset and takes_matching(study):
                parts.append(_matched(replace_fields(study, outcomes=(outcome,)), chats).of_design(label, preset))
    rows = [each for part in parts for each in part.rows]
    notes = (*trained, *filter(None, [unknown]), *dict.fromkeys(note for part in parts for note in part.notes))
    if not rows:
        raise ModelProblem("\n- ".join(["No model could be fitted.", *notes]))
    tidy = pd.concat(rows, ignore_index=True)[list(TIDY)]
    tidy = _adjusted(tidy, study)
    if quality is not None:
        tidy = tidy.merge(quality[["code", "f1", "support"]], on="code", how="left")
    tables = {name: table for part in parts for name, table in part.tables.items()}
    if quality is not None:
        tables["tagger"] = quality
    glance = pd.DataFrame([facts for part in parts for facts in part.glance])
    result = Result(study, tidy, glance, tables, notes, ())
    stood_in = [sentence for part in parts for sentence in part.sentences]
    return replace(result, sentences=what_can_be_said(result, gold is not None, stood_in))


def check_gold_ids(chats: Chats, gold: Chats) -> None:
    """Refuse gold chats of which not one is among the chats.

    Raises:
        UsageProblem: their ids are others.
    """
    if not gold.counts.index.isin(chats.counts.index).any():
        raise UsageProblem(
            f"Not one of the {len(gold):,} gold chats is among the {len(chats):,} chats. Give gold codes of chats of "
            "this study, by the same ids."
        )


def _trained_on(gold: Chats, model: Path | None) -> tuple[str, ...]:
    """A warning where the tagger learned from gold chats."""
    count = learned_from(gold, model)
    if not count:
        return ()
    return (
        f"{count:,} of {len(gold):,} gold chats, or others of the same people, trained or tuned the tagger: it errs "
        "less on them than on others, and the correction falls short. Use gold chats that it has not seen.",
    )


def _relate(study: Study, outcome: Outcome, chats: Chats, gold: Chats | None) -> _Part:
    values, before = outcome_values(outcome, chats)
    try:
        design = design_of(study, outcome, chats, values, before)
    except ModelProblem as problem:
        raise NoModel(str(problem)) from None
    part = _Part(notes=list(design.notes))
    if (
        outcome.type == "rating"
        and (empty := sorted(set(outcome.levels) - set(design.outcome)))
        and (len(set(design.outcome)) > 1)
    ):
        part.notes.append(
            f"{outcome.name}: no rating is {' or '.join(f'{level:g}' for level in empty)}: ordinal models are fitted "
            f"on the {len(set(design.outcome))} levels that occur."
        )
    if outcome.type == "rating" and {"logit", "gee"} & set(models_of(outcome)):
        part.notes.extend(_told_cut(outcome, design.outcome))
    separated = _fit_all(part, study, outcome, design)
    _response(part, study, outcome, design, separated)
    if gold is not None:
        for model, names in separated.items():
            if model in CORRECTABLE:
                _correct_into(part, model, study, outcome, design.without(names, ""), chats, gold)
    if outcome.type == "rating" and "ordinal" in separated:
        _rating_tables(part, study, outcome, design.without(separated["ordinal"], ""))
    if outcome.type == "symptom":
        table, notes = symptom_change(outcome, chats)
        part.tables[f"change: {outcome.name}"] = table
        part.notes.extend(notes)
    for facts in part.glance:
        facts.update({"chats": len(design.outcome), "dropped": _told(design.dropped)})
    return part


def _told_cut(outcome: Outcome, ratings: Floats) -> list[str]:
    """Where the logit cuts ratings [rows] that are not 1 to 5 and have no cut of their own."""
    levels = set(outcome.levels or ratings)
    stars = levels == set(STARS) if outcome.levels else levels <= set(STARS)
    if stars or outcome.satisfied != SATISFIED:
        return []
    count = int((ratings >= outcome.satisfied).sum())
    return [
        f"{outcome.name}, logit: ratings are cut at {outcome.satisfied:g}, which is made for levels of 1 to 5: "
        f"{count:,} of {len(ratings):,} chats count as 1. Set the cut that you want in outcomes.satisfied."
    ]


def _fit_all(part: _Part, study: Study, outcome: Outcome, design: Design) -> dict[Model, tuple[str, ...]]:
    """Add all models, and those that stand in for one without variance; returns the columns that each left out."""
    separated: dict[Model, tuple[str, ...]] = {}
    without: list[Model] = []
    for model in models_of(outcome):
        try:
            separated[model] = _fit_into(part, model, study, outcome, design, None)
        except NoClusterVariance:
            without.append(model)
            if (instead := STANDS_IN[model]) not in models_of(outcome):
                separated[instead] = _fit_into(part, instead, study, outcome, design, None)
    by = study.inference.cluster
    for model in without:
        part.notes.append(f"{outcome.name}, {model}: {by} variance estimated as 0, so there is no random effect.")
        instead = STANDS_IN[model]
        if any((rows["model"] == instead).any() for rows in part.rows):
            part.sentences.append(stands_in(outcome.name, model, instead, by))
            part.glance.append({"model": model, "outcome": outcome.name, "icc": 0.0, "instead": instead})
    return separated


def _fit_into(
    part: _Part, model: Model, study: Study, outcome: Outcome, design: Design, weights: Floats | None
) -> tuple[str, ...]:
    """Add a model, or the reason why there is none; returns columns that it left out because they separate.

    Raises:
        NoClusterVariance: another model stands in for this one.
    """
    try:
        fit = fit_model(model, study, outcome, design, weights)
    except ModelProblem as problem:
        if isinstance(problem, NoClusterVariance) and model in STANDS_IN:
            raise
        part.notes.append(f"{outcome.name}, {model}: {problem}")
        if isinstance(problem, TooFewClusters) and len(set(design.clusters)) < FEWEST_CLUSTERS:
            part.notes.append(WITHOUT_CLUSTERS)
        return ()
    for each in (fit, fit.penalized):
        if each is not None:
            _add(part, model, outcome, each)
    return fit.separated


def _add(part: _Part, model: Model, outcome: Outcome, fit: Fit) -> None:
    """Add the rows, facts and notes of a model."""
    rows = fit.rows
    coded = rows["code"] != ""
    rows.loc[coded, "warnings"] = [
        f"{old}; {UNCORRECTED}" if old else UNCORRECTED for old in rows.loc[coded, "warnings"]
    ]
    part.rows.append(rows)
    part.glance.append(
        {"model": rows["model"].iloc[0], "outcome": outcome.name, "clusters": rows["n_clusters"].iloc[0], **fit.facts}
        if len(rows)
        else {"model": model, "outcome": outcome.name, **fit.facts}
    )
    part.notes.extend(f"{outcome.name}: {note}" for note in fit.notes)


def _matched(study: Study, chats: Chats) -> _Part:
    """The random-effects model of the second study on matched rows, as `mi-code match` fits it."""
    part, outcome, matching = _Part(), study.outcomes[0], study.matching
    assert matching is not None
    try:
        found = run_matching(study, chats=chats)
    except ModelProblem as problem:
        part.notes.append(f"{outcome.name}, matched rows: {problem}")
        return part
    told = (*found.sentences()[:2], *found.notes)
    part.notes.extend(f"{outcome.name}, matched rows: {note}" for note in told)
    if found.random_effects is None:
        return part
    table = found.random_effects
    clusters = int(table["n_clusters"].iloc[0])
    fitted = str(table["model"].iloc[0])
    unit = {"any": "chat that uses it", "median": "chat above the median"}[matching.high]
    treated = Term("treated", matching.technique, "", unit if matching.technique else "treated row")
    rows = tidy_rows(
        f"{fitted} (matched)",
        outcome.name,
        [treated if name == "treated" else Term(name) for name in table["term"]],
        table["estimate"].to_numpy(),
        table["se"].to_numpy(),
        np.inf if fitted == "ancova" else clusters - 1,
        study.inference.alpha,
        n=int(table["n"].iloc[0]),
        n_clusters=clusters,
    )
    rows.loc[rows["code"] != "", "warnings"] = UNCORRECTED
    part.rows.append(rows)
    left_out = {**found.dropped, "treated without a partner": len(found.chosen.pairs.dropped)}
    part.glance.append(
        {
            "model": rows["model"].iloc[0],
            "outcome": outcome.name,
            "clusters": clusters,
            "chats": int(table["n"].iloc[0]),
            "dropped": _told({reason: count for reason, count in left_out.items() if count}),
        }
    )
    return part


def _response(part: _Part, study: Study, outcome: Outcome, design: Design, models: Iterable[Model]) -> None:
    """The first model that takes weights again, with chats weighted by who answers, where some did not."""
    answered = design.asked.index.isin(design.ids)
    if not study.response_weights or answered.all():
        return
    names = [name for name in design.names if design.asked[name].std() > 0]
    columns = design.asked[names].to_numpy(dtype=float)
    try:
        weights = response_weights(fit_response(answered, names, columns), answered)
    except ModelProblem as problem:
        part.notes.append(f"{outcome.name}, weights for response: {problem}")
        return
    gaps = compare_responders(answered, names, columns, weights.weights)
    part.tables[f"response: {outcome.name}"] = pd.DataFrame([asdict(gap) for gap in gaps])
    part.notes.append(f"{outcome.name}: {weights.sentence()}")
    for model in [each for each in models if each in CORRECTABLE][:1]:
        _fit_into(part, model, study, outcome, design, weights.weights[answered])


def _correct_into(
    part: _Part, model: Model, study: Study, outcome: Outcome, design: Design, chats: Chats, gold: Chats
) -> None:
    """Add gold-only and corrected rows of a model, and call those before naive."""
    family, data, own_weights = family_data(model, outcome, design)
    if own_weights is not None:
        part.notes.append(
            f"{outcome.name}, {model}: with classes weighted alike there is no correction for label error."
        )
        return
    measured = {term.name for term in design.recipe.terms}
    if any(measured & set(pair) for pair in study.interactions):
        part.notes.append(
            f"{outcome.name}, {model}: with interactions of techniques there is no correction for label error."
        )
        return
    if not any(term.code and term.correctable for term in data.terms):
        part.notes.append(
            f"{outcome.name}, {model}: only differences between counselors are left, which gold codes do not correct: "
            "set techniques.within_between to false."
        )
        return
    ids = data.ids
    known = ids.isin(gold.counts.index)
    rows = np.flatnonzero(known)
    missing = len(gold.counts) - len(rows)
    if missing:
        part.notes.append(
            f"{outcome.name}: {missing:,} of {len(gold.counts):,} gold chats are not among the chats that are fitted."
        )
    if without := _without_gold(data, chats, gold, ids[rows]):
        part.notes.append(f"{outcome.name}, {model}, correction for label error: {without}")
        return
    setting = study.label_error
    probabilities = gold_probabilities(setting, chats, gold, ids[rows])
    by_gold, by_tagger = data.gold_columns(gold.counts.loc[ids[rows]], rows, probabilities)
    try:
        corrected = correct(
            family,
            data.outcome,
            data.names,
            data.columns,
            by_gold,
            rows,
            data.clusters.to_numpy(),
            tagged_on_gold=by_tagger,
            probabilities=probabilities,
            convenience=setting.sampling == "convenience",
            draws=study.inference.draws,
            seed=study.seed,
        )
    except ModelProblem as problem:
        part.notes.append(f"{outcome.name}, {model}, correction for label error: {problem}")
        return
    for frame in part.rows:
        if (frame["model"] == model).all():
            frame["correction"] = "naive"
            frame["warnings"] = [
                old.replace(UNCORRECTED, BETWEEN_UNCORRECTED)
                if level == "between"
                else old.removesuffix(UNCORRECTED).removesuffix("; ")
                for old, level in zip(frame["warnings"], frame["level"], strict=True)
            ]
    part.rows.extend(_corrected_rows(model, study, outcome, data, corrected))
    part.notes.extend(corrected.warnings)
    gains = pd.DataFrame({"model": model, "term": corrected.names, "weight": corrected.weights, "gain": corrected.gain})
    told = [term.correctable for term in data.terms]
    part.tables[f"gain: {outcome.name}, {model}"] = gains[told].reset_index(drop=True)
    part.tables.setdefault(f"error by outcome: {outcome.name}", _error_table(data, chats, gold, rows))


def _without_gold(data: Design, chats: Chats, gold: Chats, ids: pd.Index) -> str:
    """Techniques that gold chats cannot correct because people, or the tagger, gave them to none; "" if all can be."""
    if not len(ids):
        return "no gold chat is among the chats that are fitted."
    said = []
    groups = {term.code: list(data.recipe.groups[term.code]) for term in data.terms if term.code and term.correctable}
    for who, counts in (("people", gold.counts), ("the tagger", chats.counts)):
        used = counts.loc[ids]
        never = [name for name, codes in groups.items() if not used[codes].to_numpy().any()]
        if never:
            named = ", ".join(map(Codebook.load().label_of, never))
            said.append(f"in the {len(ids):,} gold chats {who} never gave {named}")
    if not said:
        return ""
    return (
        f"{' and '.join(said)}: that leaves nothing to correct by. Code chats with it (mi-code sample --design "
        "rare-code), or leave it out of techniques.codes."
    )


def gold_probabilities(setting: LabelError, chats: Chats, gold: Chats, ids: pd.Index) -> Floats | None:
    """[gold chats] with which each was drawn; None where all had the same.

    Raises:
        UsageProblem: neither the chats nor the gold chats have the column, or a value is no number.
    """
    if setting.sampling != "weights":
        return None
    frame = gold.frame if setting.probability in gold.frame.columns else chats.frame
    return column_of(frame, setting.probability, "label_error.probability").loc[ids].to_numpy(dtype=float)


def _corrected_rows(
    model: Model, study: Study, outcome: Outcome, data: Design, corrected: Corrected
) -> list[pd.DataFrame]:
    """Gold-only and corrected rows of all terms but the counselors' means, which no gold codes correct."""
    told = np.array([term.correctable for term in data.terms])
    terms = [term for term in data.terms if term.correctable]
    few = ""
    if corrected.clusters < ENOUGH_CLUSTERS:
        few = (
            f"gold of only {corrected.clusters} clusters: t with {corrected.clusters - 1} degrees of freedom, "
            "p by the wild cluster bootstrap"
        )
    return [
        tidy_rows(
            model,
            outcome.name,
            terms,
            part.coefficients[told],
            part.se[told],
            part.df,
            study.inference.alpha,
            correction=name,
            weight=corrected.weights[told] if name == "ptd" else None,
            p=part.p[told],
            n=corrected.n_gold if name == "gold" else corrected.n,
            n_clusters=corrected.clusters,
            warnings=few,
            scale=scale_of(model, outcome),
        )
        for name, part in (("gold", corrected.gold_only), ("ptd", corrected.corrected))
    ]


def _error_table(data: Design, chats: Chats, gold: Chats, rows: "np.ndarray[Any, Any]") -> pd.DataFrame:
    ids = data.ids[rows]
    groups = data.recipe.groups
    tagged, truth = (
        np.column_stack([counts.loc[ids, list(codes)].sum(axis=1) for codes in groups.values()]).astype(float)
        for counts in (chats.counts, gold.counts)
    )
    return error_by_outcome(list(groups), tagged, truth, data.outcome[rows], data.clusters.to_numpy()[rows])


def _rating_tables(part: _Part, study: Study, outcome: Outcome, design: Design) -> None:
    """What the clustered ordinal model says in probabilities, and the check of proportional odds.

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
    effects = [marginal_effect(fit, design.columns, term.name) for term in coded]
    df = fit.clusters - 1
    part.tables[f"marginal effects: {outcome.name}"] = pd.DataFrame(
        [
            {"term": term.name, "rating": level, "effect": effect.effects[j], "se": effect.se[j], "df": df}
            for term, effect in zip(coded, effects, strict=True)
            for j, level in enumerate(fit.levels)
        ]
        + [
            {"term": term.name, "rating": "mean", "effect": effect.expected, "se": effect.expected_se, "df": df}
            for term, effect in zip(coded, effects, strict=True)
        ]
    )
    part.tables[f"predicted: {outcome.name}"] = pd.concat(
        [_predicted(fit, design, term.name, study.inference.alpha) for term in coded], ignore_index=True
    )
    try:
        check = check_proportional_odds(design.outcome, design.names, design.columns, design.clusters.to_numpy())
    except ModelProblem as problem:
        part.notes.append(f"{outcome.name}, check of proportional odds: {problem}")
        return
    part.tables[f"proportional odds: {outcome.name}"] = pd.DataFrame(
        [
            {"term": column.name, "cut": cut, "slope": slope, "se": se, "df": df, "p": p}
            for column in check.columns
            for p in [column.wald.p if column.wald else np.nan]
            for cut, slope, se in zip(check.cuts, column.slopes, column.se, strict=True)
        ]
    )
    part.notes.append(f"{outcome.name}: {check.sentence()}")


def _predicted(fit: OrdinalFit, design: Design, name: str, alpha: float, points: int = 9) -> pd.DataFrame:
    """Predicted ratings over the inner 90 % of a column, the others at their means; bands by the t distribution."""
    i = design.names.index(name)
    low, high = np.quantile(design.columns[:, i], [0.05, 0.95])
    grid = np.linspace(low, high, points)
    columns = np.tile(design.columns.mean(axis=0), (points, 1))
    columns[:, i] = grid
    predictions, reach = predict(fit, columns), float(stats.t.ppf(1 - alpha / 2, fit.clusters - 1))
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


def _adjusted(tidy: pd.DataFrame, study: Study) -> pd.DataFrame:
    """q values over the family of a study.

    That is technique terms of one outcome by one model, or those of all outcomes by all models: outcomes have models of
    their own, and one test that stands there once per model hardly moves q values. Penalized rows have none: they are
    of a few columns of a model that stands there without them.
    """
    if study.inference.adjust == "none":
        return tidy
    keys = ["outcome", "model"] if study.inference.family == "outcome" else []
    coded = tidy[(tidy["code"] != "") & ~tidy["model"].str.endswith(PENALIZED_LABEL)]
    for _, group in coded.groupby(["design", coded["correction"].replace("", "naive"), *keys], sort=False):
        tidy.loc[group.index, "q_bh"] = q_values(group["p"].to_numpy(dtype=float), study.inference.adjust)
    return tidy


def _told(dropped: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in dropped.items()) or "none"
