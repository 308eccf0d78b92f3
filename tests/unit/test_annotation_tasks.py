"""Messages as tasks, suggestions and their hidden share, and exports as codings."""

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.annotation.assign import assign, check_names, drift
from mi_coder.annotation.codings import read_units
from mi_coder.annotation.exports import Export, left_out, read_export
from mi_coder.annotation.hotkeys import check_hotkeys
from mi_coder.annotation.label_config import label_config, offered, schema_hash
from mi_coder.annotation.overlay import read_overlay
from mi_coder.annotation.project import dropped_codes
from mi_coder.annotation.pull import latest, newest, render_codings, write_codings
from mi_coder.annotation.suggestions import results, with_suggestions
from mi_coder.annotation.tasks import Task, context_html, messages_before, tasks
from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation, Message
from mi_coder.corpora.standoff import text_hash
from mi_coder.errors import UsageProblem

BOOK = Codebook.load()


def chat(name: str = "c", count: int = 4) -> Conversation:
    said = [Message("client" if turn % 2 else "counselor", f"said {turn}") for turn in range(count)]
    return Conversation(name, said)


def test_counselor_messages_with_text_become_tasks_with_what_was_before() -> None:
    conversation = chat(count=5)
    conversation.messages[2] = Message("counselor", "  ")
    found = list(tasks([conversation], context=2))
    assert [task.utterance_id for task in found] == ["c#0", "c#4"]
    assert [message.text for message in found[1].before] == ["  ", "said 3"]
    one = found[1].to_import()
    assert set(one["data"]) == {
        "conversation_id",
        "index",
        "utterance_id",
        "speaker",
        "text",
        "text_hash",
        "context_html",
        "suggestion",
        "before",
    }
    assert messages_before(one["data"]) == list(found[1].before)


def test_only_the_named_messages_and_what_is_prepared() -> None:
    def prepare(conversation: Conversation) -> Conversation:
        return Conversation(conversation.id, [Message(one.role, one.text.upper()) for one in conversation.messages])

    [task] = tasks([chat()], only=frozenset({"c#2", "x#0"}), prepare=prepare)
    assert (task.text, task.before[0].text) == ("SAID 2", "SAID 0")


@given(st.text(max_size=80))
def test_no_text_becomes_markup(text: str) -> None:
    html = context_html([Message("client", text)])
    assert set(re.findall(r"</?([a-z]+)", html)) <= {"p", "b", "br"}
    assert html.count("<p ") == 1


def coded(*codes: str) -> Coding:
    return Coding(codes, {code: 0.9 for code in codes})


def test_a_share_of_the_suggestions_is_hidden_and_remembered() -> None:
    many = [Task("c", index, "counselor", "hi") for index in range(2000)]
    codings = {task.utterance_id: coded("OQ", "SU") for task in many[:-1]}
    found = list(with_suggestions(many, codings, "m 1", hidden_share=0.3, silent=("SU",), seed=4))
    arms = [task.meta["suggestion"] for task in found]
    assert arms[-1] == "none" and not found[-1].predictions
    assert 0.26 < arms.count("hidden") / len(arms) < 0.34
    for task in found[:-1]:
        assert task.meta["suggested"] == ["OQ"]
        assert bool(task.predictions) == bool(task.suggestion) == (task.meta["suggestion"] == "shown")
        assert task.suggestion in ("", "m 1 suggests OQ (90%)")
    again = with_suggestions(reversed(many), codings, "m 1", hidden_share=0.3, silent=("SU",), seed=4)
    assert [task.meta["suggestion"] for task in again][::-1] == arms
    other = with_suggestions(many, codings, "m 1", hidden_share=0.3, silent=("SU",), seed=5)
    assert [task.meta["suggestion"] for task in other] != arms


DATA = {"conversation_id": "c", "index": 3, "text_hash": text_hash("so")}


def export(*annotations: dict[str, Any], **task: Any) -> Export:
    return read_export(
        [{"id": 7, "project": 2, "data": DATA, "annotations": list(annotations), **task}], {1: "a@x.org"}
    )


def annotation(result: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "completed_by": 1,
        "result": result,
        "lead_time": 3.21,
        "updated_at": "2026-01-02T00:00:00Z",
        **fields,
    }


