"""Bytes in and out: plain, gzip or Zstandard, told apart by their first bytes and not by the name of the file."""

import io
import os
import sys
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from mi_coder.errors import MiCoderError, UnknownName, need
from mi_coder.formats.rejects import BadRecord

Source = str | os.PathLike[str] | BinaryIO
BUFFER_BYTES = 1 << 18

# Compressed bytes given at a time. It bounds the memory that hostile input can ask for (Zstandard grows at most about
# 32,000 times) and how much of the data just before a damaged place is lost.
_FEED_BYTES = 1 << 10


@dataclass(frozen=True)
class Codec:
    """A compression: how it starts, how to make an object that takes compressed bytes, and what that raises."""

    magic: bytes
    decompressor: Callable[[], Any]
    failure: Callable[[], type[Exception]]


def _zstandard() -> Any:
    return need("zstandard", "zstd")


CODECS = {
    "gz": Codec(b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31), lambda: zlib.error),
    "zst": Codec(
        b"\x28\xb5\x2f\xfd", lambda: _zstandard().ZstdDecompressor().decompressobj(), lambda: _zstandard().ZstdError
    ),
}


class DecompressedStream(io.RawIOBase):
    """The plain bytes of a compressed stream of one or more members.

    Reading raises BadRecord with code truncated_file or corrupt_file once every byte before the damage was given,
    and MiCoderError where the plain bytes pass `limit`.
    """

    def __init__(self, compressed: io.BufferedReader, codec: Codec, limit: int | None) -> None:
        self._compressed = compressed
        self._codec = codec
        self._limit = limit
        self._failure = codec.failure()
        self._member = codec.decompressor()
        self._member_started = False
        self._given = 0
        self._plain = b""
        self._position = 0
        self._damage: BadRecord | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._damage:
            raise self._damage
        while self._position == len(self._plain):
            if self._member.eof:
                data = self._next_member(self._member.unused_data)
            else:
                data = self._compressed.read(_FEED_BYTES)
            if not data:
                if self._member_started:
                    raise BadRecord("truncated_file", "the compressed file ends in the middle: was it copied whole?")
                return 0
            self._decompress(data)
        size = min(len(buffer), len(self._plain) - self._position)
        buffer[:size] = self._plain[self._position : self._position + size]
        self._position += size
        return size

    def _next_member(self, rest: bytes) -> bytes:
        """The first bytes of the member that follows, past the zero bytes that some tools pad with."""
        self._member = self._codec.decompressor()
        self._member_started = False
        rest = rest.lstrip(b"\0")
        while not rest and (more := self._compressed.read(_FEED_BYTES)):
            rest = more.lstrip(b"\0")
        return rest

    def _decompress(self, data: bytes) -> None:
        self._member_started = True
        try:
            self._plain = self._member.decompress(data)
        except self._failure as error:
            self._damage = BadRecord("corrupt_file", "the compressed data is damaged: was it copied whole?")
            raise self._damage from error
        self._position = 0
        self._given += len(self._plain)
        if self._limit is not None and self._given > self._limit:
            raise MiCoderError(
                f"The compressed input grows past {self._limit} bytes. If it is that large, raise --max-decompressed."
            )


@dataclass
class ByteSource:
    """Plain bytes to read, and the name that messages give them."""

    name: str
    stream: io.BufferedReader
    compression: str | None
    _stack: ExitStack

    def close(self) -> None:
        self._stack.close()


def source_name(source: Source) -> str:
    """How messages call a source: the path as given, or "stdin"."""
    if isinstance(source, str | os.PathLike):
        return "stdin" if source == "-" else os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and not name.startswith("<") else "stdin"


def open_source(source: Source, max_decompressed: int | None = None) -> ByteSource:
    """Open a path, "-" for stdin, or a binary stream (which stays open when the source is closed).

    Raises:
        MiCoderError: the file cannot be opened, or zstandard is missing.
    """
    with ExitStack() as stack:
        raw = _open_raw(source, stack)
        head = _peek(raw)
        for name, codec in CODECS.items():
            if head.startswith(codec.magic):
                plain = DecompressedStream(raw, codec, max_decompressed)
                stream = io.BufferedReader(cast(Any, plain), BUFFER_BYTES)
                return ByteSource(source_name(source), stream, name, stack.pop_all())
        return ByteSource(source_name(source), raw, None, stack.pop_all())


def _open_raw(source: Source, stack: ExitStack) -> io.BufferedReader:
    if source == "-":
        if sys.stdin is None:
            raise MiCoderError("Standard input is closed.")
        source = sys.stdin.buffer
    if isinstance(source, str | os.PathLike):
        try:
            file = io.FileIO(source)
        except OSError as error:
            raise cannot_open(os.fspath(source), error) from error
        return stack.enter_context(io.BufferedReader(cast(Any, file), BUFFER_BYTES))
    if isinstance(source, io.BufferedReader):
        return source
    reader = io.BufferedReader(cast(Any, source), BUFFER_BYTES)
    stack.callback(reader.detach)
    return reader


def _peek(stream: io.BufferedReader) -> bytes:
    try:
        return stream.peek(4)[:4]
    except OSError as error:
        raise MiCoderError(f"The input cannot be read: {error.strerror or 'it is not open for reading'}.") from error


def cannot_open(path: str, error: OSError) -> MiCoderError:
    """What to tell the user when a file cannot be opened."""
    return MiCoderError(f"{path}: cannot be opened: {error.strerror or error}.")


def compression_of(path: Path) -> str | None:
    """The compression that the name of an output file asks for: "gz", "zst" or None."""
    suffix = path.suffix.removeprefix(".").casefold()
    return suffix if suffix in CODECS else None


def check_compression(compression: str | None) -> None:
    """See that a compression can be written.

    Raises:
        UnknownName: there is no such compression.
        MissingExtra: zstandard is not installed.
    """
    if compression is not None and compression not in CODECS:
        raise UnknownName(f"There is no compression {compression!r}. Use {' or '.join(CODECS)}.")
    if compression == "zst":
        _zstandard()


def compressed_sink(sink: BinaryIO, compression: str | None) -> BinaryIO:
    """A stream that compresses into `sink`, with the same bytes on every run. Closing it leaves `sink` open.

    Raises:
        as `check_compression`.
    """
    check_compression(compression)
    if compression == "gz":
        import gzip

        return cast(BinaryIO, gzip.GzipFile(filename="", fileobj=sink, mode="wb", compresslevel=6, mtime=0))
    if compression == "zst":
        return cast(BinaryIO, _zstandard().ZstdCompressor(level=3).stream_writer(sink, closefd=False))
    return sink
