"""From chats to the columns of a model: technique measures, covariates, clusters, and who was left out why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.outcomes.guards import AliasedColumn, ConstantColumn, ModelProblem, standardize
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.fields import covariate_columns, field_of, labels_of
from mi_coder.outcomes.study.kept import Kept
from mi_coder.outcomes.study.spec import BEFORE, Outcome, Study, models_of
from mi_coder.outcomes.study.techniques import Recipe, recipe_of
from mi_coder.outcomes.study.term import Term

NO_COUNSELOR = (
    "No counselor is named (data.counselor is empty): differences within and between counselors are not separated."
)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What a model of one outcome is fitted to.

    Attributes:
        terms: technique columns, then covariates.
        columns: [rows, terms]
        outcome: [rows]
        before: [rows] the score before, for outcomes that have one.
        counselors, clusters, ids: [rows]
        dropped: chats left out, by reason.
        notes: sentences on columns that were left out.
        asked: [chats] all chats that could have had the outcome, for the model of who answered.
        clients: [rows] where a model asks for them.
    """

    terms: tuple[Term, ...]
    columns: Floats
    outcome: Floats
    before: Floats | None
    ids: pd.Index
    counselors: "pd.Series[str]"
    clusters: "pd.Series[str]"
    recipe: Recipe
    dropped: Mapping[str, int]
    notes: tuple[str, ...]
    asked: pd.DataFrame = field(default_factory=pd.DataFrame)
    clients: "pd.Series[str] | None" = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(term.name for term in self.terms)

    @property
    def coded(self) -> Bools:
        """[terms] which columns are of techniques."""
        return np.array([bool(term.code) for term in self.terms], dtype=np.bool_)

    def gold_columns(
        self, counts: pd.DataFrame, rows: Indices, probabilities: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Two times [gold rows, terms]: these rows by gold counts [gold rows, codes], and by the tagger's.

        The counselors' means, where they are columns of the model, stay those of the tagger: people coded too few chats
        of each counselor to have a mean of their own, and the same means stand in all fits that are compared. Columns
        within counselors are deviations from the counselor's mean over the gold rows, in both: as deviations from the
        tagger's mean of all chats, gold use would carry what that mean misses of the counselor's habit, and with it
        what makes counselors differ, into the slope within.

        Args:
            probabilities: [gold rows] with which each was drawn, if not all alike.

        Raises:
            ModelProblem: there are columns within counselors, but no counselor has two gold rows.
        """
        people = self.counselors.iloc[rows].to_numpy()
        if len(people) and len(set(people)) == len(people) and any(term.level == "within" for term in self.terms):
            raise ModelProblem(
                f"Each of the {len(people):,} gold chats is of another counselor, so gold codes never differ within a "
                "counselor. Code further chats of the same counselors, or set techniques.within_between to false."
            )
        tagged = self.columns[rows].copy()
        gold = tagged.copy()
        by_name = dict(
            zip(
                (term.name for term in self.recipe.terms),
                self.recipe.columns(counts, self.counselors.iloc[rows]).T,
                strict=True,
            )
        )
        weights = np.ones(len(rows)) if probabilities is None else 1 / probabilities
        for i, term in enumerate(self.terms):
            if term.level == "between" or term.name not in by_name:
                continue
            gold[:, i] = by_name[term.name]
            if term.level == "within":
                gold[:, i] -= _means_of(gold[:, i], people, weights)
                tagged[:, i] -= _means_of(tagged[:, i], people, weights)
        return gold, tagged

    def without(self, names: Sequence[str], note: str) -> "Design":
        """The same without some columns, and a sentence that says so."""
        keep = [i for i, term in enumerate(self.terms) if term.name not in names]
        notes = (*self.notes, note) if note else self.notes
        return replace(self, terms=tuple(self.terms[i] for i in keep), columns=self.columns[:, keep], notes=notes)


def design_of(study: Study, outcome: Outcome, chats: Chats, values: Floats, before: Floats | None) -> Design:
    """The columns for one outcome.

    Args:
        values: [chats] the outcome, not a number where it is missing.
        before: [chats] the score before, or None.

    Raises:
        UsageProblem: a column that the data do not have.
        ModelProblem: no chats are left.
    """
    frame, kept = chats.frame, Kept.all_of(chats)
    crossed = "crossed" in models_of(outcome)
    counselor = field_of(frame, study.data.counselor, "data.counselor") if crossed or needs_counselor(study) else None
    client = field_of(frame, study.data.client, "data.client") if crossed else None
    cluster = field_of(frame, cluster_field(study), "inference.cluster") if cluster_field(study) else None
    for series, what in ((counselor, "counselor"), (client, "client"), (cluster, cluster_field(study))):
        if series is not None:
            kept = kept.without(series.isna(), f"no {what}")
    if study.techniques.form == "share":
        kept = kept.without(chats.counts.sum(axis=1) == 0, "no code at all")
    covariates = _covariates(study, frame)
    for covariate, columns in zip(study.adjusted_for, covariates, strict=True):
        kept = kept.without(columns.isna().any(axis=1), f"no {covariate.field}")
    if before is not None:
        kept = kept.without(np.isnan(before), f"no {outcome.fields[0]}")
    asked = kept.rows
    kept = kept.without(np.isnan(values), f"no {outcome.fields[-1]}")
    keep = kept.rows
    if not keep.any():
        raise ModelProblem(f"No chat is left for {outcome.name}: {kept.reasons}.")

    people = labels_of(counselor if counselor is not None else pd.Series("", index=frame.index))
    forms, notes = study.techniques, list[str]()
    if counselor is None and forms.within_between:
        forms, notes = msgspec.structs.replace(forms, within_between=False), [NO_COUNSELOR]
    further = [(str(name), columns[name]) for columns in covariates for name in columns]
    if forms.form == "count" and forms.log_length:
        further.append(("log_messages", frame["log_messages"]))
    if before is not None:
        further.append((outcome.fields[0], pd.Series(before)))
    others = 0
    if cluster_field(study) and cluster_field(study) == study.data.counselor:
        constants = len(np.unique(values[keep])) - 1 if "ordinal" in models_of(outcome) else 1
        others = len({name for name, _ in further}) + len(study.interactions) + constants
    recipe = recipe_of(forms, chats.counts[keep], people[keep], others)
    pairs = [tuple(outcome.fields[0] if name == BEFORE else name for name in pair) for pair in study.interactions]
    matrix, terms = _matrix(recipe, chats.counts, people, further, pairs)
    return _without_useless(
        Design(
            tuple(terms),
            matrix[keep],
            values[keep],
            None if before is None else before[keep],
            frame.index[keep],
            people[keep],
            labels_of(cluster)[keep] if cluster is not None else pd.Series(frame.index[keep].astype(str)),
            recipe,
            kept.dropped,
            (*notes, *recipe.left_out),
            pd.DataFrame(matrix[asked], columns=[term.name for term in terms], index=frame.index[asked]),
            labels_of(client)[keep] if client is not None else None,
        )
    )


def _covariates(study: Study, frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The columns [chats, columns] of each covariate of the study.

    Raises:
        UsageProblem: one is the counselor, or as `covariate_columns`.
    """
    if study.data.counselor and study.data.counselor in (covariate.field for covariate in study.adjusted_for):
        raise UsageProblem(
            f"covariates: {study.data.counselor} is the counselor, who is in the models already: by "
            "techniques.within_between, random intercepts, and standard errors clustered by counselor. Leave it out "
            "there."
        )
    return [covariate_columns(frame, covariate) for covariate in study.adjusted_for]


def _matrix(
    recipe: Recipe,
    counts: pd.DataFrame,
    people: "pd.Series[str]",
    further: Sequence[tuple[str, "pd.Series[float]"]],
    pairs: Sequence[tuple[str, ...]],
) -> tuple[Floats, list[Term]]:
    """[chats, terms] technique columns, further columns by name and products of pairs of them; and their terms.

    Raises:
        UsageProblem: a further column has the name of a technique, or a pair one that no column has.
    """
    parts = [recipe.columns(counts, people)]
    terms = list(recipe.terms)
    for name, column in further:
        if any(term.code and term.name == name for term in terms):
            raise UsageProblem(f"covariates: {name} is also the name of a technique. Give the column another name.")
        # Also what the model holds constant by itself, such as the score before, may be among the covariates.
        if name not in (term.name for term in terms):
            parts.append(column.to_numpy(dtype=float)[:, None])
            terms.append(Term(name))
    return _with_products(np.hstack(parts), terms, pairs)


def cluster_field(study: Study) -> str:
    """The column that clusters are taken from, or an empty string where there is none."""
    named = study.inference.cluster
    return {"counselor": study.data.counselor, "client": study.data.client}.get(named, named)


def _means_of(values: Floats, people: "np.ndarray[tuple[int], np.dtype[Any]]", weights: Floats) -> Floats:
    """[rows] the weighted mean over the rows of the same person."""
    sums = pd.DataFrame({"value": values * weights, "weight": weights}).groupby(people).transform("sum")
    return (sums["value"] / sums["weight"]).to_numpy()


def needs_counselor(study: Study) -> bool:
    """Whether a model of the study takes counselors."""
    return bool(study.data.counselor) and (study.techniques.within_between or study.inference.cluster == "counselor")


def _without_useless(design: Design) -> Design:
    """Without columns that never vary or follow from others, each named."""
    useless = useless_columns(design.columns)
    notes = []
    for i, why in useless.items():
        term = design.terms[i]
        shown = term.name
        if term.code:
            shown = Codebook.load().label_of(term.code) + (f" ({term.level})" if term.level else "")
        notes.append(f"{shown} {why} in these {len(design.columns)} chats: left out.")
    smaller = design.without([design.names[i] for i in useless], "")
    return replace(smaller, notes=(*design.notes, *notes))


def useless_columns(columns: Floats) -> dict[int, str]:
    """Which columns [rows, columns] never vary or follow from those before them, and which of both."""
    useless: dict[int, str] = {}
    while kept := [i for i in range(columns.shape[1]) if i not in useless]:
        try:
            standardize([str(i) for i in kept], columns[:, kept], len(columns))
        except (ConstantColumn, AliasedColumn) as problem:
            constant = isinstance(problem, ConstantColumn)
            useless[int(problem.columns[-1])] = "never varies" if constant else "follows from the columns before it"
        else:
            break
    return useless


def _with_products(matrix: Floats, terms: list[Term], pairs: Sequence[tuple[str, ...]]) -> tuple[Floats, list[Term]]:
    names = [term.name for term in terms]
    for pair in pairs:
        for name in pair:
            if name not in names:
                raise UsageProblem(
                    f"interactions: there is no column {name!r}.{did_you_mean(name, names)} "
                    f"There are {', '.join(names)}."
                )
        first, second = (matrix[:, names.index(name)] for name in pair)
        product = (first - np.nanmean(first)) * (second - np.nanmean(second))
        matrix = np.hstack([matrix, product[:, None]])
        terms = [*terms, Term(" x ".join(pair))]
    return matrix, terms
