"""Whatever the bytes are, the reader accounts for every line and raises nothing but MiCoderError."""

import gzip
import io
import json
import re
import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation, Gold, Message, model_text
from mi_coder.errors import MiCoderError
from mi_coder.formats import (
    OUTPUT_FIELDS,
    REJECT_CODES,
    ReadOptions,
    Record,
    Reject,
    open_records,
    open_writer,
    read_conversations,
    write_conversations,
)
from mi_coder.formats.guard import guard, unguard
from mi_coder.formats.jsonl import decode_object
from mi_coder.formats.records import RecordReader

IDS = Codebook.load().ids
MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
FORMATS = ("jsonl", "csv", "tsv", "chat-text")

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
names = st.sampled_from(
    ["conversation_id", "id", "role", "speaker", "text", "content", "messages", "gold", *OUTPUT_FIELDS]
)
fields = st.dictionaries(
    names, values | st.sampled_from(["client", "listener", "c1", "c2", "SU", {"codes": ["SU"]}]), max_size=8
)
good = st.builds(
    lambda conversation, text, more: {"conversation_id": conversation, "role": "client", "text": text} | more,
    st.sampled_from(["c1", "c2", 3]),
    st.text(),
    st.just({}) | fields,
)
nested = st.builds(
    lambda name, items, more: {"conversation_id": name, "messages": items} | more,
    st.sampled_from(["c1", "c2"]),
    st.lists(good | fields, max_size=3),
    st.just({}) | fields,
)
json_lines = (values | fields | good | nested).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
csv_lines = st.text(alphabet='c1,client\t"=- \r\0é', max_size=20).map(str.encode)
chat_lines = st.text(alphabet="Client: [1/2/24, 09:15] - \n\u200e", max_size=30).map(str.encode)
known_lines = st.sampled_from(
    [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"---",
        b"Client: hello",
        b'c1,client,"a',
        b'c1,client,"a ""b"""',
        b"[" * 300,
        b"\x1f\x8b",
    ]
)
lines = json_lines | csv_lines | chat_lines | known_lines | st.binary(max_size=30)
content = st.one_of(st.binary(max_size=300), st.lists(lines, max_size=12).map(b"\n".join))
headed = st.builds(lambda first, rest: first + rest, st.sampled_from([b"conversation_id,role,text\n", b""]), content)


def read(data: bytes, options: ReadOptions) -> tuple[list[Record | Reject], RecordReader]:
    with open_records(io.BytesIO(data), options) as reader:
        return list(reader), reader


def checked(data: bytes, options: ReadOptions) -> list[Record | Reject] | None:
    """What was read, after the checks that hold for every input; None where the whole input was refused."""
    try:
        items, reader = read(data, options)
    except MiCoderError:
        return None
    assert all(before.byte < after.byte and before.line < after.line for before, after in pairwise(items))
    assert all(before.end <= after.byte for before, after in pairwise(items))
    for item in items:
        if isinstance(item, Reject):
            assert item.code in REJECT_CODES
            assert msgspec.json.decode(item.to_json())["line"] == item.line
        else:
            assert item.conversation_id
            assert item.layout == reader.layout
            assert decode_object(msgspec.json.encode(item.data)) == item.data
    again, _ = read(data, options)
    assert again == items
    return items


options = st.builds(
    ReadOptions,
    format=st.sampled_from(FORMATS),
    max_line_bytes=st.sampled_from([10, 100, 10_000]),
    unknown_role=st.sampled_from(["reject", "other"]),
    duplicates=st.sampled_from(["reject", "keep"]),
    non_contiguous=st.sampled_from(["reject", "restart"]),
    overwrite=st.booleans(),
    csv_guard=st.booleans(),
)


@given(headed, options)
def test_any_bytes_in_any_format(data: bytes, options: ReadOptions) -> None:
    checked(data, options)


