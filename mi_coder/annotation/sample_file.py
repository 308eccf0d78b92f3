"""Samples as files without text.

A CSV with one message to code a row: `conversation_id`, `index`, `inclusion_probability`, `design`, `seed`, `stratum`.
A drawn conversation has a row for each of its messages, which all have its probability. Beside it stands
`NAME.csv.meta.json` with how it was drawn and from what. Texts in the CSV carry the guard of guard.py.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mi_coder.annotation.designs import Planned, Request, probability
from mi_coder.annotation.population import Place, Population, UnitKind
from mi_coder.arrays import Indices
from mi_coder.corpora.source import read_rows
from mi_coder.corpora.standoff import sidecar_of
from mi_coder.errors import UsageProblem
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.compress import open_source
from mi_coder.formats.guard import guard_cell

COLUMNS = ("conversation_id", "index", "inclusion_probability", "design", "seed", "stratum")
LONGEST_ID = 200
_ID = re.compile(r".+#[0-9]{1,9}")


class Stratum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units a stratum has, and how many of them are drawn."""

    units: int
    drawn: int


class SampleMeta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sidecar of a sample.

    Attributes:
        units: units to draw from; `drawn` of them, with `messages` messages, are in the sample.
        left_out: units without text, coded already, and with the text of another.
        population: fingerprint of what there was to draw from.
        tagger: name, version and start of the hash of what scored the messages; empty where nothing did.
        codes: those that rare-code looked for.
        options: the other choices that decided the plan.
    """

    design: str
    unit: UnitKind
    seed: int
    units: int
    drawn: int
    messages: int
    left_out: dict[str, int]
    population: str
    tagger: str
    codes: tuple[str, ...]
    options: dict[str, str | int | float]
    strata: dict[str, Stratum]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One message of a sample, and how likely it was to come into it."""

    conversation_id: str
    index: int
    probability: float
    design: str
    stratum: str

    @property
    def place(self) -> Place:
        """Where the message is."""
        return self.conversation_id, self.index


def write_sample(
    path: Path, found: Population, request: Request, planned: Planned, drawn: Indices, tagger: str
) -> SampleMeta:
    """Write a sample and its sidecar, each whole or not at all.

    Args:
        drawn: numbers of the drawn units of `found`.
        tagger: what scored the messages.
    """
    plan = planned.plan
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for at in drawn:
        unit, probability = found.units[at], repr(float(plan.probabilities[at]))
        for place in unit.places:
            row = (unit.chat.id, place, probability, request.design, request.seed, plan.strata[at])
            table.writerow(map(guard_cell, row))
    held, taken = Counter(plan.strata), Counter(plan.strata[at] for at in drawn)
    meta = SampleMeta(
        design=request.design,
        unit=found.unit,
        seed=request.seed,
        units=len(found.units),
        drawn=len(drawn),
        messages=sum(len(found.units[at].places) for at in drawn),
        left_out={"empty": found.empty, "coded": found.coded, "duplicates": found.duplicates},
        population=found.hash,
        tagger=tagger,
        codes=planned.codes,
        options=_options(request),
        strata={name: Stratum(held[name], taken[name]) for name in sorted(held)},
    )
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())
    with atomic_file(sidecar_of(path)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")
    return meta


def read_sample(path: Path) -> list[Drawn]:
    """The rows of a sample.

    Raises:
        UsageProblem: the file cannot be read, lacks a column, names a message twice, or has a probability that is none.
    """
    rows = [
        Drawn(
            row["conversation_id"],
            row.count("index"),
            probability(row, "inclusion_probability"),
            row["design"],
            row["stratum"],
        )
        for row in read_rows(path, COLUMNS, guarded=True)
    ]
    if len({row.place for row in rows}) < len(rows):
        raise UsageProblem(
            f"{path}: a message comes twice. Use samples as `mi-code sample` writes them, one at a time."
        )
    return rows


def read_ids(path: Path) -> frozenset[str]:
    """Utterance ids (conversation_id#index) of a sample, known by its header, or of a list with one a line.

    Raises:
        UsageProblem: a sample that cannot be read, or a list that is not UTF-8 or has a line that is no id. Such a line
            is never quoted: the file may hold chats.
    """
    with closing(open_source(path)) as opened:
        content = opened.stream.read()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageProblem(
            f"{path} is not UTF-8. Save it as UTF-8: in an editor under the encoding, in a spreadsheet as CSV UTF-8."
        ) from None
    if lines and COLUMNS[0] in lines[0]:
        rows = read_rows(path, COLUMNS[:2], guarded=True)
        return frozenset(f"{row['conversation_id']}#{row.count('index')}" for row in rows)
    ids = {number: line.strip() for number, line in enumerate(lines, start=1) if line.strip()}
    for number, line in ids.items():
        if len(line) > LONGEST_ID or not _ID.fullmatch(line):
            raise UsageProblem(
                f"{path}:{number}: the line is not a conversation_id#index of at most {LONGEST_ID} characters. Name a "
                "file of `mi-code sample`, or write one id per line; the index counts all messages from 0."
            )
    return frozenset(ids.values())


def unmatched(path: Path, named: Collection[str], found: Collection[str]) -> list[str]:
    """The ids of a file that no message has, in order.

    Args:
        named: the ids in the file.
        found: ids of messages.

    Raises:
        UsageProblem: there are ids, and no message has any of them.
    """
    strange = sorted(set(named).difference(found))
    if strange and len(strange) == len(named):
        raise UsageProblem(
            f"{path}: none of its {len(named)} ids (the first is {strange[0]}) is the id of a message. Write one "
            "conversation_id#index per line, with the id exactly as in the chats, with leading zeros; the index counts "
            "all messages from 0."
        )
    return strange


def _options(request: Request) -> dict[str, str | int | float]:
    """The choices that have a part in the plan of this design."""
    used = {
        "stratified": ("by", "minimum"),
        "uncertainty": ("floor",),
        "rare-code": ("floor",),
        "diversity": ("clusters", "vectors"),
    }
    return {"n": request.size} | {name: getattr(request, name) for name in used.get(request.design, ())}
