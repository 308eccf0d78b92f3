"""What is read more than once is refused where it is a pipe, before anything is read or written."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from mi_coder.annotation.codings import read_codings
from mi_coder.corpora.standoff import read_standoff
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.formats import read_conversations
from mi_coder.formats.on_disk import check_on_disk
from mi_coder.report.build import ReportOptions, build_report
from mi_coder.report.seen import checked_errors
from tests.report_chats import write_chats

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
CODES = "conversation_id,index,codes\nc0,1,OQ\n"


@pytest.mark.parametrize(
    "read",
    [
        lambda pipe, chats: evaluate_files(Request(gold=pipe)),
        lambda pipe, chats: evaluate_files(Request(gold=chats, tagged=pipe)),
        lambda pipe, chats: checked_errors(str(pipe), "message"),
        lambda pipe, chats: build_report([str(chats), str(pipe)], ReportOptions(include_text=True)),
        lambda pipe, chats: build_report([str(chats)], ReportOptions(validation=str(pipe))),
        lambda pipe, chats: list(read_standoff(pipe)),
        lambda pipe, chats: list(read_codings(pipe)),
    ],
)
def test_pipes_are_refused(tmp_path: Path, read: Callable[[Path, Path], object]) -> None:
    chats, pipe = write_chats(tmp_path / "t.jsonl", gold=True), tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(
        UsageProblem, match="^" + str(pipe) + r" is not a file on disk, and it is read more than once\."
    ):
        read(pipe, chats)


def test_a_pipe_of_codes_is_told_from_one_of_chats(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_text(CODES))
    writer.start()
    with pytest.raises(UsageProblem, match="pipe is not a file on disk"):
        list(read_codings(pipe))
    writer.join()


def test_files_folders_and_what_is_not_there_are_no_pipes(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    check_on_disk(tmp_path / "a", str(tmp_path), tmp_path / "none")
    with pytest.raises(UsageProblem, match=r"^- is not a file on disk"):
        check_on_disk("-")


def test_a_format_that_nothing_tells_is_named_by_the_ending_or_an_option(tmp_path: Path) -> None:
    (tmp_path / "codes.txt").write_text("so,so\n")
    with pytest.raises(MiCoderError) as refused:
        list(read_conversations(tmp_path / "codes.txt"))
    assert str(refused.value) == (
        f"{tmp_path / 'codes.txt'}: the format cannot be detected from the name or the first bytes. Give the file a "
        "name that ends in .jsonl, .csv, .tsv or .parquet, or name the format with --format where the command has it: "
        "jsonl, csv, tsv, parquet, convokit, chat-text (chat-text for pasted chats)."
    )
