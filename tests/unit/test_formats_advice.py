"""Messages say what mends the file: names of roles, JSON lists, workbooks, other encodings, other columns."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.tag import command
from mi_coder.errors import MiCoderError
from mi_coder.formats import REJECT_CODES, ReadOptions, Reject, open_records, read_conversations


def _rejects(content: bytes, format: str = "jsonl") -> Sequence[Reject]:
    return [item for item in open_records(io.BytesIO(content), ReadOptions(format=format)) if isinstance(item, Reject)]


def _refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(MiCoderError) as refused:
        open_records(path)
    return str(refused.value)


def _tag(path: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(path), "--force", *options])


@pytest.mark.parametrize(
    ("content", "code", "mend"),
    [
        (b'{\n"a": 1\n}\n', "invalid_json", "(jq -c .)"),
        (b'[\n{"a": 1}\n]\n', "invalid_json", "(jq -c '.[]')"),
        (b'[ {\n"a": 1}\n]\n', "invalid_json", "(jq -c '.[]')"),
        (b'[{"a": 1}]\n', "not_an_object", "(jq -c '.[]')"),
    ],
)
def test_json_of_another_shape(content: bytes, code: str, mend: str) -> None:
    first = _rejects(content)[0]
    assert first.code == code and mend in first.reason
    assert "jq -c" in REJECT_CODES[code] and "FILE.jsonl" in REJECT_CODES[code]


def test_json_that_is_no_list_bears_no_advice_for_lists() -> None:
    assert "jq" not in _rejects(b"7\n")[0].reason


def test_a_json_list_without_a_telling_name(tmp_path: Path) -> None:
    assert "jq -c '.[]' FILE > FILE.jsonl" in _refusal(tmp_path / "chats.txt", b'[{"a": 1}]')


@pytest.mark.parametrize("head", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest"])
def test_a_workbook(tmp_path: Path, head: bytes) -> None:
    assert "Save the sheet as CSV UTF-8" in _refusal(tmp_path / "chats.xlsx", head)


def test_latin_1_names_the_converter() -> None:
    content = b"conversation_id,role,text\nc,client,caf\xe9\n"
    assert "iconv -f latin1 -t utf8" in _rejects(content, "csv")[0].reason
    assert "iconv -f latin1 -t utf8" in REJECT_CODES["invalid_utf8"]


def test_conversations_that_come_back_are_to_be_sorted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("conversation_id,role,text\na,client,x\nb,client,x\na,client,y\n")
    problem = str(_tag(path).exception)
    assert "Sort the file by conversation" in problem and "--non-contiguous restart" in problem


def test_a_missing_column_is_named_for_both_users(tmp_path: Path) -> None:
    refusal = _refusal(tmp_path / "msg.csv", b"conv,role,text\na,client,x\n")
    assert "--conversation-field NAME" in refusal and "ReadOptions(conversation_field=NAME)" in refusal


def test_an_unknown_role_is_worded_for_both_users(tmp_path: Path) -> None:
    path = tmp_path / "msg.csv"
    path.write_text("conversation_id,role,text\na,wizard,x\n")
    with pytest.raises(MiCoderError, match=r"--role NAME=counselor.*in Python: `roles` and `unknown_role` of ReadOpt"):
        list(read_conversations(path))


def test_a_pasted_chat_of_unknown_people_tells_the_option_and_no_word_of_theirs(tmp_path: Path) -> None:
    refusal = _refusal(tmp_path / "names.txt", b"Anna: hi\nI told Maria: no\n")
    assert "--role NAME=counselor" in refusal and "RoleTable().extended" in refusal
    assert "Maria" not in refusal and "Anna" not in refusal


def test_unknown_roles_among_known_ones_tell_the_option_and_no_word_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("Counselor: hi\nMaria: hello\nMy plan: none\nMy plan: none\n")
    result = _tag(path)
    said = f"{result.output}{result.exception}"
    assert "--role NAME=counselor" in said
    assert "plan" not in said and "Maria" not in said
