"""The pieces of a run: counts, output fields, limits, paths, lock, journal, part files, context."""

import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mi_coder.batch.counts import Counts
from mi_coder.batch.interrupt import Interrupted, catching_signals
from mi_coder.batch.journal import Fingerprint, Journal, fingerprint_of, read_journal
from mi_coder.batch.lock import exclusive
from mi_coder.batch.meta import read_meta
from mi_coder.batch.options import MaxErrors
from mi_coder.batch.parts import Parts
from mi_coder.batch.paths import RunPaths
from mi_coder.batch.problems import Refused, Remedy
from mi_coder.batch.stream import Coder, ContextTail
from mi_coder.conversation import Coding, Message, SentenceCoding
from mi_coder.errors import CountMismatch, MiCoderError, UsageProblem
from mi_coder.formats import OUTPUT_FIELDS, Record, Reject
from mi_coder.formats.coding import write_coding
from mi_coder.tagger.tagger import Tagger

CODING = Coding(("SU", "OQ"), {"SU": 0.943219, "OQ": 0.6, "GI": 0.1})
REJECT = Reject("in.jsonl", 3, 20, None, "invalid_json", "not JSON", 30)


def message_record(text: str, role: str = "counselor", conversation: str = "c1") -> Record:
    data = {"conversation_id": conversation, "role": role, "text": text}
    return Record("in.jsonl", 1, 0, 10, data, conversation, "message", [Message(role, text)])


class TestFields:
    def test_chosen_scores_are_rounded_and_keep_the_order_of_the_codes(self) -> None:
        data = {"text": "a"}
        write_coding(data, CODING, "chosen")
        assert data == {"text": "a", "codes": ["SU", "OQ"], "scores": {"SU": 0.9432, "OQ": 0.6}}
        assert list(data["scores"]) == ["SU", "OQ"]

    def test_all_scores_or_none(self) -> None:
        data = {}
        write_coding(data, CODING, "all")
        assert data["scores"] == {"SU": 0.9432, "OQ": 0.6, "GI": 0.1}
        write_coding(data, CODING, "none")
        assert data == {"codes": ["SU", "OQ"]}

    def test_an_earlier_coding_goes_whole(self) -> None:
        data = {"a": 1, **dict.fromkeys(OUTPUT_FIELDS, "old"), "b": 2}
        write_coding(data, Coding((), {}, uncoded="empty"), "all")
        assert data == {"a": 1, "b": 2, "codes": [], "uncoded": "empty"}

    def test_attributes_review_and_sentences(self) -> None:
        part = Coding(("REF",), {"REF": 0.8}, depth="complex", review=True)
        data = {}
        write_coding(
            data, Coding(("REF",), {"REF": 0.8}, "complex", "with", True, None, (SentenceCoding(0, 5, part),)), "none"
        )
        assert data == {
            "codes": ["REF"],
            "depth": "complex",
            "permission": "with",
            "review": True,
            "sentences": [{"start": 0, "end": 5, "codes": ["REF"], "depth": "complex", "review": True}],
        }


class TestCounts:
    def test_what_is_read_is_written_or_rejected(self, tiny: Path) -> None:
        counts = Counts()
        counts.add_record()
        counts.add_reject(REJECT)
        counts.add_reject(REJECT)
        job = Tagger.load(tiny).job("hm? " * 100, [])
        counts.add_coding(job, CODING)
        counts.add_coding(job, Coding((), {}, review=True, uncoded="empty"))
        counts.check()
        assert counts == Counts(
            read=3,
            written=1,
            rejected=2,
            rejects={"invalid_json": 2},
            messages=2,
            review=1,
            empty=1,
            truncated=2,
            codes={"SU": 1, "OQ": 1},
        )

    def test_a_difference_has_its_own_exit_code(self) -> None:
        with pytest.raises(CountMismatch, match="3 records were read, but 1 written and 1 rejected") as raised:
            Counts(read=3, written=1, rejected=1).check()
        assert raised.value.exit_code == 4


