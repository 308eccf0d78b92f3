"""Agreement and evaluations in notebooks: frames, tables and pictures in one line each."""

import io
import math
from typing import Any

import numpy as np
import pytest

from mi_coder.annotation.agreement import Agreement
from mi_coder.annotation.agreement_report import MOST_SHOWN, AgreementReport, Group
from mi_coder.evaluation.metrics import CodeScore
from mi_coder.evaluation.report import Doubt, EvaluationReport, Figure, Options, Row, Source, Versus

NONE = Figure(math.nan, math.nan, math.nan)


def _agreement(groups: int = 1) -> AgreementReport:
    rows = (
        Agreement("OQ", 90, 30, 1 / 6, 30, Figure(0.9, 0.8, 0.95)),
        Agreement("SU", 90, 60, 1 / 3, 60, Figure(0.5, -0.2, 0.7)),
        Agreement("WA", 90, 2, 0.01, 2, Figure(1.0, math.nan, math.nan)),
        Agreement("IP", 90, 0, 0.0, 0, NONE),
    )
    names = [""] if groups == 1 else [f"<k{i}> and b" for i in range(groups)]
    made = tuple(Group(name, 90 + i, 12, 0.75, rows) for i, name in enumerate(names))
    return AgreementReport("all" if groups == 1 else "pair", made, 10, 1)


def _evaluation(**changed: Any) -> EvaluationReport:
    def row(code: str, f1: float, positives: int, beside: float | None, human: float | None) -> Row:
        score = CodeScore(code, 0.5, 0.5, f1, positives, 50, 9, f1 - 0.1, f1 + 0.1)
        return Row(score, beside, human, positives >= 20, trained=True)

    rows = (row("OQ", 0.8, 40, 0.6, 0.95), row("SU", 0.7, 60, 0.5, None), row("WA", 0.3, 3, 0.1, None),
            row("IP", math.nan, 0, math.nan, 1.0))  # fmt: skip
    given: dict[str, Any] = {
        "source": Source("gold.jsonl", "a" * 64, "<toy> 1", "b" * 64, "sha256:00"), "options": Options(),
        "conversations": 9, "messages": 120, "complete": 100, "rows": rows,
        "macro": Versus(Figure(0.75, 0.7, 0.8), Figure(0.55, 0.5, 0.6), Figure(0.2, 0.1, 0.3)),
        "exact": Versus(NONE, NONE, NONE), "groups": (), "attributes": (), "calibration": None, "doubt": Doubt(),
        "notes": ("A <remark>.",),
    }  # fmt: skip
    return EvaluationReport(**{**given, **changed})


