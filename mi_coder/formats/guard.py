"""The formula guard of CSV and TSV files: one rule for every cell, header included.

In CSV and TSV files a leading ' before a risky character is a spreadsheet guard: put on writing, dropped on reading.
Without it a spreadsheet would run a cell such as "=1+1" as a formula. Spreadsheets look past spaces and invisible
characters, and some look at every line of a cell, so the guard does too. A line that already begins with ' and a risky
character gets one more, and reading drops exactly one, so every text comes back as it was. `ReadOptions.csv_guard` and
the `csv_guard` of the writers turn the rule off. Source: OWASP, CSV injection.
"""

import re
from typing import Any

_PASSED_OVER = "'*[ \u00a0\u200b-\u200f\u2060\ufeff]*"
_STARTS_FORMULA = f"{_PASSED_OVER}[=+\\-@\t\uff1d\uff0b\uff0d\uff20]"
_LINE_START = r"(?:\A|(?<=[\r\n]))"
_UNGUARDED = re.compile(rf"{_LINE_START}(?={_STARTS_FORMULA})|\A(?={_PASSED_OVER}\r)")
_GUARDED = re.compile(rf"{_LINE_START}'(?={_STARTS_FORMULA})|\A'(?={_PASSED_OVER}\r)")


def guard(text: str) -> str:
    """Put an apostrophe before every line of a cell that starts with = + - @ or a tab, and before a leading CR."""
    return _UNGUARDED.sub("'", text)


def unguard(text: str) -> str:
    """Take away what `guard` put in."""
    return _GUARDED.sub("", text) if "'" in text else text


def guard_cell(value: Any) -> Any:
    """A value of a cell: a text with its guard; what is no text, such as a number, as it is."""
    return guard(value) if isinstance(value, str) else value


def unguard_cell(value: Any) -> Any:
    """Take away what `guard_cell` put in."""
    return unguard(value) if isinstance(value, str) else value
