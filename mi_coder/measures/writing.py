"""Rows to a file: CSV, JSON Lines or Parquet, by the ending of its name."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mi_coder.errors import UsageProblem, need
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.guard import guard_cell


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that all have the same keys, whole or not at all. Texts in CSV carry the guard of guard.py.

    Raises:
        UsageProblem: another ending.
        MissingExtra: Parquet without pyarrow.
    """
    if path.suffix == ".csv":
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        names = list(rows[0]) if rows else []
        table.writerow(map(guard_cell, names))
        table.writerows([guard_cell(row[name]) for name in names] for row in rows)
        content = text.getvalue().encode()
    elif path.suffix == ".jsonl":
        content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    elif path.suffix == ".parquet":
        arrow, parquet = need("pyarrow", "parquet"), need("pyarrow.parquet", "parquet")
        sink = io.BytesIO()
        parquet.write_table(arrow.Table.from_pylist([dict(row) for row in rows]), sink)
        content = sink.getvalue()
    else:
        raise UsageProblem(f"{path}: name it .csv, .jsonl or .parquet.")
    with atomic_file(path) as file:
        file.write(content)
