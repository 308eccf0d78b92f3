"""One run at a time for each output."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mi_coder.batch.paths import RunPaths
from mi_coder.errors import UsageProblem


@contextmanager
def exclusive(paths: RunPaths) -> Iterator[None]:
    """Hold the lock file of an output. The system lets go of it when the process ends, however it ends.

    Where the system has no flock (Windows), nothing is held.

    Raises:
        UsageProblem: another run writes the output now.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    while True:
        with paths.lock.open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageProblem(
                    f"Another run is writing {paths.output} now. Wait for it, or choose another -o."
                ) from None
            if not _is_at(paths.lock, file.fileno()):
                continue
            try:
                yield
            finally:
                paths.lock.unlink()
            return


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file still has its name: a run that just ended may have removed it before we held it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
