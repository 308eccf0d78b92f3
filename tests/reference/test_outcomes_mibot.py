"""Ratings, confidence and attempts to quit of the 106 smokers who talked with MIBot.

Cases M1 to M5p and single_codes of values.R; the data are mibot/data.csv.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.families import Estimate, clustered_covariance, fit_family
from mi_coder.outcomes.multiplicity import q_values
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from tests.reference.tables import Table, mibot_shares, r_values, read_table

THRESHOLDS = ["1|2", "2|3", "3|4", "4|5"]


@pytest.fixture(scope="module")
def mibot(shared: Path) -> Table:
    return read_table(shared / "mibot" / "data.csv")


def with_constant(estimate: Estimate, outcome: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients [1 + columns] and influences [rows, 1 + columns] of a linear or Poisson model, constant first.

    `Estimate` leaves the constant out. It follows from the rest: the fitted means add up to the outcomes.
    """
    predictor = columns @ estimate.coefficients
    if estimate.family == "poisson":
        constant = np.log(outcome.sum() / np.exp(predictor).sum())
        mean = weight = np.exp(constant + predictor)
    else:
        constant = (outcome - predictor).mean()
        mean, weight = constant + predictor, np.ones(len(outcome))
    first = (outcome - mean) / weight.sum() - estimate.influence @ (weight @ columns / weight.sum())
    return np.append(constant, estimate.coefficients), np.column_stack([first, estimate.influence])


