"""What may be written: `new_file` and `new_files`."""

import os
from pathlib import Path

import pytest

from mi_coder.cli.target import new_file, new_files, readable
from mi_coder.errors import UsageProblem


def test_a_new_file_gets_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    assert new_file(path, force=False) == path
    assert path.parent.is_dir()
    assert not path.exists()


def test_a_file_that_is_there_needs_force_or_must_be_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(UsageProblem, match=r"exists\. Overwrite it with --force"):
        new_file(path, force=False)
    assert new_file(path, force=True) == path
    assert new_file(path, force=False, ours=lambda found: found == path) == path


def test_an_input_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    (tmp_path / "hard.txt").hardlink_to(path)
    (tmp_path / "here").symlink_to(tmp_path)
    for name in (path, tmp_path / "hard.txt", tmp_path / "here" / "a.txt"):
        with pytest.raises(UsageProblem, match="is an input"):
            new_file(name, force=True, inputs=[path])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_only_regular_files_are_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("elsewhere")
    for name in ("pipe", "link", "."):
        with pytest.raises(UsageProblem, match=r"is a link|is a folder, pipe or device"):
            new_file(tmp_path / name, force=True)
    with pytest.raises(UsageProblem, match="- cannot be used here"):
        new_file(Path("-"), force=True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageProblem, match=r"file/a\.txt cannot be written"):
        new_file(tmp_path / "file" / "a.txt", force=False)


def test_control_characters_of_names_do_not_reach_the_terminal() -> None:
    assert readable("\x1b]0;pwn\x07 \x9b2J\r\x7f\x00") == r"\x1b]0;pwn\x07 \x9b2J\x0d\x7f\x00"
    plain = "Zoë\tand 気分:\n5\xa0% – fine"
    assert readable(plain) == plain


def test_several_files_are_several(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "new" / "b.csv"
    assert new_files([one, None, other], force=False) == [one, other]
    assert other.parent.is_dir()
    one.touch()
    (tmp_path / "hard.csv").hardlink_to(one)
    (tmp_path / "here").symlink_to(tmp_path)
    for name in (one, tmp_path / "hard.csv", tmp_path / "here" / "a.csv", tmp_path / "new" / ".." / "a.csv"):
        with pytest.raises(UsageProblem, match="is named for two of the files to write"):
            new_files([other, one, None, name], force=True)
    with pytest.raises(UsageProblem, match="two of the files"):
        new_files([tmp_path / "no.csv", tmp_path / "here" / "no.csv"], force=False)


def test_each_of_several_files_is_looked_at(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    other.touch()
    with pytest.raises(UsageProblem, match=r"b\.csv exists"):
        new_files([one, other], force=False)
    with pytest.raises(UsageProblem, match=r"b\.csv is an input"):
        new_files([one, other], force=True, inputs=iter([other]))
