"""The file that fixes the parts of the public corpora."""

from pathlib import Path

import pytest

from mi_coder.conversation import Conversation
from mi_coder.corpora.splits import BadSplits, Split, read_splits, render_splits, with_splits
from mi_coder.errors import UsageProblem

ROWS = (Split("esconv", "a", "g1", "train"), Split("esconv", "b", "g1", "train"), Split("annomi", "a", "g2", "test"))


def chat(identity: str, group: str) -> Conversation:
    return Conversation(id=identity, messages=[], extra={"source_group": group})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text(render_splits(ROWS))
    assert read_splits(tmp_path / "splits.csv") == ROWS


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (Split("esconv", "a", "g1", "train"), "conversation_id.*has a row already"),
        (Split("esconv", "c", "g1", "dev"), "part.*a group has only one"),
        (Split("esconv", "c", "g3", "valid"), "part.*train, dev, test"),  # type: ignore[arg-type]
    ],
)
def test_rows_that_cannot_be_are_named_with_their_line(row: Split, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text(render_splits([*ROWS, row]))
    with pytest.raises(UsageProblem, match=rf"splits\.csv.*5.*{problem}"):
        read_splits(path)


def test_every_conversation_gets_its_part() -> None:
    placed = list(with_splits([chat("b", "g1"), chat("a", "g1")], ROWS[:2]))
    assert [one.extra["split"] for one in placed] == ["train", "train"]


@pytest.mark.parametrize("stranger", [chat("c", "g1"), chat("a", "other")])
def test_a_conversation_of_another_release_is_refused(stranger: Conversation) -> None:
    with pytest.raises(BadSplits, match=r"tools/splits\.py"):
        list(with_splits([stranger], ROWS[:2]))
