"""Penalized logit and proportional odds: hand-computable cases, the penalty by brute force, and size with clusters."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed: pip install 'mi-coder[analysis]'")

from scipy import optimize, stats

from mi_coder.arrays import Floats
from mi_coder.errors import UnknownName
from mi_coder.outcomes.guards import AliasedColumn, Separation, TooFewClusters
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.penalized import fit_penalized, penalized_terms


def _two_by_two(a: int, b: int, c: int, d: int) -> tuple[Floats, Floats]:
    """Outcome and column of a table: a and b rows with the column are 1 and 0, c and d of the others."""
    outcome = np.repeat([1.0, 0, 1, 0], [a, b, c, d])
    return outcome, np.repeat([1.0, 1, 0, 0], [a, b, c, d])[:, None]


def _penalized_likelihood(parameters: Floats, outcome: Floats, columns: Floats) -> float:
    """log L + 1/2 log |I|, probabilities and their derivatives by differences, in the columns' own units."""
    levels = int(outcome.max()) + 1

    def probabilities(at: Floats) -> Floats:
        slopes, thresholds = at[: columns.shape[1]], at[columns.shape[1] :]
        distances = np.concatenate([[-np.inf], thresholds, [np.inf]]) - (columns @ slopes)[:, None]
        return np.diff(1 / (1 + np.exp(-distances)), axis=1)

    p = probabilities(parameters)
    if (p <= 0).any():
        return -np.inf
    moves = np.stack(
        [(probabilities(parameters + e) - probabilities(parameters - e)) / 2e-5 for e in 1e-5 * np.eye(len(parameters))]
    )
    information = np.einsum("aij,bij,ij->ab", moves, moves, 1 / p)
    assert p.shape[1] == levels
    log_p = np.log(p[np.arange(len(outcome)), outcome.astype(int)])
    return float(log_p.sum() + np.linalg.slogdet(information)[1] / 2)


