"""From chats to the columns of a model: technique measures, covariates, clusters, and who was left out why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from mi_coder.arrays import Floats, Indices
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.outcomes.guards import AliasedColumn, ConstantColumn, ModelProblem, standardize
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.kept import Kept
from mi_coder.outcomes.study.spec import BEFORE, Covariate, Outcome, Study, Techniques, models_of

COUNSELORS_PER_TECHNIQUE = 2
"""With fewer counselors per technique, differences between counselors are not estimated."""
MOST_CATEGORIES = 50
"""A text with more values than that is no category: each value takes a column."""
POINTS = 10.0
"""A share counts in steps of so many percentage points."""
NO_COUNSELOR = (
    "No counselor is named (data.counselor is empty): differences within and between counselors are not told apart."
)


@dataclass(frozen=True, slots=True)
class Term:
    """One column of a model.

    Attributes:
        name: unique in the design.
        code: id of the code or the merged codes; empty for a covariate.
        level: within or between counselors, or empty where that is not split.
        unit: of the column, as it is said after "per".
    """

    name: str
    code: str = ""
    level: str = ""
    unit: str = ""

    @property
    def correctable(self) -> bool:
        """Whether gold codes can take the tagger's place: people code too few chats of each counselor for a mean."""
        return self.level != "between"


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How counts become technique columns, settled on the tagger's codes and then the same for gold codes.

    Attributes:
        groups: the codes that each technique adds up.
        left_out: sentences on techniques that the data cannot tell about.
        means: [counselors, techniques] the counselors' mean use, by counselor; None where that is not split.
        scale: [techniques] what values are divided by.
        fewest: counselors that it takes to estimate differences between them.
    """

    techniques: Techniques
    groups: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    means: pd.DataFrame | None
    scale: Floats
    fewest: int = 0

    @property
    def terms(self) -> tuple[Term, ...]:
        """The technique columns in their order."""
        unit = _unit(self.techniques)
        if self.means is None:
            return tuple(Term(name, name, "", unit) for name in self.groups)
        return tuple(Term(f"{name} ({level})", name, level, unit) for level in self.levels for name in self.groups)

    @property
    def levels(self) -> tuple[str, ...]:
        """Within counselors, and between them where there are enough of them for all techniques."""
        enough = self.means is not None and len(self.means) >= self.fewest
        return ("within", "between") if enough else ("within",)

    def columns(self, counts: pd.DataFrame, counselors: "pd.Series[str]") -> Floats:
        """[rows, terms] of chats with these counts [rows, codes], by these counselors [rows]."""
        use = technique_use(counts, self.groups, self.techniques.form)
        if self.means is None:
            return use / self.scale
        own = pd.DataFrame(use, columns=self.means.columns).groupby(counselors.to_numpy()).mean()
        # Counselors without any chat that is fitted stand only in the model of who answers: there by all their chats.
        known = pd.concat([self.means, own[~own.index.isin(self.means.index)]])
        means = known.loc[counselors.to_numpy()].to_numpy()
        parts = [(use - means) / self.scale, means / self.scale]
        return np.hstack(parts[: len(self.levels)])


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

    def gold_columns(
        self, counts: pd.DataFrame, rows: Indices, probabilities: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Two times [gold rows, terms]: these rows by gold counts [gold rows, codes], and by the tagger's.

        The counselors' means, where they are split off, stay those of the tagger: people coded too few chats of each
        counselor to have a mean of their own, and the same means stand in all fits that are compared. Where the means
        are no columns of the model, what the tagger finds too much or too little of a counselor would come out as a
        difference within: there both are deviations from the counselor's mean over the gold rows.

        Args:
            probabilities: [gold rows] with which each was drawn, if not all alike.
        """
        tagged = self.columns[rows].copy()
        gold = tagged.copy()
        by_name = dict(
            zip(
                (term.name for term in self.recipe.terms),
                self.recipe.columns(counts, self.counselors.iloc[rows]).T,
                strict=True,
            )
        )
        people = self.counselors.iloc[rows].to_numpy()
        weights = np.ones(len(rows)) if probabilities is None else 1 / probabilities
        for i, term in enumerate(self.terms):
            if term.level == "between" or term.name not in by_name:
                continue
            gold[:, i] = by_name[term.name]
            if term.level == "within" and "between" not in self.recipe.levels:
                gold[:, i] -= _means_of(gold[:, i], people, weights)
                tagged[:, i] -= _means_of(tagged[:, i], people, weights)
        return gold, tagged

    def without(self, names: Sequence[str], note: str) -> "Design":
        """The same without some columns, and a sentence that says so."""
        keep = [i for i, term in enumerate(self.terms) if term.name not in names]
        notes = (*self.notes, note) if note else self.notes
        return replace(self, terms=tuple(self.terms[i] for i in keep), columns=self.columns[:, keep], notes=notes)


