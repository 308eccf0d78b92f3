"""Write records in any format that can be written: JSON Lines, CSV, TSV, Parquet."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self, cast

import msgspec

from mi_coder.errors import MiCoderError, need
from mi_coder.formats.compress import cannot_open, check_compression, compressed_sink, compression_of
from mi_coder.formats.sniff import DELIMITERS, checked_format, format_of_path

TABLES = ("csv", "tsv", "parquet")
WRITABLE = ("jsonl", *TABLES)


class RecordEncoder(Protocol):
    """Turns records into bytes of one format."""

    def write(self, data: dict[str, Any]) -> None: ...

    def finish(self) -> None: ...


class JsonlEncoder:
    """One object a line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._encode = msgspec.json.Encoder().encode

    def write(self, data: dict[str, Any]) -> None:
        self._sink.write(self._encode(data) + b"\n")

    def finish(self) -> None:
        """Nothing is held back."""


def unknown_field(name: str) -> MiCoderError:
    """A record has a field that the header, written long ago, has not."""
    return MiCoderError(
        f"The field {name!r} is not among the columns of the table. Name all columns at the start, or write JSON Lines."
    )


class RecordWriter:
    """Writes records to a file or stream. Closing it leaves a stream that the caller opened open."""

    def __init__(self, encoder: RecordEncoder, streams: list[BinaryIO], stack: ExitStack) -> None:
        self._encoder = encoder
        self._streams = streams
        self._stack = stack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, data: dict[str, Any]) -> None:
        """Write one record.

        Raises:
            MiCoderError: a table has no column for one of its fields.
        """
        self._encoder.write(data)

    def flush(self) -> None:
        """Hand everything written so far to the system. Parquet keeps its last rows until it is closed."""
        for stream in self._streams:
            stream.flush()

    def close(self) -> None:
        """Write what is left and close what this writer opened."""
        self._stack.close()


def open_writer(
    target: str | os.PathLike[str] | BinaryIO,
    format: str,
    compress: str | None = None,
    fields: Iterable[str] | None = None,
    csv_guard: bool = True,
    learn_from: Iterable[dict[str, Any]] = (),
) -> RecordWriter:
    """Open a path, "-" (stdout) or a binary stream for records. The same records give the same bytes.

    Args:
        format: jsonl, csv, tsv or parquet.
        compress: "gz" or "zst"; for a path, None goes by its suffix.
        fields: the columns of a table; else those of the first record (Parquet: of the first rows).
        csv_guard: keep spreadsheets from running cells of CSV and TSV as formulas (see guard.py).
        learn_from: rows that settle the types of Parquet columns; else the first rows that are written do.

    Raises:
        MiCoderError: the file cannot be opened, or as `check_writable`.
    """
    path = Path(target) if isinstance(target, str | os.PathLike) and target != "-" else None
    if path:
        compress = compress or compression_of(path)
    check_writable(format, compress)
    with ExitStack() as stack:
        if target == "-":
            raw: BinaryIO = sys.stdout.buffer
        elif path:
            try:
                raw = stack.enter_context(path.open("wb"))
            except OSError as error:
                raise cannot_open(str(path), error) from error
        else:
            raw = cast(BinaryIO, target)
        stack.callback(raw.flush)
        sink = compressed_sink(raw, compress)
        if sink is not raw:
            stack.callback(sink.close)
        encoder = _encoder(format, sink, fields, csv_guard, learn_from)
        stack.callback(encoder.finish)
        return RecordWriter(encoder, [sink, raw], stack.pop_all())


def write_records(
    rows: Callable[[], Iterable[dict[str, Any]]],
    target: str | os.PathLike[str] | BinaryIO,
    format: str,
    compress: str | None = None,
    fields: Iterable[str] = (),
    csv_guard: bool = True,
) -> None:
    """Write all rows as `open_writer` does. For a table they are gone through first, so that no field comes too late.

    Args:
        rows: gives the same rows every time it is called; called once where the format is no table.
        fields: columns that a table has whether or not a row has them; they come first.
    """
    names: tuple[str, ...] | None = None
    if format in TABLES:
        names = tuple(dict.fromkeys(chain(fields, (name for row in rows() for name in row))))
    learn_from = rows() if format == "parquet" else ()
    with open_writer(target, format, compress, names, csv_guard, learn_from) as writer:
        for row in rows():
            writer.write(row)


def format_to_write(path: str | os.PathLike[str]) -> tuple[str, str | None]:
    """The format and compression that the name of an output file asks for, seen to be writable.

    Raises:
        MiCoderError: the name tells no format, or as `check_writable`.
    """
    name, compress = os.fspath(path), compression_of(Path(path))
    format = format_of_path(path)
    if format is None:
        raise MiCoderError(
            f"{name}: name the file .jsonl, .csv, .tsv or .parquet (.gz or .zst may follow, but not .parquet)."
        )
    check_writable_file(path, format)
    return format, compress


def check_writable_file(path: str | os.PathLike[str], format: str) -> None:
    """`check_writable` for a file with the compression of its name, which leads the message."""
    try:
        check_writable(format, compression_of(Path(path)))
    except MiCoderError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error


def check_writable(format: str, compress: str | None = None) -> None:
    """See that records can be written in a format and compression before any work is done.

    Raises:
        UnknownName: there is no such format or compression.
        MissingExtra: the package that it needs is not installed.
        MiCoderError: the format can only be read, or is compressed in itself.
    """
    if checked_format(format) not in WRITABLE:
        raise MiCoderError(f"The format {format} can be read but not written. Write {', '.join(WRITABLE)}.")
    if format == "parquet":
        if compress:
            raise MiCoderError(
                f"Parquet is not written inside .{compress}: it is compressed in itself. Name the file .parquet."
            )
        need("pyarrow", "parquet")
    check_compression(compress)


def _encoder(
    format: str,
    sink: BinaryIO,
    fields: Iterable[str] | None,
    csv_guard: bool,
    learn_from: Iterable[dict[str, Any]],
) -> RecordEncoder:
    if format == "jsonl":
        return JsonlEncoder(sink)
    if format in DELIMITERS:
        from mi_coder.formats.delimited_writing import DelimitedEncoder

        return DelimitedEncoder(sink, DELIMITERS[format], fields, csv_guard)
    from mi_coder.formats.parquet_writing import ParquetEncoder

    return ParquetEncoder(sink, fields, learn_from)
