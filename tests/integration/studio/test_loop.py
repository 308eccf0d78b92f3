"""The whole loop with two coders: make, send, code through the page and the API, fetch, agree, adjudicate, evaluate."""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.client import TOKEN_VARIABLE, URL_VARIABLE, Client
from mi_coder.annotation.suggestions import results
from mi_coder.cli.main import group as mi_code
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from tools.label_studio import page as pages
from tools.label_studio.server import ADMIN, Studio

BOOK = Codebook.load()
KEYS = {
    **{code.id: code.hotkey for code in BOOK.codes},
    **{value.name: value.hotkey for one in BOOK.attribute_details for value in one.values},
}
CODERS = ("ann@example.com", "ben@example.com")
# What is said of the six messages, as they come: by either coder, and by the adjudicator of those where they differ.
ANN = ["OQ", "REF simple", "SU", "AF", "CQ", "OUT"]
BEN = ["OQ", "REF complex", "SU", "SU", "CQ", "OUT"]
DECIDED = {"c0#3": "REF complex", "c1#1": "EA"}
NAMES = ["c0#1", "c0#3", "c0#5", "c1#1", "c1#3", "c1#5"]


@pytest.fixture(scope="module")
def tokens(studio: Studio) -> dict[str, str]:
    return {email: studio.sign_up(email) for email in CODERS}


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "chats.jsonl"
    said = ["What was it like?", "It felt long.", "I am sorry.", "You kept at it.", "Did you sleep?", "Good night."]
    with path.open("w", encoding="utf-8") as file:
        for number in range(2):
            messages = []
            for text in said[number * 3 : number * 3 + 3]:
                messages += [{"role": "client", "text": "hm, ok"}, {"role": "counselor", "text": text}]
            file.write(json.dumps({"conversation_id": f"c{number}", "messages": messages}) + "\n")
    return path


def run(studio: Studio, *arguments: str, expected: int = 0) -> Result:
    environment = {URL_VARIABLE: studio.url, TOKEN_VARIABLE: studio.token}
    result = CliRunner(env=environment).invoke(mi_code, arguments, catch_exceptions=False)
    assert result.exit_code == expected, result.output
    return result


def code_by_api(studio: Studio, token: str, project: int, codings: list[str]) -> None:
    with studio.sdk(token) as server:
        for task, coding in zip(list(server.tasks.list(project=project)), codings, strict=True):
            code, *depth = coding.split()
            server.annotations.create(id=task.id, result=results([code], *depth), lead_time=4.0)


def code_by_keys(studio: Studio, email: str, project: int, codings: Iterable[str]) -> None:
    """Code the messages as the page brings them, without the mouse; what is ticked before is taken away."""
    with pages.signed_in(studio.url, email) as page:
        pages.open_stream(page, studio.url, project)
        for coding in codings:
            said = page.locator(".mi .target").inner_text()
            for given in pages.ticked(page):
                pages.press(page, KEYS[given])
            for name in coding.split():
                pages.press(page, KEYS[name])
            assert pages.submit(page) == 201
            pages.await_next(page, said)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def coding_of(row: dict[str, str]) -> str:
    return f"{row['codes']} {row['depth']}".strip()


def named(result: Result) -> str:
    """The number of the project that a command says it made or filled."""
    [found] = re.findall(r"^project (\d+):", result.stdout, re.MULTILINE)
    return str(found)


