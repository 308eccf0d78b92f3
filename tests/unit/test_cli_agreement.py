"""`mi-code agreement`: from files of codes to figures."""

import csv
import gzip
import io
import json
import os
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.codings import read_units
from mi_coder.cli.main import group
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, NEEDED, text_hash
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.formats.fields import OUTPUT_FIELDS

SECRET = "the quick brown text"


def codes(path: Path, *rows: str, coder: str = "a", round: str = "1") -> Path:
    """A stand-off file; a row is `conversation index codes`."""
    lines = [",".join(COLUMNS)]
    for row in rows:
        conversation, index, given = row.split()
        lines.append(f"{conversation},{index},{text_hash(SECRET + index)},{given},,,,3,{coder},{round}")
    path.write_text("\n".join(lines) + "\n")
    meta = {"codebook": Codebook.load().hash, "coder": "somebody", "unit": "message"}
    path.with_name(path.name + ".meta.json").write_text(json.dumps(meta))
    return path


def chats(path: Path, *rows: str, **fields: str) -> Path:
    """A file of chats with gold; a row is `conversation codes...`, with - for a message without gold."""
    lines = []
    for row in rows:
        conversation, *given = row.split()
        messages = [
            {"role": "counselor", "text": f"{SECRET}{index}"}
            | ({} if one == "-" else {"gold": {"codes": one.split("+")}} | fields)
            for index, one in enumerate(given)
        ]
        lines.append(json.dumps({"conversation_id": conversation, "messages": messages}))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    one = codes(tmp_path / "one.csv", "c 0 INT+OQ", "c 2 CQ", "d 1 SU", "d 3 GR")
    other = codes(tmp_path / "other.csv", "c 0 INT+OQ", "c 2 OQ", "d 1 SU", coder="b")
    return [one, other]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["agreement", *map(str, arguments)])


def table(done: Result) -> list[dict[str, str]]:
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_figures_of_messages_that_were_coded_twice(files: list[Path]) -> None:
    figures = json.loads(run(*files, "--as", "json").stdout)
    (whole,) = figures["groups"]
    assert (whole["messages"], whole["conversations"], whole["exact"]) == (3, 2, pytest.approx(2 / 3))
    rows = {row["name"]: row for row in whole["rows"]}
    assert rows["OQ"]["alpha"]["value"] == pytest.approx(1 - 5 * 1 / (3 * 3))
    assert rows["SU"]["verdict"] == "uncertain"
    assert rows["SU"]["few"]
    assert rows["IP"]["alpha"] == {"value": None, "low": None, "high": None}
    assert figures["confusions"] is None


@pytest.mark.parametrize(("style", "begins"), [("table", "code  "), ("markdown", "| code ")])
def test_tables(files: list[Path], style: str, begins: str) -> None:
    lines = run(*files, "--as", style).stdout.splitlines()
    assert (
        lines[0] == "3 messages of 2 conversations coded at least twice; 67% of the pairs have exactly the same codes."
    )
    assert lines[2].startswith(begins)
    shown = [line.strip("| ").split()[0] for line in lines[4 : lines.index("", 4)]]
    assert shown == ["OQ", "CQ", "INT", "SU", "all"]
    assert any(line.startswith("Nothing to compare: REF, AF") for line in lines)


def test_csv_has_every_figure_with_its_interval(files: list[Path]) -> None:
    rows = {row["name"]: row for row in table(run(*files, "--as", "csv"))}
    assert len(rows) == 21 + 1 + 4
    assert rows["OQ"]["messages"] == "3"
    assert float(rows["OQ"]["alpha"]) == pytest.approx(4 / 9, abs=1e-6)
    for figure in ("alpha", "fleiss", "cohen", "ac1", "positive", "negative"):
        row = rows["OQ"]
        assert float(row[f"{figure}_low"]) <= float(row[figure]) <= float(row[f"{figure}_high"])
    assert rows["IP"]["alpha"] == ""
    assert rows["all codes"]["fleiss"] == ""


