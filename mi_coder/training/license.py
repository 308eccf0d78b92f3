"""The license of a model folder, and the terms of what a model was made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.errors import MiCoderError
from mi_coder.training.sources import OWN_LICENSE, Source

LICENSE_FILE = "LICENSE"
LEGAL_CODE = "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode"

_BIND = "in this one too, and {} terms, which stand in the file LICENSE, bind whoever uses this one."
_WENT_ON = f"Training went on from the model {{}}: what that was trained on is {_BIND.format('its')}"
_TAUGHT = f"It learned what {{}} told of messages: what teachers were trained on is {_BIND.format('their')}"


@dataclass(frozen=True, slots=True)
class Licensed:
    """A model or an encoder from which a new model was made.

    Attributes:
        license: the text of its license; empty where its folder has none.
    """

    name: str
    license: str


def read_license(folder: Path) -> str:
    """The text of the license in a folder; empty where it has none.

    Raises:
        MiCoderError: the file cannot be read.
    """
    path = folder / LICENSE_FILE
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError as error:
        raise MiCoderError(
            f"{path}: cannot be read: {error.strerror or error}. What is made from {folder} carries it on."
        ) from error


def render_license(
    name: str,
    sources: Iterable[Source],
    base: str,
    went_on_from: Licensed | None = None,
    teachers: Sequence[Licensed] = (),
    encoder: Licensed | None = None,
) -> str:
    """The license of the folder: non-commercial where public corpora trained it, else left to the owner of the data.

    Of the licenses of what the model was made from, paragraphs that stand in the new one already are not repeated.

    Args:
        went_on_from: the model from which training went on.
        teachers: the models that it learned from.
        encoder: the encoder from which training started, where that was trained further and has a license.
    """
    sources = tuple(sources)
    cited = [f"{one.title}. License: {one.license}.{f' {one.citation}.' if one.citation else ''}" for one in sources]
    sections = [
        f"Terms of the model {name} in this folder",
        terms(sources, went_on_from.name if went_on_from else "", [one.name for one in teachers]),
        f"Trained on:\n{bullets(dict.fromkeys(cited))}",
        f"Training started from the encoder {base}, whose own license applies to it.",
    ]
    for one in dict.fromkeys(filter(None, (went_on_from, encoder, *teachers))):
        sections += [
            f"Terms of {one.name}, beside what stands above:",
            *_further(one.license.strip() or OWN_LICENSE, sections),
        ]
    return "\n\n".join(sections) + "\n"


def terms(sources: Iterable[Source], went_on_from: str = "", teachers: Sequence[str] = ()) -> str:
    """What a model may be used for, by what it was trained on and the names of the models that it was made from."""
    public = dict.fromkeys(one.title for one in sources if one.public)
    own = (
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International (CC BY-NC-SA 4.0), "
        f"because of the data it was trained on: {', '.join(public)}. Legal code: {LEGAL_CODE}"
        if public
        else "Trained on its owner's data."
    )
    inherited = [_WENT_ON.format(went_on_from)] if went_on_from else []
    inherited += [_TAUGHT.format(" and ".join(dict.fromkeys(teachers)))] if teachers else []
    if inherited:
        return "\n\n".join([own, *inherited])
    return own if public else f"{own[:-1]}: the owner of the data decides on the terms of use."


def bullets(lines: Iterable[str]) -> str:
    """The lines as a list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def _further(inherited: str, sections: Sequence[str]) -> list[str]:
    """The paragraphs of `inherited` that the sections do not hold, each once."""
    said = set("\n\n".join(sections).split("\n\n"))
    return [one for one in dict.fromkeys(inherited.split("\n\n")) if one not in said] or ["None."]
