"""The calls to a Label Studio server that the project makes, with errors that say what to do.

Only what repeats safely is repeated: reading. The SDK itself would send a failed import again, which doubles tasks that
the server had taken in after all, so imports are sent once; `mi_coder.annotation.push` looks what arrived.
"""

import os
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mi_coder.errors import MiCoderError, UsageProblem, need

TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"
URL_VARIABLE = "LABEL_STUDIO_URL"
KEYRING_SERVICE = "mi-coder-label-studio"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PAGE = 1000
_TIMEOUT = 120
_ONCE = {"max_retries": 0}
_AT_WORK = (502, 504)
_KEPT = "what arrived is kept."
_HOST = re.compile(r"(\[[\w:.%]+\]|[\w.-]+)(:\d*)?")


class StudioProblem(MiCoderError):
    """The server is away, refuses, or answers what cannot be used."""


class NoAnswer(StudioProblem):
    """The server did not answer in time, and may still do what it was asked."""


class Redirected(StudioProblem):
    """The server leads to another address."""


class NotThere(StudioProblem):
    """The server has no such project."""


@dataclass(frozen=True, slots=True)
class Project:
    """What is used of a project.

    Attributes:
        config: its labeling configuration (XML).
        tasks: how many it has.
    """

    id: int
    title: str
    config: str
    tasks: int
    model_version: str
    shows_predictions: bool


def check_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        UsageProblem: no address of a server, or one without encryption that is not on this machine.
    """
    try:
        parts = urlsplit(url)
        host = _HOST.fullmatch(parts.netloc.rpartition("@")[2])
        usable = parts.scheme in ("http", "https") and bool(host) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if usable and (parts.username or parts.password):
        raise UsageProblem(
            "The address contains a name or a password. Leave it out; the token goes into the environment."
        )
    if not usable:
        raise UsageProblem(
            f"{url!r} is not the address of a Label Studio. Write it as https://HOST or http://127.0.0.1:8080."
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise UsageProblem(
            f"{url} is not encrypted, and chats are private. Use https, or http on this machine (127.0.0.1), "
            "for a remote server through a tunnel: ssh -L 8080:127.0.0.1:8080 HOST"
        )
    return url.rstrip("/")


def find_token(url: str) -> str:
    """The token from the environment, else from the keyring.

    Raises:
        UsageProblem: neither has one, or it has characters that no token has.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return _checked(token, TOKEN_VARIABLE)
    with suppress(ImportError):
        import keyring
        from keyring.errors import KeyringError

        with suppress(KeyringError):
            if token := (keyring.get_password(KEYRING_SERVICE, url) or "").strip():
                return _checked(token, "The keyring")
    raise UsageProblem(
        f"No token for {url}. In Label Studio open Account & Settings > Personal Access Token, and put the token into "
        f"the environment: export {TOKEN_VARIABLE}=...  or, with the package keyring, run: "
        f"keyring set {KEYRING_SERVICE} {url}"
    )


def _checked(token: str, place: str) -> str:
    if not token.isascii() or any(sign.isspace() for sign in token):
        raise UsageProblem(f"{place} has characters that no token has. Copy the token again, without line breaks.")
    return token


