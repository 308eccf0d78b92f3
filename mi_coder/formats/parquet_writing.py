"""Parquet tables out of records, a row group at a time."""

from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec

from mi_coder.errors import MiCoderError, need
from mi_coder.formats.fields import OUTPUT_FIELDS
from mi_coder.formats.writing import unknown_field

GROUP_ROWS = 10_000
_AS_JSON = ("scores", "sentences")


class ParquetEncoder:
    """Writes rows in groups. The first group settles the columns and their types.

    `messages` becomes a list of structs; any other object, and a list of anything but plain values, becomes JSON text.
    What tagging adds has fixed types, so that a field that first appears late has its column.
    """

    def __init__(self, sink: BinaryIO, fields: Iterable[str] | None) -> None:
        self._arrow = need("pyarrow", "parquet")
        self._parquet = need("pyarrow.parquet", "parquet")
        self._sink = sink
        self._fields = fields
        self._rows: list[dict[str, Any]] = []
        self._schema: Any = None
        self._writer: Any = None

    def write(self, data: dict[str, Any]) -> None:
        self._rows.append(_cells(data))
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
        if self._schema is None:
            names = _keys(rows) if self._fields is None else self._fields
            self._schema = self._schema_of(names, rows)
            self._writer = self._parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._refuse_unknown(rows)
        columns = [self._array(field.name, [row.get(field.name) for row in rows], field.type) for field in self._schema]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))

    def _refuse_unknown(self, rows: list[dict[str, Any]]) -> None:
        """pyarrow would drop a field that a struct does not have without a word."""
        if unknown := set(_keys(rows)).difference(self._schema.names):
            raise unknown_field(min(unknown))
        if messages := _messages(rows):
            known = {field.name for field in self._schema.field("messages").type.value_type}
            if unknown := set(_keys(messages)) - known:
                raise unknown_field(f"messages.{min(unknown)}")

    def _schema_of(self, names: Iterable[str], rows: list[dict[str, Any]]) -> Any:
        """The columns with their types. Where one of the fields that tagging adds is there, all of them are."""
        names = dict.fromkeys(names)
        if names.keys() & set(OUTPUT_FIELDS):
            names |= dict.fromkeys(OUTPUT_FIELDS)
        return self._arrow.schema([(name, self._type_of(name, [row.get(name) for row in rows])) for name in names])

    def _type_of(self, name: str, values: list[Any]) -> Any:
        arrow = self._arrow
        if name == "codes":
            return arrow.list_(arrow.string())
        if name == "review":
            return arrow.bool_()
        if name in OUTPUT_FIELDS:
            return arrow.string()
        if name == "messages":
            items = [item for value in values for item in value or ()]
            return arrow.list_(arrow.struct(list(self._schema_of(_keys(items), items))))
        kind = self._array(name, values, None).type
        return arrow.string() if arrow.types.is_null(kind) else kind

    def _array(self, name: str, values: list[Any], kind: Any) -> Any:
        try:
            return self._arrow.array(values, type=kind)
        except (self._arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise MiCoderError(
                f"The column {name!r} holds values of several types, which Parquet cannot. Write JSON Lines."
            ) from error


def _keys(rows: list[dict[str, Any]]) -> list[str]:
    """Every field of the rows, in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _messages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for row in rows for message in row.get("messages") or ()]


def _cells(data: dict[str, Any]) -> dict[str, Any]:
    return {name: _cell(name, value) for name, value in data.items()}


def _cell(name: str, value: Any) -> Any:
    if name == "messages" and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [_cells(item) for item in value]
    nested = isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
    if isinstance(value, dict) or nested or (name in _AS_JSON and value is not None):
        return msgspec.json.encode(value).decode()
    return value
