"""CSV, TSV and Parquet in and out: values, quoting, the formula guard, columns and types."""

import csv
import io
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from mi_coder.errors import MiCoderError
from mi_coder.formats import OUTPUT_FIELDS, ReadOptions, Record, Reject, open_records, open_writer, write_records
from mi_coder.formats.guard import guard, unguard

HEAD = b"conversation_id,role,text\n"
ROW = {"conversation_id": "c1", "role": "client", "text": "hello"}


def read(content: bytes, format: str = "csv", **options: Any) -> list[Record | Reject]:
    return list(open_records(io.BytesIO(content), ReadOptions(format=format, **options)))


def written(rows: list[dict[str, Any]], format: str = "csv", **options: Any) -> bytes:
    sink = io.BytesIO()
    with open_writer(sink, format, **options) as writer:
        for row in rows:
            writer.write(row)
    return sink.getvalue()


def test_a_csv_record_keeps_every_column_in_order() -> None:
    content = b'rating,text,role,conversation_id,id\n4,"a, ""b""\r\nc",user,c1,\n,x,user,c1,m2\n'
    with open_records(io.BytesIO(content), ReadOptions(format="csv")) as reader:
        assert reader.fields == ("rating", "text", "role", "conversation_id", "id")
        first, second = reader
    assert isinstance(first, Record)
    assert list(first.data.items()) == [
        ("rating", "4"),
        ("text", 'a, "b"\r\nc'),
        ("role", "user"),
        ("conversation_id", "c1"),
        ("id", ""),
    ]
    assert first.messages[0].id is None
    assert (first.line, first.byte, first.end) == (2, 36, second.byte)
    assert (second.line, second.end) == (4, len(content))


def test_a_csv_column_may_be_chosen() -> None:
    (record,) = read(b"chat,who,said\nc1,user,x\n", conversation_field="chat", role_field="who", text_field="said")
    assert isinstance(record, Record)
    assert (record.conversation_id, record.messages[0].text) == ("c1", "x")


def test_lines_after_a_stray_quote_are_read_again_and_only_once() -> None:
    rows = [b"c1,client,%d\n" % place for place in range(100)]
    rows[10] = b'c1,client,"10\n'
    rows[50] = b'c1,client,"50\n'
    items = read(HEAD + b"".join(rows))
    assert [item.line for item in items] == list(range(2, 102))
    assert [(item.line, item.code) for item in items if isinstance(item, Reject)] == [
        (12, "invalid_csv"),
        (52, "unclosed_quote"),
    ]
    texts = [item.messages[0].text for item in items if isinstance(item, Record)]
    assert texts == [str(place) for place in range(100) if place not in (10, 50)]


def test_a_quoted_record_may_not_pass_the_limit() -> None:
    content = HEAD + b'c1,client,"' + b"line\n" * 30 + b'"\nc1,client,x\n'
    assert [item.line for item in read(content, max_line_bytes=1000)] == [2, 33]
    assert isinstance(read(content, max_line_bytes=1000)[0], Record)
    short = read(content + b'c1,client,"a" b\n' + b"c1,client,x\n", max_line_bytes=100)
    assert isinstance(short[0], Reject)
    assert (short[0].line, short[0].code, short[0].end) == (2, "unclosed_quote", content.index(b"line\n") + 5)
    assert [getattr(item, "code", "ok") for item in short[-3:]] == ["ok", "invalid_csv", "ok"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("- i feel sad", "'- i feel sad"),
        ("+44", "'+44"),
        ("@all", "'@all"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        (" \u00a0\u200b\ufeff=x", "' \u00a0\u200b\ufeff=x"),
        ("\uff1dx", "'\uff1dx"),
        ("a\n=x", "a\n'=x"),
        ("a\r\n-x\n\n+y", "a\r\n'-x\n\n'+y"),
        ("'=x", "''=x"),
        ("'' @", "''' @"),
        ("it's - fine", "it's - fine"),
        ("'quoted'", "'quoted'"),
        ("", ""),
        ("5 - 3 = 2", "5 - 3 = 2"),
    ],
)
def test_the_guard_and_its_undoing(text: str, cell: str) -> None:
    assert guard(text) == cell
    assert unguard(cell) == text