def recipe_of(techniques: Techniques, counts: pd.DataFrame, counselors: "pd.Series[str]", others: int = 0) -> Recipe:
    """Settle the technique columns on all chats of the study.

    Args:
        others: parameters of the model beside techniques, where its errors are clustered by counselor: they take more
            counselors than there are parameters, and within counselors has precedence.

    Raises:
        UsageProblem: a code that the codebook does not have, or one that is used twice.
        ModelProblem: no code is used in enough chats.
    """
    groups, label_of = technique_groups(techniques), Codebook.load().label_of
    present = {name: int((counts[list(codes)].sum(axis=1) > 0).sum()) for name, codes in groups.items()}
    kept = {name: codes for name, codes in groups.items() if present[name] >= techniques.min_chats}
    left_out = tuple(
        f"{label_of(name)} is used in {_chats_word(present[name])}, fewer than {techniques.min_chats}: it is not "
        "estimated" + (", and its share counts with the reference." if techniques.form == "share" else ".")
        for name in groups
        if name not in kept
    )
    if not kept:
        raise ModelProblem(
            f"No code is used in {techniques.min_chats} chats or more: set techniques.min_chats lower, or add chats."
        )
    use = pd.DataFrame(technique_use(counts, kept, techniques.form), index=counts.index, columns=list(kept))
    scale = use.std(ddof=0).to_numpy() if techniques.per == "sd" else np.ones(len(kept))
    means = use.groupby(counselors.to_numpy()).mean() if techniques.within_between else None
    both = COUNSELORS_PER_TECHNIQUE * len(kept)
    fewest = max(both, 2 * len(kept) + others + 1 if others else 0)
    recipe = Recipe(techniques, kept, left_out, means, np.where(scale > 0, scale, 1.0), fewest)
    if means is not None and "between" not in recipe.levels:
        beside = f" and {others} further parameters" if fewest > both else ""
        note = (
            f"Differences between counselors are not estimated: {len(kept)} codes{beside} take {fewest} counselors or "
            f"more, and there are {len(means)}. Every code is compared within counselors."
        )
        recipe = replace(recipe, left_out=(*left_out, note))
    return recipe


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
    counselor = field_of(frame, study.data.counselor, "data.counselor") if crossed or _needs_counselor(study) else None
    client = field_of(frame, study.data.client, "data.client") if crossed else None
    cluster = field_of(frame, cluster_field(study), "inference.cluster") if cluster_field(study) else None
    for series, what in ((counselor, "counselor"), (client, "client"), (cluster, cluster_field(study))):
        if series is not None:
            kept = kept.without(series.isna(), f"no {what}")
    if study.techniques.form == "share":
        kept = kept.without(chats.counts.sum(axis=1) == 0, "no code at all")
    if study.data.counselor and study.data.counselor in (covariate.field for covariate in study.adjusted_for):
        raise UsageProblem(
            f"covariates: {study.data.counselor} is the counselor, who is in the models already: by "
            "techniques.within_between, random intercepts, and errors clustered by counselor. Leave it out there."
        )
    covariates = [covariate_columns(frame, covariate) for covariate in study.adjusted_for]
    for covariate, columns in zip(study.adjusted_for, covariates, strict=True):
        kept = kept.without(columns.isna().any(axis=1), f"no {covariate.field}")
    if before is not None:
        kept = kept.without(np.isnan(before), f"no {outcome.fields[0]}")
    asked = kept.rows
    kept = kept.without(np.isnan(values), f"no {outcome.fields[-1]}")
    keep = kept.rows
    if not keep.any():
        raise ModelProblem(f"No chat is left for {outcome.name}: {_reasons(kept.dropped)}.")

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
    parts = [recipe.columns(chats.counts, people)]
    terms = list(recipe.terms)
    for name, column in further:
        if any(term.code and term.name == name for term in terms):
            raise UsageProblem(f"covariates: {name} is the name of a technique too. Give the column another name.")
        # Also what the model holds constant by itself, such as the score before, may be among the covariates.
        if name not in (term.name for term in terms):
            parts.append(column.to_numpy(dtype=float)[:, None])
            terms.append(Term(name))
    matrix = np.hstack(parts)
    pairs = [tuple(outcome.fields[0] if name == BEFORE else name for name in pair) for pair in study.interactions]
    matrix, terms = _with_products(matrix, terms, pairs)
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


