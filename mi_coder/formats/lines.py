"""Lines of a byte stream: cut at newlines only, numbered, with offsets, in bounded memory."""

import io
from collections.abc import Iterator

from mi_coder.formats.rejects import BadRecord

BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
UTF16_ADVICE = "this looks like UTF-16; save the file as UTF-8"
_SKIP_BYTES = 1 << 16


Line = tuple[int, int, int, bytes | BadRecord]
"""A line as (number, byte, end, content).

The number counts from 1; byte and end are the offsets of its first byte and just after its newline in the decompressed
stream, from 0. The content keeps its line ending, or is a BadRecord where the line is too long or the file breaks off.
"""


def read_lines(stream: io.BufferedReader, limit: int) -> Iterator[Line]:
    """Yield every line. A byte-order mark before the first line is dropped, though it counts in the offsets.

    Where the compressed stream is damaged, the last line is a BadRecord at the place where it broke.
    """
    number = 1
    byte = end = 0
    readline = stream.readline
    try:
        while raw := readline(limit + 1):
            end = byte + len(raw)
            if len(raw) > limit and not raw.endswith(b"\n"):
                end += _skip_to_newline(stream)
                yield number, byte, end, too_long("line", limit)
            elif number == 1 and raw.startswith(BOM):
                yield number, byte, end, raw[len(BOM) :]
            else:
                yield number, byte, end, raw
            number += 1
            byte = end
    except BadRecord as damage:
        yield number, byte, end, damage


def too_long(what: str, limit: int) -> BadRecord:
    """What is said of a line or message that passes the limit."""
    return BadRecord("line_too_long", f"the {what} is longer than {limit} bytes; allow more with --max-line-bytes")


def not_utf8(line: bytes, error: UnicodeDecodeError) -> BadRecord:
    """What is said of a line that cannot be decoded."""
    if line.startswith(UTF16_BOMS):
        return BadRecord("invalid_utf8", UTF16_ADVICE)
    return BadRecord(
        "invalid_utf8",
        f"the line is not UTF-8 at its byte {error.start + 1}; change a Latin-1 file with iconv -f latin1 -t utf8",
    )


def _skip_to_newline(stream: io.BufferedReader) -> int:
    """Pass over the rest of a line; return the number of bytes."""
    skipped = 0
    while piece := stream.readline(_SKIP_BYTES):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
