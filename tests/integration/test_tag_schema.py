"""What `mi-code tag` writes is valid by coded.schema.json, whatever the input called its fields or already held."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mi_coder.cli.main import main
from mi_coder.formats import write_records

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = Path(__file__).parents[2] / "schemas" / "coded.schema.json"
CODED = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
ROWS = [
    {"conversation_id": "c1", "id": "m1", "role": "client", "text": "i missed the bus again"},
    {"conversation_id": "c1", "id": "m2", "role": "counselor", "text": "You sound tired. What happened?"},
    {"conversation_id": "c1", "id": "m3", "role": "counselor", "text": "", "gold": {"codes": ["OT"]}},
]


@pytest.fixture
def tag(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tag a file of the folder with the tiny model; without a name of an output, give the lines that were written."""
    monkeypatch.chdir(tmp_path)

    def run(source: str, output: str = "out.jsonl", *options: str) -> list[dict[str, Any]]:
        arguments = ["mi-code", "tag", source, "-o", output, "--model", str(tiny), "--quiet", *options]
        monkeypatch.setattr(sys, "argv", arguments)
        main()
        return [json.loads(line) for line in Path(output).read_bytes().splitlines()] if "jsonl" in output else []

    return run


def check(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        CODED.validate(line)
    broken = lines[1] | {"codes": ["XX"]}
    assert not CODED.is_valid(broken)


@pytest.mark.parametrize("options", [(), ("--unit", "sentence"), ("--scores", "none")])
def test_plain_lines(options: tuple[str, ...], tag: Any) -> None:
    write_records(lambda: ROWS, "in.jsonl", "jsonl")
    check(tag("in.jsonl", "out.jsonl", *options))


@pytest.mark.parametrize("name", ["tagged.parquet", "tagged.csv", "tagged.tsv"])
def test_empty_columns_of_a_tagged_table(name: str, tag: Any) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    write_records(lambda: ROWS, "in.jsonl", "jsonl")
    tag("in.jsonl", name)
    lines = tag(name, "out.jsonl", "--overwrite")
    assert "codes" in lines[0]
    check(lines)


def test_fields_of_other_names(tag: Any) -> None:
    rows = [
        {"chat": row["conversation_id"], "who": row["role"], "said": row["text"], "text": 1, "role": None}
        for row in ROWS
    ]
    write_records(lambda: rows, "in.jsonl", "jsonl")
    names = ("--conversation-field", "chat", "--role-field", "who", "--text-field", "said")
    lines = tag("in.jsonl", "out.jsonl", *names)
    assert lines[1]["codes"]
    check(lines)
    nested = [{"chat": "c1", "messages": rows}]
    write_records(lambda: nested, "nested.jsonl", "jsonl")
    lines = tag("nested.jsonl", "nested_out.jsonl", *names)
    CODED.validate(lines[0])
    lines[0]["messages"][1]["codes"] = ["XX"]
    assert not CODED.is_valid(lines[0])
