"""Finds common problems of a server and a project, and says how to fix each."""

import ipaddress
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit
from xml.etree import ElementTree

from mi_coder.annotation.adjudication import MARK
from mi_coder.annotation.client import LOOPBACK, Client, Project
from mi_coder.annotation.label_config import label_config, offered, reading_config
from mi_coder.annotation.project import same
from mi_coder.codebook import Codebook

TESTED = "1.23"
OLDEST = (1, 16)

_ELSEWHERE = ("192.0.2.1", 9)  # RFC 5737: an address for documentation

Level = Literal["good", "look", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how to fix it; `mend` is empty where all is well."""

    level: Level
    what: str
    mend: str = ""


def look_at_server(client: Client, token: str) -> Iterator[Finding]:
    """The server itself: version, token, sign-up, and who can reach it.

    Raises:
        StudioProblem: the server does not answer or does not accept the token.
    """
    yield Finding("good", f"{client.url} answers, and the token belongs to {client.whoami()}")
    yield _version(client.version())
    if token.count(".") == 2:
        yield Finding("good", "the token is a personal access token")
    else:
        yield Finding(
            "look",
            "the token is a legacy token, which never expires",
            "Make a personal access token in Account & Settings, and switch legacy tokens off for the organization.",
        )
    yield _sign_up(client.sign_up_is_open())
    yield _binding(client.url)


def look_at_project(client: Client, project: Project) -> Iterator[Finding]:
    """A project: its schema, its tasks, and whether coders see suggestions, which adjudicators must not."""
    names: Counter[str] = Counter()
    adjudication = False
    for task in client.tasks(project.id):
        names[str(task["data"].get("utterance_id", ""))] += 1
        adjudication |= MARK in task["meta"]
    again = f"adjudicate push {project.title!r} ..." if adjudication else f"studio create --title {project.title!r}"
    mend = f"mi-code {again}{_overlay(project)}"
    yield from _schema(project, mend)
    yield from _tasks(names)
    models = client.model_versions(project.id)
    if adjudication and project.shows_predictions:
        yield Finding(
            "bad",
            "the project is for adjudication, but fills in a coding before the adjudicator chooses",
            f"Run again: {mend}",
        )
    elif adjudication:
        yield Finding("good", "the project is for adjudication: codings are shown as text, and none is filled in")
    elif not models:
        yield Finding("good", "no task has a suggestion")
    elif not project.shows_predictions:
        yield Finding(
            "bad",
            f"there are suggestions of {', '.join(sorted(models))}, but the project hides them",
            mend,
        )
    elif project.model_version and project.model_version not in models | client.backends(project.id):
        yield Finding(
            "bad",
            f"the project shows the suggestions of {project.model_version!r}, but no task has any of them",
            f"Settings > Annotation: choose {' or '.join(sorted(models))}.",
        )
    else:
        yield Finding("good", f"coders see the suggestions of {project.model_version or ', '.join(sorted(models))}")


def _version(version: str) -> Finding:
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(parts) == 2 and parts < OLDEST:
        return Finding("bad", f"Label Studio {version} has known security holes", "Update it to 1.16 or later.")
    if not version.startswith(f"{TESTED}."):
        return Finding(
            "look", f"Label Studio {version or 'of unknown version'}", f"Version {TESTED} is tested; most others work."
        )
    return Finding("good", f"Label Studio {version}, as tested")


def _sign_up(is_open: bool | None) -> Finding:
    if is_open is None:
        return Finding(
            "look",
            "it is unknown whether anyone can sign up",
            "Open it in a browser where you are not signed in, and check that it offers no sign-up.",
        )
    if is_open:
        return Finding(
            "bad",
            "anyone who reaches the server can sign up and sees every project",
            "Start it with LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK=true, and send coders an invite link "
            "(Organization > Add Members).",
        )
    return Finding("good", "sign-up needs an invite link")


def _binding(url: str) -> Finding:
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK:
        return Finding(
            "look", f"the server is reached at {parts.hostname}", "Let only the coding team's network reach it."
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    for address in _own_addresses():
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            return Finding(
                "bad",
                f"the server listens on all addresses of this machine, {address} among them",
                "Start it with --internal-host 127.0.0.1.",
            )
    return Finding("good", "the server listens on this machine only")


def _own_addresses() -> list[str]:
    """Addresses of this machine that others can reach."""
    found: set[str] = set()
    with suppress(OSError):
        found.update(str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)  # sends nothing; the system chooses the address it would send from
        found.add(str(probe.getsockname()[0]))
    return sorted(address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_loopback)


def _schema(project: Project, again: str) -> Iterator[Finding]:
    book = Codebook.load()
    if same(project.config, reading_config()):
        yield Finding("good", "the project is for reading whole chats, without codes")
        return
    if same(project.config, label_config(book)):
        yield Finding("good", "the schema is that of the codebook")
        return
    try:
        found = set(offered(project.config, "code"))
    except ElementTree.ParseError:
        found = set()
    mend = f"Update it: {again}"
    lacking, strange = book.in_order(set(book.ids) - found), sorted(found - set(book.ids))
    if lacking:
        yield Finding("bad", f"the schema lacks the codes {', '.join(lacking)}", mend)
    if strange:
        yield Finding("bad", f"the schema has codes that are not in the codebook: {', '.join(strange)}", mend)
    if not lacking and not strange:
        yield Finding("look", "the schema has all codes, but was changed in another way or has own codes", mend)


def _overlay(project: Project) -> str:
    """What the command needs where the project has own codes, which it would otherwise remove."""
    try:
        return " --overlay FILE" if offered(project.config, "own") else ""
    except ElementTree.ParseError:
        return ""


def _tasks(names: Counter[str]) -> Iterator[Finding]:
    nameless = names.pop("", 0)
    doubled = sorted(name for name, count in names.items() if count > 1)
    if nameless:
        yield Finding(
            "look", f"{nameless} tasks were not made by mi-code and are left out by pull", "Push their chats."
        )
    if doubled:
        yield Finding(
            "bad",
            f"{len(doubled)} messages are in the project more than once, the first is {doubled[0]}",
            "Delete all but one of each in the data manager.",
        )
    if not doubled:
        yield Finding("good", f"{len(names)} messages, each once")
