"""One run at a time for each output."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mi_coder.batch.paths import RunPaths
from mi_coder.batch.problems import Refused, in_the_way


@contextmanager
def exclusive(paths: RunPaths) -> Iterator[bool]:
    """Hold the lock file of an output. The system lets go of it when the process ends, however it ends.

    It yields whether an earlier run may have been killed at work: a lock file was left. Where the system has no flock
    (Windows), nothing is held, and it yields True.

    Raises:
        Refused: another run writes the output now, or a file with some content has the name of the lock.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    if _is_foreign(paths.lock):
        raise in_the_way(paths.lock)
    left = paths.lock.exists()
    while True:
        with paths.lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(
                    f"Another run is writing {paths.output} now. Wait for it, or choose another output."
                ) from None
            if not _is_at(paths.lock, file.fileno()):
                continue
            try:
                yield left
            finally:
                paths.lock.unlink()
            return


def _is_foreign(path: Path) -> bool:
    """Whether something is there that is not the empty file that a run leaves."""
    with suppress(FileNotFoundError):
        state = path.lstat()
        return not stat.S_ISREG(state.st_mode) or state.st_size > 0
    return False


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file still has its name: a run that just ended may have removed it before we held it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
