"""Design matrices of the public corpora, which are not in the project."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of text, as numbers on demand."""

    columns: dict[str, list[str]]

    def __getitem__(self, name: str) -> np.ndarray:
        flags = {"True": 1.0, "False": 0.0, "": np.nan}
        return np.array([flags[value] if value in flags else float(value) for value in self.columns[name]])

    def matrix(self, names: list[str]) -> np.ndarray:
        """[rows, names]"""
        return np.column_stack([self[name] for name in names])


def read_table(path: Path) -> Table:
    """Read a CSV file, or skip the test where it is not here."""
    if not path.is_file():
        pytest.skip(f"{path.parent.name}/{path.name} is not in the folder of corpora")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Table({name: [row[name] for row in rows] for name in rows[0]})
