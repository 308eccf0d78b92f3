"""A result as a report: the headline of each outcome first, then what it means, its checks and other models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.outcomes import figures
from mi_coder.outcomes.label_error import RECALL
from mi_coder.outcomes.study import further_tables as further
from mi_coder.outcomes.study.document import Document, Picture, Section, Table, stem_of, write_document
from mi_coder.outcomes.study.result import PREDICTIONS, Result

PREDICTED = 3
"""Techniques of which predicted ratings are drawn; all are in the table."""


def write_result(result: Result, folder: str | Path, output: str | Path, force: bool = False) -> Result:
    """Write all that a result holds to `output`, and return it with its provenance.

    Args:
        folder: what the paths in the study start from.
        output: made if it does not exist; files of an earlier run are overwritten, its history is kept.
        force: overwrite other files, too, but no inputs.

    Raises:
        UsageProblem: a file is in the way, as `history.refuse_to_overwrite` says.
    """
    document = write_document(result_document(result), result.study, folder, output, force)
    return replace(result, sentences=document.sentences, provenance=document.provenance)


def result_document(result: Result) -> Document:
    """All sections of all outcomes, then the models and the tagger."""
    headlines = dict(result.headlines())
    sections = [section for outcome, model in headlines.items() for section in _sections(result, outcome, model)]
    fitted = result.tidy()["outcome"].unique()
    sections += [_other_models(result, outcome) for outcome in fitted if outcome not in headlines]
    sections.append(Section("Models", [Table(_filled(result.models))]))
    if "tagger" in result.tables:
        sections.append(Section("The tagger on the gold chats", [Table(result.tables["tagger"])]))
    return Document(
        "relate",
        "Techniques and outcomes",
        result.sentences,
        sections,
        result.notes,
        {"tidy": result.rows, "models": result.models, **result.tables},
    )


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the columns that are empty in all rows."""
    empty = frame.isna() | (frame == "")
    return frame if frame.empty else frame.loc[:, ~empty.all()]


def _sections(result: Result, outcome: str, model: str) -> list[Section]:
    """Those of one outcome that have something to show."""
    title = f"{outcome}: {model}"
    forest = Picture(result.plot(outcome, model), stem_of(f"forest {outcome}"), "forest", title)
    sections = [
        Section(title, [forest, _effects(result, outcome, model)]),
        Section(
            f"{outcome}: in ratings",
            [*_predicted(result, outcome, model), *further.marginal_effects(result, outcome)],
        ),
        Section(f"{outcome}: before and after", further.change(result, outcome)),
        Section(
            f"{outcome}: checks",
            [
                *further.proportional_odds(result, outcome),
                *further.response(result, outcome),
                *further.gain(result, outcome, model),
                *_errors(result, outcome),
            ],
        ),
        _other_models(result, outcome, model),
    ]
    return [section for section in sections if section.parts]


def _other_models(result: Result, outcome: str, headline: str = "") -> Section:
    models = result.tidy(outcome)["model"].unique()
    return Section(
        f"{outcome}: other models",
        [
            replace(_effects(result, outcome, other), title=str(other), folded=True)
            for other in models
            if other != headline
        ],
    )


def _effects(result: Result, outcome: str, model: str) -> Table:
    return Table(
        result.table(outcome, model),
        caption=", ".join(filter(None, (result.unit(outcome, model), result.level))),
        notes=further.cautions(result.tidy(outcome, model)),
    )


def _predicted(result: Result, outcome: str, model: str) -> list[Picture]:
    table = result.tables.get(f"predicted: {outcome}")
    if table is None:
        return []
    terms = set(table["term"])
    drawable = [code for code in _clearest(result, outcome, model) if {code, f"{code} (within)"} & terms]
    return [
        Picture(
            result.plot_predicted(code, outcome),
            stem_of(f"predicted {outcome} {code}"),
            "predicted",
            f"Predicted {outcome} by use of {Codebook.load().name_of(code)}, {PREDICTIONS}",
        )
        for code in drawable[:PREDICTED]
    ]


def _clearest(result: Result, outcome: str, model: str) -> list[str]:
    """The techniques by p of a model, corrected where it is, the smallest first."""
    rows = result.tidy(outcome, model)
    rows = rows[(rows["correction"] != "gold") & (rows["level"] != "between")]
    if (rows["correction"] == "ptd").any():
        rows = rows[rows["correction"] == "ptd"]
    return list(rows.sort_values("p")["code"].drop_duplicates())


def _errors(result: Result, outcome: str) -> Sequence[Table | Picture]:
    name = f"error by outcome: {outcome}"
    found = further.error_by_outcome(result, outcome)
    if not found:
        return []
    table = result.tables[name]
    measure = "The tagger's recall" if RECALL in table else "Messages that the tagger finds per true message"
    return [Picture(figures.error_by_outcome(table), stem_of(name), "error", f"{measure}, by {outcome}"), *found]
