"""What goes wrong between here and the server: nothing is lost or doubled, and the message says what to do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mi_coder.annotation import client as clients
from mi_coder.annotation.client import (
    TOKEN_VARIABLE,
    URL_VARIABLE,
    Client,
    NoAnswer,
    NotThere,
    StudioProblem,
    check_url,
    find_token,
)
from mi_coder.annotation.doctor import look_at_project, look_at_server
from mi_coder.annotation.label_config import label_config, reading_config
from mi_coder.annotation.push import push
from mi_coder.annotation.suggestions import results
from mi_coder.annotation.tasks import Task
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from tests.integration.studio.proxy import proxy
from tools.label_studio.server import Studio, executable, running

CONFIG = label_config(Codebook.load())
MANY = 5000


def many(count: int) -> list[Task]:
    return [Task(f"c{number // 10}", number % 10, "counselor", f"Said {number}.") for number in range(count)]


def names(client: Client, project: int) -> Counter[str]:
    return Counter(task["data"]["utterance_id"] for task in client.tasks(project))


def test_five_thousand_tasks_come_through_a_kill_exactly_once(studio: Studio, tiny: Path, tmp_path: Path) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Large", CONFIG, show_collab_predictions=True).id
    path = tmp_path / "chats.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(MANY // 10):
            messages = [{"role": "counselor", "text": f"Said {number}, {turn}."} for turn in range(10)]
            file.write(json.dumps({"conversation_id": f"c{number}", "messages": messages}) + "\n")
    program = Path(sys.executable).with_name("mi-code")
    command = [program, "studio", "push", str(project), str(path), "--context", "2", "--model", str(tiny)]
    environment = {**os.environ, URL_VARIABLE: studio.url, TOKEN_VARIABLE: studio.token}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while client.project(str(project)).tasks < MANY // 5 and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = sum(names(client, project).values())
    assert 0 < there < MANY
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert f"{MANY - there} messages sent, {there} were there" in done.stdout
    found = names(client, project)
    assert len(found) == MANY and set(found.values()) == {1}
    assert len(client.export(project)) == MANY


@pytest.mark.parametrize("wrong", ["refuse", "lose", "hang up"])
def test_an_import_that_fails_once_is_neither_lost_nor_doubled(studio: Studio, wrong: str) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project(f"Import {wrong}", CONFIG).id
    left = [wrong]
    with proxy(studio.url, lambda method, path: left.pop() if "/import" in path and left else "") as between:
        pushed = push(Client(between.url, studio.token), project, many(50), chunk=20)
    assert pushed.sent == 50
    found = names(client, project)
    assert len(found) == 50 and set(found.values()) == {1}


def test_a_slow_answer_is_not_taken_for_none(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Slow", CONFIG).id
    with proxy(studio.url, lambda method, path: "slow" if "/import" in path else "") as between:
        monkeypatch.setattr(clients, "_TIMEOUT", 1)
        with pytest.raises(NoAnswer, match="Wait until it is idle"):
            push(Client(between.url, studio.token), project, many(20))
        assert sum("/import" in path for _, path, _ in between.requests) == 1
    monkeypatch.undo()
    assert push(client, project, many(30)).sent == 10
    assert set(names(client, project).values()) == {1}


def test_a_message_that_comes_twice_is_sent_once(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Twice", CONFIG).id
    pushed = push(client, project, [*many(5), *many(5)], chunk=3)
    assert (pushed.sent, pushed.there, pushed.doubled) == (5, 5, ())
    assert sum(names(client, project).values()) == 5


def test_a_server_that_keeps_failing_is_told_and_the_next_push_ends_it(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Failing", CONFIG).id
    count = [0]

    def second_chunk_fails(method: str, path: str) -> str:
        count[0] += "/import" in path
        return "refuse" if "/import" in path and count[0] > 1 else ""

    with (
        proxy(studio.url, second_chunk_fails) as between,
        pytest.raises(StudioProblem, match="run the same command"),
    ):
        push(Client(between.url, studio.token), project, many(50), chunk=20)
    assert sum(names(client, project).values()) == 20
    assert push(client, project, many(50), chunk=20).sent == 30


def test_a_restart_in_the_middle_loses_nothing(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Restart", CONFIG).id
    push(client, project, many(20))
    studio.stop()
    with pytest.raises(StudioProblem, match=r"cannot be reached.*Is Label Studio running"):
        push(client, project, many(40))
    studio.start()
    assert push(client, project, many(40)).sent == 20


def test_a_pull_during_coding_has_what_was_coded_before(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Busy", CONFIG).id
    push(client, project, many(30))
    with studio.sdk(studio.token) as server:
        for done, task in enumerate(list(server.tasks.list(project=project)), start=1):
            server.annotations.create(id=task.id, result=results(["SU"]), lead_time=1.0)
            if done % 10 == 0:
                coded = [one for one in client.export(project) if one["annotations"]]
                assert len(coded) == done


def test_a_project_edited_by_hand_is_seen(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    edited = CONFIG.replace('value="SU"', 'value="SUPP"')
    project = client.create_project("Edited", edited)
    push(client, project.id, many(3))
    client.import_tasks(
        project.id, [many(1)[0].to_import(), {"data": {**many(1)[0].to_import()["data"], "utterance_id": ""}}]
    )
    with studio.sdk(studio.token) as server:
        first = next(iter(server.tasks.list(project=project.id)))
        server.annotations.create(id=first.id, result=results(["SUPP"]), lead_time=1.0)
    said = [(one.level, one.what) for one in look_at_project(client, client.project(str(project.id)))]
    assert ("bad", "the schema lacks the codes SU") in said
    assert ("bad", "the schema has codes that are not in the codebook: SUPP") in said
    assert any(level == "bad" and "more than once" in what for level, what in said)
    assert any("not made by mi-code" in what for _, what in said)
    with studio.sdk(studio.token) as server:
        server.tasks.delete(id=str(first.id))
    assert push(client, project.id, many(3)).there == 3


def test_a_doctor_finds_what_is_open(studio: Studio) -> None:
    said = {one.what: one for one in look_at_server(Client(studio.url, studio.token), studio.token)}
    assert any("anyone who reaches the server can sign up" in what and one.level == "bad" for what, one in said.items())
    assert all(one.mend or one.level == "good" for one in said.values())


def test_with_sign_up_by_invite_link_the_doctor_is_content(tmp_path: Path) -> None:
    if executable() is None:
        pytest.skip("no Label Studio")
    with running(tmp_path, LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK="true") as closed:
        client = Client(closed.url, closed.token)
        said = {one.what: one.level for one in look_at_server(client, closed.token)}
        assert said["sign-up needs an invite link"] == "good"
        assert "bad" not in said.values()
        with pytest.raises(AssertionError, match="403"):
            closed.sign_up("nobody@example.com")
        with closed.sdk(closed.token) as server:
            _, _, invite = server.organizations.invites.get_invite_link().invite_url.partition("/user/signup/")
        assert closed.sign_up("ann@example.com", invite)
        assert "ann@example.com" in client.users().values()


def test_a_project_to_read_in_is_no_trouble(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    project = client.create_project("Reading only", reading_config())
    assert {one.level for one in look_at_project(client, project)} == {"good"}


def test_a_wrong_token_and_a_wrong_project_are_explained(studio: Studio) -> None:
    with pytest.raises(StudioProblem, match="does not accept the token") as caught:
        Client(studio.url, "0" * 40).whoami()
    assert "0000" not in str(caught.value)
    with pytest.raises(NotThere, match="no project 99999"):
        Client(studio.url, studio.token).project("99999")
    with pytest.raises(NotThere, match="no project has the title"):
        Client(studio.url, studio.token).project("nothing like it")


@pytest.mark.parametrize(
    "url",
    [
        "http://labels.example.org",
        "labels.example.org",
        "ftp://x",
        "",
        "http://127.0.0.1:abc",
        "http://[::1",
        "https://a:b@x.org",
    ],
)
def test_only_encrypted_addresses_or_this_machine(url: str) -> None:
    with pytest.raises(UsageProblem):
        check_url(url)


def test_addresses_that_are_fine() -> None:
    assert check_url("https://labels.example.org/") == "https://labels.example.org"
    assert check_url("http://127.0.0.1:8080") == "http://127.0.0.1:8080"


def test_a_missing_token_names_the_place_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(UsageProblem, match="Account & Settings"):
        find_token("http://127.0.0.1:8080")
    monkeypatch.setenv(TOKEN_VARIABLE, "one\ntwo")
    with pytest.raises(UsageProblem, match="without line breaks"):
        find_token("http://127.0.0.1:8080")
