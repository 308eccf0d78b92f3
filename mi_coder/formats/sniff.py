"""Which format a source has: by its name, or by its first bytes where the name does not say."""

import os
from pathlib import Path

from mi_coder.errors import MiCoderError, UnknownName, did_you_mean
from mi_coder.formats.compress import CODECS, ByteSource, Source, cannot_open
from mi_coder.formats.fields import column_of, names_of
from mi_coder.formats.lines import BOM, UTF16_ADVICE, UTF16_BOMS
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord

FORMATS = ("jsonl", "csv", "tsv", "parquet", "convokit", "chat-text")
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
PARQUET_MAGIC = b"PAR1"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTTERANCES = "utterances.jsonl"
_MOST_BESIDE = 256 << 20
_CHAT_LINES = 20


class UnknownFormat(MiCoderError):
    """A file of which neither the name nor the first bytes tell the format."""


def checked_format(name: str) -> str:
    """Return a format name that exists.

    Raises:
        UnknownName: there is no such format.
    """
    if name not in FORMATS:
        raise UnknownName(
            f"There is no format {name!r}. The formats are {', '.join(FORMATS)}.{did_you_mean(name, FORMATS)}"
        )
    return name


def format_of_path(path: str | os.PathLike[str]) -> str | None:
    """The format that the suffix of a path names, .gz and .zst aside, or None."""
    suffixes = [suffix.casefold() for suffix in Path(path).suffixes]
    if suffixes and suffixes[-1].removeprefix(".") in CODECS:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def utterances_file(folder: Path) -> Path:
    """The file that holds the utterances of a ConvoKit corpus, the only format that is a folder.

    Raises:
        MiCoderError: the folder has none.
    """
    path = folder / _UTTERANCES
    if not path.is_file():
        raise MiCoderError(
            f"{folder}: a folder is read as a ConvoKit corpus, but it has no {_UTTERANCES}. Name a file instead."
        )
    return path


def read_beside(path: Path) -> bytes | None:
    """A file on speakers or conversations, which a ConvoKit corpus has beside its utterances or not.

    Raises:
        MiCoderError: it is no regular file, too large to be held in memory, or cannot be opened.
    """
    try:
        if path.exists() and not path.is_file():
            raise MiCoderError(f"{path} is a folder, pipe or device, not a file.")
        if path.stat().st_size > _MOST_BESIDE:
            raise MiCoderError(
                f"{path} is larger than {_MOST_BESIDE >> 20} MiB, and it is read into memory whole. Remove entries or "
                "fields that you do not need."
            )
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_open(str(path), error) from error


def format_of_bytes(opened: ByteSource, source: Source, options: ReadOptions) -> str:
    """The format of an open source, whose first bytes are looked at but not taken.

    Streams that tell nothing are read as JSONL, the canonical format; a file must tell, by its suffix or its content.

    Raises:
        UnknownFormat: the format of a file cannot be detected.
        MiCoderError: it is a workbook, or is UTF-16.
    """
    head = _head(opened).removeprefix(BOM).lstrip()
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    if head.startswith(b"{"):
        return "jsonl"
    columns = head.partition(b"\n")[0].strip()
    for name, delimiter in DELIMITERS.items():
        if _is_header(columns, delimiter.encode(), options):
            return name
    if head.startswith(UTF16_BOMS):
        raise MiCoderError(f"{opened.name}: {UTF16_ADVICE}.")
    if head.startswith(_WORKBOOKS):
        raise MiCoderError(
            f"{opened.name}: this looks like an Excel workbook, or a ZIP archive. Save the sheet as CSV UTF-8; unpack "
            "an archive first."
        )
    speakers = _speakers(head)
    if any(map(options.roles.role, speakers)):
        return "chat-text"
    if not head or source == "-" or not isinstance(source, str | os.PathLike):
        return "jsonl"
    raise UnknownFormat(
        f"{opened.name}: the format cannot be detected from the name or the first bytes. Give the file a name that "
        "ends in .jsonl, .csv, .tsv or .parquet, or name the format with --format where the command has it: "
        f"{', '.join(FORMATS)} (chat-text for pasted chats).{_advice(head, speakers)}"
    )


def _head(opened: ByteSource) -> bytes:
    try:
        return opened.stream.peek(1)
    except BadRecord:
        return b""


def _speakers(head: bytes) -> list[str]:
    """Who speaks in the first lines, if these are a pasted chat."""
    from mi_coder.formats.chat_text import speaker_of

    lines = head.decode("utf-8", "replace").splitlines()[:_CHAT_LINES]
    return [speaker for speaker in map(speaker_of, lines) if speaker]


def _advice(head: bytes, speakers: list[str]) -> str:
    """What mends a file that looks like a pasted chat of people whose roles are not known, or like a JSON list."""
    if speakers:
        return (
            " If it is a pasted chat: say who is who with --role NAME=counselor and --role NAME=client, once for each "
            "name before a colon (in Python roles=RoleTable().extended({NAME: ROLE}) of ReadOptions)."
        )
    if head.startswith(b"["):
        return " If it is a JSON list: make JSON Lines of it with `jq -c '.[]' FILE > FILE.jsonl`."
    return ""


def _is_header(line: bytes, delimiter: bytes, options: ReadOptions) -> bool:
    columns = [column.strip(b'"').decode("utf-8", "replace") for column in line.split(delimiter)]
    return all(
        column_of(columns, names) is not None
        for names in (names_of("text", options.text_field), names_of("role", options.role_field))
    )
