"""Sends tasks to a project so that each is there once, however often the push is broken off and repeated."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mi_coder.annotation.client import Client, NoAnswer, Project, StudioProblem
from mi_coder.annotation.tasks import Reading, Task

CHUNK = 200

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to.

    Attributes:
        sent: tasks that are new on the server.
        there: tasks that were there before, or came twice.
        doubled: utterance ids that the project has more than once after the push.
        other_text: utterance ids whose task on the server holds another text than the one pushed.
    """

    sent: int
    there: int
    doubled: tuple[str, ...] = ()
    other_text: tuple[str, ...] = ()


def push(
    client: Client,
    project: int,
    tasks: Iterable[Task | Reading],
    chunk: int = CHUNK,
    progress: Progress = lambda sent: None,
) -> Pushed:
    """Send the tasks that the project does not have yet, in their order, in chunks.

    Where the server refuses a chunk, the project is asked what arrived of it, and the rest is sent once more; a second
    failure ends the push. Where it does not answer in time it may still be at work, so nothing is sent again. The same
    push later sends what is left over. A message that comes twice is sent once.

    Raises:
        StudioProblem: as the client says; what was sent stays.
    """
    known = texts_on_server(client, project)
    hashes = dict(known.hashes)
    sent = there = 0
    other_text: list[str] = []
    pending: list[dict[str, Any]] = []
    for task in tasks:
        one = task.to_import()
        if task.utterance_id in hashes:
            there += 1
            if hashes[task.utterance_id] != one["data"]["text_hash"]:
                other_text.append(task.utterance_id)
            continue
        hashes[task.utterance_id] = one["data"]["text_hash"]
        pending.append(one)
        if len(pending) == chunk:
            sent += _send(client, project, pending)
            progress(sent)
            pending = []
    if pending:
        sent += _send(client, project, pending)
        progress(sent)
    names = texts_on_server(client, project).names if sent else known.names
    doubled = tuple(sorted(name for name, count in Counter(names).items() if count > 1))
    return Pushed(sent, there, doubled, tuple(other_text))


def is_blind(client: Client, project: Project) -> bool:
    """Whether a project has tasks of `mi-code studio`, all of them without a suggestion, shown or hidden."""
    return project.tasks > 0 and all(task["meta"].get("suggestion") == "none" for task in client.tasks(project.id))


@dataclass(frozen=True, slots=True)
class Known:
    """What a project has: the names of its tasks in order, and the hash of the text by name."""

    names: tuple[str, ...]
    hashes: dict[str, str]


def texts_on_server(client: Client, project: int) -> Known:
    """The utterance ids of the tasks of a project. Tasks made by others have none and are left out."""
    found = [
        (str(task["data"]["utterance_id"]), str(task["data"].get("text_hash", "")))
        for task in client.tasks(project)
        if "utterance_id" in task["data"]
    ]
    return Known(tuple(name for name, _ in found), dict(found))


def _send(client: Client, project: int, tasks: Sequence[dict[str, Any]]) -> int:
    """How many of the tasks are new on the server, all of them at the end."""
    try:
        client.import_tasks(project, tasks)
    except NoAnswer:
        raise
    except StudioProblem:
        arrived = texts_on_server(client, project).hashes
        if missing := [one for one in tasks if one["data"]["utterance_id"] not in arrived]:
            client.import_tasks(project, missing)
    return len(tasks)