def test_csv_is_guarded_unless_told_otherwise() -> None:
    row = ROW | {"text": "=x"}
    assert written([row]) == HEAD + b"c1,client,'=x\n"
    assert written([row], csv_guard=False) == HEAD + b"c1,client,=x\n"
    (record,) = read(written([row]))
    assert isinstance(record, Record)
    assert record.data == row
    (record,) = read(written([row]), csv_guard=False)
    assert isinstance(record, Record)
    assert record.data == ROW | {"text": "'=x"}


def test_names_of_columns_are_guarded_too() -> None:
    row = ROW | {"@handle": "x"}
    assert written([row]).startswith(b"conversation_id,role,text,'@handle\n")
    (record,) = read(written([row]))
    assert isinstance(record, Record)
    assert record.data == row


def test_a_column_may_differ_in_case_and_space() -> None:
    (record,) = read(b"Conversation_ID, Role,TEXT\nc1,user,x\n")
    assert isinstance(record, Record)
    assert (record.conversation_id, record.messages[0].role, record.messages[0].text) == ("c1", "client", "x")
    assert list(record.data) == ["Conversation_ID", " Role", "TEXT"]
    (record,) = read(b"conversation_id,Who,TEXT,text\nc1,user,x,y\n", role_field="who")
    assert isinstance(record, Record)
    assert record.messages[0].text == "y"
    with pytest.raises(MiCoderError, match="no column 'text' or 'content'"):
        read(b"conversation_id,role,TEXT,Text\nc1,user,x,y\n")


@pytest.mark.parametrize(
    ("content", "format", "words"),
    [
        (HEAD.replace(b",", b";"), "csv", "separated by ';': save it with commas"),
        (HEAD.replace(b",", b";"), "tsv", "separated by ';': save it with commas"),
        (HEAD, "tsv", "separated by ',': read it with --format csv"),
        (HEAD.replace(b",", b"\t"), "csv", "separated by '\\\\t': read it with --format tsv"),
        (HEAD.decode().encode("utf-16"), "csv", "looks like UTF-16; save the file as UTF-8"),
    ],
)
def test_a_header_of_another_kind_is_named(content: bytes, format: str, words: str) -> None:
    with pytest.raises(MiCoderError, match=words):
        read(content, format)


def test_cells_of_csv() -> None:
    row = {
        "a": ["SU", "OQ"],
        "b": {"SU": 0.5},
        "c": None,
        "d": True,
        "e": "x\0y",
        "f": 3,
        "g": [1, 2],
        "h": [],
        "i": ["a;b"],
        "j": float("nan"),
        "k": date(2024, 5, 31),
        "l": datetime(2024, 5, 31, 18, 30),
        "m": {"since": None},
    }
    header, line = csv.reader(io.StringIO(written([row]).decode()))
    assert dict(zip(header, line, strict=True)) == {
        "a": "SU;OQ",
        "b": '{"SU":0.5}',
        "c": "",
        "d": "true",
        "e": "xy",
        "f": "3",
        "g": "[1,2]",
        "h": "",
        "i": '["a;b"]',
        "j": "",
        "k": "2024-05-31",
        "l": "2024-05-31T18:30:00",
        "m": '{"since":null}',
    }


def test_the_header_is_settled_at_the_start() -> None:
    assert written([], fields=["a", "b"]) == b"a,b\n"
    assert (
        written([{"codes": [], "b": 1}])
        == b"b,codes,scores,possible,depth,permission,review,uncoded,sentences\n1,,,,,,,,\n"
    )
    assert written([{"b": 1}], "tsv", fields=["a", "b"]) == b"a\tb\n\t1\n"
    assert written([]) == b""
    with pytest.raises(MiCoderError, match="'z'"):
        written([ROW, ROW | {"z": 1}])


