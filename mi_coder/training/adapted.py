"""What an encoder that `mi-code adapt` trained further says of itself: `adapted.json` in its folder."""

from pathlib import Path

import msgspec

from mi_coder.errors import MiCoderError

ADAPTED_FILE = "adapted.json"


class Adapted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an adapted encoder comes from.

    Attributes:
        base: the encoder from which it started.
        training_ids: what is kept of the conversations that it read, sorted (see `mi_coder.evaluation.leak`). A model
            that starts from it keeps them too.
    """

    base: str
    training_ids: list[str]


def read_adapted(folder: Path) -> Adapted | None:
    """What the encoder in a folder says of itself; None where it was not adapted.

    Raises:
        MiCoderError: the file is malformed.
    """
    path = folder / ADAPTED_FILE
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Adapted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MiCoderError(f"{path}: {error}. Make the encoder again with `mi-code adapt`.") from error


def write_adapted(adapted: Adapted, folder: Path) -> None:
    """Write `adapted.json`."""
    (folder / ADAPTED_FILE).write_bytes(msgspec.json.encode(adapted))
