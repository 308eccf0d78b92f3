"""How a coding is written into the record of its message."""

from typing import Any, Literal

from mi_coder.conversation import Coding
from mi_coder.formats.fields import OUTPUT_FIELDS

Scores = Literal["chosen", "all", "none"]
SCORES: tuple[Scores, ...] = ("chosen", "all", "none")
_DIGITS = 4


def write_coding(message: dict[str, Any], coding: Coding, scores: Scores) -> None:
    """Add the fields of a coding to the decoded message; those of an earlier run are replaced."""
    for name in OUTPUT_FIELDS:
        message.pop(name, None)
    message.update(coding_fields(coding, scores))


def coding_fields(coding: Coding, scores: Scores) -> dict[str, Any]:
    """The output fields of a coding; those that say nothing are left out."""
    fields: dict[str, Any] = {"codes": list(coding.codes)}
    shown = coding.codes if scores == "chosen" else coding.scores if scores == "all" else ()
    if shown:
        fields["scores"] = {code: round(coding.scores[code], _DIGITS) for code in shown}
    for name in ("depth", "permission", "uncoded"):
        if (value := getattr(coding, name)) is not None:
            fields[name] = value
    if coding.review:
        fields["review"] = True
    if coding.sentences:
        fields["sentences"] = [
            {"start": part.start, "end": part.end, **coding_fields(part.coding, scores)} for part in coding.sentences
        ]
    return fields
