"""Double coding on the community edition: one project per coder, so that nobody meets the codes of another.

Messages that a coder has stay there, also where the coder is not named any more, so the same call later, with more
chats or other coders, deals out the others alone. They go to the coder who has most of their conversation, or else to
the one with the highest hash of seed, conversation and coder (rendezvous hashing), and where two are to code them, to
the next, too. So a new conversation is dealt whole, since coding a message needs what was before.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mi_coder.annotation.adjudication import MARK
from mi_coder.annotation.client import Client
from mi_coder.annotation.suggestions import chance
from mi_coder.annotation.tasks import Task
from mi_coder.errors import UsageProblem

_BETWEEN = ": "


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
    placed: Mapping[str, Collection[str]] = {},
) -> list[Share]:
    """Deal tasks out: each to one coder, those of a share of the conversations to a second one as well.

    Args:
        overlap: share of the conversations that two coders code.
        planted: conversations with known codes, which every coder gets, in their place among the others; the meta of
            their tasks says `planted`.
        placed: ids of the messages that coders have already, by coder, whether or not one of `coders`.

    Returns:
        The shares of `coders`, in their order, and then those of others who have some of the tasks already, with these
        alone. The messages that a coder has are in the share.

    Raises:
        UsageProblem: fewer than one coder, one named twice, or an overlap without a second coder.
    """
    if not coders or len(set(coders)) != len(coders):
        raise UsageProblem("Name one or more different coders: --coders ann,ben")
    if overlap > 0 and len(coders) < 2:
        raise UsageProblem("Double coding needs two coders or more. Name them, or use --overlap 0.")
    known = frozenset(planted)
    tasks = _mixed(tasks, known, seed)
    held = _held(placed)
    names = {task.conversation_id for task in tasks}
    ranked = {name: _ranked(name, coders, held.get(name, Counter()), seed) for name in names}
    wanted = {name: None if name in known else _wanted(name, overlap, seed) for name in names}
    coded_by = {
        task.utterance_id: _coded_by(task, placed, ranked[task.conversation_id], wanted[task.conversation_id])
        for task in tasks
    }
    shares = []
    for coder in (*coders, *sorted(placed.keys() - set(coders))):
        own = tuple(_marked(task, known) for task in tasks if coder in coded_by[task.utterance_id])
        double = sum(len(coded_by[task.utterance_id]) > 1 and task.conversation_id not in known for task in own)
        shares.append(Share(coder, own, double, sum(task.conversation_id in known for task in own)))
    return [share for share in shares if share.tasks or share.coder in coders]


def project_title(title: str, coder: str) -> str:
    """The title of a coder's project."""
    return f"{title}{_BETWEEN}{coder}"


def check_names(title: str, coders: Iterable[str]) -> None:
    """Whether the titles of the projects tell for certain whose they are.

    Raises:
        UsageProblem: the title or a name holds what stands between the two.
    """
    for what, name in (("--title", title), *(("--coders", coder) for coder in coders)):
        if _BETWEEN in name:
            raise UsageProblem(
                f"{what}: a colon and a space separate title and coder in the titles of projects. Do not use them in "
                "either."
            )


def messages_by_coder(client: Client, title: str) -> dict[str, frozenset[str]]:
    """Ids of the messages that coders have already in the projects that `project_title` names, by coder.

    Tasks to adjudicate and to read are nobody's coding, and left out. So are projects whose longer title only starts
    alike.

    Raises:
        StudioProblem: as the client says.
    """
    start = project_title(title, "")
    return {
        project.title.removeprefix(start): frozenset(
            str(task["data"]["utterance_id"])
            for task in client.tasks(project.id)
            if {"utterance_id", "index"} <= task["data"].keys() and MARK not in task["meta"]
        )
        for project in client.projects()
        if project.title.startswith(start) and _BETWEEN not in project.title.removeprefix(start)
    }


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


def _held(placed: Mapping[str, Collection[str]]) -> dict[str, Counter[str]]:
    """By conversation, how many of its messages each coder has."""
    held: dict[str, Counter[str]] = {}
    for coder, names in placed.items():
        for name in names:
            held.setdefault(name.rpartition("#")[0], Counter())[coder] += 1
    return held


def _ranked(conversation: str, coders: Sequence[str], held: Counter[str], seed: int) -> list[str]:
    """Who is to code what nobody has of it, first of all who has most of it."""
    return sorted(coders, key=lambda coder: (held[coder], chance(f"{conversation}:{coder}", seed)), reverse=True)


def _wanted(conversation: str, overlap: float, seed: int) -> int:
    """How many are to code it."""
    return 2 if chance(f"overlap:{conversation}", seed) < overlap else 1


def _coded_by(
    task: Task, placed: Mapping[str, Collection[str]], ranked: Sequence[str], wanted: int | None
) -> frozenset[str]:
    """Who has a message, and the first of `ranked` who are still `wanted` for it; None: all of them."""
    having = frozenset(coder for coder, theirs in placed.items() if task.utterance_id in theirs)
    others = [coder for coder in ranked if coder not in having]
    return having | frozenset(others if wanted is None else others[: max(0, wanted - len(having))])


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
