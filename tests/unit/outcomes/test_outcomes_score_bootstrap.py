"""The wild bootstrap of scores: its size with few counselors, and that it agrees with what is known elsewhere."""

from itertools import product

import numpy as np
import pytest

from mi_coder.arrays import Floats
from mi_coder.errors import UnknownName
from mi_coder.outcomes.families import Family, fit_family
from mi_coder.outcomes.guards import ModelProblem, TooFewClusters
from mi_coder.outcomes.score_bootstrap import score_bootstrap

NAMES = ["x", "w"]


def _study(family: Family, clusters: int, seed: int, effect: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """A column x that varies between clusters as much as within, an outcome whose rows hang together, and clusters."""
    random = np.random.default_rng(seed)
    of_row = np.repeat(np.arange(clusters), random.integers(5, 45, clusters))
    rows = len(of_row)
    x = (random.normal(size=clusters)[of_row] + random.normal(size=rows)) / 2**0.5
    w, u = random.normal(size=rows), 0.9 * random.normal(size=clusters)[of_row]
    if family == "poisson":
        outcome = random.poisson(np.exp(0.3 * u + 0.2 * w + effect * x)).astype(float)
    else:
        latent = u + 0.3 * w + effect * x + random.logistic(size=rows)
        cuts = [0.0] if family == "logit" else [-1.0, 0.0, 1.0]
        outcome = np.digitize(latent, cuts).astype(float)
    return outcome, np.column_stack([x, w]), of_row


def _plain_z_rejects(family: Family, outcome: Floats, columns: Floats, clusters: Floats) -> bool:
    estimate = fit_family(family, outcome, NAMES, columns)
    totals = np.column_stack([np.bincount(clusters.astype(int), column) for column in estimate.influence.T])
    count, rows = len(totals), len(outcome)
    factor = count / (count - 1) * (rows - 1) / (rows - estimate.parameters)
    return bool(abs(estimate.coefficients[0]) > 1.96 * np.sqrt(factor * (totals[:, 0] ** 2).sum()))


@pytest.mark.parametrize(("family", "clusters"), [("logit", 6), ("ordinal", 10), ("poisson", 6)])
def test_a_true_null_is_rejected_as_often_as_stated_where_the_plain_test_is_not(family: Family, clusters: int) -> None:
    studies = [_study(family, clusters, seed) for seed in range(200)]
    rejected = [score_bootstrap(family, *_of(study), "x", draws=399) <= 0.05 for study in studies]
    plain = [_plain_z_rejects(family, *study) for study in studies]
    # 3 to 8 % and over 12 %, each wider by 2 Monte-Carlo errors of 200 studies.
    assert 0.03 - 0.024 <= np.mean(rejected) <= 0.08 + 0.038
    assert np.mean(plain) > 0.12 - 0.046


def _of(study: tuple[Floats, Floats, Floats]) -> tuple[Floats, list[str], Floats, Floats]:
    outcome, columns, clusters = study
    return outcome, NAMES, columns, clusters


@pytest.mark.parametrize("family", ["logit", "ordinal", "poisson"])
def test_an_effect_is_found_and_units_do_not_matter(family: Family) -> None:
    outcome, columns, clusters = _study(family, 20, 3, effect=1.0)
    p = score_bootstrap(family, outcome, NAMES, columns, clusters, "x")
    assert p < 0.01
    rescaled = columns * [100, 0.01] + [5, -3]
    assert score_bootstrap(family, outcome, NAMES, rescaled, clusters, "x") == pytest.approx(p, abs=1e-3)
    swapped = columns[:, ::-1]
    assert score_bootstrap(family, outcome, NAMES[::-1], swapped, clusters, "x") == pytest.approx(p, abs=1e-3)


def test_counts_by_hand_over_all_signs() -> None:
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
    random = np.random.default_rng(3)
    clusters = np.repeat(np.arange(6), [4, 8, 12, 16, 20, 60])
    columns = random.normal(size=(120, 2)) + random.normal(size=(6, 2))[clusters]
    outcome = random.poisson(np.exp(0.5 * columns[:, 1] + 0.5 * random.normal(size=6)[clusters])).astype(float)
    others = np.column_stack([columns[:, 1], np.ones(120)])
    mean = np.asarray(sm.GLM(outcome, others, family=sm.families.Poisson()).fit(tol=1e-12).mu)
    weighted = mean[:, None] * others
    own = columns[:, 0] - others @ np.linalg.solve(others.T @ weighted, weighted.T @ columns[:, 0])
    design = np.column_stack([own, others])
    rows = [clusters == cluster for cluster in range(6)]
    scores = np.array([design[by].T @ (outcome - mean)[by] for by in rows])
    information = np.array([design[by].T @ (mean[by, None] * design[by]) for by in rows])

    def t(signs: tuple[int, ...]) -> float:
        """|t| of x where clusters change their signs and one step of Newton's method fits the model anew."""
        signed = np.array(signs)[:, None] * scores
        step = np.linalg.solve(information.sum(axis=0), signed.sum(axis=0))
        return float(abs(signed[:, 0].sum()) / np.linalg.norm(signed[:, 0] - (information @ step)[:, 0]))

    actual = t((1,) * 6)
    expected = np.mean([t(signs) >= actual * (1 - 1e-9) for signs in product((1, -1), repeat=6)])
    p = score_bootstrap("poisson", outcome, NAMES, columns, clusters, "x")
    assert p == pytest.approx(expected) and 0.03 < p < 0.97


def test_with_many_clusters_it_agrees_with_the_normal_test() -> None:
    from scipy.stats import norm

    outcome, columns, clusters = _study("logit", 200, 5, effect=0.08)
    estimate = fit_family("logit", outcome, NAMES, columns)
    totals = np.bincount(clusters.astype(int), estimate.influence[:, 0])
    p = 2 * norm.sf(abs(estimate.coefficients[0]) / np.sqrt((totals**2).sum()))
    assert score_bootstrap("logit", outcome, NAMES, columns, clusters, "x") == pytest.approx(p, abs=0.03)


def test_what_is_refused() -> None:
    outcome, columns, clusters = _study("logit", 6, 1)
    with pytest.raises(UnknownName, match="no column 'y'"):
        score_bootstrap("logit", outcome, NAMES, columns, clusters, "y")
    with pytest.raises(TooFewClusters, match="at least 5"):
        score_bootstrap("logit", outcome, NAMES, columns, clusters % 4, "x")
    with pytest.raises(ModelProblem, match="linear model"):
        score_bootstrap("linear", outcome, NAMES, columns, clusters, "x")


def test_a_family_that_does_not_exist() -> None:
    outcome, columns, clusters = _study("logit", 6, 1)
    with pytest.raises(UnknownName, match=r"No family 'logits'\. Did you mean 'logit'\?"):
        score_bootstrap("logits", outcome, NAMES, columns, clusters, "x")  # type: ignore[arg-type]
