"""The format is told by the name, then by the first bytes."""

import gzip
import io
from pathlib import Path

import pytest

from mi_coder.errors import MiCoderError, UnknownName
from mi_coder.formats import ReadOptions, open_records, open_writer
from mi_coder.formats.sniff import format_of_path


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jsonl", "jsonl"),
        ("a.NDJSON", "jsonl"),
        ("a.json", "jsonl"),
        ("a.b.csv", "csv"),
        ("a.tab", "tsv"),
        ("a.tsv.gz", "tsv"),
        ("a.csv.zst", "csv"),
        ("a.parquet", "parquet"),
        ("a.txt", None),
        ("a", None),
        ("a.gz", None),
        (".jsonl", None),
    ],
)
def test_suffixes(name: str, format: str | None) -> None:
    assert format_of_path(Path("csv.d") / name) == format


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (b'{"conversation_id": 1', "jsonl"),
        (b'\xef\xbb\xbf\n {"a": 1}', "jsonl"),
        (b"conversation_id,role,text\n", "csv"),
        (b'\xef\xbb\xbf"role","text","conversation_id"\r\n', "csv"),
        (b"conversation_id\tspeaker\tcontent\n", "tsv"),
        (b"role;text\n", "jsonl"),
        (b"I said, role, text and so on\n", "jsonl"),
        (b"Role,Conversation_ID, TEXT\n", "csv"),
        (b"\nClient: hi\nHelper: hello\n", "chat-text"),
        (b"[1/2/24, 09:15] This chat is encrypted.\n[1/2/24, 09:16] ~ Volunteer: hello\n", "chat-text"),
        (b"Anna: hi\nBen: hello\n", "jsonl"),
        (b"", "jsonl"),
        (b"PAR2", "jsonl"),
    ],
)
def test_streams_are_looked_into(content: bytes, format: str) -> None:
    for stream in (io.BytesIO(content), io.BytesIO(gzip.compress(content))):
        assert open_records(stream).format == format


def test_a_file_must_tell(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b'{"a": 1}\n')
    with open_records(path) as reader:
        assert reader.format == "jsonl"
    path.write_bytes(b"Note: canary\n")
    with pytest.raises(MiCoderError, match=r"--format.*chat-text for pasted chats") as failure:
        open_records(path)
    assert "canary" not in str(failure.value)
    path.write_bytes("Client: canary\n".encode("utf-16"))
    with pytest.raises(MiCoderError, match="UTF-16; save the file as UTF-8"):
        open_records(path)


def test_chosen_columns_count_as_a_header() -> None:
    content = b"conversation_id,who,said\nc1,user,x\n"
    assert open_records(io.BytesIO(content), ReadOptions(role_field="who", text_field="said")).format == "csv"


def test_names_of_formats_are_checked() -> None:
    with pytest.raises(UnknownName, match="mean 'chat-text'"):
        open_records(io.BytesIO(), ReadOptions(format="chat_text"))
    with pytest.raises(UnknownName, match="gz or zst"):
        open_writer(io.BytesIO(), "jsonl", "bz2")
    with pytest.raises(MiCoderError, match="read but not written"):
        open_writer(io.BytesIO(), "convokit")
