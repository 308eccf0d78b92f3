"""Writes a model folder, whole or not at all."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mi_coder.errors import UsageProblem
from mi_coder.tagger.config import ASKING_FILE, LOADED_FILES, MODEL_FILE, TOKENIZER_FILE
from mi_coder.tagger.model import file_sha256
from mi_coder.tagger.window import Tokens
from mi_coder.training.export import export_onnx, simplify
from mi_coder.training.model import Coder
from mi_coder.training.quantize import quantize_weights

ENCODER_FILE = "encoder.json"
"""The configuration of the encoder, as Transformers reads it: with it, training can go on from the folder."""


def refuse_existing(folder: Path) -> None:
    """Stop before the long work where its result could not be written.

    Raises:
        UsageProblem: the folder exists and is not empty, or is a file, or it cannot be made.
    """
    try:
        taken = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
        with TemporaryDirectory(dir=next(place for place in folder.absolute().parents if place.exists())):
            pass
    except OSError as error:
        raise UsageProblem(
            f"{folder} cannot be made: {error.strerror or error}. Name a folder in a place that you may write to with "
            "-o."
        ) from error
    if taken:
        raise UsageProblem(f"{folder} exists already. Name another folder with -o, or remove it first.")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name `folder` only when all went well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        filled = Path(temporary) / "model"
        filled.mkdir()
        yield filled
        if folder.is_dir():
            folder.rmdir()
        filled.rename(folder)


def write_model(
    model: Coder, codes: int, tokenizer: Path, config: Path, folder: Path, example: Sequence[Tokens], longest: int
) -> None:
    """Write `model.onnx` (checked against the trained one, then shrunk), `tokenizer.json` and `encoder.json`.

    Args:
        tokenizer, config: the files of the encoder.
        example, longest: as `export_onnx` takes them.

    Raises:
        ExportFailed: the exported model differs from the trained one.
    """
    with TemporaryDirectory(dir=folder.parent) as temporary:
        plain, simple = (Path(temporary) / name for name in ("plain.onnx", "simple.onnx"))
        export_onnx(model, codes, plain, example, longest)
        simplify(plain, simple)
        quantize_weights(simple, folder / MODEL_FILE)
    shutil.copyfile(tokenizer, folder / TOKENIZER_FILE)
    shutil.copyfile(config, folder / ENCODER_FILE)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 (hex) by name of the files that the tagger loads."""
    there = [*LOADED_FILES, *([ASKING_FILE] if (folder / ASKING_FILE).is_file() else [])]
    return {name: file_sha256(folder / name) for name in there}
