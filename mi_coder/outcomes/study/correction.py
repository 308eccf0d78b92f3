"""Correct the models of an outcome for the tagger's errors, by chats with gold codes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.information import LARGER_P, MOST_BOOTSTRAPPED
from mi_coder.outcomes.label_error import Corrected, correct, error_by_outcome
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.design import Design
from mi_coder.outcomes.study.fields import column_of
from mi_coder.outcomes.study.fits import family_data, scale_of, tidy_rows
from mi_coder.outcomes.study.origin import learned_from
from mi_coder.outcomes.study.part import Part
from mi_coder.outcomes.study.quality import message_counts
from mi_coder.outcomes.study.spec import LabelError, Model, Outcome, Study

CORRECTABLE: tuple[Model, ...] = ("ordinal", "logit", "linear", "change", "poisson")
"""Models whose errors by cluster come from rows, so that gold rows can correct them."""
UNCORRECTED = "uncorrected: intervals ignore the tagger's errors"
BETWEEN_UNCORRECTED = (
    "uncorrected: the counselors' means are the tagger's (with techniques.within_between: false the pooled slope is "
    "corrected)"
)


def check_gold_ids(chats: Chats, gold: Chats) -> None:
    """Refuse gold chats of which not one is among the chats.

    Raises:
        UsageProblem: their ids are others.
    """
    if not gold.counts.index.isin(chats.counts.index).any():
        raise UsageProblem(
            f"None of the {len(gold):,} gold chats is among the {len(chats):,} chats. Give gold codes of chats of this "
            "study, with the same ids."
        )


def trained_on(gold: Chats, model: Path | None) -> tuple[str, ...]:
    """A warning where the tagger learned from gold chats."""
    count = learned_from(gold, model)
    if not count:
        return ()
    return (
        f"{count:,} of {len(gold):,} gold chats, or others of the same people, trained or tuned the tagger: it "
        "makes fewer errors on them than on others, so the correction is too small. Use gold chats that it has not "
        "seen.",
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


def correct_part(
    part: Part, model: Model, study: Study, outcome: Outcome, design: Design, chats: Chats, gold: Chats
) -> None:
    """Add gold-only and corrected rows of a model, and call those before naive; a note where it is not corrected.

    Args:
        design: what the model of the outcome was fitted to.

    Raises:
        UsageProblem: as `gold_probabilities`.
    """
    family, data, own_weights = family_data(model, outcome, design)
    if reason := _why_not(study, data, own_weights is not None):
        part.notes.append(f"{outcome.name}, {model}: {reason}")
        return
    ids = data.ids
    known = ids.isin(gold.counts.index)
    rows = np.flatnonzero(known)
    missing = len(gold.counts) - len(rows)
    if missing:
        part.notes.append(
            f"{outcome.name}: {missing:,} of {len(gold.counts):,} gold chats are not among the fitted chats."
        )
    if without := _without_gold(data, chats, gold, ids[rows]):
        part.notes.append(f"{outcome.name}, {model}, correction for label error: {without}")
        return
    setting = study.label_error
    probabilities = gold_probabilities(setting, chats, gold, ids[rows])
    try:
        by_gold, by_tagger = data.gold_columns(gold.counts.loc[ids[rows]], rows, probabilities)
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
    _call_naive(part.rows, model)
    part.rows.extend(_corrected_rows(model, study, outcome, data, corrected))
    part.notes.extend(corrected.warnings)
    gains = pd.DataFrame({"model": model, "term": corrected.names, "weight": corrected.weights, "gain": corrected.gain})
    told = [term.correctable for term in data.terms]
    part.tables[f"gain: {outcome.name}, {model}"] = gains[told].reset_index(drop=True)
    part.tables.setdefault(f"error by outcome: {outcome.name}", _error_table(data, chats, gold, rows, probabilities))


def _why_not(study: Study, data: Design, weighted: bool) -> str:
    """Why the model of these data is never corrected; "" if it can be.

    Args:
        weighted: whether its classes have weights.
    """
    if weighted:
        return "with equally weighted classes there is no correction for label error."
    measured = {term.name for term in data.recipe.terms}
    if any(measured & set(pair) for pair in study.interactions):
        return "with interactions of techniques there is no correction for label error."
    if not any(term.code and term.correctable for term in data.terms):
        return (
            "only differences between counselors are left, which gold codes do not correct: set "
            "techniques.within_between to false."
        )
    return ""


def _without_gold(data: Design, chats: Chats, gold: Chats, ids: pd.Index) -> str:
    """Techniques that gold chats cannot correct because people, or the tagger, gave them to none; "" if all can be."""
    if not len(ids):
        return "no gold chat is among the fitted chats."
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
        f"{' and '.join(said)}: so there is nothing to estimate the correction from. Code chats with it (mi-code "
        "sample --design "
        "rare-code), or leave it out of techniques.codes."
    )


def _call_naive(rows: list[pd.DataFrame], model: Model) -> None:
    """Mark the rows of a model that corrected ones stand beside; only the counselors' means stay uncorrected."""
    for frame in rows:
        if (frame["model"] == model).all():
            frame["correction"] = "naive"
            frame["warnings"] = [
                old.replace(UNCORRECTED, BETWEEN_UNCORRECTED)
                if level == "between"
                else old.removesuffix(UNCORRECTED).removesuffix("; ")
                for old, level in zip(frame["warnings"], frame["level"], strict=True)
            ]


def _corrected_rows(
    model: Model, study: Study, outcome: Outcome, data: Design, corrected: Corrected
) -> list[pd.DataFrame]:
    """Gold-only and corrected rows of all terms but the counselors' means, which no gold codes correct."""
    told = np.array([term.correctable for term in data.terms])
    terms = [term for term in data.terms if term.correctable]
    information = corrected.information
    few: str | list[str] = ""
    if information.few:
        few = (
            f"gold of only {corrected.clusters} clusters: t with {corrected.clusters - 1} degrees of freedom, "
            "p by the wild cluster bootstrap"
        )
    elif (thin := information.thin & told).any():
        how = "t with one degree of freedom less than that"
        how += f", {LARGER_P}" if corrected.clusters <= MOST_BOOTSTRAPPED else ""
        few = [f"gold of {information.told(thin)}: {how}" if each else "" for each in thin[told]]
    return [
        tidy_rows(
            model,
            outcome.name,
            terms,
            part.coefficients[told],
            part.se[told],
            part.df if np.ndim(part.df) == 0 else np.asarray(part.df)[told],
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


def _error_table(
    data: Design, chats: Chats, gold: Chats, rows: "np.ndarray[Any, Any]", probabilities: Floats | None
) -> pd.DataFrame:
    """Errors by outcome in gold chats: counted message by message where both sides have the codes of each message."""
    ids = data.ids[rows]
    groups = data.recipe.groups
    by_message = message_counts(chats.coded, gold.coded, map(str, ids), groups)
    known = ~np.isnan(by_message.hits)
    tagged, truth = (
        np.where(
            known,
            messages,
            np.column_stack([counts.loc[ids, list(codes)].sum(axis=1) for codes in groups.values()]).astype(float),
        )
        for counts, messages in ((chats.counts, by_message.found), (gold.counts, by_message.true))
    )
    return error_by_outcome(
        list(groups),
        tagged,
        truth,
        data.outcome[rows],
        data.clusters.to_numpy()[rows],
        hits=by_message.hits if known.any() else None,
        probabilities=probabilities,
    )
