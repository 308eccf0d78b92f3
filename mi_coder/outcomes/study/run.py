"""Run a study: every outcome by every model, naive and corrected, with what was left out and why."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec.structs import replace as replace_fields

from mi_coder.arrays import Floats
from mi_coder.batch.codebook import check_codebook
from mi_coder.outcomes.guards import FEWEST_CLUSTERS, ModelProblem, NoClusterVariance, TooFewClusters
from mi_coder.outcomes.multiplicity import q_values
from mi_coder.outcomes.response import compare_responders, fit_response, response_weights
from mi_coder.outcomes.study.chats import Chats, read_chats, read_gold
from mi_coder.outcomes.study.correction import CORRECTABLE, UNCORRECTED, check_gold_ids, correct_part, trained_on
from mi_coder.outcomes.study.design import Design, design_of, needs_counselor
from mi_coder.outcomes.study.fits import PENALIZED_LABEL, TIDY, Fit, fit_model, tidy_rows
from mi_coder.outcomes.study.match import run_matching
from mi_coder.outcomes.study.outcome import outcome_values, symptom_change
from mi_coder.outcomes.study.part import Part
from mi_coder.outcomes.study.presets import designs_of, preset_notes, takes_matching
from mi_coder.outcomes.study.quality import merged_codes, no_quality, tagger_quality
from mi_coder.outcomes.study.ratings import rating_tables
from mi_coder.outcomes.study.result import Result
from mi_coder.outcomes.study.sentences import one_slope, stands_in, what_can_be_said
from mi_coder.outcomes.study.spec import ONE_SLOPE, SATISFIED, STANDS_IN, STARS, Model, Outcome, Study, models_of
from mi_coder.outcomes.study.term import Term

WITHOUT_CLUSTERS = (
    'To fit without clusters, write inference: {cluster: ""} in the study file: chats then count as independent, and '
    "the report says that it is about these counselors only."
)


class NoModel(ModelProblem):
    """An outcome that no model can be fitted to, while others can."""


def run_study(
    study: Study, folder: str | Path | None = None, chats: Chats | None = None, gold: Chats | None = None
) -> Result:
    """Fit a study.

    Args:
        folder: what the paths in the study start from; by default the folder of its file.
        chats, gold: in place of the files that the study names.

    Raises:
        UsageProblem: files, columns or codes that are missing or do not fit.
        ModelProblem: no model could be fitted.
    """
    folder = study.data.folder if folder is None else Path(folder)
    gold = _gold_of(study, folder) if gold is None else gold
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
    trained = trained_on(gold, folder / study.label_error.model if study.label_error.model else None) if gold else ()
    parts = _parts(study, designs, chats, gold)
    rows = [each for part in parts for each in part.rows]
    notes = (*trained, *filter(None, [unknown]), *dict.fromkeys(note for part in parts for note in part.notes))
    if not rows:
        raise ModelProblem("\n- ".join(["No model could be fitted.", *notes]))
    tidy = pd.concat(rows, ignore_index=True)[list(TIDY)]
    tidy = adjusted(tidy, study)
    if quality is not None:
        tidy = tidy.merge(quality[["code", "f1", "support"]], on="code", how="left")
    tables = {name: table for part in parts for name, table in part.tables.items()}
    if quality is not None:
        tables["tagger"] = quality
    glance = pd.DataFrame([facts for part in parts for facts in part.glance])
    result = Result(study, tidy, glance, tables, notes, ())
    stood_in = [sentence for part in parts for sentence in part.sentences]
    return replace(result, sentences=what_can_be_said(result, gold is not None, stood_in))


def _gold_of(study: Study, folder: Path) -> Chats | None:
    """The gold chats that a study names, unless it wants no correction."""
    correction = study.label_error
    if correction.correction == "none" or not (correction.gold or correction.counts):
        return None
    return read_gold(correction, study.data, folder)


def _parts(study: Study, designs: Iterable[tuple[str, Study]], chats: Chats, gold: Chats | None) -> list[Part]:
    """What all outcomes give in all designs, of a preset also its notes and its matched rows."""
    parts: list[Part] = []
    for label, design_study in designs:
        preset = bool(study.preset) and label == study.preset
        if preset:
            parts.append(Part(notes=list(preset_notes(study))).of_design(label, preset))
        for outcome in design_study.outcomes:
            try:
                part = _relate(design_study, outcome, chats, gold)
            except NoModel as problem:
                part = Part(notes=[str(problem)])
            parts.append(part.of_design(label, preset))
            if preset and takes_matching(study):
                parts.append(_matched(replace_fields(study, outcomes=(outcome,)), chats).of_design(label, preset))
    return parts


def _relate(study: Study, outcome: Outcome, chats: Chats, gold: Chats | None) -> Part:
    values, before = outcome_values(outcome, chats)
    try:
        design = design_of(study, outcome, chats, values, before)
    except ModelProblem as problem:
        raise NoModel(str(problem)) from None
    part = Part(notes=list(design.notes))
    if (
        outcome.type == "rating"
        and (empty := sorted(set(outcome.levels) - set(design.outcome)))
        and (len(set(design.outcome)) > 1)
    ):
        part.notes.append(
            f"{outcome.name}: no rating is {' or '.join(f'{level:g}' for level in empty)}: ordinal models are fitted "
            f"on the {len(set(design.outcome))} levels that occur."
        )
    if outcome.type == "rating" and "logit" in models_of(outcome):
        part.notes.extend(_told_cut(outcome, design.outcome))
    separated = _fit_all(part, study, outcome, design)
    _response(part, study, outcome, design, separated)
    if gold is not None:
        for model, names in separated.items():
            if model in CORRECTABLE:
                correct_part(part, model, study, outcome, design.without(names, ""), chats, gold)
    if outcome.type == "rating" and "ordinal" in separated:
        rating_tables(part, study, outcome, design.without(separated["ordinal"], ""))
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
        f"{outcome.name}, logit: ratings are cut at {outcome.satisfied:g}, which is meant for levels of 1 to 5: "
        f"{count:,} of {len(ratings):,} chats count as 1. Set another cut in outcomes.satisfied."
    ]


def _fit_all(part: Part, study: Study, outcome: Outcome, design: Design) -> dict[Model, tuple[str, ...]]:
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
    fitted = {str(rows["model"].iloc[0]) for rows in part.rows if len(rows)}
    if one := [model for model in models_of(outcome) if model in ONE_SLOPE and model in fitted]:
        clustered = STANDS_IN.get(one[0], "linear")
        part.notes.append(one_slope(outcome.name, one, clustered, clustered in fitted, by))
    return separated


def _fit_into(
    part: Part, model: Model, study: Study, outcome: Outcome, design: Design, weights: Floats | None
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


def _add(part: Part, model: Model, outcome: Outcome, fit: Fit) -> None:
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


def _matched(study: Study, chats: Chats) -> Part:
    """The random-effects model of the second study on matched rows, as `mi-code match` fits it."""
    part, outcome, matching = Part(), study.outcomes[0], study.matching
    assert matching is not None
    data = study.data
    if not needs_counselor(study) and data.counselor not in chats.frame.columns:
        data = replace_fields(data, counselor="")
    try:
        found = run_matching(replace_fields(study, data=data), chats=chats)
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
    left_out = {**found.dropped, "treated without a match": len(found.chosen.pairs.dropped)}
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


def _response(part: Part, study: Study, outcome: Outcome, design: Design, models: Iterable[Model]) -> None:
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


def adjusted(tidy: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The tidy table with q values over the family of a study.

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
