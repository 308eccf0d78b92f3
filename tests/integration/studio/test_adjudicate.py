"""Disagreements to a real server, decided by a third person, and back as gold."""

import csv
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.client import TOKEN_VARIABLE, URL_VARIABLE, Client
from mi_coder.annotation.doctor import Finding, look_at_project
from mi_coder.annotation.suggestions import results
from mi_coder.cli.main import group as mi_code
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, read_standoff, text_hash
from mi_coder.errors import UsageProblem
from tools.label_studio import page as pages
from tools.label_studio.server import Studio

JUDGE = "judge@example.com"
SAID = ["What was it like?", "It felt long.", "I am sorry.", "You kept at it."]
GIVEN = {
    "first@example.com": ["OQ", "REF", "SU", "AF"],
    "second@example.com": ["OQ", "SU", "GI", "AF"],
}


@pytest.fixture(scope="module")
def judge(studio: Studio) -> str:
    return studio.sign_up(JUDGE)


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    messages = [{"role": "counselor", "text": text} for text in SAID]
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"conversation_id": "night", "messages": messages}) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def codes(tmp_path: Path) -> list[str]:
    paths = []
    for number, (coder, given) in enumerate(GIVEN.items()):
        path = tmp_path / f"coder{number}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for index, code in enumerate(given):
                depth = "simple" if code == "REF" else ""
                table.writerow(("night", index, text_hash(SAID[index]), code, depth, "", "", 3, coder, "1"))
        meta = {"codebook": Codebook.load().hash, "coder": "people", "unit": "message"}
        Path(f"{path}.meta.json").write_text(json.dumps(meta), encoding="utf-8")
        paths.append(str(path))
    return paths


def run(studio: Studio, *arguments: str) -> Result:
    environment = {URL_VARIABLE: studio.url, TOKEN_VARIABLE: studio.token}
    return CliRunner(env=environment).invoke(mi_code, arguments)


