"""Histories of runs: what makes a run exploratory, damaged lines, folders that cannot be written, and stale files."""

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.study import history
from mi_coder.outcomes.study.history import LOG, STUDY_LOG, read_log, record, remarks
from mi_coder.outcomes.study.spec import Study, read_study, study_of

RATING = {"name": "rating", "type": "rating"}
STRESS = {"name": "stress", "type": "change", "before": "stress_pre", "after": "stress_post"}


def _study(**changed: Any) -> Study:
    return study_of({"data": {"counts": "chats.csv"}, "outcomes": [RATING], **changed})


def _run(
    folder: Path,
    output: str,
    study: Study,
    verb: str = "relate",
    files: Collection[str] = (),
    force: bool = False,
) -> dict[str, Any]:
    """Run a study whose files hold their names."""
    return record(study, folder, folder / output, verb, files, lambda _: {name: name.encode() for name in files}, force)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chats.csv").write_text("conversation_id,rating\n")
    return tmp_path


def test_a_changed_study_is_exploratory_in_a_new_folder_too(folder: Path) -> None:
    first = _run(folder, "out", _study())
    again = _run(folder, "other", _study())
    assert (
        not first["exploratory"] and not again["exploratory"] and (first["runs_before"], again["runs_before"]) == (0, 1)
    )
    changed = _run(folder, "third", _study(seed=2))
    assert changed["exploratory"] and changed["runs_before"] == 2 and changed["first_study"] == first["study"]
    (said,) = remarks(changed)
    assert said.startswith("Exploratory: the study file was changed after a first run") and "2 runs before" in said
    assert remarks(first) == ()
    assert len((folder / STUDY_LOG).read_text().splitlines()) == 3


def test_a_run_stands_in_both_histories_and_counts_once(folder: Path) -> None:
    for _ in range(3):
        facts = _run(folder, "out", _study())
    assert facts["runs_before"] == 2 and not facts["exploratory"]


def test_without_the_history_beside_the_study_that_of_the_folder_still_counts(folder: Path) -> None:
    _run(folder, "out", _study())
    (folder / STUDY_LOG).unlink()
    assert not _run(folder, "new", _study(seed=2))["exploratory"]
    (folder / STUDY_LOG).unlink()
    assert _run(folder, "out", _study(seed=2))["exploratory"]


def test_other_outcomes_and_other_data_are_other_questions(folder: Path) -> None:
    _run(folder, "out", _study())
    assert not _run(folder, "stress", _study(outcomes=[STRESS]))["exploratory"]
    (folder / "fresh.csv").write_text("conversation_id,rating\nnew,5\n")
    assert not _run(folder, "fresh", _study(data={"counts": "fresh.csv"}, seed=2))["exploratory"]
    (folder / "copy.csv").write_bytes((folder / "chats.csv").read_bytes())
    assert _run(folder, "copied", _study(data={"counts": "copy.csv"}, seed=2))["exploratory"]
    (folder / "chats.csv").write_text("conversation_id,rating\none,1\n")
    assert _run(folder, "grown", _study(seed=3))["exploratory"]


def test_parts_of_the_study_that_a_command_does_not_read_may_change(folder: Path) -> None:
    plain, more = (
        _study(),
        _study(matching={"technique": "EA", "covariates": ["age"]}, experience={"time": "started_at"}),
    )
    _run(folder, "out", plain)
    assert not _run(folder, "out", more)["exploratory"]
    assert not _run(folder, "matched", more, "match")["exploratory"]
    wider = _study(matching={"technique": "EA", "covariates": ["age"], "caliper": 0.5})
    assert _run(folder, "matched2", wider, "match")["exploratory"]
    assert not _run(folder, "practice", more, "experience")["exploratory"]


@pytest.mark.parametrize("log", [LOG, STUDY_LOG])
@pytest.mark.parametrize(
    "damage", [b'{"study": ', b"\xff\xfe", b"[1, 2]", b"{}", b'{"study": 5}', b'{"study": "a", "data": 3}']
)
def test_a_damaged_line_is_skipped_and_named(folder: Path, log: str, damage: bytes) -> None:
    _run(folder, "out", _study())
    path = folder / "out" / log if log == LOG else folder / log
    path.write_bytes(path.read_bytes() + b"\n" + damage)
    facts = _run(folder, "out", _study())
    assert facts["remarks"] == [f"{path}:3 is damaged: the run on this line is not counted."]
    assert facts["runs_before"] == 1 and not facts["exploratory"] and remarks(facts) == tuple(facts["remarks"])
    # The cut line does not swallow the next.
    assert len(read_log(path)[0]) == 2


def test_lines_of_older_versions_still_count(folder: Path) -> None:
    (folder / "out").mkdir()
    study = _study()
    old = {"time": "2026-01-01T00:00:00+00:00", "study": study.digest, "data": {"chats.csv": "0"}, "codebook": "x"}
    (folder / "out" / LOG).write_text(json.dumps(old) + "\n")
    same = _run(folder, "out", study)
    assert same["runs_before"] == 1 and not same["exploratory"] and same["remarks"] == []
    assert _run(folder, "out", _study(seed=2))["exploratory"]


