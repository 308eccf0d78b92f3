"""Tables in Markdown, HTML and LaTeX: golden texts, hostile names, gaps and numbers."""

import re

import numpy as np
import pandas as pd
import pytest

from mi_coder.codebook import Codebook
from mi_coder.errors import UnknownName, UsageProblem
from mi_coder.outcomes.study.fits import TIDY
from mi_coder.outcomes.tables import display_table, to_html, to_latex, to_markdown

HOSTILE = r"a|b <script>alert('1')</script> % _ & # $ { } ~ ^ \ [x](http://x) *b* `c`"


def row(**changes) -> dict:
    """One row of a tidy table."""
    row = dict.fromkeys(TIDY, np.nan)
    row |= {"design": "", "level": "", "correction": "", "unit": "odds ratio per 10 points", "warnings": ""}
    return row | changes


def tidy(*rows: dict) -> pd.DataFrame:
    quality = ("f1", "support") if "f1" in rows[0] else ()
    return pd.DataFrame([row(**each) for each in rows], columns=[*TIDY, *quality])


def effect(value: float, low: float, high: float, p: float, q: float = np.nan) -> dict:
    return {"effect": value, "effect_low": low, "effect_high": high, "p": p, "q_bh": q}


SMALL = tidy(
    {"code": "mine & yours", **effect(1.25, 1.04, 1.5, 0.018, 0.036)},
    {"code": "other", **effect(0.5, 0.123, 2.03, 0.33333, 0.33333)},
)


def test_markdown() -> None:
    assert to_markdown(display_table(SMALL)) == "\n".join(
        [
            "| technique | effect | p | q | unit |",
            "| --- | --- | --- | --- | --- |",
            "| mine & yours | 1.25 [1.04, 1.50] | .018 | .036 | odds ratio per 10 points |",
            "| other | 0.500 [0.123, 2.03] | .333 | .333 | odds ratio per 10 points |",
        ]
    )


def test_html() -> None:
    assert to_html(display_table(SMALL), "Ratings < 5") == (
        '<table class="mi-table"><caption>Ratings &lt; 5</caption><thead><tr>'
        '<th scope="col">technique</th><th scope="col">effect</th><th scope="col">p</th><th scope="col">q</th>'
        '<th scope="col">unit</th></tr></thead><tbody>'
        '<tr><th scope="row">mine &amp; yours</th><td>1.25 [1.04,\u00a01.50]</td><td>.018</td><td>.036</td>'
        "<td>odds ratio per 10 points</td></tr>"
        '<tr><th scope="row">other</th><td>0.500 [0.123,\u00a02.03]</td><td>.333</td><td>.333</td>'
        "<td>odds ratio per 10 points</td></tr></tbody></table>"
    )
    assert "<caption>" not in to_html(display_table(SMALL))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-1.25 [-1.5, -1.04]", "-1.25 [-1.5,\u00a0-1.04]"),
        ("1e-05 [2.1e-06, 3.1e+07]", "1e-05 [2.1e-06,\u00a03.1e+07]"),
        ("< .001", "&lt;\u00a0.001"),
        ("clients of 3, 4 and 5", "clients of 3, 4 and 5"),
    ],
)
def test_cells_of_html_are_not_broken_inside_an_interval_or_a_p(text: str, shown: str) -> None:
    assert f"<td>{shown}</td>" in to_html(pd.DataFrame({"a": ["x"], "b": [text]}))


def test_wide_tables_of_html_are_crowded() -> None:
    for columns, kinds in ((9, "mi-table"), (10, "mi-table crowded")):
        frame = pd.DataFrame([["x"] * columns], columns=[f"c{i}" for i in range(columns)])
        assert to_html(frame).startswith(f'<table class="{kinds}">')


