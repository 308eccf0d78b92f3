"""Tables as people read them: in Markdown, HTML and LaTeX, from one frame.

Intervals come before p values, and no stars are set. HTML carries classes and no colors, so that it follows the page it
stands on. All three take columns (name in the frame: header, in this order; all by default), formats of numbers by name
in the frame, such as ".1f" or ",.0f". Markdown and LaTeX take notes that stand below, too; a page sets its own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean

_CORRECTIONS = {"": "", "naive": "naive", "gold": "gold only", "ptd": "corrected"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: "\\" + sign for sign in "_%&#${}"},
}
# What Markdown takes for marks, links, tags and entities; "_" inside a word and "<" before a number it leaves alone.
_MARKS = re.compile(r"[\\|`*~]|(?<![^\W_])_|_(?![^\W_])|(?<=\])\(|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
# Gaps at which a cell is not broken: inside an interval, and after the sign of a small p.
_TIGHT = re.compile(r"(?<=\d), (?=-?\d[\d.e+-]*\])|(?<=&lt;) ")
_CROWDED = 9
"""With more columns a table of HTML is of the class `crowded`, too."""
_MINUS = re.compile(r"(?<![\w.\-])-(?=\d)")


def display_table(tidy: pd.DataFrame, estimates: bool = False) -> pd.DataFrame:
    """One line per term and level of a tidy table of one model: effects with intervals, corrections side by side.

    Args:
        tidy: with the columns of `mi_coder.outcomes.study.fits.TIDY`; of several designs, one line each.
        estimates: estimates before each effect; those of ratios are their logarithms.

    Raises:
        UsageProblem: the rows are of several models or outcomes.
    """
    lines = []
    several = tidy["design"].nunique() > 1
    term = tidy["code"].where(tidy["code"] != "", tidy["term"]).rename("term")
    if pd.concat([tidy[["design", "level", "correction"]], term], axis=1).duplicated().any():
        raise UsageProblem(
            "A table is for one model of one outcome, but this one has a term twice. Choose one of each, as in "
            "result.tidy(outcome, model)."
        )
    for (design, name, level), group in tidy.groupby([tidy["design"], term, tidy["level"]], sort=False):
        line: dict[str, Any] = {"design": design} if several else {}
        line["technique"] = Codebook.load().label_of(name)
        if tidy["level"].any():
            line["level"] = level
        for _, row in group.iterrows():
            label = _CORRECTIONS.get(row["correction"], row["correction"])
            if estimates:
                line[f"estimate {label}".strip()] = interval_text(row["estimate"], row["ci_low"], row["ci_high"])
            line[label or "effect"] = interval_text(row["effect"], row["effect_low"], row["effect_high"])
            line[f"p {label}".strip()] = p_text(row["p"])
            if pd.notna(row["q_bh"]):
                line[f"q {label}".strip()] = p_text(row["q_bh"])
        weights = group["weight"].dropna()
        if len(weights):
            line["weight on tagger"] = f"{weights.iloc[0]:.2f}"
        if "f1" in group and pd.notna(group["f1"].iloc[0]):
            line["tagger F1 (n)"] = f"{group['f1'].iloc[0]:.2f} ({int(group['support'].iloc[0])})"
        line["unit"] = group["unit"].iloc[0]
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def to_markdown(
    frame: pd.DataFrame,
    caption: str = "",
    *,
    columns: Mapping[str, str] | None = None,
    formats: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """A pipe table below its caption; what Markdown would take for marks, links or tags is escaped.

    Raises:
        UnknownName: `columns` or `formats` name a column that is not there.
    """
    sheet = _sheet(frame, columns, formats, markdown_text)
    aligned = ["---:" if number else "---" for number in sheet.numbers]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in (sheet.header, aligned, *sheet.rows))
    around = [markdown_text(each) for each in (caption, *notes)]
    return "\n\n".join([*filter(None, around[:1]), table, *around[1:]])


def markdown_text(text: str) -> str:
    """A text on one line, in which what Markdown would take for marks, links or tags is escaped."""
    return _MARKS.sub(r"\\\g<0>", _text(text))


def to_html(
    frame: pd.DataFrame,
    caption: str = "",
    *,
    columns: Mapping[str, str] | None = None,
    formats: Mapping[str, str] | None = None,
) -> str:
    """A table with scopes for screen readers, of the class `mi-table`; columns of numbers have the class `number`.

    One of many columns is of the class `crowded`, too. Cells break before an interval and not inside it.

    Raises:
        UnknownName: `columns` or `formats` name a column that is not there.
    """
    sheet = _sheet(frame, columns, formats, escape)
    kinds = [' class="number"' if number else "" for number in sheet.numbers]
    head = "".join(f'<th scope="col"{kind}>{cell}</th>' for cell, kind in zip(sheet.header, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row"{kinds[0]}>{first}</th>'
        + "".join(f"<td{kind}>{_TIGHT.sub(_unbroken, cell)}</td>" for cell, kind in zip(rest, kinds[1:], strict=True))
        + "</tr>"
        for first, *rest in sheet.rows
    )
    titled = f"<caption>{escape(_text(caption))}</caption>" if caption else ""
    crowded = " crowded" if len(sheet.header) > _CROWDED else ""
    return f'<table class="mi-table{crowded}">{titled}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _unbroken(gap: re.Match[str]) -> str:
    return gap[0].replace(" ", "\u00a0")


def to_latex(
    frame: pd.DataFrame,
    caption: str = "",
    *,
    columns: Mapping[str, str] | None = None,
    formats: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """A tabular of the package booktabs, in a table where there is a caption or a note.

    Raises:
        UnknownName: `columns` or `formats` name a column that is not there.
    """
    sheet = _sheet(frame, columns, formats, _latex)
    lines = [
        f"\\begin{{tabular}}{{{''.join('r' if number else 'l' for number in sheet.numbers)}}}",
        "\\toprule",
        _latex_line(sheet.header),
        "\\midrule",
        *(_latex_line(cells) for cells in sheet.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    if not caption and not notes:
        return "\n".join(lines)
    titled = [f"\\caption{{{_latex(_text(caption))}}}"] if caption else []
    below = [f"\\par\\smallskip{{\\footnotesize {_latex(_text(note))}\\par}}" for note in notes]
    return "\n".join(["\\begin{table}", "\\centering", *titled, *lines, *below, "\\end{table}"])


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Texts of cells, escaped, and which columns are numbers."""

    header: list[str]
    rows: list[list[str]]
    numbers: list[bool]


