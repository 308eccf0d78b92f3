"""Folds are equal shares of the groups, and nothing is in two of them."""

import pytest

from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import group_of
from mi_coder.training.fold import Fold


def test_folds_share_out_the_groups() -> None:
    chats = [Conversation(f"c{number}", [], {"source_group": str(number // 2)}) for number in range(2000)]
    folds = [[one for one in chats if Fold(number, 3).holds(one)] for number in (1, 2, 3)]
    assert sorted(one.id for fold in folds for one in fold) == sorted(one.id for one in chats)
    assert sum(len({group_of(one) for one in fold}) for fold in folds) == 1000
    assert all(len(fold) == pytest.approx(667, abs=60) for fold in folds)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/1", "-1/2", "a/b", "1/2/3"])
def test_what_is_no_fold_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Fold.parse(text)
