"""Heat maps that do not shade a single message, bands that are not cut, marks beside dots, tables behind pictures."""

import json
import re
from pathlib import Path

import pytest

from mi_coder.measures.patterns import Patterns
from mi_coder.measures.profile import count
from mi_coder.measures.reading import Chat
from mi_coder.measures.summaries import legend
from mi_coder.measures.tally import Turn
from mi_coder.report import sections
from mi_coder.report.build import ReportOptions, build_report
from mi_coder.report.charts import FEWEST, Dot, Line, Step, dots, heat, highest, line
from mi_coder.report.page import STYLE, plot, table
from tests.report_chats import write_chats


def _turns(*codes: str) -> list[Turn]:
    """Messages of the counselor, one code each, without the client between them."""
    return [Turn("counselor", (code,), None, None, 1) for code in codes]


def test_shares_of_few_are_said_and_not_shaded() -> None:
    rows = [Line("Enough", "E", FEWEST), Line("Few", "F", FEWEST - 1)]
    drawn = heat(rows, [Line("x", "x"), Line("y", "y")], [[0.4, None], [1.0, 0.5]], "heat")
    broad, narrow = drawn.split("</svg>")[:2]
    for each in (broad, narrow):
        assert each.count("<rect") == 1 and "Enough, x: 40.0%" in each and "Few, x" not in each
        assert each.count(f"fewer than {FEWEST}: not shaded") == 1
        assert 'style="fill-opacity:1.000"' in each, "the darkest is the highest of those that are shaded"
    assert "Enough, n 5" in broad and "Few, n 4" in broad
    assert ">E, n 5" in narrow


def test_columns_of_few_are_blank_too() -> None:
    columns = [Line("0-10", "0", 12_345), Line("10-20", "10", 1)]
    drawn = heat([Line("a", "a")], columns, [[0.2, 1.0]], "heat").split("</svg>")[0]
    assert drawn.count("<rect") == 1 and ">n 12k<" in drawn and ">n 1<" in drawn


def test_a_row_of_one_message_is_in_the_table_alone() -> None:
    patterns = Patterns()
    patterns.add(_turns("OQ", "SU", "OQ", "SU", "OQ", "SU", "OQ", "SU", "OQ", "SU", "CO", "WA"))
    body = sections.order(patterns).body
    after = body[body.index("<h3>What comes next") : body.index("<h3>What stands together")]
    assert "Open question, n 5" in after and "Open question, SU: 100.0%" in after
    assert "Confront, n 1" in after and "Confront, WA" not in after
    row = '<th scope="row">Confront</th><td class="n">1</td><td>WA 100% (1)</td>'
    assert row in after.partition("<details>")[2]
    assert body.count("<details>") == 3, "each heat map has its table"


def test_the_table_of_places_is_by_tenth() -> None:
    patterns = Patterns()
    patterns.add(_turns(*["INT"] * 6, *["OQ"] * 54))
    body = sections.order(patterns).body
    assert '<th scope="row">0-10</th><td class="n">6</td><td>INT 100% (6)</td>' in body
    assert "Introduction, 0-10: 100.0%" in body and "Open question, 90-100: 100.0%" in body


def _band(drawn: str) -> list[float]:
    """The ends of a band, upper ones first and lower ones backwards, read off by the lines and numbers of the axis."""
    axis = re.findall(
        r'y1="([\d.]+)" y2="[\d.]+"/><text class="axis" x="35" y="[\d.]+" text-anchor="end">([\d.]+)<', drawn
    )
    bottom, top = float(axis[0][0]), float(axis[-1][0])
    points = re.findall(r'class="band" points="([^"]+)"', drawn)[0].split()
    assert all(float(point.split(",")[1]) >= 0 for point in points), "inside the picture"
    return [(bottom - float(point.split(",")[1])) / (bottom - top) * float(axis[-1][1]) for point in points]


def test_bands_are_not_cut() -> None:
    wide = [Step("1", 0.5, 0.4, 0.6), Step("2", 1.0, 0.8, 3.7), Step("3", None, None, None)]
    low = [Step("1", 0.1, 0.0, 0.2), Step("2", 0.1, None, None), Step("3", 0.2, 0.1, 0.3)]
    assert highest([low, wide]) == 3.7 and highest([[Step("1", None, None, None)]]) == 1
    assert _band(line(wide, "line", 3.7)) == pytest.approx([0.6, 3.7, 0.8, 0.4], abs=0.03)
    heights = re.findall(r'cy="(-?[\d.]+)"', line(wide, "line", 3.7))
    assert len(heights) == 2 and all(float(y) >= 0 for y in heights)