def test_an_annotation_becomes_a_coding() -> None:
    remarks = [
        {"from_name": "unsure", "value": {"choices": ["unsure"]}},
        {"from_name": "comment", "value": {"text": ["hm"]}},
    ]
    meta = {"suggestion": "shown", "suggested": ["PR", "SU"], "model": "m 1"}
    found = export(annotation(results(["SU", "PR"], permission="with") + remarks), meta=meta)
    [coding] = found.codings
    assert (coding.codes, coding.permission, coding.depth) == (("SU", "PR"), "with", None)
    assert (coding.coder, coding.unsure, coding.comment, coding.seconds) == ("a@x.org", True, "hm", 3.21)
    assert (coding.suggestion, coding.accepted, coding.model) == ("shown", True, "m 1")
    row = render_codings([coding], "2").splitlines()[1]
    assert row.startswith(f"c,3,{text_hash('so')},SU+PR,,with,,1,a@x.org,2,,hm,")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (results(["XX"]), "XX is not a code"),
        (results(["OT", "SU"]), "keep only OT"),
        (results(["OQ", "SU", "AF", "GR"]), "4 codes"),
        (results(["REF"]), "depth is not chosen"),
        (results(["IP"]), "reason is not chosen"),
        (results(["PR"], permission="maybe"), "permission has a value"),
        ([{"from_name": "comment", "value": {"text": ["only this"]}}], "no code is chosen"),
    ],
)
def test_what_the_codebook_does_not_allow_is_a_problem_with_its_mend(result: list[dict[str, Any]], words: str) -> None:
    found = export(annotation(result))
    assert not found.codings
    [problem] = found.problems
    assert words in str(problem) and "task 7, annotation 5 by a@x.org" in str(problem)
    assert "only this" not in str(problem)


def test_skipped_and_empty_annotations_are_counted() -> None:
    found = export(annotation(results(["SU"]), was_cancelled=True), annotation([]), annotation(results(["SU"])))
    assert found.left_out == {"skipped": 1, "empty": 1}
    assert len(found.codings) == 1


def test_a_task_of_others_is_named() -> None:
    found = read_export([{"id": 1, "data": {"text": "hi"}, "annotations": [annotation(results(["SU"]))]}])
    assert "mi-code studio push" in str(found.problems[0])


def test_of_two_codings_by_one_coder_the_later_counts() -> None:
    older = annotation(results(["SU"]), updated_at="2026-01-01T00:00:00Z", id=9)
    found = export(annotation(results(["AF"])), older)
    assert [coding.codes for coding in latest(found.codings)] == [("AF",)]


def test_a_later_annotation_that_is_no_coding_takes_the_place_of_an_older_one() -> None:
    broken = annotation(results(["REF"]), updated_at="2026-01-03T00:00:00Z", id=9)
    both = export(annotation(results(["SU"])), broken, data={**DATA, "utterance_id": "c#3"})
    found = newest([both])
    assert (found.codings, [one.annotation for one in found.unusable]) == ((), [9])
    assert (found.older, found.differing) == (1, 1)
    mended = export(annotation(results(["SU"]), updated_at="2026-01-04T00:00:00Z"), id=8)
    found = newest([both, mended])
    assert ([coding.codes for coding in found.codings], found.unusable) == ([("SU",)], ())
    assert (found.older, found.differing) == (1, 0)
    assert "1 older codings left out" in found.told and newest([mended]).told == ""


def test_drafts_are_counted_by_coder() -> None:
    drafts = [{"user": user, "result": results(["SU"])} for user in (1, "b@x.org", {"email": "b@x.org"}, 4)]
    found = export(annotation(results(["SU"])), drafts=[*drafts, {"user": 1, "result": []}])
    assert found.drafts == {"a@x.org": 1, "b@x.org": 2, "user 4": 1}
    [line] = left_out([found, export()])
    assert line == (
        "4 annotations saved but not submitted (1 by a@x.org, 2 by b@x.org, 1 by user 4): ask them to press Submit"
    )


def test_attributes_of_codes_that_were_taken_away_again_do_not_count() -> None:
    [coding] = export(annotation(results(["SU"], depth="simple"))).codings
    assert coding.depth is None


