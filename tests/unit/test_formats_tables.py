"""CSV, TSV and Parquet in and out: values, quoting, the formula guard, columns and types."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from mi_coder.errors import MiCoderError
from mi_coder.formats import ReadOptions, Record, Reject, open_records, open_writer
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
    assert written([row], guard=False) == HEAD + b"c1,client,=x\n"
    (record,) = read(written([row]), unguard=True)
    assert isinstance(record, Record)
    assert record.data == row


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
    }


def test_the_header_is_settled_at_the_start() -> None:
    assert written([], fields=["a", "b"]) == b"a,b\n"
    assert written([{"b": 1}], "tsv", fields=["a", "b"]) == b"a\tb\n\t1\n"
    assert written([]) == b""
    with pytest.raises(MiCoderError, match="'z'"):
        written([ROW, ROW | {"z": 1}])


def test_a_written_table_reads_back() -> None:
    rows = [ROW | {"text": text} for text in ('say "hi"', "a,b\tc", "x\r\ny\n", "", " ", "\r", "\u2028")]
    for format in ("csv", "tsv"):
        items = read(written(rows, format), format, unguard=True)
        assert [item.data for item in items if isinstance(item, Record)] == rows


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
