"""The JSON Schemas are those that the codebook renders to, and they agree with the reader."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from reader_catalogue import FLAT, NESTED, Case

from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation, Message, SentenceCoding
from mi_coder.formats import Record, open_records, write_conversations
from mi_coder.formats.schema import render_schemas

jsonschema = pytest.importorskip("jsonschema")
FOLDER = Path(__file__).resolve().parents[2] / "schemas"
RENDERED = render_schemas(Codebook.load().ids, Codebook.load().attributes)

# What one record alone cannot show, and a table of roles that the schema does not know.
BEYOND_A_SCHEMA = {"unknown_role", "duplicate_id", "non_contiguous", "mixed_layout", "too_deep", "invalid_json"}


def validator(name: str) -> Any:
    schema = json.loads(RENDERED[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


TRANSCRIPT = validator("transcript.schema.json")
CODED = validator("coded.schema.json")


@pytest.mark.parametrize("name", sorted(RENDERED))
def test_the_files_are_as_rendered(name: str) -> None:
    assert (FOLDER / name).read_text() == RENDERED[name], "run: python tools/generate.py"


def test_every_code_is_in_the_schema() -> None:
    codes = {"conversation_id": "c", "role": "counselor"}
    assert all(CODED.is_valid(codes | {"codes": [code]}) for code in Codebook.load().ids)
    assert not CODED.is_valid(codes | {"codes": ["XX"]})


@pytest.mark.parametrize("case", [*FLAT, *NESTED], ids=lambda case: case.name)
def test_the_schema_takes_what_the_reader_takes(case: Case) -> None:
    lines = case.content.splitlines() if isinstance(case.content, bytes) else []
    rejects = dict(case.rejects)
    for number, line in enumerate(lines, start=1):
        code = rejects.get(number)
        if code not in BEYOND_A_SCHEMA:
            assert TRANSCRIPT.is_valid(json.loads(line)) == (code is None)


def coded(**fields: Any) -> dict[str, Any]:
    return {"conversation_id": "c", "role": "counselor", "text": "x", **fields}


SENTENCE = {"start": 0, "end": 1}


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        ({}, False),
        ({"codes": None}, False),
        ({"codes": ""}, False),
        ({"role": "client"}, True),
        ({"role": "client", "codes": None, "scores": None, "depth": None, "review": None, "sentences": None}, True),
        ({"role": "client", "codes": "", "scores": "", "depth": "", "review": "", "sentences": ""}, True),
        ({"role": "client", "codes": None, "depth": "simple"}, False),
        ({"codes": ["SU", "OQ", "GI"]}, True),
        ({"codes": ["SU", "OQ", "GI", "AF"], "sentences": None}, False),
        ({"codes": ["SU", "OQ", "GI", "AF"]}, False),
        ({"codes": ["SU", "OQ", "GI", "AF"], "sentences": [SENTENCE | {"codes": ["SU"]}]}, True),
        ({"codes": ["SU", "SU"]}, False),
        ({"codes": ["XX"]}, False),
        ({"codes": ["OT"]}, True),
        ({"codes": ["OT", "SU"]}, False),
        ({"codes": ["OT", "SU"], "sentences": []}, True),
        ({"codes": ["SU"], "scores": {"SU": 0.5}}, True),
        ({"codes": ["SU"], "scores": {"SU": 1.5}}, False),
        ({"codes": ["SU"], "scores": {"XX": 0.5}}, False),
        ({"scores": {"SU": 0.5}}, False),
        ({"codes": ["SU"], "possible": ["SU", "OQ", "GI", "AF", "OT"]}, True),
        ({"codes": ["SU"], "possible": []}, False),
        ({"codes": ["SU"], "possible": ["SU", "SU"]}, False),
        ({"codes": ["SU"], "possible": ["XX"]}, False),
        ({"possible": ["SU"]}, False),
        ({"role": "client", "codes": None, "possible": None}, True),
        ({"codes": ["REF"], "depth": "simple"}, True),
        ({"codes": ["SU"], "depth": "simple"}, False),
        ({"codes": ["REF"], "depth": "deep"}, False),
        ({"codes": ["PR"], "permission": "with"}, True),
        ({"codes": ["SU", "RC"], "permission": "without"}, True),
        ({"codes": ["SU"], "permission": "with"}, False),
        ({"codes": ["SU"], "review": True}, True),
        ({"codes": ["SU"], "review": False}, False),
        ({"codes": [], "uncoded": "empty"}, True),
        ({"codes": ["SU"], "uncoded": "empty"}, False),
        ({"codes": ["SU"], "sentences": [SENTENCE | {"codes": ["SU"], "depth": "simple"}]}, False),
        ({"codes": ["SU"], "sentences": [SENTENCE]}, False),
        ({"role": "client", "gold": {"codes": ["SU"], "depth": None}}, True),
        ({"role": "client", "gold": {"positive": ["SU"], "any_of": [["OQ", "CQ"]]}}, True),
        ({"role": "client", "gold": '{"codes": []}'}, True),
        ({"role": "client", "gold": {"codes": ["XX"]}}, False),
        ({"role": "client", "gold": {"codes": [], "positive": []}}, False),
    ],
)
def test_coded_messages(fields: dict[str, Any], valid: bool) -> None:
    message = coded(**fields)
    assert CODED.is_valid(message) == valid
    assert CODED.is_valid({"conversation_id": "c", "messages": [message]}) == valid


def test_written_codings_are_valid() -> None:
    sentence = SentenceCoding(0, 1, Coding(("PR",), {"PR": 0.5}, permission="with"))
    codings = [
        Coding((), {}, uncoded="empty"),
        Coding(("REF", "SU"), {"REF": 1.0}, "simple", None, True),
        Coding(("PR",), {}, None, "with", False, None, (sentence,)),
        Coding(("PR",), {}, possible=("PR", "GI")),
    ]
    chat = Conversation("c", [Message("counselor", "x", coding=coding) for coding in codings])
    sink = io.BytesIO()
    write_conversations([chat], sink)
    write_conversations([chat], sink, "message")
    lines = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert len(lines) == 5
    assert all(CODED.is_valid(line) for line in lines)
    sink.seek(0)
    assert not any(isinstance(item, Record) and item.line == 1 for item in open_records(sink))
