"""Writes the codings of an export as a file of stand-off codes, with all that is known of how they were given.

The file is the CSV that `mi_coder.corpora.standoff` reads, with further columns: `own` (a platform's own codes),
`comment`, `created`, `updated`, `seconds`, `suggestion`, `suggested`, `model`, `accepted`, `project`, `task` and
`annotation`. Confidence is 1 where the coder was unsure, else 3. No text of a message is in it, unless a coder quotes
it in a comment. Texts carry the guard against spreadsheet formulas (see `mi_coder.formats.guard`).
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from mi_coder.annotation.exports import Coded, Export, Problem
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, StandoffMeta, sidecar_of
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.guard import guard_cell

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


Given = TypeVar("Given", bound=Coded | Problem)


@dataclass(frozen=True, slots=True)
class Newest:
    """What each coder says last of each message.

    Attributes:
        codings: in the order in which the messages came.
        unusable: newest annotations that are no coding; older codings do not count in their place.
        older: how many codings are left aside because of a newer annotation by the same coder.
        differing: how many of the older ones say something else than the newest.
    """

    codings: tuple[Coded, ...]
    unusable: tuple[Problem, ...]
    older: int
    differing: int

    @property
    def told(self) -> str:
        """What to say of the older codings; empty without any."""
        if not self.older:
            return ""
        return (
            f"{self.older} older codings left out: the same coder has a newer one of the message ({self.differing} of "
            "them with different codes)"
        )


def newest(exports: Iterable[Export]) -> Newest:
    """The newest annotations of some projects, one per coder and message."""
    exports = list(exports)
    given = [coding for export in exports for coding in export.codings]
    problems = [problem for export in exports for problem in export.problems if problem.utterance_id]
    annotations: list[Coded | Problem] = [*given, *problems]
    last = {(one.utterance_id, one.coder): one for one in latest(annotations)}
    older = [(one, kept) for one in given if (kept := last[one.utterance_id, one.coder]) is not one]
    return Newest(
        codings=tuple(one for one in last.values() if isinstance(one, Coded)),
        unusable=tuple(one for one in last.values() if isinstance(one, Problem)),
        older=len(older),
        differing=sum(not (isinstance(kept, Coded) and _alike(one, kept)) for one, kept in older),
    )


def latest(given: Iterable[Given]) -> list[Given]:
    """One per coder and message: the one changed last, in the order in which the messages came."""
    kept: dict[tuple[str, str], Given] = {}
    for one in given:
        key = (one.utterance_id, one.coder)
        if key not in kept or (one.updated, one.annotation) > (kept[key].updated, kept[key].annotation):
            kept[key] = one
    return list(kept.values())


def planted_file(path: Path) -> Path:
    """Where the codings of planted messages go: beside the file of codes, as NAME.planted.csv."""
    return path.with_name(f"{path.stem}.planted{path.suffix}")


def render_codings(codings: Iterable[Coded], round_name: str) -> str:
    """The text of the file."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*COLUMNS, *MORE_COLUMNS))
    table.writerows(map(guard_cell, _row(coding, round_name)) for coding in codings)
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
    with atomic_file(sidecar_of(path)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")


def remove_codings(path: Path) -> bool:
    """Remove a file of codings and its sidecar; whether the file was there."""
    was_there = path.exists()
    path.unlink(missing_ok=True)
    sidecar_of(path).unlink(missing_ok=True)
    return was_there


def _alike(one: Coded, other: Coded) -> bool:
    return one.gold == other.gold and set(one.own) == set(other.own)


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
        coding.comment,
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
