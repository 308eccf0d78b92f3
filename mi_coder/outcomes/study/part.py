"""What one outcome in one design gives: rows, facts, tables and sentences."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

_OF_DESIGN = ("gain", "error by outcome", "response", "predicted", "marginal effects", "proportional odds")
"""Tables that differ by design; others are of the outcome alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one outcome in one design gives; `sentences` are on models that stand in for others."""

    rows: list[pd.DataFrame] = field(default_factory=list)
    glance: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def of_design(self, label: str, preset: bool) -> "Part":
        """The same with the name of its design, which goes into all texts where it is that of a preset."""
        return Part(
            [rows.assign(design=label) for rows in self.rows],
            [{"design": label, **facts} for facts in self.glance],
            {
                f"{name} ({label})" if preset and name.startswith(_OF_DESIGN) else name: table
                for name, table in self.tables.items()
            },
            *([f"{label}: {text}" if preset else text for text in texts] for texts in (self.notes, self.sentences)),
        )
