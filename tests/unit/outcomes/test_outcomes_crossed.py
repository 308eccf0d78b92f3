"""Crossed random intercepts for counselor and client; values of lmer are in tests/reference."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.outcomes import crossed
from mi_coder.outcomes.crossed import fit_crossed
from mi_coder.outcomes.guards import (
    BadShape,
    ConstantColumn,
    ExactFit,
    Gaps,
    ModelProblem,
    NoClusterVariance,
    TooFewClusters,
)
from mi_coder.outcomes.random_intercept import fit_random_intercept

NAMES = ("a", "b", "c")


def sample(
    seed: int = 1, rows: int = 600, counselors: int = 30, clients: int = 90, tau: float = 1.0, of_client: float = 0.8
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, columns, counselors and clients; columns of very different units."""
    random = np.random.default_rng(seed)
    counselor, client = random.integers(0, counselors, rows), random.integers(0, clients, rows)
    columns = random.normal(size=(rows, 3)) * 10.0 ** np.arange(3) + 5
    effects = tau * random.normal(size=counselors)[counselor] + of_client * random.normal(size=clients)[client]
    outcome = 3 + columns @ (0.5 / 10.0 ** np.arange(3)) + effects + 2 * random.normal(size=rows)
    return outcome, columns, counselor, client


def covariance_of(variances: tuple[float, float, float], counselor: np.ndarray, client: np.ndarray) -> np.ndarray:
    """[rows, rows]"""
    of_counselor, of_client, sigma2 = variances
    alike = of_counselor * (counselor[:, None] == counselor) + of_client * (client[:, None] == client)
    return np.asarray(alike + sigma2 * np.eye(len(counselor)))


