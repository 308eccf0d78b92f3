"""The formula guard of `mi_coder.formats.guard` on pandas frames that are written as CSV or read from it."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from mi_coder.formats.guard import guard, unguard


def guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts, in columns and header, have the guard; numbers stay as they are."""
    return _changed(frame, guard)


def unguarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Take away what `guarded` put in."""
    return _changed(frame, unguard)


def _changed(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    def cell(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    changed = frame.copy()
    for name, column in frame.items():
        if any(isinstance(value, str) for value in column):
            changed[name] = column.astype(object).map(cell)
    return changed.rename(columns=cell)