def done(studio: Studio, *arguments: str) -> Result:
    result = run(studio, *arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def decide(studio: Studio, token: str, project: int, index: int, code: str, comment: str = "") -> None:
    said = [{"from_name": "comment", "to_name": "text", "type": "textarea", "value": {"text": [comment]}}]
    with studio.sdk(token) as server:
        task = next(one for one in server.tasks.list(project=project) if one.data["index"] == index)
        server.annotations.create(id=task.id, result=[*results([code]), *(said if comment else [])], lead_time=3.0)


def test_disagreements_are_decided_and_come_back(
    studio: Studio, judge: str, chats: Path, codes: list[str], tmp_path: Path
) -> None:
    title, key = "Night: disagreements", tmp_path / "key.json"
    arguments = ("adjudicate", "push", title, str(chats), *codes, "--key", str(key))
    sent = done(studio, *arguments)
    assert "2 disagreements sent, 0 were there" in sent.output
    assert "0 disagreements sent, 2 were there" in done(studio, *arguments).output
    project = int(re.findall(r"project (\d+)", sent.output)[0])

    letters = json.loads(key.read_text())["messages"]
    with studio.sdk(judge) as server:
        tasks = {task.data["index"]: task for task in server.tasks.list(project=project, fields="all")}
    assert sorted(tasks) == [1, 2]
    for index, task in tasks.items():
        shown = {one.model_version: one.result[0]["value"]["choices"] for one in task.predictions}
        assert shown == {f"coding {one['letter']}": [GIVEN[one["coder"]][index]] for one in letters[f"night#{index}"]}
        assert not any(coder in f"{task.data} {task.meta} {task.predictions}" for coder in GIVEN)

    gold, log, still_open = tmp_path / "gold.csv", tmp_path / "log.jsonl", tmp_path / "open.txt"
    files = ("-o", str(gold), "--log", str(log), "--open", str(still_open), "--force")
    pulled = done(studio, "adjudicate", "pull", str(project), *codes, *files)
    assert "2 of 4 messages settled (2 agreed), 2 open" in pulled.output
    assert still_open.read_text() == "night#1\nnight#2\n"

    decide(studio, judge, project, 1, "SU", "no reflection, =1+1")
    decide(studio, judge, project, 2, "AF")
    pulled = done(studio, "adjudicate", "pull", title, *codes, *files)
    assert "4 of 4 messages settled (2 agreed, 2 adjudication), 0 open" in pulled.output
    rows = {row.index: (row.gold.positive, row.coder, row.round) for row in read_standoff(gold)}
    assert rows[0] == (frozenset({"OQ"}), "settled:agreed", "adjudicated")
    assert rows[1] == (frozenset({"SU"}), JUDGE, "adjudicated")
    assert rows[2] == (frozenset({"AF"}), JUDGE, "adjudicated")
    reasons = {line["index"]: line for line in map(json.loads, log.read_text().splitlines())}
    assert reasons[1]["comment"] == "no reflection, =1+1"
    assert (reasons[1]["by"], reasons[1]["why"]) == (JUDGE, "as coded by second@example.com")
    assert reasons[2]["why"] == "unlike every coding"
    assert reasons[1]["when"] > "2020"
    assert len(reasons[1]["codings"]) == 2

    decide(studio, studio.token, project, 2, "SU")
    pulled = done(studio, "adjudicate", "pull", title, *codes, *files)
    assert still_open.read_text() == "night#2\n"

    whole = tmp_path / "gold.jsonl"
    done(studio, "studio", "gold", str(chats), str(gold), "-o", str(whole))
    assert whole.read_text().count('"gold"') >= 1


def test_what_cannot_be_used_leaves_its_message_open(
    studio: Studio, judge: str, chats: Path, codes: list[str], tmp_path: Path
) -> None:
    sent = done(studio, "adjudicate", "push", "Broken", str(chats), *codes, "--key", str(tmp_path / "key.json"))
    project = int(re.findall(r"project (\d+)", sent.output)[0])
    decide(studio, judge, project, 1, "SU")
    decide(studio, judge, project, 1, "REF")
    with studio.sdk(judge) as server:
        skipped = next(one for one in server.tasks.list(project=project) if one.data["index"] == 2)
        server.annotations.create(id=skipped.id, result=[], was_cancelled=True)
    gold, still_open, log = tmp_path / "gold.csv", tmp_path / "open.csv", tmp_path / "log.jsonl"
    files = ("-o", str(gold), "--open", str(still_open), "--log", str(log), "--force")
    pulled = run(studio, "adjudicate", "pull", str(project), *codes, *files)
    assert pulled.exit_code == 3 and "2 of 4 messages settled (2 agreed), 2 open" in pulled.output
    assert "1 older codings left out" in pulled.output and "1 annotations left out: skipped" in pulled.output
    assert still_open.read_text() == "night#1\nnight#2\n"
    reasons = {line["index"]: line["why"] for line in map(json.loads, log.read_text().splitlines())}
    assert reasons[1].startswith(f"the decision of {JUDGE} cannot be used: depth is not chosen")
    with studio.sdk(studio.token) as server:
        server.tasks.delete(id=str(skipped.id))
    pulled = run(studio, "adjudicate", "pull", str(project), *codes, *files)
    assert f"1 open messages are not in project {project} (never sent, or deleted there): night#2" in pulled.output
    again = done(
        studio,
        "adjudicate",
        "push",
        "Broken",
        str(chats),
        *codes,
        "--only",
        str(still_open),
        "--key",
        str(tmp_path / "key.json"),
    )
    assert "1 disagreements sent, 1 were there" in again.output


def test_the_page_shows_both_codings_and_fills_in_none(
    studio: Studio, judge: str, chats: Path, codes: list[str], tmp_path: Path
) -> None:
    if not pages.browser():
        pytest.skip("no Chromium on the path")
    sent = done(studio, "adjudicate", "push", "Seen", str(chats), *codes, "--key", str(tmp_path / "key.json"))
    project = int(re.findall(r"project (\d+)", sent.output)[0])
    with pages.signed_in(studio.url, JUDGE) as page:
        pages.open_stream(page, studio.url, project)
        assert pages.ticked(page) == set()
        body = page.inner_text("body")
        assert "Coding A: " in body and "Coding B: " in body and "REF simple" in body
        assert not any(coder in body for coder in GIVEN)


def test_the_doctor_knows_that_an_adjudication_project_hides_predictions_on_purpose(
    studio: Studio, chats: Path, codes: list[str], tmp_path: Path
) -> None:
    arguments = ("adjudicate", "push", "Doctor", str(chats), *codes, "--key", str(tmp_path / "key.json"))
    done(studio, *arguments)
    client = Client(studio.url, studio.token)

    def look() -> dict[str, Finding]:
        return {one.what: one for one in look_at_project(client, client.project("Doctor"))}

    found = look()
    assert {one.level for one in found.values()} == {"good"}
    assert "the project is for adjudication: codings are shown as text, and none is filled in" in found

    client.update_project(client.project("Doctor").id, show_collab_predictions=True)
    [bad] = [one for one in look().values() if one.level == "bad"]
    assert "fills in a coding before the adjudicator chooses" in bad.what
    assert "mi-code adjudicate push 'Doctor'" in bad.mend
    done(studio, *arguments)
    assert look() == found


def test_own_codes_are_adjudicated_too(
    studio: Studio, judge: str, chats: Path, codes: list[str], tmp_path: Path
) -> None:
    overlay = tmp_path / "own.yaml"
    own_code = {"id": "HUMOR", "name": "Humor", "definition": "Makes light of it.", "hotkey": "9"}
    overlay.write_text(json.dumps({"title": "Ours", "codes": [own_code]}), encoding="utf-8")
    with_own = []
    for number, chosen in enumerate(("HUMOR", "")):
        path = tmp_path / f"own{number}.csv"
        header, *lines = Path(codes[0]).read_text(encoding="utf-8").splitlines()
        lines = [line.replace("first@", f"coder{number}@") for line in lines]
        given = [f"{lines[0]},{chosen}", *(f"{line}," for line in lines[1:])]
        path.write_text("".join(f"{line}\n" for line in (f"{header},own", *given)), encoding="utf-8")
        Path(f"{path}.meta.json").write_text(Path(f"{codes[0]}.meta.json").read_text())
        with_own.append(str(path))
    arguments = ("adjudicate", "push", "Own codes differ", str(chats), *with_own, "--key", str(tmp_path / "key.json"))
    refused = run(studio, *arguments)
    assert isinstance(refused.exception, UsageProblem)
    assert "HUMOR" in str(refused.exception) and "--overlay FILE" in str(refused.exception)
    sent = done(studio, *arguments, "--overlay", str(overlay))
    assert "1 disagreements sent" in sent.output
    project = int(re.findall(r"project (\d+)", sent.output)[0])
    with studio.sdk(judge) as server:
        [task] = server.tasks.list(project=project)
        server.annotations.create(id=task.id, result=results(["OQ"], own=["HUMOR"]), lead_time=3.0)
    gold = tmp_path / "gold.csv"
    pulled = done(studio, "adjudicate", "pull", str(project), *with_own, "-o", str(gold))
    assert "4 of 4 messages settled (1 adjudication, 3 agreed), 0 open" in pulled.output
    with gold.open(encoding="utf-8") as file:
        assert [row["own"] for row in csv.DictReader(file)] == ["HUMOR", "", "", ""]


def test_only_those_left_open_by_a_rule(studio: Studio, chats: Path, codes: list[str], tmp_path: Path) -> None:
    only = tmp_path / "open.txt"
    only.write_text("night#2\nnight#3\n", encoding="utf-8")
    arguments = ("adjudicate", "push", "Some", str(chats), *codes, "--key", str(tmp_path / "key.json"))
    assert "1 disagreements sent" in done(studio, *arguments, "--only", str(only)).output
    assert "1 disagreements sent, 1 were there" in done(studio, *arguments).output
    refused = run(studio, *arguments, "--seed", "2")
    assert "with --seed 1" in str(refused.exception)


def test_coding_projects_and_adjudication_are_kept_apart(
    studio: Studio, chats: Path, codes: list[str], tmp_path: Path
) -> None:
    done(studio, "studio", "create", "--title", "For coding")
    done(studio, "studio", "push", "For coding", str(chats), "--no-suggest")
    pushed = run(studio, "adjudicate", "push", "For coding", str(chats), *codes, "--key", str(tmp_path / "key.json"))
    assert isinstance(pushed.exception, UsageProblem)
    assert "is for coding, not for adjudication" in str(pushed.exception)
    pulled = run(studio, "adjudicate", "pull", "For coding", *codes, "-o", str(tmp_path / "gold.csv"))
    assert "has no messages to adjudicate" in str(pulled.exception)
    assert not (tmp_path / "gold.csv").exists()