def test_the_section_over_time_holds_every_interval_and_a_table() -> None:
    chats = [
        Chat(f"c{i}", _turns(*["REF"] * (4 if i % 5 == 0 else 1), "OQ"), {"who": "a", "at": f"2024-0{1 + i % 2}-05"})
        for i in range(20)
    ]
    found = count(chats).profile(["who", "month"], "at")
    body = sections.over_time(found, ["2024-01", "2024-02"]).body
    first, second = (figure for figure in found.figures if figure.measure == "R:Q")
    assert first.high is not None and second.high is not None and second.low is not None and first.low is not None
    assert max(first.high, second.high) > max(first.value or 0, second.value or 0), "else nothing could be cut"
    drawn = body[body.index("<h3>R:Q</h3>") :]
    assert _band(drawn) == pytest.approx([first.high, second.high, second.low, first.low], abs=0.03)
    told = f"2024-01: {first.value:.2f} [{first.low:.2f}, {first.high:.2f}] (16/10); 2024-02: "
    consistent = body[: body.index("<h3>R:Q</h3>")]
    assert "2024-01: 100% [100%, 100%] (26/26)" in consistent and ">50%</text>" in consistent
    assert told in drawn.partition("<details>")[2] and body.count("<details>") == len(sections.TRACKED)


def test_marks_beside_a_dot() -> None:
    rows = [Dot("a", 0.4, None, None, "a", beside=(0.2, 0.8)), Dot("b", 0.4, None, None, "b", beside=(None, 1.0))]
    drawn = dots(rows, "x", percent=False, legend=("F1", "", "people"))
    for each in drawn.split("</svg>")[:2]:
        assert each.count('class="upright"') == 1 and each.count('class="diamond"') == 3, "two and the legend"
        assert ">people<" in each and each.count("<circle") == 3
        ends = [float(x) for x in re.findall(r'd="M([\d.]+)', each)]
        width = float(each.split('viewBox="0 0 ')[1].split()[0])
        assert max(ends) < width


def test_every_table_says_what_it_holds(tmp_path: Path) -> None:
    chats = write_chats(tmp_path / "t.jsonl", gold=True)
    html = build_report([str(chats)], ReportOptions(counselor="counselor_id", time="at", validation=str(chats)))
    assert html.count("<caption>") >= 10 and "<caption></caption>" not in html


def test_chats_without_any_code_have_a_page(tmp_path: Path) -> None:
    message = {"role": "counselor", "text": "x", "codes": []}
    (tmp_path / "t.jsonl").write_text(json.dumps({"conversation_id": "a", "messages": [message]}) + "\n")
    assert "Order in chats" in build_report([str(tmp_path / "t.jsonl")], ReportOptions())


def test_a_period_without_a_figure_is_a_gap() -> None:
    steps = [Step("1", 1, 0.5, 1.5), Step("2", 1, 0.5, 1.5), Step("3", None, None, None), Step("4", 1, 0.5, 1.5)]
    picture = line(steps, "line", 1.5)
    paths = re.findall(r'class="path" points="([^"]+)"', picture)
    assert [len(path.split()) for path in paths] == [2, 1] and picture.count('class="band"') == 2
    assert picture.count("<circle") == 3


def _tagged(path: Path, counselors: int) -> Path:
    """One chat in each of two months for each counselor; later ones write more."""
    chats = [
        {
            "conversation_id": f"{who}-{month}",
            "who": f"k{who:02}",
            "at": f"2024-0{month}-05",
            "messages": [{"role": "counselor", "text": "x", "codes": ["OQ"]}] * (1 + who),
        }
        for who in range(counselors)
        for month in (1, 2)
    ]
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    return path


def test_over_time_shows_the_counselors_with_most_messages(tmp_path: Path) -> None:
    path = _tagged(tmp_path / "t.jsonl", sections.MOST_COUNSELORS + 3)
    html = build_report([str(path)], ReportOptions(counselor="who", time="at"))
    over = html[html.index("Counselors over time</h2>") : html.index("Order in chats</h2>")]
    shown = re.findall(r"<div><h4>(k\d\d)</h4>", over)
    assert shown == [f"k{who:02}" for who in range(14, 2, -1)] * len(sections.TRACKED)
    assert "The 12 counselors with most messages. The band" in over
    few = build_report([str(_tagged(tmp_path / "few.jsonl", 3))], ReportOptions(counselor="who", time="at"))
    assert "counselors with most messages" not in few and "<p>The band" in few


