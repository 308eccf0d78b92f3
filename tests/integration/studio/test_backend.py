"""The suggestion server, connected to a real Label Studio."""

import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from mi_coder.annotation.client import Client
from mi_coder.annotation.label_config import label_config
from mi_coder.annotation.push import push
from mi_coder.annotation.tasks import tasks
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Message
from mi_coder.tagger.tagger import Tagger
from tools.label_studio.server import Studio

SECRET = "what nobody else may read"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_label_studio_shows_what_the_server_suggests_and_its_log_keeps_still(
    studio: Studio, tiny: Path, tmp_path: Path
) -> None:
    port = free_port()
    program = Path(sys.executable).with_name("mi-code")
    command = [program, "studio", "serve", "--port", str(port), "--model", str(tiny)]
    log = tmp_path / "serve.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("the suggestion server does not answer")
        client = Client(studio.url, studio.token)
        project = client.create_project("Backend", label_config(Codebook.load()), show_collab_predictions=True).id
        chats = [Conversation(f"c{number}", [Message("counselor", f"{SECRET} {number}")]) for number in range(5)]
        push(client, project, tasks(chats))
        everything = {"all": True, "excluded": []}
        with studio.sdk(studio.token) as server:
            server.ml.create(url=f"http://127.0.0.1:{port}", project=project, title="mi-coder", auth_method="NONE")
            server.actions.create(id="retrieve_tasks_predictions", project=project, selected_items=everything)
            found = list(server.predictions.list(project=project))
        expected = [message.coding.codes for chat in Tagger.load(tiny).tag_many(chats) for message in chat.messages]
        given = {one.task: one.result[0]["value"]["choices"] for one in found}
        assert [tuple(given[task]) for task in sorted(given)] == expected
        assert {one.model_version for one in found} == {"tiny 1"}
    finally:
        process.terminate()
        process.wait(20)
    assert SECRET not in log.read_text()
    assert studio.token not in log.read_text()
