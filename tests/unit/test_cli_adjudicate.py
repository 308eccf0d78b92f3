"""`mi-code adjudicate settle`, and what push and pull do apart from the server."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.adjudication import (
    Key,
    check_export,
    check_own,
    check_texts,
    decided,
    in_random_order,
    key_of,
    merged,
    read_key,
    with_codings,
    write_key,
)
from mi_coder.annotation.codings import Unit, read_units
from mi_coder.annotation.consensus import disagreements
from mi_coder.annotation.exports import Coded, Problem
from mi_coder.annotation.settled import Settled, read_sources, read_units_and_sources
from mi_coder.annotation.tasks import Task
from mi_coder.cli.main import group
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, read_standoff, text_hash
from mi_coder.errors import UsageProblem

CODERS = ("ann", "ben", "cho")
# What the three say of messages 0, 1, 2 ...; an attribute after a colon, a confidence after !.
CODINGS = [
    ("OQ", "OQ", "OQ"),
    ("REF:simple", "REF:simple!1", "REF:complex"),
    ("OQ", "CQ", "SU"),
    ("OQ", "CQ", ""),
    ("AF+SU", "SU+AF", "AF"),
    ("", "GI", ""),
]


def write(folder: Path, codings: Sequence[Sequence[str]] = CODINGS, coders: Sequence[str] = CODERS) -> list[Path]:
    """A file for each coder, with its sidecar."""
    paths = []
    for number, coder in enumerate(coders):
        path = folder / f"{coder}.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for index, given in enumerate(codings):
                codes, _, depth = given[number].partition("!")[0].partition(":")
                if codes:
                    confidence = given[number].partition("!")[2] or "3"
                    table.writerow(
                        ("c", index, text_hash(f"text {index}"), codes, depth, "", "", confidence, coder, "1")
                    )
        meta = {"codebook": Codebook.load().hash, "coder": f"person {coder}", "unit": "message"}
        path.with_name(path.name + ".meta.json").write_text(json.dumps(meta))
        paths.append(path)
    return paths


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["adjudicate", *map(str, arguments)])


def settle(folder: Path, *arguments: object) -> tuple[Result, list[dict[str, str]], list[dict]]:  # type: ignore[type-arg]
    files = ("-o", folder / "gold.csv", "--log", folder / "log.jsonl", "--open", folder / "open.txt")
    done = run("settle", *arguments, *files)
    assert done.exit_code == 0, done.output
    with (folder / "gold.csv").open() as file:
        rows = list(csv.DictReader(file))
    return done, rows, [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_majority(tmp_path: Path) -> None:
    done, rows, log = settle(tmp_path, *write(tmp_path))
    assert [(row["index"], row["codes"], row["depth"], row["coder"], row["confidence"]) for row in rows] == [
        ("0", "OQ", "", "settled:agreed", "3"),
        ("1", "REF", "simple", "settled:majority", "1"),
        ("4", "AF+SU", "", "settled:majority", "3"),
        ("5", "GI", "", "settled:single", "3"),
    ]
    assert {row["round"] for row in rows} == {"adjudicated"}
    assert (tmp_path / "open.txt").read_text() == "c#2\nc#3\n"
    assert "4 of 6 messages settled (1 agreed, 2 majority, 1 single), 2 open" in done.output
    assert done.output.endswith(f" --only {tmp_path / 'open.txt'}\n"), "what the rule settled is not sent again"
    [row] = [row for row in read_standoff(tmp_path / "gold.csv") if row.index == 1]
    assert row.gold_from == "settled from codings by: person ann; person ben; person cho"
    assert [line["index"] for line in log] == list(range(6))
    assert log[1]["codings"][2] == {"coder": "cho", "round": "1", "codes": ["REF"], "depth": "complex"}
    assert (log[1]["rule"], log[1]["decided"]) == ("majority", {"codes": ["REF"], "depth": "simple"})
    assert (log[2]["decided"], log[2]["by"]) == (None, None)
    assert log[2]["why"].startswith("no code is left: ")
    assert all(line["when"].endswith("+00:00") for line in log)


def test_unanimous(tmp_path: Path) -> None:
    _, rows, log = settle(tmp_path, *write(tmp_path), "--rule", "unanimous")
    assert [row["index"] for row in rows] == ["0", "5"]
    assert log[1]["why"] == "the codings differ"


def test_dawid_skene_and_its_rates(tmp_path: Path) -> None:
    paths = write(tmp_path, [*CODINGS, *[("OQ", "OQ", "OQ"), ("SU", "SU", "AF")] * 20])
    rates = tmp_path / "rates.csv"
    _, rows, log = settle(tmp_path, *paths, "--rule", "dawid-skene", "--rates", rates)
    assert {row["codes"] for row in rows if row["coder"] == "settled:dawid-skene"} >= {"SU"}
    assert {line["why"][:6] for line in log if line["index"] == 7} == {"AF 0.0"}
    with rates.open() as file:
        found = {(row["code"], row["coder"]): row for row in csv.DictReader(file)}
    assert float(found["SU", "ann"]["sensitivity"]) > 0.9 > float(found["SU", "cho"]["sensitivity"])
    assert found["SU", "cho"]["codings"] == "44"


def test_the_order_of_files_changes_nothing(tmp_path: Path) -> None:
    paths = write(tmp_path)
    _, one, _ = settle(tmp_path, *paths)
    _, other, _ = settle(tmp_path, *reversed(paths), "--force")
    assert sorted(one, key=str) == sorted(other, key=str)


def test_an_estimate_says_how_far_it_is(tmp_path: Path) -> None:
    done, _, _ = settle(tmp_path, *write(tmp_path), "--rule", "dawid-skene")
    lines = [line for line in done.stderr.splitlines() if line.startswith("estimating")]
    assert lines[0] == "estimating OQ, 1 of 6 codes ..." and len(lines) == 6


def own_table(path: Path, *rows: str) -> Path:
    """Codes in a table of one's own: conversation, place, codes."""
    path.write_text("\n".join(("conversation_id,index,codes", *rows)) + "\n")
    return path


