"""Reports of studies: one document, written as Markdown, HTML and LaTeX, with its pictures and tables as files.

`mi-code relate`, `match` and `experience` each say what stands in theirs; how it looks is decided here.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mi_coder.formats.results import NAME, ResultFile, Results, encoded
from mi_coder.outcomes import figures, tables
from mi_coder.outcomes.frame_guard import guarded
from mi_coder.outcomes.study.history import record, remarks
from mi_coder.outcomes.study.spec import Study
from mi_coder.report.page import Section as PageSection
from mi_coder.report.page import bullets, folded, page, paragraph, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT_OUT = "Left out, and why"
REPORTS = ("report.md", "report.html", "tables.tex")
ALWAYS = (*REPORTS, NAME)
"""What every run writes."""
_STEM_BYTES = 100
_BRACKETS = re.compile(r"[\[\]]")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as people read it.

    Attributes:
        title: what it shows; empty where that is the title of its section.
        caption: what its figures are.
        formats, notes: as in `mi_coder.outcomes.tables`.
        folded: it opens on demand on the HTML page.
    """

    frame: pd.DataFrame
    title: str = ""
    caption: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture, written to `stem`.svg and `stem`.png; `kind` as in `mi_coder.formats.results.ResultFile`.

    The second with the same stem in a document is written to `stem`-2.
    """

    figure: "Figure"
    stem: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A part of a report."""

    title: str
    parts: Sequence[Table | Picture]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A report.

    Attributes:
        verb: the command it is of.
        sentences: what can and cannot be said.
        sections: what matters most first.
        notes: what was left out, and why.
        data: tables that are written as CSV, with the guard of guard.py, by title.
        provenance: where it comes from.
    """

    verb: str
    title: str
    sentences: tuple[str, ...]
    sections: Sequence[Section]
    notes: tuple[str, ...]
    data: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def pictures(self) -> list[Picture]:
        """All pictures, in order."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Picture)]


def write_document(
    document: Document, study: Study, folder: str | Path, output: str | Path, force: bool = False
) -> Document:
    """Write a report, its tables and pictures and the record of the run, and return it with its provenance.

    A run with a changed study says so in its first sentence.

    Args:
        folder: what the paths in the study start from.
        output: made if it does not exist; files of an earlier run are overwritten, or go where this one does not write
            them (`record`), its history is kept.
        force: overwrite other files, too, but no inputs.

    Raises:
        UsageProblem: a file is in the way, as `history.refuse_to_overwrite` says.
    """
    document, folder, output = _with_own_stems(document), Path(folder), Path(output)
    facts = record(
        study, folder, output, document.verb, _names(document), lambda facts: _contents(_of(document, facts)), force
    )
    return _of(document, facts)


def _of(document: Document, facts: Mapping[str, Any]) -> Document:
    """The report of the run that these facts are of."""
    return replace(document, sentences=(*remarks(facts), *document.sentences), provenance=facts)


def _contents(document: Document) -> dict[str, bytes]:
    """All files of a report."""
    pictures = {
        picture.stem + ending: content
        for picture in document.pictures()
        for ending, content in figures.drawn(picture.figure).items()
    }
    reports = (to_markdown(document), _html(document, pictures), _latex(document))
    return {
        **{
            file: guarded(document.data[title]).to_csv(index=False).encode()
            for title, file in _csv_files(document).items()
        },
        **pictures,
        **{name: text.encode() for name, text in zip(REPORTS, reports, strict=True)},
        NAME: encoded(_results(document)),
    }


def _names(document: Document) -> set[str]:
    """The files that `write_document` writes."""
    pictures = {f"{picture.stem}.png" for picture in document.pictures()}
    return {*ALWAYS, *(each.file for each in _results(document).files), *pictures}


def stem_of(title: str) -> str:
    """The name of the file of a table or picture, without its ending: letters and digits of any script.

    Of a long title it is the beginning.
    """
    stem = re.sub(r"[\W_]+", "_", title.lower()).encode()[:_STEM_BYTES]
    return stem.decode(errors="ignore").strip("_")


