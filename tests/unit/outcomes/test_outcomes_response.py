"""Which conversations have an outcome, and weights for those that have."""

import numpy as np
import pytest

from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import AliasedColumn, BadShape, ConstantColumn, Gaps, Separation, SingleCategory
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.response import compare_responders, fit_response, response_weights

NAMES = ("affirm", "warn", "minutes")


def sample(rows: int = 4000, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who responded, columns and counselors: affirmed seekers and long conversations have more ratings."""
    random = np.random.default_rng(seed)
    columns = np.column_stack([random.normal(size=(rows, 2)), random.normal(2400, 600, rows)])
    logit = -0.5 + 0.8 * columns[:, 0] - 0.4 * columns[:, 1] + (columns[:, 2] - 2400) / 1200
    return random.random(rows) < 1 / (1 + np.exp(-logit)), columns, np.arange(rows) % 50


def test_it_is_the_logit() -> None:
    responded, columns, clusters = sample()
    model = fit_response(responded, NAMES, columns, clusters)
    residual = responded - model.probability
    assert residual.sum() == pytest.approx(0, abs=1e-6)
    assert residual @ columns / columns.std(axis=0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert (abs(model.coefficients[1:] - [0.8, -0.4, 1 / 1200]) < 3.5 * model.se[1:]).all()
    assert (model.rows, model.clusters) == (4000, 50)
    logit = np.log(model.probability / (1 - model.probability))
    assert logit == pytest.approx(model.coefficients[0] + columns @ model.coefficients[1:])
    assert fit_response(responded, NAMES, columns).clusters == 0


def test_weights_are_stabilized_inverse_probabilities_cut_at_the_percentile() -> None:
    responded, columns, _ = sample()
    model = fit_response(responded, NAMES, columns)
    whole = response_weights(model, responded, 100)
    expected = np.where(responded, responded.mean() / model.probability, 0)
    assert whole.weights == pytest.approx(expected)
    assert whole.weights[responded].mean() == pytest.approx(1, abs=0.03)
    assert (whole.truncated, whole.cap) == (0, whole.greatest)
    cut = response_weights(model, responded, 95)
    cap = np.percentile(expected[responded], 95)
    assert cut.weights == pytest.approx(np.minimum(expected, cap))
    assert cut.truncated == (expected > cap).sum() == round(0.05 * responded.sum())
    assert cut.greatest == whole.greatest > cut.cap == pytest.approx(cap)
    own = cut.weights[responded]
    assert cut.effective == pytest.approx(own.sum() ** 2 / (own**2).sum())
    assert whole.effective < cut.effective < responded.sum() == cut.responded
    assert f"{responded.sum()} of 4000 conversations" in cut.sentence()
    assert "95th percentile" in cut.sentence()
    assert "no weight is cut" in whole.sentence()
    assert "99th percentile" in response_weights(model, responded).sentence()


def test_equal_weights_are_worth_all_rows() -> None:
    responded = np.arange(400) % 2 == 0
    model = fit_response(responded, [], np.empty((400, 0)))
    assert response_weights(model, responded).effective == pytest.approx(200)


def test_weighted_rows_are_like_all() -> None:
    responded, columns, _ = sample(20_000)
    weights = response_weights(fit_response(responded, NAMES, columns), responded, 100).weights
    constant = np.column_stack([columns, np.full(len(columns), 7), responded])
    gaps = {gap.name: gap for gap in compare_responders(responded, (*NAMES, "same", "rated"), constant, weights)}
    affirm = columns[:, 0]
    sd = np.sqrt((affirm[responded].var() + affirm[~responded].var()) / 2)
    assert gaps["affirm"].difference == pytest.approx((affirm[responded].mean() - affirm[~responded].mean()) / sd)
    assert (gaps["affirm"].mean_with, gaps["affirm"].mean_without) == pytest.approx(
        (affirm[responded].mean(), affirm[~responded].mean())
    )
    for name, sign in zip(NAMES, (1, -1, 1), strict=True):
        assert sign * gaps[name].difference > 0.3
        assert abs(gaps[name].weighted) < 0.05
    assert gaps["same"].difference == gaps["same"].weighted == 0
    assert gaps["rated"].difference == np.inf
    assert np.isnan(compare_responders(responded, NAMES, columns)[0].weighted)


def test_weights_undo_the_bias_of_who_rated() -> None:
    plain, weighted = [], []
    for seed in range(6):
        random = np.random.default_rng(seed + 100)
        responded, columns, _ = sample(20_000, seed)
        # The slope differs between halves of another column, so that it matters which rows are there.
        slope = np.where(columns[:, 1] > 0, 1.5, 0.0)
        latent = slope * columns[:, 0] + random.logistic(size=len(columns))
        ratings = 1.0 + (latent[:, None] > [-1, 0, 1]).sum(axis=1)
        weights = response_weights(fit_response(responded, NAMES, columns), responded, 100).weights[responded]
        affirm, own = columns[:, :1], responded
        whole = fit_ordinal(ratings, ["affirm"], affirm).coefficients[0]
        plain.append(fit_ordinal(ratings[own], ["affirm"], affirm[own]).coefficients[0] - whole)
        weighted.append(fit_ordinal(ratings[own], ["affirm"], affirm[own], weights=weights).coefficients[0] - whole)
    assert np.mean(plain) < -0.08
    assert abs(np.mean(weighted)) < 0.03


def test_what_cannot_be_fitted() -> None:
    responded, columns, _ = sample(400)
    with pytest.raises(SingleCategory, match="All 400 rows have the outcome: none is missing"):
        fit_response(np.ones(400, dtype=bool), NAMES, columns)
    with pytest.raises(SingleCategory, match="None of 400 rows"):
        fit_response(np.zeros(400, dtype=bool), NAMES, columns)
    with pytest.raises(BadShape, match="true or false"):
        fit_response(np.ones(400), NAMES, columns)  # type: ignore[arg-type]
    with pytest.raises(ConstantColumn, match="'warn' never varies"):
        fit_response(responded, NAMES, columns * [1, 0, 1])
    with pytest.raises(AliasedColumn, match="'minutes' follows exactly from 'affirm', 'warn'"):
        fit_response(responded, NAMES, columns @ [[1, 0, 1], [0, 1, 1], [0, 0, 0]])
    with pytest.raises(Separation, match="Column 'warn' rises") as caught:
        fit_response(responded, NAMES, np.column_stack([columns[:, 0], responded, columns[:, 2]]))
    assert caught.value.columns == ("warn",)
    gap = columns.copy()
    gap[4, 1] = np.nan
    with pytest.raises(Gaps, match="'warn' has no value in row 5"):
        compare_responders(responded, NAMES, gap)
    with pytest.raises(BadShape, match=r"weights of shape \(399,\)"):
        compare_responders(responded, NAMES, columns, np.ones(399))
    model = fit_response(responded, NAMES, columns)
    with pytest.raises(BadShape, match="fitted to 400 rows, but 399"):
        response_weights(model, responded[1:])
    for percentile in (50, 101, float("nan")):
        with pytest.raises(UsageProblem, match="percentile above 50"):
            response_weights(model, responded, percentile)
