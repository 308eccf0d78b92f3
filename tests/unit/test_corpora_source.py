"""Finding and reading the files of a corpus."""

import gzip
from pathlib import Path

import msgspec
import pytest

from mi_coder.corpora.source import CorpusInfo, folded, group_id, locate, number, read_objects, read_rows
from mi_coder.errors import UsageProblem

INFO = CorpusInfo(
    name="tiny",
    title="Tiny",
    content="nothing",
    license="none",
    gold="none",
    citation="none",
    folder="tiny_folder",
    files=("one.csv", "two.csv"),
    optional=("extra.csv",),
)


class Thing(msgspec.Struct):
    name: str


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_root_may_be_the_data_root_or_the_corpus_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "tiny_folder", "one.csv", "two.csv")
    assert locate(INFO, tmp_path) == folder
    assert locate(INFO, folder) == folder


def test_a_missing_file_is_named_with_the_expected_ones(tmp_path: Path) -> None:
    fill(tmp_path / "tiny_folder", "one.csv")
    with pytest.raises(UsageProblem) as caught:
        locate(INFO, tmp_path)
    first, second, _ = str(caught.value).splitlines()
    assert "two.csv" in first and "one.csv" not in first
    assert all(name in second for name in ("one.csv", "two.csv", "extra.csv"))


def test_a_root_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="nowhere does not exist"):
        locate(INFO, tmp_path / "nowhere")


def test_cells_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b'a,b\nNA,"two\nlines"\nn/a,\n'))
    assert list(read_rows(path, ["a"])) == [{"a": "NA", "b": "two\nlines"}, {"a": "n/a", "b": ""}]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a\n1\n", "no column b"),
        ("a,b\nx\n", "rows.csv:2: not as many cells"),
        ("a,b\nx,y,secret\n", "rows.csv:2: not as many cells"),
        ("a,b\nsecret,z\n", "rows.csv:2: a must be one of x, y"),
    ],
)
def test_a_damaged_table_is_refused_without_its_text(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(UsageProblem, match=complaint) as caught:
        list(read_rows(path, ["a", "b"], allowed={"a": ["x", "y"]}))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a\n\xff\n", "not UTF-8"),
        (gzip.compress(b"a\n" + b"1\n" * 1000)[:-9], "not a whole gzip file"),
        (b"a\n1\n", "not a whole gzip file"),
    ],
)
def test_damaged_bytes_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / ("rows.csv" if complaint == "not UTF-8" else "rows.csv.gz")
    path.write_bytes(content)
    with pytest.raises(UsageProblem, match=complaint):
        list(read_rows(path, ["a"]))


def test_a_wrong_object_is_refused_with_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "things.jsonl"
    path.write_text('{"name": "first"}\n{"name": 7}\n')
    with pytest.raises(UsageProblem, match=r"things\.jsonl:2: .*\$\.name"):
        list(read_objects(path, Thing))


@pytest.mark.parametrize(
    ("text", "value"), [("4", 4), ("2.0", 2), ("2.5", 2.5), ("", None), (None, None), ("inf", None), ("nan", None)]
)
def test_scores(text: str | None, value: float | None) -> None:
    assert number(text) == value


def test_a_score_that_is_no_number_is_refused_without_its_text() -> None:
    with pytest.raises(UsageProblem) as caught:
        number("secret")
    assert "secret" not in str(caught.value)


def test_groups_depend_on_the_shared_text_alone_and_hide_it() -> None:
    assert folded("  My  JOB\n") == "my job"
    assert group_id("tiny", "my job") == group_id("tiny", "my job") != group_id("tiny", "my jobs")
    assert "job" not in group_id("tiny", "my job")
