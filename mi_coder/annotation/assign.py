"""Double coding on the community edition: one project per coder, so that nobody meets the codes of another.

A task's place is decided by a hash of the seed and its name, so that the same call later, with more chats, leaves those
that are assigned where they are. Whole conversations stay with one coder, since coding a message needs what was before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mi_coder.annotation.suggestions import chance
from mi_coder.annotation.tasks import Task
from mi_coder.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Share:
    """What one coder codes.

    Attributes:
        double: how many of the tasks another coder codes, too.
        planted: how many have a known answer (see `assign`).
    """

    coder: str
    tasks: tuple[Task, ...]
    double: int
    planted: int


def assign(
    tasks: Sequence[Task],
    coders: Sequence[str],
    overlap: float,
    planted: Iterable[str] = (),
    seed: int = 1,
) -> list[Share]:
    """Deal tasks out by conversation: each to one coder, a share of them to a second one as well.

    Args:
        overlap: share of the conversations that two coders code.
        planted: conversations with known codes, which every coder gets, in their place among the others; the meta of
            their tasks says `planted`.

    Raises:
        UsageProblem: fewer than one coder, one named twice, or an overlap without a second coder.
    """
    if not coders or len(set(coders)) != len(coders):
        raise UsageProblem("Name one or more different coders: --coders ann,ben")
    if overlap > 0 and len(coders) < 2:
        raise UsageProblem("Double coding needs two coders or more. Name them, or use --overlap 0.")
    known = frozenset(planted)
    tasks = _mixed(tasks, known, seed)
    names = {task.conversation_id for task in tasks}
    owners = {name: _owners(name, coders, overlap, known, seed) for name in names}
    shares = []
    for coder in coders:
        own = tuple(_marked(task, known) for task in tasks if coder in owners[task.conversation_id])
        double = sum(len(owners[task.conversation_id]) > 1 and task.conversation_id not in known for task in own)
        shares.append(Share(coder, own, double, sum(task.conversation_id in known for task in own)))
    return shares


def _mixed(tasks: Sequence[Task], planted: frozenset[str], seed: int) -> list[Task]:
    """Each task once, the planted conversations spread by chance among the others, which keep their order."""
    by_conversation: dict[str, dict[str, Task]] = {}
    for task in tasks:
        by_conversation.setdefault(task.conversation_id, {}).setdefault(task.utterance_id, task)
    others = [name for name in by_conversation if name not in planted]
    place = {name: float(number) for number, name in enumerate(others)}
    place.update({name: chance(f"place:{name}", seed) * len(others) for name in by_conversation if name in planted})
    ordered = sorted(by_conversation, key=lambda name: (place[name], name))
    return [task for name in ordered for task in by_conversation[name].values()]


def _owners(
    conversation: str, coders: Sequence[str], overlap: float, planted: frozenset[str], seed: int
) -> frozenset[str]:
    if conversation in planted:
        return frozenset(coders)
    first = int(chance(f"first:{conversation}", seed) * len(coders))
    owners = {coders[first]}
    if chance(f"overlap:{conversation}", seed) < overlap:
        others = [coder for coder in coders if coder not in owners]
        owners.add(others[int(chance(f"second:{conversation}", seed) * len(others))])
    return frozenset(owners)


def _marked(task: Task, planted: frozenset[str]) -> Task:
    if task.conversation_id not in planted:
        return task
    return replace(task, meta={**task.meta, "planted": True})


@dataclass(frozen=True, slots=True)
class Drift:
    """A coder against the known codes of planted messages, in one stretch of time.

    Attributes:
        period: the stretch, by date (ISO 8601, the first day).
        same: share of the messages with exactly the known codes.
    """

    coder: str
    period: str
    messages: int
    same: float


def drift(codings: Iterable[tuple[str, str, str, frozenset[str]]], known: Mapping[str, frozenset[str]]) -> list[Drift]:
    """Agreement with known codes by coder and week, oldest first.

    Args:
        codings: coder, time of the coding (ISO 8601), utterance id and codes.
        known: the codes of planted messages by utterance id.
    """
    cells: dict[tuple[str, str], list[bool]] = {}
    for coder, when, name, codes in codings:
        if name in known:
            cells.setdefault((coder, _week(when)), []).append(codes == known[name])
    return [Drift(*key, len(hits), sum(hits) / len(hits)) for key, hits in sorted(cells.items())]


def _week(when: str) -> str:
    day = date.fromisoformat(when[:10])
    return (day - timedelta(days=day.weekday())).isoformat()
