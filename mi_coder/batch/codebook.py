"""By which codebook files were tagged, as their sidecars say."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from mi_coder.batch.paths import STDIO, RunPaths
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem


class _Sidecar(msgspec.Struct, frozen=True):
    codebook: str


def check_codebook(paths: Iterable[str | Path]) -> None:
    """Refuse files that were tagged by another codebook.

    Standard input, and files without a sidecar that can be read, are taken as they are.

    Raises:
        UsageProblem: the codebook is another one, with the command that fixes it.
    """
    for path in paths:
        tagged_by = _codebook_of(Path(path))
        if tagged_by and tagged_by != Codebook.load().hash:
            raise UsageProblem(
                f"{path} was tagged by another codebook ({tagged_by}; this one is {Codebook.load().hash}): codes "
                "may mean something else. Tag the chats again with mi-code tag."
            )


def _codebook_of(path: Path) -> str:
    if path == Path(STDIO):
        return ""
    try:
        return msgspec.json.decode(RunPaths(STDIO, path).meta.read_bytes(), type=_Sidecar).codebook
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
