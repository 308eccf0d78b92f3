"""Agreement on the page: the picture with its lines, the table behind it, groups, and files that are no such report."""

import math
import re
from pathlib import Path

import pytest

from mi_coder.annotation.agreement import Agreement
from mi_coder.annotation.agreement_report import AgreementReport, Group, read_report, report
from mi_coder.annotation.codings import Given, Unit
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.report import Figure
from mi_coder.report import sections
from mi_coder.report.build import ReportOptions, build_report
from tests.report_chats import write_chats

ALL = frozenset(Codebook.load().ids)


def _unit(conversation: str, index: int, *codes: str, coders: str = "abc") -> Unit:
    golds = [Gold(frozenset({code}), ALL - {code}) for code in codes]
    return Unit(conversation, index, tuple(Given(*each) for each in zip(coders, "111", golds, strict=False)))


UNITS = [_unit(f"c{i}", j, code, code if i % 4 else "CQ") for i in range(30) for j, code in enumerate(("OQ", "SU"))]


def _row(code: str, alpha: float, low: float = math.nan, given: int = 50) -> Agreement:
    return Agreement(code, 100, given, given / 200, given, Figure(alpha, low, alpha if low == low else math.nan))


def _of(*rows: Agreement, groups: int = 1) -> str:
    names = [""] if groups == 1 else [f"<a> and b{i}" for i in range(groups)]
    made = tuple(Group(name, 100 + i, 9, 0.5, rows) for i, name in enumerate(names))
    return sections.agreement(AgreementReport("all" if groups == 1 else "pair", made, 10, 1)).body


def test_a_report_as_json_is_read_back(tmp_path: Path) -> None:
    for made in (report(UNITS, samples=20), report(UNITS, "pair", samples=20)):
        path = tmp_path / "a.json"
        path.write_text(made.render("json"))
        assert read_report(path).render("json") == made.render("json")
        assert read_report(path).render("csv") == made.render("csv")


@pytest.mark.parametrize("content", ["code  messages\nOQ 3\n", "[]", '{"groups": [{"name": ""}]}', '{"by": "all"}'])
def test_another_file_is_refused_with_what_to_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(UsageProblem, match="--as json -o agreement"):
        read_report(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b'"given": ', b'"given": "5", "x": '),
        (b'"rarest": ', b'"rarest": 1.5, "x": '),
        (b'"value": ', b'"value": "0", "x": '),
        (b'"messages": ', b'"messages": "6", "conversations": '),
        (b'"by": "all"', b'"by": "\xe9"'),
        (b'"samples": 20', b'"samples": ' + b"[" * 9999 + b"]" * 9999),
    ],
)
def test_a_report_with_a_value_of_another_type_is_refused(tmp_path: Path, was: bytes, now: bytes) -> None:
    content = report(UNITS, samples=20).render("json").encode()
    assert was in content
    (tmp_path / "a.json").write_bytes(content.replace(was, now))
    with pytest.raises(UsageProblem, match=r"a\.json is not an agreement report in JSON\. Write one"):
        read_report(tmp_path / "a.json")


def test_the_page_draws_it(tmp_path: Path) -> None:
    chats = write_chats(tmp_path / "t.jsonl")
    path = tmp_path / "a.json"
    path.write_text(report(UNITS, samples=50).render("json"))
    html = build_report([str(chats)], ReportOptions(agreement=path))
    body = html[html.index('<section id="agreement"') :].partition("</section>")[0]
    assert "60 messages of 30 conversations" in body and "Krippendorff" in body
    assert "Open question, 52" in body and "tentative" in body and "reliable" in body
    assert "<details>" in body and '<th scope="row">all codes</th>' in body


def test_dots_stand_where_alpha_is_and_few_are_hollow() -> None:
    body = _of(_row("OQ", 0.5, 0.25), _row("SU", 1.0), _row("WA", 1.0, given=2), _row("IP", math.nan))
    broad = body[body.index("<svg") :].partition("</svg>")[0]
    x = dict(zip(("OQ", "SU", "WA"), map(float, re.findall(r'cx="([\d.]+)"', broad)), strict=True))
    limits = [float(place) for place in re.findall(r'class="limit" x1="([\d.]+)"', broad)]
    assert x["SU"] == x["WA"] and len(limits) == 2
    scale = (x["SU"] - x["OQ"]) / 0.5
    assert [1 - (x["SU"] - place) / scale for place in limits] == pytest.approx([0.667, 0.8], abs=0.001)
    assert broad.count('class="mark" x1') == 1 and broad.count("mark hollow") == 1
    assert "Inappropriate, 50" not in broad and "Inappropriate" in body, "without alpha it is in the table alone"


def test_an_alpha_below_zero_keeps_inside() -> None:
    body = _of(_row("OQ", -0.4, -0.7), _row("SU", 0.9, 0.8))
    assert all(float(x) >= 0 for x in re.findall(r'(?:x1|cx)="(-?[\d.]+)"', body))


def test_of_many_pairs_the_largest_are_drawn() -> None:
    body = _of(_row("OQ", 0.5), groups=sections.MOST_GROUPS + 2)
    assert body.count("<h3>") == sections.MOST_GROUPS and "2 pairs with fewer messages are not shown" in body
    assert "<a>" not in body and "Pair &lt;a&gt; and b7" in body and "and b0<" not in body
