"""The shared corpora from end to end: converted, tagged, counted, and checked against the schema."""

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from mi_coder.batch.meta import read_meta
from mi_coder.cli.main import main
from mi_coder.formats import open_records
from tests.chats import read_jsonl

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "coded.schema.json").read_text())


def mi_code(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["mi-code", *map(str, arguments)])
    main()


@pytest.mark.parametrize(("corpus", "conversations"), [("esconv", 746), ("annomi", 88)])
@pytest.mark.parametrize("layout", ["conversation", "message"])
def test_every_conversation_comes_out_coded(
    shared: Path,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: str,
    conversations: int,
    layout: str,
) -> None:
    source, tagged = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    mi_code(monkeypatch, "corpora", "convert", corpus, "--root", shared, "-o", source, "--layout", layout)
    mi_code(monkeypatch, "tag", source, "-o", tagged, "--model", tiny, "--quiet")
    before, after = list(open_records(source)), read_jsonl(tagged)
    meta = read_meta(tmp_path / "out.meta.json")
    assert meta is not None
    assert meta.counts.read == meta.counts.written == len(before) == len(after)
    assert len({record["conversation_id"] for record in after}) == conversations
    check = jsonschema.Draft202012Validator(SCHEMA)
    assert [error.message for record in after for error in check.iter_errors(record)] == []
