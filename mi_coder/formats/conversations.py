"""Conversations in and out of files of any format."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mi_coder.conversation import Conversation, Message
from mi_coder.errors import MiCoderError
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.checks import readable_id
from mi_coder.formats.coding import coding_fields, coding_from, gold_fields, gold_from
from mi_coder.formats.compress import Source
from mi_coder.formats.fields import OUTPUT_FIELDS, names_of, present_name
from mi_coder.formats.lifting import lift_shared_fields
from mi_coder.formats.options import DEFAULT_OPTIONS, ReadOptions
from mi_coder.formats.plain import plain_fields
from mi_coder.formats.reading import open_records
from mi_coder.formats.records import Layout, Record
from mi_coder.formats.rejects import BadRecord, Reject
from mi_coder.formats.sniff import DELIMITERS
from mi_coder.formats.writing import TABLES, format_to_write, write_records


def read_conversations(
    source: Source, options: ReadOptions = DEFAULT_OPTIONS, on_reject: Callable[[Reject], None] | None = None
) -> Iterator[Conversation]:
    """Read whole conversations, one at a time. Messages of one conversation must follow one another.

    Fields that the data model does not know are kept: those of a message in Message.extra, those beside `messages` in
    Conversation.extra. With one message a line, the fields that all messages of a conversation share become its own
    (see lifting.py). `gold` becomes Message.gold; with `overwrite`, output fields become Message.coding.

    Args:
        on_reject: called with every bad record, which is then left out. Without it the first bad record raises.

    Raises:
        MiCoderError: a bad record, naming file and line, or whatever open_records raises. A file with codes, such as
            `write_conversations` makes of tagged chats, is read with `mi_coder.formats.AS_CODED`; without it its first
            record is bad (already_coded).
    """
    current: Conversation | None = None
    with open_records(source, options) as reader:
        for item in reader:
            parsed = item if isinstance(item, Reject) else _parse(item, reader.options)
            if isinstance(parsed, Reject):
                if on_reject is None:
                    raise MiCoderError(str(parsed))
                on_reject(parsed)
            elif current and reader.layout == "message" and parsed.id == current.id:
                current.messages.extend(parsed.messages)
            else:
                if current:
                    yield _complete(current, reader.layout)
                current = parsed
    if current:
        yield _complete(current, reader.layout)


def _complete(conversation: Conversation, layout: Layout | None) -> Conversation:
    if layout == "message":
        lift_shared_fields(conversation)
    return conversation


def _parse(record: Record, options: ReadOptions) -> Conversation | Reject:
    data = record.data
    try:
        if record.layout == "message":
            names = names_of("conversation_id", options.conversation_field)
            message = _message(data, record.messages[0], options, present_name(data, names))
            return Conversation(record.conversation_id, [message])
        names = names_of("nested_conversation_id", options.conversation_field)
        known = {"messages", present_name(data, names)}
        messages = [
            _numbered_message(item, message, options, place)
            for place, (item, message) in enumerate(zip(data["messages"], record.messages, strict=True), start=1)
        ]
        return Conversation(record.conversation_id, messages, _without(data, known))
    except BadRecord as bad:
        return Reject(
            record.source, record.line, record.byte, readable_id(data, options), bad.code, bad.reason, record.end
        )


def _numbered_message(item: dict[str, Any], message: Message, options: ReadOptions, place: int) -> Message:
    try:
        return _message(item, message, options)
    except BadRecord as bad:
        raise BadRecord(bad.code, f"message {place}: {bad.reason}") from None


def _message(data: dict[str, Any], message: Message, options: ReadOptions, id_name: str | None = None) -> Message:
    """The message of a record with its gold codes, coding and further fields."""
    known = {
        "id",
        "gold",
        id_name,
        present_name(data, names_of("text", options.text_field)),
        present_name(data, names_of("role", options.role_field)),
        *OUTPUT_FIELDS,
    }
    message.gold = gold_from(data.get("gold"))
    message.coding = coding_from(data)
    message.extra = _without(data, known)
    return message


def _without(data: dict[str, Any], names: set[str | None]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def write_conversations(
    conversations: Iterable[Conversation],
    target: str | os.PathLike[str] | BinaryIO,
    layout: Layout = "conversation",
    csv_guard: bool = True,
    mode: int | None = None,
) -> None:
    """Write conversations, one a line or one message a line, in the format that the suffix of the path names.

    A file appears whole or not at all. "-" is stdout and gets JSON Lines, as a binary stream does. CSV and TSV hold one
    message a line; since their header names every field, all rows are held in memory first, as for Parquet.
    In the message layout the further fields of a conversation are repeated with each of its messages.
    What numpy and pandas hold in a further field becomes plain: numbers, times, and null for NA and NaT.

    Args:
        csv_guard: keep spreadsheets from running cells of CSV and TSV as formulas (see guard.py).
        mode: permissions of a new file; None for those of the file that it replaces, else of any new file.

    Raises:
        UnknownName: gold has a code that is not in the codebook.
        MiCoderError: the suffix names no format that can be written, a field would be written twice or has a value
            that no file holds, or the file cannot be written.
    """
    if not isinstance(target, str | os.PathLike) or target == "-":
        _write(conversations, target, "jsonl", None, layout, csv_guard)
        return
    format, compress = format_to_write(target)
    with atomic_file(Path(target), mode) as sink:
        _write(conversations, sink, format, compress, layout, csv_guard)


def _write(
    conversations: Iterable[Conversation],
    target: str | os.PathLike[str] | BinaryIO,
    format: str,
    compress: str | None,
    layout: Layout,
    csv_guard: bool,
) -> None:
    rows = _rows(conversations, "message" if format in DELIMITERS else layout)
    kept = list(rows) if format in TABLES else rows
    write_records(lambda: kept, target, format, compress, csv_guard=csv_guard)


def _rows(conversations: Iterable[Conversation], layout: Layout) -> Iterator[dict[str, Any]]:
    for conversation in conversations:
        try:
            shared = plain_fields(conversation.extra)
        except MiCoderError as error:
            raise type(error)(f"Conversation {conversation.id!r}: {error}") from error
        messages = [
            _known_and_further(conversation.id, place, message)
            for place, message in enumerate(conversation.messages, start=1)
        ]
        if layout == "conversation":
            joined = [_joined(known, further) for known, further in messages]
            yield _joined({"conversation_id": conversation.id, "messages": joined}, shared)
        else:
            for known, further in messages:
                yield _joined({"conversation_id": conversation.id, **known}, {**shared, **further})


def _known_and_further(conversation: str, place: int, message: Message) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a message that the data model knows, and its other ones, as they are written."""
    try:
        return _message_fields(message), plain_fields(message.extra)
    except MiCoderError as error:
        raise type(error)(f"Conversation {conversation!r}, message {place}: {error}") from error


def _message_fields(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {} if message.id is None else {"id": message.id}
    fields["role"] = message.role
    fields["text"] = message.text
    if message.gold:
        fields["gold"] = gold_fields(message.gold)
    if message.coding:
        fields |= coding_fields(message.coding)
    return fields


def _joined(fields: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    if clash := fields.keys() & extra.keys():
        raise MiCoderError(f"A further field is named {min(clash)!r} like one of the data model; rename it first.")
    return fields | extra
