"""Simulated data with a known truth: the recipe, and what R makes of it.

Case known_truth of values.R, one row per conversation.
"""

import numpy as np
import pytest

from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_effects import marginal_effect
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from tests.known_truth import NAMES, SLOPES_BETWEEN, SLOPES_WITHIN, KnownTruth, sim_known
from tests.reference.tables import r_values

TRUTH = np.concatenate([SLOPES_WITHIN, SLOPES_BETWEEN])
# Standard errors from the truth that no estimate of lmer or clmm exceeds on these data.
FURTHEST = 2.1


@pytest.fixture(scope="module")
def known() -> KnownTruth:
    return sim_known()


def test_the_recipe_makes_the_data(known: KnownTruth) -> None:
    data = r_values("known_truth", "data")
    assert known.post.mean() == pytest.approx(data.one("mean_post"), abs=1e-8)
    assert np.bincount(known.rating).tolist() == [0, *data.of("count", list("12345"))] == [0, 436, 546, 858, 1226, 1734]


def test_random_intercept_is_that_of_lmer(known: KnownTruth) -> None:
    lmer = r_values("known_truth", "lmer")
    terms = ["constant", *NAMES, "pre"]
    tau2, sigma2 = lmer.of("variance", ["counselor", "residual"])
    columns = np.column_stack([known.techniques, known.pre])
    fit = fit_random_intercept(known.post, (*NAMES, "pre"), columns, known.counselor)
    assert fit.coefficients == pytest.approx(lmer.of("estimate", terms), abs=1e-6)
    assert fit.se == pytest.approx(lmer.of("se", terms), abs=1e-6)
    assert (fit.tau2, fit.sigma2) == pytest.approx((tau2, sigma2), abs=1e-6)
    assert fit.icc == pytest.approx(tau2 / (tau2 + sigma2), abs=1e-7)
    assert fit.log_likelihood == pytest.approx(lmer.one("log_likelihood"), abs=1e-6)
    assert (fit.rows, fit.clusters) == (4800, 120)
    # A symptom falls where a rating rises.
    assert (abs(fit.coefficients[1:] - [*-TRUTH, 0.7]) <= FURTHEST * fit.se[1:]).all()


def test_proportional_odds_are_those_of_polr(known: KnownTruth) -> None:
    clm, polr = r_values("known_truth", "clm"), r_values("known_truth", "polr")
    fit = fit_ordinal(known.rating, NAMES, known.techniques, known.counselor)
    assert fit.coefficients == pytest.approx(clm.of("estimate", NAMES), abs=1e-6)
    assert fit.coefficients == pytest.approx(polr.of("estimate", NAMES), abs=1e-6)
    assert fit.se == pytest.approx(polr.of("se_clustered", NAMES), abs=1e-6)
    model_se = np.sqrt(np.diag(fit.model_covariance))[: len(NAMES)]
    assert model_se == pytest.approx(clm.of("se", NAMES), abs=1e-6)
    # Errors that take conversations of one counselor for independent are half as large, between counselors.
    assert model_se[3] < 0.5 * fit.se[3]
    assert fit.levels == (1, 2, 3, 4, 5)


def test_marginal_effects(known: KnownTruth) -> None:
    # Delta errors with the clustered covariance of polr.
    of_polr = r_values("known_truth", "marginal_refl_w")
    fit = fit_ordinal(known.rating, NAMES, known.techniques, known.counselor)
    effect = marginal_effect(fit, known.techniques, "refl_w")
    assert effect.effects == pytest.approx(of_polr.of("estimate", list("12345")), abs=1e-7)
    assert effect.se == pytest.approx(of_polr.of("se", list("12345")), abs=1e-7)
    assert effect.expected == pytest.approx(of_polr.one("estimate", "expected"), abs=1e-7)
    assert effect.expected_se == pytest.approx(of_polr.one("se", "expected"), abs=1e-7)


def test_random_cumulative_logit_is_that_of_clmm(known: KnownTruth) -> None:
    clmm = r_values("known_truth", "clmm")
    fit = fit_ordinal_random(known.rating, NAMES, known.techniques, known.counselor)
    assert fit.coefficients == pytest.approx(clmm.of("estimate", NAMES), abs=2e-5)
    assert fit.se == pytest.approx(clmm.of("se", NAMES), abs=2e-6)
    assert fit.sd == pytest.approx(clmm.one("sd"), abs=2e-5)
    assert fit.log_likelihood == pytest.approx(clmm.one("log_likelihood"), abs=1e-6)
    assert (abs(fit.coefficients - TRUTH) <= FURTHEST * fit.se).all()
