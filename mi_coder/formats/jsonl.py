"""JSON Lines: one object a line."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from mi_coder.formats.compress import ByteSource
from mi_coder.formats.lines import Line, not_utf8, read_lines
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord
from mi_coder.formats.rows import Row, Rows

MAX_DEPTH = 100
_OPENED = {"{": "jq -c .", "[": "jq -c '.[]'", "[{": "jq -c '.[]'"}
"""How the first line of JSON over several lines begins, and what puts it into one object a line."""
_decode = msgspec.json.Decoder().decode


def jsonl_rows(opened: ByteSource, options: ReadOptions) -> Rows:
    """Decode every line; a line that is no JSON object becomes a BadRecord."""
    return Rows(_rows(read_lines(opened.stream, options.max_line_bytes)))


def _rows(lines: Iterator[Line]) -> Iterator[Row]:
    for number, byte, end, content in lines:
        if isinstance(content, BadRecord):
            yield number, byte, end, content
        elif not content or content.isspace():
            yield number, byte, end, None
        else:
            yield number, byte, end, decode_object(content)


def decode_object(raw: bytes) -> dict[str, Any] | BadRecord:
    """Decode one JSON object strictly: numbers are kept exact, and whatever cannot be written back is refused."""
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _diagnose(raw, error)
    if type(value) is not dict:
        how = "; write a list as one object a line (jq -c '.[]')" if type(value) is list else ""
        return BadRecord(
            "not_an_object", f'the line must be a JSON object such as {{"role": "client", "text": "..."}}{how}'
        )
    if len(raw) > 2 * MAX_DEPTH and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        return _too_deep()
    return value


def _is_deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects nest more than `limit` levels; level by level, so that no stack can run out."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _too_deep() -> BadRecord:
    return BadRecord("too_deep", f"lists and objects may nest at most {MAX_DEPTH} levels")


def _diagnose(raw: bytes, error: Exception) -> BadRecord:
    """Say why the strict decoder refused a line. The lenient decoder of the standard library is asked for the place."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        return not_utf8(raw, broken)
    if "\0" in text:
        return BadRecord("nul_byte", f"the line contains a raw NUL byte at its character {text.index(chr(0)) + 1}")
    if isinstance(error, RecursionError):
        return _too_deep()
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except BadRecord as constant:
        return constant
    except RecursionError:
        return _too_deep()
    except json.JSONDecodeError as problem:
        if how := _OPENED.get("".join(text.split())):
            return BadRecord("invalid_json", f"the JSON runs over several lines; write one object a line ({how})")
        return BadRecord("invalid_json", f"not JSON: {problem.msg} at character {problem.pos + 1}")
    except ValueError:
        return _out_of_range()
    if "out of range" in str(error):
        return _out_of_range()
    if "\\ud" in text.lower():
        return BadRecord("lone_surrogate", "a string contains half of a surrogate pair (\\ud800 to \\udfff)")
    return BadRecord("invalid_json", f"not JSON: {error}")


def _out_of_range() -> BadRecord:
    return BadRecord("number_out_of_range", "a number is too large to be kept exactly")


def _refuse_constant(name: str) -> NoReturn:
    raise BadRecord("not_a_number", f"{name} is not JSON; use null")