def test_a_written_table_reads_back() -> None:
    rows = [ROW | {"text": text} for text in ('say "hi"', "a,b\tc", "x\r\ny\n", "", " ", "\r", "\u2028")]
    for format in ("csv", "tsv"):
        items = read(written(rows, format), format)
        assert [item.data for item in items if isinstance(item, Record)] == rows


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_of_all_rows_has_every_column(format: str) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow")
    rows = [ROW, ROW | {"role": "counselor", "codes": ["SU"]}, ROW | {"late": "x"}]
    sink = io.BytesIO()
    write_records(lambda: rows, sink, format, fields=["rating", "text"])
    with open_records(io.BytesIO(sink.getvalue()), ReadOptions(format=format, overwrite=True)) as reader:
        items = list(reader)
    assert [item.messages[0].text for item in items if isinstance(item, Record)] == ["hello"] * 3
    if format != "jsonl":
        assert reader.fields == ("rating", "text", "conversation_id", "role", "late", *OUTPUT_FIELDS)


@pytest.mark.parametrize(("format", "compress"), [("parquet", "gz"), ("parquet", "zst"), ("chat-text", None)])
def test_what_cannot_be_written_is_refused_before_the_file_is_made(
    format: str, compress: str | None, tmp_path: Path
) -> None:
    with pytest.raises(MiCoderError, match="not written"):
        open_writer(tmp_path / "out", format, compress)
    assert list(tmp_path.iterdir()) == []


