"""Coefficients corrected by gold chats, and errors that depend on the outcome; studies of known truth are in
tests/reference."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from mi_coder.outcomes.families import Family, clustered_covariance, fit_family
from mi_coder.outcomes.guards import BadShape, ConstantColumn, Gaps, ModelProblem, TooFewClusters
from mi_coder.outcomes.label_error import (
    CONVENIENCE,
    Corrected,
    TooLittleGold,
    correct,
    error_by_outcome,
    fit_pieces,
)

NAMES = ("affirm", "advise", "severity")
FAMILIES: tuple[Family, ...] = ("linear", "logit", "ordinal", "poisson")
CLUSTERS = 60


@dataclass(frozen=True, eq=False)
class Chats:
    """True and tagged columns of all chats; the third is a covariate without error."""

    outcome: np.ndarray
    true: np.ndarray
    tagged: np.ndarray
    clusters: np.ndarray
    rows: np.ndarray
    offset: np.ndarray | None

    @property
    def gold_clusters(self) -> int:
        return len(np.unique(self.clusters[self.rows]))

    def correct(self, family: Family, **changes) -> Corrected:
        given = {"gold": self.true[self.rows], "gold_rows": self.rows, "offset": self.offset, **changes}
        return correct(family, self.outcome, NAMES, self.tagged, clusters=self.clusters, **given)


def chats(family: Family, noise: float = 0.7, seed: int = 2, rows: int = 1200, gold: int = 240) -> Chats:
    random = np.random.default_rng(seed)
    clusters = random.integers(0, CLUSTERS, rows)
    true = random.normal(size=(rows, 3)) + 0.5 * random.normal(size=(CLUSTERS, 3))[clusters]
    linear = true @ [0.5, -0.3, 0.2] + 0.3 * random.normal(size=CLUSTERS)[clusters]
    latent = linear + random.logistic(size=rows)
    offset = np.log(random.integers(10, 60, rows)) if family == "poisson" else None
    outcome = {
        "linear": lambda: linear + random.normal(size=rows),
        "logit": lambda: (latent > 0.2).astype(float),
        "ordinal": lambda: 1.0 + (latent[:, None] > [-1.5, 0, 1.5]).sum(axis=1),
        "poisson": lambda: random.poisson(np.exp(offset - 3 + 0.5 * linear)).astype(float),
    }[family]()
    tagged = true.copy()
    tagged[:, :2] = (true[:, :2] + noise * random.normal(size=(rows, 2))) / np.sqrt(1 + noise**2)
    return Chats(outcome, true, tagged, clusters, np.sort(random.choice(rows, gold, replace=False)), offset)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tagger_without_error_gives_the_fit_of_all_chats(family: Family) -> None:
    data = chats(family, noise=0)
    found = data.correct(family, tuned=False)
    full = fit_family(family, data.outcome, NAMES, data.true, offset=data.offset)
    assert found.corrected.coefficients == pytest.approx(full.coefficients, rel=1e-8)
    assert found.naive.coefficients == pytest.approx(full.coefficients, rel=1e-12)
    errors = np.sqrt(np.diag(clustered_covariance(full, data.clusters)))
    assert found.naive.se == pytest.approx(errors, rel=1e-8)
    # Without the factor (n - 1) / (n - k), and with that of the clusters that gold chats are of.
    present = data.gold_clusters
    factor = present / (present - 1) / (60 / 59) / (1199 / (1200 - full.parameters))
    assert found.corrected.se == pytest.approx(errors * np.sqrt(factor), rel=1e-8)
    assert (found.weights == 1).all()
    assert (found.gain > 1.5).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tagger_of_pure_noise_leaves_the_gold_chats_alone(family: Family) -> None:
    data = chats(family)
    noise = np.random.default_rng(9).normal(size=data.true.shape)
    # One column tells nothing; others are covariates, without error.
    tagged = np.column_stack([noise[:, 0], data.true[:, 1:]])
    found = replace(data, tagged=tagged).correct(family)
    assert found.weights[0] < 0.35
    assert found.corrected.coefficients[0] == pytest.approx(
        found.gold_only.coefficients[0], abs=0.75 * found.gold_only.se[0]
    )
    assert found.gain[0] == pytest.approx(1, abs=0.1)
    assert (found.weights[1:] > 0.5).all()


def test_weights_of_noise_are_near_0_on_average() -> None:
    shares = []
    for seed in range(40):
        data = chats("linear", seed=seed, rows=600, gold=150)
        tagged = np.random.default_rng(1000 + seed).normal(size=data.true.shape)
        shares.append(replace(data, tagged=tagged).correct("linear").weights)
    assert np.mean(shares) < 0.08


def test_gold_rows_by_the_tagger_may_have_columns_of_their_own() -> None:
    data = chats("linear")
    true = data.true[data.rows]
    own = data.tagged[data.rows] + 0.5 * true
    pieces = fit_pieces("linear", data.outcome, NAMES, data.tagged, true, data.rows, data.clusters, tagged_on_gold=own)
    expected = fit_family("linear", data.outcome[data.rows], NAMES, own)
    assert pieces.same_rows.coefficients == pytest.approx(expected.coefficients)


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_are_the_three_fits_and_the_formula(family: Family) -> None:
    data = chats(family)
    found = data.correct(family)
    part = None if data.offset is None else data.offset[data.rows]
    gold, same = (
        fit_family(family, data.outcome[data.rows], NAMES, columns[data.rows], offset=part)
        for columns in (data.true, data.tagged)
    )
    everywhere = fit_family(family, data.outcome, NAMES, data.tagged, offset=data.offset)
    assert found.gold_only.coefficients == pytest.approx(gold.coefficients)
    assert found.naive.coefficients == pytest.approx(everywhere.coefficients)
    small, present = np.sqrt(240 / (240 - gold.parameters)), data.gold_clusters
    a, b = np.zeros((CLUSTERS, 3)), np.zeros((CLUSTERS, 3))
    for place, row in enumerate(data.rows):
        a[data.clusters[row]] += small * gold.influence[place]
        b[data.clusters[row]] += small * same.influence[place]
    for row in range(1200):
        b[data.clusters[row]] -= everywhere.influence[row]
    share = np.clip((a * b).sum(axis=0) / (b * b).sum(axis=0), 0, 1)
    assert found.weights == pytest.approx(share)
    assert ((found.weights > 0.1) & (found.weights < 1))[:2].all()
    assert found.corrected.coefficients == pytest.approx(
        gold.coefficients + share * (everywhere.coefficients - same.coefficients)
    )
    se = np.sqrt(present / (present - 1) * ((a - share * b) ** 2).sum(axis=0))
    assert found.corrected.se == pytest.approx(se)
    assert found.gold_only.se == pytest.approx(np.sqrt(present / (present - 1) * (a**2).sum(axis=0)))
    assert found.gain == pytest.approx((found.gold_only.se / se) ** 2)
    assert (found.gain >= 1).all()
    assert (found.names, found.n, found.n_gold, found.clusters, found.warnings) == (NAMES, 1200, 240, present, ())


def test_no_other_weight_has_a_smaller_error() -> None:
    data = chats("ordinal", noise=1.5)
    found = data.correct("ordinal")
    assert (found.weights[:2] < 0.9).all()
    factor = found.clusters / (found.clusters - 1)
    pieces = fit_pieces(
        "ordinal", data.outcome, NAMES, data.tagged, data.true[data.rows], data.rows, data.clusters, offset=None
    )
    for share in np.linspace(0, 1, 21):
        se = np.sqrt(factor * ((pieces.gold - share * pieces.difference) ** 2).sum(axis=0))
        assert (found.corrected.se <= se * (1 + 1e-12)).all()
    assert (data.correct("ordinal", tuned=False).corrected.se > found.corrected.se)[:2].all()


def test_intervals_and_p_are_of_the_t_distribution() -> None:
    data = chats("linear")
    found, present = data.correct("linear", alpha=0.1), data.gold_clusters
    for part, df in ((found.naive, 59), (found.gold_only, present - 1), (found.corrected, present - 1)):
        assert part.df == df
        half = stats.t.ppf(0.95, df) * part.se
        assert part.low == pytest.approx(part.coefficients - half)
        assert part.high == pytest.approx(part.coefficients + half)
        assert part.p == pytest.approx(2 * (1 - stats.t.cdf(abs(part.coefficients / part.se), df)), abs=1e-12)


def test_degrees_of_freedom_are_of_the_clusters_that_gold_chats_are_of() -> None:
    data = chats("linear")
    rows = np.flatnonzero(data.clusters < 12)[:200]
    found = replace(data, rows=rows).correct("linear")
    assert (found.clusters, found.gold_only.df, found.corrected.df, found.naive.df) == (12, 11, 11, 59)


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_probabilities_change_nothing(family: Family) -> None:
    data = chats(family)
    plain, weighted = data.correct(family), data.correct(family, probabilities=np.full(240, 0.2))
    for one, other in ((plain.corrected, weighted.corrected), (plain.gold_only, weighted.gold_only)):
        assert one.coefficients == pytest.approx(other.coefficients, rel=1e-8)
        assert one.se == pytest.approx(other.se, rel=1e-8)
    assert plain.weights == pytest.approx(weighted.weights, rel=1e-8)


def test_gold_chats_sampled_by_outcome_are_unbiased_with_their_probabilities_alone() -> None:
    truth, studies = np.array([0.5, -0.3, 0.2]), 120
    weighted, ignored, covered = np.empty((studies, 3)), np.empty((studies, 3)), np.empty((studies, 3))
    for i in range(studies):
        data = chats("linear", noise=2, seed=100 + i, rows=1500)
        chance = np.where(data.outcome > 0.5, 0.4, 0.08)
        rows = np.flatnonzero(np.random.default_rng(i).random(1500) < chance)
        data = replace(data, rows=rows)
        found = data.correct("linear", probabilities=chance[rows]).corrected
        weighted[i] = found.coefficients
        covered[i] = (found.low <= truth) & (truth <= found.high)
        ignored[i] = data.correct("linear").corrected.coefficients
    monte_carlo = weighted.std(axis=0, ddof=1) / np.sqrt(studies)
    assert (abs(weighted.mean(axis=0) - truth) < 3.5 * monte_carlo).all()
    assert (abs(ignored.mean(axis=0) - truth)[:2] > 4 * ignored.std(axis=0, ddof=1)[:2] / np.sqrt(studies)).all()
    assert covered.mean() > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / studies / 2)


def test_errors_that_depend_on_the_outcome_are_taken_out() -> None:
    naive, corrected = [], []
    for seed in range(60):
        data = chats("linear", seed=seed, rows=1500, gold=300)
        tagged = data.true.copy()
        tagged[:, 1] += 0.5 * data.outcome + 0.3 * np.random.default_rng(seed).normal(size=1500)
        found = replace(data, tagged=tagged).correct("linear")
        naive.append(found.naive.coefficients[1])
        corrected.append(found.corrected.coefficients[1])
    assert np.mean(naive) > 0.1
    assert np.mean(corrected) == pytest.approx(-0.3, abs=3.5 * np.std(corrected) / np.sqrt(60))


def test_gold_chats_taken_as_they_came_are_warned_of() -> None:
    data = chats("linear")
    assert data.correct("linear", convenience=True).warnings == (CONVENIENCE,)
    assert data.correct("linear", convenience=True, probabilities=np.full(240, 0.5)).warnings == ()


def test_too_few_gold_chats() -> None:
    data = chats("linear")
    rows = data.rows[:19]
    with pytest.raises(TooLittleGold, match=r"19 gold chats are too few for 4 parameters: at least 20 are needed"):
        replace(data, rows=rows).correct("linear")
    assert replace(data, rows=data.rows[:20]).correct("linear").n_gold == 20


def test_a_code_that_gold_chats_do_not_tell_of() -> None:
    data = chats("linear")
    gold = data.true[data.rows].copy()
    gold[:, 1] = 0
    with pytest.raises(ConstantColumn, match=r"Among the 240 gold chats, 'advise' never varies.*rare-code") as caught:
        data.correct("linear", gold=gold)
    assert caught.value.columns == ("advise",)


def test_gold_chats_of_few_counselors() -> None:
    data = chats("linear")
    with pytest.raises(TooFewClusters, match=r"The gold chats are of 4 clusters, .* at least 5\. Code chats of more"):
        replace(data, rows=np.flatnonzero(data.clusters < 4)).correct("linear")
    with pytest.raises(TooFewClusters, match="of 6 clusters, too few for clustered standard errors of 6 parameters"):
        replace(chats("ordinal"), rows=np.flatnonzero(chats("ordinal").clusters < 6)).correct("ordinal")
    assert replace(data, rows=np.flatnonzero(data.clusters < 6)).correct("linear").clusters == 6


def test_a_rating_that_no_gold_chat_has() -> None:
    data = chats("ordinal")
    rows = data.rows[data.outcome[data.rows] != 2]
    with pytest.raises(TooLittleGold, match=r"No gold chat has the rating 2: .* merge it with its neighbor"):
        replace(data, rows=rows).correct("ordinal")


def test_rows_that_stand_twice_or_are_not_there() -> None:
    data = chats("linear")
    with pytest.raises(BadShape, match="twice among the gold rows"):
        replace(data, rows=np.append(data.rows[:-1], data.rows[0])).correct("linear")
    for strange in (-1, 1200):
        with pytest.raises(BadShape, match="numbers of rows from 0 to 1199"):
            data.correct("linear", gold_rows=np.append(data.rows[:-1], strange))


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.01, np.nan])
def test_probabilities_are_checked(wrong: float) -> None:
    probabilities = np.full(240, 0.2)
    probabilities[3] = wrong
    with pytest.raises(BadShape, match="probability with which it was drawn, above 0 and at most 1"):
        chats("linear").correct("linear", probabilities=probabilities)
    with pytest.raises(BadShape, match="Each gold row needs the probability"):
        chats("linear").correct("linear", probabilities=np.full(239, 0.2))


def test_shapes_and_gaps() -> None:
    data = chats("linear")
    with pytest.raises(BadShape, match=re.escape("(1200, 3) and (240, 3); they are (1200, 3) and (239, 3)")):
        data.correct("linear", gold=data.true[data.rows[1:]])
    with pytest.raises(BadShape, match="tagged and gold columns must"):
        replace(data, tagged=data.tagged[:, :2]).correct("linear")
    gold = data.true[data.rows].copy()
    gold[5, 2] = np.nan
    with pytest.raises(Gaps, match="'severity'"):
        data.correct("linear", gold=gold)
    with pytest.raises(BadShape, match="clusters of shape"):
        replace(data, clusters=data.clusters[1:]).correct("linear")
    with pytest.raises(ModelProblem, match="Only a Poisson model takes an offset"):
        data.correct("linear", offset=np.zeros(1200))


def coded(seed: int, recall: np.ndarray | float, wrong: float = 0.05, rows: int = 250) -> tuple[np.ndarray, ...]:
    """Tagged and true messages with two codes and with others, an outcome that goes with the first, and counselors.

    `recall` is of the first code in the lower and in the upper half of the outcome.
    """
    random = np.random.default_rng(seed)
    clusters = random.integers(0, 50, rows)
    length = random.integers(10, 60, rows)
    use = 1 / (1 + np.exp(1.5 - 0.8 * random.normal(size=rows)))
    first = random.binomial(length, use)
    second = random.binomial(length - first, 0.15)
    gold = np.column_stack([first, second, length - first - second]).astype(float)
    outcome = 4 * use + 0.02 * length + 0.3 * random.normal(size=50)[clusters] + 0.5 * random.normal(size=rows)
    shares = np.where(outcome[:, None] > np.median(outcome), *np.broadcast_to(recall, 2)[::-1])[:, 0]
    tagged = random.binomial(first, shares) + random.binomial(length - first, wrong)
    found = random.binomial(second, 0.6)
    return np.column_stack([tagged, found, length - tagged - found]).astype(float), gold, outcome, clusters


CODES = ("affirm", "advise", "other")


def p_values(frame) -> dict[str, float]:
    return dict(frame.drop_duplicates("code")[["code", "p"]].itertuples(index=False, name=None))


def test_errors_that_do_not_depend_on_the_outcome_have_uniform_p() -> None:
    """Though the tagger misses more messages of chats with more of them, which have higher outcomes."""
    found = [p_values(error_by_outcome(CODES, *coded(seed, 0.7))) for seed in range(300)]
    for code in ("affirm", "advise"):
        p = np.array([each[code] for each in found])
        assert abs((p < 0.05).mean() - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 300)
        assert stats.kstest(p, "uniform").pvalue > 0.005


def test_errors_that_depend_on_the_outcome_are_found() -> None:
    found = [error_by_outcome(CODES, *coded(seed, np.array([0.5, 0.8]))) for seed in range(30)]
    p = [p_values(frame) for frame in found]
    assert np.mean([each["affirm"] < 0.01 for each in p]) > 0.9
    assert np.mean([each["advise"] < 0.05 for each in p]) < 0.2
    per_true = np.mean([frame["found_per_true"].to_numpy()[:2] for frame in found], axis=0)
    assert per_true[1] - per_true[0] > 0.15


def test_joint_p_is_the_smallest_by_the_number_of_codes_tested() -> None:
    tagged, gold, outcome, clusters = coded(3, np.array([0.6, 0.7]))
    frame = error_by_outcome(CODES, tagged, gold, outcome, clusters)
    p = p_values(frame)
    assert (frame["p_joint"] == min(3 * min(p.values()), 1)).all()
    tagged[:, 1] = gold[:, 1]
    frame = error_by_outcome(CODES, tagged, gold, outcome, clusters)
    p = p_values(frame)
    assert np.isnan(p["advise"])
    assert (frame["p_joint"] == min(2 * min(p["affirm"], p["other"]), 1)).all()
    joint = [error_by_outcome(CODES, *coded(seed, 0.7))["p_joint"].iloc[0] for seed in range(200)]
    assert np.mean(np.array(joint) < 0.05) < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 200)
    assert max(joint) == 1
    assert error_by_outcome(CODES, gold, gold, outcome, clusters)["p_joint"].isna().all()


def test_recall_by_hand() -> None:
    outcome = np.array([1.0, 2, 2, 4, 5, 5])
    gold = np.array([[2.0], [0], [2], [4], [1], [0]])
    tagged = np.array([[1.0], [3], [2], [2], [2], [1]])
    hits = np.array([[1.0], [0], [2], [2], [1], [0]])
    frame = error_by_outcome(["affirm"], tagged, gold, outcome, list("aabbcc"), hits=hits)
    assert frame[["code", "stratum", "n"]].to_numpy().tolist() == [["affirm", "lower", 4], ["affirm", "upper", 5]]
    assert frame["recall"].tolist() == [3 / 4, 3 / 5]
    # Lower: counselor a found 1 of 2, b 2 of 2; residuals 1 - 1.5 and 2 - 1.5. Upper: 2 of 4 and 1 of 1.
    half = 1.959964 * np.sqrt(2 * (0.5**2 + 0.5**2)) / 4
    assert frame["low"].iloc[0] == pytest.approx(max(0.75 - half, 0))
    assert frame["high"].iloc[0] == 1
    half = 1.959964 * np.sqrt(2 * (0.4**2 + 0.4**2)) / 5
    assert frame[["low", "high"]].iloc[1].tolist() == pytest.approx([0.6 - half, 0.6 + half])
    assert frame["p"].isna().all()


def test_counts_per_chat_give_found_per_true_message_and_no_recall() -> None:
    """By chance alone this tagger finds as many messages as there are: its false alarms make up for what it misses."""
    random = np.random.default_rng(0)
    length = random.integers(15, 30, 400)
    gold = random.binomial(length, 0.3)
    hits = random.binomial(gold, 0.3)
    tagged = hits + random.binomial(length - gold, 0.4)
    outcome, clusters = random.normal(size=400), np.arange(400) % 40
    sides = [each[:, None].astype(float) for each in (tagged, gold, hits)]
    frame = error_by_outcome(["affirm"], *sides[:2], outcome, clusters)
    upper = outcome > np.median(outcome)
    assert list(frame.columns) == ["code", "stratum", "n", "found_per_true", "low", "high", "p", "p_joint"]
    expected = [tagged[half].sum() / gold[half].sum() for half in (~upper, upper)]
    assert frame["found_per_true"].tolist() == pytest.approx(expected)
    assert (frame["found_per_true"] > 1).all() and (frame["high"] > frame["found_per_true"]).all()
    by_message = error_by_outcome(["affirm"], *sides[:2], outcome, clusters, hits=sides[2])
    assert "found_per_true" not in by_message and (by_message["high"] < 0.4).all()
    assert by_message["p"].tolist() == frame["p"].tolist()


def test_recall_is_weighted_by_the_probabilities_of_drawing_and_of_known_messages() -> None:
    outcome, clusters = np.array([1.0, 1, 1, 5]), list("abcd")
    gold, hits = np.array([[4.0], [2], [5], [1]]), np.array([[1.0], [2], [np.nan], [1]])
    given = {"hits": hits, "probabilities": np.array([0.5, 0.1, 0.5, 0.5])}
    frame = error_by_outcome(["affirm"], gold, gold, outcome, clusters, **given)
    assert frame["n"].tolist() == [6, 1]
    assert frame["recall"].tolist() == pytest.approx([(2 * 1 + 10 * 2) / (2 * 4 + 10 * 2), 1])


def test_a_tagger_without_errors() -> None:
    _, gold, outcome, clusters = coded(1, 0.7)
    frame = error_by_outcome(CODES, gold, gold, outcome, clusters, hits=gold)
    assert (frame[["recall", "low", "high"]] == 1).all(axis=None)
    assert frame["p"].isna().all()


def test_a_code_that_nobody_used_and_outcomes_at_the_top() -> None:
    tagged, gold, outcome, clusters = coded(1, 0.7)
    gold[:, 1] = 0
    top = np.where(outcome > np.quantile(outcome, 0.3), 5.0, 4.0)
    frame = error_by_outcome(CODES, tagged, gold, top, clusters, hits=np.minimum(tagged, gold))
    frame = frame.set_index(["code", "stratum"])
    assert frame.loc[("advise", "lower"), ["recall", "low", "high"]].isna().all()
    assert frame.loc[("affirm", "upper"), "n"] == gold[top == 5, 0].sum()
    assert frame.loc[("affirm", "lower"), "n"] == gold[top == 4, 0].sum()
    same = error_by_outcome(CODES, tagged, gold, np.full(len(top), 5.0), clusters).set_index(["code", "stratum"])
    assert same["p"].isna().all()
    assert same.loc[("affirm", "lower"), "n"] == 0


def test_units_and_order_of_the_outcome_change_no_p() -> None:
    tagged, gold, outcome, clusters = coded(4, 0.7)
    before = error_by_outcome(CODES, tagged, gold, outcome, clusters)
    after = error_by_outcome(CODES, tagged, gold, 1e6 * outcome + 3e6, clusters)
    assert after["p"].to_numpy() == pytest.approx(before["p"].to_numpy(), rel=1e-6)
    order = np.random.default_rng(0).permutation(len(outcome))
    shuffled = error_by_outcome(CODES, tagged[order], gold[order], outcome[order], clusters[order])
    assert shuffled["p"].to_numpy() == pytest.approx(before["p"].to_numpy(), rel=1e-6)