def test_a_folder_that_cannot_be_written_costs_the_history_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refusing(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if path.name == STUDY_LOG and "a" in mode:
            raise PermissionError(13, "Permission denied")
        return opened(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", refusing)
    facts = _run(folder, "out", _study())
    (said,) = facts["remarks"]
    assert f"No history could be kept in {folder / STUDY_LOG} (Permission denied)" in said
    assert not (folder / STUDY_LOG).exists() and len((folder / "out" / LOG).read_text().splitlines()) == 1


def test_a_history_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / STUDY_LOG).mkdir()
    facts = _run(folder, "out", _study())
    assert [sentence.split(" (")[0] for sentence in facts["remarks"]] == [
        f"{folder / STUDY_LOG} cannot be read",
        f"No history could be kept in {folder / STUDY_LOG}",
    ]


def test_files_of_the_last_run_go_and_no_others(folder: Path) -> None:
    out = folder / "out"
    _run(folder, "out", _study(), files=["report.md", "forest_stress.svg", "change_stress.csv", "edited.csv"])
    (out / "mine.txt").write_text("forest_stress.svg")
    (out / "edited.csv").write_text("with a remark of mine")
    facts = _run(folder, "out", _study(), files=["report.md"])
    assert {path.name for path in out.iterdir()} == {
        *("report.md", "edited.csv", "mine.txt"),
        *(LOG, "run.json", "study.resolved.yaml"),
    }
    assert facts["remarks"] == [
        f"{out / 'edited.csv'} is from an earlier run and was changed since then: it does not belong to this run."
    ]
    assert _run(folder, "out", _study(), files=["report.md"])["remarks"] == []


def test_files_of_another_command_stay(folder: Path) -> None:
    _run(folder, "out", _study(), "relate", ["report.md", "tidy.csv"])
    _run(folder, "out", _study(), "match", ["report.md", "estimates.csv"])
    _run(folder, "out", _study(), "relate", ["report.md"])
    assert not (folder / "out" / "tidy.csv").exists() and (folder / "out" / "estimates.csv").exists()


def test_nothing_goes_where_a_run_fails(folder: Path) -> None:
    _run(folder, "out", _study(), files=["report.md", "old.csv"])
    before = _content(folder)
    with pytest.raises(ZeroDivisionError):
        record(_study(), folder, folder / "out", "relate", ["report.md"], lambda facts: {"report.md": bytes(1 // 0)})
    assert _content(folder) == before and len(read_log(folder / "out" / LOG)[0]) == 1


def _content(folder: Path) -> dict[str, bytes | str]:
    """All files, and where links lead."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


FILES = ["report.md", "tidy.csv"]
WRITTEN = [*FILES, LOG, "run.json", "study.resolved.yaml"]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_no_run_wrote_is_overwritten_only_when_forced(folder: Path, name: str) -> None:
    (folder / "out").mkdir()
    (folder / "out" / name).write_text("mine")
    before = _content(folder)
    with pytest.raises(
        UsageProblem, match=r"history of this folder does not list it as it is now\. Overwrite it with --force"
    ):
        _run(folder, "out", _study(), files=FILES)
    assert _content(folder) == before
    _run(folder, "out", _study(), files=FILES, force=True)
    assert ((folder / "out" / name).read_text() == "mine") is False
    _run(folder, "out", _study(), files=FILES)


def test_a_file_that_was_changed_since_the_run_is_no_file_of_it(folder: Path) -> None:
    _run(folder, "out", _study(), files=FILES)
    (folder / "out" / "tidy.csv").write_text("with a remark of mine")
    before = _content(folder)
    with pytest.raises(UsageProblem, match=r"tidy\.csv exists, and the history of this folder does not list it"):
        _run(folder, "out", _study(), files=FILES)
    assert _content(folder) == before
    _run(folder, "out", _study(), files=FILES, force=True)
    assert (folder / "out" / "tidy.csv").read_text() == "tidy.csv"


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_link(folder: Path, name: str, force: bool) -> None:
    _run(folder, "out", _study(), files=FILES)
    mine = folder / "mine.txt"
    mine.write_bytes((folder / "out" / name).read_bytes())
    for target in (mine, folder / "none.txt"):
        (folder / "out" / name).unlink()
        (folder / "out" / name).symlink_to(target)
        before = _content(folder)
        with pytest.raises(UsageProblem, match="is a link"):
            _run(folder, "out", _study(), files=FILES, force=force)
        assert _content(folder) == before


@pytest.mark.parametrize("target", ["mine.txt", "none.txt"])
def test_the_history_beside_the_study_is_not_kept_through_a_link(folder: Path, target: str) -> None:
    (folder / "mine.txt").write_text("")
    (folder / STUDY_LOG).symlink_to(folder / target)
    (said,) = _run(folder, "out", _study(), files=FILES)["remarks"]
    assert "No history could be kept" in said and "it is a link" in said
    assert (folder / "mine.txt").read_text() == "" and not (folder / "none.txt").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_what_is_no_file_stays(folder: Path, name: str, make: Callable[[Path], None]) -> None:
    (folder / "out").mkdir()
    make(folder / "out" / name)
    for force in (False, True):
        with pytest.raises(UsageProblem, match="folder, pipe or device"):
            _run(folder, "out", _study(), files=FILES, force=force)
    assert [path.name for path in (folder / "out").iterdir()] == [name]


@pytest.mark.parametrize("part", ["counts", "outcomes", "gold"])
@pytest.mark.parametrize("name", [*WRITTEN, f"../{STUDY_LOG}"])
def test_inputs_are_never_written(folder: Path, part: str, name: str) -> None:
    """Not by their own names, nor by others, forced or not, nor where an earlier run wrote them."""
    path = f"out/{name}"
    studies = {
        "counts": _study(data={"counts": path}),
        "outcomes": _study(data={"counts": "chats.csv", "outcomes": path}),
        "gold": _study(label_error={"counts": path}),
    }
    _run(folder, "out", _study(), files=FILES)
    before = _content(folder)
    for force in (False, True):
        with pytest.raises(UsageProblem, match="is an input and would be overwritten"):
            _run(folder, "out", studies[part], files=FILES, force=force)
    (folder / "out" / "hard.csv").hardlink_to(folder / "out" / "tidy.csv")
    with pytest.raises(UsageProblem, match=r"tidy\.csv is an input"):
        _run(folder, "out", _study(data={"counts": "out/hard.csv"}), files=FILES, force=True)
    (folder / "out" / "hard.csv").unlink()
    assert _content(folder) == before


def test_an_input_that_an_earlier_run_wrote_stays(folder: Path) -> None:
    _run(folder, "out", _study(), files=["report.md", "chats.csv", "old.csv"])
    _run(folder, "out", _study(data={"counts": "out/chats.csv"}), files=["report.md"])
    assert (folder / "out" / "chats.csv").exists() and not (folder / "out" / "old.csv").exists()


@pytest.mark.parametrize("name", ["study.resolved.yaml", "tidy.csv"])
def test_the_study_file_is_an_input_too(folder: Path, name: str) -> None:
    _run(folder, "out", _study(), files=FILES)
    (folder / "out" / name).write_text(_study().to_yaml())
    before = _content(folder)
    with pytest.raises(UsageProblem, match="is an input and would be overwritten"):
        _run(folder, "out", read_study(folder / "out" / name), files=FILES, force=True)
    assert _content(folder) == before


def test_a_run_that_is_killed_while_it_writes_is_followed_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(folder, "out", _study(), files=[*FILES, "forest_stress.svg"])
    (folder / "out" / "tidy.csv").unlink()
    whole = history.atomic_file

    def killed(path: Path) -> Any:
        if path.name == "tidy.csv":
            raise KeyboardInterrupt
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(history, "atomic_file", killed)
        with pytest.raises(KeyboardInterrupt):
            _run(folder, "out", _study(seed=2), files=FILES)
    assert "seed: 2" in (folder / "out" / "study.resolved.yaml").read_text()
    assert not (folder / "out" / "forest_stress.svg").exists()
    _run(folder, "out", _study(seed=2), files=FILES)
    assert {path.name for path in (folder / "out").iterdir()} == set(WRITTEN)


@pytest.mark.parametrize("name", ["../chats.csv", "sub/file.csv", "/etc/hostname", "link.csv"])
def test_a_forged_history_takes_nothing_from_elsewhere(folder: Path, name: str) -> None:
    out = folder / "out"
    _run(folder, "out", _study(), files=["report.md"])
    (out / "sub").mkdir()
    (out / "sub" / "file.csv").write_text("x")
    (out / "link.csv").symlink_to(folder / "chats.csv")
    (run,) = read_log(out / LOG)[0]
    content = history._hash(out / name) if (out / name).is_file() else ""
    (out / LOG).write_text(json.dumps({**run, "files": {**run["files"], name: content}}) + "\n")
    _run(folder, "out", _study(), files=["report.md"])
    assert (folder / "chats.csv").exists() and (out / "sub" / "file.csv").exists() and (out / "link.csv").is_symlink()


def test_histories_hold_nothing_of_a_chat(folder: Path) -> None:
    (folder / "chats.csv").write_text("conversation_id,rating,counselor_id\nsecret-chat,5,Ann\n")
    _run(folder, "out", _study(), files=["report.md"])
    for path in (folder / STUDY_LOG, folder / "out" / LOG):
        assert "secret-chat" not in path.read_text() and "Ann" not in path.read_text()


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(folder: Path) -> None:
    _run(folder, "out", _study(), files=FILES)
    (folder / "out" / ".tidy.csv-01234567.tmp").write_text("half")
    _run(folder, "out", _study(), files=FILES)
    assert not list((folder / "out").glob(".tidy.csv-*"))
