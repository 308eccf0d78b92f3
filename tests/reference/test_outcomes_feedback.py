"""Feedback of clients on single messages (FailedESConv, 987 points in 193 conversations) against strategies used since.

R 4.2.2, lme4 1.1-31, ordinal 2022.11-16, MASS, sandwich 3.0-2; `d` is failed_esconv_feedback_design.csv.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from tests.reference.tables import Table, read_table

NAMES = ["pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev"]


@pytest.fixture(scope="module")
def feedback(shared: Path) -> Table:
    return read_table(shared / "reference" / "failed_esconv_feedback_design.csv")


def test_proportional_odds(feedback: Table) -> None:
    # ordinal::clm(factor(fb) ~ pQ + pS + pA + pR + pD + pP + pI + nprev, data = d)
    coefficients = [-0.0111062, -0.1410019, -0.0891649, -0.1659483, -0.2006934, -0.0495600, 0.0100977, 0.1586679]
    model_se = [0.1432765, 0.1501375, 0.1456752, 0.1674190, 0.1614020, 0.1685172, 0.1989880, 0.1380247]
    # vcovCL(MASS::polr(same formula, d, Hess = TRUE), cluster = ~ conv, type = "HC1")
    clustered_se = [0.1681766, 0.1638452, 0.1587318, 0.1963189, 0.1867461, 0.1713076, 0.2235909, 0.1843544]
    fit = fit_ordinal(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.coefficients == pytest.approx(coefficients, abs=1e-6)
    assert np.sqrt(np.diag(fit.model_covariance))[:8] == pytest.approx(model_se, abs=1e-6)
    assert fit.se == pytest.approx(clustered_se, abs=1e-6)
    assert fit.clusters == 193


def test_random_cumulative_logit(feedback: Table) -> None:
    # ordinal::clmm(factor(fb) ~ pQ + pS + pA + pR + pD + pP + pI + nprev + (1 | conv), data = d, nAGQ = 10)
    coefficients = [0.1077598, -0.1626872, -0.0230200, 0.1224749, -0.2300824, 0.0484155, 0.1695660, 0.2099811]
    se = [0.1830070, 0.1881781, 0.1786381, 0.2095635, 0.1974697, 0.2118211, 0.2432627, 0.1686739]
    fit = fit_ordinal_random(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.coefficients == pytest.approx(coefficients, abs=3e-5)
    assert fit.se == pytest.approx(se, abs=3e-6)
    assert fit.thresholds == pytest.approx([-1.9458642, -0.4122469, 1.5199549, 3.5970527], abs=1e-5)
    assert fit.sd == pytest.approx(2.455971, abs=2e-5)
    assert fit.icc == pytest.approx(0.6471, abs=5e-5)
    assert fit.log_likelihood == pytest.approx(-1331.453306, abs=1e-6)


def test_random_intercept(feedback: Table) -> None:
    # lmer(fb ~ pQ + pS + pA + pR + pD + pP + pI + nprev + (1 | conv), d)
    coefficients = [0.0482386, -0.0826955, -0.0094173, 0.0405012, -0.1178246, 0.0052887, 0.0880463, 0.0884632]
    se = [0.0822509, 0.0850414, 0.0817116, 0.0942119, 0.0917138, 0.0979556, 0.1101614, 0.0756090]
    fit = fit_random_intercept(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.coefficients[1:] == pytest.approx(coefficients, abs=1e-6)
    assert fit.se[1:] == pytest.approx(se, abs=1e-6)
    assert (fit.tau2, fit.sigma2) == pytest.approx((0.9947203, 0.7951963), abs=1e-6)


def test_within_and_between(feedback: Table) -> None:
    # lmer(fb ~ wQ + wS + wA + wR + wD + wP + wI + mQ + mS + mA + mR + mD + mP + mI + nprev + (1 | conv), d)
    names = [level + letter for level in "wm" for letter in "QSARDPI"] + ["nprev"]
    fit = fit_random_intercept(feedback["fb"], names, feedback.matrix(names), feedback["conv"])
    found = dict(zip(names, fit.coefficients[1:], strict=True))
    errors = dict(zip(names, fit.se[1:], strict=True))
    expected = {"wR": 0.0530040, "mR": -0.3503412, "wS": -0.1160307, "mS": 0.4832420, "wP": 0.0494033, "mP": -0.6227666}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    expected_se = {"wR": 0.0966136, "mR": 0.4052175, "wS": 0.0871179, "mS": 0.3801751, "mP": 0.3925690}
    assert {name: errors[name] for name in expected_se} == pytest.approx(expected_se, abs=1e-6)