def test_latex() -> None:
    body = "\n".join(
        [
            r"\begin{tabular}{lllll}",
            r"\toprule",
            r"technique & effect & p & q & unit \\",
            r"\midrule",
            r"mine \& yours & 1.25 [1.04, 1.50] & .018 & .036 & odds ratio per 10 points \\",
            r"other & 0.500 [0.123, 2.03] & .333 & .333 & odds ratio per 10 points \\",
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
    assert to_latex(display_table(SMALL)) == body
    captioned = to_latex(display_table(SMALL), "50 % of chats")
    head = "\n".join([r"\begin{table}", r"\centering", r"\caption{50 \% of chats}"])
    assert captioned == head + "\n" + body + "\n" + r"\end{table}"


def test_corrections_stand_side_by_side_and_levels_below_each_other() -> None:
    rows = [
        {"code": "x", "level": level, "correction": correction, "weight": weight, "f1": 0.7512, "support": 41.0}
        | effect(value, value / 2, 2 * value, p, q)
        for level in ("within", "between")
        for correction, value, p, q, weight in (
            ("naive", 1.1, 0.0004, 0.001, np.nan),
            ("gold", 1.2, 0.2, 0.25, np.nan),
            ("ptd", 1.3, 0.04, 0.05, 0.6667),
        )
    ]
    table = display_table(tidy(*rows))
    assert list(table.columns) == [
        *("technique", "level", "naive", "p naive", "q naive", "gold only", "p gold only", "q gold only"),
        *("corrected", "p corrected", "q corrected", "weight on tagger", "tagger F1 (n)", "unit"),
    ]
    assert table["level"].tolist() == ["within", "between"]
    assert table.iloc[0, 2:-1].tolist() == [
        *("1.10 [0.550, 2.20]", "< .001", ".001", "1.20 [0.600, 2.40]", ".200", ".250"),
        *("1.30 [0.650, 2.60]", ".040", ".050", "0.67", "0.75 (41)"),
    ]


def test_covariates_have_a_line_each_by_their_names() -> None:
    table = display_table(
        tidy(
            {"code": "x", "term": "x (within)", "level": "within", **effect(1, 0.5, 2, 0.5)},
            {"code": "", "term": "age", **effect(2, 0.5, 3, 0.5)},
            {"code": "", "term": "log_messages", **effect(3, 0.5, 4, 0.5)},
        )
    )
    assert table["technique"].tolist() == ["x", "age", "log_messages"]
    assert table["effect"].tolist() == ["1.00 [0.500, 2.00]", "2.00 [0.500, 3.00]", "3.00 [0.500, 4.00]"]


def test_estimates_stand_before_effects_where_asked_for() -> None:
    logs = {"estimate": -0.5, "ci_low": -0.75, "ci_high": -0.25}
    both = tidy(
        *({"code": "x", "correction": name, **effect(0.6, 0.47, 0.78, 0.01), **logs} for name in ("naive", "ptd"))
    )
    table = display_table(both, estimates=True)
    assert list(table.columns) == [
        *("technique", "estimate naive", "naive", "p naive", "estimate corrected", "corrected", "p corrected", "unit")
    ]
    assert table.loc[0, "estimate corrected"] == "-0.500 [-0.750, -0.250]"
    assert not any(name.startswith("estimate") for name in display_table(both).columns)


def test_several_models_in_one_table_are_refused() -> None:
    one = {"code": "x", "correction": "naive", **effect(1, 0.5, 2, 0.5)}
    with pytest.raises(UsageProblem, match="one model of one outcome"):
        display_table(tidy({**one, "model": "ordinal"}, {**one, "model": "logit"}))


def test_designs_are_told_apart_only_where_there_are_several() -> None:
    one = {"code": "x", **effect(1, 0.5, 2, 0.5)}
    table = display_table(tidy({**one, "design": "a"}, {**one, "design": "b"}))
    assert table["design"].tolist() == ["a", "b"]
    assert "design" not in display_table(tidy({**one, "design": "a"}))


def test_codes_of_the_codebook_have_their_names() -> None:
    known = Codebook.load().codes[0]
    table = display_table(tidy({"code": known.id, **effect(1, 0.5, 2, 0.5)}))
    assert table["technique"].tolist() == [f"{known.name} ({known.id})"]
    assert f"({known.id})" in to_markdown(table)


def test_what_was_not_estimated_is_empty() -> None:
    table = display_table(
        tidy(
            {"code": "x", **effect(np.nan, np.nan, np.nan, np.nan, np.nan)},
            {"code": "y", **effect(1.5, np.nan, np.nan, 0.5, 0.5)},
            {"code": "z", **effect(1.5, 0.2, np.inf, 1.0, 1.0)},
        )
    )
    assert table["effect"].tolist() == ["", "1.50", "1.50 [0.200, inf]"]
    assert table["p"].tolist() == ["", ".500", "1.000"]
    assert table["q"].tolist() == ["", ".500", "1.000"]
    assert not any("nan" in render(table) for render in (to_markdown, to_html, to_latex))


def test_one_correction_of_a_code_may_be_missing() -> None:
    table = display_table(
        tidy(
            {"code": "x", "correction": "naive", **effect(1.5, 1.2, 1.9, 0.01)},
            {"code": "x", "correction": "ptd", **effect(1.5, 1.2, 1.9, 0.01)},
            {"code": "y", "correction": "naive", **effect(1.5, 1.2, 1.9, 0.01)},
        )
    )
    assert table["corrected"].tolist() == ["1.50 [1.20, 1.90]", ""]


GAPS = pd.DataFrame(
    {
        "name": ["a", None],
        "float": [1.5, np.nan],
        "count": pd.array([3, None], dtype="Int64"),
        "when": [pd.NaT, pd.NaT],
        "half": np.array([0.5, np.nan], dtype=np.float32),
        "flag": [True, False],
    }
)


def test_gaps_are_empty_cells() -> None:
    assert to_markdown(GAPS).splitlines()[2:] == ["| a | 1.50 | 3 |  | 0.500 | True |", "|  |  |  |  |  | False |"]
    number, gap = '<td class="number"></td>', "<td></td>"
    row = f'<th scope="row"></th>{number}{number}{gap}{number}<td class="number">False</td>'
    assert row in to_html(GAPS)
    assert r" &  &  &  &  & False \\" in to_latex(GAPS).splitlines()


def test_numbers_stand_right() -> None:
    assert to_markdown(GAPS).splitlines()[1] == "| --- | ---: | ---: | --- | ---: | ---: |"
    assert to_latex(GAPS).startswith(r"\begin{tabular}{lrrlrr}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.5, "-0.500"),
        (0.00123, "0.001"),
        (0.000123, "0.00012"),
        (-2e-9, "-2e-09"),
        (1.0, "1.00"),
        (12.345, "12.35"),
        (123.456, "123.5"),
        (-1234.5, "-1234"),
        (99999.0, "99999"),
        (123456.0, "1.2e+05"),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (np.float64(2.0), "2.00"),
        (7, "7"),
        (np.int64(1234567), "1234567"),
        (True, "True"),
    ],
)
def test_numbers(value: object, text: str) -> None:
    assert to_markdown(pd.DataFrame({"x": [value]}, dtype=object)).splitlines()[2] == f"| {text} |"


@pytest.mark.parametrize("render", [to_markdown, to_html, to_latex])
def test_numbers_come_back_to_three_digits(render) -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=300) * 10.0 ** random.integers(-6, 9, 300)
    text = render(pd.DataFrame({"x": values})).replace("$-$", "-")
    found = [float(each) for each in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])", text)]
    assert len(found) == 300
    for back, value in zip(found, values, strict=True):
        plain = 1e-3 <= abs(value) < 1e5
        step = 1 if abs(value) >= 1000 else 0.1 if abs(value) >= 100 else 0.01 if abs(value) >= 1 else 0.001
        assert abs(back - value) <= (0.5000001 * step if plain else 0.0500001 * abs(value))


