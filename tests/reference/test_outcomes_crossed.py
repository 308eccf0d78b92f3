"""Crossed random intercepts and errors of few clusters, against what R makes of the same data.

R 4.2.2, lme4 1.1-31, clubSandwich 0.5.8; `d` is the simulated data of tests/known_truth.py, one row per conversation,
and `f` is failed_esconv_feedback_design.csv.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.cr2 import fit_cr2
from mi_coder.outcomes.crossed import fit_crossed
from tests.known_truth import NAMES, SLOPES_BETWEEN, SLOPES_WITHIN, sim_known
from tests.reference.tables import read_table

FEEDBACK = ["pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev"]


def test_crossed_intercepts_are_those_of_lmer() -> None:
    # lmer(post ~ refl_w + ques_w + adv_w + refl_b + ques_b + adv_b + pre + (1 | counselor) + (1 | client), d)
    coefficients = [-0.2918498, -0.1531830, 0.1961074, -0.4859896, -0.2422611, 0.6436008, 0.6988542]
    se = [0.0298372, 0.0296180, 0.0295662, 0.0925772, 0.0835372, 0.0869899, 0.0051462]
    known = sim_known()
    columns = np.column_stack([known.techniques, known.pre])
    fit = fit_crossed(known.post, (*NAMES, "pre"), columns, known.counselor, known.client)
    assert fit.coefficients[1:] == pytest.approx(coefficients, abs=1e-6)
    assert fit.se[1:] == pytest.approx(se, abs=1e-6)
    variances = (fit.tau2_counselor, fit.tau2_client, fit.sigma2)
    assert variances == pytest.approx((0.2482284, 0.0816283, 4.0644376), abs=1e-6)
    assert fit.log_likelihood == pytest.approx(-10310.3303, abs=5e-5)
    assert (fit.rows, fit.counselors, fit.clients) == (4800, 120, len(np.unique(known.client)))
    # A symptom falls where a rating rises.
    truth = np.concatenate([-SLOPES_WITHIN, -SLOPES_BETWEEN, [0.7]])
    assert (abs(fit.coefficients[1:] - truth) <= 2.1 * fit.se[1:]).all()


def test_errors_and_degrees_of_freedom_are_those_of_clubsandwich(shared: Path) -> None:
    # m <- lm(fb ~ pQ + pS + pA + pR + pD + pP + pI + nprev, f)
    # coef_test(m, vcov = "CR2", cluster = f$conv, test = "Satterthwaite")
    expected = {"pQ": (0.1235405, 131.4), "pD": (0.1410964, 94.9), "nprev": (0.1324694, 53.7)}
    feedback = read_table(shared / "reference" / "failed_esconv_feedback_design.csv")
    fit = fit_cr2(feedback["fb"], FEEDBACK, feedback.matrix(FEEDBACK), feedback["conv"])
    found = {name: (se, df) for name, se, df in zip(fit.names, fit.se, fit.df, strict=True)}
    for name, (se, df) in expected.items():
        assert found[name] == (pytest.approx(se, abs=6e-8), pytest.approx(df, abs=0.05))
    named = dict(zip(fit.names, fit.coefficients, strict=True))
    assert (named["pQ"], named["pD"]) == pytest.approx((0.0104649, -0.1483492), abs=6e-8)
    assert (fit.rows, fit.clusters) == (987, 193)
