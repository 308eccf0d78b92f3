"""The invented platform: what it is asked for, and where it is written."""

from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.simulate import simulate


@pytest.mark.parametrize("gold", [1.2, -0.1, float("nan")])
def test_a_share_of_gold_that_is_none(gold: float) -> None:
    with pytest.raises(
        UsageProblem, match=f"^The share of chats with gold codes is {gold:g}: it must be from 0 to 1.$"
    ):
        simulate(chats=30, counselors=5, gold=gold)


def test_all_chats_or_none_may_have_gold() -> None:
    assert [len(simulate(chats=30, counselors=5, gold=gold).gold) for gold in (0, 1)] == [0, 30]


def test_a_folder_may_be_a_text(tmp_path: Path) -> None:
    simulate(chats=30, counselors=5).write(str(tmp_path / "platform"))
    assert sorted(path.name for path in (tmp_path / "platform").iterdir()) == ["chats.csv", "gold.csv"]
