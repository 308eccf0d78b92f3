"""The table of a model card is read back as it was written."""

from pathlib import Path

import pytest

from mi_coder.evaluation.card import CARD_FILE, read_card
from mi_coder.tagger.model import BUNDLED
from tests.model_cards import card, made


def test_a_card_that_was_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(card(made("esconv", 6)), encoding="utf-8")
    found = read_card(tmp_path)
    assert found is not None and found.title == "tiny 1 on the test part"
    first, second = found.rows
    assert (first.code, first.support, first.precision, first.recall) == ("OQ", 30, 0.5, 1.0)
    assert (first.f1.value, first.baseline_f1, first.people, first.few) == (0.667, 0.667, 0.95, False)
    assert (first.f1.low, first.f1.high) == (0.667, 0.667)
    assert (second.code, second.f1.value, second.precision != second.precision) == ("SU", 0.0, True)


def test_the_card_of_the_bundled_model_tells_of_every_code() -> None:
    found = read_card(BUNDLED)
    assert found is not None and len(found.rows) > 15 and "on the test part" in found.title
    assert all(row.support > 0 and row.few == (row.support < 20) for row in found.rows)
    assert any(row.f1.low < row.f1.value < row.f1.high for row in found.rows)
    assert all(row.f1.low <= row.f1.value <= row.f1.high for row in found.rows)


@pytest.mark.parametrize(
    "text", [None, "", "# mine 1\n\nA model.\n", "### mine 1 on the dev part\n\n| code |\n| --- |\n"]
)
def test_a_folder_without_such_a_table(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / CARD_FILE).write_text(text)
    assert read_card(tmp_path) is None
