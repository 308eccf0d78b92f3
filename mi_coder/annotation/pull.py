"""Writes the codings of an export as a file of stand-off codes, with all that is known of how they were given.

The file is the CSV that `mi_coder.corpora.standoff` reads, with further columns: `own` (a platform's own codes),
`comment`, `created`, `updated`, `seconds`, `suggestion`, `suggested`, `model`, `accepted`, `project`, `task` and
`annotation`. Confidence is 1 where the coder was unsure, else 3. No text of a message is in it, unless a coder quotes
it in a comment. Comments carry the guard against spreadsheet formulas (see `mi_coder.formats.guard`).
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import msgspec

from mi_coder.annotation.exports import Coded
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, StandoffMeta
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.guard import guard

MORE_COLUMNS = (
    "own",
    "comment",
    "created",
    "updated",
    "seconds",
    "suggestion",
    "suggested",
    "model",
    "accepted",
    "project",
    "task",
    "annotation",
)


def latest(codings: Iterable[Coded]) -> list[Coded]:
    """One coding per coder and message: the one changed last, in the order in which the messages came."""
    kept: dict[tuple[str, str], Coded] = {}
    for coding in codings:
        key = (coding.utterance_id, coding.coder)
        if key not in kept or (coding.updated, coding.annotation) > (kept[key].updated, kept[key].annotation):
            kept[key] = coding
    return list(kept.values())


def render_codings(codings: Iterable[Coded], round_name: str) -> str:
    """The text of the file."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*COLUMNS, *MORE_COLUMNS))
    table.writerows(_row(coding, round_name) for coding in codings)
    return text.getvalue()


def write_codings(path: Path, codings: Iterable[Coded], round_name: str, schema: str) -> None:
    """Write the file and its sidecar, each whole or not at all.

    Args:
        round_name: what tells this round of coding from others.
        schema: hash of the schema that the coders saw.
    """
    with atomic_file(path) as file:
        file.write(render_codings(codings, round_name).encode())
    meta = StandoffMeta(Codebook.load().hash, "people, in Label Studio", "message", schema)
    with atomic_file(path.with_name(path.name + ".meta.json")) as file:
        file.write(msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")


def _row(coding: Coded, round_name: str) -> list[object]:
    return [
        coding.conversation_id,
        coding.index,
        coding.text_hash,
        "+".join(coding.codes),
        coding.depth or "",
        coding.permission or "",
        coding.reason or "",
        coding.confidence,
        coding.coder,
        round_name,
        "+".join(coding.own),
        guard(coding.comment),
        coding.created,
        coding.updated,
        "" if coding.seconds is None else round(coding.seconds, 1),
        coding.suggestion,
        "+".join(coding.suggested),
        coding.model,
        "yes" if coding.accepted else "no",
        coding.project,
        coding.task,
        coding.annotation,
    ]
