"""A whole run in one process: resuming, refusing, and kills between any two steps."""

import gzip
import json
import shutil
import stat
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.material.chats import bad_line, write_flat
from mi_coder.batch.counts import Counts
from mi_coder.batch.interrupt import Interrupted, Stop
from mi_coder.batch.options import MaxErrors, TagOptions
from mi_coder.batch.paths import RunPaths
from mi_coder.batch.problems import Refused, Rejected, Remedy, StoppedAtReject
from mi_coder.batch.run import Outcome, tag_file
from mi_coder.cli.advice import advised
from mi_coder.errors import CountMismatch, MiCoderError, TooManyRejects, UsageProblem
from mi_coder.formats import ReadOptions
from mi_coder.tagger.tagger import Tagger
from tests.chats import nested_records, read_jsonl, write_jsonl

OPTIONS = TagOptions(batch_size=8, max_errors=MaxErrors(100, percent=True), checkpoint_seconds=0)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
Files = dict[str, bytes]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_flat(tmp_path / "chats.jsonl", 120, bad_every=13)


def tag(
    source: Path,
    output: Path,
    tagger: Tagger,
    options: TagOptions = OPTIONS,
    on_batch: Callable[[], None] | None = None,
) -> Outcome:
    def progress(reached: int, counts: Counts) -> None:
        if on_batch:
            on_batch()

    return tag_file(RunPaths(str(source), output), tagger, options, progress, Stop())


