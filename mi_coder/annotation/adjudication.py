"""Disagreements as a Label Studio project of its own, and its decisions as gold.

A task shows the codings of its message as "Coding A", "Coding B" and so on, in an order that chance (by a hash of seed,
message and coder) draws anew for each message. Who coded what is in the key, a file that stays here, and not in the
task. The project does not fill a coding in before the adjudicator chooses, which would favor that one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import msgspec

from mi_coder.annotation.client import Client
from mi_coder.annotation.codings import Given, Unit
from mi_coder.annotation.consensus import agrees, settle, told
from mi_coder.annotation.exports import Coded, Problem
from mi_coder.annotation.project import SETTINGS as CODING_SETTINGS
from mi_coder.annotation.settled import Settled, Source
from mi_coder.annotation.suggestions import chance, results
from mi_coder.annotation.tasks import Task
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.errors import UsageProblem
from mi_coder.formats.atomic import atomic_file

MARK = "adjudication"
SETTINGS = {**CODING_SETTINGS, "show_collab_predictions": False}
_UNDECIDED = "not decided yet"


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose coding a letter stands for."""

    letter: str
    coder: str
    round: str


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key of a project: what its letters stand for, by id of the message."""

    project: int
    seed: int
    messages: dict[str, tuple[Shown, ...]]


@dataclass(frozen=True, slots=True)
class Decided:
    """The gold of all messages, and where decisions are missing or unclear.

    Attributes:
        settled: one for each message, in the order of the codings.
        unknown: ids of decided messages that none of the files codes.
    """

    settled: tuple[Settled, ...]
    unknown: tuple[str, ...]


def in_random_order(unit: Unit, seed: int) -> list[Given]:
    """The codings of a message as it shows them, whatever their order in the files."""
    return sorted(unit.given, key=lambda given: (chance(f"{unit.id}:{given.coder}:{given.round}", seed), given.rater))


def key_of(units: Iterable[Unit], project: int, seed: int) -> Key:
    """What the letters stand for."""
    messages = {
        unit.id: tuple(
            Shown(letter, given.coder, given.round)
            for letter, given in zip(ascii_uppercase, in_random_order(unit, seed), strict=False)
        )
        for unit in units
    }
    return Key(project, seed, messages)


def with_codings(tasks: Iterable[Task], units: Sequence[Unit], seed: int) -> Iterator[Task]:
    """The tasks with the codings of their messages, in words and as predictions.

    Raises:
        UsageProblem: a message has more codings than there are letters.
    """
    by_id = {unit.id: unit for unit in units}
    for task in tasks:
        given = in_random_order(by_id[task.utterance_id], seed)
        if len(given) > len(ascii_uppercase):
            raise UsageProblem(
                f"{task.utterance_id} has {len(given)} codings, and an adjudicator can compare {len(ascii_uppercase)}. "
                "Name files of fewer coders."
            )
        lettered = list(zip(ascii_uppercase, given, strict=False))
        yield replace(
            task,
            meta={MARK: len(given)},
            suggestion="  |  ".join(f"Coding {letter}: {told(one.gold, one.own)}" for letter, one in lettered),
            predictions=tuple(_prediction(letter, one) for letter, one in lettered),
        )


def merged(key: Key, before: Key, there: Collection[str]) -> Key:
    """The key with what an earlier push wrote of the messages that are on the server, which keep their order.

    Args:
        there: ids of the messages on the server.

    Raises:
        UsageProblem: the earlier key is of another project or another seed.
    """
    if (before.project, before.seed) != (key.project, key.seed):
        raise UsageProblem(
            f"The existing key belongs to project {before.project} with --seed {before.seed}. Push with that seed, or "
            "name another file with --key."
        )
    kept = {name: shown for name, shown in before.messages.items() if name in there}
    return Key(key.project, key.seed, key.messages | kept)


def check_texts(tasks: Sequence[Task], units: Iterable[Unit], sources: Mapping[str, Source]) -> None:
    """Whether the chats hold the messages that were coded.

    Raises:
        UsageProblem: one is not there, or has another text than the one that its codings tell.
    """
    hashes = {task.utterance_id: task.to_import()["data"]["text_hash"] for task in tasks}
    for unit in units:
        if unit.id not in hashes:
            raise UsageProblem(f"{unit.id} is coded, but the chats have no such counselor message. Name its chats.")
        if sources[unit.id].text_hash not in ("", hashes[unit.id]):
            raise UsageProblem(f"{unit.id} has another text in the chats than the one that was coded.")


def check_project(client: Client, title: str) -> None:
    """Whether a title is free, or that of an adjudication project.

    Raises:
        UsageProblem: another project has it.
    """
    for project in client.projects():
        if project.title == title and not all(MARK in task["meta"] for task in client.tasks(project.id)):
            raise UsageProblem(
                f"Project {project.id} {title!r} is for coding, not for adjudication. Choose a title that is not in "
                "use."
            )


def check_own(units: Iterable[Unit], offered: Collection[str]) -> None:
    """Whether the schema offers the own codes on which an adjudicator decides.

    Raises:
        UsageProblem: it lacks some.
    """
    used = {code for unit in units for given in unit.given for code in given.own or ()}
    if lacking := sorted(used - set(offered)):
        raise UsageProblem(
            f"The codings have codes of your own that the adjudicator could not choose: {', '.join(lacking)}. Give "
            "`mi-code adjudicate push` the file that defines them: --overlay FILE."
        )


def check_export(tasks: Iterable[Mapping[str, Any]], project: int) -> None:
    """Whether an export is of an adjudication project.

    Raises:
        UsageProblem: none of its tasks was sent by `mi-code adjudicate push`.
    """
    if not any(MARK in (task.get("meta") or {}) for task in tasks):
        raise UsageProblem(
            f"Project {project} has no messages to adjudicate. Name the project that `mi-code adjudicate push` made; "
            "for a coding project use `mi-code studio pull`."
        )


def write_key(path: Path, key: Key) -> None:
    """Write the key whole or not at all."""
    with atomic_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(key), indent=1) + b"\n")


def read_key(path: Path) -> Key:
    """Read a key.

    Raises:
        UsageProblem: the file is no key.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageProblem(f"{path} is not the key of an adjudication project. Name another file with --key.") from None