def cluster_field(study: Study) -> str:
    """The column that clusters are taken from, or an empty string where there is none."""
    named = study.inference.cluster
    return {"counselor": study.data.counselor, "client": study.data.client}.get(named, named)


def _means_of(values: Floats, people: "np.ndarray[tuple[int], np.dtype[Any]]", weights: Floats) -> Floats:
    """[rows] the weighted mean over the rows of the same person."""
    sums = pd.DataFrame({"value": values * weights, "weight": weights}).groupby(people).transform("sum")
    return (sums["value"] / sums["weight"]).to_numpy()


def _needs_counselor(study: Study) -> bool:
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


def technique_groups(techniques: Techniques) -> dict[str, tuple[str, ...]]:
    """The codes of each technique that is asked for, without the reference.

    Raises:
        UsageProblem: a code that the codebook does not have.
    """
    book = Codebook.load()
    for code in (each for codes in (*techniques.merge.values(), techniques.reference) for each in codes):
        _known(code, book.ids)
    merged = [code for codes in techniques.merge.values() for code in codes]
    if twice := sorted({code for code in merged if merged.count(code) > 1}):
        raise UsageProblem(f"techniques.merge: {', '.join(twice)} stands there more than once, and would count twice.")
    groups: dict[str, tuple[str, ...]] = {code: (code,) for code in book.ids if code not in merged}
    groups |= {name: tuple(codes) for name, codes in techniques.merge.items()}
    for name in techniques.codes:
        _known(name, groups)
    asked = techniques.codes or tuple(groups)
    reference = techniques.reference if techniques.form == "share" else ()
    for name in techniques.codes:
        if clash := sorted(set(groups[name]) & set(reference)):
            raise UsageProblem(
                f"techniques.codes: {name} is in the reference ({', '.join(clash)}), to whose share the others are "
                "compared. Leave it out of one of both."
            )
    return {name: groups[name] for name in asked if not set(groups[name]) & set(reference)}


def _known(name: str, names: "Mapping[str, object] | Sequence[str]") -> None:
    if name not in names:
        raise UsageProblem(
            f"techniques: there is no code {name!r}.{did_you_mean(name, names)} There are {', '.join(names)}."
        )


def technique_use(counts: pd.DataFrame, groups: Mapping[str, Sequence[str]], form: str) -> Floats:
    """[rows, techniques] in steps of 10 percentage points, messages, or 0 and 1."""
    use = np.column_stack([counts[list(codes)].sum(axis=1).to_numpy(dtype=float) for codes in groups.values()])
    if form == "presence":
        return (use > 0).astype(float)
    if form == "count":
        return use
    total = counts.sum(axis=1).to_numpy(dtype=float)
    return use / np.where(total > 0, total, 1.0)[:, None] * (100 / POINTS)


