"""Parquet tables out of records, a row group at a time.

`messages` becomes a list of structs; any other object, and a list of anything but plain values, becomes JSON text. A
column with values of several types (1 and "one") becomes text: strings as they are, everything else as JSON. What
tagging adds has fixed types, so that a field that first appears late has its column.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from mi_coder.errors import MiCoderError, need
from mi_coder.formats.parquet_columns import Columns, Rows, cells, keys_of, messages_in
from mi_coder.formats.writing import unknown_field

GROUP_ROWS = 10_000


class ParquetEncoder:
    """Writes rows in groups. The rows to learn from, or else the first group, settle the columns and their types."""

    def __init__(self, sink: BinaryIO, fields: Iterable[str] | None, learn_from: Iterable[dict[str, Any]] = ()) -> None:
        self._arrow = need("pyarrow", "parquet")
        self._parquet = need("pyarrow.parquet", "parquet")
        self._sink = sink
        self._fields = fields
        self._rows: Rows = []
        self._schema: Any = None
        self._writer: Any = None
        self._columns = Columns(self._arrow)
        for rows in _groups(learn_from):
            self._columns.learn(rows)

    def write(self, data: dict[str, Any]) -> None:
        self._rows.append(cells(data))
        if len(self._rows) == GROUP_ROWS:
            self._write_group()

    def finish(self) -> None:
        try:
            if self._rows or self._writer is None:
                self._write_group()
        finally:
            if self._writer is not None:
                self._writer.close()

    def _write_group(self) -> None:
        rows, self._rows = self._rows, []
        if self._writer is None:
            if not self._columns.names:
                self._columns.learn(rows)
            self._schema = self._arrow.schema(self._columns.fields(self._fields))
            self._writer = self._parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._refuse_unknown(rows)
        rows = [self._columns.fitted(row) for row in rows]
        columns = [self._array(field.name, [row.get(field.name) for row in rows], field.type) for field in self._schema]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))

    def _refuse_unknown(self, rows: Rows) -> None:
        """pyarrow would drop a field that a struct does not have without a word."""
        if unknown := set(keys_of(rows)).difference(self._schema.names):
            raise unknown_field(min(unknown))
        if self._columns.messages:
            known = {field.name for field in self._schema.field("messages").type.value_type}
            if unknown := set(keys_of(messages_in(row.get("messages") for row in rows))) - known:
                raise unknown_field(f"messages.{min(unknown)}")

    def _array(self, name: str, values: list[Any], kind: Any) -> Any:
        try:
            return self._arrow.array(values, type=kind)
        except (self._arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise MiCoderError(
                f"The column {name!r} contains a value of another type than its first {GROUP_ROWS} rows, "
                "which Parquet does not allow. Write JSON Lines."
            ) from error


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[Rows]:
    remaining = map(cells, rows)
    while group := list(islice(remaining, GROUP_ROWS)):
        yield group
