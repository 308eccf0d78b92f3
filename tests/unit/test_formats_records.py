"""What a record is: places, layouts, fields under other names, ids, roles and the options of the reader."""

import io
import json
from typing import Any

import pytest

from mi_coder.conversation import CLIENT, COUNSELOR, OTHER, RoleTable
from mi_coder.errors import MiCoderError
from mi_coder.formats import ReadOptions, Record, Reject, open_records
from mi_coder.formats.jsonl import decode_object
from mi_coder.formats.rejects import BadRecord


def read(*lines: Any, **options: Any) -> list[Record | Reject]:
    content = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    return list(open_records(io.BytesIO(content), ReadOptions(**options)))


def flat(**changed: Any) -> dict[str, Any]:
    return {"conversation_id": "c1", "role": "client", "text": "hello"} | changed


def records(items: list[Record | Reject]) -> list[Record]:
    assert all(isinstance(item, Record) for item in items), items
    return [item for item in items if isinstance(item, Record)]


def codes(items: list[Record | Reject]) -> list[str]:
    return [item.code if isinstance(item, Reject) else "ok" for item in items]


def test_a_flat_record_keeps_its_fields_in_order_and_its_place() -> None:
    line = flat(turn=3, text=" hé ", more={"a": [1, None]}, id=7, big=12345678901234567890123)
    first, second = records(read(b"\n", line, flat(id="x")))
    assert (first.source, first.line, first.byte) == ("stdin", 2, 1)
    assert first.end == 1 + len(json.dumps(line)) + 1 == second.byte
    assert list(first.data.items()) == list(line.items())
    assert (first.conversation_id, first.layout) == ("c1", "message")
    message = first.messages[0]
    assert (message.role, message.text, message.id) == (CLIENT, " hé ", "7")


def test_a_nested_record_holds_all_its_messages() -> None:
    line = {"id": 5, "messages": [{"speaker": "Listener ", "content": "hi"}, {"role": "seeker", "text": "", "id": 1}]}
    (record,) = records(read(line))
    assert (record.conversation_id, record.layout) == ("5", "conversation")
    assert [(message.role, message.text, message.id) for message in record.messages] == [
        (COUNSELOR, "hi", None),
        (CLIENT, "", "1"),
    ]


def test_the_first_name_that_a_record_has_wins() -> None:
    line = flat(content="not this", speaker="therapist")
    (record,) = records(read(line))
    assert (record.messages[0].text, record.messages[0].role) == ("hello", CLIENT)


def test_chosen_fields_replace_the_usual_names() -> None:
    line = {"chat": "c9", "who": "user", "said": "x", "text": 1, "role": 2, "conversation_id": []}
    (record,) = records(read(line, text_field="said", role_field="who", conversation_field="chat"))
    assert (record.conversation_id, record.messages[0].role, record.messages[0].text) == ("c9", CLIENT, "x")
    assert codes(read(flat(), text_field="said")) == ["missing_text"]


def test_a_field_named_messages_may_stand_in_a_flat_record() -> None:
    assert codes(read(flat(messages=3), flat(messages=None))) == ["ok", "ok"]


def test_the_first_good_record_sets_the_layout() -> None:
    nested = {"conversation_id": "n", "messages": []}
    assert codes(read(nested | {"messages": 1}, flat(), nested)) == ["wrong_type", "ok", "mixed_layout"]
    with open_records(io.BytesIO(json.dumps(nested).encode())) as reader:
        assert reader.layout is None
        next(reader)
        assert reader.layout == "conversation"


def test_unknown_roles_may_be_read_as_other() -> None:
    (record,) = records(read(flat(role="bot"), unknown_role="other"))
    assert record.messages[0].role == OTHER


def test_the_table_of_roles_can_be_extended() -> None:
    (record,) = records(read(flat(role="Bot"), roles=RoleTable().extended({"bot": "counselor"})))
    assert record.messages[0].role == COUNSELOR


def test_an_unknown_role_is_not_quoted() -> None:
    (reject,) = read(flat(role="canary"))
    assert isinstance(reject, Reject)
    assert "canary" not in reject.reason
    assert "--role" in reject.reason


def test_duplicates_may_be_kept() -> None:
    nested = {"conversation_id": "n", "messages": [flat(id=1), flat(id=1)]}
    assert codes(read(flat(id=1), flat(id=1), duplicates="keep")) == ["ok", "ok"]
    assert codes(read(nested, nested, duplicates="keep")) == ["ok", "ok"]


