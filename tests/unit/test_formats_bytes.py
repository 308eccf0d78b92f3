"""Bytes in: compression by content, damage, limits, long lines in little memory, streams and broken disks."""

import errno
import gzip
import importlib
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mi_coder.errors import MiCoderError
from mi_coder.formats import ReadOptions, Record, Reject, open_records
from mi_coder.formats.compress import Codec, DecompressedStream, open_source
from mi_coder.formats.lines import read_lines
from mi_coder.formats.rejects import BadRecord

GIBIBYTE = 1 << 30
LINES = b"".join(
    json.dumps({"conversation_id": "c", "role": "client", "text": f"line {place} {place * 7919 % 1009}"}).encode()
    + b"\n"
    for place in range(3000)
)


def zst(content: bytes) -> bytes:
    pytest.importorskip("zstandard")
    return importlib.import_module("zstandard").ZstdCompressor().compress(content)


@pytest.mark.parametrize("compress", [gzip.compress, zst])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_cut_file_gives_every_whole_record_before_the_cut(compress: Callable[[bytes], bytes], kept: float) -> None:
    content = compress(LINES)
    *records, reject = open_records(io.BytesIO(content[: int(len(content) * kept)]))
    whole = list(open_records(io.BytesIO(LINES)))
    assert records == whole[: len(records)]
    assert isinstance(reject, Reject)
    assert (reject.code, reject.line) == ("truncated_file", len(records) + 1)
    assert reject.byte == reject.end == (records[-1].end if records else 0)


def test_a_cut_gzip_file_loses_little() -> None:
    content = gzip.compress(LINES)
    assert sum(isinstance(item, Record) for item in open_records(io.BytesIO(content[: len(content) // 2]))) > 1000


@pytest.mark.parametrize("compress", [gzip.compress, zst])
def test_damage_in_the_middle_ends_the_file(compress: Callable[[bytes], bytes]) -> None:
    content = bytearray(compress(LINES))
    half = len(content) // 2
    content[half : half + 400] = b"\xff" * 400
    *records, reject = open_records(io.BytesIO(bytes(content)))
    assert isinstance(reject, Reject)
    assert reject.line == len(records) + 1
    assert reject.code in ("corrupt_file", "invalid_json", "invalid_utf8")
    assert len(records) < 3000


def test_nothing_is_read_past_damage() -> None:
    class FailingOnce:
        eof = False
        failed = False

        def decompress(self, data: bytes) -> bytes:
            if not self.failed:
                self.failed = True
                raise ValueError
            return data

    codec = Codec(b"", FailingOnce, lambda: ValueError)
    stream = DecompressedStream(io.BufferedReader(Endless(5000, b"")), codec, None)
    for _ in range(2):
        with pytest.raises(BadRecord, match="corrupt_file"):
            stream.read(10)


@pytest.mark.parametrize("compress", [gzip.compress, zst])
def test_a_compressed_file_may_not_grow_past_the_limit(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(compress(LINES))
    assert len(list(open_records(path, ReadOptions(max_decompressed=len(LINES))))) == 3000
    with pytest.raises(MiCoderError, match="--max-decompressed"):
        list(open_records(path, ReadOptions(max_decompressed=len(LINES) - 1)))


def test_a_bomb_is_stopped_in_little_memory() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    tracemalloc.start()
    with pytest.raises(MiCoderError, match="grows past"):
        list(open_records(io.BytesIO(bomb), ReadOptions(max_decompressed=30_000_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


class Endless(io.RawIOBase):
    """One line of `size` letters and then a good record, made as it is read."""

    def __init__(self, size: int, after: bytes) -> None:
        self._left = size
        self._after = io.BytesIO(after)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            return self._after.readinto(buffer)
        size = min(len(buffer), self._left)
        buffer[:size] = b"x" * size
        self._left -= size
        return size


def test_a_line_of_a_gibibyte_is_passed_over_in_little_memory() -> None:
    good = LINES.partition(b"\n")[0] + b"\n"
    tracemalloc.start()
    reject, record = open_records(io.BufferedReader(Endless(GIBIBYTE, b"\n" + good)), ReadOptions(format="jsonl"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(reject, Reject)
    assert (reject.code, reject.line, reject.byte, reject.end) == ("line_too_long", 1, 0, GIBIBYTE + 1)
    assert isinstance(record, Record)
    assert (record.line, record.byte) == (2, GIBIBYTE + 1)
    assert peak < 64 << 20


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
def test_the_limit_does_not_count_the_newline(limit: int) -> None:
    lines = list(read_lines(io.BufferedReader(Endless(0, b"12345\n123456\n\n1")), limit))
    assert [isinstance(content, BadRecord) for *_, content in lines] == [limit < 5, limit < 6, False, False]
    assert [(number, byte, end) for number, byte, end, _ in lines] == [(1, 0, 6), (2, 6, 13), (3, 13, 14), (4, 14, 15)]


class Failing(io.RawIOBase):
    """A disk that fails after its first bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._content:
            raise OSError(errno.EIO, "Input/output error")
        size = min(len(buffer), len(self._content))
        buffer[:size], self._content = self._content[:size], self._content[size:]
        return size


def test_a_disk_that_fails_is_reported_and_not_taken_for_the_end() -> None:
    with pytest.raises(MiCoderError, match="Input/output error"):
        list(open_records(io.BufferedReader(Failing(LINES[:200]))))
    with pytest.raises(MiCoderError, match="Input/output error"):
        open_records(io.BufferedReader(Failing(b"")))


def test_streams_of_the_caller_stay_open() -> None:
    for stream in (io.BytesIO(LINES), io.BytesIO(gzip.compress(LINES)), io.BufferedReader(io.BytesIO(LINES))):
        with open_records(stream) as reader:
            next(reader)
        assert not stream.closed


def test_files_are_closed_at_the_end_and_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(LINES)
    opened = open_source(path)
    opened.close()
    assert opened.stream.closed
    list(open_records(path))
    with open_records(path) as reader:
        next(reader)


@pytest.mark.parametrize(("name", "problem"), [("missing.jsonl", "No such file"), ("folder", "utterances.jsonl")])
def test_what_cannot_be_opened_is_named(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MiCoderError, match=problem) as failure:
        open_records(tmp_path / name)
    assert name in str(failure.value)


def test_stdin_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(LINES))))
    monkeypatch.setattr("sys.stdin", stdin)
    records = list(open_records("-"))
    assert len(records) == 3000
    assert records[0].source == "stdin"
    assert not stdin.closed


def test_zstandard_is_asked_for_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = zst(LINES)
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    assert len(list(open_records(io.BytesIO(LINES)))) == 3000
    with pytest.raises(MiCoderError, match=r"mi-coder\[zstd\]"):
        open_records(io.BytesIO(content))
