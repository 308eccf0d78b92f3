"""Records: rows that passed the checks, in the layout that the first of them set."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

from mi_coder.conversation import Message
from mi_coder.formats.checks import ConversationCheck, MessageCheck, readable_id
from mi_coder.formats.fields import names_of
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import REJECT_CODES, BadRecord, Reject
from mi_coder.formats.rows import Row

__all__ = ["REJECT_CODES", "Layout", "ReadOptions", "Record", "RecordReader", "Reject"]

Layout = Literal["conversation", "message"]
_Check = Callable[[dict[str, Any]], tuple[str, list[Message]]]


@dataclass(slots=True)
class Record:
    """One accepted record.

    Attributes:
        source, line, byte, end: where it stands, as in Reject.
        data: its fields as decoded, in their order, untouched.
        conversation_id: the id as a string.
        layout: "message" (one message a record) or "conversation" (all its messages in one record).
        messages: exactly one in the message layout. They hold role, text and id; further fields stay in `data`.
    """

    source: str
    line: int
    byte: int
    end: int
    data: dict[str, Any]
    conversation_id: str
    layout: Layout
    messages: list[Message]


class RecordReader:
    """Iterator over the records and rejects of one source, in file order. Reading again gives the same again.

    Attributes:
        source: the name that messages give the source.
        format: name of the format.
        fields: names of the columns in order, for a table; else None.
        layout: None until the first good record told it.
        options: what the checks go by.
        blank: blank lines passed so far.
        bytes_read: offset just after the last row, in the decompressed source.
    """

    def __init__(
        self,
        source: str,
        format: str,
        fields: tuple[str, ...] | None,
        rows: Iterable[Row],
        options: ReadOptions,
        close: Callable[[], None],
    ) -> None:
        self.source = source
        self.format = format
        self.fields = fields
        self.layout: Layout | None = None
        self.blank = 0
        self.bytes_read = 0
        self._rows = rows
        self.options = options
        self._close = close
        self._checks: dict[Layout, _Check] = {
            "message": MessageCheck(options),
            "conversation": ConversationCheck(options),
        }
        self._items = self._read()

    def __iter__(self) -> Iterator[Record | Reject]:
        return self

    def __next__(self) -> Record | Reject:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, as the end of reading does too. A stream that the caller opened stays open."""
        self._close()

    def _read(self) -> Iterator[Record | Reject]:
        try:
            for line, byte, end, data in self._rows:
                self.bytes_read = end
                if data is None:
                    self.blank += 1
                else:
                    yield self._checked(line, byte, end, data)
        finally:
            self.close()

    def _checked(self, line: int, byte: int, end: int, data: dict[str, Any] | BadRecord) -> Record | Reject:
        try:
            if isinstance(data, BadRecord):
                raise data
            plain_message = self.layout == "message" and "messages" not in data
            layout = "message" if plain_message else self._layout_of(data)
            conversation_id, messages = self._checks[layout](data)
        except BadRecord as bad:
            record_id = None if bad is data else readable_id(data, self.options)
            return Reject(self.source, line, byte, record_id, bad.code, bad.reason, end)
        self.layout = layout
        return Record(self.source, line, byte, end, data, conversation_id, layout, messages)

    def _layout_of(self, data: dict[str, Any]) -> Layout:
        layout: Layout = "conversation" if "messages" in data and self._is_conversation(data) else "message"
        if self.layout is None or layout == self.layout:
            return layout
        if layout == "message" and not self._has_message(data):
            raise BadRecord("missing_messages", "the field 'messages' must be the list of messages")
        raise BadRecord("mixed_layout", f"the file has one {self.layout} a line; this line has one {layout}")

    def _is_conversation(self, data: dict[str, Any]) -> bool:
        return isinstance(data["messages"], list) or not self._has_message(data)

    def _has_message(self, data: dict[str, Any]) -> bool:
        names = (*names_of("text", self.options.text_field), *names_of("role", self.options.role_field))
        return any(name in data for name in names)
