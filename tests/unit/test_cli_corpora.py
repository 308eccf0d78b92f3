"""`mi-code corpora`: what may be written where, and how files are read."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.corpora import command
from mi_coder.errors import MiCoderError, UsageProblem
from tests.chats import write_jsonl

CHAT = {
    "conv_id": "esconv-train-0001",
    "official_split": "train",
    "experience_type": "Current Experience",
    "emotion_type": "fear",
    "problem_type": "job crisis",
    "situation": "My shop closes soon.",
    "survey_score": {"seeker": {}, "supporter": {}},
    "dialog": [
        {"text": "Hi there", "speaker": "usr"},
        {"text": "What happened?", "speaker": "sys", "strategy": "Question"},
    ],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "esconv"
    folder.mkdir()
    (folder / "esconv_subset.jsonl.gz").write_bytes(gzip.compress(json.dumps(CHAT).encode() + b"\n"))
    (folder / "failed_esconv_subset.jsonl.gz").write_bytes(gzip.compress(b""))
    return folder


def run(*args: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in args])


def test_a_corpus_goes_to_a_new_file_unless_forced(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "esconv.jsonl"
    done = run("convert", "esconv", "--root", root, "-o", output)
    assert done.exit_code == 0, done.exception
    before = output.read_bytes()
    output.write_text("mine")
    refused = run("convert", "esconv", "--root", root, "-o", output)
    assert isinstance(refused.exception, UsageProblem)
    assert "--force" in str(refused.exception)
    assert run("convert", "esconv", "--root", root, "-o", output, "--force").exit_code == 0
    assert output.read_bytes() == before


def test_a_corpus_is_never_written_over(root: Path) -> None:
    source = root / "esconv_subset.jsonl.gz"
    before = source.read_bytes()
    refused = run("convert", "esconv", "--root", root, "-o", source, "--force")
    assert "is an input" in str(refused.exception)
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet.gz"])
def test_what_cannot_be_written_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    refused = run("convert", "esconv", "--root", root, "-o", tmp_path / name).exception
    assert isinstance(refused, MiCoderError)
    assert name in str(refused)
    assert not (tmp_path / name).exists()


def test_only_coded_needs_codes(root: Path, tmp_path: Path) -> None:
    refused = run("convert", "esconv", "--root", root, "-o", tmp_path / "a.jsonl", "--only-coded")
    assert "--only-coded needs --codes" in str(refused.exception)
    assert not (tmp_path / "a.jsonl").exists()


def test_stats_reads_coded_files_and_other_fields(tmp_path: Path) -> None:
    record = {"chat": "c", "who": "peer", "body": "hm?", "codes": ["OQ"], "gold": {"codes": ["OQ"]}}
    write_jsonl(tmp_path / "a.jsonl", [record])
    fields = ("--conversation-field", "chat", "--role-field", "who", "--text-field", "body")
    done = run("stats", tmp_path / "a.jsonl", *fields, "--role", "peer=counselor")
    assert done.exit_code == 0, done.exception
    assert "with gold" in done.stdout
    assert done.stdout.splitlines()[2].split() == ["OQ", "1"]
