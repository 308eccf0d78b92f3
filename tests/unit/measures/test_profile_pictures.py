"""Profiles in notebooks: the table, and the pictures of groups and of codes."""

import io
import warnings
from typing import Any

import pytest

from mi_coder.errors import UsageProblem
from mi_coder.measures.profile import MOST_SHOWN, SHOWN, Profile, profile
from mi_coder.measures.reading import Chat
from mi_coder.measures.tally import Turn

CLIENT = Turn("client", None, None, None, 4)


def _found(groups: int = 2, chats: int = 6) -> Profile:
    turns = [
        CLIENT, Turn("counselor", ("OQ",), None, None, 3), CLIENT, Turn("counselor", ("REF", "AF"), None, None, 3),
    ]  # fmt: skip
    made = [Chat(f"c{i}", turns, {"who": f"<k{i % groups}>"}) for i in range(groups * chats)]
    return profile(made, ["who"], draws=50)


def _axes(picture: Any) -> list[Any]:
    return list(picture.axes)


def test_the_table_has_a_row_per_group_and_escapes_names() -> None:
    html = _found()._repr_html_()
    assert html.count('<th scope="row">') == 2 and "&lt;k0&gt;" in html and "<k0>" not in html
    assert "<td>12</td>" in html and "1.00  [1.00, 1.00]" in html and "needs depth" in html
    assert "more groups" not in html


def test_as_text_it_is_its_summary_and_no_list_of_figures() -> None:
    assert repr(_found()) == _found().summary() and "Figure(" not in repr(_found())


def test_of_many_groups_the_table_says_how_many_are_not_shown() -> None:
    assert "<caption>3 more groups are not shown</caption>" in _found(MOST_SHOWN + 3, 1)._repr_html_()


def test_a_panel_per_measure_with_points_intervals_and_thresholds() -> None:
    pytest.importorskip("matplotlib")
    axes = _axes(_found().plot())
    assert [axis.get_title() for axis in axes] == list(SHOWN)
    ratio, depth = axes[0], axes[1]
    assert [label.get_text() for label in ratio.get_yticklabels()] == ["<k0>", "<k1>"]
    lines = [list(line.get_xdata()) for line in ratio.get_lines()]
    assert lines[:2] == [[1.0, 1.0], [2.0, 2.0]], "fair and good of MITI"
    assert lines[2] == [1.0, 1.0] and len(lines) == 5, "two points, and an interval each"
    assert list(depth.get_lines()[2].get_xdata()) == [], "what cannot be told has no point"
    assert [list(line.get_xdata()) for line in depth.get_lines()[:2]] == [[40.0, 40.0], [50.0, 50.0]], "in percent"


def test_names_of_groups_are_shown_as_they_are() -> None:
    pytest.importorskip("matplotlib")
    names = ["$a_$b", "_hidden", "line $5-$9"]
    turns = [CLIENT, *(Turn("counselor", (code,), None, None, 3) for code in ("OQ", "CQ", "AF", "SU"))]
    found = profile([Chat(f"c{i}", turns, {"who": name}) for i, name in enumerate(names)], ["who"])
    panels, codes = found.plot("talk share"), found.plot_codes()
    assert [label.get_text() for label in panels.axes[0].get_yticklabels()] == sorted(names)
    assert [text.get_text() for text in _axes(codes)[0].get_legend().get_texts()] == sorted(names)
    for picture in (panels, codes):
        picture.savefig(io.BytesIO())


def test_any_measure_or_code_can_be_drawn_and_others_are_refused() -> None:
    pytest.importorskip("matplotlib")
    assert [axis.get_title() for axis in _axes(_found().plot("talk share", "AF"))] == ["talk share", "AF"]
    with pytest.raises(UsageProblem, match="Did you mean 'R:Q'"):
        _found().plot("R:q")


def test_codes_are_drawn_that_were_given_in_percent_with_a_legend_where_groups_differ() -> None:
    pytest.importorskip("matplotlib")
    [axis] = _axes(_found().plot_codes())
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert {label.rpartition("(")[2] for label in labels} == {"OQ)", "REF)", "AF)"}
    assert set(axis.get_lines()[0].get_xdata()) == {50.0}
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["<k0>", "<k1>"]
    [alone] = _axes(_found(groups=1).plot_codes())
    assert alone.get_legend() is None and alone.get_xlabel() == "% of messages"


def test_what_rests_on_few_chats_is_hollow_and_what_is_left_out_is_said() -> None:
    pytest.importorskip("matplotlib")
    few: Any = _found(MOST_SHOWN + 3, 1)
    points = [
        line for line in few.plot("R:Q").axes[0].get_lines() if line.get_marker() == "o" and len(line.get_xdata())
    ]
    assert [(line.get_markerfacecolor(), len(line.get_xdata())) for line in points] == [("white", MOST_SHOWN)]
    said = [few.plot("R:Q").get_supxlabel(), few.plot_codes().get_supxlabel()]
    hollow = "Hollow: no interval, so it says little."
    assert said == [f"3 more groups are not shown. {hollow}", f"16 more groups are not shown. {hollow}"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few.plot().savefig(io.BytesIO())
    enough: Any = _found()
    assert enough.plot().get_supxlabel() == "" and enough.plot_codes().get_supxlabel() == ""


def test_thresholds_have_a_legend_and_marks_at_zero_are_whole() -> None:
    pytest.importorskip("matplotlib")
    picture: Any = _found().plot("talk share", "R:Q")
    [legend] = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == ["fair, MITI 4.2.1", "good, MITI 4.2.1"]
    assert not any(line.get_clip_on() for axis in picture.axes for line in axis.get_lines())
    without: Any = _found().plot("talk share")
    assert not without.legends
