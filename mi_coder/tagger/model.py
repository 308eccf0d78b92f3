"""Finds and checks a model folder before anything in it is run."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mi_coder.codebook import Codebook
from mi_coder.tagger.config import (
    ASKING_FILE,
    CONFIG_FILE,
    MODEL_FILE,
    BadModel,
    ModelConfig,
    config_bytes,
    decode_config,
)

BUNDLED = Path(__file__).parent / "default"

# The largest file that is read; an encoder of the base size has half of it as 32-bit floats.
_MAX_BYTES = 2_000_000_000

# How a tensor in an ONNX file begins to say in which other file its numbers are: a key, after its length.
_LOCATION = b"\x08location"
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model folder that was found sound.

    Attributes:
        digests: SHA-256 (hex) by file name of everything that decides labels: `config.json`, `model.onnx`,
            `tokenizer.json` and, where there is one, `asking.json`.
    """

    path: Path
    config: ModelConfig
    digests: dict[str, str]

    @property
    def name(self) -> str:
        """Name, version and the start of the hash of its weights."""
        return f"{self.config.name} {self.config.version} ({self.config.files[MODEL_FILE][:8]})"


def open_model(folder: Path | None = None) -> ModelFolder:
    """The model in a folder, the bundled one where `folder` is None.

    Raises:
        BadModel: a file is missing, was altered or reads others, or the model was made for another codebook.
    """
    found = unchecked_model(folder or BUNDLED)
    for name, digest in found.config.files.items():
        path = found.path / name
        if not path.is_file():
            raise BadModel(f"{found.path}: the file {name!r} of the model is missing. Copy the whole folder again.")
        if path.stat().st_size > _MAX_BYTES or file_sha256(path) != digest:
            raise BadModel(
                f"{path} is not the file that the model was made with (its SHA-256 differs). "
                "Copy the whole folder again."
            )
    if reads_other_files(found.path / MODEL_FILE):
        raise BadModel(
            f"{found.path / MODEL_FILE} keeps weights in other files, which are not checked. Export the model again "
            "with `mi-code train`."
        )
    if ASKING_FILE not in found.config.files and (found.path / ASKING_FILE).exists():
        raise BadModel(
            f"{found.path / ASKING_FILE} is no file of this model. Remove it, or copy the whole folder again."
        )
    book = Codebook.load()
    if found.config.codebook == book.hash and tuple(found.config.codes) != book.ids:
        raise BadModel(
            f"{found.path / CONFIG_FILE}: its codes are not those of its codebook. Copy the whole folder again."
        )
    if found.config.codebook != book.hash:
        raise BadModel(
            f"{found.path / CONFIG_FILE}: the model was made for the codebook {found.config.codebook}, "
            f"this version has {book.hash}. "
            "Train it again with `mi-code train`, or use the version of mi-coder that made it."
        )
    return found


def unchecked_model(folder: Path) -> ModelFolder:
    """What the `config.json` of a folder says, without a look at the other files.

    Raises:
        BadModel: `config.json` is missing, malformed or of another format.
    """
    data = config_bytes(folder)
    config = decode_config(data, folder / CONFIG_FILE)
    return ModelFolder(folder, config, {CONFIG_FILE: hashlib.sha256(data).hexdigest(), **config.files})


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reads_other_files(path: Path) -> bool:
    """Whether weights of an ONNX file are in other files ("external data"), which no hash covers."""
    end = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if _LOCATION in end + block:
                return True
            end = block[-len(_LOCATION) :]
    return False