def test_many_coders_and_missing_codings_in_files_of_chats(tmp_path: Path) -> None:
    paths = [
        chats(tmp_path / "ann.jsonl", "c OQ CQ SU", "d REF -"),
        chats(tmp_path / "ben.jsonl", "c OQ CQ -", "d REF PD"),
        chats(tmp_path / "cleo.jsonl", "c OQ OQ SU"),
    ]
    rows = table(run(*paths, "--by", "pair", "--as", "csv"))
    groups = dict.fromkeys(row["group"] for row in rows)
    assert list(groups) == ["ann and ben", "ann and cleo", "ben and cleo"]
    messages = {(row["group"], row["name"]): row["messages"] for row in rows}
    assert [messages[name, "OQ"] for name in groups] == ["3", "3", "2"]
    by_coder = table(run(*paths, "--by", "coder", "--as", "csv"))
    assert [row["group"] for row in by_coder if row["name"] == "OQ"] == ["ann", "ben", "cleo"]


def test_chats_may_name_coder_and_round(tmp_path: Path) -> None:
    paths = [
        chats(tmp_path / "1.jsonl", "c OQ", coder="ann", round="1"),
        chats(tmp_path / "2.jsonl", "c CQ", coder="ann", round="2"),
        codes(tmp_path / "3.csv", "c 0 OQ", coder="ben", round="2"),
    ]
    (unit,) = read_units(paths)
    assert read_units(map(str, paths)) == [unit]
    assert [given.rater for given in unit.given] == [("ann", "1"), ("ann", "2"), ("ben", "2")]
    rows = table(run(*paths, "--by", "round", "--as", "csv"))
    assert {row["group"] for row in rows} == {"2"}


def test_confusions_name_messages_and_no_text(tmp_path: Path) -> None:
    paths = [chats(tmp_path / "ann.jsonl", "c OQ CQ SU+AF"), chats(tmp_path / "ben.jsonl", "c CQ OQ SU")]
    rows = table(run(*paths, "--as", "csv", "--confusions", 5))
    assert rows == [
        {"code": "OQ", "other": "CQ", "pairs": "2", "messages": "2", "ids": "c#0;c#1"},
        {"code": "AF", "other": "", "pairs": "1", "messages": "1", "ids": "c#2"},
    ]
    shown = run(*paths, "--confusions", 1).stdout
    assert "OQ       CQ         2      2         c#0 c#1\n" in shown
    assert "1 less frequent confusions are not shown." in shown
    assert json.loads(run(*paths, "--as", "json", "--confusions").stdout)["confusions"][0]["messages"] == ["c#0", "c#1"]
    for style in ("table", "markdown", "json", "csv"):
        for more in ([], ["--confusions"]):
            assert SECRET not in run(*paths, "--as", style, *more).output


def test_a_file_after_confusions_is_explained(files: list[Path]) -> None:
    done = run("--confusions", *files)
    assert done.exit_code == 2
    assert "Write one, or put --confusions last." in done.output


def test_groups_have_headings(files: list[Path]) -> None:
    assert run(*files, "--by", "pair").stdout.startswith("Pair a and b\n\n3 messages")
    assert run(*files, "--by", "coder", "--as", "markdown").stdout.startswith("## Coder a\n\n3 messages")


def test_a_file_for_the_report(files: list[Path], tmp_path: Path) -> None:
    report = tmp_path / "new" / "agreement.md"
    done = run(*files, "--as", "markdown", "-o", report)
    assert done.stdout == ""
    assert report.read_text() == run(*files, "--as", "markdown").stdout
    again = run(*files, "-o", report)
    assert isinstance(again.exception, UsageProblem)
    assert "--force" in str(again.exception)
    assert run(*files, "-o", report, "--force").exit_code == 0
    assert isinstance(run(*files, "-o", files[0], "--force").exception, UsageProblem)


def test_ids_that_a_spreadsheet_would_run_are_guarded(tmp_path: Path) -> None:
    paths = [chats(tmp_path / "ann.jsonl", "=c OQ"), chats(tmp_path / "ben.jsonl", "=c CQ")]
    (row,) = table(run(*paths, "--as", "csv", "--confusions"))
    assert row["ids"] == "'=c#0"


def test_one_coding_alone_is_refused(files: list[Path]) -> None:
    done = run(files[0])
    assert isinstance(done.exception, UsageProblem)
    assert "No message is coded twice." in str(done.exception)
    assert "leave out --by round" in str(run(files[0], "--by", "round").exception)


