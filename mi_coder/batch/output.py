"""What can be written where: asked before anything is read."""

from pathlib import Path

from mi_coder.errors import UsageProblem
from mi_coder.formats.compress import compression_of
from mi_coder.formats.sniff import format_of_path
from mi_coder.formats.writing import check_writable_file


def output_format(path: Path) -> str:
    """The format that the name of an output asks for; a name without a suffix asks for JSON Lines.

    Raises:
        UsageProblem: the suffix names no format.
    """
    format = format_of_path(path)
    plain = path.with_suffix("") if compression_of(path) else path
    if format is None and plain.suffix:
        raise UsageProblem(
            f"{path}: {plain.suffix} cannot be written. "
            "Name the output .jsonl, .csv or .tsv, each also with .gz or .zst, or .parquet."
        )
    return format or "jsonl"


def check_output(path: Path) -> None:
    """Ask whether an output can be written: its format, the packages for it, and what has its name now.

    Raises:
        MissingExtra: a package is missing.
        MiCoderError: it cannot.
    """
    check_writable_file(path, output_format(path))
    if path.is_symlink():
        raise UsageProblem(f"{path} is a link; writing would replace it. Name the file that it points to.")
    if path.exists() and not path.is_file():
        raise UsageProblem(f"{path} is a folder, pipe or device. Name a file (- is standard output).")