@pytest.mark.parametrize(("p", "text"), [(0.0009999, "< .001"), (0.001, ".001"), (0.05, ".050"), (1.0, "1.000")])
def test_p_values(p: float, text: str) -> None:
    table = display_table(tidy({"code": "x", **effect(1, 0.5, 2, p)}))
    assert table["p"].tolist() == [text]


CHOSEN = {"columns": {"n": "chats", "name": "group"}, "formats": {"n": ",.0f"}}
GROUPS = pd.DataFrame({"name": ["a", "b"], "other": [1, 2], "n": [12345.0, np.nan]})


def test_chosen_columns_headers_formats_caption_and_notes() -> None:
    given = {"caption": "Chats & groups", "notes": ["50 % of all.", "a < b"], **CHOSEN}
    assert to_markdown(GROUPS, **given) == (
        "Chats & groups\n\n| chats | group |\n| ---: | --- |\n| 12,345 | a |\n|  | b |\n\n50 % of all.\n\na < b"
    )
    assert to_html(GROUPS, "Chats & groups", **CHOSEN) == (
        '<table class="mi-table"><caption>Chats &amp; groups</caption><thead><tr>'
        '<th scope="col" class="number">chats</th><th scope="col">group</th></tr></thead><tbody>'
        '<tr><th scope="row" class="number">12,345</th><td>a</td></tr>'
        '<tr><th scope="row" class="number"></th><td>b</td></tr></tbody></table>'
    )
    assert to_latex(GROUPS, **given).splitlines() == [
        *(r"\begin{table}", r"\centering", r"\caption{Chats \& groups}", r"\begin{tabular}{rl}", r"\toprule"),
        *(r"chats & group \\", r"\midrule", r"12,345 & a \\", r" & b \\", r"\bottomrule", r"\end{tabular}"),
        *(r"\par\smallskip{\footnotesize 50 \% of all.\par}", r"\par\smallskip{\footnotesize a \textless{} b\par}"),
        r"\end{table}",
    ]


def test_notes_need_no_caption_and_formats_no_choice() -> None:
    assert to_markdown(GROUPS, formats={"n": ".2e"}, notes=["End"]).splitlines()[2:] == [
        *("| a | 1 | 1.23e+04 |", "| b | 2 |  |", "", "End")
    ]
    assert to_latex(GROUPS, notes=["End"]).splitlines()[:3] == [
        *(r"\begin{table}", r"\centering", r"\begin{tabular}{lrr}")
    ]