def test_tables_of_ones_own_are_settled_and_settled_again(tmp_path: Path) -> None:
    paths = [
        own_table(tmp_path / "ann.csv", "c,0,REF", "c,1,OQ+SU"),
        own_table(tmp_path / "ben.csv", "c,0,REF", "c,1,OQ"),
        own_table(tmp_path / "cho.csv", "c,0,REF+AF", "c,1,OQ+SU"),
    ]
    done, rows, log = settle(tmp_path, *paths)
    assert done.stderr.count("Without text_hash") == 1
    assert [(row["codes"], row["text_hash"], row["confidence"], row["depth"]) for row in rows] == [
        ("REF", "", "", ""),
        ("OQ+SU", "", "", ""),
    ]
    assert [one["coder"] for one in log[0]["codings"]] == ["ann", "ben", "cho"]
    [first, _] = read_standoff(tmp_path / "gold.csv")
    assert first.gold_from == "settled from codings by: ann; ben; cho"
    assert len(read_units([tmp_path / "gold.csv", paths[1]])[0].given) == 2
    check_texts([Task("c", 0, "counselor", "any")], read_units(paths)[:1], read_sources(paths))


def test_what_one_coder_alone_tells_fills_the_gaps(tmp_path: Path) -> None:
    [whole] = write(tmp_path, [("REF:simple!2",)], ["ann"])
    _, [row], _ = settle(tmp_path, whole, own_table(tmp_path / "ben.csv", "c,0,REF"))
    assert (row["depth"], row["confidence"], row["text_hash"]) == ("simple", "2", text_hash("text 0"))


