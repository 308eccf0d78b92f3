"""Four families of models: estimates of statsmodels, weights, influences, and what is refused."""

import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mi_coder.errors import UnknownName
from mi_coder.outcomes.families import Estimate, Family, cluster_totals, clustered_covariance, fit_family
from mi_coder.outcomes.guards import (
    AliasedColumn,
    BadShape,
    ConstantColumn,
    ExactFit,
    Gaps,
    ModelProblem,
    Separation,
    SingleCategory,
    TooFewClusters,
)

ROWS, CLUSTERS = 600, 40
NAMES = ("affirm", "advise", "severity")
FAMILIES: tuple[Family, ...] = ("linear", "logit", "ordinal", "poisson")
OFFSET = np.log(np.random.default_rng(5).integers(5, 80, ROWS))


def sample(family: Family, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, columns on three scales, counselors."""
    random = np.random.default_rng(seed)
    clusters = random.integers(0, CLUSTERS, ROWS)
    standard = random.normal(size=(ROWS, 3)) + 0.5 * random.normal(size=(CLUSTERS, 3))[clusters]
    linear = standard @ [0.5, -0.3, 0.1] + 0.4 * random.normal(size=CLUSTERS)[clusters]
    columns = standard * [1, 0.01, 50] + [0, 3, 200]
    latent = linear + random.logistic(size=ROWS)
    outcome = {
        "linear": linear + random.normal(size=ROWS),
        "logit": (latent > 0.3).astype(float),
        "ordinal": 1.0 + (latent[:, None] > [-2, -0.5, 1]).sum(axis=1),
        "poisson": random.poisson(np.exp(OFFSET - 3 + 0.5 * linear)).astype(float),
    }[family]
    return outcome, columns, clusters


def offset_of(family: Family) -> np.ndarray | None:
    return OFFSET if family == "poisson" else None


def fitted(family: Family, weights: np.ndarray | None = None) -> tuple[Estimate, np.ndarray]:
    outcome, columns, clusters = sample(family)
    return fit_family(family, outcome, NAMES, columns, weights, offset_of(family)), clusters


def theirs(family: Family, weights: np.ndarray | None = None) -> Any:
    """The same model by statsmodels on standardized columns, and the spread to get back."""
    statsmodels = pytest.importorskip("statsmodels.api")
    outcome, columns, clusters = sample(family)
    spread = columns.std(axis=0)
    design = np.column_stack([np.ones(ROWS), (columns - columns.mean(axis=0)) / spread])
    groups = {"cov_type": "cluster", "cov_kwds": {"groups": clusters}}
    ones = np.ones(ROWS) if weights is None else weights
    if family == "linear":
        return statsmodels.WLS(outcome, design, weights=ones).fit(**groups), spread
    if family == "logit" and weights is None:
        return statsmodels.Logit(outcome, design).fit(method="newton", disp=0, tol=1e-14, **groups), spread
    kinds = {"logit": statsmodels.families.Binomial(), "poisson": statsmodels.families.Poisson()}
    model = statsmodels.GLM(outcome, design, family=kinds[family], offset=offset_of(family), var_weights=ones)
    return model.fit(tol=1e-14, maxiter=100, **groups), spread


@pytest.mark.parametrize("family", ["linear", "logit", "poisson"])
@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_and_clustered_errors_are_those_of_statsmodels(family: Family, weighted: bool) -> None:
    weights = np.random.default_rng(8).uniform(0.5, 2, ROWS) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other, spread = theirs(family, weights)
    fit, clusters = fitted(family, weights)
    assert fit.coefficients == pytest.approx(other.params[1:] / spread, rel=1e-8)
    covariance = clustered_covariance(fit, clusters)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(other.bse[1:] / spread, rel=1e-8)
    assert covariance == pytest.approx(other.cov_params()[1:, 1:] / np.outer(spread, spread), rel=1e-6)
    assert (fit.names, fit.levels, fit.parameters) == (NAMES, (), 4)


def test_proportional_odds_are_those_of_statsmodels() -> None:
    pandas = pytest.importorskip("pandas")
    module = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    outcome, columns, _ = sample("ordinal")
    fit, clusters = fitted("ordinal")
    spread = columns.std(axis=0)
    model = module.OrderedModel(
        pandas.Categorical(outcome, ordered=True), (columns - columns.mean(axis=0)) / spread, distr="logit"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = model.fit(
            method="bfgs", maxiter=500, gtol=1e-9, disp=0, cov_type="cluster", cov_kwds={"groups": clusters}
        )
    assert fit.coefficients == pytest.approx(other.params[:3] / spread, rel=1e-4)
    errors = np.sqrt(np.diag(clustered_covariance(fit, clusters)))
    assert errors == pytest.approx(other.bse[:3] / spread, rel=1e-4)
    assert (fit.levels, fit.parameters) == ((1, 2, 3, 4), 6)


@pytest.mark.parametrize("family", ["linear", "logit", "poisson"])
def test_dispersion(family: Family) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other, _ = theirs(family)
    if family == "logit":
        mean = other.predict()
        expected = ((sample(family)[0] - mean) ** 2 / (mean * (1 - mean))).sum() / (ROWS - 4)
    else:
        expected = other.scale if family == "linear" else other.pearson_chi2 / other.df_resid
    fit, _ = fitted(family)
    assert fit.dispersion == pytest.approx(expected, rel=1e-8)
    assert fitted(family, np.full(ROWS, 7.0))[0].dispersion == pytest.approx(expected, rel=1e-8)


def test_an_ordinal_model_has_no_dispersion() -> None:
    assert np.isnan(fitted("ordinal")[0].dispersion)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_weight_of_three_is_a_row_three_times(family: Family) -> None:
    outcome, columns, clusters = sample(family)
    weights = np.random.default_rng(1).integers(1, 4, ROWS)
    again = np.repeat(np.arange(ROWS), weights)
    weighted, _ = fitted(family, weights.astype(float))
    offset = None if family != "poisson" else OFFSET[again]
    repeated = fit_family(family, outcome[again], NAMES, columns[again], offset=offset)
    assert weighted.coefficients == pytest.approx(repeated.coefficients, rel=1e-8)
    by_cluster = [
        cluster_totals(fit.influence, codes, CLUSTERS)
        for fit, codes in ((weighted, clusters), (repeated, clusters[again]))
    ]
    scale = abs(by_cluster[0]).max(axis=0)
    assert by_cluster[0] / scale == pytest.approx(by_cluster[1] / scale, abs=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_ratios_of_weights_count(family: Family) -> None:
    weights = np.random.default_rng(1).uniform(0.2, 5, ROWS)
    one, other = fitted(family, weights)[0], fitted(family, 1e4 * weights)[0]
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)
    assert one.influence == pytest.approx(other.influence, rel=1e-7, abs=1e-9 * abs(one.influence).max())
    assert one.dispersion == pytest.approx(other.dispersion, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_influences_add_up_to_nothing(family: Family, weighted: bool) -> None:
    weights = np.random.default_rng(1).uniform(0.2, 5, ROWS) if weighted else None
    influence = fitted(family, weights)[0].influence
    assert influence.shape == (ROWS, 3)
    assert abs(influence.sum(axis=0) / abs(influence).sum(axis=0)).max() < 1e-9


@pytest.mark.parametrize("family", FAMILIES)
def test_influence_is_what_a_little_more_weight_of_a_row_does(family: Family) -> None:
    outcome, columns, _ = sample(family)
    fit, _ = fitted(family)
    for row in (0, 77, 401):
        ends = []
        for change in (1e-4, -1e-4):
            weights = np.ones(ROWS)
            weights[row] += change
            ends.append(fit_family(family, outcome, NAMES, columns, weights, offset_of(family)).coefficients)
        slope = (ends[0] - ends[1]) / 2e-4
        assert slope == pytest.approx(fit.influence[row], rel=1e-4, abs=1e-6 * abs(fit.coefficients).max())


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15)
@given(power=st.floats(-8, 8), shift=st.floats(-5, 5), sign=st.sampled_from([1, -1]))
def test_a_column_in_other_units_is_the_same_model(family: Family, power: float, shift: float, sign: int) -> None:
    outcome, columns, clusters = sample(family)
    unit = sign * 10**power
    before, _ = fitted(family)
    moved = columns.copy()
    moved[:, 1] = unit * (columns[:, 1] - 3 + 0.01 * shift)
    after = fit_family(family, outcome, NAMES, moved, offset=offset_of(family))
    back = np.array([1, unit, 1])
    assert after.coefficients * back == pytest.approx(before.coefficients, rel=1e-7)
    errors = [np.sqrt(np.diag(clustered_covariance(fit, clusters))) for fit in (before, after)]
    assert errors[1] * abs(back) == pytest.approx(errors[0], rel=1e-6)
    assert after.dispersion == pytest.approx(before.dispersion, rel=1e-8, nan_ok=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_checked(family: Family) -> None:
    outcome, columns, _ = sample(family)
    for wrong in (0.0, -1.0, np.nan, np.inf):
        weights = np.ones(ROWS)
        weights[6] = wrong
        with pytest.raises(BadShape, match="Weights must be 600 numbers above 0, one for each row"):
            fit_family(family, outcome, NAMES, columns, weights)
    with pytest.raises(BadShape, match="Weights must be 600 numbers"):
        fit_family(family, outcome, NAMES, columns, np.ones(ROWS - 1))


def test_a_logit_of_three_levels_and_counts_below_0() -> None:
    outcome, columns, _ = sample("ordinal")
    with pytest.raises(ModelProblem, match="two levels, but this one has 4: cut it in two"):
        fit_family("logit", outcome, NAMES, columns)
    with pytest.raises(ModelProblem, match="count is below 0"):
        fit_family("poisson", outcome - 2, NAMES, columns)


def test_an_offset_is_for_counts_and_checked() -> None:
    outcome, columns, _ = sample("poisson")
    with pytest.raises(ModelProblem, match="Only a Poisson model takes an offset, but this model is linear"):
        fit_family("linear", outcome, NAMES, columns, offset=OFFSET)
    with pytest.raises(BadShape, match=re.escape("600 outcomes and an offset of shape (599,)")):
        fit_family("poisson", outcome, NAMES, columns, offset=OFFSET[1:])
    with np.errstate(divide="ignore"):
        logs = np.log(np.where(np.arange(ROWS) < 4, 0, np.exp(OFFSET)))
    with pytest.raises(Gaps, match=r"offset is not a number in row 1 .4 such rows"):
        fit_family("poisson", outcome, NAMES, columns, offset=logs)


def test_an_outcome_that_follows_from_the_columns() -> None:
    _, columns, _ = sample("linear")
    with pytest.raises(ExactFit, match="among the columns"):
        fit_family("linear", columns @ [1, 20, 0.3], NAMES, columns)
    nearly = columns @ [1, 20, 0.3] + 1e-3 * np.random.default_rng(0).normal(size=ROWS)
    assert fit_family("linear", nearly, NAMES, columns).coefficients == pytest.approx([1, 20, 0.3], rel=1e-2)


@pytest.mark.parametrize("family", ["logit", "ordinal"])
def test_a_separating_column_is_named(family: Family) -> None:
    outcome, columns, _ = sample(family)
    columns[:, 1] = outcome + 0.5 * np.random.default_rng(0).random(ROWS)
    with pytest.raises(Separation, match="'advise'") as caught:
        fit_family(family, outcome, NAMES, columns)
    assert caught.value.columns == ("advise",)


@pytest.mark.parametrize("rows", [1, 6, 40])
def test_a_column_of_zero_counts_alone_is_named(rows: int) -> None:
    outcome, columns, _ = sample("poisson")
    columns[:, 1] = 0
    columns[np.flatnonzero(outcome == 0)[:rows], 1] = 1
    with pytest.raises(Separation, match="'advise' identifies rows in which every count is 0") as caught:
        fit_family("poisson", outcome, NAMES, columns, offset=OFFSET)
    assert caught.value.columns == ("advise",)


def test_columns_that_only_together_tell_zero_counts_are_named() -> None:
    outcome, columns, _ = sample("poisson")
    flag = (np.random.default_rng(4).random(ROWS) < 0.3).astype(float)
    columns[:, 0] = columns[:, 1] = flag
    columns[np.flatnonzero((outcome == 0) & (flag == 0))[:5], 1] = 1
    with pytest.raises(Separation, match="'advise'"):
        fit_family("poisson", outcome, NAMES, columns)


def test_a_count_of_one_and_an_outlier_separate_nothing() -> None:
    outcome, columns, _ = sample("poisson")
    columns[:, 1] = 0
    zeros = np.flatnonzero(outcome == 0)[:6]
    columns[zeros, 1] = 1
    outcome[zeros[0]] = 1
    assert np.isfinite(fit_family("poisson", outcome, NAMES, columns).coefficients).all()
    outcome, columns, _ = sample("poisson")
    columns[zeros[0], 0] = -150.0
    fit = fit_family("poisson", outcome, NAMES, columns, offset=OFFSET)
    assert fit.coefficients[0] > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_constant_and_aliased_columns_and_gaps_are_named(family: Family) -> None:
    outcome, columns, _ = sample(family)
    constant, aliased, gap = columns.copy(), columns.copy(), columns.copy()
    constant[:, 1] = 4
    aliased[:, 2] = 10 - 2 * columns[:, 0]
    gap[3, 0] = np.nan
    for wrong, kind, message, name in (
        (constant, ConstantColumn, "Column 'advise' never varies (4 in all 600 rows)", "advise"),
        (aliased, AliasedColumn, "Column 'severity' follows exactly from 'affirm'", "severity"),
        (gap, Gaps, "Column 'affirm' has no value in row 4", "affirm"),
    ):
        with pytest.raises(kind, match=re.escape(message)) as caught:
            fit_family(family, outcome, NAMES, wrong)
        assert caught.value.columns == (name,)


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes_that_tell_nothing_or_are_missing(family: Family) -> None:
    outcome, columns, _ = sample(family)
    with pytest.raises(SingleCategory, match="All 600 outcomes are 1"):
        fit_family(family, np.ones(ROWS), NAMES, columns)
    outcome[9] = np.nan
    with pytest.raises(Gaps, match="outcome has no value in row 10"):
        fit_family(family, outcome, NAMES, columns)
    with pytest.raises(BadShape, match=re.escape("(600, 2), but it is (600, 3)")):
        fit_family(family, sample(family)[0], NAMES[:2], columns)


def test_too_few_clusters() -> None:
    fit, _ = fitted("ordinal")
    with pytest.raises(TooFewClusters, match="4 clusters"):
        clustered_covariance(fit, np.arange(ROWS) % 4)
    with pytest.raises(TooFewClusters, match="6 clusters are too few for clustered standard errors of 6 coefficients"):
        clustered_covariance(fit, np.arange(ROWS) % 6)
    assert clustered_covariance(fit, np.arange(ROWS) % 7).shape == (3, 3)
    with pytest.raises(BadShape, match="clusters of shape"):
        clustered_covariance(fit, np.arange(ROWS - 1) % 7)


def test_without_columns_there_is_a_constant_alone() -> None:
    for family in FAMILIES:
        outcome, _, clusters = sample(family)
        fit = fit_family(family, outcome, (), np.empty((ROWS, 0)))
        assert fit.coefficients.shape == (0,)
        assert clustered_covariance(fit, clusters).shape == (0, 0)


@pytest.mark.parametrize(
    ("family", "told"),
    [
        ("ols", "No family 'ols'. There are linear, logit, ordinal, poisson."),
        ("Poisson", "No family 'Poisson'. Did you mean 'poisson'? There are linear, logit, ordinal, poisson."),
    ],
)
def test_a_family_that_does_not_exist(family: Any, told: str) -> None:
    outcome, columns, _ = sample("poisson")
    with pytest.raises(UnknownName, match=f"^{re.escape(told)}$"):
        fit_family(family, outcome, NAMES, columns)
