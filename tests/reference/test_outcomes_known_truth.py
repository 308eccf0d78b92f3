"""Simulated data with a known truth: the recipe, and what R makes of it.

R 4.2.2, lme4 1.1-31, ordinal 2022.11-16, MASS, sandwich 3.0-2; `d` is the data, one row per conversation.
"""

import numpy as np
import pytest

from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_effects import marginal_effect
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept
from tests.known_truth import NAMES, SLOPES_BETWEEN, SLOPES_WITHIN, KnownTruth, sim_known

TRUTH = np.concatenate([SLOPES_WITHIN, SLOPES_BETWEEN])
# Standard errors from the truth that no estimate of lmer or clmm exceeds on these data.
FURTHEST = 2.1


@pytest.fixture(scope="module")
def known() -> KnownTruth:
    return sim_known()


def test_the_recipe_makes_the_data(known: KnownTruth) -> None:
    assert known.post.mean() == pytest.approx(12.0888, abs=5e-5)
    assert np.bincount(known.rating).tolist() == [0, 436, 546, 858, 1226, 1734]


def test_random_intercept_is_that_of_lmer(known: KnownTruth) -> None:
    # lmer(post ~ refl_w + ques_w + adv_w + refl_b + ques_b + adv_b + pre + (1 | counselor), d, REML = TRUE)
    coefficients = [-0.2915952, -0.1515622, 0.1948406, -0.4833748, -0.2445829, 0.6427264, 0.6989301]
    se = [0.0298655, 0.0296415, 0.0295911, 0.0924902, 0.0834503, 0.0868930, 0.0051502]
    columns = np.column_stack([known.techniques, known.pre])
    fit = fit_random_intercept(known.post, (*NAMES, "pre"), columns, known.counselor)
    assert fit.coefficients[1:] == pytest.approx(coefficients, abs=1e-6)
    assert fit.se[1:] == pytest.approx(se, abs=1e-6)
    assert (fit.tau2, fit.sigma2) == pytest.approx((0.2473957, 4.1462268), abs=1e-6)
    assert fit.icc == pytest.approx(0.2473957 / (0.2473957 + 4.1462268), abs=1e-7)
    assert fit.log_likelihood == pytest.approx(-10312.0679, abs=1e-4)
    assert (fit.rows, fit.clusters) == (4800, 120)
    # A symptom falls where a rating rises.
    assert (abs(fit.coefficients[1:] - [*-TRUTH, 0.7]) <= FURTHEST * fit.se[1:]).all()


def test_proportional_odds_are_those_of_polr(known: KnownTruth) -> None:
    # m <- MASS::polr(factor(rating) ~ refl_w + ques_w + adv_w + refl_b + ques_b + adv_b, d, Hess = TRUE)
    # sqrt(diag(sandwich::vcovCL(m, cluster = ~ counselor, type = "HC1")))
    # polr stops at a relative change of 1e-8 of the deviance: its estimates are off the maximum by up to 3.3e-5.
    coefficients = [0.2784807, 0.0708430, -0.1401428, 0.5562549, 0.2225083, -0.5911656]
    se = [0.0274941, 0.0271944, 0.0268893, 0.0939229, 0.0740954, 0.0768434]
    fit = fit_ordinal(known.rating, NAMES, known.techniques, known.counselor)
    assert fit.coefficients == pytest.approx(coefficients, abs=3.5e-5)
    assert fit.se == pytest.approx(se, abs=2e-6)
    assert fit.model_covariance[3, 3] ** 0.5 == pytest.approx(0.0457, abs=5e-5)
    assert fit.levels == (1, 2, 3, 4, 5)


def test_marginal_effects(known: KnownTruth) -> None:
    # From the fit of polr above; delta errors with its clustered covariance.
    fit = fit_ordinal(known.rating, NAMES, known.techniques, known.counselor)
    effect = marginal_effect(fit, known.techniques, "refl_w")
    assert effect.effects == pytest.approx([-0.022365, -0.020522, -0.018114, 0.001390, 0.059611], abs=6e-6)
    assert effect.se == pytest.approx([0.002597, 0.002018, 0.001787, 0.001311, 0.005711], abs=1e-6)
    assert effect.expected == pytest.approx(0.185862, abs=2e-5)
    assert effect.expected_se == pytest.approx(0.018168, abs=1e-6)


def test_random_cumulative_logit_is_that_of_clmm(known: KnownTruth) -> None:
    # ordinal::clmm(factor(rating) ~ refl_w + ques_w + adv_w + refl_b + ques_b + adv_b + (1 | counselor), d, nAGQ = 10)
    coefficients = [0.2912002, 0.0753142, -0.1458008, 0.5680830, 0.2361248, -0.6255696]
    se = [0.0272507, 0.0268863, 0.0267484, 0.0855310, 0.0769291, 0.0808573]
    fit = fit_ordinal_random(known.rating, NAMES, known.techniques, known.counselor)
    assert fit.coefficients == pytest.approx(coefficients, abs=2e-5)
    assert fit.se == pytest.approx(se, abs=2e-6)
    assert fit.sd == pytest.approx(0.461481, abs=2e-5)
    assert fit.log_likelihood == pytest.approx(-6827.982701, abs=1e-6)
    assert (abs(fit.coefficients - TRUTH) <= FURTHEST * fit.se).all()
