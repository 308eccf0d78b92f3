"""Where a run reads and writes: names of files, patterns, and refusals before anything is touched."""

import os
import sys
from pathlib import Path

import pytest

from mi_coder.batch.output import output_format
from mi_coder.batch.paths import RunPaths, output_for
from mi_coder.batch.plan import Input, expand, plan
from mi_coder.errors import MiCoderError, MissingExtra, UsageProblem


def test_the_files_beside_an_output() -> None:
    paths = RunPaths("chats.jsonl", Path("out/a.tagged.jsonl"))
    assert [path.name for path in paths.written] == [
        "a.tagged.jsonl",
        "a.tagged.jsonl.part",
        "a.tagged.rejects.jsonl",
        "a.tagged.rejects.jsonl.part",
        "a.tagged.meta.json",
        "a.tagged.jsonl.journal",
        "a.tagged.jsonl.lock",
    ]
    assert {path.parent for path in paths.written} == {Path("out")}


def test_no_two_outputs_share_a_file() -> None:
    outputs = ("a", "a.jsonl", "a.jsonl.jsonl", "a.jsonl.gz", "a.csv", "a.csv.jsonl", "a.csv.gz", "a.JSONL", "a.gz")
    written = [path for name in outputs for path in RunPaths("a", Path(name)).written]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("d/a.jsonl", "d/a.tagged.jsonl"),
        ("a.JSONL", "a.tagged.jsonl"),
        ("a.b.jsonl.gz", "a.b.tagged.jsonl.gz"),
        ("a.jsonl.zst", "a.tagged.jsonl.zst"),
        ("a.csv", "a.tagged.csv"),
        ("a.tsv.gz", "a.tagged.tsv.gz"),
        ("a.parquet", "a.tagged.jsonl"),
        ("a.txt", "a.tagged.jsonl"),
        ("a", "a.tagged.jsonl"),
        ("-", "stdin.tagged.jsonl"),
    ],
)
def test_the_default_output(source: str, output: str) -> None:
    assert output_for(source, None, several=False) == Path(output)


def test_a_folder_is_coded_into_a_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus.v2").mkdir()
    assert output_for(str(tmp_path / "corpus.v2"), None, False) == tmp_path / "corpus.v2.tagged.jsonl"
    monkeypatch.chdir(tmp_path / "corpus.v2")
    assert output_for(".", None, False).name == "corpus.v2.tagged.jsonl"


def test_the_chosen_output_is_a_file_or_a_folder(tmp_path: Path) -> None:
    assert output_for("a.csv", "b.jsonl", False) == Path("b.jsonl")
    assert output_for("a.csv", "new/", False) == Path("new/a.tagged.csv")
    assert output_for("a.csv", "new", True) == Path("new/a.tagged.csv")
    assert output_for("a.csv", str(tmp_path), False) == tmp_path / "a.tagged.csv"


def test_several_inputs_need_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").touch()
    with pytest.raises(UsageProblem, match="is a file, but there are several inputs"):
        output_for("a.csv", str(tmp_path / "b.jsonl"), True)


def test_the_input_is_never_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to("a.jsonl")
    for source, chosen in (("a.jsonl", "./a.jsonl"), ("link.jsonl", "a.jsonl"), ("a.jsonl", "link.jsonl")):
        with pytest.raises(UsageProblem, match="overwritten by its own run"):
            plan([Input(source)], chosen)


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("elsewhere.jsonl")
    with pytest.raises(UsageProblem, match="is a link"):
        plan([Input("a.jsonl")], str(tmp_path / "link.jsonl"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_what_is_no_regular_file_is_never_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for output in (tmp_path / "pipe.jsonl", Path(os.devnull)):
        with pytest.raises(UsageProblem, match="is a folder, pipe or device"):
            plan([Input("a.jsonl")], str(output))


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.jsonl", "a.jsonl", "x[1].jsonl", "deep/c.jsonl"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert expand(["*.jsonl", "a.jsonl"]) == [Input("a.jsonl"), found("b.jsonl"), found("x[1].jsonl")]
    assert expand(["a.jsonl", "a*"]) == [Input("a.jsonl")]
    assert expand(["x[1].jsonl", "-"]) == [Input("x[1].jsonl"), Input("-")]
    assert expand(["**/c.jsonl"]) == [found("deep/c.jsonl")]
    for missing in ("no.jsonl", "no*.jsonl"):
        with pytest.raises(UsageProblem, match="there is no such file"):
            expand([missing])


def found(path: object) -> Input:
    return Input(str(path), found=True)


def test_what_a_run_writes_is_left_out_where_a_pattern_found_it(tmp_path: Path) -> None:
    names = ["a.csv", "b.jsonl", *(path.name for path in RunPaths("", Path("b.tagged.jsonl")).written)]
    planned = plan([found(tmp_path / name) for name in names], None)
    assert [Path(run.source).name for run in planned.runs] == ["a.csv", "b.jsonl"]
    assert [run.output.name for run in planned.runs] == ["a.tagged.csv", "b.tagged.jsonl"]
    assert [Path(name).name for name in planned.left_out] == names[2:]


def test_what_a_run_writes_is_refused_where_it_was_named(tmp_path: Path) -> None:
    for path in RunPaths("", tmp_path / "b.tagged.jsonl").written:
        inputs = [found(tmp_path / "b.jsonl"), Input(str(path))]
        with pytest.raises(UsageProblem, match=r"overwritten by the run over \S*b\.jsonl\."):
            plan(inputs, None)


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_the_input_of_another_run_is_known_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "a.tagged.meta.json").touch()
    (tmp_path / "hard.jsonl").hardlink_to(tmp_path / "a.tagged.meta.json")
    with pytest.raises(UsageProblem, match="overwritten by the run over"):
        plan([Input(str(tmp_path / "a.jsonl")), Input(str(tmp_path / "hard.jsonl"))], None)


def test_a_tagged_file_alone_is_an_input() -> None:
    planned = plan([Input("b.tagged.jsonl")], None)
    assert planned.runs == [RunPaths("b.tagged.jsonl", Path("b.tagged.tagged.jsonl"))]


def test_two_inputs_with_one_output_are_refused() -> None:
    with pytest.raises(UsageProblem, match=r"x/a.jsonl and y/a.jsonl would both be written to out/a.tagged.jsonl"):
        plan([Input("x/a.jsonl"), Input("y/a.jsonl")], "out")
    with pytest.raises(UsageProblem, match="would both be written"):
        plan([Input("a.jsonl"), Input("a.parquet")], None)


@pytest.mark.parametrize(
    ("name", "format"),
    [("a", "jsonl"), ("a.ndjson", "jsonl"), ("a.csv.gz", "csv"), ("a.tab", "tsv"), ("a.gz", "jsonl")],
)
def test_the_format_of_an_output(name: str, format: str) -> None:
    assert output_format(Path(name)) == format


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.xlsx", r"\.xlsx cannot be written. Name the output \.jsonl, \.csv"),
        ("a.txt.gz", r"\.txt cannot be written"),
        ("a.parquet.gz", r"compressed in itself"),
        ("a.parquet.zst", r"compressed in itself"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(name: str, words: str) -> None:
    with pytest.raises(MiCoderError, match=words):
        plan([Input("a.jsonl")], name)


@pytest.mark.parametrize(("name", "package"), [("a.parquet", "pyarrow"), ("a.jsonl.zst", "zstandard")])
def test_a_package_that_is_missing_is_named_before_anything_is_read(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=f"needs the package {package}"):
        plan([Input("a.jsonl")], name)
