"""The cumulative logit with a random intercept; values of clmm and glmer are in tests/reference."""

import numpy as np
import pytest

from mi_coder.outcomes import ordinal_random
from mi_coder.outcomes.guards import ModelProblem, Separation, cluster_codes, level_codes, standardize
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import Block, blocks_of, fit_ordinal_random, likelihood

NAMES = ("affirm", "advise", "severity")
POINT = np.array([0.3, -0.2, 0.1, -1.5, -0.6, 0.2, 1.1, 0.9])


def sample(seed: int = 1, counselors: int = 40, sd: float = 1.0) -> tuple[np.ndarray, ...]:
    """Ratings, columns and counselors with 1 to 15 conversations each."""
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(counselors), random.integers(1, 16, counselors))
    columns = random.normal(size=(len(clusters), 3))
    latent = columns @ [0.6, -0.4, 0.2] + sd * random.normal(size=counselors)[clusters]
    ratings = 1.0 + ((latent + random.logistic(size=len(clusters)))[:, None] > [-2, -1, 0.5, 1]).sum(axis=1)
    return ratings, columns, clusters


def blocks(ratings: np.ndarray, columns: np.ndarray, clusters: np.ndarray, nodes: int) -> list[Block]:
    standard = standardize(NAMES, columns, len(ratings))
    return blocks_of(standard.z, level_codes(ratings)[0], cluster_codes(clusters, len(ratings)), nodes)


def by_summing(parameters: np.ndarray, ratings: np.ndarray, z: np.ndarray, clusters: np.ndarray) -> float:
    """The log-likelihood by adding up over a fine grid of v."""
    grid = np.linspace(-9, 9, 4001)
    edges = np.concatenate([[-np.inf], parameters[3:-1], [np.inf]])
    predictor = (z @ parameters[:3])[:, None] + parameters[-1] * grid
    upper, lower = (edges[ratings.astype(int) - below][:, None] - predictor for below in (0, 1))
    rows = np.log(1 / (1 + np.exp(-upper)) - 1 / (1 + np.exp(-lower)))
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    return sum(
        np.log((np.exp(rows[clusters == i].sum(axis=0)) * density).sum() * (grid[1] - grid[0]))
        for i in np.unique(clusters)
    )


def test_quadrature_is_the_integral() -> None:
    ratings, columns, clusters = sample()
    z = standardize(NAMES, columns, len(ratings)).z
    expected = by_summing(POINT, ratings, z, clusters)
    assert likelihood(blocks(ratings, columns, clusters, 30), POINT, 30).log_likelihood == pytest.approx(expected)
    assert likelihood(blocks(ratings, columns, clusters, 10), POINT, 10).log_likelihood == pytest.approx(
        expected, abs=1e-4
    )
    assert abs(likelihood(blocks(ratings, columns, clusters, 1), POINT, 1).log_likelihood - expected) > 0.05


@pytest.mark.parametrize("nodes", [1, 5, 10])
@pytest.mark.parametrize("sd", [0.05, 0.9, 6])
def test_gradient_has_the_movement_of_the_nodes(nodes: int, sd: float) -> None:
    data = blocks(*sample(), nodes)
    point, step = np.append(POINT[:-1], sd), 1e-5
    numeric = [
        (likelihood(data, point + move, nodes).log_likelihood - likelihood(data, point - move, nodes).log_likelihood)
        / (2 * step)
        for move in step * np.eye(8)
    ]
    assert likelihood(data, point, nodes).gradient == pytest.approx(numeric, abs=1e-6, rel=1e-6)


def test_information_is_the_curvature() -> None:
    data, step = blocks(*sample(), 30), 1e-5
    numeric = [
        (likelihood(data, POINT + move, 30).gradient - likelihood(data, POINT - move, 30).gradient) / (2 * step)
        for move in step * np.eye(8)
    ]
    found = likelihood(data, POINT, 30).information
    assert found == pytest.approx(-np.array(numeric), abs=1e-6 * abs(found).max())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings, columns, clusters = sample()
    mixed = np.random.default_rng(0).permutation(len(ratings))
    whole = blocks(ratings, columns, clusters, 10)
    monkeypatch.setattr(ordinal_random, "BLOCK", 500)
    cut = blocks(ratings[mixed], columns[mixed], clusters[mixed], 10)
    assert len(whole) == 1 < len(cut)
    assert sum(len(block.starts) for block in cut) == 40
    one, many = likelihood(whole, POINT, 10), likelihood(cut, POINT, 10)
    assert many.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)
    assert many.gradient == pytest.approx(one.gradient, rel=1e-9)
    assert many.information == pytest.approx(one.information, rel=1e-9)


