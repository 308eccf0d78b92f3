"""Every bad input gives exactly the rejects that the catalogue names, skipped or failed on."""

import importlib.util
from pathlib import Path

import msgspec
import pytest
from reader_catalogue import CASES, LIMIT, REFUSED, Case, Refused

from mi_coder.errors import MiCoderError
from mi_coder.formats import REJECT_CODES, ReadOptions, Record, Reject, open_records, read_conversations

TEXTS = ("hello", "there", "oops", "wizard", "caf", "rubbish")


def _needed(case: Case) -> str | None:
    return {"parquet": "pyarrow", "zst": "zstandard"}.get(case.file.rpartition(".")[2])


def _options(case: Case) -> ReadOptions:
    return ReadOptions(format=case.format, max_line_bytes=LIMIT)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    module = _needed(request.param)
    if module and not importlib.util.find_spec(module):
        pytest.skip(f"needs {module}")
    return request.param


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_code_has_a_case() -> None:
    assert {code for case in CASES for _, code in case.rejects} == set(REJECT_CODES)


def test_skip_names_every_bad_record_and_reads_the_rest(case: Case, tmp_path: Path) -> None:
    with open_records(case.write(tmp_path), _options(case)) as reader:
        items = list(reader)
    rejects = [(item.line, item.code) for item in items if isinstance(item, Reject)]
    assert rejects == case.rejects
    assert sum(isinstance(item, Record) for item in items) == case.good
    assert reader.blank == case.blank


def test_fail_stops_at_the_first_bad_record(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    if not case.rejects:
        conversations = list(read_conversations(path, _options(case)))
        assert case.good in (len(conversations), sum(len(read.messages) for read in conversations))
        return
    line, code = case.rejects[0]
    with pytest.raises(MiCoderError) as failure:
        list(read_conversations(path, _options(case)))
    assert f":{line}: " in str(failure.value)
    assert str(failure.value).endswith(f"[{code}]")


def test_reject_lines_hold_their_fields_and_no_text(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    for item in open_records(path, _options(case)):
        if isinstance(item, Reject):
            entry = msgspec.json.decode(item.to_json())
            assert list(entry) == ["source", "line", "byte", "id", "code", "reason"]
            assert entry["source"].startswith(str(path))
            assert not any(text in entry["reason"] for text in TEXTS)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_unreadable_inputs_are_refused_with_advice(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / refused.file
    path.write_bytes(refused.content)
    with pytest.raises(MiCoderError) as failure, open_records(path) as reader:
        list(reader)
    assert refused.words in str(failure.value)
    assert refused.file in str(failure.value)
    assert not any(text in str(failure.value) for text in TEXTS)
