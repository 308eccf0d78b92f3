"""The check of proportional odds; the value of R's nominal_test is in tests/reference."""

import numpy as np
import pytest

from mi_coder.outcomes.guards import ConstantColumn, ModelProblem, Separation, TooFewClusters
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.proportional import check_proportional_odds

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")

NAMES = ("affirm", "minutes")
CUTS = np.array([-1.0, 0, 1.2])


def sample(seed: int, bend: float = 0.0, rows: int = 800, counselors: int = 40, between: float = 0.5) -> tuple:
    """Ratings of 1 to 4 that are alike within counselors, columns, counselors; `bend` makes affirm matter by cut."""
    random = np.random.default_rng(seed)
    clusters = random.integers(0, counselors, rows)
    standard = between**0.5 * random.normal(size=(counselors, 2))[clusters]
    standard = standard + (1 - between) ** 0.5 * random.normal(size=(rows, 2))
    # Logistic, and of two rows of a counselor correlated by .6, so that the odds are exactly proportional.
    normal = 0.6**0.5 * random.normal(size=counselors)[clusters] + 0.4**0.5 * random.normal(size=rows)
    noise = stats.logistic.ppf(stats.norm.cdf(normal))
    slopes = 0.5 + bend * np.arange(3)
    predictor = standard[:, :1] * slopes - 0.4 * standard[:, 1:]
    return 1.0 + (predictor + noise[:, None] > CUTS).sum(axis=1), standard * [1, 60] + [0, 40], clusters


def logit(outcome: np.ndarray, design: np.ndarray) -> np.ndarray:
    b = np.zeros(design.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ b))
        b += np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]), design.T @ (outcome - p))
    return b


def test_it_is_the_stacked_test_of_the_logits() -> None:
    ratings, columns, clusters = sample(1, bend=0.2)
    check = check_proportional_odds(ratings, NAMES, columns, clusters)
    design = np.column_stack([np.ones(len(ratings)), columns])
    fits, moves = [], []
    for cut in (2, 3, 4):
        b = logit(ratings >= cut, design)
        p = 1 / (1 + np.exp(-design @ b))
        bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
        scores = design * ((ratings >= cut) - p)[:, None]
        fits.append(b[1])
        moves.append([(scores[clusters == g].sum(axis=0) @ bread)[1] for g in np.unique(clusters)])
    covariance = 40 / 39 * np.array(moves) @ np.array(moves).T
    affirm = check.columns[0]
    assert check.cuts == (2, 3, 4)
    assert affirm.slopes == pytest.approx(fits)
    assert affirm.se == pytest.approx(np.sqrt(np.diag(covariance)))
    contrast = np.array([[-1, 1, 0], [0, -1, 1]])
    distance = contrast @ fits
    statistic = distance @ np.linalg.solve(contrast @ covariance @ contrast.T, distance)
    assert affirm.wald is not None
    assert (affirm.wald.statistic, affirm.wald.df) == (pytest.approx(statistic), 2)
    assert (check.rows, check.clusters, check.likelihood_ratio, affirm.likelihood_ratio) == (800, 40, None, None)
    assert check.wald is not None and check.wald.df == 4


def test_its_p_is_that_of_walds_statistic_with_flipped_scores() -> None:
    ratings, columns, clusters = sample(1, bend=0.2)
    check = check_proportional_odds(ratings, NAMES, columns, clusters)
    pooled = fit_ordinal(ratings, NAMES, columns)
    design = np.column_stack([np.ones(len(ratings)), columns])
    steps = []
    for cut, threshold in zip((2, 3, 4), pooled.thresholds, strict=True):
        p = 1 / (1 + np.exp(threshold - columns @ pooled.coefficients))
        bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
        scores = design * ((ratings >= cut) - p)[:, None]
        steps.append([(scores[clusters == g].sum(axis=0) @ bread)[1] for g in np.unique(clusters)])
    moves = np.diff(np.array(steps), axis=0).T

    def statistic(signs: np.ndarray) -> float:
        flipped = moves * signs[:, None]
        spread = flipped - flipped.mean(axis=0)
        return flipped.sum(axis=0) @ np.linalg.solve(spread.T @ spread, flipped.sum(axis=0))

    random = np.random.default_rng(77)
    far = [statistic(random.choice([-1.0, 1.0], 40)) >= statistic(np.ones(40)) for _ in range(4000)]
    found = check.columns[0].wald
    assert found is not None and 0.02 < found.p < 0.5
    assert found.p == pytest.approx(np.mean(far), abs=0.05)
    again = check_proportional_odds(ratings, NAMES, columns, clusters)
    assert (again.wald, again.columns[0].wald) == (check.wald, found)


