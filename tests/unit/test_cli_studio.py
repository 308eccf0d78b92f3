"""`mi-code studio` apart from the server."""

import csv
import json
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


def test_older_codings_and_drafts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = {"user": "ben", "result": results(["SU"]), "annotation": None}
    first = [task(0, annotation(1, "OQ"), annotation(3, "CQ")), task(1, drafts=[draft, {"user": "ben", "result": []}])]
    exporting(monkeypatch, first, [task(0, annotation(2, "CQ"))])
    done = run("pull", 0, 1, "-o", tmp_path / "codes.csv")
    assert codes_in(tmp_path / "codes.csv") == ["CQ"]
    assert "2 older codings left out" in done.stderr and "(1 of them with other codes)" in done.stderr
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


def test_a_settled_coding_counts_after_others(chats: Path, tmp_path: Path) -> None:
    codes = write_codes(tmp_path / "codes.csv", "c,0,OQ,ann,1", "c,0,SU,ben,1", "c,1,AF,ann,1")
    settled = write_codes(tmp_path / "settled.csv", "c,0,CQ,judge,adjudicated")
    run("gold", chats, codes, settled, "-o", tmp_path / "gold.jsonl")
    messages = json.loads((tmp_path / "gold.jsonl").read_text())["messages"]
    assert [message["gold"]["codes"] for message in messages] == [["CQ"], ["AF"]]
    assert "c#0" in refusal("gold", chats, settled, codes, "-o", tmp_path / "other.jsonl")


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
    assert f"{only}: 2 ids are of no counselor message with text: 7#1, c#9" in done.stderr
    assert names(server, "Night") == ["c#1"]
    only.write_text("7#1\n")
    for command in (
        ("push", "Night", chats, "--no-suggest"),
        ("assign", chats, "--title", "Day", "--coders", "ann,ben"),
    ):
        assert "none of its 1 ids (the first is 7#1) is that of a message" in refusal(*command, "--only", only)
    assert list(server.kept) == ["Night"]


def test_a_blind_project_gets_suggestions_only_where_it_is_said(chats: Path, server: Server) -> None:
    server.kept["Night"] = []
    run("push", "Night", chats, "--no-suggest")
    said = refusal("push", "Night", chats)
    assert "have no suggestions, as blind coding needs it" in said and "--no-suggest" in said and "--suggest" in said
    run("push", "Night", chats, "--no-suggest")


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
    assert joined.stdout.count("; 0 sent.") == 3 and not joined.stderr
    more = assign(40, "ben,cho")
    assert f"'Night: ann' ({len(before['Night: ann'])})" in more.stderr
    assert names(server, "Night: ann") == before["Night: ann"]
    assert sum(len(names(server, title)) for title in server.kept) == 40
    for coder, line in zip(("ben", "cho"), more.stdout.splitlines(), strict=True):
        assert line.startswith(f"{coder}: {len(names(server, f'Night: {coder}'))} messages, 0 of them for a second")


def test_all_titles_are_checked_before_the_first_project(chats: Path, server: Server) -> None:
    assert "A title has 3 to 50 signs" in refusal("assign", chats, "--title", "Night", "--coders", f"ann,{'b' * 60}")
    assert not server.kept


def test_assign_names_edited_chats_and_doubled_messages(chats: Path, server: Server) -> None:
    arguments = ("assign", chats, "--title", "Night", "--coders", "ann", "--overlap", 0)
    run(*arguments)
    server.kept["Night: ann"].append(server.kept["Night: ann"][1])
    chats.write_text(chats.read_text().replace(SAID[0], "How is it?"))
    said = run(*arguments).stderr
    assert "1 messages are in the project more than once; delete all but one of each: c#1" in said
    assert "1 messages have another text in the project; it stays as it is: c#0" in said
