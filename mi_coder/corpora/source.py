"""What every corpus shares: its description, finding its files, and reading them without losing or changing a row."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from mi_coder.errors import UsageProblem
from mi_coder.formats.compress import open_source
from mi_coder.formats.delimited import DelimitedRecords
from mi_coder.formats.guard import unguard
from mi_coder.formats.lines import read_lines
from mi_coder.formats.rejects import BadRecord

T = TypeVar("T")

MAX_ROW_BYTES = 1 << 20
MAX_OBJECT_BYTES = 16 << 20
_COUNT = re.compile("[0-9]{1,9}")


class CorpusInfo(msgspec.Struct, frozen=True):
    """A public data set: what it holds, under which terms, and whose codes its gold is.

    Attributes:
        folder: the corpus's folder inside a data root.
        files: files without which the corpus cannot be read.
        optional: files that add to it where they are present.
    """

    name: str
    title: str
    content: str
    license: str
    gold: str
    citation: str
    folder: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()


def locate(info: CorpusInfo, root: Path) -> Path:
    """The folder with the corpus's files: `root/<info.folder>`, or `root` itself.

    Raises:
        UsageProblem: a needed file is in neither.
    """
    folders = (root / info.folder, root)
    for folder in folders:
        if all((folder / name).is_file() for name in info.files):
            return folder
    if not root.is_dir():
        raise UsageProblem(f"The folder {root} does not exist. Pass the folder that contains {info.folder}/.")
    looked_in = folders[0] if folders[0].is_dir() else root
    missing = [name for name in info.files if not (looked_in / name).is_file()]
    raise UsageProblem(
        f"The corpus {info.name} lacks {', '.join(missing)} in {looked_in}.\n"
        f"Expected files: {', '.join(info.files)}"
        + (f" (and, if you have them: {', '.join(info.optional)})" if info.optional else "")
        + f".\nPass the data root that contains {info.folder}/, or the corpus folder itself."
    )


class Row(dict[str, str]):
    """The cells of a CSV row by their columns, and the place of the row for messages ("file:line")."""

    def __init__(self, cells: Iterable[tuple[str, str]], place: str) -> None:
        super().__init__(cells)
        self.place = place

    def problem(self, column: str, reason: str) -> UsageProblem:
        """What to raise for a cell that cannot be used. The reason never quotes the cell."""
        return UsageProblem(f"{self.place}: {column}: {reason}.")

    def one_of(self, column: str, allowed: Collection[str]) -> str:
        """A cell that has one of the allowed values.

        Raises:
            UsageProblem: it has another.
        """
        if self[column] not in allowed:
            raise self.problem(column, f"must be one of {', '.join(allowed)}")
        return self[column]

    def count(self, column: str) -> int:
        """A cell that holds a whole number from 0.

        Raises:
            UsageProblem: it does not.
        """
        if not _COUNT.fullmatch(self[column]):
            raise self.problem(column, "must be a whole number of at least 0")
        return int(self[column])

    def number(self, column: str) -> float | None:
        """A cell that holds a score, as `number` reads it.

        Raises:
            UsageProblem: it holds something else.
        """
        try:
            return number(self[column])
        except UsageProblem:
            raise self.problem(column, "must be a number or empty") from None


def read_rows(path: Path, columns: Sequence[str], guarded: bool = False, made_by: str = "") -> Iterator[Row]:
    """The rows of a CSV file (plain, .gz or .zst), cells as they are written: "NA" and "n/a" are text.

    Args:
        columns: columns that must be there.
        guarded: take off the guard of guard.py, as in files that mi-code writes.
        made_by: a sentence on where such files come from, for a file without the columns.

    Raises:
        UsageProblem: the file cannot be read, a column is missing or named twice, or a row is malformed: more or fewer
            cells than the header, not UTF-8, a NUL, a quote that does not close, or more than a mebibyte.
    """
    header: list[str] | None = None
    for line, cells in _records(path):
        place = f"{path}:{line}"
        if header is None:
            _check_header(cells, columns, place, made_by)
            header = cells
        elif len(cells) != len(header):
            raise UsageProblem(f"{place}: {len(cells)} cells where the header has {len(header)} columns.")
        else:
            yield Row(zip(header, map(unguard, cells) if guarded else cells, strict=True), place)
    if header is None:
        raise UsageProblem(f"{path} is empty. Expected columns: {', '.join(columns)}.")


def header_of(path: Path) -> list[str]:
    """The columns that a CSV file names; none where it is empty.

    Raises:
        UsageProblem: the file or its header cannot be read.
    """
    return next((cells for _, cells in _records(path)), [])


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file, header included, with the lines on which they start."""
    with closing(open_source(path)) as opened:
        for line, _, _, cells in DelimitedRecords(read_lines(opened.stream, MAX_ROW_BYTES), ",", MAX_ROW_BYTES):
            if isinstance(cells, BadRecord):
                reason = "the row is longer than a mebibyte" if cells.code == "line_too_long" else cells.reason
                raise UsageProblem(f"{path}:{line}: {reason}")
            if cells is not None:
                yield line, cells


def _check_header(header: Sequence[str], columns: Sequence[str], place: str, made_by: str) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        named = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        separated = "They are separated by commas." if len(header) == 1 else ""
        told = (f"{place}: no {named}. Expected columns: {', '.join(columns)}.", separated, made_by)
        raise UsageProblem(" ".join(filter(None, told)))
    if len(set(header)) < len(header):
        raise UsageProblem(f"{place}: the header names a column twice.")


def read_objects(path: Path, of: type[T]) -> Iterator[T]:
    """The objects of a JSONL file (plain, .gz or .zst), checked against the struct `of`.

    Raises:
        UsageProblem: the file cannot be read, or a line is not such an object; names file, line and field.
    """
    decoder = msgspec.json.Decoder(of)
    with closing(open_source(path)) as opened:
        for number, _, _, line in read_lines(opened.stream, MAX_OBJECT_BYTES):
            if isinstance(line, BadRecord):
                raise UsageProblem(f"{path}:{number}: {line.reason}")
            try:
                yield decoder.decode(line)
            except UnicodeDecodeError:
                raise UsageProblem(f"{path}:{number}: the line is not UTF-8") from None
            except (msgspec.DecodeError, RecursionError) as error:
                raise UsageProblem(f"{path}:{number}: {error}") from None


def number(text: str | None) -> float | None:
    """A score written as text; whole numbers as int. Missing, empty and infinite values are None.

    Raises:
        UsageProblem: `text` is not a number.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise UsageProblem(
            "A score in the corpus is not a number: is this the file that its README describes?"
        ) from None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


def folded(text: str) -> str:
    """A text in which case and spacing no longer count."""
    return " ".join(text.casefold().split())


def group_id(corpus: str, shared: str) -> str:
    """A name for all conversations with the same `shared` text, which it does not reveal."""
    return f"{corpus}-group-{sha256(shared.encode()).hexdigest()[:12]}"
