"""A real Label Studio for tests and pictures, in an environment of its own, on loopback and a free port.

The first start makes a data folder with all tables, which is slow; later starts copy it. Its place is
`$MI_CODER_STUDIO_TEMPLATE`, else a folder of the system's temporary one named after the server's version.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

EXECUTABLE = "MI_CODER_LABEL_STUDIO"
VERSION = "1.23.2"
ADMIN = "admin@example.com"
PASSWORD = "a-pass-for-tests-1"
TOKEN = "5f" * 20
_START_SECONDS = 300
_STOP_SECONDS = 15


@dataclass(slots=True)
class Studio:
    """A server that runs: its address, the token of its first user, and how to take it down and up again."""

    url: str
    token: str
    data: Path
    port: int
    process: "subprocess.Popen[bytes]"
    settings: Mapping[str, str] = field(default_factory=dict)

    def stop(self) -> None:
        """End the server; its data stays."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        """Start it again on the same data and port."""
        self.process = _launch(self.data, self.port, self.settings)
        _wait(self.url, self.process)

    @contextmanager
    def sdk(self, token: str) -> "Iterator[LabelStudio]":
        """The server as the owner of a token reaches it."""
        from label_studio_sdk import LabelStudio

        with httpx.Client(timeout=120) as connection:
            yield LabelStudio(base_url=self.url, api_key=token, httpx_client=connection)

    def sign_up(self, email: str, invite: str = "") -> str:
        """Make an account through the page's own form; its token.

        Args:
            invite: what an invite link has after the address of the form, such as "?token=...".
        """
        with httpx.Client(base_url=self.url) as client:
            page = f"/user/signup/{invite}"
            client.get(page)
            form = {
                "csrfmiddlewaretoken": client.cookies["csrftoken"],
                "email": email,
                "password": PASSWORD,
                "allow_newsletters": "false",
            }
            reply = client.post(page, data=form, headers={"Referer": self.url})
            assert reply.status_code == 302, reply.status_code
            token: str = client.get("/api/current-user/token").json()["token"]
            return token


def executable() -> Path | None:
    """The label-studio command: `$MI_CODER_LABEL_STUDIO`, or that of `.venv-studio` in the checkout."""
    own = Path(__file__).parents[2] / ".venv-studio" / "bin" / "label-studio"
    found = Path(os.environ.get(EXECUTABLE, own))
    return found if found.is_file() else None


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Studio]:
    """A server whose data lies in `folder`; it ends with the block.

    Args:
        settings: environment variables beside those of every server.
    """
    data = folder / "data"
    shutil.copytree(_template(folder), data)
    port = _free_port()
    studio = Studio(f"http://127.0.0.1:{port}", TOKEN, data, port, _launch(data, port, settings), settings)
    try:
        _wait(studio.url, studio.process)
        yield studio
    finally:
        studio.stop()


def _template(folder: Path) -> Path:
    named = os.environ.get("MI_CODER_STUDIO_TEMPLATE")
    template = Path(named) if named else Path(tempfile.gettempdir()) / f"mi-coder-label-studio-{VERSION}"
    if not (template / "label_studio.sqlite3").exists():
        fresh, port = folder / "fresh", _free_port()
        fresh.mkdir()
        first = Studio(f"http://127.0.0.1:{port}", TOKEN, fresh, port, _launch(fresh, port, {}))
        try:
            _wait(first.url, first.process)
        finally:
            first.stop()
        with suppress(OSError):  # another run was quicker
            fresh.rename(template)
        if fresh.exists():
            return fresh
    return template


def _launch(data: Path, port: int, settings: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    program = executable()
    assert program is not None
    command = [program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (data.parent / f"{data.name}.log").open("ab") as log:
        return subprocess.Popen(
            [*map(str, command), "--log-level", "WARNING"],
            env={**_environment(data, port), **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(data: Path, port: int) -> dict[str, str]:
    """Little is passed on: the server takes names such as HOST or DEBUG for its own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_HOST": f"http://127.0.0.1:{port}",
        "LABEL_STUDIO_USERNAME": ADMIN,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"label-studio ended with {process.returncode}; its log lies beside its data")
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        time.sleep(0.2)
    raise TimeoutError("label-studio does not answer")
