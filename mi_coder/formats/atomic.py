"""Files that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from mi_coder.errors import MiCoderError

_TOKEN_BYTES = 4


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` when the block ends well and vanishes when it does not.

    Until then it has a name that no other file has. Its permissions are those of the file that it replaces, or of any
    new file.

    Raises:
        MiCoderError: the folder cannot be written to, or `path` is a symbolic link.
    """
    if path.is_symlink():
        raise MiCoderError(f"{path}: is a symbolic link. Name the file itself.")
    part = path.with_name(f".{path.name}-{token_hex(_TOKEN_BYTES)}.tmp")
    try:
        file = part.open("xb")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with file:
            with suppress(OSError):
                shutil.copymode(path, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def remove_left_behind(*paths: Path) -> None:
    """Remove what `atomic_file` left of these files where its process was killed. No other process may write them."""
    for path in paths:
        name = re.compile(rf"\.{re.escape(path.name)}-[0-9a-f]{{{2 * _TOKEN_BYTES}}}\.tmp")
        for other in path.parent.iterdir():
            if name.fullmatch(other.name):
                other.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> MiCoderError:
    return MiCoderError(f"{path}: cannot be written: {error.strerror or error}.")
