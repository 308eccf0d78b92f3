"""The level of intervals follows the study in every table and picture, and merged codes keep their own name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("statsmodels")

from scipy import stats

from mi_coder.outcomes.simulate import simulate
from mi_coder.outcomes.study.chats import Chats, read_chats
from mi_coder.outcomes.study.document import Table
from mi_coder.outcomes.study.experience import OWN_ADJUSTMENT, run_experience
from mi_coder.outcomes.study.experience_writing import experience_document
from mi_coder.outcomes.study.match import Matched, run_matching
from mi_coder.outcomes.study.match_writing import matched_document
from mi_coder.outcomes.study.run import run_study
from mi_coder.outcomes.study.spec import Data, Study, study_of
from mi_coder.outcomes.study.writing import write_result

RATING = {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5], "models": ["ordinal"]}
SYMPTOM = {"name": "mood", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "phq9_post"}
HALF_AS_WIDE = 0.67448975 / 1.95996398


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Chats:
    folder = tmp_path_factory.mktemp("platform")
    simulate(chats=800, counselors=50, seed=3).write(folder)
    return read_chats(Data(counts="chats.csv"), folder)


def study(outcome: dict[str, Any], **keys: Any) -> Study:
    given = {
        "data": {"counts": "chats.csv", "counselor": "counselor_id", "client": "client_id"},
        "outcomes": [outcome],
        "techniques": {"codes": ["REF", "EA"]},
    }
    return study_of(given | keys)


def widths(frame: pd.DataFrame, low: str = "ci_low", high: str = "ci_high") -> np.ndarray:
    return (frame[high] - frame[low]).to_numpy()


def test_bands_of_predicted_ratings(chats: Chats) -> None:
    tables = [run_study(study(RATING, inference={"alpha": alpha}), chats=chats).tables for alpha in (0.05, 0.5)]
    wide, narrow = (each["predicted: rating"] for each in tables)
    inside = (wide["low"] > 0) & (wide["high"] < 1)
    assert inside.sum() > 50
    clusters = chats.frame.loc[chats.frame["rating"].notna(), "counselor_id"].nunique()
    degrees = tables[0]["marginal effects: rating"].groupby("term")["df"].first()
    assert (degrees <= clusters - 1).all() and degrees["EA (between)"] < 20
    df = wide["term"].map(degrees).to_numpy()
    ratio = (stats.t.ppf(0.75, df) / stats.t.ppf(0.975, df))[inside]
    assert widths(narrow, "low", "high")[inside] == pytest.approx(ratio * widths(wide, "low", "high")[inside])


def matched(chats: Chats, alpha: float) -> Matched:
    matching = {"technique": "EA", "high": "any", "covariates": ["phq9_pre", "client_age"], "placebo": "client_age"}
    return run_matching(study(SYMPTOM, matching=matching, inference={"alpha": alpha}), chats=chats)


def test_matched_effects_and_their_caption(chats: Chats) -> None:
    wide, narrow = matched(chats, 0.05), matched(chats, 0.5)
    for one, other in zip(wide.effects, narrow.effects, strict=True):
        ratio = stats.t.ppf(0.75, one.df) / stats.t.ppf(0.975, one.df)
        assert other.high - other.low == pytest.approx(ratio * (one.high - one.low))
    assert wide.random_effects is not None and narrow.random_effects is not None
    assert widths(narrow.random_effects) == pytest.approx(HALF_AS_WIDE * widths(wide.random_effects), rel=0.05)
    captions = [matched_document(each).sections[0].parts[0].caption for each in (wide, narrow)]
    assert captions == [f"Treated minus untreated, with {level}% intervals" for level in (95, 50)]


def test_experience_says_its_level_and_its_own_adjustment(chats: Chats) -> None:
    plain = run_experience(study(RATING, experience={"time": "started_at"}), chats=chats)
    changed = {"alpha": 0.2, "adjust": "none"}
    other = run_experience(study(RATING, experience={"time": "started_at"}, inference=changed), chats=chats)
    for each, level in ((plain, "95% intervals"), (other, "80% intervals")):
        tables = [part for section in experience_document(each).sections for part in section.parts]
        captions = [part.caption for part in tables if isinstance(part, Table)]
        assert len(captions) >= 2 and all(caption.endswith(level) for caption in captions)
    assert plain.tenure is not None and other.tenure is not None
    inside = (plain.tenure["low"] > 0) & (plain.tenure["counselors"] > 20)
    ratio = widths(other.tenure[inside], "low", "high") / widths(plain.tenure[inside], "low", "high")
    assert len(ratio) >= 4 and ratio == pytest.approx(1.2816 / 1.96, abs=0.02)
    assert OWN_ADJUSTMENT in other.notes and OWN_ADJUSTMENT not in plain.notes


def test_tables_of_ratings_say_their_level(chats: Chats, tmp_path: Path) -> None:
    (tmp_path / "chats.csv").touch()
    write_result(run_study(study(RATING, inference={"alpha": 0.2}), chats=chats), tmp_path, tmp_path / "out")
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert report.count("80% intervals") >= 3 and "95% intervals" not in report


def test_merged_codes_named_like_a_code_keep_their_own_name(chats: Chats) -> None:
    techniques = {"codes": ["affirm", "PR"], "merge": {"affirm": ["AF", "SU"]}}
    result = run_study(study(RATING, techniques=techniques), chats=chats)
    text = result.summary()
    assert "affirm" in text and "Affirm" not in text
    assert "Persuade" in text