def _labels(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


def _legend(picture: Any) -> list[str]:
    return [text.get_text() for legend in picture.legends for text in legend.get_texts()]


def _points(axis: Any) -> list[list[float]]:
    """The values of every mark of the picture, without intervals and lines over its whole height."""
    return [list(line.get_xdata()) for line in axis.get_lines() if line.get_linestyle() == "None"]


def test_agreement_as_a_frame() -> None:
    pytest.importorskip("pandas")
    frame = _agreement(2).frame()
    assert list(frame["name"]) == ["OQ", "SU", "WA", "IP"] * 2 and list(frame["group"].unique()) == [
        "<k0> and b",
        "<k1> and b",
    ]
    assert frame["alpha_low"].iloc[1] == -0.2 and frame["reading"].iloc[0] == "reliable"
    assert np.isnan(frame["alpha"].iloc[3]) and frame["cohen"].dtype == float


def test_agreement_as_a_table_and_as_text() -> None:
    html = _agreement()._repr_html_()
    assert html.count('<th scope="row">') == 3, "what nobody gave is left out"
    assert "0.900 [0.800, 0.950]" in html and "uncertain, few" in html and "90 messages of 12 conversations" in html
    many = _agreement(MOST_SHOWN + 2)._repr_html_()
    assert many.count("<table>") == MOST_SHOWN and "2 smaller groups are not shown" in many
    assert "Pair &lt;k5&gt; and b:" in many and "<k5>" not in many and "&lt;k0&gt;" not in many
    assert repr(_agreement()) == _agreement().render("table").rstrip()


def test_agreement_as_a_picture() -> None:
    pytest.importorskip("matplotlib")
    picture: Any = _agreement().plot()
    [axis] = picture.axes
    assert _labels(axis) == ["Support (SU), 60", "Open question (OQ), 30", "Warn (WA), 2"], "the most frequent first"
    assert [list(line.get_xdata()) for line in axis.get_lines()[:2]] == [[0.667, 0.667], [0.8, 0.8]]
    assert _points(axis)[:2] == [[0.5, 0.9], [1.0]], "few stand apart, hollow"
    assert [-0.2, 0.7] in [list(line.get_xdata()) for line in axis.get_lines()] and axis.get_xlim()[0] <= -0.2
    assert _legend(picture) == ["present or absent in fewer than 20 messages or 5 conversations"]
    groups = _agreement(9).plot()
    names = [name for name in _legend(groups) if "messages)" in name]
    assert len(names) == 7 and "<k8> and b (98 messages)" in names
    assert _labels(groups.axes[0])[0] == "Support (SU)"


def test_names_of_coders_are_shown_as_they_are() -> None:
    pytest.importorskip("matplotlib")
    names = ["$a_$b and c", "_k and c"]
    groups = tuple(Group(name, 90, 12, 0.75, _agreement().groups[0].rows) for name in names)
    picture = AgreementReport("pair", groups, 10, 1).plot()
    assert _legend(picture)[:2] == ["$a_$b and c (90 messages)", "_k and c (90 messages)"]
    picture.savefig(io.BytesIO())
    named = _evaluation(source=Source("gold.jsonl", "a" * 64, "_model $x^{", "b" * 64, "sha256:00")).plot()
    assert _legend(named)[0] == "_model $x^{"
    named.savefig(io.BytesIO())


def test_an_evaluation_as_a_frame() -> None:
    pytest.importorskip("pandas")
    frame = _evaluation().frame().set_index("code")
    assert frame.loc["OQ", ["f1", "positives", "baseline_f1", "human_alpha", "counted"]].tolist() == [
        0.8,
        40,
        0.6,
        0.95,
        True,
    ]
    assert np.isnan(frame["human_alpha"]["SU"]) and frame["human_alpha"].dtype == float and not frame["counted"]["WA"]


def test_an_evaluation_as_a_table_and_as_text() -> None:
    html = _evaluation()._repr_html_()
    assert html.count('<th scope="row">') == 3 + 2 and "0.800 [0.700, 0.900]" in html and "TF-IDF F1" in html
    assert "&lt;toy&gt; 1 on gold.jsonl: 120 messages of 9 conversations" in html and "A &lt;remark&gt;." in html
    assert "<toy>" not in html and repr(_evaluation()) == _evaluation().summary()


def test_an_evaluation_as_a_picture() -> None:
    pytest.importorskip("matplotlib")
    picture = _evaluation().plot()
    [axis] = picture.axes
    assert _labels(axis) == ["Support (SU), 60", "Open question (OQ), 40", "Warn (WA), 3"], "codes that gold has"
    own, few, beside, people = _points(axis)[:4]
    assert (own, few, beside, people) == ([0.7, 0.8], [0.3], [0.5, 0.6, 0.1], [0.95])
    assert _legend(picture) == ["<toy> 1", "TF-IDF", "human coders (alpha)", "hollow: fewer than 20 positives"]


def test_without_baseline_and_people_nothing_stands_beside() -> None:
    pytest.importorskip("matplotlib")
    [first, *_] = _evaluation().rows
    alone = _evaluation(rows=(Row(first.score, None, None, True, True),))
    assert _legend(alone.plot()) == ["<toy> 1"] and len(_points(alone.plot().axes[0])) == 1