def _ordinal(seed: int = 3, rows: int = 60) -> tuple[Floats, Floats]:
    """Four levels and three columns, of which the last is above 0 in rows of the highest level alone."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(rows, 3)) * [1, 10, 1]
    outcome = np.digitize(columns[:, 0] + random.logistic(size=rows), [-1.0, 0.0, 1.0]).astype(float)
    columns[:, 2] = 0
    columns[np.flatnonzero(outcome == 3)[:6], 2] = 1 + random.random(6)
    return outcome, columns


@pytest.mark.parametrize("table", [(9, 0, 12, 20), (5, 7, 8, 3), (4, 0, 0, 6)])
def test_a_table_of_two_by_two_has_one_half_added_to_every_cell(table: tuple[int, int, int, int]) -> None:
    a, b, c, d = (cell + 0.5 for cell in table)
    fit = fit_penalized(*_of(table))
    assert fit.coefficients[0] == pytest.approx(np.log(a * d / b / c), abs=1e-6)
    assert fit.thresholds[0] == pytest.approx(-np.log(c / d), abs=1e-6)


def _of(table: tuple[int, int, int, int]) -> tuple[Floats, list[str], Floats]:
    outcome, column = _two_by_two(*table)
    return outcome, ["x"], column


def test_where_the_likelihood_has_no_maximum_the_penalized_one_has() -> None:
    for outcome, columns in (_two_by_two(9, 0, 12, 20), _ordinal()):
        names = ["a", "b", "c"][: columns.shape[1]]
        with pytest.raises(Separation):
            fit_ordinal(outcome, names, columns)
        fit = fit_penalized(outcome, names, columns)
        assert 0.5 < fit.coefficients[-1] < 10 and np.isfinite(fit.se).all()


@pytest.mark.parametrize("two_levels", [True, False])
def test_the_fit_is_the_maximum_of_the_penalized_likelihood(two_levels: bool) -> None:
    outcome, columns = _ordinal()
    outcome = (outcome == 3).astype(float) if two_levels else outcome
    fit = fit_penalized(outcome, ["a", "b", "c"], columns)
    best = np.concatenate([fit.coefficients, fit.thresholds])
    value = _penalized_likelihood(best, outcome, columns)
    slope = optimize.approx_fprime(best, _penalized_likelihood, 1e-4, outcome, columns)
    assert abs(slope * np.concatenate([[1, 0.1, 1], np.ones(len(fit.thresholds))])).max() < 0.01
    for move in np.vstack([np.eye(len(best)), -np.eye(len(best))]) * 0.02:
        assert _penalized_likelihood(best + move, outcome, columns) < value


@pytest.mark.parametrize("two_levels", [True, False])
def test_p_and_ends_of_the_interval_are_those_of_the_profile(two_levels: bool) -> None:
    outcome, columns = _ordinal()
    outcome = (outcome == 3).astype(float) if two_levels else outcome
    names = ["a", "b", "c"]
    fit = fit_penalized(outcome, names, columns)
    (term,) = penalized_terms(outcome, names, columns, ["c"], alpha=0.1)
    best = np.concatenate([fit.coefficients, fit.thresholds])
    top = _penalized_likelihood(best, outcome, columns)

    def ratio(value: float) -> float:
        """Twice the fall of the likelihood with the coefficient of c at a value, by another way of climbing."""
        scale = np.concatenate([[1, 0.1], np.ones(len(fit.thresholds))])

        def cost(free: Floats) -> float:
            free = free * scale
            return -_penalized_likelihood(np.concatenate([free[:2], [value], free[2:]]), outcome, columns)

        found = optimize.minimize(
            cost,
            np.delete(best, 2) / scale,
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 9999},
        )
        return 2 * (top + float(found.fun))

    assert term.p == pytest.approx(stats.chi2.sf(ratio(0.0), 1), rel=1e-3)
    assert (term.inflation, term.df) == (1.0, np.inf)
    limit = stats.chi2.ppf(0.9, 1)
    assert term.low < term.estimate < term.high
    assert [ratio(term.low), ratio(term.high)] == pytest.approx([limit, limit], abs=1e-3)


def test_units_and_the_direction_of_levels_do_not_matter() -> None:
    outcome, columns = _ordinal()
    names = ["a", "b", "c"]
    (term,) = penalized_terms(outcome, names, columns, ["c"])
    (rescaled,) = penalized_terms(outcome, names, columns * [1e3, 1e-4, 100] + [5, -2, 7], ["c"])
    (turned,) = penalized_terms(3 - outcome, names, columns, ["c"])
    for name, sign in (("estimate", 1), ("se", 1), ("low", 1), ("high", 1)):
        assert getattr(rescaled, name) * 100 == pytest.approx(sign * getattr(term, name), rel=1e-5)
    assert rescaled.p == pytest.approx(term.p) == pytest.approx(turned.p, rel=1e-6)
    assert (turned.estimate, turned.low) == pytest.approx((-term.estimate, -term.high), rel=1e-5)


def test_with_many_rows_and_no_separation_it_is_the_usual_fit() -> None:
    random = np.random.default_rng(1)
    columns = random.normal(size=(4000, 2))
    outcome = np.digitize(columns @ [0.4, -0.2] + random.logistic(size=4000), [-1.0, 0.0, 1.0]).astype(float)
    usual, fit = fit_ordinal(outcome, ["a", "b"], columns), fit_penalized(outcome, ["a", "b"], columns)
    assert fit.coefficients == pytest.approx(usual.coefficients, rel=0.005)
    assert fit.se == pytest.approx(usual.se, rel=0.01)
    term = penalized_terms(outcome, ["a", "b"], columns, ["b"])[0]
    assert [term.low, term.high] == pytest.approx(
        usual.coefficients[1] + usual.se[1] * np.array([-1.96, 1.96]), rel=0.02
    )


def _rare(clusters: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """A rare column without effect that hangs on the counselor, as the outcome does; separation is frequent."""
    random = np.random.default_rng(seed)
    of_row = np.repeat(np.arange(clusters), 20)
    users = random.random(clusters) < 0.2
    x = (random.random(len(of_row)) < 0.3 * users[of_row]).astype(float)
    w = random.normal(size=len(of_row))
    outcome = (1.2 * random.normal(size=clusters)[of_row] + 0.3 * w + random.logistic(size=len(of_row)) > -1).astype(
        float
    )
    return outcome, np.column_stack([x, w]), of_row


def test_clusters_are_counted() -> None:
    with_clusters: list[bool] = []
    without: list[bool] = []
    for seed in range(60):
        outcome, columns, clusters = _rare(20, seed)
        for found, by in ((with_clusters, clusters), (without, None)):
            (term,) = penalized_terms(outcome, ["x", "w"], columns, ["x"], by)
            found.append(term.p <= 0.05)
            assert (term.p <= 0.05) == (not term.low <= 0 <= term.high)
    # A fifth of 20 counselors use the column: the test is careful then, and takes rows for independent at no price.
    assert np.mean(with_clusters) <= 0.05
    assert np.mean(without) > 0.1


def test_five_clusters_are_enough() -> None:
    outcome, columns = _ordinal()
    (term,) = penalized_terms(outcome, ["a", "b", "c"], columns, ["c"], np.arange(60) % 5)
    assert term.df == 4


def test_an_effect_is_found_with_clusters() -> None:
    random = np.random.default_rng(2)
    columns = np.zeros((600, 2))
    columns[:, 1] = random.normal(size=600)
    outcome = (random.logistic(size=600) > 0).astype(float)
    columns[np.flatnonzero(outcome)[:20], 0] = 1
    (term,) = penalized_terms(outcome, ["x", "w"], columns, ["x"], np.arange(600) % 60)
    assert term.df == 59 and term.p < 0.01 and term.low > 0 and term.inflation >= 1


def test_the_interval_narrows_with_alpha() -> None:
    outcome, names, column = _of((9, 0, 12, 20))
    widths = [
        term.high - term.low
        for alpha in (0.01, 0.05, 0.2)
        for term in penalized_terms(outcome, names, column, names, None, alpha)
    ]
    assert all(wide > narrow for wide, narrow in pairwise(widths))


def test_what_is_refused() -> None:
    outcome, columns = _ordinal()
    names = ["a", "b", "c"]
    with pytest.raises(UnknownName, match="no column 'd'"):
        penalized_terms(outcome, names, columns, ["d"])
    with pytest.raises(TooFewClusters, match="4, but at least 5 are needed"):
        penalized_terms(outcome, names, columns, ["c"], np.arange(60) % 4)
    with pytest.raises(AliasedColumn):
        fit_penalized(outcome, names, np.column_stack([columns[:, :2], columns[:, 0] + columns[:, 1]]))
