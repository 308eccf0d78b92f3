"""`mi-code corpora`: what may be written where, and how files are read."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.corpora import command
from mi_coder.corpora.parts import hashed_part
from mi_coder.corpora.source import folded, group_id
from mi_coder.corpora.splits import BadSplits, Split, render_splits
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


GROUP = group_id("esconv", folded(str(CHAT["situation"])))


def write_splits(folder: Path, *rows: Split) -> Path:
    path = folder / "splits.csv"
    path.write_text(render_splits(rows))
    return path


def test_convert_writes_the_part_of_the_file(root: Path, tmp_path: Path) -> None:
    splits = write_splits(tmp_path, Split("esconv", "esconv-train-0001", GROUP, "dev"))
    done = run("convert", "esconv", "--root", root, "-o", tmp_path / "a.jsonl", "--splits", splits)
    assert done.exit_code == 0, done.exception
    assert json.loads((tmp_path / "a.jsonl").read_text())["split"] == "dev"


def test_convert_refuses_a_chat_that_the_file_does_not_have(root: Path, tmp_path: Path) -> None:
    splits = write_splits(tmp_path, Split("esconv", "esconv-train-0002", GROUP, "dev"))
    refused = run("convert", "esconv", "--root", root, "-o", tmp_path / "a.jsonl", "--splits", splits)
    assert isinstance(refused.exception, BadSplits)
    assert "'esconv-train-0001' has no row" in str(refused.exception)
    assert not (tmp_path / "a.jsonl").exists()


def test_convert_says_where_the_file_does_not_have_the_corpus(root: Path, tmp_path: Path) -> None:
    splits = write_splits(tmp_path, Split("mibot", "esconv-train-0001", GROUP, "dev"))
    done = run("convert", "esconv", "--root", root, "-o", tmp_path / "a.jsonl", "--splits", splits)
    assert "has no rows of esconv" in done.stderr
    assert "split" not in json.loads((tmp_path / "a.jsonl").read_text())


def test_the_file_of_splits_is_never_written_over(root: Path, tmp_path: Path) -> None:
    splits = write_splits(tmp_path, Split("esconv", "esconv-train-0001", GROUP, "dev"))
    refused = run("convert", "esconv", "--root", root, "-o", splits, "--splits", splits, "--force")
    assert "is an input" in str(refused.exception)


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A chat that names its part, and one that does not."""
    message = {"role": "counselor", "text": "hm?", "gold": {"codes": ["OQ"]}}
    named = {"conversation_id": "a", "corpus": "one", "split": "test", "messages": [message, message]}
    write_jsonl(tmp_path / "chats.jsonl", [named, {"conversation_id": "b", "corpus": "two", "messages": [message]}])
    return tmp_path / "chats.jsonl"


def test_stats_has_a_column_per_part_and_says_which_were_placed_by_hash(chats: Path) -> None:
    lines = run("stats", chats).stdout.splitlines()
    table = {line.split("  ")[0]: line.split()[-2:] for line in lines}
    assert table["code"] == ["one/test", f"two/{hashed_part('b')}"]
    assert (table["OQ"], table["CQ"], table["messages"], table["conversations"]) == (
        ["2", "1"],
        ["0", "0"],
        ["2", "1"],
        ["1", "1"],
    )
    assert lines[-1].startswith("1 of 2 conversations have no field 'split'")
    assert lines[-3] == (
        '0: no message is known to have the code. Labels may not tell it apart (see the lines with "or"), or not have '
        "it."
    )


def test_stats_as_markdown(chats: Path) -> None:
    lines = run("stats", chats, "--as", "markdown").stdout.splitlines()
    assert [cell.strip() for cell in lines[2].split("|")] == ["", "OQ", "2", "1", ""]
    assert set(lines[1]) == set("|- ")


def test_stats_as_json(chats: Path) -> None:
    one, two = json.loads(run("stats", chats, "--as", "json").stdout)["parts"]
    assert (one["corpus"], one["part"], one["without_split"], one["messages"]) == ("one", "test", 0, 2)
    assert (two["part"], two["without_split"], two["conversations"]) == (hashed_part("b"), 1, 1)
    assert (one["codes"]["OQ"], one["codes"]["CQ"], len(one["codes"])) == (2, 0, 21)


def test_stats_is_silent_on_hashes_where_every_chat_names_its_part(tmp_path: Path) -> None:
    chat = {"conversation_id": "a", "split": "dev", "messages": [{"role": "counselor", "text": "hm?"}]}
    write_jsonl(tmp_path / "a.jsonl", [chat])
    assert "no field" not in run("stats", tmp_path / "a.jsonl").stdout
