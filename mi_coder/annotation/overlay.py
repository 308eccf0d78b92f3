"""Codes of a platform's own, beside those of the codebook, which they extend and never change.

The file (YAML or JSON) holds `title` and `codes`, each with `id`, `name`, `definition` and, if wanted, `hotkey` and
`example`. Own codes are shown in a column of their own and kept apart from the others in what is pulled, so that
agreement, training and evaluation of the codebook's codes do not depend on them.
"""

import re
from pathlib import Path

import msgspec

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem, need

_ID = re.compile(r"[A-Z][A-Z0-9_-]{0,15}")


class OwnCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One code of the platform's own; few keys are free, so it may go without a hotkey."""

    id: str
    name: str
    definition: str
    hotkey: str = ""
    example: str = ""


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The own codes and the title of their column."""

    title: str
    codes: tuple[OwnCode, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(code.id for code in self.codes)


def read_overlay(path: Path, book: Codebook) -> Overlay:
    """Read and check a file.

    Raises:
        UsageProblem: it is malformed, or a code takes the id or the name of another.
        MissingExtra: a YAML file and no package to read it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} cannot be read: {error}.") from None
    try:
        content = msgspec.json.decode(text) if path.suffix == ".json" else _yaml(text, path)
        overlay = msgspec.convert(content, Overlay)
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path}: {error}. An overlay has title and codes (id, name, definition).") from None
    for code in overlay.codes:
        if not _ID.fullmatch(code.id):
            raise UsageProblem(
                f"{path}: the id {code.id!r} must be at most 16 capitals, digits, - and _, and start with a capital."
            )
        if book.get(code.id) or book.get(code.name):
            raise UsageProblem(
                f"{path}: {code.id} ({code.name}) is a code of the codebook, which an overlay only extends."
            )
    for names in (overlay.ids, tuple(code.name for code in overlay.codes)):
        if twice := {name for name in names if names.count(name) > 1}:
            raise UsageProblem(f"{path}: {', '.join(sorted(twice))} is there twice.")
    return overlay


def _yaml(text: str, path: Path) -> object:
    yaml = need("yaml", extra="studio")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageProblem(f"{path} is not YAML: {getattr(error, 'problem', None) or 'malformed'}.") from None