class Client:
    """A Label Studio, reached through label-studio-sdk.

    Args:
        url: as `check_url` gives it.
        token: legacy token or personal access token; it is never shown.

    Raises:
        MissingExtra: label-studio-sdk is not installed.
        UsageProblem: the token is a personal access token that is no longer valid.
    """

    def __init__(self, url: str, token: str) -> None:
        sdk = need("label_studio_sdk", extra="studio")
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        def stop_at_redirect(reply: Any) -> None:
            if 300 <= reply.status_code < 400:
                raise Redirected(f"{url} redirects to another address ({reply.status_code}). Name it with --url.")

        self.url = url
        on_loopback = urlsplit(url).hostname in LOOPBACK
        # No redirects: they could lead chats to another host, or out of encryption. No proxy to this machine either.
        connection = httpx.Client(
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=not on_loopback,
            event_hooks={"response": [stop_at_redirect]},
        )
        weakref.finalize(self, connection.close)
        self._connection = connection
        try:
            self._sdk = sdk.LabelStudio(base_url=url, api_key=token, httpx_client=connection)
        except ApiError:
            raise UsageProblem(
                "The token has expired, or has no date on which it expires. Make a new one in Account & Settings > "
                f"Personal Access Token, and put it into {TOKEN_VARIABLE} or the keyring."
            ) from None

    def whoami(self) -> str:
        """The e-mail address whose token this is."""
        with self._answer("the owner of the token"):
            return str(self._sdk.users.whoami().email)

    def version(self) -> str:
        """The version of the server, such as "1.23.2"; empty where it does not tell."""
        with self._answer("its version"):
            release = self._sdk.versions.get()
        found = getattr(release, "release", None) or getattr(release, "label_studio_os_package", None) or ""
        return str(found.get("version", "") if isinstance(found, Mapping) else getattr(found, "version", found))

    def users(self) -> dict[int, str]:
        """E-mail addresses by user id."""
        with self._answer("the users"):
            return {int(user.id): str(user.email) for user in self._sdk.users.list()}

    def projects(self) -> list[Project]:
        """All projects."""
        with self._answer("the projects"):
            return [self._project(one) for one in self._sdk.projects.list()]

    def project(self, name: str) -> Project:
        """The project with this id or title.

        Raises:
            NotThere: there is none, or several have the title.
        """
        if name.isdigit():
            with self._answer(f"project {name}", missing=f"There is no project {name} on {self.url}."):
                return self._project(self._sdk.projects.get(id=int(name)))
        found = [one for one in self.projects() if one.title == name]
        if len(found) == 1:
            return self.project(str(found[0].id))
        reason = "no project has" if not found else f"{len(found)} projects have"
        known = ", ".join(f"{one.id} {one.title!r}" for one in self.projects()[:20])
        raise NotThere(
            f"On {self.url} {reason} the title {name!r}. Name a project by its number: {known or 'there are none'}."
        )

    def create_project(self, title: str, config: str, **settings: Any) -> Project:
        """A new project."""
        with self._answer(f"the new project {title!r}"):
            made = self._sdk.projects.create(title=title, label_config=config, **settings, request_options=_ONCE)
        return self.project(str(made.id))

    def update_project(self, project: int, **settings: Any) -> Project:
        """Change settings of a project."""
        with self._answer(f"the change of project {project}"):
            self._sdk.projects.update(id=project, **settings)
        return self.project(str(project))

    def tasks(self, project: int) -> Iterator[dict[str, Any]]:
        """Id, data and meta of every task, in the order in which they came in."""
        with self._answer(f"the tasks of project {project}"):
            for task in self._sdk.tasks.list(project=project, page_size=_PAGE):
                yield {"id": task.id, "data": dict(task.data or {}), "meta": dict(task.meta or {})}

    def import_tasks(self, project: int, tasks: Sequence[dict[str, Any]]) -> int:
        """Send tasks once; how many the server took."""
        with self._answer(f"{len(tasks)} tasks for project {project}"):
            reply = self._sdk.projects.import_tasks(id=project, request=list(tasks), request_options=_ONCE)
        return int(reply.task_count)

    def export(self, project: int) -> list[dict[str, Any]]:
        """The full JSON export: every task with its annotations."""
        with self._answer(f"the export of project {project}"):
            return list(self._sdk.projects.exports.as_json(project))

    def backends(self, project: int) -> frozenset[str]:
        """The titles of the suggestion servers that are connected to a project."""
        with self._answer(f"the suggestion servers of project {project}"):
            return frozenset(str(one.title) for one in self._sdk.ml.list(project=project))

    def model_versions(self, project: int) -> frozenset[str]:
        """The models whose predictions the tasks of a project carry."""
        with self._answer(f"the predictions of project {project}"):
            return frozenset(str(one.model_version) for one in self._sdk.predictions.list(project=project))

    def sign_up_is_open(self) -> bool | None:
        """Whether anyone can make an account without an invite link; None where the server does not tell.

        The page to log in then leads to the form. The form itself is shown either way, and refused once it is sent.
        """
        import httpx

        try:
            with self._answer("its login page"):
                reply = self._connection.get(f"{self.url}/user/login/")
        except Redirected:
            return None
        return "/user/signup" in reply.text if reply.status_code == httpx.codes.OK else None

    def _project(self, one: Any) -> Project:
        return Project(
            id=int(one.id),
            title=str(one.title or ""),
            config=str(one.label_config or ""),
            tasks=int(one.task_number or 0),
            model_version=str(one.model_version or ""),
            shows_predictions=bool(one.show_collab_predictions),
        )

    @contextmanager
    def _answer(self, what: str, missing: str = "") -> Iterator[None]:
        """Turn what the SDK raises into words; none are the server's, which may quote a task or the token."""
        import httpx
        from label_studio_sdk.core.api_error import ApiError
        from pydantic import ValidationError

        try:
            yield
        except ApiError as error:
            raise self._refusal(error.status_code or 0, what, missing) from None
        except httpx.TimeoutException:
            raise NoAnswer(
                f"{self.url} did not answer within {_TIMEOUT} s ({what}). Wait until it is idle, then run the same "
                f"command again: {_KEPT}"
            ) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise StudioProblem(
                f"{self.url} cannot be reached ({type(error).__name__}; {what}). Is Label Studio running "
                f"there? Start it, and run the same command again: {_KEPT}"
            ) from None
        except (ValidationError, ValueError) as error:
            raise StudioProblem(
                f"{self.url} sent an answer that this version cannot read ({type(error).__name__}; {what}). "
                "See `mi-code studio doctor`."
            ) from None

    def _refusal(self, status: int, what: str, missing: str) -> StudioProblem:
        if status == 401:
            return StudioProblem(
                f"{self.url} does not accept the token. Copy it again from Account & Settings into "
                f"{TOKEN_VARIABLE}; if legacy tokens are switched off, use a personal access token."
            )
        if status == 404:
            return NotThere(
                f"{missing or f'{self.url} has nothing there ({what}).'} `mi-code studio doctor` lists the projects."
            )
        if status in _AT_WORK:
            return NoAnswer(
                f"A proxy in front of {self.url} gave up with {status} ({what}); the server may still be working. Wait "
                f"until it is idle, then run the same command again: {_KEPT}"
            )
        if status >= 500:
            return StudioProblem(
                f"{self.url} failed with {status} ({what}). Look at its log, and run the same command again: {_KEPT}"
            )
        return StudioProblem(f"{self.url} refused the request with {status} ({what}). Its log may say why.")
