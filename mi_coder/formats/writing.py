"""Write records in any format that can be written: JSON Lines, CSV, TSV, Parquet."""

import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import msgspec

from mi_coder.errors import MiCoderError
from mi_coder.formats.compress import cannot_open, compressed_sink, compression_of
from mi_coder.formats.sniff import DELIMITERS, checked_format


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
    guard: bool = True,
) -> RecordWriter:
    """Open a path, "-" (stdout) or a binary stream for records. The same records give the same bytes.

    Args:
        format: jsonl, csv, tsv or parquet.
        compress: "gz" or "zst"; for a path, None goes by its suffix.
        fields: the columns of a table; else those of the first record (Parquet: of the first rows).
        guard: keep spreadsheets from running cells of CSV and TSV as formulas (see guard.py).

    Raises:
        MiCoderError: the file cannot be opened, or the format cannot be written.
    """
    with ExitStack() as stack:
        if target == "-":
            raw: BinaryIO = sys.stdout.buffer
        elif isinstance(target, str | os.PathLike):
            compress = compress or compression_of(Path(target))
            try:
                raw = stack.enter_context(Path(target).open("wb"))
            except OSError as error:
                raise cannot_open(os.fspath(target), error) from error
        else:
            raw = target
        stack.callback(raw.flush)
        sink = compressed_sink(raw, compress)
        if sink is not raw:
            stack.callback(sink.close)
        encoder = _encoder(checked_format(format), sink, fields, guard)
        stack.callback(encoder.finish)
        return RecordWriter(encoder, [sink, raw], stack.pop_all())


def _encoder(format: str, sink: BinaryIO, fields: Iterable[str] | None, guard: bool) -> RecordEncoder:
    if format == "jsonl":
        return JsonlEncoder(sink)
    if format in DELIMITERS:
        from mi_coder.formats.delimited_writing import DelimitedEncoder

        return DelimitedEncoder(sink, DELIMITERS[format], fields, guard)
    if format == "parquet":
        from mi_coder.formats.parquet_writing import ParquetEncoder

        return ParquetEncoder(sink, fields)
    raise MiCoderError(f"The format {format} can be read but not written. Write jsonl, csv, tsv or parquet.")