@pytest.mark.parametrize("render", [to_markdown, to_html, to_latex])
def test_unknown_columns_are_refused_with_those_that_are_there(render) -> None:
    for wrong in ({"columns": {"nmae": "x"}}, {"formats": {"nmae": ".1f"}}):
        with pytest.raises(UnknownName, match=r"'nmae'\. Did you mean 'name'\? There are name, other, n\."):
            render(GROUPS, **wrong)


def hostile_table() -> pd.DataFrame:
    return pd.DataFrame({HOSTILE: ["first\nsecond", HOSTILE], "x": [1.0, 2.0]})


def test_hostile_names_in_markdown() -> None:
    """Unescaped bars are those of the table, and no tag, link or emphasis is left."""
    lines = to_markdown(hostile_table()).splitlines()
    assert len(lines) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)
    quoted = (
        r"a\|b \<script>alert('1')\</script> % \_ & # $ { } \~ ^ \\ [x]\(http://x) \*b\* \`c\`"  # the same, escaped
    )
    assert lines[0] == f"| {quoted} | x |"
    assert lines[3] == f"| {quoted} | 2.00 |"
    assert lines[2] == "| first second | 1.00 |"


def test_markdown_leaves_plain_text_alone() -> None:
    for text in ("Open question (open_question)", "1.20 [1.00, 1.44]", "< .001", "a & b", "5 > 3", "Köln…"):
        assert to_markdown(pd.DataFrame({"x": [text]})).splitlines()[2] == f"| {text} |"
    assert to_markdown(pd.DataFrame({"x": ["__init__"]})).splitlines()[2] == r"| \_\_init\_\_ |"


def test_hostile_names_in_html() -> None:
    text = to_html(hostile_table(), HOSTILE)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;") == 3
    assert set(re.findall(r"</?(\w+)", text)) == {"table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_hostile_names_in_latex() -> None:
    quoted = (
        r"a\textbar{}b \textless{}script\textgreater{}alert('1')\textless{}/script\textgreater{} \% \_ \& \# \$ \{ \} "
        r"\textasciitilde{} \textasciicircum{} \textbackslash{} [x](http://x) *b* `c`"
    )
    lines = to_latex(hostile_table(), HOSTILE).splitlines()
    assert lines[2] == rf"\caption{{{quoted}}}"
    assert rf"{quoted} & x \\" in lines
    assert rf"{quoted} & 2.00 \\" in lines
    assert r"first second & 1.00 \\" in lines


def test_lines_of_latex_are_no_options_of_the_line_above() -> None:
    frame = pd.DataFrame({"[a]": ["[1.0, 2.0]", "*", "x [y]"], "b": "[3]"})
    assert to_latex(frame).splitlines()[2:7] == [
        *(r"{}[a] & b \\", r"\midrule", r"{}[1.0, 2.0] & [3] \\", r"{}* & [3] \\", r"x [y] & [3] \\")
    ]


def test_negative_numbers_in_latex_have_a_minus_and_names_their_hyphens() -> None:
    frame = pd.DataFrame({"PHQ-9": ["-0.50 [-1.00, -0.10]", "2020-01-02", "a--1", "1e-05"], "x": [-1.5, 0, 0, -2e-9]})
    assert [line for line in to_latex(frame).splitlines() if "&" in line] == [
        *(r"PHQ-9 & x \\", r"$-$0.50 [$-$1.00, $-$0.10] & $-$1.50 \\", r"2020-01-02 & 0.000 \\"),
        *(r"a--1 & 0.000 \\", r"1e-05 & $-$2e-09 \\"),
    ]


def test_headers_of_two_lines_and_entities_leave_the_table_whole() -> None:
    frame = pd.DataFrame({"a\nb": ["R&D &lt; &#60;"]})
    assert to_markdown(frame, "one\ntwo") == "one two\n\n| a b |\n| --- |\n| R&D \\&lt; \\&#60; |"
    assert '<th scope="col">a b</th>' in to_html(frame)
    assert r"a b \\" in to_latex(frame).splitlines()


def test_small_p_in_latex_are_no_spanish_marks() -> None:
    """In the usual font encoding a bare "<" is printed as an inverted exclamation mark."""
    table = display_table(tidy({"code": "x", **effect(2, 1.5, 2.5, 1e-5)}))
    assert r"x & 2.00 [1.50, 2.50] & \textless{} .001 &" in to_latex(table)


def test_frames_without_rows() -> None:
    empty = pd.DataFrame({"a": pd.Series([], dtype=float), "b": pd.Series([], dtype=str)})
    assert to_markdown(empty) == "| a | b |\n| ---: | --- |"
    assert to_html(empty).endswith("<tbody></tbody></table>")
    assert to_latex(empty).splitlines()[2:] == [r"a & b \\", r"\midrule", r"\bottomrule", r"\end{tabular}"]
    assert display_table(SMALL.iloc[:0]).empty