def restricted(outcome: np.ndarray, columns: np.ndarray, covariance: np.ndarray) -> float:
    """The restricted log-likelihood by its definition, with the whole covariance matrix of the rows."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    inverse = np.linalg.inv(covariance)
    inner = design.T @ inverse @ design
    residual = outcome - design @ np.linalg.solve(inner, design.T @ inverse @ outcome)
    degrees = len(outcome) - design.shape[1]
    determinants = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(inner)[1]
    return -0.5 * (degrees * np.log(2 * np.pi) + determinants + residual @ inverse @ residual)


# Few clients with many chats each, too, so that either side can be the smaller one.
@pytest.mark.parametrize(("counselors", "clients"), [(30, 90), (60, 20), (20, 400)])
def test_it_is_the_greatest_restricted_likelihood(counselors: int, clients: int) -> None:
    outcome, columns, counselor, client = sample(counselors=counselors, clients=clients)
    fit = fit_crossed(outcome, NAMES, columns, counselor, client)
    best = (fit.tau2_counselor, fit.tau2_client, fit.sigma2)
    covariance = covariance_of(best, counselor, client)
    at = restricted(outcome, columns, covariance)
    assert fit.log_likelihood == pytest.approx(at, abs=1e-8)
    for i in range(3):
        for factor in (1.01, 0.99):
            moved = tuple(value * (factor if j == i else 1) for j, value in enumerate(best))
            assert restricted(outcome, columns, covariance_of(moved, counselor, client)) < at  # type: ignore[arg-type]
    design = np.column_stack([np.ones(len(outcome)), columns])
    inverse = np.linalg.inv(covariance)
    of_coefficients = np.linalg.inv(design.T @ inverse @ design)
    assert fit.covariance == pytest.approx(of_coefficients, rel=1e-8)
    assert fit.coefficients == pytest.approx(of_coefficients @ design.T @ inverse @ outcome, rel=1e-8)
    assert fit.se == pytest.approx(np.sqrt(np.diag(of_coefficients)))
    total = sum(best)
    assert (fit.icc_counselor, fit.icc_client) == pytest.approx((best[0] / total, best[1] / total))


def test_counselor_and_client_change_places() -> None:
    outcome, columns, counselor, client = sample()
    fit, other = (fit_crossed(outcome, NAMES, columns, *both) for both in ((counselor, client), (client, counselor)))
    assert other.coefficients == pytest.approx(fit.coefficients, rel=1e-9)
    assert (other.tau2_client, other.tau2_counselor) == pytest.approx((fit.tau2_counselor, fit.tau2_client), rel=1e-7)
    assert (fit.counselors, fit.clients) == (other.clients, other.counselors) == (30, 90)


def test_balanced_variances_are_those_of_the_analysis_of_variance() -> None:
    # Every counselor talked to every client twice: expected mean squares have a closed solution.
    random = np.random.default_rng(2)
    counselor, client = (each.ravel() for each in np.indices((12, 15)).repeat(2, axis=2))
    outcome = random.normal(size=12)[counselor] + 0.7 * random.normal(size=15)[client] + random.normal(size=360)
    fit = fit_crossed(outcome, [], np.empty((360, 0)), counselor, client)
    table = outcome.reshape(12, 30)
    of_counselor = 30 * table.mean(axis=1).var(ddof=1)
    by_client = np.array([outcome[client == i].mean() for i in range(15)])
    of_client = 24 * by_client.var(ddof=1)
    rest = (360 * outcome.var() - 11 * of_counselor - 14 * of_client) / (359 - 11 - 14)
    assert fit.sigma2 == pytest.approx(rest, rel=1e-8)
    assert fit.tau2_counselor == pytest.approx((of_counselor - rest) / 30, rel=1e-8)
    assert fit.tau2_client == pytest.approx((of_client - rest) / 24, rel=1e-8)


@pytest.mark.parametrize("tau", [0.05, 1, 30, 1000])
@pytest.mark.parametrize("of_client", [0.05, 1, 30])
def test_small_and_great_variances_are_found(tau: float, of_client: float) -> None:
    random = np.random.default_rng(6)
    counselor, client = (each.ravel() for each in np.indices((50, 100)))
    noise = random.normal(size=(50, 100))
    # Without the chance differences between means that noise has, so that small variances show.
    noise += noise.mean() - noise.mean(axis=0) - noise.mean(axis=1, keepdims=True)
    drawn = random.normal(size=50), random.normal(size=100)
    by_counselor, by_client = ((each - each.mean()) / each.std(ddof=1) for each in drawn)
    outcome = (tau + 0.2) * by_counselor[counselor] + (of_client + 0.2) * by_client[client] + noise.ravel()
    fit = fit_crossed(outcome, [], np.empty((5000, 0)), counselor, client)
    rest = (noise**2).sum() / (49 * 99)
    assert fit.sigma2 == pytest.approx(rest, rel=1e-6)
    assert fit.tau2_counselor == pytest.approx((tau + 0.2) ** 2 - rest / 100, rel=1e-6)
    assert fit.tau2_client == pytest.approx((of_client + 0.2) ** 2 - rest / 50, rel=1e-6)


def test_without_variance_between_clients_it_is_the_random_intercept() -> None:
    outcome, columns, counselor, client = sample(of_client=0)
    # Means of clients are drawn together until hardly any variance is left between them.
    means = np.array([outcome[client == i].mean() for i in range(90)])[client]
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        try:
            fit = fit_crossed(outcome - share * means, NAMES, columns, counselor, client)
        except NoClusterVariance:
            high = share
        else:
            low = share
            if fit.tau2_client < 1e-7 * fit.sigma2:
                break
    assert 0 < fit.tau2_client < 1e-7 * fit.sigma2
    alone = fit_random_intercept(outcome - share * means, NAMES, columns, counselor)
    assert fit.coefficients == pytest.approx(alone.coefficients, rel=1e-5)
    assert fit.se == pytest.approx(alone.se, rel=1e-5)
    assert (fit.tau2_counselor, fit.sigma2) == pytest.approx((alone.tau2, alone.sigma2), rel=1e-5)
    assert fit.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-6)


def test_a_full_table_of_pairs_is_fitted_as_a_sparse_one(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, columns, counselor, client = sample(clients=40)
    dense = fit_crossed(outcome, NAMES, columns, counselor, client)
    monkeypatch.setattr(crossed, "DENSE", 2.0)
    thin = fit_crossed(outcome, NAMES, columns, counselor, client)
    assert thin.coefficients == pytest.approx(dense.coefficients, rel=1e-10)
    assert thin.log_likelihood == pytest.approx(dense.log_likelihood, abs=1e-9)


def test_no_variance_between_clients() -> None:
    outcome, columns, counselor, client = sample(of_client=0)
    outcome = outcome - np.array([outcome[client == i].mean() for i in range(90)])[client]
    with pytest.raises(NoClusterVariance, match=r"between the 90 clients is estimated as 0.*for counselors only"):
        fit_crossed(outcome, NAMES, columns, counselor, client)


def test_no_variance_between_counselors() -> None:
    outcome, columns, counselor, client = sample(tau=0)
    outcome = outcome - np.array([outcome[counselor == i].mean() for i in range(30)])[counselor]
    with pytest.raises(NoClusterVariance, match=r"between the 30 counselors is estimated as 0.*for clients only"):
        fit_crossed(outcome, NAMES, columns, counselor, client)


def test_no_variance_at_all() -> None:
    _, columns, _, _ = sample()
    counselor, client = np.arange(600) // 20, np.arange(600) % 20 + 20 * (np.arange(600) // 300)
    outcome = np.where(np.arange(600) % 2 == (np.arange(600) // 20) % 2, 1.0, -1.0)
    with pytest.raises(NoClusterVariance, match=r"30 counselors and the 40 clients are both estimated as 0"):
        fit_crossed(outcome, NAMES, columns, counselor, client)


def test_an_outcome_of_the_counselor_and_the_client() -> None:
    _, columns, counselor, client = sample()
    random = np.random.default_rng(3)
    outcome = random.normal(size=30)[counselor] + random.normal(size=90)[client]
    with pytest.raises(ModelProblem, match=r"hardly varies within counselors and clients|follows exactly"):
        fit_crossed(outcome, NAMES, columns, counselor, client)
    with pytest.raises(ExactFit, match="among the columns"):
        fit_crossed(columns @ [1.0, 2, 3], NAMES, columns, counselor, client)


def test_clients_of_one_counselor_are_not_separable() -> None:
    outcome, columns, counselor, _ = sample()
    own = counselor * 3 + np.arange(600) % 3
    with pytest.raises(TooFewClusters, match=r"Client and counselor are not separable: 0 of 90 clients"):
        fit_crossed(outcome, NAMES, columns, counselor, own)


def test_five_clients_with_two_counselors_are_enough() -> None:
    outcome, columns, counselor, _ = sample()
    own = np.array([f"{who}-{i % 3}" for i, who in enumerate(counselor)], dtype=object)
    for shared in range(5):
        places = [np.flatnonzero(counselor == 2 * shared + i)[:6] for i in (0, 1)]
        own[np.concatenate(places)] = f"shared {shared}"
        if shared < 4:
            with pytest.raises(TooFewClusters, match=rf"not separable: {shared + 1} of .* 5 are needed"):
                fit_crossed(outcome, NAMES, columns, counselor, own)
    _, of_client = np.unique(own, return_inverse=True)
    effects = np.random.default_rng(2).normal(size=of_client.max() + 1)
    assert fit_crossed(outcome + effects[of_client], NAMES, columns, counselor, own).clients == len(effects)


@pytest.mark.parametrize(
    ("counselors", "clients", "said"),
    [
        (3, 90, "There are 3 clusters"),
        (600, 90, "two rows or more"),
        (30, 4, "There are 4 clients: a variance between clients needs at least 5"),
        (30, 1, "There is 1 client:"),
    ],
)
def test_too_few_groups(counselors: int, clients: int, said: str) -> None:
    outcome, columns, _, _ = sample()
    with pytest.raises(TooFewClusters, match=said):
        fit_crossed(outcome, NAMES, columns, np.arange(600) % counselors, np.arange(600) // 7 % clients)


def test_too_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossed, "MOST_GROUPS", 25)
    outcome, columns, counselor, client = sample()
    with pytest.raises(ModelProblem, match=r"30 counselors and 90 clients are too many.*25 or less.*linear model"):
        fit_crossed(outcome, NAMES, columns, counselor, client)
    fit_crossed(outcome, NAMES, columns, counselor % 25, client)


def test_gaps_and_lengths() -> None:
    outcome, columns, counselor, client = sample()
    unknown = client.astype(object)
    unknown[3] = None
    with pytest.raises(Gaps, match=r"Clients.*Row 4 has no cluster.*without a client"):
        fit_crossed(outcome, NAMES, columns, counselor, unknown)
    with pytest.raises(BadShape, match=r"Clients.*\(599,\)"):
        fit_crossed(outcome, NAMES, columns, counselor, client[1:])
    columns[:, 1] = 2
    with pytest.raises(ConstantColumn):
        fit_crossed(outcome, NAMES, columns, counselor, client)
