"""Chats pasted as text: "Name: text" lines, with or without the time stamps of a phone's chat export.

The first message of the file settles whether its messages are stamped; after that a line of the other kind, like any
further line, belongs to the message above it. So does "note: text", since a name that the table of roles does not know
must start with a capital. A line of three dashes or more starts another conversation.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import PurePath
from typing import Any

from mi_coder.conversation import RoleTable
from mi_coder.formats.compress import ByteSource
from mi_coder.formats.lines import Line, not_utf8, read_lines, too_long
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord
from mi_coder.formats.rows import Row, Rows

_MARKS = "[\u200e\u200f\u202a-\u202e\ufeff]*"
_TIME = "\\d{1,2}[:.]\\d{2}(?:[:.]\\d{2})?(?:[ \u00a0\u202f]?[AaPp]\\.?[Mm]\\.?)?"
_MOMENT = rf"(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}},?[ T])?{_TIME}"
_STAMPED = re.compile(
    rf"{_MARKS}(?:\[(?P<in_brackets>{_MOMENT})\]|(?P<plain>{_MOMENT}) [-\u2013]) (?P<rest>.*)", re.DOTALL
)
_STAMPED_NAME = re.compile(rf"{_MARKS}(?:~[ \u00a0\u202f])?(?P<name>[^:\n]{{1,60}}):(?: (?P<text>.*)|$)", re.DOTALL)
_PLAIN_NAME = re.compile(r"(?P<name>[^\W\d_][\w .'()-]{0,39}):(?:[ \t](?P<text>.*)|$)", re.DOTALL)
_SEPARATOR = re.compile(r"-{3,}\s*")


def speaker_of(line: str) -> str | None:
    """The name before the text where a line, taken alone, may start a message."""
    stamp = _STAMPED.match(line)
    named = _STAMPED_NAME.match(stamp["rest"]) if stamp else _PLAIN_NAME.match(line)
    return named["name"].strip() if named else None


class _Gap(Enum):
    """A line without content. A separator ends the conversation; a blank line does not even end the message."""

    BLANK = auto()
    SEPARATOR = auto()


class _Chat:
    """Tells the lines of one file apart, and numbers its conversations and turns."""

    def __init__(self, name: str, roles: RoleTable) -> None:
        self._name = name
        self._roles = roles
        self._number = 1
        self._turn = 0
        self._stamped: bool | None = None

    def read(self, content: bytes | BadRecord) -> dict[str, Any] | str | _Gap | BadRecord:
        """The message that a line starts, its text where it goes on with one, a gap, or why it is unusable."""
        if isinstance(content, BadRecord):
            return content
        try:
            text = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            return not_utf8(content, error)
        if "\0" in text:
            return BadRecord("nul_byte", "the line contains a raw NUL byte")
        if not text.strip():
            return _Gap.BLANK
        if _SEPARATOR.fullmatch(text):
            self._separate()
            return _Gap.SEPARATOR
        return self._start_of_message(text) or text

    def _separate(self) -> None:
        if self._turn:
            self._number += 1
            self._turn = 0

    def _start_of_message(self, text: str) -> dict[str, Any] | BadRecord | None:
        stamp = _STAMPED.match(text) if self._stamped is not False else None
        if stamp:
            self._stamped = True
            named = _STAMPED_NAME.match(stamp["rest"])
            if not named:
                return BadRecord("unparsed_line", "a time without a name: a line of the chat system")
            return self._message(named, {"time": stamp["in_brackets"] or stamp["plain"]})
        named = None if self._stamped else _PLAIN_NAME.match(text)
        if not named or (named["name"][0].islower() and not self._roles.role(named["name"])):
            return None
        self._stamped = False
        return self._message(named, {})

    def _message(self, named: re.Match[str], more: dict[str, str]) -> dict[str, Any]:
        self._turn += 1
        speaker = named["name"].strip()
        return {
            "conversation_id": self._name if self._number == 1 else f"{self._name}#{self._number}",
            "turn": self._turn,
            "role": self._roles.role(speaker) or speaker,
            "speaker": speaker,
            "text": named["text"] or "",
            **more,
        }


class _OpenMessage:
    """A message to which further lines may still be added, and the blank lines after it."""

    def __init__(self, line: int, byte: int, end: int, fields: dict[str, Any], limit: int) -> None:
        self._line = line
        self._byte = byte
        self._end = end
        self._fields = fields
        self._lines: list[str] = [fields["text"]]
        self._limit = limit
        self._blanks: list[Row] = []

    def add_blank(self, row: Row) -> None:
        self._blanks.append(row)

    def add_line(self, end: int, text: str) -> None:
        """Add a line. Blank lines before it turn out to be part of the message."""
        if not self._too_long(end):
            self._lines.extend("" for _ in self._blanks)
            self._lines.append(text)
        self._blanks.clear()
        self._end = end

    def rows(self) -> Iterator[Row]:
        """The message and the blank lines after it."""
        if self._too_long(self._end):
            yield self._line, self._byte, self._end, too_long("message", self._limit)
        else:
            yield self._line, self._byte, self._end, {**self._fields, "text": "\n".join(self._lines)}
        yield from self._blanks

    def _too_long(self, end: int) -> bool:
        return end - self._byte > self._limit


def chat_rows(opened: ByteSource, options: ReadOptions) -> Rows:
    """Give one row a message: conversation_id, turn, role, speaker, text and, where there is one, time as written.

    The conversation's id is the name of the file without its suffixes, with #2, #3 ... for those that follow.
    """
    chat = _Chat(PurePath(opened.name).name.partition(".")[0] or opened.name, options.roles)
    return Rows(_rows(chat, read_lines(opened.stream, options.max_line_bytes), options.max_line_bytes))


def _rows(chat: _Chat, lines: Iterator[Line], limit: int) -> Iterator[Row]:
    message: _OpenMessage | None = None
    for line, byte, end, content in lines:
        part = chat.read(content)
        if message and isinstance(part, str):
            message.add_line(end, part)
        elif message and part is _Gap.BLANK:
            message.add_blank((line, byte, end, None))
        else:
            if message:
                yield from message.rows()
                message = None
            match part:
                case dict():
                    message = _OpenMessage(line, byte, end, part, limit)
                case BadRecord():
                    yield line, byte, end, part
                case str():
                    yield (line, byte, end, BadRecord("unparsed_line", "text before the first message"))
                case _Gap():
                    yield line, byte, end, None
    if message:
        yield from message.rows()
