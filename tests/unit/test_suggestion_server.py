"""The suggestion server, as Label Studio calls it."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mi_coder.annotation.suggest import Suggester
from mi_coder.annotation.suggestion_server import application
from mi_coder.annotation.tasks import Task
from mi_coder.conversation import Conversation, Message
from mi_coder.errors import MiCoderError
from mi_coder.tagger.tagger import Tagger

testclient = pytest.importorskip("starlette.testclient")

LOOPBACK = "http://127.0.0.1:9090"
SECRET = "what nobody else may read"


def task(text: str = SECRET, **more: Any) -> dict[str, Any]:
    before = (Message("client", "i can not sleep"),)
    return {"id": 1, **Task("c", 1, "counselor", text, before).to_import(), **more}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def client(tagger: Tagger, said: list[str]) -> Iterator[Any]:
    with testclient.TestClient(base_url=LOOPBACK, app=application(Suggester(tagger), None, said.append)) as made:
        yield made


def test_health_setup_and_versions_name_the_model(client: Any, tagger: Tagger) -> None:
    version = f"{tagger.config.name} {tagger.config.version}"
    assert client.get("/health").json() == {"status": "UP", "model_class": "MICoder"}
    setup = {"project": "1.2", "schema": "<View/>", "access_token": "secret", "hostname": "http://x"}
    assert client.post("/setup", json=setup).json() == {"model_version": version}
    assert client.get("/versions").json() == {"versions": [version]}


def test_suggestions_are_those_of_the_tagger_with_the_context(client: Any, tagger: Tagger) -> None:
    answer = client.post("/predict", json={"tasks": [task(), task("how was it?")]}).json()
    chat = Conversation("c", [Message("client", "i can not sleep"), Message("counselor", SECRET)])
    coding = tagger.tag(chat).messages[1].coding
    assert coding is not None
    [first, _] = answer["results"]
    assert first["result"][0]["value"]["choices"] == list(coding.codes)
    assert first["score"] == pytest.approx(min(coding.scores[code] for code in coding.codes), abs=1e-4)


def test_human_codes_are_not_read_and_hidden_suggestions_stay_hidden(client: Any) -> None:
    with_codes = task(annotations=[{"result": [{"value": {"choices": ["IP"]}}]}])
    hidden = task(meta={"suggestion": "hidden"})
    other = {"id": 3, "data": {"image": "x"}}
    plain, coded, held, strange = client.post("/predict", json={"tasks": [task(), with_codes, hidden, other]}).json()[
        "results"
    ]
    assert plain == coded
    assert held["result"] == strange["result"] == []


def test_only_codes_that_the_project_offers_are_suggested(client: Any) -> None:
    config = '<View><Choices name="code"><Choice value="ZZ"/></Choices></View>'
    [answer] = client.post("/predict", json={"tasks": [task()], "label_config": config}).json()["results"]
    assert answer["result"] == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"tasks": 3}'])
def test_what_is_no_request_is_refused(client: Any, body: bytes) -> None:
    assert client.post("/predict", content=body).status_code == 400


def test_an_error_is_told_by_its_kind_alone(tagger: Tagger, said: list[str]) -> None:
    class Broken(Suggester):
        def predict(self, tasks: Any, config: str = "") -> Any:
            raise RuntimeError(tasks[0]["data"]["text"])

    with testclient.TestClient(base_url=LOOPBACK, app=application(Broken(tagger), None, said.append)) as made:
        reply = made.post("/predict", json={"tasks": [task()]})
    assert reply.status_code == 500
    assert said == ["prediction failed: RuntimeError"]
    assert SECRET not in reply.text


def test_training_is_refused_unless_it_was_asked_for(client: Any) -> None:
    body = {"action": "START_TRAINING", "project": {"id": 4}}
    assert client.post("/webhook", json=body).json() == {"status": "noted"}


def test_other_pages_and_hosts_start_no_training(tagger: Tagger) -> None:
    body = {"action": "START_TRAINING", "project": {"id": 4}}
    app = application(Suggester(tagger), lambda project: "trained")
    with testclient.TestClient(base_url=LOOPBACK, app=app) as made:
        assert made.post("/webhook", json=body, headers={"Origin": "https://x.org"}).status_code == 403
    with testclient.TestClient(base_url="http://x.org", app=app) as made:
        assert made.post("/webhook", json=body).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/versions"), ("POST", "/setup"), ("POST", "/predict")]
)
def test_other_pages_and_hosts_learn_nothing_but_that_it_runs(tagger: Tagger, method: str, path: str) -> None:
    app = application(Suggester(tagger))
    for base, headers in ((LOOPBACK, {"Origin": "http://evil.example"}), ("http://evil.example", {})):
        with testclient.TestClient(base_url=base, app=app) as made:
            reply = made.request(method, path, json={"tasks": [task()]} if method == "POST" else None, headers=headers)
            assert reply.status_code == 403 and tagger.config.name not in reply.text
            assert made.get("/health", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "host.docker.internal"])
def test_this_machine_may_ask_by_any_of_its_names(tagger: Tagger, host: str) -> None:
    with testclient.TestClient(base_url=f"http://{host}:9090", app=application(Suggester(tagger))) as made:
        assert made.post("/predict", json={"tasks": [task()]}).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/webhook"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_not_read_to_its_end(client: Any, path: str, chunked: bool) -> None:
    taken = []

    def parts() -> Iterator[bytes]:
        for number in range(40):
            taken.append(number)
            yield b" " * (1 << 20)

    reply = client.post(path, content=parts() if chunked else b" " * (17 << 20))
    assert reply.status_code == 413
    assert client.post(path, content=b" " * (15 << 20) + b'{"tasks": []}').status_code in (200, 201)


@pytest.mark.parametrize("before", [False, True])
def test_a_task_that_cannot_be_read_does_not_harm_the_others(client: Any, before: bool) -> None:
    bad = task()
    if before:
        bad["data"]["before"] = [["client", "half \ud83d"]]
    else:
        bad["data"]["text"] = "half \ud83d"
    alone = client.post("/predict", json={"tasks": [task()]}).json()["results"]
    content = json.dumps({"tasks": [task(), bad, task()]})
    first, strange, last = client.post("/predict", content=content).json()["results"]
    assert [first] == [last] == alone
    assert strange["result"] == [] and strange["model_version"] == first["model_version"]


def test_one_training_at_a_time_in_the_background(tagger: Tagger, said: list[str]) -> None:
    go_on, started = threading.Event(), []

    def retrain(project: int) -> str:
        started.append(project)
        go_on.wait(10)
        return f"exchanged for project {project}"

    with testclient.TestClient(base_url=LOOPBACK, app=application(Suggester(tagger), retrain, said.append)) as made:
        body = {"action": "START_TRAINING", "project": {"id": 4}}
        assert made.post("/webhook", json=body).json() == {"status": "training"}
        assert made.post("/webhook", json=body).json() == {"status": "noted"}
        assert made.get("/health").status_code == 200
        assert made.post("/webhook", json={"action": "PROJECT_UPDATED"}).status_code == 201
        go_on.set()
        for _ in range(200):
            if said:
                break
            time.sleep(0.02)
        assert made.post("/webhook", json=body).json() == {"status": "training"}
    assert said[0] == "exchanged for project 4" and started[0] == 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MiCoderError("No coded message is in the part dev."), "No coded message is in the part dev."),
        (ValueError(SECRET), "ValueError"),
    ],
)
def test_why_a_training_failed_is_told_without_any_text(
    tagger: Tagger, said: list[str], error: Exception, told: str
) -> None:
    def retrain(project: int) -> str:
        raise error

    with testclient.TestClient(base_url=LOOPBACK, app=application(Suggester(tagger), retrain, said.append)) as made:
        made.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 4}})
        for _ in range(200):
            if said:
                break
            time.sleep(0.02)
    assert said == [f"retraining failed: {told}"]


def test_the_tagger_can_be_exchanged(tagger: Tagger, tmp_path: Path) -> None:
    suggester = Suggester(tagger)
    before = suggester.version

    class Other:
        config = type("Config", (), {"name": "other", "version": "2"})

    suggester.exchange(Other())  # type: ignore[arg-type]
    assert (before, suggester.version) == (f"{tagger.config.name} {tagger.config.version}", "other 2")
