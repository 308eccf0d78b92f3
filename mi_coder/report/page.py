"""The page: sections with a heading, what they mean, a picture and its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LONG = 30
STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1b;--soft:#5a5a5a;--line:#d0d0d0;--paper:#fff;--blue:#0b4f8a}
@media(prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#b5b5b5;--line:#4a4a4a;--paper:#16181b;--blue:#7cc0ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem 1.2rem 4rem;max-width:62rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.6rem;margin:.4rem 0}
h2{font-size:1.2rem;margin:2.4rem 0 .4rem;border-top:1px solid var(--line);padding-top:1rem}
h3{font-size:1rem;margin:.6rem 0 .1rem}p{margin:.4rem 0;max-width:46rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;list-style:none;margin:.6rem 0}
a{color:var(--blue)}a:focus-visible,summary:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
.note{color:var(--soft);font-size:.92rem}
.scroll{overflow-x:auto}svg{max-width:100%;height:auto;font-size:12px;display:block}
.wide svg{max-width:none}
svg text{fill:var(--ink)}svg .axis{fill:var(--soft);font-size:11px}svg .grid{stroke:var(--line);stroke-width:1}
svg .mark{stroke:var(--blue);fill:var(--blue);stroke-width:2}svg .cell{fill:var(--blue)}
svg .band{fill:var(--blue);fill-opacity:.18}svg .path{fill:none;stroke:var(--blue);stroke-width:1.8}
svg .number{font-size:11px}svg .number.on{fill:var(--paper)}svg .number.off{fill:var(--ink)}
.many{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.6rem 1.2rem}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td{white-space:nowrap}td.long{white-space:normal;min-width:14rem}td.n{text-align:right}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}
blockquote{margin:.2rem 0 .2rem 1rem;padding-left:.7rem;border-left:3px solid var(--line)}
.skip{position:absolute;left:-999px}.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.3rem .6rem}
@media print{nav,.skip{display:none}details{display:block}details>*{display:block!important}h2{break-after:avoid}
svg,table,.many>div{break-inside:avoid}body{max-width:none}}
"""


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
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#main">To the content</a><header><h1>{escape(title)}</h1>{lead}'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header><main id="main">{body}</main></body></html>\n'
    )


def paragraph(text: str, note: bool = False) -> str:
    """A paragraph of plain text."""
    return f'<p class="note">{escape(text)}</p>' if note else f"<p>{escape(text)}</p>"


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str | float | int | None]]) -> str:
    """A table of texts and numbers; numbers are set to the right, None is empty."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(_cell(value, first=i == 0) for i, value in enumerate(row)) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def folded(summary: str, content: str) -> str:
    """Content that opens on demand, and is printed."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _cell(value: str | float | int | None, first: bool) -> str:
    if isinstance(value, str) or value is None:
        text = escape(value or "")
        wide = ' class="long"' if len(text) > _LONG else ""
        return f'<th scope="row">{text}</th>' if first else f"<td{wide}>{text}</td>"
    return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f'<td class="n">{value:.2f}</td>'
