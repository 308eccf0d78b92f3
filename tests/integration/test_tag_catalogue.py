"""Every bad input of the reader's catalogue through a whole tagging run, skipping and failing."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from mi_coder.batch.counts import Counts
from mi_coder.batch.interrupt import Stop
from mi_coder.batch.meta import read_meta
from mi_coder.batch.options import MaxErrors, TagOptions
from mi_coder.batch.paths import RunPaths
from mi_coder.batch.problems import Rejected, StoppedAtReject
from mi_coder.batch.run import tag_file
from mi_coder.formats import ReadOptions
from mi_coder.tagger.tagger import Tagger

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from reader_catalogue import CASES, LIMIT, Case

DAMAGE = {"truncated_file", "corrupt_file"}
NEEDED = {"parquet": "pyarrow", "zst": "zstandard"}


@pytest.fixture(scope="module")
def tagger(tiny: Path) -> Tagger:
    return Tagger.load(tiny)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    module = NEEDED.get(request.param.file.rpartition(".")[2])
    if module and not importlib.util.find_spec(module):
        pytest.skip(f"needs {module}")
    return request.param


def tag(case: Case, folder: Path, tagger: Tagger, on_error: str) -> tuple[RunPaths, Counts]:
    """Tag the case; what is damaged must be called a failure, with all that could be read in the output."""
    (folder / "in").mkdir()
    paths = RunPaths(str(case.write(folder / "in")), folder / "out.jsonl")
    options = TagOptions(
        on_error=on_error,
        max_errors=MaxErrors(100, percent=True),
        read=ReadOptions(format=case.format, max_line_bytes=LIMIT),
    )
    try:
        return paths, tag_file(paths, tagger, options, lambda reached, counts: None, Stop()).counts
    except Rejected:
        meta = read_meta(paths.meta)
        assert meta is not None
        assert meta.counts.rejects.keys() & DAMAGE
        return paths, meta.counts


def test_skip_writes_the_good_and_lists_the_bad(case: Case, tmp_path: Path, tagger: Tagger) -> None:
    paths, counts = tag(case, tmp_path, tagger, "skip")
    assert (counts.written, counts.rejected, counts.blank) == (case.good, len(case.rejects), case.blank)
    assert len(paths.output.read_bytes().splitlines()) == case.good
    listed = paths.rejects.read_text().splitlines() if case.rejects else []
    assert [(entry["line"], entry["code"]) for entry in map(json.loads, listed)] == case.rejects
    assert paths.rejects.exists() == bool(case.rejects)


def test_fail_stops_at_the_first_and_names_it(case: Case, tmp_path: Path, tagger: Tagger) -> None:
    if not case.rejects:
        assert tag(case, tmp_path, tagger, "fail")[1].written == case.good
        return
    line, code = case.rejects[0]
    with pytest.raises(StoppedAtReject) as stopped:
        tag(case, tmp_path, tagger, "fail")
    assert stopped.value.exit_code == 3
    assert f":{line}: " in str(stopped.value)
    assert f"[{code}]" in str(stopped.value)
    assert not (tmp_path / "out.jsonl").exists()
