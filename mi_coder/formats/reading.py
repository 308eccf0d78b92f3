"""Open any source as records: the registry of readers."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from mi_coder.errors import MiCoderError
from mi_coder.formats.compress import ByteSource, Source, open_source
from mi_coder.formats.fields import column_of, names_of
from mi_coder.formats.options import DEFAULT_OPTIONS, ReadOptions
from mi_coder.formats.records import RecordReader
from mi_coder.formats.rows import Row, Rows
from mi_coder.formats.sniff import DELIMITERS, checked_format, format_of_bytes, format_of_path, utterances_file

READERS = MappingProxyType(
    {
        "jsonl": ("mi_coder.formats.jsonl", "jsonl_rows"),
        "csv": ("mi_coder.formats.delimited", "csv_rows"),
        "tsv": ("mi_coder.formats.delimited", "tsv_rows"),
        "parquet": ("mi_coder.formats.parquet", "parquet_rows"),
        "convokit": ("mi_coder.formats.convokit", "convokit_rows"),
        "chat-text": ("mi_coder.formats.chat_text", "chat_rows"),
    }
)
"""Module and function of the reader of each format. It is imported when a source of its format is opened."""

_WITH_OWN_FIELDS = ("convokit", "chat-text")


def _reader_of(format: str) -> Callable[[ByteSource, ReadOptions], Rows]:
    module, function = READERS[format]
    reader: Callable[[ByteSource, ReadOptions], Rows] = getattr(import_module(module), function)
    return reader


def open_records(source: Source, options: ReadOptions = DEFAULT_OPTIONS) -> RecordReader:
    """Open a path, "-" (stdin) or a binary stream as an iterator of records and rejects, in bounded memory.

    A folder is a ConvoKit corpus. A binary stream that the caller opened stays open.

    Raises:
        MiCoderError: the source cannot be opened, its format cannot be told, or its header is unusable. While reading:
            the disk fails, or a compressed source passes `max_decompressed`.
    """
    format = checked_format(options.format) if options.format else None
    if isinstance(source, str | os.PathLike) and source != "-":
        if Path(source).is_dir():
            source, format = utterances_file(Path(source)), "convokit"
        format = format or format_of_path(source)
    elif format == "convokit":
        raise MiCoderError("A ConvoKit corpus is a folder: name it instead of stdin or a stream.")
    opened = open_source(source, options.max_decompressed)
    try:
        with _disk_errors(opened.name):
            format = format or format_of_bytes(opened, source, options)
            rows, fields = _reader_of(format)(opened, options)
    except BaseException:
        opened.close()
        raise
    if format in _WITH_OWN_FIELDS:
        options = replace(options, text_field=None, role_field=None, conversation_field=None)
    elif format in DELIMITERS and fields:
        options = _with_columns(options, fields)
    return RecordReader(opened.name, format, fields, _watched(rows, opened.name), options, opened.close)


def _with_columns(options: ReadOptions, header: tuple[str, ...]) -> ReadOptions:
    """Options that name the columns as the header spells them."""
    return replace(
        options,
        text_field=column_of(header, names_of("text", options.text_field)),
        role_field=column_of(header, names_of("role", options.role_field)),
        conversation_field=column_of(header, names_of("conversation_id", options.conversation_field)),
    )


def _watched(rows: Iterator[Row], name: str) -> Iterator[Row]:
    with _disk_errors(name):
        yield from rows


@contextmanager
def _disk_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MiCoderError(f"{name}: reading failed: {error.strerror or error}.") from error
