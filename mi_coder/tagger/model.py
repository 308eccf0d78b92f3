"""Finds and checks a model folder before anything in it is run."""

import hashlib
from pathlib import Path

from mi_coder.codebook import Codebook
from mi_coder.tagger.config import CONFIG_FILE, BadModel, ModelConfig, read_config

BUNDLED = Path(__file__).parent / "default"

# The largest file that is read; an encoder of the base size has half of it as 32-bit floats.
_MAX_BYTES = 2_000_000_000


def open_model(folder: Path | None = None) -> tuple[Path, ModelConfig]:
    """The folder and configuration of a model, the bundled one where `folder` is None.

    Raises:
        BadModel: a file is missing, was altered, or the model was made for another codebook.
    """
    found = folder or BUNDLED
    config = read_config(found)
    for name, digest in config.files.items():
        path = found / name
        if Path(name).name != name or not path.is_file():
            raise BadModel(f"{found}: the file {name!r} of the model is missing. Copy the whole folder again.")
        if path.stat().st_size > _MAX_BYTES or file_sha256(path) != digest:
            raise BadModel(
                f"{path} is not the file that the model was made with (its SHA-256 differs). "
                "Copy the whole folder again."
            )
    book = Codebook.load()
    if config.codebook != book.hash or tuple(config.codes) != book.ids:
        raise BadModel(
            f"{found / CONFIG_FILE}: the model was made for the codebook {config.codebook}, "
            f"this version has {book.hash}. "
            "Train it again with `mi-code train`, or use the version of mi-coder that made it."
        )
    return found, config


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
