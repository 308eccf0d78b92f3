"""The budget of a study: how many chats and gold chats its headline needs, from its own pilot or a simulated one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.outcomes.label_error import ROWS_PER_PARAMETER, fit_pieces
from mi_coder.outcomes.power import Budget, budget, sampling_probabilities
from mi_coder.outcomes.study.chats import Chats, read_chats, read_gold
from mi_coder.outcomes.study.design import Design, design_of
from mi_coder.outcomes.study.fits import family_data
from mi_coder.outcomes.study.outcome import outcome_values
from mi_coder.outcomes.study.run import CORRECTABLE, check_gold_ids, gold_probabilities
from mi_coder.outcomes.study.spec import Study, models_of

GOLD_ROWS_PER_PARAMETER = 2 * ROWS_PER_PARAMETER


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A budget and what it was made from.

    Attributes:
        outcome, model: what it is for.
        design: the pilot's columns.
        budget: of its technique and other columns.
        influence: [chats, columns] of the fit with the tagger's codes.
        simulated: the gold codes of the pilot were drawn from the tagger's known errors.
    """

    outcome: str
    model: str
    design: Design
    budget: Budget
    influence: "np.ndarray"
    simulated: bool

    def table(self, width: float, chats: Sequence[int]) -> pd.DataFrame:
        """One row per technique: expected width now, and gold chats needed for `width` with so many chats in all.

        Widths are on the scale of the estimates: log odds ratios, or points.
        """
        now = self.budget.width(self.budget.n, self.budget.n_gold)
        needed = {count: self.budget.gold_needed(count, width) for count in chats}
        tenth = self.budget.chats_needed(0.1, width)
        return pd.DataFrame(
            [
                {
                    "technique": term.name,
                    f"width with {self.budget.n} chats, {self.budget.n_gold} gold": now[i],
                    **{f"gold needed of {count} chats": needed[count][i] or "all are too few" for count in chats},
                    "chats needed, a tenth gold": tenth[i] or "over 100 million",
                }
                for i, term in enumerate(self.design.terms)
                if term.code
            ]
        )

    def probabilities(self, size: int) -> pd.DataFrame:
        """The probability of every chat to be drawn for gold coding, `size` in all: conversation_id, probability."""
        return pd.DataFrame(
            {
                "conversation_id": self.design.ids,
                "probability": sampling_probabilities(self.influence, size),
            }
        )


def plan_study(
    study: Study, folder: Path = Path(), tagger: pd.DataFrame | None = None, chats: Chats | None = None
) -> Plan:
    """The budget for the first outcome of a study.

    Args:
        folder: what the paths in the study start from.
        tagger: precision and recall by code (columns code, precision, recall), in place of gold chats.
        chats: in place of the files that the study names.

    Raises:
        UsageProblem: neither gold chats nor figures of the tagger, or a model that is not corrected.
        ModelProblem: the pilot cannot be fitted.
    """
    setting = study.label_error
    has_gold = bool(setting.gold or setting.counts)
    if not has_gold and tagger is None:
        raise UsageProblem(
            "It takes some gold chats (label_error.gold) or the tagger's errors: give a table with code, precision and "
            "recall, such as tagger.csv of mi-code relate."
        )
    outcome = study.outcomes[0]
    model = next((each for each in models_of(outcome) if each in CORRECTABLE), None)
    if model is None:
        raise UsageProblem(f"{outcome.name}: budgets are for {', '.join(CORRECTABLE)}.")
    chats = read_chats(study.data, folder) if chats is None else chats
    values, before = outcome_values(outcome, chats)
    family, data, _ = family_data(model, outcome, design_of(study, outcome, chats, values, before))
    if tagger is None:
        coded = read_gold(setting, study.data, folder)
        check_gold_ids(chats, coded)
        gold = coded.counts
    else:
        figures = _figures(tagger, {code for codes in data.recipe.groups.values() for code in codes})
        coded, gold = None, _simulated(chats, data, figures, np.random.default_rng(study.seed))
    rows = np.flatnonzero(data.ids.isin(gold.index))
    columns = data.gold_columns(gold.loc[data.ids[rows]], rows)
    drawn = None if coded is None else gold_probabilities(setting, chats, coded, data.ids[rows])
    clusters = data.clusters.to_numpy()
    pieces = fit_pieces(family, data.outcome, data.names, data.columns, columns, rows, clusters, probabilities=drawn)
    return Plan(
        outcome.name,
        model,
        data,
        budget(data.names, pieces, study.inference.alpha),
        pieces.everywhere.influence,
        tagger is not None,
    )


def read_tagger(path: Path) -> pd.DataFrame:
    """Precision and recall by code.

    Raises:
        UsageProblem: no such file, or other columns.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{path} cannot be read as a table: {error}.") from None
    for name in ("code", "precision", "recall"):
        if name not in table.columns:
            raise UsageProblem(
                f"{path} has no column {name!r}.{did_you_mean(name, map(str, table.columns))} It takes code, precision "
                "and recall, as tagger.csv of mi-code relate."
            )
    return table


def _figures(tagger: pd.DataFrame, codes: Collection[str]) -> pd.DataFrame:
    """Precision and recall by code, of all `codes` at least: without, the tagger would count as free of errors.

    Raises:
        UsageProblem: a code has none, or they are not above 0 and at most 1.
    """
    figures = tagger.drop_duplicates("code").set_index("code")[["precision", "recall"]]
    figures = figures.apply(pd.to_numeric, errors="coerce").dropna()
    if without := sorted(set(codes) - set(figures.index)):
        raise UsageProblem(
            f"The table has no precision and recall for {', '.join(without)}: without, the tagger would count as free "
            "of errors. Add them, or leave these codes out of techniques.codes."
        )
    outside = figures.index[~((figures > 0) & (figures <= 1)).all(axis=1)]
    if len(outside):
        raise UsageProblem(f"Precision and recall of {', '.join(outside)} must be above 0 and at most 1.")
    return figures


def _simulated(chats: Chats, data: Design, figures: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Gold counts of some chats, drawn from the tagger's counts: what it found is right with its precision, and what it
    missed is spread over the other messages so that its recall comes out."""
    size = min(len(data.ids), max(GOLD_ROWS_PER_PARAMETER * (len(data.names) + 5), len(data.ids) // 10))
    chosen = data.ids[np.sort(random.choice(len(data.ids), size, replace=False))]
    gold = chats.counts.loc[chosen].copy()
    messages = chats.frame.loc[chosen, "messages"].to_numpy(dtype=int)
    for code, precision, recall in figures[figures.index.isin(gold.columns)].itertuples(name=None):
        found = gold[code].to_numpy(dtype=int)
        others = messages - found
        missed = found.sum() * precision * (1 / recall - 1)
        rate = min(missed / max(others.sum(), 1), 1.0)
        gold[code] = (random.binomial(found, precision) + random.binomial(others, rate)).astype(float)
    return gold
