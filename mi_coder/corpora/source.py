"""What every corpus shares: its description, finding its files, and reading them without losing or changing a row."""

import csv
import gzip
import math
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import IO, TypeVar

import msgspec

from mi_coder.errors import UsageProblem

T = TypeVar("T")


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
        raise UsageProblem(f"The folder {root} does not exist. Pass the folder that holds {info.folder}/.")
    looked_in = folders[0] if folders[0].is_dir() else root
    missing = [name for name in info.files if not (looked_in / name).is_file()]
    raise UsageProblem(
        f"The corpus {info.name} lacks {', '.join(missing)} in {looked_in}.\n"
        f"Expected files: {', '.join(info.files)}"
        + (f" (and, if you have them: {', '.join(info.optional)})" if info.optional else "")
        + f".\nPass the data root that holds {info.folder}/, or the corpus folder itself."
    )


def read_rows(
    path: Path, columns: Sequence[str], allowed: Mapping[str, Collection[str]] = MappingProxyType({})
) -> Iterator[dict[str, str]]:
    """The rows of a CSV file (plain or .gz), cells as they are written: "NA" and "n/a" are text.

    Args:
        columns: columns that must be there.
        allowed: by column, the values it may have.

    Raises:
        UsageProblem: a column is missing, a row has more or fewer cells than the header, or a value is not allowed.
    """
    with _opened(path) as stream:
        reader = csv.DictReader(stream)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise UsageProblem(f"{path}: no column {', '.join(missing)}. Expected columns: {', '.join(columns)}.")
        for row in reader:
            if None in row or None in row.values():
                raise UsageProblem(f"{path}:{reader.line_num}: not as many cells as the header has columns.")
            for column, values in allowed.items():
                if row[column] not in values:
                    raise UsageProblem(f"{path}:{reader.line_num}: {column} must be one of {', '.join(values)}.")
            yield row


def read_objects(path: Path, of: type[T]) -> Iterator[T]:
    """The objects of a JSONL file (plain or .gz), checked against the struct `of`.

    Raises:
        UsageProblem: a line is not such an object; names file, line and field.
    """
    decoder = msgspec.json.Decoder(of)
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise UsageProblem(f"{path}:{number}: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as stream:
            yield stream
    except UnicodeDecodeError:
        raise UsageProblem(f"{path} is not UTF-8 text. Fetch the file again from its source.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UsageProblem(f"{path} is not a whole gzip file. Fetch the file again from its source.") from None


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