def hc3(influence: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[coefficients] errors of least squares from influences: each row counts as if it had been left out."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(len(columns)), columns]))
    without = influence / (1 - (q**2).sum(axis=1))[:, None]
    return np.sqrt((without**2).sum(axis=0))


@pytest.mark.parametrize(("case", "when"), [("M1", "Post"), ("M1b", "WeekLater")])
def test_confidence_after_mibot(mibot: Table, case: str, when: str) -> None:
    """Least squares; one chat per cluster gives HC1, and HC3 follows from the influences that clustered errors use."""
    ols = r_values(case, "ols")
    names = ["PreRulerConfidence", "sR", "sQ", "sMICO", "logw"]
    shares = mibot_shares(mibot, "R", "Q", "MICO")
    columns = np.column_stack([mibot["PreRulerConfidence"], shares, np.log(mibot["NumWordsCounsellor"])])
    outcome = mibot[f"{when}RulerConfidence"]
    estimate = fit_family("linear", outcome, names, columns)
    coefficients, influence = with_constant(estimate, outcome, columns)
    assert coefficients == pytest.approx(ols.of("estimate", ["constant", *names]), abs=1e-6)
    assert hc3(influence, columns) == pytest.approx(ols.of("se_hc3", ["constant", *names]), abs=1e-6)
    one_each = np.sqrt(np.diag(clustered_covariance(estimate, np.arange(len(outcome)))))
    assert one_each == pytest.approx(ols.of("se_hc1", names), abs=1e-6)


def test_single_codes_and_adjusted_p_values(mibot: Table) -> None:
    """One code at a time with HC3 errors and the normal distribution; `q_values` is p.adjust(p, "BH")."""
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")
    ols = r_values("single_codes", "ols")
    behaviors = ["R", "Q", "MICO", "MIIN", "Other"]
    codes = [f"s{name}" for name in behaviors]
    outcome = mibot["PostRulerConfidence"]
    found = []
    for name in behaviors:
        columns = np.column_stack(
            [mibot["PreRulerConfidence"], mibot_shares(mibot, name), np.log(mibot["NumWordsCounsellor"])]
        )
        estimate = fit_family("linear", outcome, ["before", name, "logw"], columns)
        found.append((estimate.coefficients[1], hc3(estimate.influence, columns)[1]))
    slopes, se = np.array(found).T
    assert slopes == pytest.approx(ols.of("estimate", codes), abs=1e-6)
    assert se == pytest.approx(ols.of("se_hc3", codes), abs=1e-6)
    p = 2 * stats.norm.sf(abs(slopes / se))
    assert p == pytest.approx(ols.of("p_normal", codes), abs=1e-6)
    assert q_values(p) == pytest.approx(ols.of("q_bh_normal", codes), abs=1e-6)
    assert q_values(np.array(ols.of("p", codes))) == pytest.approx(ols.of("q_bh", codes), abs=1e-9)


def test_confidence_over_time(mibot: Table) -> None:
    confidence = mibot.matrix([f"{time}RulerConfidence" for time in ("Pre", "Post", "WeekLater")])
    time, person = np.tile(np.arange(3), len(confidence)), np.repeat(np.arange(len(confidence)), 3)
    later = np.column_stack([time == 1, time == 2]).astype(float)
    share = mibot_shares(mibot, "R")[person]
    names = ["t1", "t2", "sR", "t1:sR", "t2:sR"]
    columns = np.column_stack([later, share, later * share])
    for case, width in (("M2", 2), ("M2b", 5)):
        lmer = r_values(case, "lmer")
        terms = ["constant", *names[:width]]
        fit = fit_random_intercept(confidence.ravel(), names[:width], columns[:, :width], person)
        assert fit.coefficients == pytest.approx(lmer.of("estimate", terms), abs=1e-6)
        assert fit.se == pytest.approx(lmer.of("se", terms), abs=1e-6)
        assert (fit.tau2, fit.sigma2) == pytest.approx(tuple(lmer.of("variance", ["id", "residual"])), abs=1e-6)
        assert fit.log_likelihood == pytest.approx(lmer.one("log_likelihood"), abs=1e-6)
        if case == "M2":
            assert fit.icc == pytest.approx(lmer.one("icc"), abs=1e-6)


def test_a_rating(mibot: Table) -> None:
    clm = r_values("M3", "clm")
    names = ["sR", "sQ", "sMICO", "PreRulerReadiness"]
    rated = mibot["CAREQ4"] > 0
    columns = np.column_stack([mibot_shares(mibot, "R", "Q", "MICO"), mibot["PreRulerReadiness"]])[rated]
    fit = fit_ordinal(mibot["CAREQ4"][rated], names, columns)
    assert fit.rows == 105
    assert fit.coefficients == pytest.approx(clm.of("estimate", names), abs=1e-6)
    assert fit.se == pytest.approx(clm.of("se", names), abs=1e-6)
    assert fit.thresholds == pytest.approx(clm.of("estimate", THRESHOLDS), abs=1e-6)
    assert fit.log_likelihood == pytest.approx(clm.one("log_likelihood"), abs=1e-6)


def test_all_ratings(mibot: Table) -> None:
    # The ten CARE items; 0 (does not apply) is out.
    clmm = r_values("M4", "clmm")
    items = mibot.matrix([f"CAREQ{i}" for i in range(1, 11)])
    rated = items.ravel() > 0
    person = np.repeat(np.arange(len(items)), 10)[rated]
    fit = fit_ordinal_random(items.ravel()[rated], ["sR", "sQ"], mibot_shares(mibot, "R", "Q")[person], person)
    assert fit.rows == clmm.one("rows") == 1053
    assert fit.coefficients == pytest.approx(clmm.of("estimate", ["sR", "sQ"]), abs=5e-6)
    assert fit.se == pytest.approx(clmm.of("se", ["sR", "sQ"]), abs=1e-4)
    assert fit.thresholds == pytest.approx(clmm.of("estimate", THRESHOLDS), abs=2e-5)
    assert fit.sd == pytest.approx(clmm.one("sd"), abs=2e-6)
    assert fit.log_likelihood == pytest.approx(clmm.one("log_likelihood"), abs=1e-5)


def test_quitting(mibot: Table) -> None:
    """The logit, and errors with one chat per cluster, which are HC0 but for the factor n / (n - k)."""
    logit = r_values("M5", "logit")
    names = ["before", "PreRulerReadiness", "sR", "sQ"]
    shares = mibot_shares(mibot, "R", "Q")
    columns = np.column_stack([mibot["PreConvoQuitAttempt"], mibot["PreRulerReadiness"], shares])
    fit = fit_ordinal(mibot["WeekLaterQuitAttempt"], names, columns, clusters=np.arange(len(columns)))
    model_se = np.sqrt(np.diag(fit.model_covariance))
    assert -fit.thresholds == pytest.approx([logit.one("estimate", "constant")], abs=1e-6)
    assert fit.coefficients == pytest.approx(logit.of("estimate", names), abs=1e-6)
    assert model_se == pytest.approx(logit.of("se", [*names, "constant"]), abs=1e-6)
    factor = np.sqrt(1 - 5 / len(columns))
    assert factor * fit.se == pytest.approx(logit.of("se_hc0", names), abs=1e-6)
    assert factor * fit.threshold_se == pytest.approx([logit.one("se_hc0", "constant")], abs=1e-6)


def test_attempts_to_quit(mibot: Table) -> None:
    """The Poisson model; HC0 errors are the influences' squares, added up."""
    poisson = r_values("M5p", "poisson")
    names = ["PreConvoNumQuitAttempts", "PreRulerReadiness", "sR", "sQ"]
    columns = np.column_stack([mibot.matrix(names[:2]), mibot_shares(mibot, "R", "Q")])
    attempts = mibot["WeekLaterNumQuitAttempts"]
    estimate = fit_family("poisson", attempts, names, columns)
    coefficients, influence = with_constant(estimate, attempts, columns)
    assert coefficients == pytest.approx(poisson.of("estimate", ["constant", *names]), abs=1e-6)
    assert np.sqrt((influence**2).sum(axis=0)) == pytest.approx(poisson.of("se_hc0", ["constant", *names]), abs=1e-6)
    assert estimate.dispersion == pytest.approx(poisson.one("dispersion"), abs=1e-6)
