"""What the client says of a server that refuses: why, and nothing of what was sent to it."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mi_coder.annotation.client import Client, Redirected, StudioProblem, check_url
from mi_coder.annotation.tasks import Task
from mi_coder.errors import UsageProblem

pytest.importorskip("label_studio_sdk")

SECRET = "what nobody else may read"


def personal_token(**claims: object) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"token_type": "refresh", **claims})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


LEGACY = "legacytoken0123456789"
PERSONAL = personal_token(exp=int(time.time()) + 3600)
TOKENS = pytest.mark.parametrize("token", [LEGACY, PERSONAL], ids=["legacy", "personal"])


@contextmanager
def server(status: int, location: str = "") -> Iterator[tuple[str, list[str]]]:
    """A server that answers with this status and says back all that it was sent; its address, and what was asked."""
    asked: list[str] = []

    class Echo(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.path)
            sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            body = json.dumps({"detail": f"No: {self.headers.get('authorization')} {sent}"}).encode()
            self.send_response(status)
            if location:
                self.send_header("location", location + self.path)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", asked
        finally:
            running.shutdown()


@TOKENS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_quotes_neither_the_token_nor_what_was_sent(token: str, status: int) -> None:
    tasks = [Task("c", 1, "counselor", SECRET, ()).to_import()]
    with server(status) as (url, asked):
        client = Client(url, token)
        for ask in (client.whoami, lambda: client.import_tasks(3, tasks)):
            with pytest.raises(StudioProblem) as caught:
                ask()
            said = str(caught.value)
            assert said.startswith(url) and asked
            assert not any(part in said for part in (LEGACY, PERSONAL, *PERSONAL.split("."), SECRET, "No:", "refresh"))
            assert caught.value.__cause__ is None and caught.value.__suppress_context__


@TOKENS
def test_a_redirect_is_named_and_not_followed(token: str) -> None:
    with server(200) as (other, asked), server(302, other) as (url, _):
        client = Client(url, token)
        with pytest.raises(Redirected, match=rf"{url} redirects to another address \(302\)\. Name it with --url"):
            client.whoami()
        assert client.sign_up_is_open() is None
        assert not asked


@pytest.mark.parametrize("claims", [{"exp": 1}, {}])
def test_a_token_that_has_expired_is_a_problem_of_the_user(claims: dict[str, int]) -> None:
    token = personal_token(**claims)
    with pytest.raises(UsageProblem, match=r"token has expired.*Make a new one in Account & Settings") as caught:
        Client("http://127.0.0.1:9", token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://[::1].evil.example:80", "http://[::1]evil", "https://a b.example", "https://x.example\x00"]
)
def test_an_odd_host_is_no_address(url: str) -> None:
    with pytest.raises(UsageProblem, match="is not the address of a Label Studio"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["http://[::1]:8080", "http://[::1]", "http://localhost:8080", "https://a-b.example/sub", "https://bücher.example"],
)
def test_usual_hosts_are_addresses(url: str) -> None:
    assert check_url(url) == url


def test_an_address_that_cannot_be_asked_is_no_fault_of_the_program() -> None:
    with pytest.raises(StudioProblem, match="cannot be reached"):
        Client("https://x.example/\x7f", LEGACY).whoami()
