"""The two growing files of a run, kept in step with its journal."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from mi_coder.batch.journal import Journal, write_journal
from mi_coder.batch.paths import RunPaths
from mi_coder.batch.problems import Refused, Remedy
from mi_coder.formats import Record, Reject
from mi_coder.formats.atomic import open_private

_encoder = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """The output line of a record."""
    return _encoder.encode(record.data) + b"\n"


class Parts:
    """Opens both part files at the checkpoint of `journal`, cutting off what was written after it.

    Raises:
        Refused: they hold less than the journal says.
    """

    def __init__(self, paths: RunPaths, journal: Journal) -> None:
        self._paths = paths
        with ExitStack() as stack:
            self._output = stack.enter_context(_open_at(paths.part, journal.output_bytes))
            self._rejects = stack.enter_context(_open_at(paths.rejects_part, journal.reject_bytes))
            self._output.truncate()
            self._rejects.truncate()
            self._files = stack.pop_all()

    def write(self, items: list[Record | Reject]) -> None:
        """Append finished records and rejects, each to its file."""
        for item in items:
            if isinstance(item, Reject):
                self._rejects.write(item.to_json() + b"\n")
            else:
                self._output.write(encode(item))

    def checkpoint(self, journal: Journal) -> None:
        """Bring both files to the disk, then the journal with their sizes."""
        for file in (self._output, self._rejects):
            file.flush()
            os.fsync(file.fileno())
        sized = msgspec.structs.replace(journal, output_bytes=self._output.tell(), reject_bytes=self._rejects.tell())
        write_journal(self._paths.journal, sized)

    def close(self) -> None:
        """Close both files; what was written since the last checkpoint stays."""
        self._files.close()


def _open_at(path: Path, size: int) -> BinaryIO:
    """Open for writing at `size` without cutting; the file may not be shorter. At 0 it is a new, private one."""
    if size == 0:
        path.unlink(missing_ok=True)
    file = open_private(path, "r+b")
    if file.seek(0, os.SEEK_END) < size:
        file.close()
        raise Refused(f"{path} is shorter than its journal says; the disk lost a part of it.", Remedy.RESTART)
    file.seek(size)
    return file
