"""A file that a verb is to write."""

from collections.abc import Callable, Iterable
from pathlib import Path

from mi_coder.errors import UsageProblem


def new_file(
    path: Path,
    force: bool,
    inputs: Iterable[Path] = (),
    ours: Callable[[Path], bool] = lambda path: False,
) -> Path:
    """`path`, with its folder made where it is missing.

    Args:
        force: write over a file that is there.
        inputs: files that are read and thus never written.
        ours: whether a file that is there may be replaced all the same.

    Raises:
        UsageProblem: it is -, an input, a link, no regular file, or there already without `force`; or its folder cannot
            be made.
    """
    from mi_coder.batch.paths import identity

    if str(path) == "-":
        raise UsageProblem("- is no name for a file here. Name a file.")
    if identity(path) in map(identity, inputs):
        raise UsageProblem(f"{path} is an input. Name another file.")
    if path.is_symlink():
        raise UsageProblem(f"{path} is a link. Name the file itself.")
    try:
        if path.exists():
            if not path.is_file():
                raise UsageProblem(f"{path} is no file but a folder, pipe or device. Name a file.")
            if not force and not ours(path):
                raise UsageProblem(f"{path} exists. Write over it with --force, or name another file.")
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be written: {error.strerror}.") from error
    return path
