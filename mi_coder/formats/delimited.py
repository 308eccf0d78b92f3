"""CSV and TSV with a header line. Quoted cells may run over several lines.

A leading ' before a risky character is a spreadsheet guard and is dropped (see guard.py). The columns of text,
role and conversation may differ from the known names in case and outer spaces.
"""

import csv
from collections import deque
from collections.abc import Iterator

from mi_coder.errors import MiCoderError
from mi_coder.formats.compress import ByteSource
from mi_coder.formats.fields import column_of, names_of
from mi_coder.formats.guard import unguard
from mi_coder.formats.lines import Line, not_utf8, read_lines
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord
from mi_coder.formats.rows import Row, Rows
from mi_coder.formats.sniff import DELIMITERS


def csv_rows(opened: ByteSource, options: ReadOptions) -> Rows:
    """Read the header and give the rows under it. Every value is a string.

    Raises:
        MiCoderError: the header cannot be read, names a column twice or lacks text, role or conversation.
    """
    return _table(opened, DELIMITERS["csv"], options)


def tsv_rows(opened: ByteSource, options: ReadOptions) -> Rows:
    """As `csv_rows`, with tabs between the cells."""
    return _table(opened, DELIMITERS["tsv"], options)


def _table(opened: ByteSource, delimiter: str, options: ReadOptions) -> Rows:
    name, limit = opened.name, options.max_line_bytes
    records = DelimitedRecords(read_lines(opened.stream, limit), delimiter, limit)
    leading: list[Row] = []
    for line, byte, end, values in records:
        if isinstance(values, BadRecord):
            raise MiCoderError(f"{name}:{line}: the header cannot be read: {values.reason}.")
        if values is not None:
            header = tuple(_unguarded(values, options))
            _check_header(header, f"{name}:{line}", options)
            return Rows(_rows(leading, records, header, options), header)
        leading.append((line, byte, end, None))
    return Rows(iter(leading))


def _check_header(header: tuple[str, ...], place: str, options: ReadOptions) -> None:
    chosen = {"conversation_id": options.conversation_field, "role": options.role_field, "text": options.text_field}
    for field, choice in chosen.items():
        names = names_of(field, choice)
        if column_of(header, names) is None:
            option = f"{field.removesuffix('_id')}_field"
            raise MiCoderError(
                f"{place}: the header has no column {' or '.join(map(repr, names))}.{_separated_otherwise(header)} "
                f"The first line must name the columns; say which one it is with "
                f"--{option.replace('_', '-')} NAME (in Python: ReadOptions({option}=NAME))."
            )
    if len(set(header)) < len(header):
        raise MiCoderError(f"{place}: the header names a column twice.")


def _separated_otherwise(header: tuple[str, ...]) -> str:
    """What to do with a table whose whole header ended up in one column."""
    advice = {
        ";": "save it with commas, or as TSV",
        ",": "read it with --format csv",
        "\t": "read it with --format tsv",
    }
    if len(header) == 1:
        for separator, mend in advice.items():
            if separator in header[0]:
                return f" Its columns are separated by {separator!r}: {mend}."
    return ""


def _rows(
    leading: list[Row], records: "DelimitedRecords", header: tuple[str, ...], options: ReadOptions
) -> Iterator[Row]:
    yield from leading
    for line, byte, end, values in records:
        if values is None or isinstance(values, BadRecord):
            yield line, byte, end, values
        elif len(values) != len(header):
            bad = BadRecord("column_count", f"{len(values)} columns where the header has {len(header)}")
            yield line, byte, end, bad
        else:
            yield line, byte, end, dict(zip(header, _unguarded(values, options), strict=True))


def _unguarded(cells: list[str], options: ReadOptions) -> list[str]:
    return [unguard(cell) for cell in cells] if options.csv_guard else cells


class DelimitedRecords:
    """Iterator over (line, byte, end, cells); the cells are None for a blank line and a BadRecord for a broken record.

    A quote that never closes would swallow good lines. So only the line where a broken record starts is turned away,
    and the lines after it are read again.
    """

    def __init__(self, lines: Iterator[Line], delimiter: str, limit: int) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), limit))
        self._feed = _Feed(lines, limit)
        self._records = self._read(csv.reader(self._feed, delimiter=delimiter, strict=True))

    def __iter__(self) -> Iterator[tuple[int, int, int, list[str] | BadRecord | None]]:
        return self._records

    def _read(self, parser: Iterator[list[str]]) -> Iterator[tuple[int, int, int, list[str] | BadRecord | None]]:
        feed = self._feed
        while True:
            feed.begin_record()
            try:
                cells = next(parser)
            except StopIteration:
                break
            except csv.Error:
                number, byte, end, _ = feed.taken[0]
                yield number, byte, end, feed.diagnose()
                feed.give_back()
                continue
            number, byte, end, content = feed.taken[0]
            if feed.problem:
                yield number, byte, feed.taken[-1][2], feed.problem
            elif len(feed.taken) == 1 and isinstance(content, bytes) and not content.strip():
                yield number, byte, end, None
            else:
                yield number, byte, feed.taken[-1][2], cells
        if feed.damage:
            number, byte, end, problem = feed.damage
            yield number, byte, end, problem


class _Feed:
    """Gives decoded lines to the CSV parser, and remembers the lines that the current record took.

    Attributes:
        taken: those lines.
        problem: why one of them could not be decoded.
        damage: the place where a compressed file breaks off.
    """

    def __init__(self, lines: Iterator[Line], limit: int) -> None:
        self._lines = lines
        self._limit = limit
        self._again: deque[Line] = deque()
        self._unclosed = False
        self.taken: list[Line] = []
        self.problem: BadRecord | None = None
        self.damage: tuple[int, int, int, BadRecord] | None = None

    def begin_record(self) -> None:
        self.taken = []
        self.problem = None
        self._unclosed = False

    def give_back(self) -> None:
        """Have every line but the first of the current record read again."""
        self._again.extendleft(reversed(self.taken[1:]))

    def diagnose(self) -> BadRecord:
        """Why the parser refused the current record."""
        if self.problem and len(self.taken) == 1:
            return self.problem
        if self._unclosed:
            return BadRecord("unclosed_quote", "a quote opens in this record and does not close")
        return BadRecord(
            "invalid_csv", "a quoted cell must end before the next delimiter; write quotes inside it twice"
        )

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next_line()
        if line is None:
            self._unclosed = True
            raise StopIteration
        self.taken.append(line)
        if line[2] - self.taken[0][1] > self._limit and len(self.taken) > 1:
            self._unclosed = True
            raise csv.Error
        return self._decode(line[3])

    def _next_line(self) -> Line | None:
        line = next(self._lines, None)
        if line and isinstance(line[3], BadRecord) and line[3].code != "line_too_long":
            self.damage = (*line[:3], line[3])
            return None
        return line

    def _decode(self, content: bytes | BadRecord) -> str:
        """The text of a line; where it is unusable, something that keeps the parser's place."""
        if isinstance(content, BadRecord):
            self.problem = self.problem or content
            return "\n"
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            self.problem = self.problem or not_utf8(content, error)
            text = content.decode("utf-8", "replace")
        if "\0" in text:
            self.problem = self.problem or BadRecord("nul_byte", "a line contains a raw NUL byte")
        return text
