"""The formula guard of CSV files: a cell that a spreadsheet would run as a formula gets an apostrophe in front.

A spreadsheet looks past spaces and invisible characters, and some look at every line of a cell, so the guard does too.
It can be undone: a line that looks guarded already gets one more apostrophe. Source: OWASP, CSV injection.
"""

import re

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
    return _GUARDED.sub("", text)