def _unit(techniques: Techniques) -> str:
    if techniques.per == "sd":
        return "standard deviation"
    return {"share": "10 points of share", "count": "message", "presence": "chat that uses it"}[techniques.form]


def covariate_columns(frame: pd.DataFrame, covariate: Covariate) -> pd.DataFrame:
    """The columns [chats, columns] of one covariate; a category with k values has k - 1.

    Raises:
        UsageProblem: the chats have no such field, or values that its transform does not have.
    """
    name = covariate.field
    column = field_of(frame, name, "covariates")
    numeric = pd.to_numeric(column, errors="coerce")
    texts = column.notna() & numeric.isna()
    if covariate.transform == "category" or (covariate.transform == "none" and texts.any() and numeric.isna().all()):
        if (values := column.nunique()) > MOST_CATEGORIES:
            raise UsageProblem(
                f"covariates: {name} is a text of {values:,} values, and a category has at most {MOST_CATEGORIES}. "
                "Join values, or give numbers, such as earlier chats in place of dates."
            )
        dummies = pd.get_dummies(column.astype("string"), prefix=name, prefix_sep=" = ", drop_first=True, dtype=float)
        return dummies.mask(column.isna())
    if texts.any():
        told = f"covariates: {name} is no number in {int(texts.sum())} chats"
        first = f"the first is {frame.index[texts][0]!r}"
        if covariate.transform != "none":
            raise UsageProblem(f"{told}, {first}, and {covariate.transform} needs numbers.")
        raise UsageProblem(
            f"{told} and a number in others, {first}. Correct these cells or leave them empty; where {name} is a "
            f"category, write {{field: {name}, transform: category}}."
        )
    values = _finite(numeric.astype(float), name, "covariates")
    if covariate.transform in ("log", "log1p"):
        least = 0 if covariate.transform == "log" else -1
        if (values <= least).any():
            raise UsageProblem(
                f"covariates: {name} is {least} or less in {int((values <= least).sum())} chats, and has no "
                f"{covariate.transform} there."
            )
        values = np.log(values) if covariate.transform == "log" else np.log1p(values)
    if covariate.transform == "standardize":
        spread = values.std(ddof=0)
        values = (values - values.mean()) / (spread if spread > 0 else 1.0)
    label = name if covariate.transform in ("none", "standardize") else f"{covariate.transform}({name})"
    return pd.DataFrame({label: values})


def column_of(frame: pd.DataFrame, name: str, key: str) -> "pd.Series[float]":
    """A column of numbers; truth values become 0 and 1.

    Raises:
        UsageProblem: there is none, or a value is no number.
    """
    column = field_of(frame, name, key)
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    bad = numbers.isna() & column.notna()
    if bad.any():
        raise UsageProblem(
            f"{key}: {name} is no number in {int(bad.sum())} chats, the first is {frame.index[bad][0]!r}."
        )
    return _finite(numbers, name, key)


def _finite(values: "pd.Series[float]", name: str, key: str) -> "pd.Series[float]":
    if endless := int(np.isinf(values).sum()):
        raise UsageProblem(f"{key}: {name} is infinite in {endless} chats. Leave such cells empty.")
    return values


def field_of(frame: pd.DataFrame, name: str, key: str) -> "pd.Series[str]":
    """A column as it is, blank cells as missing.

    Raises:
        UsageProblem: there is none.
    """
    if name not in frame.columns:
        known = [str(column) for column in frame.columns]
        raise UsageProblem(
            f"{key}: the chats have no field {name!r}.{did_you_mean(name, known)} They have {', '.join(sorted(known))}."
        )
    column = frame[name]
    return column.mask(column.astype(str).str.strip() == "")


def labels_of(series: "pd.Series[str]") -> "pd.Series[str]":
    return series.astype("string").fillna("").astype(object)


def _chats_word(number: int) -> str:
    return "1 chat" if number == 1 else f"{number:,} chats"


def _reasons(dropped: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in dropped.items()) or "there are no chats"