@given(content.filter(lambda data: not data.startswith(MAGIC)), options)
def test_every_line_of_jsonl_is_accounted_for(data: bytes, options: ReadOptions) -> None:
    items, reader = read(data, replace(options, format="jsonl"))
    assert len(items) + reader.blank == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    assert reader.bytes_read == len(data)
    assert all(data[item.byte : item.end].count(b"\n") <= 1 for item in items)


@given(st.lists(good | nested | fields, max_size=10), options)
def test_decoded_records_are_untouched(records: list[dict[str, Any]], options: ReadOptions) -> None:
    kept = [json.dumps(record) for record in records if _is_plain(record)]
    items = checked("\n".join(kept).encode(), replace(options, format="jsonl", max_line_bytes=100_000))
    for item in items or []:
        if isinstance(item, Record):
            assert json.dumps(item.data) == kept[item.line - 1]


def _is_plain(value: Any) -> bool:
    """Whether a value survives strict JSON: no NaN, no Infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@given(st.lists(good, max_size=30), st.data())
def test_a_cut_file_gives_a_prefix(records: list[dict[str, Any]], data: st.DataObject) -> None:
    plain = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    packed = gzip.compress(plain)
    cut = data.draw(st.integers(2, len(packed)))
    whole, _ = read(plain, ReadOptions(format="jsonl"))
    part, _ = read(packed[:cut], ReadOptions(format="jsonl"))
    if cut == len(packed):
        assert part == whole
    else:
        assert isinstance(part[-1], Reject)
        assert part[-1].code == "truncated_file"
        assert part[:-1] == whole[: len(part) - 1]


@given(st.lists(good, min_size=1, max_size=10), st.data())
def test_damaged_compressed_bytes_never_escape(records: list[dict[str, Any]], data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(b"".join(json.dumps(record).encode() + b"\n" for record in records)))
    place = data.draw(st.integers(2, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    checked(bytes(packed), ReadOptions(format="jsonl"))


def _damaged_zst(plain: bytes, place: int, bits: int) -> bytes:
    packed = bytearray(pytest.importorskip("zstandard").ZstdCompressor().compress(plain))
    packed[4 + place % (len(packed) - 4)] ^= bits
    return bytes(packed)


@given(content, st.integers(0, 10_000), st.integers(1, 255))
def test_damaged_zstandard_never_escapes(plain: bytes, place: int, bits: int) -> None:
    checked(_damaged_zst(plain, place, bits), ReadOptions(format="jsonl"))


@given(st.lists(fields | good | nested, max_size=6))
def test_conversations_are_read_or_refused(records: list[dict[str, Any]]) -> None:
    data = "\n".join(json.dumps(record) for record in records).encode()
    rejects: list[Reject] = []
    options = ReadOptions(overwrite=True)
    list(read_conversations(io.BytesIO(data), options, rejects.append))
    try:
        list(read_conversations(io.BytesIO(data), options))
    except MiCoderError as error:
        assert str(error) == str(rejects[0])
    else:
        assert not rejects


plain_text = st.text(st.characters(exclude_categories=["Cs"]))
risky = st.text("'=+-@\t\r\n a\u200b\ufeff\uff1d", max_size=8)
no_nul = risky | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
code_sets = st.frozensets(st.sampled_from(IDS), max_size=4)
some_codes = st.frozensets(st.sampled_from(IDS), min_size=1, max_size=4)
details = {"depth": st.sampled_from([None, "simple"]), "permission": st.sampled_from([None, "with"])}
golds = st.one_of(
    st.none(),
    st.builds(lambda codes, **more: Gold(codes, frozenset(IDS) - codes, **more), code_sets, **details),
    st.builds(
        lambda positive, negative, groups: Gold(positive, negative - positive, tuple(groups)),
        code_sets,
        code_sets,
        st.lists(some_codes, max_size=2),
    ),
)
codings = st.none() | st.builds(
    Coding,
    codes=some_codes.map(tuple),
    scores=st.dictionaries(st.sampled_from(IDS), st.floats(0, 1).map(lambda score: round(score, 4))),
    depth=st.sampled_from([None, "complex"]),
    review=st.booleans(),
)
extra_names = st.text("abxyz", min_size=3)


def conversations(
    text: st.SearchStrategy[str], extra: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[list[Conversation]]:
    message = st.builds(
        Message,
        role=st.sampled_from(["counselor", "client"]),
        text=text,
        id=st.none(),
        gold=golds,
        coding=codings,
        extra=extra,
    )
    chat = st.builds(Conversation, id=text.filter(bool), messages=st.lists(message, min_size=1, max_size=3))
    return st.lists(chat, max_size=3, unique_by=lambda item: item.id)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner) | st.dictionaries(plain_text, inner),
    max_leaves=5,
).filter(lambda value: decode_object(msgspec.json.encode({"a": value})) == {"a": value})


def _there_and_back(chats: list[Conversation], name: str, layout: Any) -> list[Conversation]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_conversations(chats, path, layout)
        return list(read_conversations(path, ReadOptions(overwrite=True)))


with_extra = conversations(plain_text, st.dictionaries(extra_names, json_values, max_size=2))


@given(with_extra, st.sampled_from(["a.jsonl", "a.jsonl.gz"]))
def test_written_conversations_read_back(chats: list[Conversation], name: str) -> None:
    assert _there_and_back(chats, name, "conversation") == chats


@given(with_extra)
def test_fields_of_flat_conversations_are_lifted_once_and_never_lost(chats: list[Conversation]) -> None:
    lifted = _there_and_back(chats, "a.jsonl", "message")
    assert _there_and_back(lifted, "a.jsonl", "message") == _there_and_back(lifted, "a.jsonl", "conversation") == lifted
    for before, after in zip(chats, lifted, strict=True):
        joined = [after.extra | message.extra for message in after.messages]
        assert repr(joined) == repr([after.extra | message.extra for message in before.messages])
        assert [message.text for message in before.messages] == [message.text for message in after.messages]


@given(conversations(no_nul, st.just({})), st.sampled_from(["a.csv", "a.tsv.gz"]))
def test_written_tables_read_back(chats: list[Conversation], name: str) -> None:
    assert _there_and_back(chats, name, "message") == chats


@given(
    st.lists(st.lists(no_nul, min_size=2, max_size=4), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["csv", "tsv"]),
)
def test_written_cells_read_back(rows: list[list[str]], guarded: bool, format: str) -> None:
    sink = io.BytesIO()
    columns = ["conversation_id", "role", "text", *"abcd"]
    records = [dict(zip(columns, ["c", "client", *cells, *[""] * (5 - len(cells))], strict=True)) for cells in rows]
    with open_writer(sink, format, csv_guard=guarded) as writer:
        for record in records:
            writer.write(record)
    items, _ = read(sink.getvalue(), ReadOptions(format=format, csv_guard=guarded))
    assert [item.data for item in items if isinstance(item, Record)] == records


@given(risky)
def test_the_guard_can_be_undone(text: str) -> None:
    assert unguard(guard(text)) == text


_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00]")


@given(st.text(st.characters() | st.sampled_from("\0\u200b\u200d\u202e\u2064\u2065\u2066\ufeff e\u0301\n")))
def test_the_text_for_the_model_is_composed_and_without_invisible_controls(text: str) -> None:
    assert model_text(text) == unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).strip()


def test_exactly_the_invisible_controls_are_taken_out() -> None:
    assert all((model_text(f"x{chr(code)}x") == "xx") == bool(_INVISIBLE.match(chr(code))) for code in range(0x3000))
    assert model_text("x\ufeffx") == "xx"


@given(st.binary(max_size=200))
def test_any_line_is_decoded_or_named(raw: bytes) -> None:
    _decoded_or_named(raw)


@given(values)
def test_any_json_is_decoded_or_named(value: Any) -> None:
    _decoded_or_named(json.dumps(value).encode("utf-8", "surrogatepass"))


def _decoded_or_named(raw: bytes) -> None:
    found = decode_object(raw)
    if isinstance(found, dict):
        assert decode_object(msgspec.json.encode(found)) == found
    else:
        assert found.code in REJECT_CODES
