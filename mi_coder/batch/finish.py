"""The last steps of a run. Each can be repeated, so a kill between any two of them does no harm."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from mi_coder.batch.meta import Meta
from mi_coder.batch.paths import RunPaths
from mi_coder.formats.atomic import atomic_file, sync_folder
from mi_coder.formats.compress import compression_of
from mi_coder.formats.sniff import format_of_path
from mi_coder.formats.writing import open_writer


def finish(paths: RunPaths, meta: Meta) -> None:
    """Give the finished parts their names: rejects, sidecar, output; the journal goes last."""
    if paths.part.exists():
        _place_rejects(paths, meta)
        with atomic_file(paths.meta) as file:
            file.write(msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n")
        _place_output(paths)
    paths.journal.unlink(missing_ok=True)
    sync_folder(paths.output.parent)


def clear(paths: RunPaths) -> None:
    """Remove what an unfinished run left; the journal goes first, so that nothing half removed is ever resumed."""
    for path in (paths.journal, paths.part, paths.rejects_part):
        path.unlink(missing_ok=True)


def _place_rejects(paths: RunPaths, meta: Meta) -> None:
    if meta.counts.rejected == 0:
        paths.rejects_part.unlink(missing_ok=True)
        paths.rejects.unlink(missing_ok=True)
    elif paths.rejects_part.exists():
        paths.rejects_part.replace(paths.rejects)


def _place_output(paths: RunPaths) -> None:
    """Rename the part, or write it anew where the output is not plain JSON Lines."""
    format = format_of_path(paths.output) or "jsonl"
    if format == "jsonl" and compression_of(paths.output) is None:
        paths.part.replace(paths.output)
        return
    with atomic_file(paths.output) as sink:
        _convert(paths.part, sink, format, compression_of(paths.output))
    paths.part.unlink()


def _convert(part: Path, sink: BinaryIO, format: str, compress: str | None) -> None:
    """Write JSON Lines in another format. A table gets every field that any record has as a column."""
    fields = None if format == "jsonl" else list(dict.fromkeys(name for row in _rows(part) for name in row))
    with open_writer(sink, format, compress, fields) as writer:
        for row in _rows(part):
            writer.write(row)


def _rows(part: Path) -> Iterator[dict[str, Any]]:
    decode = msgspec.json.Decoder().decode
    with part.open("rb") as lines:
        yield from map(decode, lines)