def files(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Crash(Exception):
    """Ends a run in the middle."""


def crash_at_batch(number: int) -> Callable[[], None]:
    seen = iter(range(1, 1000))

    def on_batch() -> None:
        if next(seen) == number:
            raise Crash

    return on_batch


def test_a_run_writes_output_rejects_and_sidecar(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    outcome = tag(source, tmp_path / "out" / "a.jsonl", tagger)
    assert sorted(files(tmp_path / "out")) == ["a.jsonl", "a.meta.json", "a.rejects.jsonl"]
    tagged, rejects = read_jsonl(tmp_path / "out" / "a.jsonl"), read_jsonl(tmp_path / "out" / "a.rejects.jsonl")
    meta = json.loads((tmp_path / "out" / "a.meta.json").read_bytes())
    assert (outcome.counts.read, outcome.counts.written, outcome.counts.rejected) == (120, len(tagged), len(rejects))
    assert [reject["line"] for reject in rejects] == list(range(13, 120, 13))
    assert set(rejects[0]) == {"source", "line", "byte", "id", "code", "reason"}
    coded = [record for record in tagged if record["role"] == "counselor"]
    assert all("codes" not in record for record in tagged if record["role"] == "client")
    assert all(record["codes"] for record in coded)
    assert meta["counts"]["messages"] == len(coded)
    assert meta["counts"]["codes"]["OT"] == sum("OT" in record["codes"] for record in coded)
    assert meta["codebook"] == tagger.config.codebook
    assert meta["fingerprint"]["model"] == tagger.digests
    assert "config.json" in tagger.digests
    options = meta["fingerprint"]["options"]
    assert options["scores"] == "chosen"
    assert options["thresholds"]["OQ"] == 0.5
    assert options["roles"]["listener"] == "counselor"


def test_nothing_is_rejected_and_an_old_list_of_rejects_goes(tmp_path: Path, tagger: Tagger) -> None:
    tag(write_flat(tmp_path / "chats.jsonl", 20, bad_every=7), tmp_path / "out" / "a.jsonl", tagger)
    assert "a.rejects.jsonl" in files(tmp_path / "out")
    clean = write_flat(tmp_path / "chats.jsonl", 20)
    tag(clean, tmp_path / "out" / "a.jsonl", tagger, replace(OPTIONS, force=True))
    assert sorted(files(tmp_path / "out")) == ["a.jsonl", "a.meta.json"]


def test_batch_size_changes_nothing(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    for size in (1, 8, 64):
        tag(source, tmp_path / str(size) / "a.jsonl", tagger, replace(OPTIONS, batch_size=size))
    assert files(tmp_path / "1") == files(tmp_path / "8") == files(tmp_path / "64")


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_run_goes_on_where_it_stopped(source: Path, tmp_path: Path, tagger: Tagger, name: str, batch: int) -> None:
    tag(source, tmp_path / "whole" / name, tagger)
    output = tmp_path / "broken" / name
    coded = []
    with pytest.raises(Crash):
        tag(source, output, tagger, on_batch=crash_at_batch(batch))
    assert not output.exists()
    outcome = tag(source, output, tagger, on_batch=lambda: coded.append(1))
    assert files(tmp_path / "broken") == files(tmp_path / "whole")
    assert outcome.resumed == (batch > 1)
    assert len(coded) < 10 or batch == 1


def test_the_context_is_there_when_a_run_goes_on_in_the_middle_of_a_conversation(
    tmp_path: Path, tagger: Tagger
) -> None:
    texts = ["zzz", "q", "jazz", "ok", "why?", "box", "hm", "yes", "no", "x"]
    source = write_jsonl(
        tmp_path / "chats.jsonl", [{"conversation_id": "c", "role": "helper", "text": text} for text in texts]
    )
    options = replace(OPTIONS, batch_size=1, scores="all")
    tag(source, tmp_path / "whole.jsonl", tagger, options)
    for batch in range(2, len(texts) + 1):
        output = tmp_path / f"{batch}.jsonl"
        with pytest.raises(Crash):
            tag(source, output, tagger, options, crash_at_batch(batch))
        assert tag(source, output, tagger, options).resumed
        assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_place_in_the_input_that_does_not_fit_is_refused(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    with pytest.raises(Crash):
        tag(source, tmp_path / "a.jsonl", tagger, on_batch=crash_at_batch(3))
    journal = tmp_path / "a.jsonl.journal"
    entry = json.loads(journal.read_bytes())
    for changes in ({"input_byte": entry["input_byte"] + 1}, {"items": 10_000}):
        journal.write_text(json.dumps(entry | changes))
        with pytest.raises(Refused, match=r"chats\.jsonl has changed since the run began") as refused:
            tag(source, tmp_path / "a.jsonl", tagger)
        assert refused.value.remedy is Remedy.RESTART


class Killed(BaseException):
    """The end of a process; no `except` of the run may see it as its own."""


class KillSwitch:
    """Lets the first `steps` changes to names of files happen and none after them, as if the process had ended."""

    def __init__(self, steps: int, patch: pytest.MonkeyPatch) -> None:
        self.left = steps
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, self._stepping(getattr(Path, name)))

    def _stepping(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return real(*args, **options)

        return step


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv"])
@pytest.mark.parametrize("bad_every", [0, 5])
def test_a_kill_between_any_two_steps_does_no_harm(
    tmp_path: Path, tagger: Tagger, name: str, bad_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_flat(tmp_path / "chats.jsonl", 24, bad_every)
    tag(source, tmp_path / "whole" / name, tagger)
    whole = files(tmp_path / "whole")
    assert len(whole) == (3 if bad_every else 2)
    for steps in range(1000):
        folder = tmp_path / str(steps)
        with monkeypatch.context() as patch:
            KillSwitch(steps, patch)
            try:
                tag(source, folder / name, tagger)
                break
            except Killed:
                pass
        tag(source, folder / name, tagger)
        assert files(folder) == whole, f"killed after step {steps}"
    assert steps > 7


def test_a_kill_while_starting_over_leaves_something_to_go_on_from(
    source: Path, tmp_path: Path, tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag(source, tmp_path / "whole" / "a.jsonl", tagger)
    for steps in range(4):
        folder = tmp_path / str(steps)
        with pytest.raises(Crash):
            tag(source, folder / "a.jsonl", tagger, on_batch=crash_at_batch(3))
        with monkeypatch.context() as patch:
            KillSwitch(steps, patch)
            with pytest.raises(Killed):
                tag(source, folder / "a.jsonl", tagger, replace(OPTIONS, resume=False))
        tag(source, folder / "a.jsonl", tagger)
        assert files(folder) == files(tmp_path / "whole"), f"killed after step {steps}"


def test_a_kill_while_writing_over_an_old_output_leaves_one_or_the_other(
    tmp_path: Path, tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_flat(tmp_path / "chats.jsonl", 24, bad_every=5)
    output = tmp_path / "out" / "a.jsonl"
    tag(source, output, tagger)
    old = output.read_bytes()
    forced = replace(OPTIONS, force=True, scores="all")
    tag(source, tmp_path / "whole" / "a.jsonl", tagger, forced)
    new = (tmp_path / "whole" / "a.jsonl").read_bytes()
    assert new != old
    seen = set()
    for steps in range(1000):
        with monkeypatch.context() as patch:
            KillSwitch(steps, patch)
            try:
                tag(source, output, tagger, forced)
                break
            except Killed:
                seen.add(output.read_bytes())
    assert seen == {old, new}
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_finished_output_is_left_alone(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    first = tag(source, tmp_path / "out" / "a.jsonl", tagger)
    before = files(tmp_path / "out")
    second = tag(source, tmp_path / "out" / "a.jsonl", tagger, replace(OPTIONS, batch_size=3))
    assert second == Outcome(first.counts, already_done=True)
    assert files(tmp_path / "out") == before


def test_a_finished_output_with_too_many_rejects_says_so_again(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    strict = replace(OPTIONS, max_errors=MaxErrors(0, percent=False))
    for _ in range(2):
        with pytest.raises(TooManyRejects, match=r"9 of 120 records.*a\.rejects\.jsonl"):
            tag(source, tmp_path / "a.jsonl", tagger, strict)
    assert tag(source, tmp_path / "a.jsonl", tagger).already_done


def changed_input(source: Path) -> TagOptions:
    source.write_bytes(source.read_bytes() + b"\n")
    return OPTIONS


REFUSALS = [
    (changed_input, "the input file"),
    (lambda source: replace(OPTIONS, scores="all"), "the option scores"),
    (lambda source: replace(OPTIONS, read=ReadOptions(duplicates="keep")), "the option duplicates"),
]


@pytest.mark.parametrize(("change", "named"), REFUSALS)
def test_a_finished_output_of_another_kind_is_refused_by_name(
    source: Path, tmp_path: Path, tagger: Tagger, change: Callable[[Path], TagOptions], named: str
) -> None:
    tag(source, tmp_path / "out" / "a.jsonl", tagger)
    before = files(tmp_path / "out")
    options = change(source)
    with pytest.raises(Refused, match=rf"with a difference in: {named}\.") as refused:
        tag(source, tmp_path / "out" / "a.jsonl", tagger, options)
    assert refused.value.remedy is Remedy.REPLACE
    assert files(tmp_path / "out") == before
    tag(source, tmp_path / "out" / "a.jsonl", tagger, replace(options, force=True))
    assert sorted(files(tmp_path / "out")) == sorted(before)


@pytest.mark.parametrize(("change", "named"), REFUSALS)
def test_an_unfinished_run_of_another_kind_is_refused_by_name(
    source: Path, tmp_path: Path, tagger: Tagger, change: Callable[[Path], TagOptions], named: str
) -> None:
    output = tmp_path / "out" / "a.jsonl"
    with pytest.raises(Crash):
        tag(source, output, tagger, on_batch=crash_at_batch(3))
    before = files(tmp_path / "out")
    options = change(source)
    with pytest.raises(Refused, match=rf"differs from this one in: {named}\.") as refused:
        tag(source, output, tagger, options)
    assert refused.value.remedy is Remedy.RESTART
    assert files(tmp_path / "out") == before
    assert not tag(source, output, tagger, replace(options, resume=False)).resumed


def test_another_context_threshold_or_model_is_refused_by_name(
    tiny: Path, source: Path, tmp_path: Path, tagger: Tagger
) -> None:
    tag(source, tmp_path / "a.jsonl", tagger)
    for other, named in (
        (Tagger.load(tiny, context=1), "the option context"),
        (Tagger.load(tiny, threshold=0.7), "the option thresholds"),
    ):
        with pytest.raises(UsageProblem, match=f"difference in: {named}"):
            tag(source, tmp_path / "a.jsonl", other)
    assert tag(source, tmp_path / "a.jsonl", Tagger.load(tiny, threads=2)).already_done


OTHER_VERSIONS = [
    ({"mi-coder": "0.0.9"}, r"\(mi-coder 0\.0\.9, now \S+\)"),
    ({"onnxruntime": "1.2"}, r"\(onnxruntime 1\.2, now \S+\)"),
    (None, r"\(mi-coder unknown, now \S+; onnxruntime unknown, now \S+; tokenizers unknown, now \S+\)"),
]


def say_versions(path: Path, versions: dict[str, str] | None) -> None:
    """Let a journal or sidecar be of other versions, or of one that did not note them."""
    content = json.loads(path.read_bytes())
    assert set(content["fingerprint"]["versions"]) == {"mi-coder", "onnxruntime", "tokenizers"}
    if versions is None:
        del content["fingerprint"]["versions"]
    else:
        content["fingerprint"]["versions"] |= versions
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(("versions", "named"), OTHER_VERSIONS)
def test_an_unfinished_run_of_another_version_is_refused_with_what_to_do(
    source: Path, tmp_path: Path, tagger: Tagger, versions: dict[str, str] | None, named: str
) -> None:
    output = tmp_path / "out" / "a.jsonl"
    with pytest.raises(Crash):
        tag(source, output, tagger, on_batch=crash_at_batch(3))
    say_versions(tmp_path / "out" / "a.jsonl.journal", versions)
    before = files(tmp_path / "out")
    with pytest.raises(
        Refused, match=rf"unfinished run of .*a\.jsonl was started by another version {named}"
    ) as refused:
        tag(source, output, tagger)
    assert advised(refused.value).endswith("Overwrite the output with --force, or choose another with -o.")
    assert files(tmp_path / "out") == before
    assert not tag(source, output, tagger, replace(OPTIONS, force=True)).resumed
    assert sorted(files(tmp_path / "out")) == ["a.jsonl", "a.meta.json", "a.rejects.jsonl"]


@pytest.mark.parametrize("versions", [versions for versions, _ in OTHER_VERSIONS])
def test_a_finished_output_of_another_version_is_done(
    source: Path, tmp_path: Path, tagger: Tagger, versions: dict[str, str] | None
) -> None:
    output = tmp_path / "out" / "a.jsonl"
    tag(source, output, tagger)
    say_versions(tmp_path / "out" / "a.meta.json", versions)
    before = files(tmp_path / "out")
    assert tag(source, output, tagger).already_done
    assert files(tmp_path / "out") == before
    assert not tag(source, output, tagger, replace(OPTIONS, force=True)).already_done


@pytest.mark.parametrize("package", ["mi_coder", "onnxruntime", "tokenizers"])
def test_an_upgrade_is_another_version(
    source: Path, tmp_path: Path, tagger: Tagger, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Crash):
        tag(source, tmp_path / "a.jsonl", tagger, on_batch=crash_at_batch(3))
    monkeypatch.setattr(f"{package}.__version__", "99.0")
    with pytest.raises(Refused, match=r"now 99\.0"):
        tag(source, tmp_path / "a.jsonl", tagger)


def test_a_file_that_no_run_wrote_is_not_overwritten(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    output = tmp_path / "mine.jsonl"
    output.write_text("mine")
    for options in (OPTIONS, replace(OPTIONS, resume=False)):
        with pytest.raises(Refused, match="exists") as refused:
            tag(source, output, tagger, options)
        assert refused.value.remedy is Remedy.REPLACE
        assert output.read_text() == "mine"


def test_a_refusal_without_resume_keeps_the_unfinished_run(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    output = tmp_path / "out" / "a.jsonl"
    tag(source, output, tagger)
    with pytest.raises(Crash):
        tag(source, output, tagger, replace(OPTIONS, force=True), on_batch=crash_at_batch(3))
    before = files(tmp_path / "out")
    with pytest.raises(UsageProblem, match="exists"):
        tag(source, output, tagger, replace(OPTIONS, resume=False))
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("force", [False, True])
def test_two_runs_of_one_output_do_not_meet(source: Path, tmp_path: Path, tagger: Tagger, force: bool) -> None:
    pytest.importorskip("fcntl")
    tag(source, tmp_path / "whole" / "a.jsonl", tagger)
    refused = []

    def second_run() -> None:
        with pytest.raises(UsageProblem, match="Another run is writing"):
            tag(source, tmp_path / "out" / "a.jsonl", tagger, replace(OPTIONS, force=force))
        refused.append(True)

    tag(source, tmp_path / "out" / "a.jsonl", tagger, on_batch=second_run)
    assert refused
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_signal_stops_after_the_batch(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    tag(source, tmp_path / "whole" / "a.jsonl", tagger)
    stop = Stop()
    paths = RunPaths(str(source), tmp_path / "out" / "a.jsonl")
    with pytest.raises(Interrupted, match=r"Stopped after \d+ records") as raised:
        tag_file(paths, tagger, OPTIONS, lambda reached, counts: stop(15, None), stop)
    assert (raised.value.exit_code, raised.value.remedy) == (143, Remedy.RESUME)
    assert not paths.output.exists()
    assert tag(source, paths.output, tagger).resumed
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_on_error_fail_stops_before_the_bad_record_and_can_go_on(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    tag(source, tmp_path / "whole" / "a.jsonl", tagger)
    output = tmp_path / "out" / "a.jsonl"
    rarely = replace(OPTIONS, on_error="fail", batch_size=4, checkpoint_seconds=1e9)
    with pytest.raises(StoppedAtReject, match=r"chats\.jsonl:13: ") as raised:
        tag(source, output, tagger, rarely)
    assert (raised.value.exit_code, raised.value.remedy) == (3, Remedy.SKIP)
    assert json.loads(files(tmp_path / "out")["a.jsonl.journal"])["items"] == 12
    assert not output.exists()
    assert tag(source, output, tagger).resumed
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_an_input_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path, tagger: Tagger) -> None:
    (tmp_path / "notes.xyz").write_text("what is this?")
    (tmp_path / "out").mkdir()
    with pytest.raises(MiCoderError, match="--format"):
        tag(tmp_path / "notes.xyz", tmp_path / "out" / "a.jsonl", tagger)
    assert files(tmp_path / "out") == {}


def test_a_full_disk_is_an_error_to_go_on_from(
    source: Path, tmp_path: Path, tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag(source, tmp_path / "whole" / "a.jsonl", tagger)
    calls = iter(range(1000))

    def fsync(descriptor: int) -> None:
        if next(calls) > 6:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        with pytest.raises(MiCoderError, match="No space left on device"):
            tag(source, tmp_path / "out" / "a.jsonl", tagger)
    tag(source, tmp_path / "out" / "a.jsonl", tagger)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_counts_that_do_not_add_up_end_the_run(
    source: Path, tmp_path: Path, tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counts, "add_record", lambda self: setattr(self, "read", self.read + 1))
    with pytest.raises(CountMismatch):
        tag(source, tmp_path / "a.jsonl", tagger)
    assert not (tmp_path / "a.jsonl").exists()


def test_flat_messages_are_coded_as_in_whole_conversations(tmp_path: Path, tagger: Tagger) -> None:
    nested = write_jsonl(tmp_path / "nested.jsonl", nested_records(20))
    flat = write_flat(tmp_path / "flat.jsonl", 160)
    tag(nested, tmp_path / "n.jsonl", tagger, replace(OPTIONS, scores="all"))
    tag(flat, tmp_path / "f.jsonl", tagger, replace(OPTIONS, scores="all"))
    together = [message for record in read_jsonl(tmp_path / "n.jsonl") for message in record["messages"]]
    apart = read_jsonl(tmp_path / "f.jsonl")
    assert [{**message, "conversation_id": None} for message in together] == [
        {**message, "conversation_id": None} for message in apart
    ]


def test_an_output_format_that_is_not_jsonl_gets_every_field(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    tag(source, tmp_path / "a.jsonl", tagger)
    tag(source, tmp_path / "a.jsonl.gz", tagger)
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == (tmp_path / "a.jsonl").read_bytes()
    tag(source, tmp_path / "a.csv", tagger)
    header = (tmp_path / "a.csv").read_text().partition("\n")[0].split(",")
    assert header[:5] == ["conversation_id", "id", "role", "text", "minute"]
    assert {"codes", "scores", "review"} <= set(header)


@pytest.mark.parametrize("content", [b"", b"\n\n", bad_line(1) + b"\n"])
def test_a_file_without_a_good_record(tmp_path: Path, tagger: Tagger, content: bytes) -> None:
    (tmp_path / "in.jsonl").write_bytes(content)
    outcome = tag(tmp_path / "in.jsonl", tmp_path / "out.jsonl", tagger)
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert outcome.counts.read == outcome.counts.rejected
    assert outcome.counts.blank == content.count(b"\n\n") * 2


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "name", ["a.meta.json", "a.rejects.jsonl", "a.jsonl.part", "a.rejects.jsonl.part", "a.jsonl.lock"]
)
def test_a_file_that_no_run_wrote_beside_the_output_is_left_alone(
    source: Path, tmp_path: Path, tagger: Tagger, name: str, force: bool
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text('{"mine": 1}')
    with pytest.raises(Refused, match=f"{name} exists and was not made by mi-code") as refused:
        tag(source, tmp_path / "out" / "a.jsonl", tagger, replace(OPTIONS, force=force))
    assert refused.value.remedy is Remedy.MOVE
    assert files(tmp_path / "out") == {name: b'{"mine": 1}'}


@POSIX
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz"])
def test_the_output_is_no_more_open_than_its_input(source: Path, tmp_path: Path, tagger: Tagger, name: str) -> None:
    output = tmp_path / "out" / name
    listed = RunPaths("", output).rejects
    source.chmod(0o600)
    tag(source, output, tagger)
    assert {mode(output), mode(listed)} == {0o600}
    output.chmod(0o644)
    tag(source, output, tagger, replace(OPTIONS, force=True))
    assert mode(output) == 0o600
    source.chmod(0o644)
    tag(source, output, tagger, replace(OPTIONS, force=True))
    assert mode(output) == 0o600, "that of the output that was replaced"
    output.unlink()
    listed.unlink()
    tag(source, output, tagger, replace(OPTIONS, force=True))
    (tmp_path / "plain").touch()
    assert {mode(output), mode(listed)} == {0o644 & mode(tmp_path / "plain")}


@POSIX
def test_a_run_that_was_killed_leaves_private_files(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    with pytest.raises(Crash):
        tag(source, tmp_path / "out" / "a.jsonl", tagger, on_batch=crash_at_batch(3))
    left = {path.name: mode(path) for path in (tmp_path / "out").iterdir()}
    assert left == dict.fromkeys(("a.jsonl.part", "a.rejects.jsonl.part", "a.jsonl.journal"), 0o600)


@POSIX
@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    "name", ["a.jsonl.part", "a.rejects.jsonl.part", "a.rejects.jsonl", "a.jsonl.journal", "a.meta.json", "a.jsonl"]
)
def test_a_link_in_the_way_is_refused_and_not_followed(
    tmp_path: Path, tagger: Tagger, name: str, finished: bool
) -> None:
    source = write_flat(tmp_path / "chats.jsonl", 24, bad_every=5)
    output, target = tmp_path / "out" / "a.jsonl", tmp_path / "target"
    with nullcontext() if finished else pytest.raises(Crash):
        tag(source, output, tagger, on_batch=None if finished else crash_at_batch(2))
    (output.parent / name).unlink(missing_ok=True)
    target.write_text("mine")
    (output.parent / name).symlink_to(target)
    before = files(output.parent)
    for force in (False, True):
        with pytest.raises(Refused, match=f"{name} exists and was not made by mi-code") as refused:
            tag(source, output, tagger, replace(OPTIONS, force=force))
        assert refused.value.remedy is Remedy.MOVE
    assert files(output.parent) == before and target.read_text() == "mine"


def test_two_outputs_of_nearly_one_name_have_their_own_sidecars(source: Path, tmp_path: Path, tagger: Tagger) -> None:
    for name in ("a", "a.jsonl"):
        tag(source, tmp_path / name, tagger)
    assert tag(source, tmp_path / "a", tagger).already_done
    assert tag(source, tmp_path / "a.jsonl", tagger).already_done
    assert len(list(tmp_path.glob("a*"))) == 6


@pytest.mark.parametrize("code", ["truncated_file", "corrupt_file"])
def test_a_damaged_input_fails_however_many_errors_are_allowed(tmp_path: Path, tagger: Tagger, code: str) -> None:
    packed = gzip.compress(write_flat(tmp_path / "chats.jsonl", 2000).read_bytes())
    damaged = packed[:-100] if code == "truncated_file" else packed + b"rubbish"
    (tmp_path / "cut.jsonl.gz").write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(Rejected, match=rf"not be read to its end \({code}\)\. The compressed") as rejected:
            tag(tmp_path / "cut.jsonl.gz", tmp_path / "out.jsonl", tagger)
        assert (rejected.value.exit_code, rejected.value.remedy) == (3, None)
    assert 1000 < len(read_jsonl(tmp_path / "out.jsonl")) <= 2000


@pytest.mark.parametrize(
    ("line", "words", "remedy"),
    [
        ('{"conversation_id": "x", "role": "helper", "text": "a", "codes": []}', "already has fields", Remedy.RECODE),
        ("hello", "line is not JSON", None),
        ('{"conversation_id": "x", "role": "helper"}', "text", Remedy.FORMAT),
        ('{"conversation_id": "x", "role": "wizard", "text": "a"}', "not in the table of roles", None),
    ],
)
def test_too_many_rejects_name_the_most_frequent_reason(
    tmp_path: Path, tagger: Tagger, line: str, words: str, remedy: Remedy | None
) -> None:
    lines = [*["[]"] * 2, *[line] * 3]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines))
    with pytest.raises(Rejected, match=f"5 of 5 .*Most frequent is .*, 3 times: .*{words}") as rejected:
        tag(tmp_path / "chats.jsonl", tmp_path / "out.jsonl", tagger, replace(OPTIONS, max_errors=MaxErrors(4, False)))
    assert rejected.value.remedy is remedy


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz"])
def test_conversations_are_no_table_of_messages(tmp_path: Path, tagger: Tagger, name: str) -> None:
    nested = write_jsonl(tmp_path / "nested.jsonl", nested_records(2))
    nested.write_bytes(b"{bad\n" + nested.read_bytes())
    with pytest.raises(Refused, match=r"one conversation a line.*Name the output \.jsonl"):
        tag(nested, tmp_path / "out" / name, tagger)
    assert files(tmp_path / "out") == {}


@pytest.mark.parametrize("finished", [False, True])
def test_a_damaged_journal_beside_a_finished_output(
    source: Path, tmp_path: Path, tagger: Tagger, finished: bool
) -> None:
    output = tmp_path / "a.jsonl"
    if finished:
        tag(source, output, tagger)
    (tmp_path / "a.jsonl.journal").write_bytes(b"{")
    with pytest.raises(Refused, match="is damaged") as refused:
        tag(source, output, tagger)
    assert refused.value.remedy is (Remedy.REPLACE if finished else Remedy.RESTART)
    tag(source, output, tagger, replace(OPTIONS, force=finished, resume=False))
    assert tag(source, output, tagger).already_done


def test_another_calibration_is_another_model(tiny: Path, source: Path, tmp_path: Path, tagger: Tagger) -> None:
    tag(source, tmp_path / "a.jsonl", tagger)
    other = tmp_path / "model"
    shutil.copytree(tiny, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"review_below": 0.2', '"review_below": 0.3'))
    with pytest.raises(Refused, match="difference in: the model"):
        tag(source, tmp_path / "a.jsonl", Tagger.load(other))