def test_message_ids_count_within_their_conversation() -> None:
    one, other = flat(id=1), flat(id=1, conversation_id="c2")
    assert codes(read(one, other)) == ["ok", "ok"]


def test_a_conversation_that_comes_back_may_start_afresh() -> None:
    one, other = flat(id=1), flat(conversation_id="c2", id=1)
    assert codes(read(one, other, one)) == ["ok", "ok", "non_contiguous"]
    assert codes(read(one, other, one, one, non_contiguous="restart")) == ["ok", "ok", "ok", "duplicate_id"]


def test_a_turned_away_return_does_not_end_the_current_conversation() -> None:
    one, other = flat(), flat(conversation_id="c2")
    assert codes(read(one, other, one, other)) == ["ok", "ok", "non_contiguous", "ok"]


@pytest.mark.parametrize(
    "name", ["codes", "scores", "possible", "depth", "permission", "review", "uncoded", "sentences"]
)
def test_output_fields_are_kept_from_being_overwritten(name: str) -> None:
    line = flat(**{name: None})
    (reject,) = read(line)
    assert isinstance(reject, Reject)
    assert (reject.code, repr(name) in reject.reason) == ("already_coded", True)
    assert codes(read(line, overwrite=True)) == ["ok"]


@pytest.mark.parametrize(
    ("line", "record_id"),
    [
        (flat(id="m7", role="bot"), "m7"),
        (flat(id=7, role="bot"), "7"),
        (flat(role="bot"), "c1"),
        (flat(id=[], role="bot"), "c1"),
        ({"id": "n1", "messages": [1]}, "n1"),
        ({"text": "x"}, None),
        (b"oops\n", None),
        (flat(id="x" * 64, role="bot"), "x" * 64),
        (flat(id="x" * 65, role="bot"), None),
        (flat(id="I cannot sleep", role="bot"), None),
        (flat(conversation_id="I cannot\nsleep", role="bot"), None),
        (flat(id="I\u00a0cannot", role="bot"), None),
        (flat(id=10**64, role="bot"), None),
    ],
)
def test_rejects_carry_the_id_where_it_can_be_read_and_looks_like_one(line: Any, record_id: str | None) -> None:
    (reject,) = read(line)
    assert isinstance(reject, Reject)
    assert reject.id == record_id


def test_a_reject_in_a_nested_record_names_the_message() -> None:
    (reject,) = read({"conversation_id": "n", "messages": [flat(), flat(text=3)]})
    assert isinstance(reject, Reject)
    assert reject.reason == "message 2: the field 'text' must be a string, not a number"


def test_counts_and_offsets_follow_the_reading() -> None:
    content = b"\xef\xbb\xbf" + json.dumps(flat()).encode() + b"\n\noops\n"
    with open_records(io.BytesIO(content)) as reader:
        assert (reader.format, reader.fields, reader.bytes_read) == ("jsonl", None, 0)
        first, second = reader
    assert (first.byte, second.byte, second.end) == (0, len(content) - 5, len(content))
    assert (reader.blank, reader.bytes_read) == (1, len(content))


def test_100_000_levels_do_not_end_the_run() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000 + b"\n"
    assert codes(read(flat(), deep, b'{"a": ' + deep.rstrip() + b"}\n", flat())) == ["ok", "too_deep", "too_deep", "ok"]


def test_depth_counts_levels_and_not_brackets() -> None:
    wide = {"a": [[{}] for _ in range(500)], "text": "[" * 500}
    assert decode_object(json.dumps(wide).encode()) == wide


@pytest.mark.parametrize("line", [b'{"a": 1e308}', b'{"a": -0.0}', b'{"a": "\\ud83d\\ude00"}'])
def test_odd_but_valid_json_is_kept(line: bytes) -> None:
    assert decode_object(line) == json.loads(line)


def test_places_in_reasons_count_from_one() -> None:
    broken = decode_object(b'{"a" 1}')
    assert isinstance(broken, BadRecord)
    assert broken.reason == "not JSON: Expecting ':' delimiter at character 6"


def test_an_unknown_format_is_named_with_the_nearest() -> None:
    with pytest.raises(MiCoderError, match="mean 'jsonl'"):
        open_records(io.BytesIO(b""), ReadOptions(format="jsonn"))
