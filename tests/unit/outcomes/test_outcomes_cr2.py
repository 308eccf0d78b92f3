"""Errors of least squares for few clusters; values of clubSandwich are in tests/reference."""

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")
models = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.outcomes.cr2 import fit_cr2  # noqa: E402
from mi_coder.outcomes.families import clustered_covariance, fit_family  # noqa: E402
from mi_coder.outcomes.guards import AliasedColumn, BadShape, TooFewClusters  # noqa: E402

NAMES = ("between", "within")


def sample(random: np.random.Generator, clusters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome that no column moves, columns that differ between and within clusters, and clusters of unlike sizes."""
    codes = np.repeat(np.arange(clusters), random.integers(5, 45, clusters))
    columns = random.normal(size=(len(codes), 2))
    columns[:, 0] = columns[:, 0] * 0.5 + random.normal(size=clusters)[codes]
    outcome = 0.5 * random.normal(size=clusters)[codes] + random.normal(size=len(codes))
    return outcome, columns, codes


def by_definition(outcome: np.ndarray, columns: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors and degrees of freedom with whole matrices of the rows: equations 4 and 6 to 8 of the source."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    bread = np.linalg.inv(design.T @ design)
    left = np.eye(len(outcome)) - design @ bread @ design.T
    residual = left @ outcome
    scores, weights = [], []
    for code in np.unique(codes):
        own = codes == code
        values, vectors = np.linalg.eigh(left[np.ix_(own, own)])
        adjusted = (vectors * values**-0.5) @ vectors.T @ design[own] @ bread
        scores.append(adjusted.T @ residual[own])
        weights.append(left[:, own] @ adjusted)
    products = np.einsum("gnk,hnk->kgh", np.array(weights), np.array(weights))
    df = [np.trace(each) ** 2 / np.sum(each**2) for each in products]
    return np.sqrt(np.sum(np.square(scores), axis=0))[1:], np.array(df)[1:]


@pytest.mark.parametrize("clusters", [6, 25])
def test_it_is_the_definition(clusters: int) -> None:
    outcome, columns, codes = sample(np.random.default_rng(1), clusters)
    se, df = by_definition(outcome, columns, codes)
    fit = fit_cr2(outcome, NAMES, columns, codes)
    assert fit.se == pytest.approx(se, rel=1e-9)
    assert fit.df == pytest.approx(df, rel=1e-9)
    assert fit.coefficients == pytest.approx(fit_family("linear", outcome, NAMES, columns).coefficients, rel=1e-10)
    assert (fit.names, fit.rows, fit.clusters) == (NAMES, len(outcome), clusters)
    # What differs between clusters has fewer degrees of freedom than clusters less one.
    assert fit.df[0] < clusters - 1


def test_rows_of_independent_clusters_of_one_have_the_errors_hc2() -> None:
    random = np.random.default_rng(2)
    columns = random.normal(size=(40, 2))
    outcome = columns[:, 0] * (1 + random.normal(size=40))
    fit = fit_cr2(outcome, NAMES, columns, np.arange(40))
    other = models.OLS(outcome, models.add_constant(columns)).fit(cov_type="HC2")
    assert fit.se == pytest.approx(other.bse[1:], rel=1e-9)


def test_units_and_order_do_not_matter() -> None:
    random = np.random.default_rng(3)
    outcome, columns, codes = sample(random, 12)
    plain = fit_cr2(outcome, NAMES, columns, codes)
    units = np.array([1e4, 1e-4])
    order = random.permutation(len(outcome))
    labels = np.array([f"counselor {code}" for code in codes])
    moved = fit_cr2(7 + 2 * outcome[order], NAMES, (columns * units + 3 * units)[order], labels[order])
    assert moved.coefficients * units == pytest.approx(2 * plain.coefficients, rel=1e-9)
    assert moved.se * units == pytest.approx(2 * plain.se, rel=1e-9)
    assert moved.df == pytest.approx(plain.df, rel=1e-9)


def test_a_cluster_that_alone_has_a_column_does_not_break_it() -> None:
    outcome, columns, codes = sample(np.random.default_rng(4), 10)
    columns[:, 0] = codes == 3
    fit = fit_cr2(outcome, NAMES, columns, codes)
    assert np.isfinite(fit.se).all() and np.isfinite(fit.df).all()


@pytest.mark.parametrize("clusters", [6, 10])
def test_intervals_hold_where_those_of_few_clusters_do_not(clusters: int) -> None:
    random = np.random.default_rng(100 + clusters)
    fits = 600
    held = np.zeros((2, 2))
    for _ in range(fits):
        outcome, columns, codes = sample(random, clusters)
        fit = fit_cr2(outcome, NAMES, columns, codes)
        estimate = fit_family("linear", outcome, NAMES, columns)
        plain = np.sqrt(np.diag(clustered_covariance(estimate, codes)))
        held[0] += abs(fit.coefficients) <= stats.t.ppf(0.975, fit.df) * fit.se
        held[1] += abs(estimate.coefficients) <= 1.96 * plain
    assert ((held[0] >= 0.92 * fits) & (held[0] <= 0.98 * fits)).all(), held / fits
    assert held[1, 0] < 0.90 * fits, held / fits


def test_what_is_refused() -> None:
    outcome, columns, codes = sample(np.random.default_rng(5), 6)
    with pytest.raises(TooFewClusters, match="4 clusters"):
        fit_cr2(outcome, NAMES, columns, codes % 4)
    more = np.column_stack([columns, columns**2, columns**3])
    with pytest.raises(TooFewClusters, match="6 clusters are too few for clustered standard errors of 7 coefficients"):
        fit_cr2(outcome, list("abcdef"), more, codes)
    with pytest.raises(AliasedColumn):
        fit_cr2(outcome, NAMES, columns[:, [0, 0]], codes)
    with pytest.raises(BadShape, match=r"shape"):
        fit_cr2(outcome, NAMES, columns, codes[1:])