def gold_chats(path: Path, *golds: object) -> Path:
    """Chats with gold, one message a chat."""
    lines = [
        {"conversation_id": f"c{at}", "messages": [{"role": "counselor", "text": f"text {at}", "gold": gold}]}
        for at, gold in enumerate(golds)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_chats_with_gold_are_settled_as_agreement_takes_them(tmp_path: Path) -> None:
    ann = gold_chats(tmp_path / "ann.jsonl", {"codes": ["OQ"]}, {"codes": ["REF"], "depth": "simple"})
    ben = gold_chats(tmp_path / "ben.jsonl", {"codes": ["OQ"]}, {"codes": ["SU"]})
    done, [row], _ = settle(tmp_path, ann, ben)
    assert (row["conversation_id"], row["codes"], row["text_hash"]) == ("c0", "OQ", text_hash("text 0"))
    assert "1 of 2 messages settled" in done.output and "Without text_hash" not in done.output


@pytest.mark.parametrize(
    "gold", [{"positive": ["OQ"]}, {"codes": []}, {"codes": ["OQ", "SU", "CQ", "AF"]}, {"codes": ["OT", "SU"]}]
)
def test_gold_that_no_coder_gives_is_not_settled(tmp_path: Path, gold: object) -> None:
    path = gold_chats(tmp_path / "ann.jsonl", {"codes": ["OQ"]}, gold)
    done = run("settle", path, "-o", tmp_path / "gold.csv")
    assert isinstance(done.exception, UsageProblem)
    assert f"{path}: conversation 'c1', message 0: this gold is not complete" in str(done.exception)
    assert not (tmp_path / "gold.csv").exists()


def test_refusals(tmp_path: Path) -> None:
    paths = write(tmp_path)
    gold = tmp_path / "gold.csv"
    two = run("settle", *paths[:2], "-o", gold, "--rule", "dawid-skene")
    assert "needs 3 coders or more, and these codings are by 2" in str(two.exception)
    assert "--rates goes with" in str(run("settle", *paths, "-o", gold, "--rates", tmp_path / "r.csv").exception)
    assert "is an input" in str(run("settle", *paths, "-o", paths[0]).exception)
    assert "named for two" in str(run("settle", *paths, "-o", gold, "--log", gold).exception)
    assert not gold.exists()
    assert settle(tmp_path, *paths)[0].exit_code == 0
    assert "exists" in str(run("settle", *paths, "-o", gold).exception)


def units_of(folder: Path) -> tuple[list[Unit], list[Path]]:
    paths = write(folder)
    return read_units(paths), paths


def test_codings_are_shown_without_names_in_an_order_of_chance(tmp_path: Path) -> None:
    units, _ = units_of(tmp_path)
    [task] = with_codings([Task("c", 3, "counselor", "text 3")], units, seed=1)
    sent = task.to_import()
    assert sent["meta"] == {"adjudication": 2}
    assert [one["model_version"] for one in sent["predictions"]] == ["coding A", "coding B"]
    shown = [one["result"][0]["value"]["choices"][0] for one in sent["predictions"]]
    assert sent["data"]["suggestion"] == f"Coding A: {shown[0]}  |  Coding B: {shown[1]}"
    assert not any(f'"{coder}"' in json.dumps(sent) for coder in CODERS)
    told = {given.coder: given.gold for given in next(unit for unit in units if unit.id == "c#3").given}
    letters = key_of(units, 7, 1).messages["c#3"]
    assert [told[one.coder].positive for one in letters] == [{code} for code in shown]

    many = [replace(units[2], index=at) for at in range(400)]
    first = [in_random_order(unit, 1)[0].coder for unit in many]
    assert all(100 < first.count(coder) < 170 for coder in CODERS)
    assert first != [in_random_order(unit, 2)[0].coder for unit in many]
    turned = [replace(unit, given=unit.given[::-1]) for unit in many]
    assert first == [in_random_order(unit, 1)[0].coder for unit in turned]


def test_the_key_keeps_what_is_on_the_server(tmp_path: Path) -> None:
    units, _ = units_of(tmp_path)
    before = key_of([replace(unit, given=unit.given[:1]) for unit in units], 7, 1)
    now = merged(key_of(units, 7, 1), before, {"c#1"})
    assert now.messages["c#1"] == before.messages["c#1"]
    assert now.messages["c#2"] == key_of(units, 7, 1).messages["c#2"]
    with pytest.raises(UsageProblem, match="project 7 with --seed 1"):
        merged(key_of(units, 7, 2), before, set())
    path = tmp_path / "key.json"
    write_key(path, now)
    assert read_key(path) == now
    path.write_text("{}")
    with pytest.raises(UsageProblem, match="is not the key"):
        read_key(path)
    assert Key(1, 1, {}).messages == {}


def write_own(folder: Path, own: Sequence[str | None], codes: Sequence[str] = ("SU",)) -> list[Path]:
    """A file for each coder, who all give the same codes and these own codes; None leaves the column out."""
    paths = write(folder, [[code] * len(own) for code in codes], CODERS[: len(own)])
    for path, chosen in zip(paths, own, strict=True):
        if chosen is not None:
            header, *lines = path.read_text().splitlines()
            path.write_text("".join(f"{line}\n" for line in (f"{header},own", *(f"{one},{chosen}" for one in lines))))
    return paths


@pytest.mark.parametrize(
    ("own", "left", "by"),
    [
        (("HUMOR", "HUMOR", ""), "HUMOR", "settled:majority"),
        (("HUMOR+NAME", "HUMOR", ""), "HUMOR", "settled:majority"),
        (("HUMOR", "", ""), "", "settled:majority"),
        (("HUMOR+NAME", "NAME+HUMOR"), "HUMOR+NAME", "settled:agreed"),
        (("HUMOR", None, "HUMOR"), "HUMOR", "settled:agreed"),
    ],
)
def test_own_codes_are_settled_with_the_others(tmp_path: Path, own: tuple[str | None, ...], left: str, by: str) -> None:
    _, [row], _ = settle(tmp_path, *write_own(tmp_path, own))
    assert (row["codes"], row["own"], row["coder"]) == ("SU", left, by)


def test_a_tie_on_own_codes_stays_open(tmp_path: Path) -> None:
    _, rows, [reason] = settle(tmp_path, *write_own(tmp_path, ("HUMOR", "")))
    assert not rows and (tmp_path / "open.txt").read_text() == "c#0\n"
    assert reason["why"] == "HUMOR undecided: SU 2 of 2"
    assert reason["codings"][0]["own"] == ["HUMOR"] and "own" not in reason["codings"][1]


def test_own_codes_are_shown_and_decided(tmp_path: Path) -> None:
    paths = write_own(tmp_path, ("HUMOR", ""))
    units, sources = read_units_and_sources(paths)
    assert (units, sources) == (read_units(paths), read_sources(paths))
    assert sources.keys() == {unit.id for unit in units}
    assert disagreements(units) == units
    [task] = with_codings([Task("c", 0, "counselor", "text 0")], units, seed=1)
    assert sorted(task.suggestion.split("  |  "), key=len)[1].endswith(": SU+HUMOR")
    shown = [{entry["from_name"]: entry["value"]["choices"] for entry in one["result"]} for one in task.predictions]
    assert {"code": ["SU"], "own": ["HUMOR"]} in shown and {"code": ["SU"]} in shown
    with pytest.raises(UsageProblem, match=r"HUMOR.*--overlay FILE"):
        check_own(units, ["NAME"])
    check_own(units, ["HUMOR"])

    def only(*decisions: Coded) -> Settled:
        [settled] = decided(units, decisions, sources, "now").settled
        return settled

    as_ann = only(decision(0, "SU", own=("HUMOR",)))
    assert (as_ann.own, as_ann.why) == (frozenset({"HUMOR"}), "as coded by ann")
    assert only(decision(0, "SU")).why == "as coded by ben"
    assert only(decision(0, "SU", own=("NAME",))).why == "unlike every coding"
    apart = only(decision(0, "SU", own=("HUMOR",)), decision(0, "SU", coder="eve"))
    assert (apart.gold, apart.own, apart.why) == (None, frozenset(), "adjudicators differ: SU+HUMOR; SU")


def write_rounds(folder: Path) -> list[Path]:
    """One message: ann says OQ, unsure and with an own code, and a round later OQ, sure; ben says OQ, sure."""
    head = "conversation_id,index,codes,coder,round,confidence,own\n"
    rows = {"ann": "c,0,OQ,ann,1,1,RISK\nc,0,OQ,ann,2,3,\n", "ben": "c,0,OQ,ben,1,3,\n"}
    for name, text in rows.items():
        (folder / f"{name}.csv").write_text(head + text)
    return [folder / f"{name}.csv" for name in rows]


def test_confidence_and_own_codes_of_earlier_rounds_do_not_count(tmp_path: Path) -> None:
    paths = write_rounds(tmp_path)
    _, [row], _ = settle(tmp_path, *paths)
    assert (row["confidence"], row["own"]) == ("3", "")
    check_own([unit.last_rounds() for unit in read_units(paths)], [])


def test_ids_that_look_alike_are_told(tmp_path: Path) -> None:
    head = "conversation_id,index,codes\n"
    (tmp_path / "ann.csv").write_text(head + "007,0,OQ\n")
    (tmp_path / "ben.csv").write_text(head + "7,0,SU\n")
    files = [str(tmp_path / name) for name in ("ann.csv", "ben.csv")]
    done = CliRunner().invoke(group, ["adjudicate", "settle", *files, "-o", str(tmp_path / "gold.csv")])
    assert "if '007' and '7', and other such ids, were the same" in done.stderr


def test_without_own_codes_the_gold_file_has_no_column_for_them(tmp_path: Path) -> None:
    _, rows, _ = settle(tmp_path, *write(tmp_path))
    assert "own" not in rows[0]


def test_chats_must_hold_what_was_coded(tmp_path: Path) -> None:
    units, paths = units_of(tmp_path)
    sources = read_sources(paths)
    check_texts([Task("c", 1, "counselor", "text 1")], units[1:2], sources)
    with pytest.raises(UsageProblem, match="c#1 has another text"):
        check_texts([Task("c", 1, "counselor", "text 9")], units[1:2], sources)
    with pytest.raises(UsageProblem, match="c#2 is coded, but the chats have no such"):
        check_texts([], units[2:3], sources)


def test_only_adjudication_projects_are_pulled() -> None:
    check_export([{"meta": {}}, {"meta": {"adjudication": 2}}], 7)
    with pytest.raises(UsageProblem, match="Project 7 has no messages to adjudicate"):
        check_export([{"meta": None}, {"meta": {"suggestion": "none"}}], 7)


def decision(index: int, code: str, **more: object) -> Coded:
    given = {"text_hash": text_hash(f"text {index}"), "coder": "dee", "updated": "2025-01-01T00:00:00Z", **more}
    return Coded(conversation_id="c", index=index, codes=(code,), **given)  # type: ignore[arg-type]


def test_a_newest_annotation_that_is_no_coding_leaves_its_message_open(tmp_path: Path) -> None:
    units, paths = units_of(tmp_path)
    broken = [Problem(5, 9, "dee", "depth is not chosen", f"c#{index}", "2025-01-03") for index in (0, 3)]
    found = decided(units, [decision(3, "OQ", coder="eve")], read_sources(paths), "now", broken)
    by = {one.unit.index: one for one in found.settled}
    assert by[0].gold is None and by[3].gold is None
    assert by[3].why == "the decision of dee cannot be used: depth is not chosen"


def test_a_file_that_tells_no_depth_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "ann.csv").write_text("conversation_id,index,codes\nc,0,REF\n")
    (tmp_path / "ben.csv").write_text("conversation_id,index,codes\nc,0,SU\n")
    paths = [tmp_path / "ann.csv", tmp_path / "ben.csv"]
    found = decided(read_units(paths), [decision(0, "REF", depth="simple")], read_sources(paths), "now")
    assert found.settled[0].why == "as coded by ann"