def test_codings_that_cannot_be_compared_are_named(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"again\.csv: conversation 'c', message 0: coder 'a' codes it twice"):
        read_units([files[0], codes(tmp_path / "again.csv", "c 0 INT")])
    changed = codes(tmp_path / "changed.csv", "c 2 CQ", coder="z")
    changed.write_text(changed.read_text().replace(text_hash(SECRET + "2"), text_hash("another")))
    with pytest.raises(UsageProblem, match="message 2: the other coding is of another text"):
        read_units([files[0], changed])


def plain(path: Path, *rows: str, header: str = "conversation_id,index,codes") -> Path:
    """A table of one's own, without a sidecar; a row is `conversation,index,codes`."""
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_tables_of_ones_own_are_compared_and_what_is_not_checked_is_said_once(tmp_path: Path) -> None:
    ann = plain(tmp_path / "ann.csv", "c,0,OQ", "c,2,REF+SU", "d,1,PR")
    ben = plain(tmp_path / "ben.csv", "c,0,OQ", "c,2,REF", "d,1,IP")
    done = run(ann, ben, "--by", "pair")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Pair ann and ben\n\n3 messages of 2 conversations")
    assert done.stderr.count("Without text_hash it is not checked") == 1
    assert done.stderr.endswith(f"{ann}, {ben}\n")
    rounds = [
        plain(tmp_path / "1.csv", "c,0,OQ,ann", header="conversation_id,index,codes,coder"),
        plain(tmp_path / "2.csv", "c,0,OQ,ben", header="conversation_id,index,codes,coder"),
    ]
    assert {row["group"] for row in table(run(*rounds, "--by", "round", "--as", "csv"))} == {"1"}


def test_a_table_of_ones_own_beside_files_that_tell_their_texts(files: list[Path], tmp_path: Path) -> None:
    own = plain(tmp_path / "own.csv", "c,0,INT+OQ", "c,2,CQ")
    done = run(*files, own, "--as", "json")
    assert json.loads(done.stdout)["groups"][0]["messages"] == 3
    assert done.stderr.endswith(f": {own}\n")
    assert not run(*files).stderr
    changed = codes(tmp_path / "changed.csv", "c 2 CQ", coder="z")
    changed.write_text(changed.read_text().replace(text_hash(SECRET + "2"), text_hash("another")))
    with pytest.raises(UsageProblem, match="another text"):
        read_units([own, files[0], changed])


def by_rounds(path: Path, *rows: str) -> Path:
    """Codings of several rounds in one table; a row is `conversation,index,codes,coder,round`."""
    return plain(path, *rows, header="conversation_id,index,codes,coder,round")


TWO_ROUNDS = ("x,1,SU,ann,1", "x,1,OQ,ann,2", "x,3,OQ,ann,1", "x,3,OQ,ann,2", "y,1,SU,ann,1")
ONE_ROUND = ("x,1,SU,ben,1", "x,3,OQ,ben,1", "y,1,SU,ben,1")


@pytest.mark.parametrize("by", ["all", "coder"])
def test_a_coder_who_codes_twice_is_one_coder(tmp_path: Path, by: str) -> None:
    paths = [by_rounds(tmp_path / "ann.csv", *TWO_ROUNDS), by_rounds(tmp_path / "ben.csv", *ONE_ROUND)]
    last = [by_rounds(tmp_path / "last.csv", *TWO_ROUNDS[1:2], *TWO_ROUNDS[3:]), paths[1]]
    for style in ("csv", "json"):
        done = run(*paths, "--by", by, "--as", style, "--confusions")
        assert done.stdout == run(*last, "--by", by, "--as", style, "--confusions").stdout
        assert done.stderr.startswith("2 messages have earlier rounds of a coder, which are ignored")
    shown = run(*paths, "--by", by)
    assert "--by pair\n" in shown.stdout and "earlier rounds" not in shown.stderr
    assert "earlier rounds" in run(*paths, "--by", by, "--as", "markdown").stdout
    assert "earlier rounds" not in run(*last, "--by", by).output + run(*paths, "--by", "pair").output
    groups = {row["group"] for row in table(run(*paths, "--by", "pair", "--as", "csv"))}
    assert groups == {"ann (1) and ann (2)", "ann (1) and ben", "ann (2) and ben"}