def test_a_period_without_any_chat_is_a_gap_in_the_page(tmp_path: Path) -> None:
    chats = [
        {
            "conversation_id": f"c{month}-{i}",
            "who": "k",
            "at": f"2024-{month:02}-05",
            "messages": [{"role": "counselor", "text": "x", "codes": [code]} for code in ("OQ", "REF")],
        }
        for month in (1, 2, 5)
        for i in range(5)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    html = build_report([str(tmp_path / "t.jsonl")], ReportOptions(counselor="who", time="at"))
    over = html[html.index("Counselors over time</h2>") : html.index("Order in chats</h2>")]
    paths = [path.split() for path in re.findall(r'class="path" points="([^"]+)"', over)]
    assert [len(path) for path in paths] == [2, 1] * len(sections.TRACKED)
    first, second, third = (float(point.split(",")[0]) for path in paths[:2] for point in path)
    assert third - second == pytest.approx(3 * (second - first), abs=0.2)


def test_a_period_of_few_chats_is_a_hollow_dot_with_its_numbers() -> None:
    drawn = line([Step("1", 0.5, 0.4, 0.6, "50%"), Step("2", 1.0, None, None, "100% (1/1)")], "line", 1.0)
    assert re.findall(r'<circle class="([^"]+)"', drawn) == ["mark", "mark hollow"]
    chats = [Chat(f"c{i}", _turns("REF", "OQ"), {"who": "a", "at": f"2024-0{1 + i}-05"}) for i in range(2)]
    body = sections.over_time(count(chats).profile(["who", "month"], "at"), ["2024-01", "2024-02"]).body
    assert "<title>2024-01: 1.00 (1/1)</title>" in body and "2024-01: 1.00 (1/1); 2024-02: 1.00 (1/1)" in body
    assert 'class="mark"' not in body and "A hollow dot has fewer: it has no interval and says little." in body


@pytest.mark.parametrize(("share", "tone"), [(0.5, "off"), (0.6, "mid"), (0.74, "mid"), (0.76, "on"), (1.0, "on")])
def test_numbers_in_shades_can_be_read(share: float, tone: str) -> None:
    drawn = heat([Line("a", "a")], [Line("x", "x"), Line("y", "y")], [[share, 1.0]], "heat")
    assert f'<text class="number {tone}"' in drawn


def test_a_picture_stays_with_its_heading_on_paper() -> None:
    patterns = Patterns()
    patterns.add(_turns(*["OQ", "SU"] * 6))
    body = sections.order(patterns).body
    assert body.count('<div class="keep"><h3>') == 3 and ".keep,svg," in STYLE


def test_what_is_folded_has_its_title_on_paper() -> None:
    paper = STYLE.partition("@media print")[2]
    assert "nav,.skip{display:none}" in paper and "summary{list-style:none;" in paper


def test_scrolled_boxes_have_a_name_and_take_the_keyboard(tmp_path: Path) -> None:
    chats = write_chats(tmp_path / "t.jsonl", gold=True)
    html = build_report([str(chats)], ReportOptions(counselor="counselor_id", time="at", validation=str(chats)))
    boxes = re.findall(r'<div class="scroll[^>]*>', html)
    named = [
        re.fullmatch(r'<div class="scroll( wide)?" tabindex="0" role="region" aria-label="[^"]+">', box)
        for box in boxes
    ]
    assert len(boxes) > 10 and all(named)
    assert plot(b"<svg/>", "a").startswith('<figure class="plot" tabindex="0"><img ')


def test_texts_in_columns_of_numbers_stand_right() -> None:
    drawn = table("x", ["", "number", "text"], [["chats", 3, "a"], ["review", "1,040 (15.6%)", "b" * 31]])
    assert '<td class="n">1,040 (15.6%)</td><td class="long">' in drawn and "<td>a</td>" in drawn


@pytest.mark.parametrize(("numbers", "shown"), [((3, 7), "(3/7)"), ((4338, 8569), "(4,338/\u200b8,569)")])
def test_only_long_pairs_of_numbers_are_broken(numbers: tuple[int, int], shown: str) -> None:
    top, bottom = numbers
    turns = [*_turns(*["REF"] * top), *_turns(*["OQ"] * bottom)]
    assert f"{shown}</td>" in sections.counselors(count([Chat("c", turns, {"who": "a"})]).profile(["who"]), "who").body


def test_long_names_are_broken() -> None:
    assert "tbody th,h3,h4{overflow-wrap:anywhere}" in STYLE


def test_intervals_of_no_width_are_explained_wherever_intervals_are() -> None:
    chats = [Chat(f"c{i}", _turns("REF", "OQ"), {"who": "a", "at": f"2024-0{1 + i % 2}-05"}) for i in range(10)]
    counted = count(chats)
    parts = (
        sections.code_use(counted.profile(["all"]).figures, "message", False, ""),
        sections.counselors(counted.profile(["who"]), "who"),
        sections.over_time(counted.profile(["who", "month"], "at"), ["2024-01", "2024-02"]),
    )
    said = (
        "Where all conversations have the same value, the interval has no width, such as [0.0%, 0.0%]: that does not "
        "mean that another value is unlikely."
    )
    assert all(said in part.body for part in parts) and said in legend()


def test_a_long_table_of_counselors_is_folded(tmp_path: Path) -> None:
    for counselors, folded in ((sections.MOST_ROWS, 0), (sections.MOST_ROWS + 2, 1)):
        path = _tagged(tmp_path / "t.jsonl", counselors)
        html = build_report([str(path)], ReportOptions(counselor="who"))
        body = html[html.index("Counselors</h2>") : html.index("Order in chats</h2>")]
        open_, _, closed = body.partition("<details>")
        assert body.count("<details>") == folded and ("2 more counselors" in closed) is bool(folded)
        names = [f"k{who:02}" for who in range(counselors - 1, -1, -1)]
        assert re.findall(r">(k\d\d)<", open_) == names[: sections.MOST_ROWS]
        assert re.findall(r">(k\d\d)<", closed) == names[sections.MOST_ROWS :]
