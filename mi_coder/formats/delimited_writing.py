"""CSV and TSV tables out of records. Cells that a spreadsheet would run get the guard of guard.py."""

import csv
import io
from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec

from mi_coder.formats.fields import table_columns
from mi_coder.formats.guard import guard
from mi_coder.formats.writing import unknown_field

# The csv module quotes a CR in a cell only where CR is part of the line end, which is cut to the newline afterwards.
_LINE_END = "\r\n"


class DelimitedEncoder:
    """A table with a header. Lists of plain values are joined with ";", other lists and objects become JSON."""

    def __init__(self, sink: BinaryIO, delimiter: str, fields: Iterable[str] | None, csv_guard: bool) -> None:
        self._sink = sink
        self._line = io.StringIO(newline="")
        self._table = csv.writer(self._line, delimiter=delimiter, lineterminator=_LINE_END)
        self._guard = csv_guard
        self._fields: tuple[str, ...] | None = None
        if fields is not None:
            self._write_header(tuple(fields))

    def write(self, data: dict[str, Any]) -> None:
        if self._fields is None:
            self._write_header(tuple(data))
        fields = self._fields or ()
        if unknown := data.keys() - set(fields):
            raise unknown_field(min(unknown))
        self._write_line([cell_text(data.get(name)) for name in fields])

    def finish(self) -> None:
        """Nothing is held back."""

    def _write_header(self, fields: tuple[str, ...]) -> None:
        self._fields = table_columns(fields)
        self._write_line(list(self._fields))

    def _write_line(self, cells: list[str]) -> None:
        self._table.writerow([guard(cell) for cell in cells] if self._guard else cells)
        self._sink.write(self._line.getvalue().removesuffix(_LINE_END).encode() + b"\n")
        self._line.seek(0)
        self._line.truncate()


def cell_text(value: Any) -> str:
    """A value as the text of a table's cell; empty for None and NaN. NUL is left out: no spreadsheet can hold it."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) and ";" not in item for item in value):
        return ";".join(value).replace("\0", "")
    encoded = msgspec.json.encode(value).decode()
    if encoded == "null":
        return ""
    return msgspec.json.decode(encoded, type=str) if encoded.startswith('"') else encoded
