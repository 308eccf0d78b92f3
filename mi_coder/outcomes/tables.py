"""Tables as people read them: in Markdown, HTML and LaTeX, from one frame.

Intervals come before p values, and no stars are set. HTML carries no colors, so that it follows the page it stands on.
"""

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from mi_coder.codebook import Codebook

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
# What Markdown takes for marks, links and tags; "_" inside a word and "<" before a number it leaves alone.
_MARKS = re.compile(r"[\\|`*~]|(?<![^\W_])_|_(?![^\W_])|(?<=\])\(|<(?=[A-Za-z/!?])")


def display_table(tidy: pd.DataFrame) -> pd.DataFrame:
    """One line per technique and level of a tidy table of one model: effects with intervals, corrections side by side.

    Args:
        tidy: with the columns of `mi_coder.outcomes.study.fits.TIDY`; of several designs, one line each.
    """
    lines = []
    several = tidy["design"].nunique() > 1
    for (design, code, level), group in tidy.groupby(["design", "code", "level"], sort=False):
        line: dict[str, Any] = {"design": design} if several else {}
        line["technique"] = _name(code)
        if tidy["level"].any():
            line["level"] = level
        for _, row in group.iterrows():
            label = _CORRECTIONS.get(row["correction"], row["correction"])
            line[label or "effect"] = _interval(row["effect"], row["effect_low"], row["effect_high"])
            line[f"p {label}".strip()] = _p(row["p"])
            if pd.notna(row["q_bh"]):
                line[f"q {label}".strip()] = _p(row["q_bh"])
        weights = group["weight"].dropna()
        if len(weights):
            line["weight on tagger"] = f"{weights.iloc[0]:.2f}"
        if "f1" in group and pd.notna(group["f1"].iloc[0]):
            line["tagger F1 (n)"] = f"{group['f1'].iloc[0]:.2f} ({int(group['support'].iloc[0])})"
        line["unit"] = group["unit"].iloc[0]
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def to_markdown(frame: pd.DataFrame) -> str:
    """A pipe table; what Markdown would take for marks, links or tags is escaped."""
    header, rows = _cells(frame, lambda text: _MARKS.sub(r"\\\g<0>", text))
    aligned = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else "---" for name in frame.columns]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, aligned, *rows))


def to_html(frame: pd.DataFrame, caption: str = "") -> str:
    """A table with scopes for screen readers."""
    header, rows = _cells(frame, escape)
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join(
        "<tr>" + f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    titled = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{titled}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def to_latex(frame: pd.DataFrame, caption: str = "") -> str:
    """A tabular of the package booktabs, in a table where there is a caption."""
    header, rows = _cells(frame, _latex)
    columns = "".join("r" if pd.api.types.is_numeric_dtype(frame[name]) else "l" for name in frame.columns)
    lines = [
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        " & ".join(header) + r" \\",
        "\\midrule",
        *(" & ".join(cells) + r" \\" for cells in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    if caption:
        lines = ["\\begin{table}", "\\centering", f"\\caption{{{_latex(caption)}}}", *lines, "\\end{table}"]
    return "\n".join(lines)


def _cells(frame: pd.DataFrame, quoted: Callable[[str], str]) -> tuple[list[str], list[list[str]]]:
    rows = [[quoted(_text(value)) for value in row] for row in frame.itertuples(index=False, name=None)]
    return [quoted(str(name)) for name in frame.columns], rows


def _text(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.splitlines())
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, float) or pd.api.types.is_float(value):
        return _number(float(value))
    return str(value)


def _interval(value: float, low: float, high: float) -> str:
    if value != value:
        return ""
    return _number(value) if low != low or high != high else f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    """Three digits, without exponents where that reads well."""
    if value != value:
        return ""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
        return f"{value:.{digits}f}"
    return f"{value:.2g}"


def _p(value: float) -> str:
    return "" if value != value else "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _name(code: str) -> str:
    names: Mapping[str, str] = {each.id: each.name for each in Codebook.load().codes}
    return f"{names[code]} ({code})" if code in names else code