def _sheet(
    frame: pd.DataFrame,
    columns: Mapping[str, str] | None,
    formats: Mapping[str, str] | None,
    quoted: Callable[[str], str],
) -> _Sheet:
    formats = formats or {}
    for name in (*(columns or ()), *formats):
        if name not in frame.columns:
            known = [str(column) for column in frame.columns]
            raise UnknownName(f"No column {name!r}.{did_you_mean(name, known)} There are {', '.join(known)}.")
    chosen = frame if columns is None else frame[list(columns)]
    shapes = [formats.get(name, "") for name in chosen.columns]
    return _Sheet(
        [quoted(_text(str(name))) for name in (columns.values() if columns is not None else chosen.columns)],
        [
            [quoted(_text(value, shape)) for value, shape in zip(row, shapes, strict=True)]
            for row in chosen.itertuples(index=False, name=None)
        ],
        [pd.api.types.is_numeric_dtype(kind) for kind in chosen.dtypes],
    )


def _text(value: Any, shape: str = "") -> str:
    if isinstance(value, str):
        return " ".join(value.splitlines())
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if shape and pd.api.types.is_number(value):
        return format(value, shape)
    if isinstance(value, float) or pd.api.types.is_float(value):
        return number_text(float(value))
    return str(value)


def interval_text(value: float, low: float, high: float) -> str:
    """A value with the ends of its interval, or alone where there are none."""
    if value != value:
        return ""
    if low != low or high != high:
        return number_text(value)
    return f"{number_text(value)} [{number_text(low)}, {number_text(high)}]"


def number_text(value: float) -> str:
    """Three digits, without exponents where that reads well."""
    if value != value:
        return ""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
        return f"{value:.{digits}f}"
    return f"{value:.2g}"


def level_text(alpha: float) -> str:
    """The level of intervals, as "95% intervals"."""
    return f"{100 * (1 - alpha):g}% intervals"


def p_text(value: float) -> str:
    """A p or q value to three digits."""
    return "" if value != value else "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _latex(text: str) -> str:
    escaped = "".join(_LATEX.get(letter, letter) for letter in text)
    return _MINUS.sub("$-$", escaped)


def _latex_line(cells: list[str]) -> str:
    """A line of a tabular; the end of the line above would take a bracket or star that begins this one for its own."""
    return ("{}" if cells[:1] and cells[0][:1] in ("[", "*") else "") + " & ".join(cells) + r" \\"
