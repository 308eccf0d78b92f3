"""Feedback of clients on single messages (FailedESConv, 987 points in 193 conversations) against strategies used since.

Case F3 of values.R; the data are failed_esconv_feedback_design.csv.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.families import clustered_covariance, fit_family
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from tests.reference.tables import Table, r_values, read_table

NAMES = ["pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev"]
THRESHOLDS = ["1|2", "2|3", "3|4", "4|5"]


@pytest.fixture(scope="module")
def feedback(shared: Path) -> Table:
    return read_table(shared / "reference" / "failed_esconv_feedback_design.csv")


def test_proportional_odds(feedback: Table) -> None:
    clm, polr = r_values("F3", "clm"), r_values("F3", "polr")
    fit = fit_ordinal(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.coefficients == pytest.approx(clm.of("estimate", NAMES), abs=1e-6)
    assert fit.thresholds == pytest.approx(clm.of("estimate", THRESHOLDS), abs=1e-6)
    assert np.sqrt(np.diag(fit.model_covariance)) == pytest.approx(clm.of("se", [*NAMES, *THRESHOLDS]), abs=1e-6)
    assert fit.se == pytest.approx(polr.of("se_clustered", NAMES), abs=1e-6)
    assert fit.threshold_se == pytest.approx(polr.of("se_clustered", THRESHOLDS), abs=1e-6)
    assert fit.log_likelihood == pytest.approx(clm.one("log_likelihood"), abs=1e-6)
    assert fit.clusters == 193


def test_random_cumulative_logit(feedback: Table) -> None:
    clmm = r_values("F3", "clmm")
    fit = fit_ordinal_random(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.coefficients == pytest.approx(clmm.of("estimate", NAMES), abs=3e-5)
    assert fit.se == pytest.approx(clmm.of("se", NAMES), abs=3e-6)
    assert fit.thresholds == pytest.approx(clmm.of("estimate", THRESHOLDS), abs=1e-5)
    assert fit.sd == pytest.approx(clmm.one("sd"), abs=2e-5)
    assert fit.icc == pytest.approx(clmm.one("icc"), abs=5e-6)
    assert fit.log_likelihood == pytest.approx(clmm.one("log_likelihood"), abs=1e-6)


def test_the_default_of_clmm_is_another_model(feedback: Table) -> None:
    # One node (Laplace), by which the sd between conversations comes out too small.
    laplace = r_values("F3", "clmm_laplace")
    fit = fit_ordinal_random(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.sd - laplace.one("sd") > 0.04
    assert fit.log_likelihood - laplace.one("log_likelihood") > 4


def test_random_intercept(feedback: Table) -> None:
    lmer = r_values("F3", "lmer")
    fit = fit_random_intercept(feedback["fb"], NAMES, feedback.matrix(NAMES), feedback["conv"])
    assert fit.coefficients == pytest.approx(lmer.of("estimate", ["constant", *NAMES]), abs=1e-6)
    assert fit.se == pytest.approx(lmer.of("se", ["constant", *NAMES]), abs=1e-6)
    assert (fit.tau2, fit.sigma2) == pytest.approx(tuple(lmer.of("variance", ["conv", "residual"])), abs=1e-6)
    assert fit.log_likelihood == pytest.approx(lmer.one("log_likelihood"), abs=1e-6)


def test_within_and_between(feedback: Table) -> None:
    lmer = r_values("F3", "lmer_mundlak")
    names = [level + letter for level in "wm" for letter in "QSARDPI"] + ["nprev"]
    fit = fit_random_intercept(feedback["fb"], names, feedback.matrix(names), feedback["conv"])
    assert fit.coefficients == pytest.approx(lmer.of("estimate", ["constant", *names]), abs=1e-6)
    assert fit.se == pytest.approx(lmer.of("se", ["constant", *names]), abs=1e-6)
    assert (fit.tau2, fit.sigma2) == pytest.approx(tuple(lmer.of("variance", ["conv", "residual"])), abs=1e-6)
    # Reflections go with better feedback within conversations, and worse between them.
    found = dict(zip(names, fit.coefficients[1:], strict=True))
    assert found["wR"] > 0 > found["mR"]


def test_clustered_least_squares(feedback: Table) -> None:
    ols = r_values("F3", "ols")
    estimate = fit_family("linear", feedback["fb"], NAMES, feedback.matrix(NAMES))
    se = np.sqrt(np.diag(clustered_covariance(estimate, feedback["conv"])))
    assert estimate.coefficients == pytest.approx(ols.of("estimate", NAMES), abs=1e-8)
    assert se == pytest.approx(ols.of("se_clustered", NAMES), abs=1e-8)