def test_two_coders_from_the_project_to_the_evaluation(
    studio: Studio, tokens: dict[str, str], chats: Path, tmp_path: Path, tiny: Path
) -> None:
    if not pages.browser():
        pytest.skip("no Chromium on the path")
    title = "Night shift"
    assert "created" in run(studio, "studio", "create", "--title", title).output
    assert "unchanged" in run(studio, "studio", "create", "--title", title).output
    sent = run(studio, "studio", "push", title, str(chats), "--model", str(tiny), "--hidden", "0.5")
    assert "6 messages sent, 0 were there" in sent.output
    assert "0 messages sent, 6 were there" in run(studio, "studio", "push", title, str(chats), "--no-suggest").output
    project = named(sent)

    code_by_keys(studio, CODERS[0], int(project), ANN)
    code_by_api(studio, tokens[CODERS[1]], int(project), BEN)

    codes = tmp_path / "codes.csv"
    pulled = run(studio, "studio", "pull", project, "-o", str(codes))
    assert "12 codings of 6 messages by 2 coders" in pulled.output
    found = {(row["coder"], f"{row['conversation_id']}#{row['index']}"): row for row in rows(codes)}
    assert [coding_of(found[CODERS[0], name]) for name in NAMES] == ANN
    assert [coding_of(found[CODERS[1], name]) for name in NAMES] == BEN
    assert {row["suggestion"] for row in found.values()} == {"shown", "hidden"}
    assert all(row["seconds"] for row in found.values())
    for row in found.values():
        assert "hm, ok" not in ",".join(row.values())
    progress = run(studio, "studio", "progress", project).stdout
    assert "6 of 6" in progress and CODERS[1] in progress

    [agreed] = json.loads(run(studio, "agreement", str(codes), "--as", "json").stdout)["groups"]
    alphas = {row["name"]: row["alpha"]["value"] for row in agreed["rows"]}
    assert alphas["OQ"] == alphas["CQ"] == alphas["OUT"] == 1
    assert alphas["SU"] < 1 and alphas["AF"] < 1

    sent = run(
        studio, "adjudicate", "push", f"{title}: decide", str(chats), str(codes), "--key", str(tmp_path / "key.json")
    )
    assert "2 disagreements sent, 0 were there" in sent.output
    code_by_keys(studio, ADMIN, int(named(sent)), DECIDED.values())
    settled, log = tmp_path / "settled.csv", tmp_path / "log.jsonl"
    decided = run(studio, "adjudicate", "pull", named(sent), str(codes), "-o", str(settled), "--log", str(log))
    assert "6 of 6 messages settled (4 agreed, 2 adjudication), 0 open" in decided.output
    assert {f"{row['conversation_id']}#{row['index']}": coding_of(row) for row in rows(settled)} == {
        **dict(zip(NAMES, ANN, strict=True)),
        **DECIDED,
    }
    assert sum(json.loads(line)["by"] == ADMIN for line in log.read_text().splitlines()) == 2

    gold = tmp_path / "gold.jsonl"
    run(studio, "studio", "gold", str(chats), str(settled), "-o", str(gold))
    judged = run(
        studio, "evaluate", str(gold), "--model", str(tiny), "--min-support", "1", "--as", "json", "--allow-seen"
    )
    report = json.loads(judged.stdout)
    assert report["messages"] == report["complete"] == 6
    support = {row["score"]["code"]: row["score"]["positives"] for row in report["rows"]}
    assert {code for code, count in support.items() if count} == {"OQ", "REF", "SU", "EA", "CQ", "OUT"}
    assert support["SU"] == support["EA"] == 1


