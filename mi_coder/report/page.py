"""The page: sections with a heading, what they mean, a picture and its table."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

Cells = Sequence[str | float | int | None]
"""A row of a table."""
_LONG = 30
_CROWDED = 9
"""With more columns the cells of a table are broken into lines."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""For browsers: styles and pictures that stand in the page, and nothing else."""
STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page; `body` is HTML."""

    key: str
    title: str
    body: str


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page: no scripts, nothing from the network.

    Args:
        lead: HTML under the title.
    """
    links = "".join(f'<li><a href="#{each.key}">{escape(each.title)}</a></li>' for each in sections)
    body = "".join(
        f'<section id="{each.key}" aria-labelledby="{each.key}-title">'
        f'<h2 id="{each.key}-title">{escape(each.title)}</h2>{each.body}</section>'
        for each in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#main">To the content</a><header><h1>{escape(title)}</h1>{lead}'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header><main id="main">{body}</main></body></html>\n'
    )


def paragraph(text: str, note: bool = False) -> str:
    """A paragraph of plain text."""
    return f'<p class="note">{escape(text)}</p>' if note else f"<p>{escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(caption: str, header: Sequence[str], rows: Sequence[Cells]) -> str:
    """A table of texts and numbers; numbers are set to the right, None is empty."""
    numbers = [any(isinstance(cell, int | float) for cell in column) for column in zip(*rows, strict=True)]
    numbers = numbers or [False] * len(header)
    kinds = [' class="n"' if number else "" for number in numbers]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(header, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(_cell(value, i == 0, number) for i, (value, number) in enumerate(zip(row, numbers, strict=True)))
        + "</tr>"
        for row in rows
    )
    crowded = ' class="crowded"' if len(header) > _CROWDED else ""
    whole = (
        f"<table{crowded}><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
    return scrolling(whole, caption)


def scrolling(content: str, name: str, kind: str = "") -> str:
    """Content in a box of its own, which is scrolled by keyboard too where it is wider than the page.

    Args:
        name: what it is, for those who hear it.
        kind: a further class.
    """
    kinds = f"scroll {kind}".strip()
    return f'<div class="{kinds}" tabindex="0" role="region" aria-label="{escape(name)}">{content}</div>'


def folded(summary: str, content: str) -> str:
    """Content that opens on demand, and is printed."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def plot(svg: bytes, title: str) -> str:
    """A picture that another program drew, on white in any light. It is an image, in which no script would run."""
    source = f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
    return f'<figure class="plot" tabindex="0"><img src="{source}" alt="{escape(title)}"></figure>'


def _cell(value: str | float | int | None, first: bool, number: bool) -> str:
    """Args: number: whether it stands in a column of numbers."""
    if isinstance(value, str) or value is None:
        text = escape(value or "")
        kind = ' class="n"' if number else ' class="long"' if len(text) > _LONG else ""
        return f'<th scope="row">{text}</th>' if first else f"<td{kind}>{text}</td>"
    return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f'<td class="n">{value:.2f}</td>'
