"""`mi-code tag` from the command line: formats, options, refusals, and what is said to whom."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.material.chats import bad_line, flat_records, write_flat
from mi_coder.batch.counts import Counts
from mi_coder.cli.main import main
from mi_coder.formats import OUTPUT_FIELDS
from mi_coder.tagger.tagger import Tagger
from tests.chats import nested_records, read_jsonl, write_jsonl

SCHEMA = Path(__file__).parents[2] / "schemas" / "coded.schema.json"
MAIN = "from mi_coder.cli.main import main; main()"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


@dataclass
class Result:
    code: int
    out: bytes
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run `mi-code tag` with the tiny model in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_tag(*args: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["mi-code", "tag", *map(str, args), "--model", str(tiny)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code: Any = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        captured = capfdbinary.readouterr()
        errors = captured.err.decode()
        assert "Traceback" not in errors
        return Result(code or 0, captured.out, errors)

    return run_tag


def without_codes(record: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in OUTPUT_FIELDS}
    if "messages" in kept:
        kept["messages"] = [without_codes(message) for message in kept["messages"]]
    return kept


def codes_of(path: Path) -> list[object]:
    return [record.get("codes") for record in read_jsonl(path)]


@pytest.mark.parametrize("records", [list(flat_records(64)), list(nested_records(8))], ids=["flat", "nested"])
def test_order_and_unknown_fields_are_kept_and_the_output_fits_its_schema(
    run: Run, tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    records[3]["deep"] = {"z": [1, 2.5, None, {"a": True}], "big": 10**25, "\u00e9": "\u2028 \x85 \x0b \u0000"}
    write_jsonl(tmp_path / "chats.jsonl", records)
    result = run("chats.jsonl", "--scores", "all")
    tagged = read_jsonl(tmp_path / "chats.tagged.jsonl")
    assert (result.code, result.out) == (0, b"")
    assert [without_codes(record) for record in tagged] == records
    assert [list(without_codes(record)) for record in tagged] == [list(record) for record in records]
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    for record in tagged:
        validator.validate(record)
    assert f"{len(records)} records in = {len(records)} out" in result.err


def test_separators_inside_a_text_split_nothing(run: Run, tmp_path: Path) -> None:
    text = "one\u2028two\u2029three\x85four\\r\\nfive\\u000b"
    line = '{"conversation_id":"c","role":"counselor","text":"%s"}\r\n'
    (tmp_path / "a.jsonl").write_bytes((line % text).encode() * 2)
    assert run("a.jsonl").code == 0
    texts = [record["text"] for record in read_jsonl(tmp_path / "a.tagged.jsonl")]
    assert texts == ["one\u2028two\u2029three\x85four\r\nfive\x0b"] * 2


def test_records_in_are_records_out_and_rejected(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 300, bad_every=17)
    result = run("a.jsonl", "--max-errors", "10%")
    tagged, rejects = read_jsonl(tmp_path / "a.tagged.jsonl"), read_jsonl(tmp_path / "a.tagged.rejects.jsonl")
    counts = json.loads((tmp_path / "a.tagged.meta.json").read_bytes())["counts"]
    assert (len(tagged), len(rejects)) == (283, 17) == (counts["written"], counts["rejected"])
    assert counts["read"] == 300
    assert result.code == 0
    assert "300 records in = 283 out + 17 rejected" in result.err
    assert "a.tagged.rejects.jsonl" in result.err


@pytest.mark.parametrize(
    ("options", "code"),
    [((), 3), (("--max-errors", "1"), 0), (("--max-errors", "50%"), 0), (("--strict",), 3), (("--max-errors", "x"), 2)],
)
def test_max_errors_of_a_short_file(run: Run, tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    write_jsonl(tmp_path / "a.jsonl", flat_records(1))
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(bad_line(2))
    result = run("a.jsonl", *options)
    assert result.code == code
    assert (tmp_path / "a.tagged.jsonl").exists() == (code != 2)


def test_on_error_fail_names_the_line(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 20, bad_every=7)
    result = run("a.jsonl", "--on-error", "fail")
    assert result.code == 3
    assert result.err.startswith("Error: a.jsonl:7: ")
    assert "--on-error skip" in result.err
    assert not (tmp_path / "a.tagged.jsonl").exists()


def test_a_second_run_has_nothing_to_do_or_is_refused(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 40)
    run("a.jsonl")
    before = (tmp_path / "a.tagged.jsonl").read_bytes()
    assert "nothing was done" in run("a.jsonl").err
    for option in (("--context", "0"), ("--threshold", "OQ=0.9"), ("--scores", "none"), ("--unknown-role", "other")):
        result = run("a.jsonl", *option)
        assert result.code == 2
        name = {"--threshold": "thresholds"}.get(option[0], option[0].strip("-").replace("-", "_"))
        assert f"the option {name}. Overwrite the output with --force" in result.err
    assert (tmp_path / "a.tagged.jsonl").read_bytes() == before
    assert run("a.jsonl", "--no-resume").code == 2
    assert run("a.jsonl", "--scores", "none", "--force").code == 0
    assert b"scores" not in (tmp_path / "a.tagged.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.tsv", "a.csv.gz", "a.parquet"])
def test_every_format_gives_the_same_codes(run: Run, tmp_path: Path, name: str) -> None:
    records = list(flat_records(40))
    write_jsonl(tmp_path / "plain.jsonl", records)
    write_as(tmp_path / name, records)
    run("plain.jsonl")
    result = run(name, "-o", "same.jsonl")
    assert result.code == 0, result.err
    assert codes_of(tmp_path / "same.jsonl") == codes_of(tmp_path / "plain.tagged.jsonl")
    assert [record["text"] for record in read_jsonl(tmp_path / "same.jsonl")] == [record["text"] for record in records]


def write_as(path: Path, records: list[dict[str, Any]]) -> None:
    from mi_coder.formats import open_writer
    from mi_coder.formats.sniff import format_of_path

    pytest.importorskip({".zst": "zstandard", ".parquet": "pyarrow"}.get(path.suffix, "json"))
    with open_writer(path, str(format_of_path(path))) as writer:
        for record in records:
            writer.write(record)


@pytest.mark.parametrize(
    ("name", "tagged"),
    [("a.jsonl.gz", "a.tagged.jsonl.gz"), ("a.tsv", "a.tagged.tsv"), ("a.parquet", "a.tagged.jsonl")],
)
def test_format_and_compression_are_kept(run: Run, tmp_path: Path, name: str, tagged: str) -> None:
    write_as(tmp_path / name, list(flat_records(10)))
    run(name)
    assert (tmp_path / tagged).is_file()


def test_tables_and_parquet_out(run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_flat(tmp_path / "a.jsonl", 40)
    for name in ("o.jsonl", "o.csv", "o.parquet", "o.jsonl.gz"):
        assert run("a.jsonl", "-o", name).code == 0
    codes = codes_of(tmp_path / "o.jsonl")
    with (tmp_path / "o.csv").open(newline="") as file:
        assert [row["codes"].split(";") if row["codes"] else None for row in csv.DictReader(file)] == codes
    assert parquet.read_table(tmp_path / "o.parquet")["codes"].to_pylist() == codes
    assert gzip.decompress((tmp_path / "o.jsonl.gz").read_bytes()) == (tmp_path / "o.jsonl").read_bytes()


def test_a_table_without_a_good_row_keeps_its_header(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("conversation_id,role,text,mood\nc,wizard,hi,low\n")
    assert run("a.csv").code == 3
    header = (tmp_path / "a.tagged.csv").read_text()
    assert header == "conversation_id,role,text,mood,codes,scores,possible,depth,permission,review,uncoded,sentences\n"


def test_csv_with_other_names_and_roles(run: Run, tmp_path: Path) -> None:
    (tmp_path / "survey.csv").write_text('chat,who,body\n1,peer,"what, now?"\n1,kid,"dunno\nmaybe"\n')
    names = ("--text-field", "body", "--role-field", "who", "--conversation-field", "chat")
    roles = ("--role", "peer=counselor", "--role", "kid=client")
    result = run("survey.csv", *names, *roles)
    assert result.code == 0, result.err
    with (tmp_path / "survey.tagged.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["body"] for row in rows] == ["what, now?", "dunno\nmaybe"]
    assert rows[0]["codes"]
    assert not rows[1]["codes"]


def test_several_inputs_and_patterns_go_to_a_folder(run: Run, tmp_path: Path) -> None:
    for seed, name in enumerate(("x.jsonl", "y.jsonl", "z.jsonl")):
        write_flat(tmp_path / name, 16, seed=seed)
    assert run("[xy].jsonl", "z.jsonl", "-o", "out").code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == [
        "x.tagged.jsonl",
        "y.tagged.jsonl",
        "z.tagged.jsonl",
    ]
    assert run("x.jsonl", "y.jsonl", "-o", "z.jsonl").code == 2


def test_a_pattern_can_be_run_again(run: Run, tmp_path: Path) -> None:
    for name in ("x.jsonl", "y.jsonl"):
        write_flat(tmp_path / name, 16, bad_every=9)
    before = None
    for _ in range(2):
        result = run("*", "--max-errors", "50%")
        assert result.code == 0
        assert ("Left out, because this command writes them: x.tagged.jsonl" in result.err) == bool(before)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert before in (None, names)
        before = names
    assert len(before) == 8


def test_a_file_with_too_many_rejects_does_not_keep_the_others_waiting(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.jsonl", 16, bad_every=9)
    write_flat(tmp_path / "y.jsonl", 16)
    for _ in range(2):
        result = run("x.jsonl", "y.jsonl")
        assert result.code == 3
        assert "Error: x.jsonl: 1 of 16 records were rejected" in result.err
        assert (tmp_path / "y.tagged.jsonl").exists()
    assert run("x.jsonl", "y.jsonl", "-o", "fail/", "--on-error", "fail").code == 3
    assert not (tmp_path / "fail" / "y.tagged.jsonl").exists()


def test_a_file_that_cannot_be_tagged_does_not_keep_the_others_waiting(run: Run, tmp_path: Path) -> None:
    for name in ("a.jsonl", "x.jsonl", "z.jsonl"):
        write_flat(tmp_path / name, 16, bad_every=9 if name == "x.jsonl" else 0)
    (tmp_path / "b.txt").write_text("notes")
    (tmp_path / "c").mkdir()
    for target in ("out/", "-"):
        result = run("*[abcxz]*", "-o", target, "--max-errors", "0")
        assert result.code == 3
        problems = result.err[result.err.index("Error: ") :].splitlines()
        assert len(problems) == 3
        assert problems[0].startswith("Error: b.txt: ")
        assert problems[1].startswith("c: ")
        assert problems[2].startswith("x.jsonl: 1 of 16 records were rejected (allowed: 0).")
        assert len(result.out.splitlines()) == (47 if target == "-" else 0)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tagged.jsonl")) == [
        "a.tagged.jsonl",
        "x.tagged.jsonl",
        "z.tagged.jsonl",
    ]
    assert run("a.jsonl", "b.txt", "-o", "again/").code == 2


def test_an_output_named_among_the_inputs_is_refused(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.jsonl", 16)
    assert run("x.jsonl").code == 0
    result = run("x.jsonl", "x.tagged.jsonl")
    assert (result.code, "overwritten by the run over x.jsonl" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "words", "absent"),
    [
        ("hello", "jq -c '.[]'", "--format"),
        ('{"conversation_id": "x", "role": "helper"}', "--format", "--overwrite"),
        ('{"conversation_id": "x", "role": "helper", "text": "a", "review": 1}', "--overwrite", "--format"),
        ('{"conversation_id": "x", "role": "wizard", "text": "a"}', "role is not in the table", "--format"),
    ],
)
def test_the_advice_fits_the_most_frequent_reason(run: Run, tmp_path: Path, line: str, words: str, absent: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"{line}\n")
    result = run("a.jsonl")
    assert result.code == 3
    assert words in result.err
    assert absent not in result.err


def test_a_file_that_breaks_off_is_a_failure(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 2000)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes())[:-100])
    for options in ((), ("-o", "-", "--max-errors", "100%")):
        result = run("a.jsonl.gz", *options)
        assert result.code == 3
        assert "could not be read to its end (truncated_file)" in result.err
        assert "--format" not in result.err


def test_conversations_to_csv_are_refused_before_any_work(run: Run, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", nested_records(2))
    result = run("a.jsonl", "-o", "a.csv")
    assert (result.code, "Name the output .jsonl" in result.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_several_inputs_to_standard_output(run: Run, tmp_path: Path) -> None:
    for name in ("x.jsonl", "y.jsonl"):
        write_flat(tmp_path / name, 16)
    assert len(run("x.jsonl", "y.jsonl", "-o", "-").out.splitlines()) == 32


def test_the_rejects_of_several_streamed_files_are_all_listed(run: Run, tmp_path: Path) -> None:
    for name in ("x.jsonl", "y.jsonl"):
        write_flat(tmp_path / name, 16, bad_every=9)
    assert run("x.jsonl", "y.jsonl", "-o", "-", "--rejects", "r.jsonl", "--max-errors", "9").code == 0
    assert [entry["source"] for entry in read_jsonl(tmp_path / "r.jsonl")] == ["x.jsonl", "y.jsonl"]


@pytest.mark.parametrize("options", [("--rejects", "r.jsonl"), ("--rejects", "a.jsonl", "-o", "-")])
def test_rejects_in_the_wrong_place_are_refused(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    chats = write_flat(tmp_path / "a.jsonl", 4).read_bytes()
    result = run("a.jsonl", *options)
    assert result.code == 2
    assert ("--rejects goes with" if options[-1] != "-" else "a.jsonl is an input") in result.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.jsonl": chats}


def test_a_stream_gives_what_a_file_gives(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 200, bad_every=19)
    run("a.jsonl", "--max-errors", "10%")
    expected = (tmp_path / "a.tagged.jsonl").read_bytes()
    chats = (tmp_path / "a.jsonl").read_bytes()
    streamed = run("-", "--max-errors", "10%", "--rejects", "r.jsonl", stdin=chats)
    assert (streamed.code, streamed.out) == (0, expected)
    listed = [{**entry, "source": "a.jsonl"} for entry in read_jsonl(tmp_path / "r.jsonl")]
    assert listed == read_jsonl(tmp_path / "a.tagged.rejects.jsonl")
    assert run("a.jsonl", "-o", "-", "--max-errors", "10%").out == expected
    assert run("-", "-o", "b.jsonl", "--max-errors", "10%", stdin=chats).code == 0
    assert (tmp_path / "b.jsonl").read_bytes() == expected
    assert sorted(path.name for path in tmp_path.glob("b.*")) == ["b.jsonl", "b.meta.json", "b.rejects.jsonl"]
    again = run("-", "-o", "b.jsonl", stdin=chats)
    assert (again.code, "--force" in again.err) == (2, True)


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_stream_lists_its_rejects_and_ends_with_3(run: Run, quiet: tuple[str, ...]) -> None:
    result = run("-", *quiet, stdin=b"{broken\n" + json.dumps(next(flat_records(1))).encode())
    assert result.code == 3
    assert result.err.startswith("stdin:1: not JSON")
    assert len(result.out.splitlines()) == 1


@pytest.mark.parametrize("source", ["-", "a.jsonl"])
def test_a_stream_that_stops_at_a_bad_record_writes_the_good_ones_before(run: Run, tmp_path: Path, source: str) -> None:
    chats = write_flat(tmp_path / "a.jsonl", 20, bad_every=7).read_bytes()
    result = run(source, "-o", "-", "--on-error", "fail", stdin=chats)
    assert (result.code, len(result.out.splitlines())) == (3, 6)
    assert ":7: " in result.err


def test_a_list_of_rejects_is_a_new_file(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 16, bad_every=9)
    (tmp_path / "r.jsonl").write_text("mine")
    options = ("a.jsonl", "-o", "-", "--max-errors", "9", "--rejects")
    result = run(*options, "r.jsonl")
    assert (result.code, "--force" in result.err, result.out) == (2, True, b"")
    assert (tmp_path / "r.jsonl").read_text() == "mine"
    assert run(*options, "r.jsonl", "--force").code == 0
    assert run(*options, "new/r.jsonl").code == 0
    assert read_jsonl(tmp_path / "r.jsonl") == read_jsonl(tmp_path / "new" / "r.jsonl")


@pytest.mark.parametrize("target", ["-", "out.jsonl"])
def test_counts_that_do_not_add_up_end_with_4(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    write_flat(tmp_path / "a.jsonl", 4)
    monkeypatch.setattr(Counts, "add_record", lambda self: setattr(self, "read", self.read + 1))
    result = run("a.jsonl", "-o", target)
    assert result.code == 4
    assert "4 records were read, but 0 written and 0 rejected" in result.err


def test_standard_input_goes_alone(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 2)
    assert run("-", "a.jsonl").code == 2


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 8, 64])
def test_labels_do_not_depend_on_batch_size_and_threads(run: Run, tmp_path: Path, threads: int, size: int) -> None:
    write_flat(tmp_path / "a.jsonl", 160)
    assert run("a.jsonl", "-o", "first.jsonl", "--scores", "all").code == 0
    run("a.jsonl", "-o", "other.jsonl", "--scores", "all", "--threads", threads, "--batch-size", size)
    assert (tmp_path / "other.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()


def test_labels_do_not_depend_on_the_order_of_conversations(run: Run, tmp_path: Path) -> None:
    records = list(nested_records(20))
    write_jsonl(tmp_path / "a.jsonl", records)
    write_jsonl(tmp_path / "b.jsonl", reversed(records))
    run("a.jsonl", "b.jsonl", "--scores", "all")
    assert read_jsonl(tmp_path / "b.tagged.jsonl")[::-1] == read_jsonl(tmp_path / "a.tagged.jsonl")


def test_codes_are_those_of_the_library(run: Run, tmp_path: Path, tiny: Path) -> None:
    from mi_coder import read_conversations

    write_jsonl(tmp_path / "a.jsonl", nested_records(10))
    run("a.jsonl", "--context", "1", "--threshold", "0.8")
    tagger = Tagger.load(tiny, context=1, threshold=0.8)
    expected = [
        list(message.coding.codes)
        for chat in tagger.tag_many(read_conversations(tmp_path / "a.jsonl"))
        for message in chat.counselor_messages
    ]
    tagged = [message for record in read_jsonl(tmp_path / "a.tagged.jsonl") for message in record["messages"]]
    assert [message["codes"] for message in tagged if message["role"] == "counselor"] == expected


@pytest.mark.parametrize(
    "choice", [("0.5", "OQ=0.4"), ("much",), ("OQ=much",), ("2",), ("XX=0.5",), ("=0.5", "0.4", "OQ=")]
)
def test_bad_thresholds(run: Run, tmp_path: Path, choice: tuple[str, ...]) -> None:
    write_flat(tmp_path / "a.jsonl", 2)
    result = run("a.jsonl", *(part for value in choice for part in ("--threshold", value)))
    assert result.code == 2
    assert result.err.startswith("Error: ")


def test_longer_lines_may_be_allowed(run: Run, tmp_path: Path) -> None:
    long = {"conversation_id": "c", "role": "counselor", "text": "hm " * 400}
    write_jsonl(tmp_path / "a.jsonl", [long, {**long, "text": "hm"}])
    result = run("a.jsonl", "--max-line-bytes", "1KiB", "--max-errors", "1")
    assert result.code == 0
    [reject] = read_jsonl(tmp_path / "a.tagged.rejects.jsonl")
    assert (reject["line"], reject["code"]) == (1, "line_too_long")
    assert "1024 bytes" in reject["reason"]
    assert "--max-line-bytes" in reject["reason"]
    assert run("a.jsonl", "--max-line-bytes", "1300", "--force").code == 0
    assert len(read_jsonl(tmp_path / "a.tagged.jsonl")) == 2


def test_a_compressed_file_that_grows_too_large(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 300)
    size = (tmp_path / "a.jsonl").stat().st_size
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    result = run("a.jsonl.gz", "--max-decompressed", size - 1)
    assert result.code == 2
    assert f"past {size - 1} bytes" in result.err
    assert "--max-decompressed" in result.err
    assert not (tmp_path / "a.tagged.jsonl.gz").exists()
    assert run("a.jsonl.gz", "--max-decompressed", size).code == 0
    assert "nothing was done" in run("a.jsonl.gz").err


def test_empty_messages_are_kept_and_named(run: Run, tmp_path: Path) -> None:
    texts = ["", " \n", "\u200b", "hi"]
    write_jsonl(tmp_path / "a.jsonl", [{"conversation_id": "c", "role": "helper", "text": text} for text in texts])
    result = run("a.jsonl")
    tagged = read_jsonl(tmp_path / "a.tagged.jsonl")
    assert [record.get("uncoded") for record in tagged] == ["empty", "empty", "empty", None]
    assert [record["codes"] for record in tagged[:3]] == [[], [], []]
    assert [record["text"] for record in tagged] == texts
    assert "3 messages have no text" in result.err


def test_long_messages_are_truncated_counted_and_reported(run: Run, tmp_path: Path) -> None:
    texts = ["what now? " * 100, "ok"]
    write_jsonl(tmp_path / "a.jsonl", [{"conversation_id": "c", "role": "helper", "text": text} for text in texts])
    result = run("a.jsonl")
    assert "1 messages were longer than the model's window" in result.err
    assert json.loads((tmp_path / "a.tagged.meta.json").read_bytes())["counts"]["truncated"] == 1
    assert read_jsonl(tmp_path / "a.tagged.jsonl")[0]["text"] == texts[0]


@pytest.mark.parametrize("field", OUTPUT_FIELDS)
def test_records_that_carry_codes_are_rejected_or_coded_anew(run: Run, tmp_path: Path, field: str) -> None:
    record = {"conversation_id": "c", "role": "helper", "text": "hi", field: "old"}
    write_jsonl(tmp_path / "a.jsonl", [record])
    assert run("a.jsonl").code == 3
    [reject] = read_jsonl(tmp_path / "a.tagged.rejects.jsonl")
    assert reject["code"] == "already_coded"
    assert run("a.jsonl", "-o", "b.jsonl", "--overwrite").code == 0
    [tagged] = read_jsonl(tmp_path / "b.jsonl")
    assert tagged["codes"]
    assert "old" not in tagged.values()


def test_tagging_a_tagged_file_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 40)
    run("a.jsonl", "--scores", "all")
    assert run("a.tagged.jsonl", "--scores", "all", "--overwrite", "-o", "b.jsonl").code == 0
    assert read_jsonl(tmp_path / "b.jsonl") == read_jsonl(tmp_path / "a.tagged.jsonl")


def test_sentences(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    thanks, question = f"Thank you for calling{' once more' * 20}.", "What would help?"
    texts = [f"{thanks} {question}", "Thank you. What would help?"]
    write_jsonl(tmp_path / "a.jsonl", [{"conversation_id": "c", "role": "helper", "text": text} for text in texts])
    assert run("a.jsonl", "--unit", "sentence").code == 0
    record, short = read_jsonl(tmp_path / "a.tagged.jsonl")
    assert [texts[0][part["start"] : part["end"]] for part in record["sentences"]] == [thanks, question]
    assert short["codes"] and "sentences" not in short
    union = {code for part in record["sentences"] for code in part["codes"]}
    assert set(record["codes"]) == (union - {"OT"} or union)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(record)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("no.jsonl",), "there is no such file"),
        (("a.jsonl", "-o", "a.jsonl"), "would be overwritten by its own run"),
        (("a.jsonl", "-o", "link.jsonl"), "is a link"),
        (("a.jsonl", "-o", "a.jsonl/b.jsonl"), "a.jsonl: File exists"),
        (("a.jsonl", "-o", "/proc/none/b.jsonl"), "/proc/none"),
        (("a.jsonl", "--format", "jsn"), "Did you mean 'jsonl'"),
        (("a.jsonl", "--role", "peer=councelor"), "Did you mean 'counselor'"),
        (("a.jsonl", "--batch-size", "0"), "--batch-size"),
        (("folder",), "no utterances.jsonl"),
        (("a.jsonl", "--context", "9" * 20), "--context"),
        (("a.jsonl", "-o", "b.xlsx"), ".xlsx cannot be written"),
        (("a.jsonl", "-o", "b.parquet.gz"), "b.parquet.gz: Parquet is not written inside .gz"),
        (("a.jsonl", "-o", "/dev/null", "--force"), "is a folder, pipe or device"),
        (("a.jsonl", "-o", "folder/b.jsonl", "--format", "nonsense"), "--format"),
        (("a.jsonl", "-o", "-", "--rejects", "-"), "- cannot be used here"),
        (("a.jsonl", "-o", "-", "--rejects", "folder"), "is a folder, pipe or device"),
        (("n" * 300 + ".jsonl",), ""),
    ],
)
def test_refusals_are_errors_and_change_nothing(run: Run, tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    write_flat(tmp_path / "a.jsonl", 4)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.jsonl").symlink_to("elsewhere.jsonl")
    result = run(*args)
    assert result.code == 2
    assert "Error: " in result.err
    assert words in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "folder", "link.jsonl"]


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 4)
    (tmp_path / "shut").mkdir(mode=0o500)
    result = run("a.jsonl", "-o", "shut/b.jsonl")
    assert result.code == 2
    assert "Permission denied" in result.err


@POSIX
def test_a_disk_that_fills_up_is_an_error_and_can_be_gone_on_from(run: Run, tmp_path: Path, tiny: Path) -> None:
    import resource

    write_flat(tmp_path / "a.jsonl", 400, bad_every=150)
    command = [sys.executable, "-c", MAIN, "tag", "a.jsonl", "--model", str(tiny), "-o", "out/a.jsonl"]
    limited = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert limited.returncode == 2
    assert limited.stderr.startswith("Error: ")
    assert "File too large" in limited.stderr
    assert "Run the same command again" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert not (tmp_path / "out" / "a.jsonl").exists()
    assert run("a.jsonl", "-o", "out/a.jsonl").code == 0
    assert run("a.jsonl", "-o", "whole/a.jsonl").code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()
    }


CANARY = "zanzibarcanary"


@pytest.mark.parametrize("options", [(), ("--on-error", "fail"), ("-o", "-"), ("--format", "csv"), ("--strict",)])
def test_no_text_of_a_message_is_ever_shown(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    lines = [bad_line(number).replace(b'"a"', f'"{CANARY}"'.encode()) for number in range(20)]
    lines += [
        f"{CANARY}".encode(),
        f'{{"text": "{CANARY}'.encode(),
        f'["{CANARY}"]'.encode(),
        f'{{"conversation_id": "c", "role": "{CANARY}", "text": "{CANARY}"}}'.encode(),
        f'{{"conversation_id": "c", "role": "client", "text": ["{CANARY}"]}}'.encode(),
        f'{{"conversation_id": "c", "role": "counselor", "text": "{CANARY}", "codes": "{CANARY}"}}'.encode(),
    ]
    good = [json.dumps({**record, "text": f"{CANARY} {record['text']}"}).encode() for record in flat_records(40)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(good[:20] + lines + good[20:]))
    result = run("a.jsonl", *options)
    assert CANARY not in result.err
    for path in tmp_path.iterdir():
        if path.name not in ("a.jsonl", "a.tagged.jsonl", "a.tagged.jsonl.part"):
            assert CANARY.encode() not in path.read_bytes(), path.name


def test_an_unforeseen_error_shows_its_kind_and_place_only(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, text: str, before: object) -> None:
        raise ValueError(text)

    (tmp_path / "a.jsonl").write_text(f'{{"conversation_id": "c", "role": "counselor", "text": "{CANARY}"}}\n')
    monkeypatch.setattr(Tagger, "job", fail)
    result = run("a.jsonl")
    assert result.code == 1
    assert "ValueError in test_tag_cli.py, line " in result.err
    assert CANARY not in result.err


def test_quiet_says_nothing(run: Run, tmp_path: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 40)
    assert run("a.jsonl", "--quiet") == Result(0, b"", "")


def test_no_progress_where_standard_error_is_no_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mi_coder.cli.progress._SECONDS_BETWEEN_UPDATES", 0)
    write_flat(tmp_path / "a.jsonl", 400)
    result = run("a.jsonl")
    assert "\r" not in result.err
    assert "\x1b" not in result.err
    assert "200 counselor messages coded" in result.err


@POSIX
@pytest.mark.parametrize("quiet", [False, True])
def test_progress_on_a_terminal_is_taken_off_at_the_end(tmp_path: Path, tiny: Path, quiet: bool) -> None:
    import pty

    write_flat(tmp_path / "a.jsonl", 400)
    child = f"import mi_coder.cli.progress as progress; progress._SECONDS_BETWEEN_UPDATES = 0; {MAIN}"
    command = [sys.executable, "-c", child, "tag", "a.jsonl", "--model", str(tiny), *(["--quiet"] if quiet else [])]
    reading, terminal = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, stderr=terminal, stdout=subprocess.PIPE) as process:
        os.close(terminal)
        shown = read_terminal(reading)
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(reading)
    assert process.returncode == 0
    if quiet:
        assert shown == b""
        return
    assert b"100% " in shown
    assert b"200 messages, " in shown
    before, _, after = shown.rpartition(b"\r\x1b[K")
    assert before.startswith(b"\r[") and before.endswith(b"/s  a.jsonl\x1b[K")
    assert b"200 counselor messages coded" in after


def read_terminal(descriptor: int) -> bytes:
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 4096)
        except OSError:
            return shown
        if not piece:
            return shown
        shown += piece
