"""Agreement of the ten raters of AnnoMI on the four transcripts of the shared subset that all of them coded."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from mi_coder.annotation.coefficients import alpha

# Krippendorff's alpha, nominal, of this subset (four of the seven ten-rater transcripts of the release).
ALPHAS = {
    ("therapist", "main_therapist_behaviour"): 0.737,
    ("therapist", "question_exists"): 0.864,
    ("therapist", "question_subtype"): 0.759,
    ("therapist", "reflection_exists"): 0.678,
    ("therapist", "reflection_subtype"): 0.498,
    ("therapist", "therapist_input_exists"): 0.635,
    ("therapist", "therapist_input_subtype"): 0.499,
    ("client", "client_talk_type"): 0.434,
}

Row = Mapping[str, str]


@pytest.fixture(scope="module")
def rated(shared: Path) -> list[Sequence[Row]]:
    """The ratings of each utterance with more than one."""
    path = shared / "annomi" / "annomi_full_subset.csv"
    if not path.is_file():
        pytest.skip("AnnoMI is not in the folder of corpora")
    utterances: dict[tuple[str, str], list[Row]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            utterances[row["transcript_id"], row["utterance_id"]].append(row)
    return [rows for rows in utterances.values() if len(rows) > 1]


@pytest.mark.parametrize(("who", "column"), ALPHAS)
def test_alpha_of_the_ten_raters(rated: list[Sequence[Row]], who: str, column: str) -> None:
    units = [[row[column] for row in rows] for rows in rated if rows[0]["interlocutor"] == who]
    assert {len(unit) for unit in units} == {10}
    values = sorted({value for unit in units for value in unit})
    counts = np.array([[unit.count(value) for value in values] for unit in units], dtype=float)
    assert alpha(counts) == pytest.approx(ALPHAS[who, column], abs=1e-3)
