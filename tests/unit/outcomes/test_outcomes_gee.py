"""Generalized estimating equations; values of geepack are in tests/reference."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.gee import fit_gee
from mi_coder.outcomes.guards import ConstantColumn, ExactFit, ModelProblem, Separation, TooFewClusters

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

NAMES = ("affirm", "minutes")


def sample(family: str, seed: int = 1, counselors: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, columns on two scales, counselors in mixed order with different numbers of conversations."""
    random = np.random.default_rng(seed)
    clusters = random.permutation(np.repeat(np.arange(counselors), random.integers(2, 20, counselors)))
    standard = random.normal(size=(len(clusters), 2))
    latent = standard @ [0.5, -0.8] + random.normal(size=counselors)[clusters] + random.logistic(size=len(clusters))
    return latent if family == "linear" else 1.0 + (latent > 0.5), standard * [1, 3000] + [0, 9000], clusters


def by_definition(fit, outcome: np.ndarray, columns: np.ndarray, clusters: np.ndarray):
    """The sum of the estimating equations and the covariance of the estimates, with whole matrices per cluster."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    mean = design @ fit.coefficients
    slope, variance = np.ones(len(mean)), np.ones(len(mean))
    if fit.family == "logit":
        mean = 1 / (1 + np.exp(-mean))
        outcome = outcome == fit.levels[1]
        slope = variance = mean * (1 - mean)
    parts = []
    for label in np.unique(clusters):
        own = clusters == label
        shared = np.full((own.sum(), own.sum()), fit.correlation)
        np.fill_diagonal(shared, 1)
        root = np.sqrt(variance[own])
        inverse = np.linalg.inv(shared * np.outer(root, root))
        parts.append((design[own] * slope[own, None], inverse, (outcome - mean)[own]))
    bread = np.linalg.inv(sum(d.T @ inverse @ d for d, inverse, _ in parts))
    meat = np.zeros_like(bread)
    for d, inverse, residual in parts:
        if fit.covariance_kind == "bias_reduced":
            residual = np.linalg.solve(np.eye(len(residual)) - d @ bread @ d.T @ inverse, residual)
        meat += np.outer(score := d.T @ inverse @ residual, score)
    return bread @ sum(d.T @ inverse @ residual for d, inverse, residual in parts), bread @ meat @ bread


@pytest.mark.parametrize("counselors", [30, 49, 50])
@pytest.mark.parametrize("family", ["linear", "logit"])
def test_it_solves_the_equations_and_errors_are_the_sandwich(family, counselors: int) -> None:
    outcome, columns, clusters = sample(family, counselors=counselors)
    fit = fit_gee(family, outcome, NAMES, columns, clusters)
    assert fit.covariance_kind == ("bias_reduced" if counselors < 50 else "robust")
    assert (fit.df, fit.clusters, fit.rows) == (counselors - 1, counselors, len(outcome))
    assert 0.02 < fit.correlation < 0.6
    step, covariance = by_definition(fit, outcome, columns, clusters)
    assert step / fit.se == pytest.approx([0, 0, 0], abs=1e-5)
    scale = np.outer(fit.se, fit.se)
    assert fit.covariance / scale == pytest.approx(covariance / scale, abs=1e-5)


def test_errors_corrected_for_bias_are_greater() -> None:
    outcome, columns, clusters = sample("logit", counselors=12)
    fit = fit_gee("logit", outcome, NAMES, columns, clusters)
    plain = by_definition(replace(fit, covariance_kind="robust"), outcome, columns, clusters)[1]
    assert (fit.se > 1.03 * np.sqrt(np.diag(plain))).all()


@pytest.mark.parametrize("family", ["linear", "logit"])
def test_one_large_cluster_takes_no_matrix_of_its_rows(family: str) -> None:
    outcome, columns, _ = (np.concatenate([each] * 10) for each in sample(family))
    clusters = np.where(np.arange(len(outcome)) % 10, 0, np.arange(len(outcome)) % 7)
    few = sample(family, counselors=20)
    fit_gee(family, few[0], NAMES, *few[1:])  # so that no import is measured
    tracemalloc.start()
    fit = fit_gee(family, outcome, NAMES, columns, clusters, working="independence")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    largest = np.bincount(clusters).max()
    assert fit.covariance_kind == "bias_reduced"
    assert largest > 5000
    assert peak < 8 * largest**2 / 10


def test_order_labels_and_units_do_not_matter() -> None:
    outcome, columns, clusters = sample("logit")
    fit = fit_gee("logit", outcome, NAMES, columns, clusters)
    order = np.random.default_rng(0).permutation(len(outcome))
    other = fit_gee("logit", outcome[order], NAMES, columns[order] / [1, 60], [f"c{i}" for i in clusters[order]])
    assert other.coefficients == pytest.approx(fit.coefficients * [1, 1, 60], rel=1e-6)
    assert other.se == pytest.approx(fit.se * [1, 1, 60], rel=1e-6)
    assert other.correlation == pytest.approx(fit.correlation, rel=1e-6)
    assert fit.levels == (1, 2)


def test_what_cannot_be_fitted() -> None:
    outcome, columns, clusters = sample("logit")
    with pytest.raises(ModelProblem, match=r"two levels, but this one has 3: cut it in two"):
        fit_gee("logit", outcome + (columns[:, 0] > 1), NAMES, columns, clusters)
    with pytest.raises(Separation, match="'affirm' rises"):
        fit_gee("logit", outcome, NAMES, np.column_stack([outcome, columns[:, 1]]), clusters)
    together = np.column_stack([columns[:, 1] / 3000 + outcome, columns[:, 1]])
    with pytest.raises(Separation, match="'affirm', 'minutes' together"):
        fit_gee("logit", outcome, NAMES, together, clusters)
    with pytest.raises(ConstantColumn, match="'affirm' never varies"):
        fit_gee("linear", outcome, NAMES, columns * [0, 1], clusters)
    with pytest.raises(ExactFit, match="follows exactly"):
        fit_gee("linear", columns @ [1, 2], NAMES, columns, clusters)
    with pytest.raises(TooFewClusters, match="3 clusters"):
        fit_gee("linear", outcome, NAMES, columns, clusters % 3)
    with pytest.raises(UsageProblem, match="no family 'poisson' here: it is one of linear, logit"):
        fit_gee("poisson", outcome, NAMES, columns, clusters)  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="no working correlation 'ar1'"):
        fit_gee("linear", outcome, NAMES, columns, clusters, "ar1")  # type: ignore[arg-type]


def test_clusters_of_one_row_have_no_correlation_but_independence_will_do() -> None:
    outcome, columns, _ = sample("linear")
    alone = np.arange(len(outcome))
    with pytest.raises(TooFewClusters, match=r"Each of the \d+ clusters has one row"):
        fit_gee("linear", outcome, NAMES, columns, alone)
    fit = fit_gee("linear", outcome, NAMES, columns, alone, "independence")
    assert fit.clusters == len(outcome)