def test_rounds_of_one_coder_alone_are_compared_and_the_report_says_so(tmp_path: Path) -> None:
    own = by_rounds(tmp_path / "ann.csv", *TWO_ROUNDS)
    shown = run(own).stdout
    assert shown.startswith("2 messages of 1 conversations coded at least twice; 50%")
    assert "No message has codings of two coders: rounds of one coder are compared, which is agreement with" in shown
    assert "1 of 3 messages have only one coding and are left out: ann (1) 1 of 3." in shown
    assert shown == run(own, "--by", "all").stdout
    assert run(own, "--by", "coder").stdout.startswith("Coder ann (1)\n")


def test_messages_without_a_partner_are_counted_by_coder(files: list[Path], tmp_path: Path) -> None:
    line = "1 of 4 messages have only one coding and are left out: a 1 of 4.\n"
    shown = run(*files)
    assert line in shown.stdout and not shown.stderr
    assert run(*files, "--as", "json").stderr == run(*files, "--as", "csv").stderr == line
    assert "alone" not in run(files[1], chats(tmp_path / "ann.jsonl", "c INT+OQ - CQ", "d - SU")).output
    many = [plain(tmp_path / f"k{i}.csv", "c,0,OQ", f"c,{i + 1},OQ") for i in range(6)]
    assert "left out: k0 1 of 2, k1 1 of 2, k2 1 of 2, k3 1 of 2 and 2 more coders." in run(*many).stdout


@pytest.mark.parametrize(
    ("ids", "others", "told"),
    [
        (("010", "007", "008"), ("010", "7", "8"), "2 more messages would be coded twice if '007' and '7', and other"),
        (("007", "008"), ("007", " 008"), "1 more messages would be coded twice if '008' and ' 008', and other"),
    ],
)
def test_ids_that_are_nearly_the_same_are_told(
    tmp_path: Path, ids: tuple[str, ...], others: tuple[str, ...], told: str
) -> None:
    ann = plain(tmp_path / "ann.csv", *(f"{one},1,OQ" for one in ids))
    ben = plain(tmp_path / "ben.csv", *(f"{one},1,OQ" for one in others))
    shown = run(ann, ben).stdout
    assert told in shown
    assert ("a spreadsheet removes leading zeros. Keep ids as text." in shown) == ("7" in others)
    assert ("remove the blanks." in shown) == (" 008" in others)
    ends = [plain(tmp_path / f"{path.stem}2.csv", path.read_text().splitlines()[-1]) for path in (ann, ben)]
    refusal = str(run(*ends).exception)
    assert refusal.startswith("No message is coded twice.") and "1 more messages would be coded twice if" in refusal
    same = plain(tmp_path / "both.csv", "7,1,OQ", "07,1,OQ")
    assert "would be coded" not in run(same, plain(tmp_path / "cho.csv", "8,1,OQ", "7,1,OQ")).output


def test_own_codes_that_differ_are_told(tmp_path: Path) -> None:
    header = "conversation_id,index,codes,own"
    ann = plain(tmp_path / "ann.csv", "c,0,OQ,RISK", "c,1,OQ,RISK", header=header)
    ben = plain(tmp_path / "ben.csv", "c,0,OQ,RISK", "c,1,OQ,", header=header)
    assert "Codes of your own are not in any figure. They differ on 1 messages." in run(ann, ben).stdout
    assert "your own" not in run(ann, plain(tmp_path / "cho.csv", "c,0,OQ", "c,1,OQ")).stdout


@pytest.mark.parametrize("name", ["ben.csv.gz", "ben.gz", "ben.txt"])
def test_codes_are_known_by_their_columns(tmp_path: Path, name: str) -> None:
    ann = plain(tmp_path / "ann.csv", "c,0,OQ")
    text = '\ufeff"conversation_id","codes","index","note"\nc,OQ,0,\n'.encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    done = run(ann, tmp_path / name)
    assert done.stdout.startswith("1 messages of 1 conversations")
    assert done.stderr.endswith(f"{ann}, {tmp_path / name}\n")


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_codes_without_commas_are_refused_with_what_to_do(tmp_path: Path, separator: str) -> None:
    path = plain(tmp_path / "ben.tsv", separator.join("c0") + f"{separator}OQ", header=separator.join(NEEDED))
    with pytest.raises(
        UsageProblem, match=r"ben\.tsv:1: the columns are not separated by commas\. Save the codes as CSV"
    ):
        read_units([path])


