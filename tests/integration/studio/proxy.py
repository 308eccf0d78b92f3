"""A proxy before Label Studio that goes wrong on purpose."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

Fault = Callable[[str, str], str]


@dataclass
class Proxy:
    """Its address, and what it did with every request: method, path, and the fault if there was one."""

    url: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def proxy(target: str, fault: Fault) -> Iterator[Proxy]:
    """A proxy that asks `fault` of every request (method, path) what goes wrong.

    It can answer "" (nothing), "refuse" (500 without asking the server), "lose" (the server does it, and the client
    gets 500), "hang up" (the server does it, and the connection ends without an answer) or "slow" (the answer comes
    three seconds late).
    """
    found = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wrong = fault(self.command, self.path)
            found.requests.append((self.command, self.path, wrong))
            if wrong == "refuse":
                self._answer(500, b'{"detail": "made to fail"}')
                return
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
            }
            with httpx.Client(timeout=120) as client:
                reply = client.request(self.command, target + self.path, headers=headers, content=body)
            if wrong == "slow":
                time.sleep(3)
            if wrong == "hang up":
                self.close_connection = True
            elif wrong == "lose":
                self._answer(500, b'{"detail": "made to fail"}')
            else:
                self._answer(reply.status_code, reply.content, reply.headers.get("Content-Type", "application/json"))

        def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _pass

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