def test_whole_chats_can_be_read_in_a_project_of_their_own(studio: Studio, chats: Path) -> None:
    run(studio, "studio", "create", "--title", "To read", "--reading")
    assert "2 conversations sent, 0 were there" in run(studio, "studio", "push", "To read", str(chats)).output
    assert "0 conversations sent, 2 were there" in run(studio, "studio", "push", "To read", str(chats)).output
    only = chats.with_name("only.txt")
    only.write_text("c0#1\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match="is for whole conversations, and --only names messages"):
        run(studio, "studio", "push", "To read", str(chats), "--only", str(only))


def test_blind_double_coding_deals_whole_chats_and_repeats(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    chat = {"messages": [{"role": "counselor", "text": "How was it?"}, {"role": "counselor", "text": "Go on."}]}
    path.write_text("".join(json.dumps({"conversation_id": f"m{n}", **chat}) + "\n" for n in range(20)), "utf-8")
    arguments = ("studio", "assign", str(path), "--title", "Blind", "--coders", "ann,ben,cho", "--overlap", "0.5")
    first = run(studio, *arguments).stdout
    again = run(studio, *arguments).stdout
    sent = [int(line.split("planted; ")[1].split()[0]) for line in first.splitlines()]
    messages = [int(line.split(": ")[1].split()[0]) for line in first.splitlines()]
    assert sent == messages and sum(messages) > 40
    assert all("0 sent" in line for line in again.splitlines())


def test_a_schema_that_drops_a_code_in_use_is_refused(
    studio: Studio, tokens: dict[str, str], chats: Path, tmp_path: Path
) -> None:
    overlay = tmp_path / "own.yaml"
    own_code = {"id": "HUMOR", "name": "Humor", "definition": "Makes light of it.", "hotkey": "9"}
    overlay.write_text(json.dumps({"title": "Ours", "codes": [own_code]}), encoding="utf-8")
    run(studio, "studio", "create", "--title", "Own codes", "--overlay", str(overlay))
    sent = run(studio, "studio", "push", "Own codes", str(chats), "--no-suggest")
    project = int(named(sent))
    own = {"from_name": "own", "to_name": "text", "type": "choices", "value": {"choices": ["HUMOR"]}}
    with studio.sdk(tokens[CODERS[0]]) as server:
        task = next(iter(server.tasks.list(project=project)))
        server.annotations.create(id=task.id, result=[*results(["SU"]), own], lead_time=1.0)
    environment = {URL_VARIABLE: studio.url, TOKEN_VARIABLE: studio.token}
    with pytest.raises(Exception, match=r"HUMOR \(1 times\)"):
        CliRunner(env=environment).invoke(mi_code, ["studio", "create", "--title", "Own codes"], catch_exceptions=False)
    codes = tmp_path / "codes.csv"
    run(studio, "studio", "pull", str(project), "-o", str(codes))
    assert [row["own"] for row in rows(codes)] == ["HUMOR"]


def test_planted_older_and_unsubmitted_codings_are_told_apart(
    studio: Studio, tokens: dict[str, str], tmp_path: Path
) -> None:
    known = tmp_path / "known.jsonl"
    gold = {"role": "counselor", "text": "Did you sleep?", "gold": {"codes": ["CQ"]}}
    known.write_text(json.dumps({"conversation_id": "k0", "messages": [gold]}) + "\n", "utf-8")
    path = tmp_path / "many.jsonl"
    chat = {"messages": [{"role": "counselor", "text": "How was it?"}, {"role": "counselor", "text": "Go on."}]}
    path.write_text("".join(json.dumps({"conversation_id": f"t{n}", **chat}) + "\n" for n in range(10)), "utf-8")
    arguments = ("studio", "assign", str(path), "--title", "Told", "--overlap", "0", "--planted", str(known))
    run(studio, *arguments, "--coders", "ann,ben")
    client = Client(studio.url, studio.token)
    project = client.project("Told: ann").id
    tasks = {task["data"]["utterance_id"]: task["id"] for task in client.tasks(project)}
    planted, twice, draft, *others = sorted(tasks)
    assert planted == "k0#0" and others
    with studio.sdk(tokens[CODERS[0]]) as server:
        for name, code in ((planted, "CQ"), (twice, "OQ"), (twice, "SU")):
            server.annotations.create(id=tasks[name], result=results([code]), lead_time=1.0)
    with httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {tokens[CODERS[0]]}"}) as page:
        saved = page.post(f"/api/tasks/{tasks[draft]}/drafts", json={"result": results(["SU"]), "project": project})
        assert saved.status_code == 201, saved.text

    codes = tmp_path / "ann.csv"
    pulled = run(studio, "studio", "pull", "Told: ann", "Told: ben", "-o", str(codes))
    assert [(f"{row['conversation_id']}#{row['index']}", row["codes"]) for row in rows(codes)] == [(twice, "SU")]
    assert [row["conversation_id"] for row in rows(tmp_path / "ann.planted.csv")] == ["k0"]
    assert "1 codings of planted messages" in pulled.output
    assert "1 older codings left out" in pulled.output and "(1 of them with different codes)" in pulled.output
    assert f"1 annotations saved but not submitted (1 by {CODERS[0]})" in pulled.output
    assert run(studio, "studio", "progress", "Told: ann").stdout.splitlines()[2].split()[-1] == "1"

    path.write_text(path.read_text("utf-8").replace("How was it?", "How is it?"), "utf-8")
    joined = run(studio, *arguments, "--coders", "ann,cho")
    counts = [line.split(" messages")[0] for line in joined.stdout.splitlines()]
    assert counts == [f"ann: {len(tasks)}", "cho: 1"]
    assert "'Told: ben' (" in joined.stderr and "have another text in the project" in joined.stderr
    refused = CliRunner(env={URL_VARIABLE: studio.url, TOKEN_VARIABLE: studio.token}).invoke(
        mi_code, ["studio", "push", "Told: cho", str(path)]
    )
    assert "have no suggestions, as blind coding requires" in str(refused.exception)
