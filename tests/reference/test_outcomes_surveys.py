"""Surveys and ratings of whole conversations: FailedESConv, AnnoMI and MIBot.

R 4.2.2, lme4 1.1-31, ordinal 2022.11-16; `d` is the data named in each test.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.multiplicity import adjust
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from tests.reference.tables import Table, read_table

STRATEGIES = ["sQ", "sS", "sA", "sR", "sD", "sP", "sI", "logn"]


@pytest.fixture(scope="module")
def mibot(shared: Path) -> Table:
    return read_table(shared / "mibot" / "data.csv")


def shares(mibot: Table, *behaviors: str) -> np.ndarray:
    """[conversations, behaviors] in units of ten points."""
    total = sum(mibot[f"AutoMISC_{name}"] for name in ("R", "Q", "MICO", "MIIN", "Other"))
    return np.column_stack([10 * mibot[f"AutoMISC_{name}"] / total for name in behaviors])


def test_distress_after_failed_chats(shared: Path) -> None:
    # ordinal::clm(factor(final) ~ init + sQ + sS + sA + sR + sD + sP + sI + logn, data = d): failed_esconv_design.csv
    table = read_table(shared / "reference" / "failed_esconv_design.csv")
    complete = np.isfinite(table["final"])
    names = ["init", *STRATEGIES]
    fit = fit_ordinal(table["final"][complete], names, table.matrix(names)[complete])
    coefficients = [1.1621228, 0.1203053, -0.1274119, -0.0772085, 0.0036984, -0.2339049, -0.0294667, -0.2542846]
    se = [0.2078888, 0.1541503, 0.1564903, 0.1428953, 0.1865243, 0.2320152, 0.2459183, 0.2417687, 0.6234202]
    assert fit.rows == 142
    assert fit.coefficients == pytest.approx([*coefficients, -1.1352713], abs=1e-6)
    assert fit.se == pytest.approx(se, abs=1e-6)
    assert fit.thresholds == pytest.approx([-2.0452239, -1.0973830, 0.2790324, 2.0286491], abs=1e-6)
    assert fit.log_likelihood == pytest.approx(-176.0431, abs=1e-4)


def test_empathy_of_failed_chats(shared: Path) -> None:
    # ordinal::clm(factor(emp) ~ sQ + sS + sA + sR + sD + sP + sI + logn, data = d): failed_esconv_design.csv
    table = read_table(shared / "reference" / "failed_esconv_design.csv")
    complete = np.isfinite(table["emp"])
    fit = fit_ordinal(table["emp"][complete], STRATEGIES, table.matrix(STRATEGIES)[complete])
    coefficients = [-0.0766155, -0.1583062, -0.3229926, -0.4380046, -0.5493897, 0.2110167, -0.2308406, -0.1933458]
    assert fit.coefficients == pytest.approx(coefficients, abs=1e-6)
    assert fit.se[2:5] == pytest.approx([0.1261321, 0.1679073, 0.2252462], abs=1e-6)
    assert fit.log_likelihood == pytest.approx(-208.5973, abs=1e-4)


def test_quality_of_annomi_sessions_whatever_the_reference(shared: Path) -> None:
    # glm(high ~ s_question + s_therapist_input + s_other + logn, binomial, d): annomi_quality_design.csv
    table = read_table(shared / "reference" / "annomi_quality_design.csv")
    names = ["s_question", "s_therapist_input", "s_other", "logn"]
    fit = fit_ordinal(table["high"], names, table.matrix(names))
    assert -fit.thresholds == pytest.approx([18.8160208], abs=1e-6)
    assert fit.threshold_se == pytest.approx([5.9231151], abs=2e-6)
    assert fit.coefficients == pytest.approx([-1.4411272, -2.3434171, -1.7055901, -0.4590811], abs=1e-6)
    assert fit.se == pytest.approx([0.5080066, 0.5815622, 0.5475857, 0.6096160], abs=1e-6)
    turned = ["s_question", "s_therapist_input", "s_reflection", "logn"]
    other = fit_ordinal(table["high"], turned, table.matrix(turned))
    assert other.coefficients[2] == pytest.approx(-fit.coefficients[2], abs=1e-7)
    assert other.coefficients[:2] == pytest.approx(fit.coefficients[:2] - fit.coefficients[2], abs=1e-7)


def test_reflections_in_annomi(shared: Path) -> None:
    # glmer(refl ~ high + (1 | session), d, binomial, nAGQ = 10): annomi_reflection_design.csv
    table = read_table(shared / "reference" / "annomi_reflection_design.csv")
    fit = fit_ordinal_random(table["refl"], ["high"], table.matrix(["high"]), table["session"])
    assert -fit.thresholds == pytest.approx([-3.051142], abs=2e-5)
    assert fit.threshold_se == pytest.approx([0.3004], abs=5e-6)
    assert fit.coefficients == pytest.approx([2.062436], abs=1e-5)
    assert fit.se == pytest.approx([0.3113054], abs=1e-5)
    assert fit.sd == pytest.approx(0.7706951, abs=5e-6)
    assert fit.log_likelihood == pytest.approx(-2674.21666, abs=1e-5)


def test_confidence_over_time_in_mibot(mibot: Table) -> None:
    # lmer(conf ~ factor(time) + (1 | id), d), and factor(time) * sR; conf is PreRulerConfidence, Post and WeekLater
    confidence = mibot.matrix([f"{time}RulerConfidence" for time in ("Pre", "Post", "WeekLater")])
    time, person = np.tile(np.arange(3), len(confidence)), np.repeat(np.arange(len(confidence)), 3)
    later = np.column_stack([time == 1, time == 2]).astype(float)
    fit = fit_random_intercept(confidence.ravel(), ["t1", "t2"], later, person)
    assert fit.coefficients == pytest.approx([2.8113208, 1.7547170, 1.6603774], abs=1e-6)
    assert fit.se == pytest.approx([0.2373281, 0.2175618, 0.2175618], abs=1e-6)
    assert (fit.tau2, fit.sigma2) == pytest.approx((3.461755, 2.508655), abs=1e-6)
    assert (fit.log_likelihood, fit.icc) == pytest.approx((-684.7639, 0.5798), abs=5e-5)
    reflection = shares(mibot, "R")[person]
    names = ["t1", "t2", "sR", "t1:sR", "t2:sR"]
    both = fit_random_intercept(
        confidence.ravel(), names, np.column_stack([later, reflection, later * reflection]), person
    )
    assert both.coefficients[3:] == pytest.approx([-0.1129626, -0.1892448, -0.0519711], abs=1e-6)
    assert both.se[3:] == pytest.approx([0.2626484, 0.2411256, 0.2411256], abs=1e-6)


def test_a_rating_of_mibot(mibot: Table) -> None:
    # ordinal::clm(factor(CAREQ4) ~ sR + sQ + sMICO + PreRulerReadiness, data = d, subset = CAREQ4 > 0)
    rated = mibot["CAREQ4"] > 0
    columns = np.column_stack([shares(mibot, "R", "Q", "MICO"), mibot["PreRulerReadiness"]])[rated]
    fit = fit_ordinal(mibot["CAREQ4"][rated], ["sR", "sQ", "sMICO", "readiness"], columns)
    assert fit.rows == 105
    assert fit.coefficients == pytest.approx([0.1652934, -0.3534325, 0.4165836, -0.0067441], abs=1e-6)
    assert fit.se == pytest.approx([0.2528155, 0.4839106, 0.3560693, 0.0697333], abs=1e-6)
    assert fit.thresholds == pytest.approx([-2.8877825, -2.0237046, -0.7545521, 0.7459916], abs=1e-6)
    assert fit.log_likelihood == pytest.approx(-135.1545, abs=1e-4)


def test_all_ratings_of_mibot(mibot: Table) -> None:
    # ordinal::clmm(factor(care) ~ sR + sQ + (1 | id), data = d, nAGQ = 10): the ten CARE items, 0 (does not apply) out
    items = mibot.matrix([f"CAREQ{i}" for i in range(1, 11)])
    rated = items.ravel() > 0
    person = np.repeat(np.arange(len(items)), 10)[rated]
    fit = fit_ordinal_random(items.ravel()[rated], ["sR", "sQ"], shares(mibot, "R", "Q")[person], person)
    assert fit.rows == 1053
    assert fit.coefficients == pytest.approx([0.0215626, -0.8485988], abs=5e-6)
    assert fit.se == pytest.approx([0.2223046, 0.5492990], abs=1e-4)
    assert fit.thresholds == pytest.approx([-7.595647, -5.993179, -4.518393, -2.457678], abs=2e-5)
    assert fit.sd == pytest.approx(1.900649, abs=2e-6)
    assert fit.log_likelihood == pytest.approx(-1067.716251, abs=1e-5)


def test_quitting_after_mibot(mibot: Table) -> None:
    # glm(WeekLaterQuitAttempt ~ PreConvoQuitAttempt + PreRulerReadiness + sR + sQ, binomial, d)
    columns = np.column_stack([mibot["PreConvoQuitAttempt"], mibot["PreRulerReadiness"], shares(mibot, "R", "Q")])
    fit = fit_ordinal(mibot["WeekLaterQuitAttempt"], ["before", "readiness", "sR", "sQ"], columns)
    assert -fit.thresholds == pytest.approx([1.3561094], abs=1e-6)
    assert fit.coefficients == pytest.approx([2.0137056, 0.1385741, -0.1379982, -1.0713504], abs=1e-6)
    # Errors of glm differ in the sixth digit, by where its iterations stop.
    assert fit.se == pytest.approx([0.5137521, 0.0927373, 0.2599430, 0.6773483], rel=5e-6)


def test_adjusted_p_values() -> None:
    # p.adjust(p, "BH") of one code at a time against confidence after MIBot
    p = np.array([0.602894, 0.581964, 0.273775, 0.354131, 0.100227])
    q = [0.602894, 0.602894, 0.590218, 0.590218, 0.501135]
    assert adjust(p).q == pytest.approx(q, abs=1e-6)
