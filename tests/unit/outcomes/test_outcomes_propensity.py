"""The propensity score, and what it refuses."""

import numpy as np
import pytest

from mi_coder.outcomes.guards import AliasedColumn, BadShape, ConstantColumn, Gaps, Separation, SingleCategory
from mi_coder.outcomes.propensity import area_under_curve, fit_propensity

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")


def sample(rows: int = 400, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    covariates = np.column_stack([random.normal(50_000, 10_000, rows), random.random(rows) < 0.4]).astype(float)
    logit = 0.8 * (covariates[:, 0] - 50_000) / 10_000 - 0.7 * covariates[:, 1]
    return covariates, random.random(rows) < 1 / (1 + np.exp(-logit))


def test_it_solves_the_equations_of_the_logit() -> None:
    covariates, treated = sample()
    fit = fit_propensity(("income", "returning"), covariates, treated)
    residual = treated - fit.score
    assert residual.sum() == pytest.approx(0, abs=1e-6)
    assert residual @ covariates / covariates.std(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert fit.logit == pytest.approx(fit.coefficients[0] + covariates @ fit.coefficients[1:])
    assert 0.55 < fit.auc < 0.85


def test_area_under_the_curve_counts_ties_as_half() -> None:
    treated = np.array([True, True, False, False])
    assert area_under_curve(np.array([1.0, 3, 1, 2]), treated) == (0.5 + 0 + 1 + 1) / 4


@pytest.mark.parametrize("below", [0, 2])
def test_treated_rows_outside_the_others_scores(below: int) -> None:
    column = np.array([0.0, 1, 2, 3, 4, 5, 6, 9, 2, 3, 4, 1, 5, 0, *[-1] * below])[:, None]
    treated = np.array(
        [False, False, True, False, True, True, True, True, *[False] * 3, True, False, True, *[True] * below]
    )
    fit = fit_propensity(("x",), column, treated)
    assert fit.treated_outside == pytest.approx((2 + below) / treated.sum())


@pytest.mark.parametrize("sign", [1, -1])
def test_a_covariate_that_separates_is_named(sign: int) -> None:
    covariates, treated = sample()
    covariates = np.column_stack([covariates, sign * (covariates[:, 0] + 1e6 * treated)])
    with pytest.raises(Separation, match="Covariate 'dose' separates the groups"):
        fit_propensity(("income", "returning", "dose"), covariates, treated)


def test_a_flag_that_only_treated_rows_have_separates() -> None:
    covariates, treated = sample()
    flag = np.zeros(len(treated))
    flag[np.flatnonzero(treated)[:3]] = 1
    with pytest.raises(Separation, match="Covariate 'flag' separates"):
        fit_propensity(("income", "returning", "flag"), np.column_stack([covariates, flag]), treated)


@pytest.mark.parametrize("margin", [1.0, 0.05])
def test_covariates_that_separate_together_are_refused(margin: float) -> None:
    random = np.random.default_rng(2)
    covariates = random.normal(size=(300, 2))
    treated = covariates.sum(axis=1) > 0
    covariates += margin * np.where(treated, 1, -1)[:, None] / 10
    with pytest.raises(Separation, match=r"together \(a, b\)"):
        fit_propensity(("a", "b"), covariates, treated)


def test_a_separation_that_makes_the_fit_singular_is_refused() -> None:
    covariates = np.random.default_rng(3).normal(size=(8, 3))
    with pytest.raises(Separation, match=r"together \(a, b, c\)"):
        fit_propensity(("a", "b", "c"), covariates, covariates.sum(axis=1) > 0)


def test_rare_flags_that_separate_a_few_rows_together_are_refused() -> None:
    # (a, b) is (1, 0) in treated rows alone and (0, 1) in others alone; both kinds have (0, 0) and (1, 1).
    kinds = [
        (0, 0, True, 500),
        (0, 0, False, 500),
        (1, 1, True, 5),
        (1, 1, False, 5),
        (1, 0, True, 3),
        (0, 1, False, 3),
    ]
    rows = np.array([kind[:3] for kind in kinds for _ in range(kind[3])], dtype=float)
    with pytest.raises(Separation, match=r"together \(a, b\)"):
        fit_propensity(("a", "b"), rows[:, :2], rows[:, 2] == 1)


def test_groups_that_hardly_overlap_are_refused_though_the_fit_converges() -> None:
    random = np.random.default_rng(4)
    x = random.normal(size=20_000)
    with pytest.raises(Separation, match="or nearly"):
        fit_propensity(("x",), x[:, None], random.random(20_000) < 1 / (1 + np.exp(-12 * x)))


def test_a_strong_but_finite_covariate_is_not_refused() -> None:
    random = np.random.default_rng(4)
    x = random.normal(size=2000)
    treated = random.random(2000) < 1 / (1 + np.exp(-4 * x))
    fit = fit_propensity(("x",), x[:, None], treated)
    assert fit.coefficients[1] == pytest.approx(4, abs=0.6)


def test_constant_and_aliased_covariates_are_named() -> None:
    covariates, treated = sample()
    constant = np.column_stack([covariates, np.full(len(treated), 0.1)])
    with pytest.raises(ConstantColumn, match=r"'warn' never varies \(0.1 in all 400 rows\)"):
        fit_propensity(("income", "returning", "warn"), constant, treated)
    aliased = np.column_stack([covariates, 3 - covariates[:, 1] + covariates[:, 0] / 7])
    with pytest.raises(AliasedColumn, match=r"'sum' follows exactly from 'income', 'returning'"):
        fit_propensity(("income", "returning", "sum"), aliased, treated)


def test_gaps_shapes_and_groups_of_one_are_refused() -> None:
    covariates, treated = sample()
    gap = covariates.copy()
    gap[6, 1] = np.nan
    with pytest.raises(Gaps, match=r"'returning' has no value in row 7 \(1 gaps"):
        fit_propensity(("income", "returning"), gap, treated)
    with pytest.raises(BadShape, match=r"\(400, 1\)"):
        fit_propensity(("income",), covariates, treated)
    one = np.zeros(400, dtype=bool)
    one[0] = True
    with pytest.raises(SingleCategory, match="1 treated rows of 400"):
        fit_propensity(("income", "returning"), covariates, one)
