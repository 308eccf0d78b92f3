"""What goes together, follows within a turn and across the client's, and stands where: counts, rows, frame and plot."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command
from mi_coder.errors import UsageProblem
from mi_coder.measures.patterns import PATTERNS, Patterns
from mi_coder.measures.profile import profile
from mi_coder.measures.reading import Chat
from mi_coder.measures.tally import CODES, Turn

CLIENT = Turn("client", None, None, None, 4)
OQ, SU, AF, REF = (CODES.index(code) for code in ("OQ", "SU", "AF", "REF"))


def _turn(*codes: str) -> Turn:
    return Turn("counselor", codes, None, None, 3)


def _found(*turns: Turn) -> Patterns:
    return profile([Chat("a", list(turns), {})], ["all"]).patterns


def _shares(found: Patterns, pattern: str) -> dict[tuple[str, str], tuple[int, int]]:
    return {(row["first"], row["code"]): (row["count"], row["of"]) for row in found.rows(pattern) if row["count"]}


def test_what_goes_together_and_where() -> None:
    found = _found(CLIENT, _turn("OQ", "SU"), _turn("AF"), CLIENT, _turn("SU"))
    assert found.together[OQ][SU] == found.together[SU][OQ] == 1 and found.together[SU][SU] == 2
    assert sum(found.messages) == 3 and found.position[2][OQ] == 1 and found.position[8][SU] == 1
    assert _shares(found, "together") == {("OQ", "SU"): (1, 1), ("SU", "OQ"): (1, 2)}
    assert _shares(found, "position") == {
        ("20-30", "OQ"): (1, 1), ("20-30", "SU"): (1, 1), ("40-50", "AF"): (1, 1), ("80-90", "SU"): (1, 1),
    }  # fmt: skip


def test_within_a_turn_and_across_the_clients_are_told_apart() -> None:
    found = _found(_turn("OQ"), _turn("SU"), CLIENT, CLIENT, _turn("REF"), _turn("AF"), CLIENT, _turn("AF"))
    assert _shares(found, "same turn") == {("OQ", "SU"): (1, 1), ("REF", "AF"): (1, 1)}
    assert _shares(found, "next turn") == {
        ("SU", "REF"): (1, 1), ("AF", "AF"): (1, 1), ("client", "REF"): (1, 2), ("client", "AF"): (1, 2),
    }  # fmt: skip
    assert (found.following[0][REF], found.following[1 + OQ][SU], found.across[SU][REF]) == (1, 1, 1)


def test_a_turn_without_codes_leads_nowhere() -> None:
    found = _found(_turn("OQ"), CLIENT, _turn(), CLIENT, _turn("SU"))
    assert _shares(found, "next turn") == {("client", "SU"): (1, 1)} and not found.rows("same turn")


def test_rows_of_all_patterns_and_no_others() -> None:
    found = _found(CLIENT, _turn("OQ", "SU"), CLIENT, _turn("SU"))
    assert {row["pattern"] for row in found.rows()} == {"together", "next turn", "position"}
    assert all(row["share"] == row["count"] / row["of"] for row in found.rows())
    with pytest.raises(UsageProblem, match="Did you mean 'same turn'"):
        found.rows("same turns")


def test_the_command_writes_them(tmp_path: Path) -> None:
    said = [{"role": "client", "text": "so"}, {"role": "counselor", "text": "how?", "codes": ["OQ", "SU"]}]
    path, out = tmp_path / "t.jsonl", tmp_path / "patterns.csv"
    path.write_text(json.dumps({"conversation_id": "a", "messages": said * 2}) + "\n")
    result = CliRunner().invoke(command, [str(path), "--patterns", str(out)])
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["pattern", "first", "code", "count", "of", "share"]
    assert {"pattern": "next turn", "first": "OQ", "code": "SU", "count": "1", "of": "2", "share": "0.5"} in rows
    assert isinstance(CliRunner().invoke(command, [str(path), "--patterns", str(out)]).exception, UsageProblem)


def test_a_frame_and_a_plot_in_one_line_each() -> None:
    pytest.importorskip("matplotlib")
    found = _found(*[CLIENT, _turn("OQ", "SU"), _turn("AF")] * 3)
    assert list(found.frame("same turn")["first"].unique()) == ["OQ", "SU"] and len(found.frame()) == len(found.rows())
    assert list(_found(_turn()).frame().columns) == ["pattern", "first", "code", "count", "of", "share"]
    for pattern in PATTERNS:
        [axis] = found.plot(pattern).axes
        assert {label.get_text() for label in axis.get_xticklabels()} == {"OQ", "SU", "AF"}
    [axis] = found.plot("next turn").axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["client (n 6)", "AF (n 4)"]
    assert {text.get_text() for text in axis.texts} == {"50"}
