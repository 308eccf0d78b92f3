"""The last steps of a run. Each can be repeated, so a kill between any two of them does no harm."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mi_coder.batch.meta import Meta
from mi_coder.batch.output import output_format
from mi_coder.batch.paths import RunPaths
from mi_coder.formats.atomic import atomic_file, permissions, place, sync_folder
from mi_coder.formats.compress import compression_of
from mi_coder.formats.writing import write_records


def finish(paths: RunPaths, meta: Meta, columns: Sequence[str] = ()) -> None:
    """Give the finished parts their names: rejects, sidecar, output; the journal goes last.

    Args:
        columns: what the output has for columns even where no record has them, if it is a table.
    """
    if paths.part.exists():
        _place_rejects(paths, meta)
        with atomic_file(paths.meta) as file:
            file.write(msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n")
        _place_output(paths, columns, csv_guard=bool(meta.fingerprint.options["csv_guard"]))
    paths.journal.unlink(missing_ok=True)
    sync_folder(paths.output.parent)


def clear(paths: RunPaths) -> None:
    """Remove what a run left that has finished no record; the journal goes last, as it says whose the others are."""
    for path in (paths.part, paths.rejects_part, paths.journal):
        path.unlink(missing_ok=True)


def _place_rejects(paths: RunPaths, meta: Meta) -> None:
    if meta.counts.rejected == 0:
        paths.rejects_part.unlink(missing_ok=True)
        paths.rejects.unlink(missing_ok=True)
    elif paths.rejects_part.exists():
        place(paths.rejects_part, paths.rejects, permissions(paths.rejects, [Path(paths.source)]))


def _place_output(paths: RunPaths, columns: Sequence[str], csv_guard: bool) -> None:
    """Rename the part, or write it anew where the output is not plain JSON Lines."""
    format, compression = output_format(paths.output), compression_of(paths.output)
    mode = permissions(paths.output, [Path(paths.source)])
    if format == "jsonl" and compression is None:
        place(paths.part, paths.output, mode)
        return
    with atomic_file(paths.output, mode) as sink:
        write_records(lambda: _rows(paths.part), sink, format, compression, columns, csv_guard=csv_guard)
    paths.part.unlink()


def _rows(part: Path) -> Iterator[dict[str, Any]]:
    decode = msgspec.json.Decoder().decode
    with part.open("rb") as lines:
        yield from map(decode, lines)
