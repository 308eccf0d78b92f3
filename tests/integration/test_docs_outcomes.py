"""The invented platform of docs/outcomes.md: truth and estimates on the page are those of its own study."""

import math
import re
from pathlib import Path

import pytest

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.codebook import Codebook
from mi_coder.outcomes.information import IN_EFFECT
from mi_coder.outcomes.multiplicity import CLEAR
from mi_coder.outcomes.simulate import EFFECTS, SYMPTOM_EFFECTS
from mi_coder.outcomes.study.spec import read_study
from mi_coder.outcomes.tables import interval_text

PAGE = Path(__file__).parents[2] / "docs" / "outcomes.md"


def test_truth_and_estimates_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert code is not None
    exec(code.group(1), {})
    tidy = read_study(tmp_path / "platform" / "study.yaml").fit().tidy()
    tidy = tidy[tidy["level"] == "within"].set_index(["outcome", "model", "correction", "code"]).sort_index()
    held = {"naive": 0, "ptd": 0}
    for technique in ("OQ", "REF", "AF", "EA", "PR", "SU"):
        cells = [f"{Codebook.load().name_of(technique)} ({technique})"]
        for outcome, model, truth in (
            ("rating", "ordinal", math.exp(EFFECTS.get(technique, 0.0))),
            ("depression", "linear", SYMPTOM_EFFECTS.get(technique, 0.0)),
        ):
            cells.append(f"{truth:.2f}")
            for correction in held:
                row = tidy.loc[(outcome, model, correction, technique)]
                cells.append(interval_text(row["effect"], row["effect_low"], row["effect_high"]))
                held[correction] += row["effect_low"] <= truth <= row["effect_high"]
        assert f"| {' | '.join(cells)} |" in page
    assert held == {"naive": 12, "ptd": 11}
    assert "corrected intervals cover 11 of the 12 true effects, and naive ones all" in page
    gold_only = tidy.loc[("rating", "ordinal", "gold", "EA"), "effect"]
    assert f"gold only: {gold_only:.2f}" in page
    missed = tidy.loc[("rating", "ordinal", "ptd", "EA")]
    assert missed["effect_low"] > math.exp(EFFECTS["EA"])
    assert sum(effect != 0 for effect in SYMPTOM_EFFECTS.values()) == 4
    assert (tidy.loc[("depression", "linear", "ptd"), "q_bh"] >= CLEAR).all()
    assert "Four techniques truly change depression, but no corrected figure is clear" in page
    corrected = tidy.loc[("rating", "ordinal", "ptd")]
    assert (corrected["n_clusters"] == 55).all()
    assert corrected["warnings"].str.contains(IN_EFFECT, regex=False).sum() == 5
    assert "of 55 counselors, but five of the six corrected slopes rest in effect on fewer than 20" in page
