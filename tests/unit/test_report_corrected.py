"""What the report says of the tagger's errors is true of its figures, and a field that is not there is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder.cli.report import command
from mi_coder.errors import UsageProblem
from mi_coder.measures.profile import profile
from mi_coder.measures.reading import Chat
from mi_coder.measures.tally import Turn
from mi_coder.measures.validation import errors_of
from mi_coder.report import sections
from tests.report_chats import write_chats


def _page(folder: Path, *options: str) -> str:
    page = folder / "r.html"
    result = CliRunner().invoke(command, [str(folder / "t.jsonl"), "-o", str(page), "--force", *options])
    if result.exception:
        raise result.exception
    return page.read_text()


def test_it_names_the_codes_that_are_corrected(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl", gold=True)
    html = _page(tmp_path, "--validation", str(path))
    named = html.partition("The shares of ")[2].partition(" are corrected for the tagger")[0]
    assert sorted(named.split(", ")) == ["INT", "OQ", "OUT", "REF", "SU"]
    assert "CQ was found correctly fewer than 5 times in the validation chats" in html


def test_with_too_little_validation_no_code_is_said_to_be_corrected(tmp_path: Path) -> None:
    few = write_chats(tmp_path / "few.jsonl", 4, gold=True)
    write_chats(tmp_path / "t.jsonl")
    assert "The shares of no code are corrected" in _page(tmp_path, "--validation", str(few))
    assert "are corrected for" not in _page(tmp_path)


def test_a_field_that_no_chat_has_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    with pytest.raises(UsageProblem, match=r"Did you mean 'counselor_id'.*there are: at, counselor_id"):
        _page(tmp_path, "--counselor", "counsellor_id")


def test_corrected_shares_are_marked(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl", gold=True)
    use = _page(tmp_path, "--validation", str(path)).partition('id="use"')[2].partition("</section>")[0]
    assert "%* [" in use and "(marked *)" in use
    assert 'text-anchor="end">Reflection*</text>' in use, "in the picture, too"
    assert "%* [" not in _page(tmp_path)


def test_corrected_summaries_are_marked_with_a_legend_and_keep_their_notes() -> None:
    client = Turn("client", None, None, None, 4)
    depths = [Turn("counselor", ("REF",), depth, None, 3) for depth in ("simple", "complex")]
    other = Turn("counselor", ("SU",), None, None, 3)
    chats = [Chat(f"c{i}", [client, depths[i % 2], other], {"who": "k"}) for i in range(12)]
    errors = errors_of(chats, chats)
    found = profile(chats, ["who"], errors=errors)
    counselors = sections.counselors(found, "who").body
    assert "<td>50%* [" in counselors and "(6.0/12.0)</td>" in counselors
    legend = "* corrected for the tagger&#x27;s errors on the validated chats"
    whole = sections.overview(sections.Overview(12, 12, 12, 0, None, "", ""), found.figures, "message").body
    assert legend in counselors and legend in whole
    assert "MITI 4.2.1. Depth comes from the tagger, which is often wrong on it: check" in whole


def test_a_figure_over_time_is_marked_where_it_is_corrected() -> None:
    turns = [Turn("counselor", (code,), None, None, 3) for code in ("REF", "OQ", "CQ")]
    chats = [Chat(f"c{i}", turns, {"who": "k", "at": f"2024-0{1 + i % 2}-05"}) for i in range(12)]
    errors = errors_of(chats, chats)
    over = profile(chats, ["who", "month"], time="at", errors=errors)
    body = sections.over_time(over, ["2024-01", "2024-02"]).body
    assert "<h3>R:Q*</h3>" in body and "<h3>% MI-consistent</h3>" in body and "* corrected for" in body
    plain = sections.over_time(profile(chats, ["who", "month"], time="at"), ["2024-01", "2024-02"]).body
    assert "<h3>R:Q</h3>" in plain and "* corrected" not in plain


def test_the_counts_stand_beside_each_counselors_figures(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl", 4)
    assert "<td>1.00 (2/2)</td>" in _page(tmp_path, "--counselor", "counselor_id")


def test_what_cannot_be_given_is_a_dash_with_its_reason_below(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl", 4)
    path.write_text(path.read_text().replace('"OQ"', '"SU"'))
    html = _page(tmp_path, "--counselor", "counselor_id")
    table, _, below = html.partition('id="counselors"')[2].partition("</table>")
    assert table.count("<td>\u2013</td>") == 4 and "nothing to divide by" not in table
    assert "\u2013 no figure (R:Q, % open questions: nothing to divide by)." in below


def test_the_heat_maps_say_what_a_shade_without_a_number_is(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    assert _page(tmp_path).count("a shade without a number is under 10%") == 3
