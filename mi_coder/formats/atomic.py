"""Files that appear whole or not at all."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Literal

from mi_coder.errors import MiCoderError

PRIVATE = 0o600
"""Permissions of a file that is still being written: its owner's alone."""

_TOKEN_BYTES = 4


def open_private(path: Path, mode: Literal["xb", "r+b"]) -> BinaryIO:
    """Open a file and make it, private, where it is missing. A symbolic link is not followed.

    Raises:
        OSError: it cannot be opened.
    """
    no_link = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | no_link, PRIVATE))


def permissions(path: Path, texts: Iterable[Path] = ()) -> int:
    """Those of the file that `path` will be: of the file there now, else of any new file.

    Args:
        texts: files, or folders of files, whose text will be in it. What they keep from others it keeps from others
            too; standard input and pipes keep nothing.
    """
    mask = os.umask(0o077)
    os.umask(mask)
    mode = _mode(path, 0o666 & ~mask)
    for each in texts:
        for file in each.iterdir() if each.is_dir() else [each]:
            mode &= PRIVATE | _mode(file, 0o777)
    return mode


def _mode(path: Path, otherwise: int) -> int:
    """The permissions of a regular file, or `otherwise` where there is none, as behind a link that leads nowhere."""
    with suppress(OSError):
        state = path.stat()
        if stat.S_ISREG(state.st_mode):
            return stat.S_IMODE(state.st_mode)
    return otherwise


@contextmanager
def atomic_file(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` when the block ends well and vanishes when it does not.

    Until then it is private and has a name that no other file has.

    Args:
        mode: its permissions in the end; None for `permissions(path)`.

    Raises:
        MiCoderError: the folder cannot be written to, or `path` is a symbolic link.
    """
    if path.is_symlink():
        raise MiCoderError(f"{path}: is a symbolic link. Name the file itself.")
    part = path.with_name(f".{path.name}-{token_hex(_TOKEN_BYTES)}.tmp")
    try:
        file = open_private(part, "xb")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        place(part, path, permissions(path) if mode is None else mode)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def place(part: Path, path: Path, mode: int) -> None:
    """Give a finished file its name and its permissions."""
    with suppress(OSError):
        part.chmod(mode)
    part.replace(path)


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
