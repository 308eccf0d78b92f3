"""The budget of a study: how many chats and gold chats its headline needs, from its own pilot or a simulated one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mi_coder.errors import UnknownName, UsageProblem, did_you_mean
from mi_coder.outcomes.frame_guard import unguarded
from mi_coder.outcomes.label_error import ROWS_PER_PARAMETER, fit_pieces
from mi_coder.outcomes.power import Budget, budget, sampling_probabilities
from mi_coder.outcomes.study.chats import Chats, read_chats, read_gold
from mi_coder.outcomes.study.correction import CORRECTABLE, check_gold_ids, gold_probabilities
from mi_coder.outcomes.study.design import Design, design_of
from mi_coder.outcomes.study.fits import family_data
from mi_coder.outcomes.study.outcome import outcome_values
from mi_coder.outcomes.study.spec import Study, models_of
from mi_coder.outcomes.study.term import Term
from mi_coder.outcomes.tables import level_text, to_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GOLD_ROWS_PER_PARAMETER = 2 * ROWS_PER_PARAMETER
TIMES = (1, 2, 5, 10)
FEWEST = "(fewest)"
"""What stands beside a number that the model asks for, not the width."""
_STEPS = 40


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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

    @property
    def _planned(self) -> list[tuple[int, Term]]:
        """The columns that have a budget, with their places: those of techniques that gold chats correct."""
        return [(i, term) for i, term in enumerate(self.design.terms) if term.code and term.correctable]

    def frame(self, chats: Sequence[int] = (), gold: Sequence[int] = ()) -> pd.DataFrame:
        """Expected widths of intervals in long form: technique, chats, gold, width.

        Widths are on the scale of the estimates: log odds ratios, or points.

        Args:
            chats: in all; by default those of the pilot and 2, 5 and 10 times as many.
            gold: of them with gold codes; by default from few to four times as many as the pilot has. Those that are
                more than there are chats have no row.

        Raises:
            UsageProblem: too few chats, or gold chats, to correct by.
        """
        counts = [round(each) for each in chats] or [times * self.budget.n for times in TIMES]
        fewest = self.budget.fewest_gold(min(counts)) or min(counts)
        few, many = max(fewest, self.budget.n_gold // 4), 4 * self.budget.n_gold
        default = np.geomspace(few, max(many, few + 1), _STEPS)
        steps = [round(each) for each in gold] or sorted({round(each) for each in default})
        return pd.DataFrame(
            [
                (term.name, count, some, widths[i])
                for count in counts
                for some in steps
                if some <= count
                for widths in [self.budget.width(count, some)]
                for i, term in self._planned
            ],
            columns=["technique", "chats", "gold", "width"],
        )

    def plot(
        self, technique: str = "", chats: Sequence[int] = (), gold: Sequence[int] = (), width: float | None = None
    ) -> "Figure":
        """Expected width of the interval of a technique over the number of gold chats, a line per number of chats.

        Args:
            technique: as `table` names it, or its code; by default the first.
            chats, gold: as in `frame`.
            width: that is wanted, drawn as a dashed line.

        Raises:
            UnknownName: no such technique.
            UsageProblem: as `frame`.
        """
        from mi_coder.outcomes.figures import interval_widths

        named = {term.name: term.name for _, term in self._planned}
        for _, term in self._planned:
            named.setdefault(term.code, term.name)
        wanted = technique or next(iter(named))
        if wanted not in named:
            raise UnknownName(f"No technique {wanted!r}.{did_you_mean(wanted, named)} There are {', '.join(named)}.")
        rows = self.frame(chats, gold)
        now = self.budget.width(self.budget.n, self.budget.n_gold)[self.budget.names.index(named[wanted])]
        return interval_widths(
            rows[rows["technique"] == named[wanted]], 1 - self.budget.alpha, (self.budget.n_gold, float(now)), width
        )

    def summary(self) -> str:
        """What the plan is for, and what it was made from."""
        return (
            f"{self.outcome}, {self.model}: {self.budget.n:,} chats, {self.budget.n_gold:,} of them with gold codes"
            + (" simulated from the tagger's errors." if self.simulated else ".")
            + (
                " Differences between counselors are not planned: gold chats do not correct them."
                if any(term.level == "between" for term in self.design.terms)
                else ""
            )
        )

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        """Expected widths with the chats there are, with twice as many, and with twice as many gold chats."""
        n, gold = self.budget.n, self.budget.n_gold
        rows = self.frame([n, 2 * n], [gold, 2 * gold])
        rows["size"] = [
            f"{chats:,} chats, {some:,} gold" for chats, some in zip(rows["chats"], rows["gold"], strict=True)
        ]
        sizes = list(dict.fromkeys(rows["size"]))
        table = rows.pivot(index="technique", columns="size", values="width")[sizes]
        order = list(dict.fromkeys(rows["technique"]))
        caption = f"{self.summary()} Expected width of {level_text(self.budget.alpha)}:"
        return to_html(table.loc[order].reset_index(), caption)

    def table(self, width: float, chats: Sequence[int]) -> pd.DataFrame:
        """One row per technique: expected width now, and gold chats needed for `width` with so many chats in all.

        Widths are on the scale of the estimates: log odds ratios, or points. Where fewer gold chats would do, but are
        too few to correct by, the number is a text that ends on `FEWEST`; `least` says what it takes.
        """
        now = self.budget.width(self.budget.n, self.budget.n_gold)
        needed = {count: self.budget.gold_needed(count, width) for count in chats}
        fewest = {count: self.budget.fewest_gold(count) for count in chats}
        tenth, fewest_tenth = self.budget.chats_needed(0.1, width), self.budget.fewest_chats(0.1)
        return pd.DataFrame(
            [
                {
                    "technique": term.name,
                    f"width with {self.budget.n} chats, {self.budget.n_gold} gold": now[i],
                    **{
                        f"gold needed of {count} chats": _number(needed[count][i], fewest[count], "all are too few")
                        for count in chats
                    },
                    "chats needed, a tenth gold": _number(tenth[i], fewest_tenth, "over 100 million"),
                }
                for i, term in self._planned
            ]
        )

    def least(self) -> str:
        """What it takes to correct at all."""
        return (
            f"{FEWEST}: fewer would do for the width, but for a correction `relate` needs at least "
            f"{self.budget.least_gold} gold chats ({ROWS_PER_PARAMETER} for each of the {self.budget.parameters} "
            f"parameters), from at least {self.budget.least_gold_clusters} clusters (counselors, or what "
            "inference.cluster names)."
        )

    def probabilities(self, size: int) -> pd.DataFrame:
        """The probability of every chat to be drawn for gold coding, `size` in all: conversation_id, probability."""
        return pd.DataFrame(
            {
                "conversation_id": self.design.ids,
                "probability": sampling_probabilities(self.influence, size),
            }
        )


def _number(needed: int | None, fewest: int | None, none: str) -> int | str:
    """How many are needed, as the table has it."""
    if needed is None:
        return none
    return f"{needed} {FEWEST}" if needed == fewest else needed


def plan_study(
    study: Study, folder: str | Path | None = None, tagger: pd.DataFrame | None = None, chats: Chats | None = None
) -> Plan:
    """The budget for the first outcome of a study.

    Args:
        folder: what the paths in the study start from; by default the folder of its file.
        tagger: precision and recall by code (columns code, precision, recall), in place of gold chats.
        chats: in place of the files that the study names.

    Raises:
        UsageProblem: neither gold chats nor figures of the tagger, or a model that is not corrected.
        ModelProblem: the pilot cannot be fitted.
    """
    folder = study.data.folder if folder is None else Path(folder)
    setting = study.label_error
    has_gold = bool(setting.gold or setting.counts)
    if not has_gold and tagger is None:
        raise UsageProblem(
            "Planning needs some gold chats (label_error.gold) or the tagger's errors: a table with code, precision "
            "and "
            "recall, such as tagger.csv of mi-code relate."
        )
    outcome = study.outcomes[0]
    model = next((each for each in models_of(outcome) if each in CORRECTABLE), None)
    if model is None:
        raise UsageProblem(f"{outcome.name}: planning is for the models {', '.join(CORRECTABLE)}.")
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
    drawn = None if coded is None else gold_probabilities(setting, chats, coded, data.ids[rows])
    by_gold, by_tagger = data.gold_columns(gold.loc[data.ids[rows]], rows, drawn)
    clusters = data.clusters.to_numpy()
    pieces = fit_pieces(
        family,
        data.outcome,
        data.names,
        data.columns,
        by_gold,
        rows,
        clusters,
        tagged_on_gold=by_tagger,
        probabilities=drawn,
    )
    return Plan(
        outcome.name,
        model,
        data,
        budget(data.names, pieces, clusters, study.inference.alpha),
        pieces.everywhere.influence,
        tagger is not None,
    )


def read_tagger(path: str | Path) -> pd.DataFrame:
    """Precision and recall by code.

    Raises:
        UsageProblem: no such file, or other columns.
    """
    try:
        table = unguarded(pd.read_csv(path))
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{path} cannot be read as a table: {error}.") from None
    for name in ("code", "precision", "recall"):
        if name not in table.columns:
            raise UsageProblem(
                f"{path} has no column {name!r}.{did_you_mean(name, map(str, table.columns))} The table needs code, "
                "precision and recall, as in tagger.csv of mi-code relate."
            )
    return table


def _figures(tagger: pd.DataFrame, codes: Collection[str]) -> pd.DataFrame:
    """Precision and recall by code, of all `codes` at least: without them, the tagger would count as free of errors.

    Raises:
        UsageProblem: a code has none, or they are not above 0 and at most 1.
    """
    figures = tagger.dropna(subset="code").drop_duplicates("code").set_index("code")[["precision", "recall"]]
    figures = figures.apply(pd.to_numeric, errors="coerce").dropna()
    if without := sorted(set(codes) - set(figures.index)):
        raise UsageProblem(
            f"The table has no precision and recall for {', '.join(without)}: without them, the tagger would count as "
            "free of errors. Add them, or leave these codes out of techniques.codes."
        )
    outside = figures.index[~((figures > 0) & (figures <= 1)).all(axis=1)]
    if len(outside):
        raise UsageProblem(f"Precision and recall of {', '.join(map(str, outside))} must be above 0 and at most 1.")
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
