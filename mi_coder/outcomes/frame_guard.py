"""The formula guard of `mi_coder.formats.guard` on pandas frames that are written as CSV or read from it."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from mi_coder.formats.guard import guard_cell, unguard_cell


def guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts, in columns and header, have the guard; numbers stay as they are."""
    return _changed(frame, guard_cell)


def unguarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Take away what `guarded` put in."""
    return _changed(frame, unguard_cell)


def _changed(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    changed = frame.copy()
    for name, column in frame.items():
        if not is_numeric_dtype(column) and any(isinstance(value, str) for value in column):
            changed[name] = column.astype(object).map(change)
    return changed.rename(columns=change)
