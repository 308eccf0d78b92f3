"""Rows to a file: CSV, JSON Lines or Parquet, by the ending of its name."""

import csv
import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from mi_coder.errors import UsageProblem, need
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.guard import guard

_REPEATED = 1024
"""So many texts are kept with their guard: those of these tables come again and again."""


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows that all have the same keys, whole or not at all. Texts in CSV carry the guard of guard.py.

    Raises:
        UsageProblem: another ending.
        MissingExtra: Parquet without pyarrow.
    """
    write = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}.get(path.suffix)
    if write is None:
        raise UsageProblem(f"{path}: name it .csv, .jsonl or .parquet.")
    with atomic_file(path) as file:
        write(file, rows)


def _csv(file: BinaryIO, rows: Iterable[Mapping[str, Any]]) -> None:
    guarded = lru_cache(_REPEATED)(guard)
    rows = iter(rows)
    first = next(rows, None)
    names = list(first or ())
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(map(guarded, names))
    for row in chain([first] if first else [], rows):
        table.writerow([guarded(cell) if isinstance(cell := row[name], str) else cell for name in names])
    text.detach()


def _jsonl(file: BinaryIO, rows: Iterable[Mapping[str, Any]]) -> None:
    file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)


def _parquet(file: BinaryIO, rows: Iterable[Mapping[str, Any]]) -> None:
    arrow, parquet = need("pyarrow", "parquet"), need("pyarrow.parquet", "parquet")
    parquet.write_table(arrow.Table.from_pylist([dict(row) for row in rows]), file)
