"""A result as a folder: tables, report in three formats, figures, and the record of the run."""

import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path

from mi_coder.outcomes import figures
from mi_coder.outcomes import tables as rendering
from mi_coder.outcomes.study.history import exploratory, recorded
from mi_coder.outcomes.study.result import Result, code_name

PREDICTED = 3
"""Techniques of which predicted ratings are drawn; all are in the table."""


def write_result(result: Result, folder: Path, output: Path) -> Result:
    """Write all that a result holds to `output`, and return it with its provenance.

    Args:
        folder: what the paths in the study start from.
        output: made if it does not exist; files of an earlier run are written over, its history is kept.
    """
    with recorded(result.study, folder, output) as facts:
        note = exploratory(facts)
        sentences = (note, *result.sentences) if note else result.sentences
        result = replace(result, sentences=sentences, provenance=facts)
        result.rows.to_csv(output / "tidy.csv", index=False)
        result.models.to_csv(output / "models.csv", index=False)
        for name, table in result.tables.items():
            table.to_csv(output / f"{_stem(name)}.csv", index=False)
        pictures = _pictures(result, output)
        (output / "report.md").write_text(_markdown(result, pictures), encoding="utf-8")
        (output / "report.html").write_text(_html(result, output, pictures), encoding="utf-8")
        (output / "tables.tex").write_text(_latex(result), encoding="utf-8")
    return result


def _pictures(result: Result, output: Path) -> dict[str, str]:
    """Stem of the file of each picture, by its title."""
    pictures = {}
    for outcome, model in result.headlines():
        stem = _stem(f"forest {outcome}")
        figures.save(result.plot(outcome, model), output / stem)
        pictures[f"{outcome}: {model}"] = stem
        for code in _clearest(result, outcome, model) if f"predicted: {outcome}" in result.tables else ():
            stem = _stem(f"predicted {outcome} {code}")
            figures.save(result.plot_predicted(code, outcome), output / stem)
            pictures[f"Predicted {outcome} by use of {code_name(code)}"] = stem
        if (name := f"error by outcome: {outcome}") in result.tables:
            stem = _stem(name)
            figures.save(figures.error_by_outcome(result.tables[name]), output / stem)
            pictures[f"The tagger's recall, by {outcome}"] = stem
    return pictures


def _clearest(result: Result, outcome: str, model: str) -> list[str]:
    """The techniques with the smallest p of a model, corrected where it is."""
    rows = result.tidy(outcome, model)
    rows = rows[(rows["correction"] != "gold") & (rows["level"] != "between")]
    if (rows["correction"] == "ptd").any():
        rows = rows[rows["correction"] == "ptd"]
    return list(rows.sort_values("p")["code"].drop_duplicates()[:PREDICTED])


def _stem(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _markdown(result: Result, pictures: dict[str, str]) -> str:
    parts = ["# Techniques and outcomes", *(f"- {sentence}" for sentence in result.sentences), ""]
    for outcome, model in _models(result):
        parts += [f"## {outcome}: {model}", "", result.to_markdown(outcome, model), ""]
        if (picture := pictures.get(f"{outcome}: {model}")) is not None:
            parts += [f"![Forest plot of {outcome}]({picture}.svg)", ""]
    parts += ["## Models", "", rendering.to_markdown(result.models), ""]
    if "tagger" in result.tables:
        parts += ["## The tagger on the gold chats", "", rendering.to_markdown(result.tables["tagger"]), ""]
    parts += ["## Left out, and why", "", *([f"- {note}" for note in result.notes] or ["- nothing"]), ""]
    parts += ["## Record", "", "```json", json.dumps(result.provenance, indent=2), "```", ""]
    return "\n".join(parts)


def _html(result: Result, output: Path, pictures: dict[str, str]) -> str:
    """One file without scripts or addresses; pictures stand inside."""
    parts = ["<h1>Techniques and outcomes</h1>", _list(result.sentences)]
    for outcome, model in _models(result):
        parts.append(f"<h2>{escape(outcome)}: {escape(model)}</h2>")
        if (picture := pictures.get(f"{outcome}: {model}")) is not None:
            parts.append(_figure(output / f"{picture}.svg", f"Forest plot of {outcome}"))
        parts.append(result.to_html(outcome, model))
    for title, picture in pictures.items():
        if title.startswith(("The tagger", "Predicted")):
            parts.append(_figure(output / f"{picture}.svg", title))
    parts.append(f"<h2>Models</h2>{rendering.to_html(result.models)}")
    if "tagger" in result.tables:
        parts.append(f"<h2>The tagger on the gold chats</h2>{rendering.to_html(result.tables['tagger'])}")
    parts.append(f"<h2>Left out, and why</h2>{_list(result.notes or ('nothing',))}")
    parts.append(f"<h2>Record</h2><pre>{escape(json.dumps(result.provenance, indent=2))}</pre>")
    style = (
        ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;"
        "padding:0 1rem}table{border-collapse:collapse;display:block;overflow-x:auto}td,th{padding:.25rem .6rem;"
        "border-bottom:1px solid #8886;text-align:left;font-variant-numeric:tabular-nums;white-space:nowrap}"
        "caption{text-align:left;opacity:.75}figure{margin:1rem 0;"
        "background:#fff;padding:.5rem}svg{max-width:100%;height:auto}pre{overflow-x:auto}"
    )
    title = "Techniques and outcomes"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{style}</style></head><body>{body}</body></html>\n'


def _figure(path: Path, title: str) -> str:
    svg = path.read_text(encoding="utf-8")
    return f'<figure role="img" aria-label="{escape(title)}">{svg[svg.index("<svg") :]}</figure>'


def _latex(result: Result) -> str:
    return "\n\n".join(result.to_latex(outcome, model) for outcome, model in _models(result)) + "\n"


def _models(result: Result) -> list[tuple[str, str]]:
    """All models with techniques, the headline of an outcome first."""
    pairs = result.rows[result.rows["code"] != ""][["outcome", "model"]].drop_duplicates()
    return list(pairs.itertuples(index=False, name=None))


def _list(sentences: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"
