"""What every format gives to the checks: rows with their place in the file."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from mi_coder.formats.rejects import BadRecord

Row = tuple[int, int, int, dict[str, Any] | BadRecord | None]
"""One raw record as (line, byte, end, fields), with places as in Reject.

The last is a BadRecord where the record cannot be decoded and None for a blank line, which is counted and not rejected.
A plain tuple, since one is made for every line of every file.
"""


class Rows(NamedTuple):
    """The rows of a source and, for tables, the names of its columns in order."""

    rows: Iterator[Row]
    fields: tuple[str, ...] | None = None