def deal(
    count: int,
    overlap: float,
    seed: int = 1,
    coders: tuple[str, ...] = ("a", "b", "c"),
    placed: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> list[Any]:
    many = [Task(f"c{number}", index, "counselor", "hi") for number in range(count) for index in range(2)]
    return assign(many, coders, overlap, ["c0"], seed, placed)


def test_chats_are_dealt_out_whole_and_some_twice() -> None:
    shares = deal(400, 0.25)
    owners: dict[str, list[str]] = {}
    for share in shares:
        names = [task.conversation_id for task in share.tasks]
        assert all(names.count(name) == 2 for name in set(names))
        for name in set(names):
            owners.setdefault(name, []).append(share.coder)
        assert share.planted == 2
        assert all(task.meta == ({"planted": True} if task.conversation_id == "c0" else {}) for task in share.tasks)
    assert len(owners) == 400 and owners["c0"] == ["a", "b", "c"]
    double = sum(len(names) == 2 for names in owners.values()) / 400
    assert 0.19 < double < 0.31
    assert all(len(names) <= 2 for name, names in owners.items() if name != "c0")


def test_more_chats_leave_the_others_where_they_are() -> None:
    few, many = deal(50, 0.3), deal(90, 0.3)
    for one, other in zip(few, many, strict=True):
        assert {task.utterance_id for task in one.tasks} <= {task.utterance_id for task in other.tasks}


def placed_by(shares: list[Any]) -> dict[str, frozenset[str]]:
    return {share.coder: frozenset(task.utterance_id for task in share.tasks) for share in shares}


@pytest.mark.parametrize("coders", [("a", "b", "c"), ("c", "a", "d", "b"), ("b", "d")])
def test_what_coders_have_stays_with_them_whoever_joins_or_leaves(coders: tuple[str, ...]) -> None:
    before = placed_by(deal(60, 0.3))
    planted = {"c0#0", "c0#1"}
    after = placed_by(deal(90, 0.3, coders=coders, placed=before))
    for coder, names in before.items():
        assert {name for name in after[coder] if int(name[1:].partition("#")[0]) < 60} == names
    dealt = [name for names in after.values() for name in names - planted]
    assert set(dealt) | planted == {f"c{number}#{index}" for number in range(90) for index in range(2)}
    assert max(map(dealt.count, dealt)) == 2
    assert not {name for name in after.keys() - set(coders) for name in after[name] if int(name[1:].split("#")[0]) > 59}


def test_a_deal_that_was_broken_off_ends_as_it_would_have() -> None:
    whole = placed_by(deal(60, 0.4))
    for there in (["a"], ["b"], ["a", "b"]):
        assert placed_by(deal(60, 0.4, placed={coder: whole[coder] for coder in there})) == whole


def test_one_message_of_a_conversation_does_not_bring_the_others() -> None:
    whole = placed_by(deal(20, 0.0))
    alone = next(name for name in sorted(whole["a"]) if not name.startswith("c0#"))
    again = placed_by(deal(20, 0.0, placed={**whole, "b": whole["b"] | {alone}}))
    assert again == {**whole, "b": whole["b"] | {alone}}


@pytest.mark.parametrize("overlap", [0.0, 1.0])
def test_what_is_new_of_a_conversation_goes_to_coders_where_the_holder_left(overlap: float) -> None:
    def many(messages: int) -> list[Task]:
        return [Task(f"c{number}", at, "counselor", "hi") for number in range(20) for at in range(messages)]

    before = placed_by(assign(many(1), ["a", "b"], overlap))
    shares = assign(many(3), ["a", "c"], overlap, placed=before)
    after, wanted = placed_by(shares), 2 if overlap else 1
    coded = Counter(name for names in after.values() for name in names)
    assert coded == {task.utterance_id: wanted for task in many(3)}
    assert after["b"] == before["b"] and before["a"] <= after["a"] and after["c"]
    assert [share.coder for share in shares] == ["a", "c", "b"]
    left = {name.partition("#")[0] for name in before["b"] - before["a"]}
    assert bool(left) != bool(overlap)
    for name in left:
        assert len({coder for coder, names in after.items() for at in (1, 2) if f"{name}#{at}" in names}) == 1
    for share in shares:
        assert share.double == (len(share.tasks) if overlap else 0)


def test_what_is_new_of_a_conversation_goes_to_who_has_most_of_it_whoever_joins() -> None:
    many = [Task(f"c{number}", at, "counselor", "hi") for number in range(40) for at in range(4)]
    placed = {
        "a": frozenset(f"c{number}#{at}" for number in range(20) for at in range(2)),
        "b": frozenset(f"c{number}#{2 if number < 20 else 0}" for number in range(40)),
    }
    after = placed_by(assign(many, ["c", "a", "b", "d"], 0.0, placed=placed))
    assert after["a"] == placed["a"] | {f"c{number}#3" for number in range(20)}
    assert after["b"] == placed["b"] | {f"c{number}#{at}" for number in range(20, 40) for at in range(4)}
    assert not after["c"] and not after["d"]


NAMES = st.sampled_from(["a", "b", "c", "d"])
IDS = st.sampled_from([f"c{number}#{at}" for number in range(3) for at in range(3)])


@given(st.dictionaries(NAMES, st.frozensets(IDS)), st.lists(NAMES, min_size=2, unique=True), st.floats(0, 1))
def test_every_message_has_a_coder_and_the_same_call_moves_nothing(
    placed: dict[str, frozenset[str]], coders: list[str], overlap: float
) -> None:
    many = [Task(f"c{number}", at, "counselor", "hi") for number in range(3) for at in range(3)]
    shares = assign(many, coders, overlap, ["c0"], placed=placed)
    after = placed_by(shares)
    assert frozenset().union(*after.values()) == {task.utterance_id for task in many}
    assert all(names <= after.get(coder, frozenset()) for coder, names in placed.items())
    assert all(after[coder] == placed[coder] for coder in after.keys() - set(coders))
    assert placed_by(assign(many, coders, overlap, ["c0"], placed=after)) == after


@pytest.mark.parametrize(("title", "coders"), [("Night: second", ["ann"]), ("Night", ["ben", "ann: 2"])])
def test_a_colon_in_a_title_or_name_does_not_hide_whose_a_project_is(title: str, coders: list[str]) -> None:
    with pytest.raises(UsageProblem, match="a colon and a space separate title and coder"):
        check_names(title, coders)
    check_names("Night:2", ["ann", "b:c"])


def test_a_new_coder_takes_from_the_others_and_nothing_else_moves() -> None:
    two, three = placed_by(deal(300, 0.0, coders=("a", "b"))), placed_by(deal(300, 0.0))
    assert three["a"] <= two["a"] and three["b"] <= two["b"]
    assert all(0.27 < len(names) / 600 < 0.4 for names in three.values())


@pytest.mark.parametrize(("coders", "overlap"), [((), 0.0), (("a", "a"), 0.0), (("a",), 0.5)])
def test_who_codes_must_be_clear(coders: tuple[str, ...], overlap: float) -> None:
    with pytest.raises(UsageProblem):
        deal(3, overlap, coders=coders)


def test_drift_is_told_by_week() -> None:
    known = {"c#0": frozenset({"OQ"})}
    right, wrong = frozenset({"OQ"}), frozenset({"CQ"})
    codings = [
        ("a", "2026-03-02T10:00:00Z", "c#0", right),
        ("a", "2026-03-08T10:00:00Z", "c#0", wrong),
        ("a", "2026-03-09T10:00:00Z", "c#0", wrong),
        ("a", "2026-03-09T10:00:00Z", "x#0", right),
    ]
    assert [(one.period, one.messages, one.same) for one in drift(codings, known)] == [
        ("2026-03-02", 2, 0.5),
        ("2026-03-09", 1, 0.0),
    ]


def test_hotkeys_that_cannot_be_are_named_with_those_that_are_free() -> None:
    with pytest.raises(UsageProblem, match=r"A has 'u'.*B has 'x', which 2 choices.*D has 'F2'.*Free keys: 0 1"):
        check_hotkeys({"A": "u", "B": "x", "C": "x", "D": "F2"})


def test_own_codes_extend_the_schema_and_change_no_code(tmp_path: Any) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("title: Ours\ncodes:\n- {id: HUMOR, name: Humor, definition: Light & kind, hotkey: '9'}\n", "utf-8")
    config = label_config(BOOK, read_overlay(path, BOOK))
    assert offered(config, "own") == ("HUMOR",)
    assert offered(config, "code") == offered(label_config(BOOK), "code")
    assert schema_hash(config) != schema_hash(label_config(BOOK))
    assert schema_hash(config) == schema_hash(re.sub(r">\s+<", "><", config))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("{id: SU, name: Ours, definition: x}", "is a code of the codebook"),
        ("{id: XX, name: Support, definition: x}", "is a code of the codebook"),
        ("{id: a b, name: Ours, definition: x}", "must be at most 16 capitals"),
        ("{id: XX, name: Ours}", "missing required field"),
        ("{id: XX, name: Ours, definition: x, color: red}", "unknown field"),
    ],
)
def test_an_overlay_that_cannot_be_is_refused(code: str, words: str, tmp_path: Any) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"title: Ours\ncodes:\n- {code}\n", "utf-8")
    with pytest.raises(UsageProblem, match=words):
        read_overlay(path, BOOK)


def test_codes_in_use_that_a_schema_lacks_are_counted() -> None:
    used = [{"annotations": [{"result": results(["SU", "ZZ"])}, {"result": results(["ZZ"])}]}]
    assert dropped_codes(used, label_config(BOOK)) == {"ZZ": 2}


def test_the_same_annotation_is_no_second_round(tmp_path: Any) -> None:
    codings = export(annotation(results(["SU"]))).codings
    for name in ("1", "2"):
        write_codings(tmp_path / f"{name}.csv", codings, name, "schema")
    with pytest.raises(UsageProblem, match="would be compared with themselves"):
        read_units([tmp_path / "1.csv", tmp_path / "2.csv"])
    [unit] = read_units([tmp_path / "1.csv"])
    assert unit.given[0].source == "2/5"


@pytest.mark.parametrize("drafts", [None, [7], []])
def test_drafts_without_their_content_do_not_count(drafts: object) -> None:
    assert not read_export([{"id": 1, "data": {}, "drafts": drafts}], {}).drafts
