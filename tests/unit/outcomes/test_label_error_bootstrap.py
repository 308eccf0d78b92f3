"""p of gold-only and corrected coefficients with few counselors: against the linear bootstrap, and in simulations."""

from itertools import product

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from scipy import stats

from mi_coder.outcomes.families import cluster_totals, fit_family
from mi_coder.outcomes.label_error import Corrected, correct
from mi_coder.outcomes.label_error_bootstrap import cluster_shares, influence_bootstrap
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap

NAMES = ("affirm", "advise")


def _study(counselors: int, seed: int, slope: float = 0.0, chats: int = 300, draws_seed: int = 0) -> Corrected:
    """Counselors differ in outcome and use, and half of them have few gold chats; the first column is the tested."""
    random = np.random.default_rng(seed)
    clusters = np.arange(chats) % counselors
    true = random.normal(size=(chats, 2)) + 0.6 * random.normal(size=(counselors, 2))[clusters]
    outcome = true @ [slope, 0.4] + 0.5 * random.normal(size=counselors)[clusters] + 1.2 * random.normal(size=chats)
    tagged = true + 0.7 * random.normal(size=(chats, 2))
    drawn = random.random(chats) < np.where(clusters < counselors // 2, 0.06, 0.5)
    drawn[: 2 * counselors] = True
    rows = np.flatnonzero(drawn)
    return correct("linear", outcome, NAMES, tagged, true[rows], rows, clusters, draws=199, seed=draws_seed)


def test_in_a_linear_model_without_other_columns_that_lean_on_it_it_is_the_wild_bootstrap() -> None:
    # The refit of other columns is left out: with none but a constant that is 0 in each cluster, nothing is.
    random = np.random.default_rng(3)
    clusters = np.repeat(np.arange(8), 25)
    column = random.normal(size=200)
    column -= (np.bincount(clusters, column) / 25)[clusters]
    outcome = 0.1 * column + random.normal(size=200) + random.normal(size=8)[clusters]
    fit = fit_family("linear", outcome, ["x"], column[:, None])
    shares = cluster_shares(column[:, None], None, clusters, 8)
    p = influence_bootstrap(fit.coefficients, cluster_totals(fit.influence, clusters, 8), shares)
    expected = wild_bootstrap(outcome, ["x"], column[:, None], clusters, "x")
    assert expected.exhaustive and p[0] == pytest.approx(expected.p, abs=1e-12)
    assert 0.01 < p[0] < 0.99


def test_p_is_that_of_all_signs_with_what_a_refit_takes_away() -> None:
    random = np.random.default_rng(1)
    influence = random.normal(size=7)
    influence -= influence.mean()
    share = random.dirichlet(np.full(7, 0.4))
    moves = influence + 0.9 * share

    def distance(signs: tuple[int, ...]) -> float:
        signed = np.array(signs) * moves
        return abs(signed.sum()) / np.linalg.norm(signed - share * signed.sum())

    actual = distance((1,) * 7)
    expected = np.mean([distance(signs) >= actual * (1 - 1e-9) for signs in product((1, -1), repeat=7)])
    p = influence_bootstrap(np.array([0.9]), influence[:, None], share[:, None])
    assert p[0] == pytest.approx(expected) and 0.01 < p[0] < 0.9


def test_shares_are_of_each_cluster_and_follow_weights() -> None:
    columns = np.array([[1.0], [-1], [2], [-2]])
    codes = np.array([0, 0, 1, 1])
    assert cluster_shares(columns, None, codes, 3)[:, 0] == pytest.approx([0.2, 0.8, 0])
    assert cluster_shares(columns, np.array([4.0, 4, 1, 1]), codes, 3)[:, 0] == pytest.approx([0.5, 0.5, 0])


def test_clusters_that_move_nothing_leave_p_as_it_is() -> None:
    random = np.random.default_rng(4)
    influences = random.normal(size=(7, 1))
    influences -= influences.mean()
    shares, estimate = np.full((7, 1), 1 / 7), np.array([1.5])
    empty = np.zeros((30, 1))
    p = influence_bootstrap(estimate, influences, shares)
    assert (influence_bootstrap(estimate, np.vstack([influences, empty]), np.vstack([shares, empty])) == p).all()
    assert (p * 64 == np.round(p * 64)).all()


@pytest.mark.parametrize("counselors", [6, 10, 20])
def test_p_holds_where_nothing_is_and_that_of_t_does_not(counselors: int) -> None:
    found = [_study(counselors, seed) for seed in range(400)]
    p = np.array([[each.gold_only.p[0], each.corrected.p[0]] for each in found])
    t = np.array([abs(each.corrected.coefficients[0] / each.corrected.se[0]) for each in found])
    by_t = np.mean(2 * stats.t.sf(t, counselors - 1) <= 0.05)
    rejected = (p <= 0.05).mean(axis=0)
    # With 6 clusters p is n / 32, so that 1 / 32 = 3.1 % are rejected.
    assert (rejected >= (0.01 if counselors == 6 else 0.025)).all() and (rejected <= 0.08).all()
    assert by_t > rejected[1]
    if counselors < 20:
        assert by_t > 0.08


def test_what_is_there_is_found() -> None:
    p = np.array([_study(12, seed, slope=0.5).corrected.p[0] for seed in range(60)])
    assert (p <= 0.05).mean() > 0.7


def test_forty_clusters_have_p_of_t_and_draws_have_a_seed() -> None:
    many = _study(40, 1)
    for part in (many.gold_only, many.corrected):
        assert part.p == pytest.approx(2 * stats.t.sf(abs(part.coefficients / part.se), part.df))
    one, same, other = (_study(39, 1, draws_seed=seed) for seed in (1, 1, 2))
    assert (one.corrected.p == same.corrected.p).all() and (one.corrected.p != other.corrected.p).any()
