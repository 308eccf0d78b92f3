"""What makes other programs fail, or answer with nonsense and no word, each provoked once and answered in plain words.

In the comments: what statsmodels 0.15 makes of the same data.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mi_coder.errors import MiCoderError
from mi_coder.outcomes.gee import fit_gee
from mi_coder.outcomes.guards import (
    AliasedColumn,
    BadShape,
    ConstantColumn,
    EmptyLevel,
    Gaps,
    NoClusterVariance,
    Separation,
    SingleCategory,
    TooFewClusters,
    cluster_codes,
    warn_of_few_clusters,
)
from mi_coder.outcomes.multiplicity import q_values
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_effects import marginal_effect, predict
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.propensity import fit_propensity
from mi_coder.outcomes.proportional import check_proportional_odds
from mi_coder.outcomes.random_intercept import fit_random_intercept
from mi_coder.outcomes.response import fit_response
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

ROWS = 600
NAMES = ("affirm", "warn", "question")


@pytest.fixture
def columns() -> np.ndarray:
    return np.random.default_rng(21).normal(size=(ROWS, 3))


@pytest.fixture
def counselors() -> np.ndarray:
    return np.array([f"counselor-{i % 50:02}" for i in range(ROWS)])


@pytest.fixture
def ratings(columns: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(22)
    latent = columns @ [0.5, 0, -0.5] + random.logistic(size=ROWS) + random.normal(size=50)[np.arange(ROWS) % 50]
    return 1.0 + (latent[:, None] > [-2, -1, 0, 1]).sum(axis=1)


def fits_of(
    ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray, names: tuple[str, ...] = NAMES
) -> dict[str, Callable[[], Any]]:
    """Every model of conversations, ready to run."""
    high = ratings >= 4
    return {
        "ordinal": lambda: fit_ordinal(ratings, names, columns, counselors),
        "ordinal, random intercept": lambda: fit_ordinal_random(ratings, names, columns, counselors),
        "random intercept": lambda: fit_random_intercept(ratings, names, columns, counselors),
        "linear, equations": lambda: fit_gee("linear", ratings, names, columns, counselors),
        "logit, equations": lambda: fit_gee("logit", high.astype(float), names, columns, counselors),
        "logit": lambda: fit_ordinal(high.astype(float), names, columns, counselors),
        "wild bootstrap": lambda: wild_bootstrap(ratings, names, columns, counselors, names[0], draws=99),
        "proportional odds": lambda: check_proportional_odds(ratings, names, columns, counselors),
        "response": lambda: fit_response(high, names, columns, counselors),
        "propensity": lambda: fit_propensity(names, columns, high),
    }


CLUSTERED = (
    "ordinal",
    "ordinal, random intercept",
    "random intercept",
    "linear, equations",
    "logit, equations",
    "logit",
    "wild bootstrap",
    "proportional odds",
    "response",
)
RANDOM = ("ordinal, random intercept", "random intercept")
LOGITS = ("logit, equations", "logit", "response", "propensity")


def refused(fit: Callable[[], Any], kind: type[MiCoderError], *words: str) -> MiCoderError:
    with pytest.raises(kind) as caught:
        fit()
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return caught.value


def test_the_data_are_sound(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    for fit in fits_of(ratings, columns, counselors).values():
        fit()


def test_a_constant_column(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # OrderedModel: "There should not be a constant in the model"; MixedLM: "Singular matrix"; OLS: 4.3e12.
    columns[:, 1] = 0
    for fit in fits_of(ratings, columns, counselors).values():
        error = refused(fit, ConstantColumn, "Column 'warn' never varies (0 in all 600 rows)", "Leave it out")
        assert error.columns == ("warn",)  # type: ignore[attr-defined]


def test_an_aliased_column(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # MixedLM: "Singular matrix"; OLS: a minimum-norm answer.
    columns[:, 2] = 10 - columns[:, 0] - columns[:, 1]
    for fit in fits_of(ratings, columns, counselors).values():
        error = refused(fit, AliasedColumn, "Column 'question' follows exactly from 'affirm', 'warn'", "reference")
        assert error.columns == ("question",)  # type: ignore[attr-defined]


def test_a_star_that_nobody_gave(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # OrderedModel: a threshold of -inf, coefficients of 0 and three warnings.
    ratings[ratings == 2] = 3
    stars = (1, 2, 3, 4, 5)
    for model in (fit_ordinal, fit_ordinal_random):
        words = ("No row has 2", "Fit on the 4 levels that occur (1, 3, 4, 5)")
        refused(lambda model=model: model(ratings, NAMES, columns, counselors, stars), EmptyLevel, *words)
        fit = model(ratings, NAMES, columns, counselors)
        assert fit.levels == (1, 3, 4, 5)
        assert np.isfinite(fit.thresholds).all()


def test_all_stars_the_same(columns: np.ndarray, counselors: np.ndarray) -> None:
    # OrderedModel: "shapes (600,1) and (0,) not aligned".
    fits = fits_of(np.full(ROWS, 5.0), columns, counselors)
    for name in ("ordinal", "ordinal, random intercept", "random intercept", "linear, equations", "wild bootstrap"):
        refused(fits[name], SingleCategory, "All 600 outcomes are 5: there is nothing to explain")
    refused(fits["logit"], SingleCategory, "All 600 outcomes are 1")
    refused(fits["response"], SingleCategory, "All 600 rows have the outcome")
    refused(fits["propensity"], SingleCategory, "0 untreated rows of 600")


def test_stars_that_a_column_separates(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # OrderedModel: a coefficient of 29, an error of 116, converged, and no warning.
    columns[:, 1] = ratings + np.random.default_rng(1).random(ROWS)
    fits = fits_of(ratings, columns, counselors)
    for name in ("ordinal", "ordinal, random intercept", "proportional odds"):
        error = refused(fits[name], Separation, "'warn'", "rises", "infinite")
        assert error.columns == ("warn",)  # type: ignore[attr-defined]


def test_two_groups_that_a_column_separates(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # Logit: converged=False and 2984; GLM: only a PerfectSeparationWarning.
    columns[:, 1] = (ratings >= 4) * 2.0 + np.random.default_rng(1).random(ROWS)
    fits = fits_of(ratings, columns, counselors)
    for name in LOGITS:
        error = refused(fits[name], Separation, "'warn'")
        assert error.columns == ("warn",)  # type: ignore[attr-defined]


def test_two_groups_that_columns_separate_together(
    ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray
) -> None:
    columns[:, 1] = (ratings >= 4) * 1.5 - columns[:, 0] + np.random.default_rng(1).random(ROWS)
    fits = fits_of(ratings, columns, counselors)
    for name in LOGITS:
        refused(fits[name], Separation, "affirm", "warn", "together")


def test_columns_in_raw_units(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # OrderedModel: not converged, and other errors.
    units = np.array([1e4, 1e-4, 1e8])
    moved = columns * units + 1e5 * units
    fits, raw = fits_of(ratings, columns, counselors), fits_of(ratings, moved, counselors)
    for name in ("ordinal", "ordinal, random intercept"):
        plain, other = fits[name](), raw[name]()
        assert other.coefficients * units == pytest.approx(plain.coefficients, rel=1e-5, abs=1e-7)
        assert other.se * units == pytest.approx(plain.se, rel=1e-5)
    for name in ("random intercept", "linear, equations", "logit, equations"):
        plain, other = fits[name](), raw[name]()
        assert other.coefficients[1:] * units == pytest.approx(plain.coefficients[1:], rel=1e-5, abs=1e-7)
        assert other.se[1:] * units == pytest.approx(plain.se[1:], rel=1e-5)


def test_the_default_of_others_does_not_converge_and_ours_has_no_slope_left(
    ratings: np.ndarray, columns: np.ndarray
) -> None:
    # OrderedModel, method="nm" by default: not converged with two columns.
    fit = fit_ordinal(ratings, NAMES[:2], columns[:, :2])

    def log_likelihood(coefficients: np.ndarray) -> float:
        edges = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
        at = 1 / (1 + np.exp(-(edges - (columns[:, :2] @ coefficients)[:, None])))
        place = ratings.astype(int)
        return float(np.log(at[np.arange(ROWS), place] - at[np.arange(ROWS), place - 1]).sum())

    assert log_likelihood(fit.coefficients) == pytest.approx(fit.log_likelihood)
    for move in np.vstack([np.eye(2), -np.eye(2)]) * 1e-3:
        assert log_likelihood(fit.coefficients + move) < fit.log_likelihood


def test_rows_without_rating_do_not_change_the_names_of_levels(ratings: np.ndarray, columns: np.ndarray) -> None:
    # OrderedModel: thresholds are named "1.0/2.0" instead of "1/2" where a rating is missing.
    gaps = ratings.copy()
    gaps[:5] = np.nan
    refused(lambda: fit_ordinal(gaps, NAMES, columns), Gaps, "no value in row 1 (5 gaps in all)", "drop and count rows")
    rated = np.isfinite(gaps)
    levels = fit_ordinal(gaps[rated], NAMES, columns[rated]).levels
    assert levels == fit_ordinal(ratings.astype(int), NAMES, columns).levels == (1, 2, 3, 4, 5)


def test_no_variance_between_counselors(columns: np.ndarray) -> None:
    # MixedLM: a warning about the boundary, and converged.
    outcome = np.tile([1.0, 2, 3, 4, 5], ROWS // 5)
    counselors = np.array([f"c{i // 5}" for i in range(ROWS)])
    fits = fits_of(outcome, columns, counselors)
    refused(fits["random intercept"], NoClusterVariance, "between the 120 clusters is estimated as 0", "least squares")
    refused(fits["ordinal, random intercept"], NoClusterVariance, "estimated as 0", "errors clustered by counselor")
    # The refit that is named.
    assert fits["ordinal"]().clusters == 120


def test_every_conversation_its_own_counselor(ratings: np.ndarray, columns: np.ndarray) -> None:
    # MixedLM: a variance of 1.0 and converged, which means nothing.
    fits = fits_of(ratings, columns, np.arange(ROWS))
    for name in RANDOM:
        refused(fits[name], TooFewClusters, "0 of 600 clusters", "needs 10 counselors with at least two conversations")
    for name in ("linear, equations", "logit, equations"):
        refused(fits[name], TooFewClusters, "Each of the 600 clusters has one row")


def test_three_counselors(ratings: np.ndarray, columns: np.ndarray) -> None:
    # MixedLM: the error of the variance is NaN.
    fits = fits_of(ratings, columns, np.array(["anna", "ben", "cleo"])[np.arange(ROWS) % 3])
    for name in RANDOM:
        refused(fits[name], TooFewClusters, "3 clusters ('anna', 'ben', 'cleo')", "fixed effects")
    for name in ("ordinal", "linear, equations", "logit", "response", "proportional odds"):
        refused(
            fits[name], TooFewClusters, "3 clusters ('anna', 'ben', 'cleo') are too few for clustered standard errors"
        )
    refused(fits["wild bootstrap"], TooFewClusters, "3 clusters are too few")


def test_rows_without_outcome_and_without_counselor(
    ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray
) -> None:
    # MixedLM with a formula: PatsyError; OLS and OrderedModel drop the rows and do not say so.
    ratings[[6, 8]] = np.nan
    fits = fits_of(ratings, columns, counselors)
    for name in ("ordinal", "ordinal, random intercept", "random intercept", "linear, equations", "wild bootstrap"):
        refused(fits[name], Gaps, "no value in row 7 (2 gaps in all)", "drop and count rows")
    unknown = counselors.astype(object)
    unknown[[3, 4, 5]] = None
    kept = np.where(np.isnan(ratings), 1.0, ratings)
    for name in CLUSTERED:
        refused(fits_of(kept, columns, unknown)[name], Gaps, "Row 4 has no cluster (3 such rows)")


def test_counselors_of_more_rows_than_are_fitted(
    ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray
) -> None:
    # With formulas: "The weights and list don't have the same length".
    fits = fits_of(ratings[2:], columns[2:], counselors)
    for name in CLUSTERED:
        words = ("There are 598 outcomes and clusters of shape (600,)", "Drop rows once, from everything")
        refused(fits[name], BadShape, *words)


def test_one_counselor(ratings: np.ndarray, columns: np.ndarray) -> None:
    # ZeroDivisionError
    fits = fits_of(ratings, columns, np.full(ROWS, "anna"))
    for name in ("ordinal", "linear, equations", "logit, equations", "logit", "response", "proportional odds"):
        refused(fits[name], TooFewClusters, "All rows are of one cluster ('anna')", "this counselor only")
    for name in RANDOM:
        refused(fits[name], TooFewClusters, "There is 1 cluster ('anna')")
    refused(fits["wild bootstrap"], TooFewClusters, "1 cluster is too few")


def test_no_more_counselors_than_coefficients(ratings: np.ndarray, columns: np.ndarray) -> None:
    # Errors come out, less than half of what they should be.
    six = np.arange(ROWS) % 6
    more = np.column_stack([columns, columns**2])
    names = (*NAMES, "affirm2", "warn2", "question2")
    fits = fits_of(ratings, more, six, names)
    for name in ("ordinal", "linear, equations", "logit, equations", "logit", "response", "proportional odds"):
        refused(fits[name], TooFewClusters, "6 clusters are too few for clustered standard errors of", "wild bootstrap")
    assert fits["wild bootstrap"]().clusters == 6


def test_few_counselors_are_warned_of(columns: np.ndarray) -> None:
    # statsmodels gives z tests that reject 14 % of true nulls at 10 counselors.
    assert warn_of_few_clusters(cluster_codes(np.arange(ROWS) % 10, ROWS)) == (
        "Only 10 clusters: with less than 40, clustered standard errors are too small. Intervals and p values are from "
        "the t distribution with 9 degrees of freedom, which makes up for a part of that: take p values just below "
        ".05, above all between counselors, as not clear."
    )
    assert warn_of_few_clusters(cluster_codes(np.arange(ROWS) % 39, ROWS))
    assert not warn_of_few_clusters(cluster_codes(np.arange(ROWS) % 40, ROWS))


def test_the_variance_between_counselors_is_a_variance() -> None:
    # MixedLM: params["g Var"] is the variance divided by the residual variance.
    random = np.random.default_rng(4)
    counselors = np.repeat(np.arange(300), 10)
    outcome = 3 * random.normal(size=300)[counselors] + 6 * random.normal(size=3000)
    fit = fit_random_intercept(outcome, [], np.empty((3000, 0)), counselors)
    assert fit.tau2 == pytest.approx(9, rel=0.25)
    assert fit.sigma2 == pytest.approx(36, rel=0.1)


def test_marginal_effects_and_predictions_of_stars(
    ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray
) -> None:
    # OrderedModel: get_margeff does not exist, and summary_frame() of predictions raises ValueError.
    fit = fit_ordinal(ratings, NAMES, columns, counselors)
    effect = marginal_effect(fit, columns, "affirm")
    up, down = (predict(fit, columns + move * np.eye(3)[0]).probabilities.mean(axis=0) for move in (1e-5, -1e-5))
    assert effect.effects == pytest.approx((up - down) / 2e-5, rel=1e-5)
    assert (effect.se > 0).all()
    predictions = predict(fit, columns)
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(ROWS))
    assert (predictions.se > 0).all()


def test_odds_that_are_not_proportional(columns: np.ndarray, counselors: np.ndarray) -> None:
    # statsmodels has no test.
    random = np.random.default_rng(5)
    noise = random.logistic(size=ROWS)
    ratings = 1.0 + (columns[:, :1] * [-1, 0, 1, 2] + noise[:, None] > [-3, -1, 1, 3]).sum(axis=1)
    check = check_proportional_odds(ratings, NAMES, columns, counselors)
    wald = {column.name: column.wald for column in check.columns if column.wald is not None}
    # 0.001 is the least p of 999 sign flips.
    assert wald["affirm"].p == 0.001 < wald["warn"].p
    assert check.wald is not None and check.wald.p == 0.001
    assert wald["affirm"].statistic > 50 and check.wald.statistic > 50


def test_a_test_without_p_value_in_a_family() -> None:
    # multipletests: all adjusted values NaN, and rejections all the same.
    p = np.array([0.001, np.nan, 0.02, 0.5])
    assert q_values(p) == pytest.approx([0.003, np.nan, 0.03, 0.5], nan_ok=True)


def test_codes_named_c_q_and_i(ratings: np.ndarray, columns: np.ndarray, counselors: np.ndarray) -> None:
    # Formulas: columns of the data hide the functions C(), Q() and I().
    names = ("C", "Q", "I")
    plain, named = fits_of(ratings, columns, counselors), fits_of(ratings, columns, counselors, names)
    for name in set(plain) - {"wild bootstrap", "proportional odds"}:
        fit = named[name]()
        assert fit.names == names
        assert fit.coefficients == pytest.approx(plain[name]().coefficients)
    assert named["wild bootstrap"]().name == "C"
    assert [column.name for column in named["proportional odds"]().columns] == ["C", "Q", "I"]
    assert marginal_effect(named["ordinal"](), columns, "Q").name == "Q"