def test_codes_may_be_joined_as_in_a_tagged_table(tmp_path: Path) -> None:
    header = "conversation_id,index,codes,own"
    ann = plain(tmp_path / "ann.csv", "c,0,OQ+INT,RISK+FUN", "c,1,OQ,", header=header)
    ben = plain(tmp_path / "ben.csv", "c,0,OQ;INT,FUN;RISK", "c,1,OQ,", header=header)
    [first, second] = read_units([ann, ben])
    assert [(one.gold.positive, one.own) for one in first.given] == [({"OQ", "INT"}, {"RISK", "FUN"})] * 2
    assert [one.gold.positive for one in second.given] == [{"OQ"}] * 2


@pytest.mark.parametrize(("name", "separator"), [("ben.tagged.csv", ","), ("ben.tagged.tsv", "\t")])
def test_a_tagged_table_is_refused_with_what_it_lacks_and_what_to_do(tmp_path: Path, name: str, separator: str) -> None:
    columns = ["conversation_id", "role", "text", *OUTPUT_FIELDS]
    cells = dict.fromkeys(columns, "") | {"conversation_id": "c", "role": "counselor", "text": SECRET, "codes": "OQ;SU"}
    table = tmp_path / name
    table.write_text("".join(f"{separator.join(line)}\n" for line in (columns, cells.values())))
    sidecar = table.with_name(f"{name}.meta.json")
    sidecar.write_text('{"mi_coder": "0"}')
    done = run(plain(tmp_path / "ann.csv", "c,0,OQ"), table)
    assert isinstance(done.exception, UsageProblem)
    told = str(done.exception)
    assert told.startswith(f"{table} is a tagged table, not a file of codes: it lacks the column index.")
    assert "use `mi-code evaluate`" in told
    assert "add index: the place of the message in its conversation, where all messages count, from 0." in told
    assert SECRET not in told


def test_the_sidecar_of_tagged_chats_is_not_one_of_codes(tmp_path: Path) -> None:
    ann = plain(tmp_path / "ann.csv", "c,0,OQ")
    ann.with_name("ann.csv.meta.json").write_text('{"mi_coder": "0"}')
    with pytest.raises(UsageProblem, match=r"not the \.meta\.json of a file of codes: .*another name\.$"):
        read_units([ann])


def test_what_is_no_table_of_codes_is_read_as_chats(tmp_path: Path) -> None:
    damaged = tmp_path / "ben.jsonl.gz"
    damaged.write_bytes(gzip.compress(chats(tmp_path / "ben.jsonl", "c OQ").read_bytes() * 900)[:60])
    with pytest.raises(MiCoderError, match=r"ben\.jsonl\.gz"):
        read_units([damaged])
    with pytest.raises(MiCoderError, match="ConvoKit"):
        read_units([tmp_path])


def test_what_kappa_is_and_what_cannot_be_told_is_explained(tmp_path: Path) -> None:
    permitted = [chats(tmp_path / f"{name}.jsonl", "c OQ RC", "d RC OQ") for name in ("ann", "ben")]
    for path in permitted:
        path.write_text(path.read_text().replace('["RC"]', '["RC"], "permission": "without"'))
    shown = run(*permitted).stdout
    [line] = [line for line in shown.splitlines() if line.startswith("permission of RC")]
    assert line.endswith("all the same")
    assert "All the same: all codings have the same value, and alpha cannot be computed." in shown
    assert "Cohen κ: the mean over pairs of coders" in shown


def test_chats_without_gold_or_broken_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"empty\.jsonl: no message has gold"):
        read_units([chats(tmp_path / "empty.jsonl", "c - -")])
    broken = tmp_path / "broken.jsonl"
    broken.write_text(
        '{"conversation_id": "c", "messages": [{"role": "counselor", "text": "x", "gold": {"codes": 3}}]}\n'
    )
    with pytest.raises(MiCoderError, match=r"broken\.jsonl.*gold\.codes"):
        read_units([broken])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_chats_may_come_through_a_pipe(tmp_path: Path) -> None:
    one, two = chats(tmp_path / "one.jsonl", "c OQ SU"), chats(tmp_path / "two.jsonl", "c OQ CQ")
    plain = read_units([one, two])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_bytes(one.read_bytes()))
    writer.start()
    assert [unit.codings for unit in read_units([pipe, two])] == [unit.codings for unit in plain]
    writer.join()
