"""Why a record was turned away, and what fixes it: a closed list of codes, and the entry of the rejects file."""

import os
from types import MappingProxyType

import msgspec

REJECT_CODES = MappingProxyType(
    {
        "invalid_utf8": "The line is not UTF-8. Change a file that is Latin-1 with "
        "`iconv -f latin1 -t utf8 OLD > NEW`.",
        "nul_byte": "The line contains a raw NUL byte.",
        "line_too_long": "The line, or the record that spans several lines, is longer than the limit.",
        "truncated_file": "The compressed or Parquet file ends too early; all whole records before this were read.",
        "corrupt_file": "The compressed or Parquet file is damaged from here on.",
        "invalid_json": "The line is not JSON. JSON Lines has one object a line: make it with "
        "`jq -c . FILE.json > FILE.jsonl` where the file is one object over several lines, with "
        "`jq -c '.[]' FILE.json > FILE.jsonl` where it is a list.",
        "not_a_number": "The JSON contains NaN or Infinity, which JSON does not allow.",
        "number_out_of_range": "A number is too large to be kept exactly.",
        "lone_surrogate": "A string contains half of a surrogate pair, which UTF-8 does not allow.",
        "too_deep": "Lists and objects are nested too deeply.",
        "not_an_object": "The line is JSON but not an object. JSON Lines has one object a line: make it from a "
        "list with `jq -c '.[]' FILE.json > FILE.jsonl`.",
        "invalid_csv": "Quotes stand where CSV does not allow them.",
        "unclosed_quote": "A quote opens here and never closes.",
        "column_count": "The record has more or fewer columns than the header.",
        "unparsed_line": "The line of a pasted chat belongs to no message.",
        "mixed_layout": "One message per line and one conversation per line are mixed in one file.",
        "missing_conversation_id": "No conversation id, or an empty one.",
        "missing_messages": "A conversation has no list of messages.",
        "missing_role": "A message has no role.",
        "missing_text": "A message has no text. (An empty text is fine.)",
        "wrong_type": "A field has a value of the wrong type.",
        "unknown_role": "The role is not in the table of roles. Say which it is with --role NAME=counselor or "
        "--role NAME=client.",
        "duplicate_id": "The id was used before: a message id in its conversation, or a conversation id in its file.",
        "non_contiguous": "The conversation comes back after another one began. Sort the file by conversation, "
        "or start conversations afresh with --non-contiguous restart.",
        "already_coded": "The record already has fields that tagging would write.",
    }
)


class BadRecord(Exception):
    """A record that cannot be used. `code` is one of REJECT_CODES; `reason` never quotes the record."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Reject(msgspec.Struct, frozen=True):
    """A record that was turned away.

    Attributes:
        source: the file as the user named it, or "stdin".
        line: where the record starts, from 1; the row in Parquet.
        byte: offset of that line in the decompressed file, from 0; the row from 0 in Parquet.
        id: the record's own id, else its conversation's, where it could be read and looks like an id.
        code: one of REJECT_CODES.
        reason: what was wrong and what is allowed, without any text of the record.
        end: offset just after the record. Not written to the rejects file.
    """

    source: str
    line: int
    byte: int
    id: str | None
    code: str
    reason: str
    end: int

    def to_json(self) -> bytes:
        """The line of the rejects file, without its newline."""
        entry = msgspec.structs.asdict(self)
        del entry["end"]
        entry["source"] = os.fsencode(self.source).decode("utf-8", "replace")
        return msgspec.json.encode(entry)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason} [{self.code}]"