class TestParquet:
    @pytest.fixture(autouse=True)
    def _needs_pyarrow(self) -> None:
        pytest.importorskip("pyarrow")

    def test_rows_come_back_with_their_types_and_places(self) -> None:
        rows = [ROW | {"id": place, "rating": 1.5, "tags": ["a", None], "seen": True} for place in range(2500)]
        items = read(written(rows, "parquet"), "parquet")
        assert [item.data for item in items if isinstance(item, Record)] == rows
        assert [(item.line, item.byte, item.end) for item in items][-1] == (2500, 2499, 2500)

    def test_conversations_come_back(self) -> None:
        rows = [{"conversation_id": name, "messages": [ROW, ROW | {"text": ""}], "rating": 3} for name in "ab"]
        with open_records(io.BytesIO(written(rows, "parquet"))) as reader:
            assert [item.data for item in reader if isinstance(item, Record)] == rows
            assert (reader.format, reader.layout) == ("parquet", "conversation")
            assert reader.fields == ("conversation_id", "messages", "rating")

    def test_objects_become_json_text(self) -> None:
        (item,) = read(written([ROW | {"meta": {"a": 1}, "grid": [[1], [2]]}], "parquet"), "parquet")
        assert isinstance(item, Record)
        assert (item.data["meta"], item.data["grid"]) == ('{"a":1}', "[[1],[2]]")

    def test_fields_that_tagging_adds_late_have_their_columns(self) -> None:
        coded = {"codes": ["SU"], "scores": {"SU": 0.9}}
        late = {"codes": [], "review": True, "sentences": [{"start": 0, "end": 1, "codes": []}]}
        for rows in (
            [ROW | coded] * 10_000 + [ROW | late],
            [{"id": str(place), "messages": [ROW | (coded if place < 10_000 else late)]} for place in range(10_001)],
        ):
            items = read(written(rows, "parquet"), "parquet", overwrite=True)
            assert len(items) == 10_001
            assert isinstance(items[-1], Record)
            last = items[-1].data.get("messages", [items[-1].data])[0]
            assert (last["codes"], last["review"], last["scores"]) == ([], True, None)
            assert json.loads(last["sentences"]) == late["sentences"]

    @pytest.mark.parametrize("later", [0, 10_000])
    @pytest.mark.parametrize(
        ("values", "texts"),
        [
            ((1, "one"), ["1", "one"]),
            ((True, 1), ["true", "1"]),
            ((10**30, 1), ["1" + "0" * 30, "1"]),
            ((["a"], "b"), ['["a"]', "b"]),
            (([1], ["a"]), ["[1]", '["a"]']),
            ((1, 2.5), [1.0, 2.5]),
            ((None, 3), [None, 3]),
        ],
    )
    def test_a_column_of_several_types_becomes_text(self, values: Any, texts: list[Any], later: int) -> None:
        rows = [ROW | {"n": value} for value in (values[0], *[None] * later, values[1])]
        nested = [{"conversation_id": str(place), "messages": [row]} for place, row in enumerate(rows)]
        for given in (rows, nested):
            sink = io.BytesIO()
            write_records(lambda given=given: given, sink, "parquet")
            items = [item.data for item in read(sink.getvalue(), "parquet") if isinstance(item, Record)]
            items = [item["messages"][0] if "messages" in item else item for item in items]
            assert [items[0]["n"], items[-1]["n"]] == texts

    @pytest.mark.parametrize("later", [0, 10_000])
    def test_messages_that_are_not_always_lists_become_text(self, later: int) -> None:
        rows = [ROW | {"messages": value} for value in (3, *[None] * later, [{"a": 1}])]
        for given, texts in ((rows, ["3", '[{"a":1}]']), (rows[::-1], ['[{"a":1}]', "3"])):
            sink = io.BytesIO()
            write_records(lambda given=given: given, sink, "parquet")
            items = [item.data["messages"] for item in read(sink.getvalue(), "parquet") if isinstance(item, Record)]
            assert [items[0], items[-1]] == texts

    def test_conversations_without_messages(self) -> None:
        rows = [{"conversation_id": "a", "messages": []}]
        assert [item.data for item in read(written(rows, "parquet"), "parquet") if isinstance(item, Record)] == rows

    def test_empty_cells_of_an_older_tagged_table_are_no_codes(self) -> None:
        rows = [ROW | {"codes": "", "review": "", "scores": ""}, ROW | {"codes": ["SU"], "review": True}]
        first, second = read(written(rows, "parquet"), "parquet", overwrite=True)
        assert isinstance(first, Record) and isinstance(second, Record)
        assert [first.data[name] for name in ("codes", "review", "scores")] == [None] * 3
        assert (second.data["codes"], second.data["review"]) == (["SU"], True)

    @pytest.mark.parametrize(
        ("late", "words"),
        [
            (ROW | {"new": 1}, "'new'"),
            (ROW | {"n": "three"}, "'n'"),
            (ROW | {"n": 10**30}, "'n'"),
        ],
    )
    def test_what_the_columns_cannot_hold_is_refused(self, late: dict[str, Any], words: str) -> None:
        with pytest.raises(MiCoderError, match=words):
            written([ROW | {"n": 1}] * 10_000 + [late], "parquet")

    def test_a_new_field_inside_messages_is_refused_and_not_dropped(self) -> None:
        rows = [{"id": str(place), "messages": [ROW]} for place in range(10_000)]
        with pytest.raises(MiCoderError, match=r"messages\.mood"):
            written([*rows, {"id": "z", "messages": [ROW | {"mood": 1}]}], "parquet")

    def test_a_string_that_is_not_utf8_spoils_its_row_only(self) -> None:
        import pyarrow
        import pyarrow.parquet

        bad = pyarrow.Array.from_buffers(
            pyarrow.string(),
            3,
            [None, pyarrow.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pyarrow.py_buffer(b"a\xffc")],
        )
        sink = io.BytesIO()
        columns = {"conversation_id": ["c1"] * 3, "role": ["client"] * 3}
        pyarrow.parquet.write_table(pyarrow.table(columns).append_column("text", bad), sink)
        items = read(sink.getvalue(), "parquet")
        assert [item.code if isinstance(item, Reject) else item.messages[0].text for item in items] == [
            "a",
            "invalid_utf8",
            "c",
        ]

    def test_damage_in_the_middle_is_a_reject(self, tmp_path: Path) -> None:
        content = bytearray(written([ROW | {"text": str(place)} for place in range(5000)], "parquet"))
        content[50:900] = b"\xff" * 850
        *records, reject = read(bytes(content), "parquet")
        assert isinstance(reject, Reject)
        assert (reject.code, reject.line) == ("corrupt_file", len(records) + 1)

    def test_no_rows_make_a_file_that_reads_back(self) -> None:
        assert read(written([], "parquet"), "parquet") == []
        assert read(written([], "parquet", fields=list(ROW)), "parquet") == []

    def test_a_pipe_is_refused(self) -> None:
        class Pipe(io.BytesIO):
            def seekable(self) -> bool:
                return False

        with pytest.raises(MiCoderError, match="stdin"):
            open_records(Pipe(written([ROW], "parquet")))
