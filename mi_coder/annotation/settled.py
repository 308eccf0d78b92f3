"""Settled codings as files: the gold file, the log of reasons, and the list of what stays open.

The gold file is a CSV that `mi_coder.corpora.standoff` reads, of the round `adjudicated`. Its coder is "settled:" and
the way (agreed, single, majority, dawid-skene), or the person who decided. Its confidence is the lowest of the codings
that were settled, empty where none tells it; where a person decided, 1 if unsure, else 3. Texts in it carry the guard
of guard.py. The log has one JSON object a line for each message, open ones too. No text of a message is in them, unless
an adjudicator quotes it in a comment.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mi_coder.annotation.codings import Stored, Unit, read_units
from mi_coder.codebook import Codebook
from mi_coder.conversation import ALONE, MOST_CODES, Gold
from mi_coder.corpora.standoff import COLUMNS, StandoffMeta, sidecar_of
from mi_coder.errors import UsageProblem
from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.coding import is_complete
from mi_coder.formats.guard import guard_cell

ROUND = "adjudicated"


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the codings of a message beside the codes.

    Attributes:
        text_hash: empty where no coding tells it.
        gold_from: who the coders are.
    """

    text_hash: str
    gold_from: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settled:
    """One message and what became of it.

    Attributes:
        gold: None where it stays open.
        rule: how it was settled, or would have been.
        coder, confidence: as they stand in the gold file; None is an empty cell.
        when: ISO 8601, UTC.
        comment: the adjudicator's.
        own: the codes of the platform's own.
    """

    unit: Unit
    gold: Gold | None
    rule: str
    coder: str
    confidence: int | None
    why: str
    when: str
    comment: str = ""
    own: frozenset[str] = frozenset()


def read_sources(paths: Sequence[Path]) -> dict[str, Source]:
    """By id of the message, from files of codings.

    Raises:
        UsageProblem: gold of chats that no coder may give, such as one that leaves codes open.
        MiCoderError: as `read_codings` says.
    """
    return read_units_and_sources(paths)[1]


def read_units_and_sources(paths: Sequence[Path]) -> tuple[list[Unit], dict[str, Source]]:
    """What `read_units` and `read_sources` give, from reading the files once.

    Raises: as both of them.
    """
    sources: dict[str, Source] = {}

    def add(path: Path, one: Stored) -> None:
        if not _is_coding(one.given.gold):
            raise UsageProblem(
                f"{path}: conversation {one.conversation!r}, message {one.index}: this gold is not complete. "
                f"Gold to be settled has one to {MOST_CODES} codes, or OT alone, and leaves none open."
            )
        name = f"{one.conversation}#{one.index}"
        known = sources.get(name, Source("", frozenset()))
        sources[name] = Source(known.text_hash or one.text_hash, known.gold_from | {one.gold_from})

    return read_units(paths, add), sources


def write_gold(path: Path, settled: Sequence[Settled], sources: dict[str, Source], schema: str = "") -> None:
    """Write the gold file and its sidecar, each whole or not at all.

    It has a column `own` where any of the codings tells of own codes.

    Args:
        schema: hash of the schema that the adjudicators saw.
    """
    with_own = any(given.own is not None for one in settled for given in one.unit.given)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*COLUMNS, "own") if with_own else COLUMNS)
    for one in settled:
        if one.gold is not None:
            row = _row(one, one.gold, sources[one.unit.id].text_hash)
            table.writerow(map(guard_cell, (*row, "+".join(sorted(one.own))) if with_own else row))
    who = "; ".join(sorted(frozenset().union(*(source.gold_from for source in sources.values()))))
    meta = StandoffMeta(Codebook.load().hash, f"settled from codings by: {who}", "message", schema)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())
    with atomic_file(sidecar_of(path)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")


def write_log(path: Path, settled: Iterable[Settled]) -> None:
    """Write the log of reasons: for each message its codings by coder, the rule, what was decided, why and when."""
    with atomic_file(path) as file:
        for one in settled:
            file.write(msgspec.json.encode(_reason(one)) + b"\n")


def write_open(path: Path, settled: Iterable[Settled]) -> None:
    """Write the ids of what stays open, one a line, as `--only` of `mi-code studio push` takes them."""
    with atomic_file(path) as file:
        file.writelines(f"{one.unit.id}\n".encode() for one in settled if one.gold is None)


def _is_coding(gold: Gold) -> bool:
    alone = ALONE not in gold.positive or len(gold.positive) == 1
    return is_complete(gold) and 1 <= len(gold.positive) <= MOST_CODES and alone


def _row(one: Settled, gold: Gold, text_hash: str) -> Sequence[object]:
    return (
        one.unit.conversation,
        one.unit.index,
        text_hash,
        "+".join(Codebook.load().in_order(gold.positive)),
        gold.depth or "",
        gold.permission or "",
        gold.reason or "",
        "" if one.confidence is None else one.confidence,
        one.coder,
        ROUND,
    )


def _reason(one: Settled) -> dict[str, object]:
    codings = [
        {"coder": given.coder, "round": given.round, **_coding(given.gold, given.own)}
        for given in sorted(one.unit.given, key=lambda given: given.rater)
    ]
    return {
        "conversation_id": one.unit.conversation,
        "index": one.unit.index,
        "codings": codings,
        "rule": one.rule,
        "decided": _coding(one.gold, one.own) if one.gold else None,
        "by": one.coder if one.gold else None,
        "why": one.why,
        "comment": one.comment,
        "when": one.when,
    }


def _coding(gold: Gold, own: frozenset[str] | None) -> dict[str, object]:
    attributes = {name: value for name in Codebook.load().attributes if (value := getattr(gold, name))}
    codes = list(Codebook.load().in_order(gold.positive))
    return {"codes": codes, **attributes, **({"own": sorted(own)} if own else {})}