def crowded(seed: int, counselors: int = 60, rows: int = 1500, bend: float = 0.0) -> tuple:
    """Ratings, the use of five techniques within and between counselors of uneven size, and counselors."""
    random = np.random.default_rng(seed)
    share = random.gamma(1.5, size=counselors)
    further = random.choice(counselors, rows - 3 * counselors, p=share / share.sum())
    clusters = np.concatenate([np.repeat(np.arange(counselors), 3), further])
    use = random.normal(size=(rows, 5)) + 0.5 * random.normal(size=(counselors, 5))[clusters]
    sums = np.column_stack([np.bincount(clusters, column) for column in use.T])
    mean = (sums / np.bincount(clusters)[:, None])[clusters]
    latent = 0.2 * use[:, 0] + 0.5 * random.normal(size=counselors)[clusters] + random.logistic(size=rows)
    above = latent[:, None] + bend * np.arange(4) * use[:, :1] > np.array([-2.2, -1.2, 0, 1.2])
    return 1.0 + above.sum(axis=1), [f"c{i}" for i in range(10)], np.column_stack([use - mean, mean]), clusters


def test_with_tens_of_differences_it_rejects_as_often_as_said_and_finds_what_differs() -> None:
    joint, by_column = [], []
    for seed in range(30):
        check = check_proportional_odds(*crowded(seed))
        assert check.wald is not None and check.wald.df == 30
        joint.append(check.wald.p)
        by_column += [column.wald.p for column in check.columns if column.wald]
    assert np.mean(np.array(joint) <= 0.05) <= 0.1
    assert 0.03 <= np.mean(np.array(by_column) <= 0.05) <= 0.07
    bent = check_proportional_odds(*crowded(0, bend=0.4))
    assert bent.wald is not None and bent.columns[0].wald is not None
    assert bent.wald.p < 0.05 and bent.columns[0].wald.p == 0.001


def test_where_odds_are_proportional_it_rejects_as_often_as_said_and_plain_tests_do_not() -> None:
    wald, by_column, rows_alone = [], [], []
    for seed in range(120):
        ratings, columns, clusters = sample(seed, rows=1600, counselors=80, between=0.9)
        check = check_proportional_odds(ratings, NAMES, columns, clusters)
        wald.append(check.wald.p)  # type: ignore[union-attr]
        by_column.append(check.columns[0].wald.p)  # type: ignore[union-attr]
        rows_alone.append(check_proportional_odds(ratings, NAMES, columns).columns[0].likelihood_ratio.p)  # type: ignore[union-attr]
    for p in (wald, by_column):
        assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1
    assert np.mean(np.array(rows_alone) <= 0.05) > 0.2


def test_independent_rows() -> None:
    ratios, walds = [], []
    for seed in range(150):
        ratings, columns, _ = sample(seed, counselors=800, rows=400)
        check = check_proportional_odds(ratings, NAMES, columns)
        ratios.append(check.columns[0].likelihood_ratio.p)  # type: ignore[union-attr]
        walds.append(check.columns[0].wald.p)  # type: ignore[union-attr]
    for p in (ratios, walds):
        assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1
    assert np.corrcoef(ratios, walds)[0, 1] > 0.9


@pytest.mark.parametrize("clustered", [True, False])
def test_it_finds_the_column_whose_slope_differs(clustered: bool) -> None:
    ratings, columns, clusters = sample(3, bend=0.5, rows=1500)
    check = check_proportional_odds(ratings, NAMES, columns, clusters if clustered else None)
    affirm, minutes = check.columns
    found = [check.wald, affirm.wald] if clustered else [check.wald, affirm.wald, affirm.likelihood_ratio]
    for test in found:
        # No draw of 999 is as far.
        assert test is not None and (test.p == 0.001 if clustered else test.p < 1e-4)
        assert stats.chi2.sf(test.statistic, test.df) < 1e-4
    assert (affirm.likelihood_ratio is None) is clustered
    assert minutes.wald is not None and minutes.wald.p > 0.01
    assert (np.diff(affirm.slopes) > 0.2).all()
    assert "Wald p = " in check.sentence()
    assert ("likelihood ratio" in check.sentence()) is not clustered


