"""Much MI-consistent talk of MIBot (above the median) against the change of confidence, by a matched comparison.

Case matching of values.R, which matches in base R; the data are mibot/data.csv.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.balance import balance
from mi_coder.outcomes.match_effect import matched_effect, regression_effect
from mi_coder.outcomes.matching import Pairs, match_pairs
from mi_coder.outcomes.propensity import Propensity, fit_propensity
from mi_coder.outcomes.sensitivity import e_value, pair_differences, rosenbaum_bounds
from tests.reference.tables import Table, mibot_shares, r_values, read_table

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

NAMES = [
    *("PreRulerImportance", "PreRulerConfidence", "PreRulerReadiness"),
    *("HeavinessOfSmokingIndex", "before", "DailyNum"),
]


@pytest.fixture(scope="module")
def mibot(shared: Path) -> Table:
    table = read_table(shared / "mibot" / "data.csv")
    return Table({**table.columns, "before": table.columns["PreConvoQuitAttempt"]})


@pytest.fixture(scope="module")
def covariates(mibot: Table) -> np.ndarray:
    return mibot.matrix(NAMES)


@pytest.fixture(scope="module")
def treated(mibot: Table) -> np.ndarray:
    share = mibot_shares(mibot, "MICO")[:, 0]
    return share > np.median(share)


@pytest.fixture(scope="module")
def change(mibot: Table) -> np.ndarray:
    return mibot["PostRulerConfidence"] - mibot["PreRulerConfidence"]


@pytest.fixture(scope="module")
def score(covariates: np.ndarray, treated: np.ndarray) -> Propensity:
    return fit_propensity(NAMES, covariates, treated)


@pytest.fixture(scope="module")
def pairs(score: Propensity, treated: np.ndarray) -> Pairs:
    return match_pairs(score.logit, treated)


def test_propensity_and_pairs(score: Propensity, pairs: Pairs, treated: np.ndarray, change: np.ndarray) -> None:
    propensity, greedy = r_values("matching", "propensity"), r_values("matching", "greedy_logit")
    assert treated.sum() == propensity.one("treated")
    assert score.coefficients == pytest.approx(propensity.of("estimate", ["constant", *NAMES]), abs=1e-6)
    assert len(pairs) == greedy.one("pairs") == 39
    assert pairs.caliper == pytest.approx(greedy.one("caliper"), abs=1e-6)
    differences = pair_differences(change, pairs)
    assert differences.mean() == pytest.approx(greedy.one("mean_difference"), abs=1e-9)
    assert differences.std(ddof=1) / len(pairs) ** 0.5 == pytest.approx(greedy.one("se_paired"), abs=1e-9)


def test_the_scale_of_the_score_changes_the_pairs(score: Propensity, treated: np.ndarray, change: np.ndarray) -> None:
    greedy = r_values("matching", "greedy_probability")
    pairs = match_pairs(score.score, treated)
    assert len(pairs) == greedy.one("pairs") == 40
    assert pair_differences(change, pairs).mean() == pytest.approx(greedy.one("mean_difference"), abs=1e-9)


def test_effects(pairs: Pairs, covariates: np.ndarray, treated: np.ndarray, change: np.ndarray) -> None:
    plain = matched_effect(change, pairs)
    adjusted = matched_effect(change, pairs, NAMES, covariates)
    of_all = regression_effect(change, treated, NAMES, covariates)
    for model, effect, error in (
        ("matched", plain, "se_clustered"),
        ("matched_adjusted", adjusted, "se_clustered"),
        ("regression", of_all, "se_hc3"),
    ):
        values = r_values("matching", model)
        assert effect.estimate == pytest.approx(values.one("estimate", "treated"), abs=1e-8), model
        assert effect.se == pytest.approx(values.one(error, "treated"), abs=1e-8), model
    strength = e_value(adjusted, float(change.std(ddof=1)))
    assert strength.d == pytest.approx(r_values("matching", "matched_adjusted").one("d"), abs=1e-8)
    assert strength.estimate == pytest.approx(r_values("matching", "matched_adjusted").one("e_value"), abs=1e-8)


def test_balance_and_bounds(pairs: Pairs, covariates: np.ndarray, treated: np.ndarray, change: np.ndarray) -> None:
    values = r_values("matching", "balance")
    result = balance(NAMES, covariates, treated, pairs.weights(len(treated)))
    assert [row.before.smd for row in result.covariates] == pytest.approx(values.of("smd_before", NAMES), abs=1e-9)
    assert [row.after.smd for row in result.covariates] == pytest.approx(values.of("smd_after", NAMES), abs=1e-9)
    assert result.failing == ("PreRulerImportance", "before")
    stored = r_values("matching", "rosenbaum")
    bounds = rosenbaum_bounds(pair_differences(change, pairs), (1, 1.5, 2))
    assert [bound.low for bound in bounds] == pytest.approx(stored.of("p_low", ["1", "1.5", "2"]), abs=1e-9)
    assert [bound.high for bound in bounds] == pytest.approx(stored.of("p_high", ["1", "1.5", "2"]), abs=1e-9)