def test_decisions_join_what_is_agreed(tmp_path: Path) -> None:
    units, paths = units_of(tmp_path)
    decisions = [
        decision(1, "OQ", comment="asks", unsure=True),
        decision(2, "CQ", text_hash="0" * 16),
        decision(3, "OQ"),
        decision(4, "AF"),
        decision(4, "SU", coder="eve", updated="2025-01-02T00:00:00Z"),
        decision(9, "SU"),
    ]
    found = decided(units, decisions, read_sources(paths), "now")
    by = {one.unit.index: one for one in found.settled}
    assert [one.unit.index for one in found.settled if one.gold] == [0, 1, 3, 5]
    assert (by[0].coder, by[0].when, by[0].rule) == ("settled:agreed", "now", "agreed")
    assert (by[1].coder, by[1].when, by[1].comment) == ("dee", "2025-01-01T00:00:00Z", "asks")
    assert (by[1].confidence, by[1].why) == (1, "unlike every coding")
    assert (by[3].confidence, by[3].why, by[3].rule) == (3, "as coded by ann", "adjudication")
    assert by[2].why.startswith("the adjudicator saw another text")
    assert by[4].why == "adjudicators differ: AF; SU"
    assert found.unknown == ("c#9",)
    assert decided(units, [], read_sources(paths), "now").settled[1].why == "not decided yet"
    alike = decided(units, [decision(4, "AF"), decision(4, "AF", coder="eve")], read_sources(paths), "now")
    assert [one.coder for one in alike.settled if one.unit.index == 4] == ["dee; eve"]
