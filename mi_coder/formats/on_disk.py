"""What is read more than once must be a file: a pipe is empty the second time."""

import os
from pathlib import Path

from mi_coder.errors import UsageProblem

_STDIN = "-"


def check_on_disk(*paths: str | os.PathLike[str]) -> None:
    """Refuse what can be read only once. A file that is not there, or a folder, is not refused here.

    Raises:
        UsageProblem: one of the paths is a pipe, a device or standard input.
    """
    for path in paths:
        if not is_on_disk(path):
            raise UsageProblem(f"{path} is not a file on disk, and it is read more than once. Save it as a file first.")


def is_on_disk(path: str | os.PathLike[str]) -> bool:
    """Whether a path is neither a pipe, a device nor standard input; one that is not there is none of them."""
    path = Path(path)
    return str(path) != _STDIN and (path.is_file() or path.is_dir() or not path.exists())
