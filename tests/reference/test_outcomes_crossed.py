"""Crossed random intercepts and errors of few clusters, against values.csv: what R makes of the same data."""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.cr2 import fit_cr2
from mi_coder.outcomes.crossed import fit_crossed
from tests.known_truth import NAMES, SLOPES_BETWEEN, SLOPES_WITHIN, sim_known
from tests.reference.tables import r_values, read_table

FEEDBACK = ["pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev"]


def test_crossed_intercepts_are_those_of_lmer() -> None:
    # lmer(post ~ refl_w + ques_w + adv_w + refl_b + ques_b + adv_b + pre + (1 | counselor) + (1 | client), d)
    r, terms = r_values("known_truth", "lmer_crossed"), ("constant", *NAMES, "pre")
    known = sim_known()
    columns = np.column_stack([known.techniques, known.pre])
    fit = fit_crossed(known.post, (*NAMES, "pre"), columns, known.counselor, known.client)
    assert fit.coefficients == pytest.approx(r.of("estimate", terms), abs=1e-6)
    assert fit.se == pytest.approx(r.of("se", terms), abs=1e-6)
    variances = (fit.tau2_counselor, fit.tau2_client, fit.sigma2)
    assert variances == pytest.approx(r.of("variance", ("counselor", "client", "residual")), abs=1e-6)
    # lmer stops a little before the maximum.
    assert fit.log_likelihood == pytest.approx(r.one("log_likelihood"), abs=1e-6)
    assert (fit.rows, fit.counselors, fit.clients) == (4800, 120, len(np.unique(known.client)))
    # A symptom falls where a rating rises.
    truth = np.concatenate([-SLOPES_WITHIN, -SLOPES_BETWEEN, [0.7]])
    assert (abs(fit.coefficients[1:] - truth) <= 2.1 * fit.se[1:]).all()


def test_errors_and_degrees_of_freedom_are_those_of_clubsandwich(shared: Path) -> None:
    # coef_test(lm(fb ~ pQ + ... + nprev, d), vcov = "CR2", cluster = d$conv, test = "Satterthwaite")
    r = r_values("F3", "ols_cr2")
    feedback = read_table(shared / "reference" / "failed_esconv_feedback_design.csv")
    fit = fit_cr2(feedback["fb"], FEEDBACK, feedback.matrix(FEEDBACK), feedback["conv"])
    assert fit.coefficients == pytest.approx(r.of("estimate", FEEDBACK), rel=1e-8)
    assert fit.se == pytest.approx(r.of("se", FEEDBACK), rel=1e-8)
    assert fit.df == pytest.approx(r.of("df", FEEDBACK), rel=1e-8)
    assert (fit.rows, fit.clusters) == (987, 193)