def decided(
    units: Sequence[Unit],
    decisions: Iterable[Coded],
    sources: Mapping[str, Source],
    when: str,
    unusable: Iterable[Problem] = (),
) -> Decided:
    """Gold from what the coders agree on and what adjudicators decided.

    A decision counts before any agreement. Where adjudicators differ, decided on another text, or gave what is no
    coding, the message stays open.

    Args:
        decisions: one for each adjudicator and message.
        when: time of what needed no decision.
        unusable: the newest annotations of adjudicators that are no coding.
    """
    by_id: dict[str, list[Coded]] = {}
    for decision in decisions:
        by_id.setdefault(decision.utterance_id, []).append(decision)
    broken = {problem.utterance_id: problem for problem in unusable}
    kept = settle(units, "unanimous")
    settled = tuple(
        _left_open(one.unit, broken[one.unit.id])
        if one.unit.id in broken
        else _by_person(one.unit, by_id[one.unit.id], sources[one.unit.id])
        if one.unit.id in by_id
        else Settled(
            one.unit,
            one.gold,
            one.how if agrees(one.unit) else MARK,
            f"settled:{one.how}",
            one.unit.confidence,
            one.why if one.gold else _UNDECIDED,
            when,
            own=one.own,
        )
        for one in kept
    )
    return Decided(settled, tuple(sorted(by_id.keys() - {unit.id for unit in units})))


def _left_open(unit: Unit, problem: Problem) -> Settled:
    why = f"the decision of {problem.coder} cannot be used: {problem.reason}"
    return Settled(unit, None, MARK, problem.coder, None, why, problem.updated)


def _by_person(unit: Unit, decisions: Sequence[Coded], source: Source) -> Settled:
    decisions = sorted(decisions, key=lambda one: (one.updated, one.coder))
    choices = [(one.gold, frozenset(one.own)) for one in decisions]
    coder = "; ".join(one.coder for one in decisions)
    own = choices[-1][1]
    chosen = choices[-1][0]
    gold: Gold | None = chosen
    alike = sorted({one.coder for one in unit.given if _says(one, chosen) and one.own in (None, own)})
    why = f"as coded by {', '.join(alike)}" if alike else "unlike every coding"
    if any(source.text_hash not in ("", one.text_hash) for one in decisions):
        gold, why = None, "the adjudicator saw another text than the one that was coded"
    elif any(one != choices[-1] for one in choices):
        gold, why = None, "adjudicators differ: " + "; ".join(told(*one) for one in choices)
    confidence = min(one.confidence for one in decisions)
    comment = " / ".join(one.comment for one in decisions if one.comment)
    updated = decisions[-1].updated
    return Settled(unit, gold, MARK, coder, confidence, why, updated, comment, own if gold else frozenset())


def _says(given: Given, gold: Gold) -> bool:
    """Whether a coding has the codes of the gold, and those of its details that its file tells."""
    same = given.gold.positive == gold.positive and given.gold.negative == gold.negative
    return same and all(getattr(given.gold, name) == getattr(gold, name) for name in given.tells)


def _prediction(letter: str, given: Given) -> dict[str, Any]:
    gold = given.gold
    codes = Codebook.load().in_order(gold.positive)
    return {
        "model_version": f"coding {letter}",
        "result": results(codes, gold.depth, gold.permission, gold.reason, sorted(given.own or ())),
    }
