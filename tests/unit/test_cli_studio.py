"""`mi-code studio` apart from the server."""

import csv
import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.exports import Coded, Export
from mi_coder.annotation.suggestions import results
from mi_coder.cli.main import group
from mi_coder.corpora.standoff import text_hash


def _coding(index: int, seconds: float | None) -> Coded:
    return Coded(
        conversation_id="c", index=index, text_hash="0" * 16, codes=("OQ",), coder="ann", updated="", seconds=seconds
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [([10, 600], "305 s"), ([600, 10, 20], "20 s"), ([10, None], "10 s"), ([None], "-")],
)
def test_progress_shows_the_median_time(
    seconds: list[float | None], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codings = [_coding(index, taken) for index, taken in enumerate(seconds)]
    client = SimpleNamespace(
        users=dict, project=lambda name: SimpleNamespace(id=7, title="Night"), export=lambda project: []
    )
    monkeypatch.setattr("mi_coder.cli.studio.connect", lambda url: client)
    monkeypatch.setattr(
        "mi_coder.annotation.exports.read_export", lambda *_: Export(codings=codings, tasks=len(codings))
    )
    done = CliRunner().invoke(group, ["studio", "progress", "7"])
    assert done.exit_code == 0, done.exception
    row = done.stdout.splitlines()[-1]
    assert row.split("  ")[0] == "Night" and f"{len(codings)} of {len(codings)}" in row and f" {shown} " in row


SAID = ("How was it?", "Go on.")


def run(*arguments: object, expected: int = 0) -> Result:
    done = CliRunner().invoke(group, ["studio", *map(str, arguments)])
    assert done.exit_code == expected, (done.output, done.exception)
    return done


def refusal(*arguments: object) -> str:
    done = CliRunner().invoke(group, ["studio", *map(str, arguments)])
    assert done.exit_code and done.exception is not None
    return str(done.exception)


def task(index: int, *annotations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One task of an export."""
    data = {"conversation_id": "c", "index": index, "utterance_id": f"c#{index}", "text_hash": text_hash(SAID[index])}
    return {"id": index, "project": 7, "data": data, "meta": {}, "annotations": list(annotations), **fields}


def annotation(number: int, code: str, who: str = "ann") -> dict[str, Any]:
    updated = f"2026-01-{number:02}T00:00:00Z"
    return {"id": number, "completed_by": {"email": who}, "result": results([code]), "updated_at": updated}


def exporting(monkeypatch: pytest.MonkeyPatch, *exported: list[dict[str, Any]]) -> None:
    """A server with these exports, as projects 0, 1 ..."""
    client = SimpleNamespace(
        users=dict,
        project=lambda name: SimpleNamespace(id=int(name), title=name, config="<View/>"),
        export=lambda project: exported[project],
    )
    monkeypatch.setattr("mi_coder.cli.studio.connect", lambda url: client)


def codes_in(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [row["codes"] for row in csv.DictReader(file)]


def test_planted_messages_are_pulled_into_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, planted = task(0, annotation(1, "OQ")), task(1, annotation(2, "SU"), meta={"planted": True})
    exporting(monkeypatch, [real, planted], [real])
    done = run("pull", 0, "-o", tmp_path / "ann.csv")
    assert codes_in(tmp_path / "ann.csv") == ["OQ"] and codes_in(tmp_path / "ann.planted.csv") == ["SU"]
    assert (tmp_path / "ann.planted.csv.meta.json").exists()
    assert "1 codings of 1 messages by 1 coders" in done.stdout and "1 codings of planted messages" in done.stdout
    run("pull", 1, "-o", tmp_path / "ben.csv")
    assert not (tmp_path / "ben.planted.csv").exists()


def test_a_pull_without_planted_messages_removes_the_older_file_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, planted = task(0, annotation(1, "OQ")), task(1, annotation(2, "SU"), meta={"planted": True})
    exporting(monkeypatch, [real, planted], [real])
    codes, beside = tmp_path / "ann.csv", tmp_path / "ann.planted.csv"
    run("pull", 0, "-o", codes)
    codes.unlink()
    assert f"{beside} exists" in refusal("pull", 1, "-o", codes) and beside.exists()
    assert f"{beside}: the older file was removed" in run("pull", 1, "-o", codes, "--force").stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ann.csv", "ann.csv.meta.json"]
    assert "removed" not in run("pull", 1, "-o", codes, "--force").output


def test_older_codings_and_drafts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = {"user": "ben", "result": results(["SU"]), "annotation": None}
    first = [task(0, annotation(1, "OQ"), annotation(3, "CQ")), task(1, drafts=[draft, {"user": "ben", "result": []}])]
    exporting(monkeypatch, first, [task(0, annotation(2, "CQ"))])
    done = run("pull", 0, 1, "-o", tmp_path / "codes.csv")
    assert codes_in(tmp_path / "codes.csv") == ["CQ"]
    assert "2 older codings left out" in done.stderr and "(1 of them with different codes)" in done.stderr
    assert "1 annotations saved but not submitted (1 by ben)" in done.stderr
    rows = run("progress", 0).stdout.splitlines()
    assert rows[0].endswith("not submitted")
    assert [(row.split()[1], row.split()[-1]) for row in rows[2:]] == [("ann", "0"), ("ben", "1")]


def test_an_older_coding_does_not_stand_in_for_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporting(monkeypatch, [task(0, annotation(1, "OQ"), annotation(2, "REF"))])
    done = run("pull", 0, "-o", tmp_path / "codes.csv", expected=3)
    assert codes_in(tmp_path / "codes.csv") == []
    assert "1 older codings left out" in done.stderr and "depth is not chosen" in done.stderr


def write_codes(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in ("conversation_id,index,codes,coder,round", *rows)), encoding="utf-8")
    return path


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "chats.jsonl"
    messages = [{"role": "counselor", "text": text} for text in SAID]
    path.write_text(json.dumps({"conversation_id": "c", "messages": messages}) + "\n", encoding="utf-8")
    return path


def test_gold_refuses_codings_that_differ(chats: Path, tmp_path: Path) -> None:
    codes = write_codes(tmp_path / "codes.csv", "c,0,OQ,ann,1", "c,0,SU,ben,1", "c,1,AF,ann,1", "c,1,AF,ben,1")
    said = refusal("gold", chats, codes, "-o", tmp_path / "gold.jsonl")
    assert f"1 messages have codings that differ: c#0. Settle them first:  mi-code adjudicate settle {codes}" in said
    assert not (tmp_path / "gold.jsonl").exists()


def test_printed_commands_can_be_copied(chats: Path, tmp_path: Path) -> None:
    codes = write_codes(tmp_path / "night $1.csv", "c,0,OQ,ann,1", "c,0,SU,ben,1")
    said = refusal("gold", chats, codes, "-o", tmp_path / "gold.jsonl")
    command = said.partition("Settle them first:  ")[2].partition("  and give")[0]
    assert shlex.split(command) == ["mi-code", "adjudicate", "settle", str(codes), "-o", "settled.csv"]
    settled, gold = write_codes(tmp_path / "settled.csv", "c,0,CQ,judge,adjudicated"), tmp_path / "my gold.jsonl"
    told = run("gold", chats, settled, "-o", gold).stderr.partition("Evaluate on it:  ")[2]
    assert shlex.split(told) == ["mi-code", "evaluate", str(gold)]
    for line in run("--help").output.partition("Examples:\n")[2].splitlines():
        assert "  " not in line.strip().partition("#")[0].rstrip()


def test_a_settled_coding_counts_after_others(chats: Path, tmp_path: Path) -> None:
    codes = write_codes(tmp_path / "codes.csv", "c,0,OQ,ann,1", "c,0,SU,ben,1", "c,1,AF,ann,1")
    settled = write_codes(tmp_path / "settled.csv", "c,0,CQ,judge,adjudicated")
    run("gold", chats, codes, settled, "-o", tmp_path / "gold.jsonl")
    messages = json.loads((tmp_path / "gold.jsonl").read_text())["messages"]
    assert [message["gold"]["codes"] for message in messages] == [["CQ"], ["AF"]]
    assert "c#0" in refusal("gold", chats, settled, codes, "-o", tmp_path / "other.jsonl")


def test_gold_refuses_a_file_without_codings(chats: Path, tmp_path: Path) -> None:
    said = refusal("gold", chats, write_codes(tmp_path / "codes.csv"), "-o", tmp_path / "gold.jsonl")
    assert f"There are no codings in {tmp_path / 'codes.csv'}: nothing would become gold." in said
    assert not (tmp_path / "gold.jsonl").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
@pytest.mark.parametrize("name", ["gold.jsonl", "gold.csv"])
def test_gold_is_no_more_open_than_the_chats(chats: Path, tmp_path: Path, name: str) -> None:
    chats.chmod(0o600)
    run("gold", chats, write_codes(tmp_path / "codes.csv", "c,0,OQ,ann,1"), "-o", tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_gold_says_that_own_codes_are_left_out(chats: Path, tmp_path: Path) -> None:
    codes = tmp_path / "codes.csv"
    codes.write_text("conversation_id,index,codes,own\nc,0,OQ,HUMOR\nc,1,SU,\n")
    assert "1 codings have codes of your own" in run("gold", chats, codes, "-o", tmp_path / "gold.jsonl").stderr


class Server:
    """Projects by title with their tasks, as far as sending needs them."""

    url = "http://127.0.0.1:8080"

    def __init__(self, **tasks: list[dict[str, Any]]) -> None:
        self.kept = tasks

    def projects(self) -> list[Any]:
        return [self._project(title) for title in self.kept]

    def project(self, name: str) -> Any:
        return self._project(name if name in self.kept else list(self.kept)[int(name)])

    def create_project(self, title: str, config: str, **settings: Any) -> Any:
        self.kept[title] = []
        return self._project(title)

    def update_project(self, project: int, **settings: Any) -> Any:
        return self.project(str(project))

    def export(self, project: int) -> list[dict[str, Any]]:
        return []

    def tasks(self, project: int) -> Iterable[dict[str, Any]]:
        return list(self.kept.values())[project]

    def import_tasks(self, project: int, tasks: list[dict[str, Any]]) -> int:
        list(self.kept.values())[project].extend(tasks)
        return len(tasks)

    def _project(self, title: str) -> Any:
        number = list(self.kept).index(title)
        return SimpleNamespace(
            id=number, title=title, config="<View/>", tasks=len(self.kept[title]), shows_predictions=True
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr("mi_coder.cli.studio.connect", lambda url: made)
    return made


def names(server: Server, title: str) -> list[str]:
    return [one["data"]["utterance_id"] for one in server.kept[title]]


def test_only_names_the_ids_that_are_of_no_message(chats: Path, tmp_path: Path, server: Server) -> None:
    server.kept["Night"] = []
    only = tmp_path / "only.txt"
    only.write_text("c#1\nc#9\n7#1\n", encoding="utf-8-sig")
    done = run("push", "Night", chats, "--no-suggest", "--only", only)
    assert f"{only}: 2 ids are not those of a counselor message with text: 7#1, c#9" in done.stderr
    assert names(server, "Night") == ["c#1"]
    only.write_text("7#1\n")
    for command in (
        ("push", "Night", chats, "--no-suggest"),
        ("assign", chats, "--title", "Day", "--coders", "ann,ben"),
    ):
        assert "none of its 1 ids (the first is 7#1) is the id of a message" in refusal(*command, "--only", only)
    assert list(server.kept) == ["Night"]


NO_ID = "the line is not a conversation_id#index of at most 200 characters. Name a file of `mi-code sample`, or"
TEXTS = ("I slept so badly, #3", "Call me at five", "and then he left")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("chats.jsonl", "".join(json.dumps({"id": "c", "text": text}) + "\n" for text in TEXTS), f":1: {NO_ID}"),
        ("messages.csv", "id,index,text\n" + "".join(f"c,0,{text}\n" for text in TEXTS), f":1: {NO_ID}"),
        ("list.txt", "c#0\n\n" + "\n".join(TEXTS), f":4: {NO_ID}"),
        ("long.txt", f"c#0\n{TEXTS[1] * 20}#1\n", f":2: {NO_ID}"),
        ("index.txt", f"{TEXTS[1]} #one\n", f":1: {NO_ID}"),
        ("no_id.txt", "#1\n", f":1: {NO_ID}"),
        ("own.jsonl", json.dumps({"conversation_id": "c", "text": TEXTS[0], "more": TEXTS[0]}), ":1: no column"),
        ("own.csv", f"conversation_id,text\nc,{TEXTS[1]}\n", ":1: no column index."),
        ("shifted.csv", f"conversation_id,text,index\nc,{TEXTS[0]},0\n", ":2: 4 cells where the header has 3"),
        ("turned.csv", f"conversation_id,index\n0,{TEXTS[1]}\n", ":2: index: must be a whole number of at least 0."),
    ],
)
def test_only_quotes_no_line_that_is_no_id(
    name: str, content: str, says: str, chats: Path, tmp_path: Path, server: Server
) -> None:
    server.kept["Night"] = []
    (tmp_path / "only").mkdir()
    only = tmp_path / "only" / name
    only.write_text(content, encoding="utf-8")
    for command in (
        ("push", "Night", chats, "--no-suggest"),
        ("assign", chats, "--title", "Day", "--coders", "ann,ben"),
    ):
        said = refusal(*command, "--only", only)
        assert said.startswith(f"{only}{says}")
        assert not any(word in said for text in TEXTS for word in (text, text[:8]))
    assert server.kept == {"Night": []}


@pytest.mark.parametrize("content", ["", "conversation_id,index\n"])
def test_an_empty_list_sends_nothing_and_says_why(content: str, chats: Path, tmp_path: Path, server: Server) -> None:
    server.kept["Night"] = []
    only = tmp_path / "only.csv"
    only.write_text(content)
    sent, dealt = (
        refusal(*command, "--only", only)
        for command in (("push", "Night", chats), ("assign", chats, "--title", "Day", "--coders", "ann,ben"))
    )
    assert sent == "There is no counselor message with text to send. Check --only and the roles in the chats."
    assert dealt == "There is no counselor message with text to deal out. Check --only and the roles in the chats."
    assert server.kept == {"Night": []}


def arms(server: Server, title: str) -> list[str]:
    return [one["meta"]["suggestion"] for one in server.kept[title]]


def test_a_blind_project_gets_suggestions_only_where_it_is_said(chats: Path, server: Server, tiny: Path) -> None:
    server.kept["Night"] = []
    run("push", "Night", chats, "--no-suggest")
    said = refusal("push", "Night", chats)
    assert "have no suggestions, as blind coding requires." in said and "--no-suggest" in said and "--suggest" in said
    again = run("push", "Night", chats, "--no-suggest")
    assert "0 messages sent, 2 were there already" in again.stdout and arms(server, "Night") == ["none", "none"]
    more = {"conversation_id": "d", "messages": [{"role": "counselor", "text": "How was it?"}]}
    chats.write_text(chats.read_text() + json.dumps(more) + "\n")
    run("push", "Night", chats, "--suggest", "--hidden", 1, "--model", tiny)
    assert names(server, "Night") == ["c#0", "c#1", "d#0"] and arms(server, "Night") == ["none", "none", "hidden"]
    assert "1 messages sent" in run("push", "Night", _further(chats), "--hidden", 1, "--model", tiny).stdout


def _further(chats: Path) -> Path:
    path = chats.with_name("further.jsonl")
    path.write_text(chats.read_text().splitlines()[-1].replace('"d"', '"e"') + "\n")
    return path


def test_an_assigned_project_is_blind(chats: Path, server: Server) -> None:
    run("assign", chats, "--title", "Night", "--coders", "ann", "--overlap", 0, "--planted", _known(chats))
    assert arms(server, "Night: ann") == ["none"] * 3
    said = refusal("push", "Night: ann", _further(chats))
    assert "have no suggestions, as blind coding requires." in said and len(names(server, "Night: ann")) == 3


def _known(chats: Path) -> Path:
    path = chats.with_name("known.jsonl")
    message = {"role": "counselor", "text": "Did you sleep?", "gold": {"codes": ["CQ"]}}
    path.write_text(json.dumps({"conversation_id": "k", "messages": [message]}) + "\n")
    return path


def test_a_coder_who_joins_or_leaves_moves_no_message(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "many.jsonl"

    def assign(chats: int, coders: str) -> Result:
        messages = [{"role": "counselor", "text": "How was it?"}]
        lines = (json.dumps({"conversation_id": f"m{number}", "messages": messages}) for number in range(chats))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return run("assign", path, "--title", "Night", "--coders", coders, "--overlap", 0)

    assign(20, "ann,ben")
    before = {title: list(names(server, title)) for title in server.kept}
    joined = assign(20, "ann,ben,cho")
    assert joined.stdout.count("; 0 sent.") == 2 and not joined.stderr
    assert joined.stdout.splitlines()[2:] == ["cho: nothing left to deal out"]
    assert {title: names(server, title) for title in server.kept} == before
    more = assign(40, "ben,cho")
    assert f"'Night: ann' ({len(before['Night: ann'])})" in more.stderr
    assert names(server, "Night: ann") == before["Night: ann"]
    assert sum(len(names(server, title)) for title in server.kept) == 40
    for coder, line in zip(("ben", "cho"), more.stdout.splitlines(), strict=True):
        assert line.startswith(f"{coder}: {len(names(server, f'Night: {coder}'))} messages, 0 of them for a second")


def write_chats(path: Path, count: int, messages: int) -> Path:
    said = [{"role": "counselor", "text": f"Go on {at}."} for at in range(messages)]
    lines = (json.dumps({"conversation_id": f"m{number}", "messages": said}) for number in range(count))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("by_sample", [False, True])
def test_new_messages_of_a_coder_who_left_are_dealt_to_the_others(
    by_sample: bool, tmp_path: Path, server: Server
) -> None:
    path, only = write_chats(tmp_path / "chats.jsonl", 12, 3 if by_sample else 1), tmp_path / "only.csv"

    def assign(coders: str, *drawn: int) -> Result:
        rows = "".join(f"m{number},{at}\n" for number in range(12) for at in drawn)
        only.write_text(f"conversation_id,index\n{rows}")
        sampled = ("--only", only) if by_sample else ()
        return run("assign", path, "--title", "Night", "--coders", coders, "--overlap", 0, *sampled)

    assign("ann,ben", 0)
    before = list(names(server, "Night: ann"))
    assert 0 < len(before) < 12
    write_chats(path, 12, 3)
    done = assign("ben,cho", 1, 2) if by_sample else assign("ben,cho")
    sent = [name for title in server.kept for name in names(server, title)]
    assert sorted(sent) == sorted(f"m{number}#{at}" for number in range(12) for at in range(3))
    assert names(server, "Night: ann") == before
    told = {line.partition(":")[0]: int(line.split()[1]) for line in done.stdout.splitlines()}
    seen = {"ben": 12 - len(before), "cho": 0} if by_sample else {"ben": 0, "cho": 0}
    assert told == {coder: len(names(server, f"Night: {coder}")) - seen[coder] for coder in ("ben", "cho")}
    assert (f"'Night: ann' ({len(before)})" in done.stderr) is not by_sample
    told_how = "out again, rename those projects so that the titles do not start with 'Night: '."
    assert by_sample or told_how in done.stderr
    again = assign("ben,cho", 1, 2) if by_sample else assign("ben,cho")
    assert again.stdout.count("; 0 sent.") == 2


def test_projects_of_a_title_that_starts_alike_are_left_alone(chats: Path, server: Server) -> None:
    coding = {"data": {"utterance_id": "c#0", "index": 0, "text_hash": text_hash(SAID[0])}, "meta": {}}
    server.kept["Night: second: ann"] = [coding]
    done = run("assign", chats, "--title", "Night", "--coders", "ann", "--overlap", 0)
    assert names(server, "Night: ann") == ["c#0", "c#1"] and not done.stderr
    assert server.kept["Night: second: ann"] == [coding]


@pytest.mark.parametrize(("title", "coders"), [("Night: second", "ann"), ("Night", "ann,ben: b")])
def test_a_colon_that_hides_whose_a_project_is_is_refused(title: str, coders: str, chats: Path, server: Server) -> None:
    said = refusal("assign", chats, "--title", title, "--coders", coders, "--overlap", 0)
    assert "a colon and a space separate title and coder" in said and not server.kept


def test_all_titles_are_checked_before_the_first_project(chats: Path, server: Server) -> None:
    said = refusal("assign", chats, "--title", "Night", "--coders", f"ann,{'b' * 60}")
    assert "A title has 3 to 50 characters" in said
    assert not server.kept


def test_assign_names_edited_chats_and_doubled_messages(chats: Path, server: Server) -> None:
    arguments = ("assign", chats, "--title", "Night", "--coders", "ann", "--overlap", 0)
    run(*arguments)
    server.kept["Night: ann"].append(server.kept["Night: ann"][1])
    chats.write_text(chats.read_text().replace(SAID[0], "How is it?"))
    said = run(*arguments).stderr
    assert "1 messages are in the project more than once; delete all but one of each: c#1" in said
    assert "1 messages have another text in the project; it stays as it is: c#0" in said
