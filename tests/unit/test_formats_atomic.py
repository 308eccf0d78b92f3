"""Files that appear whole or not at all: what stands beside them meanwhile, and with which permissions."""

import os
import stat
import sys
from pathlib import Path

import pytest

from mi_coder.errors import MiCoderError
from mi_coder.formats.atomic import atomic_file, open_private, permissions, remove_left_behind

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_of_the_user_that_ends_in_tmp_is_left_alone(tmp_path: Path) -> None:
    beside = tmp_path / "report.html.tmp"
    beside.write_text("mine")
    with atomic_file(tmp_path / "report.html") as file:
        file.write(b"page")
    assert beside.read_text() == "mine"
    assert (tmp_path / "report.html").read_bytes() == b"page"
    assert names(tmp_path) == ["report.html", "report.html.tmp"]


@POSIX
def test_a_link_that_ends_in_tmp_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "out.csv.tmp").symlink_to(tmp_path / "target")
    with atomic_file(tmp_path / "out.csv") as file:
        file.write(b"a,b\n")
    assert (tmp_path / "target").read_text() == "mine"
    assert (tmp_path / "out.csv.tmp").is_symlink() and not (tmp_path / "out.csv").is_symlink()


def test_two_writers_do_not_mix_and_the_last_wins(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with atomic_file(path) as first:
        first.write(b"1" * 9)
        with atomic_file(path) as second:
            second.write(b"2")
        assert path.read_bytes() == b"2"
        first.write(b"1")
    assert path.read_bytes() == b"1" * 10
    assert names(tmp_path) == ["a"]


def test_a_failure_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    for failure in (ValueError, KeyboardInterrupt):
        with pytest.raises(failure), atomic_file(path) as file:
            file.write(b"half")
            raise failure
    with pytest.raises(MiCoderError, match="a: cannot be written: full"), atomic_file(path):
        raise OSError(28, "full")
    assert path.read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_a_name_that_is_taken_is_refused_and_what_has_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mi_coder.formats.atomic.token_hex", lambda size: "0" * 2 * size)
    (tmp_path / ".a-00000000.tmp").write_text("mine")
    with pytest.raises(MiCoderError, match="a: cannot be written"), atomic_file(tmp_path / "a"):
        pass
    assert (tmp_path / ".a-00000000.tmp").read_text() == "mine"


@POSIX
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        (tmp_path / "plain").write_text("")
        with atomic_file(tmp_path / "a"):
            pass
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(tmp_path / "plain") == 0o666 & ~mask


@POSIX
def test_a_private_file_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch(0o600)
    with atomic_file(path) as file:
        assert {mode(each) for each in tmp_path.iterdir()} == {0o600}
        file.write(b"new")
    assert mode(path) == 0o600


@POSIX
def test_a_file_is_private_until_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    for path in (tmp_path / "new", tmp_path / "old"):
        with atomic_file(path) as file:
            file.write(b"half")
            assert {mode(each) for each in tmp_path.glob(".*")} == {0o600}
        assert mode(path) == mode(tmp_path / "old")


@POSIX
@pytest.mark.parametrize(
    ("there", "texts", "expected"),
    [
        (None, [], 0o640),
        (None, [0o600], 0o600),
        (None, [0o644], 0o640),
        (None, [0o666, 0o604], 0o600),
        (None, [0o444], 0o640),
        (None, [0o000], 0o600),
        (0o600, [0o644], 0o600),
        (0o664, [0o664], 0o664),
        (0o664, [0o640], 0o640),
        (0o400, [0o644], 0o400),
    ],
)
def test_what_holds_a_text_is_no_more_open_than_it(
    tmp_path: Path, there: int | None, texts: list[int], expected: int
) -> None:
    output = tmp_path / "output"
    inputs = [tmp_path / str(number) for number in range(len(texts))]
    for path, bits in [*zip(inputs, texts, strict=True), *([(output, there)] if there is not None else [])]:
        path.touch()
        path.chmod(bits)
    before = os.umask(0o027)
    try:
        assert permissions(output, inputs) == expected
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


@POSIX
def test_a_folder_counts_as_its_files_and_what_is_no_file_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir(0o755)
    (tmp_path / "corpus" / "utterances.jsonl").touch(0o644)
    (tmp_path / "corpus" / "nowhere").symlink_to("missing")
    (tmp_path / "corpus" / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe", 0o600)
    usual = permissions(tmp_path / "new")
    for other in (tmp_path / "corpus", tmp_path / "pipe", Path("-")):
        assert permissions(tmp_path / "new", [other]) == usual
    (tmp_path / "corpus" / "conversations.json").touch(0o600)
    assert permissions(tmp_path / "new", [tmp_path / "corpus"]) == 0o600


@POSIX
def test_a_private_file_is_never_opened_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="link"):
        open_private(tmp_path / "link", "r+b")


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = [".a.b-0123abcd.tmp", ".a.b-ffffffff.tmp"]
    others = ["a.b", "a.b.tmp", ".a.b-1.tmp", ".axb-0123abcd.tmp", ".a.b-0123abcd.tmp.old", ".c-0123abcd.tmp"]
    for name in left + others:
        (tmp_path / name).touch()
    remove_left_behind(tmp_path / "a.b")
    assert names(tmp_path) == sorted(others)
