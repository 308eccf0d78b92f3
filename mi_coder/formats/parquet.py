"""Parquet tables, a batch of rows at a time. Places are rows: line counts from 1, byte from 0."""

import io
from collections.abc import Iterator
from typing import Any

from mi_coder.errors import MiCoderError, need
from mi_coder.formats.compress import ByteSource
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord
from mi_coder.formats.rows import Row, Rows
from mi_coder.formats.sniff import PARQUET_MAGIC

BATCH_ROWS = 1024


def parquet_rows(opened: ByteSource, options: ReadOptions) -> Rows:
    """Give the rows of a table; a column `messages` with a list of structs makes it one conversation a row.

    None of the options bears on it.

    Raises:
        MissingExtra: pyarrow is not installed.
        MiCoderError: the source is stdin or compressed, so that it cannot be read out of order.
    """
    arrow = need("pyarrow", "parquet")
    parquet = need("pyarrow.parquet", "parquet")
    if opened.compression or not opened.stream.seekable():
        raise MiCoderError(
            f"{opened.name}: Parquet cannot be read from stdin or inside {opened.compression or 'a pipe'}."
        )
    try:
        table = parquet.ParquetFile(opened.stream)
    except (arrow.ArrowException, OSError):
        return Rows(iter([(1, 0, 0, _damage(opened.stream))]))
    return Rows(_rows(table, arrow), tuple(table.schema_arrow.names))


def _rows(table: Any, arrow: Any) -> Iterator[Row]:
    row = 0
    try:
        for batch in table.iter_batches(batch_size=BATCH_ROWS):
            for data in _dictionaries(batch):
                yield row + 1, row, row + 1, data
                row += 1
    except (arrow.ArrowException, OSError):
        yield (row + 1, row, row, BadRecord("corrupt_file", "the Parquet file is damaged from this row on"))


def _dictionaries(batch: Any) -> Iterator[dict[str, Any] | BadRecord]:
    """The rows of a batch. One string that is not UTF-8 spoils its row only."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        for place in range(batch.num_rows):
            try:
                yield batch.slice(place, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield BadRecord("invalid_utf8", "a string of this row is not UTF-8")


def _damage(stream: io.BufferedReader) -> BadRecord:
    """Tell a Parquet file that was cut short from one that is none."""
    stream.seek(0)
    if stream.read(len(PARQUET_MAGIC)) != PARQUET_MAGIC:
        return BadRecord("corrupt_file", "this is not a Parquet file")
    stream.seek(-len(PARQUET_MAGIC), io.SEEK_END)
    if stream.read() != PARQUET_MAGIC:
        return BadRecord("truncated_file", "the Parquet file ends in the middle: was it copied whole?")
    return BadRecord("corrupt_file", "the Parquet file is damaged")
