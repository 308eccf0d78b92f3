"""Creates a coding project, or brings an existing one up to date, without orphaning codes that are in use."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

from mi_coder.annotation.client import Client, Project
from mi_coder.annotation.label_config import offered, schema_hash
from mi_coder.errors import UsageProblem

SHORTEST, LONGEST = 3, 50
SETTINGS = {
    "show_collab_predictions": True,
    "enable_empty_annotation": False,
    "show_skip_button": True,
    "sampling": "Sequential sampling",
}
CONTROLS = ("code", "depth", "permission", "reason", "own")

Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Made:
    """The project, and what was done to it."""

    project: Project
    outcome: Outcome


def check_title(title: str) -> None:
    """Whether Label Studio takes a title, and `mi-code` can tell it from a number.

    Raises:
        UsageProblem: it is too short or too long, or a number.
    """
    if not SHORTEST <= len(title) <= LONGEST or title.isdigit():
        raise UsageProblem(
            f"A title has {SHORTEST} to {LONGEST} characters and is not a number, but this is {title!r}."
        )


def create_or_update(client: Client, title: str, config: str, **settings: Any) -> Made:
    """Give the project with this title the config, and make it where there is none.

    Raises:
        UsageProblem: the title is too short or too long, several projects have it, or the config drops a code that
            annotations of the project use.
        StudioProblem: as the client says.
    """
    check_title(title)
    found = [one for one in client.projects() if one.title == title]
    if len(found) > 1:
        raise UsageProblem(
            f"{len(found)} projects have the title {title!r} ({', '.join(str(one.id) for one in found)}). "
            "Rename all but one."
        )
    if not found:
        return Made(client.create_project(title, config, **settings), "created")
    project = client.project(str(found[0].id))
    if same(project.config, config):
        shows = settings.get("show_collab_predictions", project.shows_predictions)
        if shows != project.shows_predictions:
            return Made(client.update_project(project.id, show_collab_predictions=shows), "updated")
        return Made(project, "unchanged")
    if dropped := dropped_codes(client.export(project.id), config):
        names = ", ".join(f"{name} ({count} times)" for name, count in sorted(dropped.items()))
        raise UsageProblem(
            f"The schema lacks choices that annotations of project {project.id} use: {names}. Pull the "
            "project, recode those messages, or make a new project with another title."
        )
    return Made(client.update_project(project.id, label_config=config), "updated")


def same(one: str, other: str) -> bool:
    """Whether two configs mean the same."""
    try:
        return schema_hash(one) == schema_hash(other)
    except ElementTree.ParseError:
        return False


def dropped_codes(tasks: Iterable[Mapping[str, Any]], config: str) -> Counter[str]:
    """How often annotations use choices that a config does not offer."""
    known = {name: set(offered(config, name)) for name in CONTROLS}
    return Counter(
        value
        for task in tasks
        for annotation in task.get("annotations", ())
        for entry in annotation.get("result", ())
        if entry.get("from_name") in known
        for value in entry.get("value", {}).get("choices", ())
        if value not in known[entry["from_name"]]
    )