def test_units_do_not_matter() -> None:
    ratings, columns, _ = sample(4, bend=0.2)
    check = check_proportional_odds(ratings, NAMES, columns)
    other = check_proportional_odds(10 * ratings, NAMES, columns / [1, 60] + [1e3, 0])
    assert other.cuts == (20, 30, 40)
    for here, there, unit in zip(check.columns, other.columns, (1, 60), strict=True):
        assert there.slopes == pytest.approx(here.slopes * unit, rel=1e-5)
        assert there.se == pytest.approx(here.se * unit, rel=1e-5)
        assert there.wald.p == pytest.approx(here.wald.p, rel=1e-4)  # type: ignore[union-attr]
        assert there.likelihood_ratio.p == pytest.approx(here.likelihood_ratio.p, rel=1e-4)  # type: ignore[union-attr]


def test_the_likelihood_ratio_by_a_general_search() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    ratings, columns, _ = sample(5, bend=0.2, rows=300)
    z = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    codes = ratings.astype(int) - 1

    def loss(point: np.ndarray, free: bool) -> float:
        slopes = point[3:6] if free else np.full(3, point[3])
        at = 1 / (1 + np.exp(-(point[:3] - z[:, :1] * slopes - z[:, 1:] * point[6])))
        below = np.column_stack([np.zeros(300), at, np.ones(300)])
        share = below[np.arange(300), codes + 1] - below[np.arange(300), codes]
        return -np.log(np.maximum(share, 1e-300)).sum()

    start = np.array([-1, 0, 1, 0.5, 0.5, 0.5, -0.4])
    least = [optimize.minimize(loss, start, args=(free,), method="BFGS").fun for free in (False, True)]
    test = check_proportional_odds(ratings, NAMES, columns).columns[0].likelihood_ratio
    assert test is not None
    assert (test.statistic, test.df) == (pytest.approx(2 * (least[0] - least[1]), abs=1e-5), 2)
    assert test.p == pytest.approx(stats.chi2.sf(test.statistic, 2))


def test_a_cut_that_a_column_separates_is_left_out_and_said() -> None:
    ratings, columns, _ = sample(6)
    flag = np.zeros(len(ratings))
    # Some who gave 1 and some who gave 3 or 4, but none of 2: only 4 or more is separated by a flag of 1 and 3.
    flag[np.flatnonzero(ratings == 1)[:5]] = flag[np.flatnonzero(ratings == 3)[:5]] = 1
    check = check_proportional_odds(ratings, ("flag", "affirm"), np.column_stack([flag, columns[:, 0]]))
    assert (check.cuts, check.left_out) == ((2, 3), (4,))
    assert check.columns[0].slopes.shape == (2,)
    assert "No slopes at 4 or more" in check.sentence()
    # All cuts are of the likelihood ratio, whose supremum is finite.
    assert check.columns[0].likelihood_ratio is not None
    assert check.columns[0].likelihood_ratio.df == 2
    assert np.isfinite(check.columns[0].likelihood_ratio.statistic)
    middle = np.zeros(len(ratings))
    middle[np.flatnonzero(ratings == 2)[:9]] = 1
    with pytest.raises(Separation, match=r"Of 3 cuts .* all but 0: .* At 2 or more: Column 'flag'") as caught:
        check_proportional_odds(ratings, ("flag", "affirm"), np.column_stack([middle, columns[:, 0]]))
    assert caught.value.columns == ("flag",)


def test_more_differences_than_clusters_are_not_tested_together() -> None:
    ratings, columns, clusters = sample(7)
    few = check_proportional_odds(
        ratings, ("a", "b", "c"), np.column_stack([columns, np.sin(columns[:, 1])]), clusters % 5
    )
    assert few.wald is None
    assert few.columns[0].wald is not None
    assert "not tested" in few.sentence()


def test_what_cannot_be_checked() -> None:
    ratings, columns, clusters = sample(8)
    with pytest.raises(ModelProblem, match="two levels"):
        check_proportional_odds(1.0 * (ratings > 2), NAMES, columns)
    with pytest.raises(ModelProblem, match="no slopes to compare"):
        check_proportional_odds(ratings, (), columns[:, :0])
    with pytest.raises(ConstantColumn, match="'affirm' never varies"):
        check_proportional_odds(ratings, NAMES, columns * [0, 1])
    with pytest.raises(TooFewClusters, match="3 clusters"):
        check_proportional_odds(ratings, NAMES, columns, clusters % 3)
