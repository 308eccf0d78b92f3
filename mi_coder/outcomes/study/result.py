"""What a study found: tidy tables, sentences, figures, and how they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.errors import UnknownName, did_you_mean
from mi_coder.outcomes import tables as rendering
from mi_coder.outcomes.study.spec import STANDS_IN, Study, models_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_NAMING = ("design", "technique", "level")
_REPORTED = ("corrected", "p corrected", "q corrected")
PREDICTIONS = "on the tagger's codes, not corrected"
"""What predicted ratings are, also beside corrected estimates."""
NOT_CORRECTED = "not corrected"
"""What stands in place of a corrected figure where there is none beside others."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Result:
    """Everything a study found.

    Attributes:
        study: as it was resolved.
        rows: the tidy table: one row per design, model, correction and term (`mi_coder.outcomes.study.fits.TIDY`), with
            the tagger's F1 and support for the code where gold chats tell them.
        models: one row per fitted model: chats, clusters, chats dropped by reason, and what the model estimates.
        tables: further tables by name, such as `marginal effects: rating` or `response: rating`.
        notes: what was left out or could not be done, and why.
        sentences: what can and what cannot be said from this design.
        provenance: hashes of study, data and codebook, versions, and whether the study was changed after a first run.
    """

    study: Study
    rows: pd.DataFrame
    models: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tidy(self, outcome: str | None = None, model: str | None = None, covariates: bool = False) -> pd.DataFrame:
        """The rows of one outcome and model, or of all; of techniques alone unless `covariates`.

        Raises:
            UnknownName: there is no such outcome, or it has no such model.
        """
        rows, of = self.rows, ""
        for column, name in (("outcome", outcome), ("model", model)):
            if name is not None:
                known = list(dict.fromkeys(rows[column]))
                if name not in known:
                    told = f"No {column} {name!r}{of}.{did_you_mean(name, known)}"
                    raise UnknownName(f"{told} There are {', '.join(known)}.")
                rows, of = rows[rows[column] == name], f" of {name}"
        rows = rows if covariates else rows[rows["code"] != ""]
        return rows.reset_index(drop=True)

    def glance(self) -> pd.DataFrame:
        """One row per model: how many chats and clusters, who was dropped why, and what describes the fit."""
        return self.models.copy()

    @property
    def recommended(self) -> pd.DataFrame:
        """The rows of the study's own design; those of its preset where that one alone could be fitted."""
        own = self.rows[self.rows["design"] != self.study.preset] if self.study.preset else self.rows
        return own if len(own) else self.rows

    def headlines(self) -> list[tuple[str, str]]:
        """One model of every outcome: the first that is corrected for label error, else the first that was fitted.

        A model that stands in for one without variance between clusters has its place. One of which no technique is
        left, since all separate the outcome, is no headline.
        """
        rows = self.recommended
        rows = rows[rows["code"] != ""]
        fitted = set(zip(rows["outcome"], rows["model"], strict=True))
        corrected = rows[rows["correction"] == "ptd"]
        mended = set(zip(corrected["outcome"], corrected["model"], strict=True))
        found: list[tuple[str, str]] = []
        for outcome in self.study.outcomes:
            asked = [(model, STANDS_IN.get(model, model)) for model in models_of(outcome)]
            pairs = [(outcome.name, str(model)) for both in asked for model in both]
            found += [pair for among in (mended, fitted) for pair in pairs if pair in among][:1]
        return found

    def table(self, outcome: str | None = None, model: str | None = None) -> pd.DataFrame:
        """As people read it: a line per technique; corrected, naive and gold-only side by side, interval before p."""
        table = rendering.display_table(self._chosen(outcome, model))
        if "corrected" in table:
            table["corrected"] = table["corrected"].replace("", NOT_CORRECTED)
        table = table.drop(columns="unit") if table["unit"].nunique() == 1 else table
        first = [name for name in table.columns if name in (*_NAMING, *_REPORTED)]
        return table[[*first, *(name for name in table.columns if name not in first)]]

    def unit(self, outcome: str | None = None, model: str | None = None) -> str:
        """What the figures of the table are, or an empty string where its lines differ in that."""
        units = self._chosen(outcome, model)["unit"].unique()
        return str(units[0]) if len(units) == 1 else ""

    @property
    def level(self) -> str:
        """Of the intervals, as "95% intervals"."""
        return rendering.level_text(self.study.inference.alpha)

    def to_markdown(self, outcome: str | None = None, model: str | None = None) -> str:
        """The table in Markdown."""
        unit = self.unit(outcome, model)
        return (f"{unit}\n\n" if unit else "") + rendering.to_markdown(self.table(outcome, model))

    def to_html(self, outcome: str | None = None, model: str | None = None) -> str:
        """The table in HTML."""
        return rendering.to_html(self.table(outcome, model), self.unit(outcome, model))

    def to_latex(self, outcome: str | None = None, model: str | None = None) -> str:
        """The table in LaTeX, for the package booktabs."""
        return rendering.to_latex(self.table(outcome, model), self.unit(outcome, model))

    def plot(self, outcome: str | None = None, model: str | None = None) -> "Figure":
        """A forest plot of the techniques: naive, gold-only and corrected."""
        from mi_coder.outcomes.figures import forest

        return forest(self._chosen(outcome, model))

    def plot_predicted(self, code: str, outcome: str | None = None) -> "Figure":
        """Predicted probabilities of the ratings over the use of a technique, by the naive model.

        Raises:
            UnknownName: no such prediction.
        """
        from mi_coder.outcomes.figures import predicted_ratings

        names = [name for name in self.tables if name.startswith("predicted: ")]
        name = f"predicted: {outcome}" if outcome else (names[0] if names else "")
        if name not in self.tables:
            raise UnknownName(
                f"There are no predicted ratings of {outcome or 'any outcome'}: they need an ordinal model."
            )
        table = self.tables[name]
        chosen = table[(table["term"] == code) | (table["term"] == f"{code} (within)")]
        if chosen.empty:
            known = sorted(set(table["term"]))
            raise UnknownName(
                f"No technique {code!r} in {name!r}.{did_you_mean(code, known)} It has {', '.join(known)}."
            )
        rows = self.recommended
        rows = rows[(rows["outcome"] == name.removeprefix("predicted: ")) & (rows["code"] == code)]
        per = str(rows["unit"].iloc[0]).partition(" per ")[2]
        within = chosen["term"].iloc[0] != code
        use = f"{Codebook.load().name_of(code)}, in {per}" + (", from the counselor's own mean" if within else "")
        return predicted_ratings(chosen.drop(columns="term"), use, PREDICTIONS.capitalize())

    def summary(self) -> str:
        """What was found, in plain text."""
        lines = []
        for outcome, model in self.headlines():
            lines += [f"{outcome}: {model}", "", self.to_markdown(outcome, model), ""]
        lines += ["What can and cannot be said", *(f"- {sentence}" for sentence in self.sentences)]
        if self.notes:
            lines += ["", "Left out, and why", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def _chosen(self, outcome: str | None, model: str | None) -> pd.DataFrame:
        """Rows of a model; by default the headline of the outcome, or of the first one; all where there is none."""
        headlines = dict(self.headlines())
        outcome = outcome or next(iter(headlines), None)
        return self.tidy(outcome, model or headlines.get(outcome or ""))

    def _repr_html_(self) -> str:
        parts = [f"<h4>{outcome}: {model}</h4>{self.to_html(outcome, model)}" for outcome, model in self.headlines()]
        return "".join(parts) + "<ul>" + "".join(f"<li>{sentence}</li>" for sentence in self.sentences) + "</ul>"
