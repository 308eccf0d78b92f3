"""How records are to be read."""

from dataclasses import dataclass, field
from typing import Literal

from mi_coder.conversation import RoleTable

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ReadOptions:
    """Choices of the reader; the defaults refuse whatever is doubtful.

    Attributes:
        format: name of the format, or None to tell it from the name of the file and its first bytes.
        max_line_bytes: longest line, and longest CSV or chat record, in bytes.
        max_decompressed: most bytes that a compressed file may grow to, or None for no limit.
        text_field, role_field, conversation_field: the field to use in place of the FIELD_ALIASES.
        roles: the table that maps role names.
        unknown_role: turn away a role that the table does not know, or read it as "other".
        duplicates: turn away an id that was used before, or keep it.
        non_contiguous: turn away a flat conversation that comes back, or start it afresh under the same id.
        overwrite: accept records that already carry the fields that tagging writes.
        csv_guard: drop the formula guard of CSV and TSV cells (see guard.py); writers put it back.
    """

    format: str | None = None
    max_line_bytes: int = 16 * MEBIBYTE
    max_decompressed: int | None = None
    text_field: str | None = None
    role_field: str | None = None
    conversation_field: str | None = None
    roles: RoleTable = field(default_factory=RoleTable)
    unknown_role: Literal["reject", "other"] = "reject"
    duplicates: Literal["reject", "keep"] = "reject"
    non_contiguous: Literal["reject", "restart"] = "reject"
    overwrite: bool = False
    csv_guard: bool = True


DEFAULT_OPTIONS = ReadOptions()

AS_CODED = ReadOptions(overwrite=True)
"""Reads files that carry codes already, such as tagged ones."""