class TestMaxErrors:
    @pytest.mark.parametrize(
        ("text", "rejected", "read", "exceeded"),
        [
            ("0", 0, 0, False),
            ("0", 1, 1000, True),
            ("25", 25, 30, False),
            ("25", 26, 30_000, True),
            ("1%", 1, 100, False),
            ("1%", 1, 99, True),
            ("1%", 1, 1, True),
            ("0.5%", 5, 1000, False),
            ("0.5%", 6, 1000, True),
            ("100%", 7, 7, False),
        ],
    )
    def test_exceeded(self, text: str, rejected: int, read: int, exceeded: bool) -> None:
        limit = MaxErrors.parse(text)
        assert limit.exceeded(rejected, read) == exceeded
        assert str(limit) == text

    @pytest.mark.parametrize("text", ["", "%", "many", "-1", "-1%", "1.5", "nan%", "inf%", "1%%"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(UsageProblem, match=r"allowed errors"):
            MaxErrors.parse(text)


class TestLock:
    def test_a_second_run_is_refused_and_the_lock_goes_with_the_run(self, tmp_path: Path) -> None:
        pytest.importorskip("fcntl")
        paths = RunPaths("a.jsonl", tmp_path / "out.jsonl")
        with exclusive(paths):
            with pytest.raises(UsageProblem, match="Another run is writing"), exclusive(paths):
                pass
            with exclusive(RunPaths("a.jsonl", tmp_path / "other.jsonl")):
                pass
            assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl.lock"]
        assert not list(tmp_path.iterdir())
        with exclusive(paths):
            pass

    def test_the_lock_file_of_a_killed_run_is_in_nobodys_way(self, tmp_path: Path) -> None:
        paths = RunPaths("a.jsonl", tmp_path / "out.jsonl")
        paths.lock.touch()
        with exclusive(paths):
            pass
        assert not paths.lock.exists()

    def test_a_file_with_the_name_of_the_lock_is_left_alone(self, tmp_path: Path) -> None:
        pytest.importorskip("fcntl")
        paths = RunPaths("a.jsonl", tmp_path / "out.jsonl")
        paths.lock.write_text("mine")
        with pytest.raises(Refused, match=r"out\.jsonl\.lock exists and was not made by mi-code"), exclusive(paths):
            pass
        assert paths.lock.read_text() == "mine"

    def test_it_tells_whether_a_run_was_killed_at_work(self, tmp_path: Path) -> None:
        pytest.importorskip("fcntl")
        paths = RunPaths("a.jsonl", tmp_path / "out.jsonl")
        for _ in range(2):
            with exclusive(paths) as left:
                assert left is False
        paths.lock.touch()
        with exclusive(paths) as left:
            assert left is True

    def test_a_lock_that_was_removed_meanwhile_is_taken_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fcntl = pytest.importorskip("fcntl")
        paths = RunPaths("a.jsonl", tmp_path / "out.jsonl")
        taken = []

        def flock(file: object, operation: int) -> None:
            taken.append(file)
            if len(taken) == 1:
                paths.lock.unlink()

        monkeypatch.setattr(fcntl, "flock", flock)
        with exclusive(paths):
            assert paths.lock.exists()
        assert len(taken) == 2


DEEP = b'{"further": ' + b"[" * 9999 + b"]" * 9999 + b"}"
FINGERPRINT = Fingerprint({"name": "a"}, {"model.onnx": "1"}, {"context": 3, "scores": "all"})


class TestJournal:
    def test_differences_are_named(self) -> None:
        other = Fingerprint({"name": "b"}, {"model.onnx": "2"}, {"context": 4, "unit": "message"})
        assert FINGERPRINT.differences(FINGERPRINT) == []
        assert FINGERPRINT.differences(other) == [
            "the input file",
            "the model",
            "the option context",
            "the option scores",
            "the option unit",
        ]

    def test_no_journal(self, tmp_path: Path) -> None:
        assert read_journal(tmp_path / "journal") is None

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"fingerprint', b"\xff\xfe", b'"\xff"', DEEP])
    def test_a_damaged_journal(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "journal").write_bytes(content)
        with pytest.raises(Refused, match="is damaged") as refused:
            read_journal(tmp_path / "journal")
        assert refused.value.remedy is Remedy.RESTART
        assert read_meta(tmp_path / "journal") is None

    def test_the_fingerprint_sees_name_size_time_and_both_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_bytes(b"x" * 3_000_000)
        os.utime(path, ns=(1, 1))
        first = fingerprint_of(str(path))
        assert first == fingerprint_of(str(path))
        for offset, differs in ((0, True), (2_999_999, True), (1_500_000, False)):
            changed = bytearray(b"x" * 3_000_000)
            changed[offset] = 0
            path.write_bytes(changed)
            os.utime(path, ns=(1, 1))
            assert (fingerprint_of(str(path)) != first) == differs
        path.write_bytes(b"x" * 3_000_000)
        os.utime(path, ns=(1, 2))
        assert fingerprint_of(str(path)) != first

    def test_stdin_a_convokit_folder_and_neither(self, tmp_path: Path) -> None:
        assert fingerprint_of("-") == {"name": "stdin"}
        with pytest.raises(MiCoderError, match=r"no utterances\.jsonl"):
            fingerprint_of(str(tmp_path))
        (tmp_path / "utterances.jsonl").write_bytes(b"{}\n")
        assert fingerprint_of(str(tmp_path))["bytes"] == 3
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "pipe")
            with pytest.raises(UsageProblem, match="mi-code tag - <"):
                fingerprint_of(str(tmp_path / "pipe"))
            os.mkfifo(tmp_path / "speakers.json")
            with pytest.raises(MiCoderError, match=r"speakers\.json is a folder, pipe or device"):
                fingerprint_of(str(tmp_path))

    def test_a_file_name_that_is_not_utf8_can_be_written(self, tmp_path: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl"))
        try:
            path.touch()
        except OSError:
            pytest.skip("this system refuses such names")
        assert msgspec.json.encode(fingerprint_of(str(path)))
        assert Reject(str(path), 1, 0, None, "invalid_json", "not JSON", 1).to_json()


class TestParts:
    @pytest.fixture
    def paths(self, tmp_path: Path) -> RunPaths:
        return RunPaths("in.jsonl", tmp_path / "out.jsonl")

    def test_what_was_written_after_the_checkpoint_is_cut_off(self, paths: RunPaths) -> None:
        parts = Parts(paths, Journal(FINGERPRINT))
        parts.write([message_record("one"), REJECT])
        parts.checkpoint(Journal(FINGERPRINT, items=2))
        good = paths.part.read_bytes(), paths.rejects_part.read_bytes()
        parts.write([message_record("two"), REJECT, message_record("three")])
        parts.close()
        assert len(paths.part.read_bytes()) > len(good[0])

        journal = read_journal(paths.journal)
        assert (journal.items, journal.output_bytes, journal.reject_bytes) == (2, len(good[0]), len(good[1]))
        Parts(paths, journal).close()
        assert (paths.part.read_bytes(), paths.rejects_part.read_bytes()) == good

    def test_writing_goes_on_at_the_checkpoint(self, paths: RunPaths) -> None:
        paths.part.write_bytes(b"one\njunk")
        paths.rejects_part.write_bytes(b"")
        parts = Parts(paths, Journal(FINGERPRINT, output_bytes=4))
        parts.write([message_record("two")])
        parts.close()
        assert paths.part.read_bytes() == b'one\n{"conversation_id":"c1","role":"counselor","text":"two"}\n'

    @pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
    def test_all_that_grows_is_private_even_where_an_older_run_left_it_open(self, paths: RunPaths) -> None:
        for path in (paths.part, paths.rejects_part):
            path.touch(0o644)
        parts = Parts(paths, Journal(FINGERPRINT))
        parts.write([message_record("one"), REJECT])
        parts.checkpoint(Journal(FINGERPRINT, items=2))
        parts.close()
        for path in (paths.part, paths.rejects_part, paths.journal):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    @pytest.mark.skipif(sys.platform == "win32", reason="needs links")
    def test_a_part_is_not_opened_through_a_link(self, paths: RunPaths, tmp_path: Path) -> None:
        (tmp_path / "target").write_text("mine")
        paths.part.symlink_to(tmp_path / "target")
        with pytest.raises(OSError, match="link"):
            Parts(paths, Journal(FINGERPRINT, output_bytes=2))
        Parts(paths, Journal(FINGERPRINT)).close()
        assert (tmp_path / "target").read_text() == "mine"

    @pytest.mark.parametrize("lost", ["output_bytes", "reject_bytes"])
    def test_a_part_that_is_too_short_is_refused(self, paths: RunPaths, lost: str) -> None:
        with pytest.raises(Refused, match="shorter than its journal says") as refused:
            Parts(paths, Journal(FINGERPRINT, **{lost: 1}))
        assert refused.value.remedy is Remedy.RESTART


class TestContextTail:
    def test_it_holds_the_last_messages_of_the_current_conversation(self) -> None:
        tail = ContextTail(2)
        texts = [
            [message.text for message in tail.before(message_record(text, conversation=conversation))]
            for text, conversation in [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "2"), ("f", "2")]
        ]
        assert texts == [[], ["a"], ["a", "b"], ["b", "c"], [], ["e"]]

    def test_it_may_hold_none(self) -> None:
        tail = ContextTail(0)
        tail.before(message_record("a"))
        assert tail.before(message_record("b")) == ()


class TestCoder:
    def test_batches_stay_small_where_only_clients_talk(self, tiny: Path) -> None:
        coder = Coder(Tagger.load(tiny), "none", 2, Counts())
        batches = list(coder.batches(message_record("a", "client") for _ in range(200)))
        assert [len(batch) for batch in batches] == [64, 64, 64, 8]

    def test_a_batch_of_one_holds_nothing_back(self, tiny: Path) -> None:
        coder = Coder(Tagger.load(tiny), "none", 1, Counts())
        items = [message_record("a", "client"), REJECT, message_record("b"), message_record("c", "client")]
        assert [len(batch) for batch in coder.batches(items)] == [1, 1, 1, 1]

    def test_a_rejected_record_keeps_its_place(self, tiny: Path) -> None:
        counts = Counts()
        items = [message_record("a"), REJECT, message_record("b"), REJECT]
        [*done] = Coder(Tagger.load(tiny), "none", 64, counts).batches(items)
        assert [item for batch in done for item in batch] == items
        assert (counts.read, counts.written, counts.rejected) == (4, 2, 2)

    def test_skipping_leaves_the_context_as_coding_does(self, tiny: Path) -> None:
        texts = ["zzz", "qqq", "jazz?", "box", "why?"]
        whole, resumed = [message_record(text) for text in texts], [message_record(text) for text in texts]
        tagger = Tagger.load(tiny)
        list(Coder(tagger, "all", 64, Counts()).batches(whole))
        coder = Coder(tagger, "all", 64, Counts())
        for record in resumed[:3]:
            coder.skip(record)
        coder.skip(REJECT)
        list(coder.batches(resumed[3:]))
        assert [record.data for record in resumed[3:]] == [record.data for record in whole[3:]]


class TestInterrupt:
    def test_the_first_signal_is_remembered_and_the_second_leaves(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with catching_signals() as stop:
            assert stop.signal is None
            signal.raise_signal(signal.SIGTERM)
            assert stop.signal == signal.SIGTERM
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) is before

    def test_a_signal_ends_a_wait_at_once(self) -> None:
        def items() -> Iterator[int]:
            yield 1
            signal.raise_signal(signal.SIGTERM)
            yield 2

        with catching_signals() as stop:
            assert list(stop.until_stopped(items())) == [1]
            assert stop.signal == signal.SIGTERM
        with catching_signals() as stop:
            assert list(stop.until_stopped(iter([1, 2]))) == [1, 2]
            assert stop.wait_for(lambda: 3) == 3
            with pytest.raises(Interrupted) as raised:
                stop.wait_for(lambda: signal.raise_signal(signal.SIGINT))
            assert raised.value.exit_code == 130

    def test_between_waits_a_signal_is_remembered_and_ends_the_next_one(self) -> None:
        """Else input that never comes would hold up a run that was asked to end."""

        def items() -> Iterator[int]:
            yield 1
            pytest.fail("waited for the next item")

        with catching_signals() as stop:
            waiting = stop.until_stopped(items())
            assert next(waiting) == 1
            signal.raise_signal(signal.SIGTERM)
            assert list(waiting) == []
            with pytest.raises(Interrupted):
                stop.wait_for(lambda: pytest.fail("waited"))

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_exit_codes(self, number: int, code: int) -> None:
        assert Interrupted("Stopped.", number).exit_code == code
