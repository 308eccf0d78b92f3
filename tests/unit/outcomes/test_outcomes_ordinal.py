"""The proportional-odds logit; values of R are in tests/reference."""

import warnings

import numpy as np
import pytest

from mi_coder.errors import UnknownName
from mi_coder.outcomes.guards import BadShape, EmptyLevel
from mi_coder.outcomes.ordinal import OrdinalFit, fit_ordinal, row_scores
from mi_coder.outcomes.ordinal_effects import marginal_effect, predict

NAMES = ("affirm", "advise", "severity")


def sample(seed: int = 1, rows: int = 900, cuts: tuple[float, ...] = (-2, -1, 0.5, 1)) -> tuple[np.ndarray, ...]:
    """Ratings, columns on three scales, counselors."""
    random = np.random.default_rng(seed)
    clusters = random.integers(0, 45, rows)
    standard = random.normal(size=(rows, 3)) + 0.5 * random.normal(size=(45, 3))[clusters]
    latent = standard @ [0.6, -0.4, 0.2] + 0.7 * random.normal(size=45)[clusters] + random.logistic(size=rows)
    return 1.0 + (latent[:, None] > cuts).sum(axis=1), standard * [1, 0.01, 1e4] + [0, 3, 2e4], clusters


def log_likelihood(parameters: np.ndarray, ratings: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[rows] by definition, of levels 1, 2, ..."""
    width = columns.shape[1]
    edges = np.concatenate([[-np.inf], parameters[width:], [np.inf]])
    predictor = columns @ parameters[:width]
    at = [1 / (1 + np.exp(-(edges[ratings.astype(int) - below] - predictor))) for below in (0, 1)]
    return np.log(at[0] - at[1])


def parameters_of(fit: OrdinalFit) -> np.ndarray:
    return np.concatenate([fit.coefficients, fit.thresholds])


def slopes(function, point: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Central differences, parameters last."""
    moves = np.diag(step)
    return np.stack([(function(point + move) - function(point - move)) / (2 * move.sum()) for move in moves], axis=-1)


STEP = np.array([1e-5, 1e-4, 1e-9, 1e-5, 1e-5, 1e-5, 1e-5])


def test_rows_scores_are_derivatives_and_add_up_to_nothing() -> None:
    ratings, columns, _ = sample()
    fit = fit_ordinal(ratings, NAMES, columns)
    scores = row_scores(fit, ratings, columns)
    numeric = slopes(lambda at: log_likelihood(at, ratings, columns), parameters_of(fit), STEP)
    assert scores / abs(scores).max(axis=0) == pytest.approx(numeric / abs(scores).max(axis=0), abs=1e-6)
    assert scores.sum(axis=0) / abs(scores).sum(axis=0) == pytest.approx([0] * 7, abs=1e-11)
    assert fit.log_likelihood == pytest.approx(log_likelihood(parameters_of(fit), ratings, columns).sum())
    assert abs(row_scores(fit, ratings[:5], columns[:5]) - scores[:5]).max() == 0


def test_model_errors_are_of_the_curvature() -> None:
    ratings, columns, _ = sample()
    fit = fit_ordinal(ratings, NAMES, columns)

    def total_scores(at: np.ndarray) -> np.ndarray:
        moved = OrdinalFit(NAMES, fit.levels, at[:3], at[3:], fit.model_covariance, None, 0.0, fit.rows, 0)
        return row_scores(moved, ratings, columns).sum(axis=0)

    information = -slopes(total_scores, parameters_of(fit), STEP)
    spread = np.sqrt(np.diag(fit.model_covariance))
    product = fit.model_covariance @ information * spread / spread[:, None]
    assert product == pytest.approx(np.eye(7), abs=1e-5)
    assert fit.clustered_covariance is None
    assert fit.covariance is fit.model_covariance


def test_clustered_errors_are_the_sandwich_of_rows_scores() -> None:
    ratings, columns, clusters = sample()
    fit = fit_ordinal(ratings, NAMES, columns, [f"counselor {i}" for i in clusters])
    scores = row_scores(fit, ratings, columns)
    totals = np.array([scores[clusters == i].sum(axis=0) for i in np.unique(clusters)])
    factor = 45 / 44 * 899 / (900 - 7)
    sandwich = factor * fit.model_covariance @ totals.T @ totals @ fit.model_covariance
    assert fit.clustered_covariance is not None
    spread = np.sqrt(np.diag(sandwich))
    assert fit.clustered_covariance / np.outer(spread, spread) == pytest.approx(
        sandwich / np.outer(spread, spread), abs=1e-7
    )
    assert fit.se == pytest.approx(spread[:3], rel=1e-7)
    assert fit.threshold_se == pytest.approx(spread[3:], rel=1e-7)
    assert fit.clusters == 45


def test_ordered_model_of_statsmodels_agrees() -> None:
    pandas = pytest.importorskip("pandas")
    module = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    ratings, columns, clusters = sample()
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    fit = fit_ordinal(ratings, NAMES, columns, clusters)
    model = module.OrderedModel(pandas.Categorical(ratings, ordered=True), columns, distr="logit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Its usual tolerance stops up to 1e-4 from the maximum.
        other = model.fit(
            method="bfgs", maxiter=500, gtol=1e-9, disp=0, cov_type="cluster", cov_kwds={"groups": clusters}
        )
    assert fit.coefficients == pytest.approx(other.params[:3], abs=1e-6)
    assert fit.thresholds == pytest.approx(model.transform_threshold_params(other.params)[1:-1], abs=1e-6)
    assert fit.se == pytest.approx(other.bse[:3], abs=1e-5)
    assert fit.log_likelihood == pytest.approx(other.llf, abs=1e-8)
    theirs = other.get_prediction(columns[:20], which="prob")
    ours = predict(fit, columns[:20])
    assert ours.probabilities == pytest.approx(theirs.predicted, abs=1e-6)
    assert ours.se == pytest.approx(theirs.se, abs=1e-5)


def test_two_levels_are_the_logit() -> None:
    ratings, columns, _ = sample(cuts=(0.3,))
    fit = fit_ordinal(ratings, NAMES, columns)
    probability = 1 / (1 + np.exp(fit.thresholds[0] - columns @ fit.coefficients))
    residual = (ratings == 2) - probability
    assert residual.sum() == pytest.approx(0, abs=1e-8)
    assert residual @ columns / columns.std(axis=0) == pytest.approx([0] * 3, abs=1e-7)


def test_without_columns_thresholds_are_those_of_the_counts() -> None:
    ratings = np.repeat([1.0, 2, 5], [10, 30, 60])
    fit = fit_ordinal(ratings, [], np.empty((100, 0)))
    assert fit.thresholds == pytest.approx(np.log([10 / 90, 40 / 60]))
    assert fit.log_likelihood == pytest.approx(100 * np.log([0.1, 0.3, 0.6]) @ [0.1, 0.3, 0.6])


def test_a_weight_of_two_is_a_row_twice() -> None:
    ratings, columns, clusters = sample()
    weights = np.where(np.arange(900) % 3 == 0, 2.0, 1.0)
    weighted = fit_ordinal(ratings, NAMES, columns, clusters, weights=weights)
    twice = np.repeat(np.arange(900), weights.astype(int))
    repeated = fit_ordinal(ratings[twice], NAMES, columns[twice], clusters[twice])
    assert weighted.coefficients == pytest.approx(repeated.coefficients, rel=1e-8)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood)
    factor = (899 / 893) / ((len(twice) - 1) / (len(twice) - 7))
    assert weighted.se == pytest.approx(repeated.se * factor**0.5, rel=1e-7)
    assert weighted.rows == 900


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_weights_are_checked(wrong: float) -> None:
    ratings, columns, _ = sample()
    weights = np.ones(900)
    weights[6] = wrong
    with pytest.raises(BadShape, match="The weight of row 7 is"):
        fit_ordinal(ratings, NAMES, columns, weights=weights)
    with pytest.raises(BadShape, match="900 outcomes and weights of shape"):
        fit_ordinal(ratings, NAMES, columns, weights=weights[1:])


def test_coefficients_of_hundreds_of_logits_do_not_overflow() -> None:
    ratings, columns, _ = sample()
    columns = np.column_stack([columns, np.zeros(900)])
    columns[np.flatnonzero(ratings == 3)[0], 3] = 1e8
    fit = fit_ordinal(ratings, (*NAMES, "outlier"), columns)
    assert np.isfinite(fit.log_likelihood)
    assert np.isfinite(fit.se).all()


def test_marginal_effects_are_slopes_of_mean_probabilities() -> None:
    ratings, columns, clusters = sample()
    fit = fit_ordinal(ratings, NAMES, columns, clusters)
    for i, name in enumerate(NAMES):
        effect = marginal_effect(fit, columns, name)
        step = np.zeros(3)
        step[i] = 1e-5 * columns[:, i].std()
        up, down = (predict(fit, columns + sign * step).probabilities.mean(axis=0) for sign in (1, -1))
        assert effect.effects == pytest.approx((up - down) / (2 * step[i]), rel=1e-5)
        assert effect.effects.sum() == pytest.approx(0, abs=1e-12)
        assert effect.expected == pytest.approx(effect.effects @ [1, 2, 3, 4, 5])


def test_delta_errors_are_of_numeric_slopes() -> None:
    ratings, columns, clusters = sample()
    fit = fit_ordinal(ratings, NAMES, columns, clusters)

    def moved(at: np.ndarray) -> OrdinalFit:
        return OrdinalFit(NAMES, fit.levels, at[:3], at[3:], fit.model_covariance, fit.covariance, 0.0, 900, 45)

    by_level = slopes(lambda at: marginal_effect(moved(at), columns, "advise").effects, parameters_of(fit), STEP)
    effect = marginal_effect(fit, columns, "advise")
    assert effect.se == pytest.approx(np.sqrt(np.einsum("ij,jk,ik->i", by_level, fit.covariance, by_level)), rel=1e-5)
    of_expected = np.arange(1, 6) @ by_level
    assert effect.expected_se == pytest.approx(np.sqrt(of_expected @ fit.covariance @ of_expected), rel=1e-5)
    by_cell = slopes(lambda at: predict(moved(at), columns[:9]).probabilities, parameters_of(fit), STEP)
    expected = np.sqrt(np.einsum("rij,jk,rik->ri", by_cell, fit.covariance, by_cell))
    assert predict(fit, columns[:9]).se == pytest.approx(expected, rel=1e-5)
    assert predict(fit, columns).probabilities.sum(axis=1) == pytest.approx(np.ones(900))


def test_other_columns_and_levels_than_the_fit_are_refused() -> None:
    ratings, columns, _ = sample()
    fit = fit_ordinal(ratings, NAMES, columns)
    with pytest.raises(UnknownName, match=r"no column .affirms. in the model. Did you mean .affirm."):
        marginal_effect(fit, columns, "affirms")
    with pytest.raises(BadShape, match="3 columns"):
        predict(fit, columns[:, :2])
    for strange in (2.5, 6.0, 0.0):
        with pytest.raises(EmptyLevel, match=f"Row 2 has {strange:g}"):
            row_scores(fit, np.array([1.0, strange]), columns[:2])