def test_the_fit_is_a_maximum_in_own_units() -> None:
    ratings, columns, clusters = sample()
    fit = fit_ordinal_random(ratings, NAMES, columns * [1, 1e-3, 1e4] + [0, 1, -1e4], clusters)
    standard = standardize(NAMES, columns * [1, 1e-3, 1e4] + [0, 1, -1e4], len(ratings))
    slopes = fit.coefficients * standard.spread
    point = np.concatenate([slopes, fit.thresholds - fit.coefficients @ standard.center, [fit.sd]])
    at = likelihood(blocks(ratings, columns, clusters, 10), point, 10)
    assert at.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-9)
    assert abs(at.gradient).max() < 1e-4
    assert fit.se * standard.spread == pytest.approx(np.sqrt(np.diag(np.linalg.inv(at.information)))[:3], rel=1e-3)
    assert fit.sd_se == pytest.approx(np.linalg.inv(at.information)[-1, -1] ** 0.5, rel=1e-3)
    assert len(fit.threshold_se) == len(fit.thresholds) == 4
    assert fit.icc == pytest.approx(fit.sd**2 / (fit.sd**2 + np.pi**2 / 3))
    assert fit.log_likelihood > fit_ordinal(ratings, NAMES, columns).log_likelihood


@pytest.mark.parametrize("sd", [0.3, 2.0, 8.0])
def test_known_deviations_are_found(sd: float) -> None:
    ratings, columns, clusters = sample(seed=5, counselors=500, sd=sd)
    fit = fit_ordinal_random(ratings, NAMES, columns, clusters, nodes=40)
    assert abs(fit.sd - sd) < 3 * fit.sd_se
    assert (abs(fit.coefficients - [0.6, -0.4, 0.2]) < 3 * fit.se).all()
    assert fit.sd_se < 0.2 * sd + 0.1


def test_two_levels() -> None:
    ratings, columns, clusters = sample(counselors=200)
    fit = fit_ordinal_random(1.0 * (ratings > 3), NAMES, columns, clusters)
    assert fit.levels == (0, 1)
    assert (abs(fit.coefficients - [0.6, -0.4, 0.2]) < 3 * fit.se).all()


def test_too_few_nodes() -> None:
    ratings, columns, clusters = sample()
    with pytest.raises(ModelProblem, match="4 nodes are too few"):
        fit_ordinal_random(ratings, NAMES, columns, clusters, nodes=4)


def test_a_quadrature_too_rough_for_the_data_is_refused() -> None:
    ratings, columns, clusters = sample(seed=5, counselors=500, sd=8.0)
    with pytest.raises(ModelProblem, match="10 nodes are too few for these data: with 20, an estimate would change by"):
        fit_ordinal_random(ratings, NAMES, columns, clusters)


def test_ratings_that_never_vary_within_a_counselor_are_refused() -> None:
    _, columns, clusters = sample()
    with pytest.raises(ModelProblem, match="hardly vary within counselors"):
        fit_ordinal_random(1.0 + clusters % 4, NAMES, columns, clusters)


def test_columns_that_separate_within_counselors_are_refused() -> None:
    ratings, _, clusters = sample(counselors=60, sd=0.1)
    offsets = 20.0 * (clusters % 6)
    # Within a counselor the first column rises with the rating; over all it is hidden by the counselors' levels.
    hidden = ratings + offsets + 0.5 * np.random.default_rng(0).random(len(ratings))
    level = offsets + 1e-3 * np.random.default_rng(1).random(len(ratings))
    with pytest.raises(Separation, match="together"):
        fit_ordinal_random(ratings, ("rises", "level"), np.column_stack([hidden, level]), clusters)