def _with_own_stems(document: Document) -> Document:
    """The same, no two pictures with the same stem."""
    stems = _numbered(picture.stem for picture in document.pictures())
    sections = [
        replace(
            section,
            parts=[replace(part, stem=next(stems)) if isinstance(part, Picture) else part for part in section.parts],
        )
        for section in document.sections
    ]
    return replace(document, sections=sections)


def _csv_files(document: Document) -> dict[str, str]:
    """The file of each table, by its title."""
    stems = _numbered(map(stem_of, document.data))
    return {title: f"{stem}.csv" for title, stem in zip(document.data, stems, strict=True)}


def _numbered(stems: Iterable[str]) -> Iterator[str]:
    """Stems, those that were there before with -2, -3, ..., which `stem_of` gives to none."""
    times = Counter[str]()
    for stem in stems:
        times[stem] += 1
        yield stem if times[stem] == 1 else f"{stem}-{times[stem]}"


def to_markdown(document: Document, pictures: bool = True) -> str:
    """The report in Markdown, for a file beside the pictures or, without `pictures`, for the terminal."""
    parts = [f"# {tables.markdown_text(document.title)}", _lines(document.sentences)]
    for section in document.sections:
        shown = [part for part in section.parts if pictures or isinstance(part, Table)]
        parts += [f"## {tables.markdown_text(section.title)}", *map(_markdown_part, shown)] if shown else []
    parts += [f"## {LEFT_OUT}", _lines(document.notes or ("nothing",))]
    if document.provenance and pictures:
        parts += ["## Record", f"```json\n{_record(document)}\n```"]
    return "\n\n".join(parts) + "\n"


def _markdown_part(part: Table | Picture) -> str:
    if isinstance(part, Picture):
        title = _BRACKETS.sub(r"\\\g<0>", tables.markdown_text(part.title))
        return f"![{title}]({part.stem}.svg)"
    title = f"### {tables.markdown_text(part.title)}\n\n" if part.title else ""
    return title + tables.to_markdown(part.frame, part.caption, formats=part.formats, notes=part.notes)


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(f"- {tables.markdown_text(line)}" for line in lines)


def _html(document: Document, pictures: Mapping[str, bytes]) -> str:
    """One file without scripts or addresses; pictures stand inside."""
    contents = [(each.title, "".join(_html_part(part, pictures) for part in each.parts)) for each in document.sections]
    contents.append((LEFT_OUT, bullets(document.notes or ("nothing",))))
    contents.append(("Record", f'<div class="scroll" tabindex="0"><pre>{escape(_record(document))}</pre></div>'))
    sections = [PageSection(f"part-{i}", title, body) for i, (title, body) in enumerate(contents)]
    return page(document.title, bullets(document.sentences), sections)


def _html_part(part: Table | Picture, pictures: Mapping[str, bytes]) -> str:
    if isinstance(part, Picture):
        return plot(pictures[f"{part.stem}.svg"], part.title)
    table = tables.to_html(part.frame, part.caption, formats=part.formats)
    notes = "".join(paragraph(note, note=True) for note in part.notes)
    shown = f'<div class="scroll" tabindex="0">{table}</div>{notes}'
    if part.folded:
        return folded(part.title, shown)
    return (f"<h3>{escape(part.title)}</h3>" if part.title else "") + shown


def _latex(document: Document) -> str:
    """The tables, each with the titles of its section and its own in the caption."""
    return "".join(
        tables.to_latex(
            part.frame,
            ". ".join(filter(None, (section.title, part.title, part.caption))),
            formats=part.formats,
            notes=part.notes,
        )
        + "\n\n"
        for section in document.sections
        for part in section.parts
        if isinstance(part, Table)
    )


def _record(document: Document) -> str:
    return json.dumps(document.provenance, indent=2)


def _results(document: Document) -> Results:
    return Results(
        verb=document.verb,
        sentences=document.sentences,
        notes=document.notes,
        provenance=dict(document.provenance),
        files=(
            *(ResultFile(file=name, kind="report") for name in REPORTS),
            *(ResultFile(file=file, kind="table", title=title) for title, file in _csv_files(document).items()),
            *(
                ResultFile(file=f"{picture.stem}.svg", kind=picture.kind, title=picture.title)
                for picture in document.pictures()
            ),
        ),
    )
