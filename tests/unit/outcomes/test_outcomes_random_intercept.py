"""The linear model with a random intercept; values of lmer are in tests/reference."""

import numpy as np
import pytest

from mi_coder.outcomes.families import clustered_covariance, fit_family
from mi_coder.outcomes.random_intercept import RandomIntercept, fit_random_intercept


def sample(seed: int = 1, counselors: int = 60, width: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, columns and counselors with different numbers of conversations."""
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(counselors), random.integers(1, 20, counselors))
    columns = random.normal(size=(len(clusters), width)) * 10.0 ** np.arange(width) + 5
    outcome = 3 + columns @ (0.5 / 10.0 ** np.arange(width)) + random.normal(size=counselors)[clusters]
    return outcome + 2 * random.normal(size=len(clusters)), columns, clusters


def restricted(outcome: np.ndarray, columns: np.ndarray, clusters: np.ndarray, tau2: float, sigma2: float) -> float:
    """The restricted log-likelihood by its definition, with the whole covariance matrix of the rows."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    covariance = sigma2 * np.eye(len(outcome)) + tau2 * (clusters[:, None] == clusters)
    inverse = np.linalg.inv(covariance)
    inner = design.T @ inverse @ design
    residual = outcome - design @ np.linalg.solve(inner, design.T @ inverse @ outcome)
    degrees = len(outcome) - design.shape[1]
    determinants = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(inner)[1]
    return -0.5 * (degrees * np.log(2 * np.pi) + determinants + residual @ inverse @ residual)


def test_it_is_the_greatest_restricted_likelihood() -> None:
    outcome, columns, clusters = sample()
    fit = fit_random_intercept(outcome, ["a", "b", "c"], columns, clusters)
    at = restricted(outcome, columns, clusters, fit.tau2, fit.sigma2)
    assert fit.log_likelihood == pytest.approx(at, abs=1e-8)
    for tau2, sigma2 in ((1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99)):
        assert restricted(outcome, columns, clusters, tau2 * fit.tau2, sigma2 * fit.sigma2) < at
    design = np.column_stack([np.ones(len(outcome)), columns])
    inverse = np.linalg.inv(fit.sigma2 * np.eye(len(outcome)) + fit.tau2 * (clusters[:, None] == clusters))
    covariance = np.linalg.inv(design.T @ inverse @ design)
    assert fit.covariance == pytest.approx(covariance, rel=1e-8)
    assert fit.coefficients == pytest.approx(covariance @ design.T @ inverse @ outcome, rel=1e-8)
    assert fit.se == pytest.approx(np.sqrt(np.diag(covariance)))
    assert fit.icc == fit.tau2 / (fit.tau2 + fit.sigma2)


def test_balanced_means_have_the_variances_of_the_analysis_of_variance() -> None:
    random = np.random.default_rng(2)
    clusters = np.repeat(np.arange(30), 8)
    outcome = random.normal(size=30)[clusters] + random.normal(size=240)
    fit = fit_random_intercept(outcome, [], np.empty((240, 0)), clusters)
    by_cluster = outcome.reshape(30, 8)
    within = by_cluster.var(axis=1, ddof=1).mean()
    assert fit.sigma2 == pytest.approx(within, rel=1e-9)
    assert fit.tau2 == pytest.approx(by_cluster.mean(axis=1).var(ddof=1) - within / 8, rel=1e-9)
    assert fit.coefficients == pytest.approx([outcome.mean()])


def test_mixed_lm_of_statsmodels_agrees() -> None:
    models = pytest.importorskip("statsmodels.api")
    outcome, columns, clusters = sample(seed=3)
    fit = fit_random_intercept(outcome, ["a", "b", "c"], columns, clusters)
    other = models.MixedLM(outcome, models.add_constant(columns), groups=clusters).fit(reml=True)
    assert fit.coefficients == pytest.approx(other.fe_params, abs=1e-5)
    assert fit.se == pytest.approx(other.bse_fe, rel=1e-3)
    assert (fit.tau2, fit.sigma2) == pytest.approx((other.cov_re[0, 0], other.scale), rel=1e-4)
    assert fit.log_likelihood == pytest.approx(other.llf, abs=1e-5)


@pytest.mark.parametrize("tau", [0.02, 0.1, 1, 30, 1000])
def test_small_and_great_variances_are_found(tau: float) -> None:
    random = np.random.default_rng(6)
    clusters = np.repeat(np.arange(400), 50)
    effects = random.normal(size=400)
    effects = tau * (effects - effects.mean()) / effects.std()
    outcome = effects[clusters] + random.normal(size=len(clusters))
    fit = fit_random_intercept(outcome, [], np.empty((len(outcome), 0)), clusters)
    means = outcome.reshape(400, 50).mean(axis=1)
    expected = means.var(ddof=1) - outcome.reshape(400, 50).var(axis=1, ddof=1).mean() / 50
    assert expected > 0
    assert fit.tau2 == pytest.approx(expected, rel=1e-6)


def test_results_cannot_be_changed() -> None:
    outcome, columns, clusters = sample()
    fit = fit_random_intercept(outcome, ["a", "b", "c"], columns, clusters)
    with pytest.raises(AttributeError):
        fit.tau2 = 0.0  # type: ignore[misc]
    assert isinstance(fit, RandomIntercept)


def test_where_slopes_differ_its_intervals_are_too_narrow_and_clustered_ones_are_not() -> None:
    """As docs/outcomes.md says: slopes of standard deviation .3 of the residual one."""
    random = np.random.default_rng(4)
    held = []
    for _ in range(150):
        sizes = np.maximum(3, random.poisson(random.gamma(1.5, 25 / 1.5, 60)))
        clusters = np.repeat(np.arange(60), sizes)
        use = random.normal(size=len(clusters))
        use -= (np.bincount(clusters, use) / sizes)[clusters]
        outcome = random.normal(0, 0.3, 60)[clusters] * use + random.normal(0, 0.4, 60)[clusters]
        outcome += random.normal(size=len(clusters))
        one_slope = fit_random_intercept(outcome, ["use"], use[:, None], clusters)
        linear = fit_family("linear", outcome, ["use"], use[:, None])
        error = clustered_covariance(linear, clusters)[0, 0] ** 0.5
        held.append((abs(one_slope.coefficients[1]) < 1.96 * one_slope.se[1], abs(linear.coefficients[0]) < 2 * error))
    assert 0.55 < np.mean(held, axis=0)[0] < 0.78
    assert 0.9 < np.mean(held, axis=0)[1] <= 1
