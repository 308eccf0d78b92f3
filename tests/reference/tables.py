"""What the tests here read: design matrices of the public corpora, which are not in the project, and values of R."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

VALUES = Path(__file__).with_name("values.csv")


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of text, as numbers on demand."""

    columns: dict[str, list[str]]

    def __getitem__(self, name: str) -> np.ndarray:
        flags = {"True": 1.0, "False": 0.0, "": np.nan}
        return np.array([flags[value] if value in flags else float(value) for value in self.columns[name]])

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """[rows, names]"""
        return np.column_stack([self[name] for name in names])


def read_table(path: Path) -> Table:
    """Read a CSV file, or skip the test where it is not here."""
    if not path.is_file():
        pytest.skip(f"{path.parent.name}/{path.name} is not in the folder of corpora")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Table({name: [row[name] for row in rows] for name in rows[0]})


def mibot_shares(mibot: Table, *behaviors: str) -> np.ndarray:
    """[conversations, behaviors] in units of ten points."""
    total = sum(mibot[f"AutoMISC_{name}"] for name in ("R", "Q", "MICO", "MIIN", "Other"))
    return np.column_stack([10 * mibot[f"AutoMISC_{name}"] / total for name in behaviors])


@dataclass(frozen=True, eq=False)
class RValues:
    """What R gives for one model, as values.R stored it.

    Attributes:
        stored: values by quantity and term.
    """

    stored: Mapping[tuple[str, str], float]

    def of(self, quantity: str, terms: Sequence[str]) -> list[float]:
        """One quantity, such as "estimate", of terms in the order given; the constant is called "constant"."""
        return [self.stored[quantity, term] for term in terms]

    def one(self, quantity: str, term: str = "") -> float:
        """A quantity of one term, or one of the model as a whole."""
        return self.stored[quantity, term]


def r_values(case: str, model: str) -> RValues:
    """Values of one model of a case, both as values.R names them.

    Raises:
        KeyError: values.R has no such model.
    """
    return RValues(_values()[case, model])


@cache
def _values() -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    with VALUES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            model = found.setdefault((row["case"], row["model"]), {})
            key = row["quantity"], row["term"]
            if key in model:
                raise ValueError(f"{VALUES.name} has {row['case']}, {row['model']}, {key} twice")
            model[key] = float(row["value"])
    return found
