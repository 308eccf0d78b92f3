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
        (b"", "is empty. Expected columns: a, b"),
        (b"a\n1\n", "rows.csv:1: no column b"),
        (b"a,b,a\n1,2,3\n", "rows.csv:1: the header names a column twice"),
        (b"a,b\nsecret\n", "rows.csv:2: 1 cells where the header has 2 columns"),
        (b"a,b\nx,y,secret\n", "rows.csv:2: 3 cells where the header has 2 columns"),
        (b'a,b\nx,"1\n2"\nx,y\nsecret,"y\n\n', "rows.csv:5: a quote opens in this record and does not close"),
        (b'a,b\nx,"y" secret\n', "rows.csv:2: a quoted cell must end before the next delimiter"),
        (b"a,b\nx,y\nsecret,\xff\n", "rows.csv:3: the line is not UTF-8 at its byte 8"),
        (b"a,b\nsecret,\0\n", "rows.csv:2: a line contains a raw NUL byte"),
        (b"a,b\nx," + b"secret" * 200_000, "rows.csv:2: the row is longer than a mebibyte"),
        ("a,b\n1,2\n".encode("utf-16"), "rows.csv:1: this looks like UTF-16"),
    ],
)
def test_a_damaged_table_is_refused_without_its_text(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UsageProblem, match=complaint) as caught:
        list(read_rows(path, ["a", "b"]))
    assert "secret" not in str(caught.value)


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n" + "x" * 200_000)
    assert [len(row["a"]) for row in read_rows(path, ["a"])] == [200_000]


def test_cells_are_checked_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\nx,12\nsecret,-1\nz,\n")
    good, bad, empty = read_rows(path, ["a", "b"])
    assert (good.one_of("a", "xyz"), good.count("b"), good.number("b"), empty.number("b")) == ("x", 12, 12, None)
    for check, complaint in (
        (lambda: bad.one_of("a", ["x", "y"]), "rows.csv:3: a: must be one of x, y"),
        (lambda: bad.count("b"), "rows.csv:3: b: must be a whole number of at least 0"),
        (lambda: empty.count("b"), "rows.csv:4: b: must be a whole number of at least 0"),
        (lambda: bad.number("a"), "rows.csv:3: a: must be a number or empty"),
    ):
        with pytest.raises(UsageProblem, match=complaint) as caught:
            check()
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (gzip.compress(b'{"name": "a"}\n' * 1000)[:-9], r"gz:\d+: .*was it copied whole"),
        (b"\x1f\x8b and no gzip", r"gz:1: the compressed data is damaged"),
        (b'{"name": "a"}\n{"name": "\xff"}\n', r"gz:2: the line is not UTF-8"),
    ],
)
def test_damaged_bytes_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "things.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(UsageProblem, match=complaint):
        list(read_objects(path, Thing))


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
