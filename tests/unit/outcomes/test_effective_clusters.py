"""How many clusters coefficients rest on: by its formula, where it is known, and what models and studies make of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.codebook import Codebook  # noqa: E402
from mi_coder.outcomes.cr2 import fit_cr2  # noqa: E402
from mi_coder.outcomes.effective_clusters import ENOUGH_EFFECTIVE, effective_clusters  # noqa: E402
from mi_coder.outcomes.experience import fit_experience  # noqa: E402
from mi_coder.outcomes.families import clustered_covariance, fit_family  # noqa: E402
from mi_coder.outcomes.gee import fit_gee  # noqa: E402
from mi_coder.outcomes.information import LARGER_P, information_of  # noqa: E402
from mi_coder.outcomes.label_error import correct  # noqa: E402
from mi_coder.outcomes.score_bootstrap import score_bootstrap  # noqa: E402
from mi_coder.outcomes.study.chats import Chats  # noqa: E402
from mi_coder.outcomes.study.result import Result  # noqa: E402
from mi_coder.outcomes.study.spec import study_of  # noqa: E402
from mi_coder.outcomes.study.writing import write_result  # noqa: E402
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap  # noqa: E402

IDS = list(Codebook.load().ids)


def test_clusters_that_are_alike_count_as_many_as_they_are() -> None:
    columns = np.tile([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], (30, 1))
    assert effective_clusters(columns, np.arange(120) // 4) == pytest.approx([30, 30])


def test_one_cluster_with_everything_counts_as_one() -> None:
    random = np.random.default_rng(1)
    codes = np.arange(1000) % 50
    alone = np.where(codes == 7, random.normal(size=1000), 0)
    alone[codes == 7] -= alone[codes == 7].mean()
    found = effective_clusters(np.column_stack([alone, random.normal(size=1000)]), codes)
    assert found[0] == pytest.approx(1, abs=0.01) and 40 < found[1] <= 50
    assert effective_clusters(np.zeros((1000, 0)), codes).shape == (0,)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_formula_by_matrices(weighted: bool) -> None:
    random = np.random.default_rng(2)
    codes = np.concatenate([np.arange(12), random.choice(12, 200, p=np.arange(1, 13) / 78)])
    columns = random.normal(size=(212, 3)) @ random.normal(size=(3, 3)) + [5, 300, 0]
    weights = random.uniform(0.2, 4, 212) if weighted else None
    x = np.column_stack([np.ones(212), columns])
    weight = np.diag(np.ones(212) if weights is None else weights)
    inverse = np.linalg.inv(x.T @ weight @ x)
    expected = []
    for k in (1, 2, 3):
        gamma = []
        for g in range(12):
            rows = codes == g
            part = x[rows].T @ weight[np.ix_(rows, rows)]
            gamma.append((inverse @ part @ part.T @ inverse)[k, k])
        spread = np.std(gamma) / np.mean(gamma)
        expected.append(12 / (1 + spread**2))
    assert effective_clusters(columns, codes, weights) == pytest.approx(expected, rel=1e-8)


def _platform(rare: int = 0, large: bool = False, seed: int = 3) -> Chats:
    """1,500 chats of 50 counselors; a technique (EA) that `rare` of them use, or one with half of the chats."""
    random = np.random.default_rng(seed)
    who = np.arange(1500) % 50
    if large:
        who = np.where(np.arange(1500) < 750, 0, who)
    counts = pd.DataFrame(0.0, index=[f"chat{i}" for i in range(1500)], columns=IDS)
    counts["OQ"] = random.binomial(15, 0.1 + 0.3 * (who % 7) / 7)
    uses = random.binomial(6, 0.1 + 0.4 * (who % 5) / 5)
    counts["EA"] = np.where((who < rare) & (np.arange(1500) % 100 < 50), 1.0 + uses, 0.0) if rare else uses
    counts["OT"] = 25 - counts["OQ"] - counts["EA"]
    frame = pd.DataFrame({"messages": 25.0, "counselor_id": [f"k{i}" for i in who]}, index=counts.index)
    person = random.normal(0, 0.6, 50)[who]
    frame["rating"] = np.digitize(person + random.logistic(size=1500), [-2, -1, 0, 1.2]) + 1.0
    frame["before"] = random.normal(size=1500)
    frame["after"] = frame["before"] + person + random.normal(size=1500)
    frame["visits"] = random.poisson(np.exp(0.3 * person)).astype(float)
    return Chats(counts, frame, {})


def _fit(chats: Chats, *outcomes: dict[str, Any], gold: Chats | None = None, **changed: Any) -> Result:
    given = {
        "data": {"counts": "chats.csv", "counselor": "counselor_id"},
        "outcomes": list(outcomes),
        "techniques": {"codes": ["OQ", "EA"], "min_chats": 5},
        "inference": {"draws": 199},
        "response_weights": False,
    }
    return study_of({**given, **changed}).fit(chats=chats, gold=gold)


RATING = {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5], "models": ["ordinal", "linear"]}


def test_a_technique_of_three_of_fifty_counselors_is_left_out_and_named(tmp_path: Path) -> None:
    found = _fit(_platform(rare=3), RATING)
    assert set(found.tidy()["code"]) == {"OQ"}
    said = (
        "Emphasizing autonomy (EA) is used by 3 of 50 counselors, fewer than 5: it is not estimated, and its share "
        "counts with the reference."
    )
    assert said in found.notes
    (tmp_path / "chats.csv").touch()
    write_result(found, tmp_path, tmp_path / "out")
    assert said in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert set(_fit(_platform(rare=6), RATING).tidy()["code"]) == {"OQ", "EA"}


def _p_of_t(row: "pd.Series[Any]") -> float:
    return float(2 * stats.t.sf(abs(row["stat"]), row["df"]))


def test_a_technique_of_six_counselors_is_estimated_as_with_few(tmp_path: Path) -> None:
    chats = _platform(rare=6)
    chats.frame["happy"] = (chats.frame["rating"] >= 4).astype(float)
    found = _fit(chats, RATING, {"name": "happy", "type": "binary", "models": ["gee"]})
    use = 10 * chats.counts[["OQ", "EA"]] / 25
    mean = use.groupby(chats.frame["counselor_id"]).transform("mean")
    columns = np.hstack([(use - mean).to_numpy(), mean.to_numpy()])
    names = ["OQ (within)", "EA (within)", "OQ (between)", "EA (between)"]
    who, outcome = chats.frame["counselor_id"].to_numpy(), chats.frame["rating"].to_numpy()
    effective = information_of(names, columns, who).effective
    thin = effective < ENOUGH_EFFECTIVE
    assert thin.tolist() == [False, True, False, True]
    told = (
        f"50 clusters, but in effect only {effective[1]:.1f} for EA (within) and {effective[3]:.1f} for EA (between): "
    )
    ordinal, linear, gee = found.tidy("rating", "ordinal"), found.tidy("rating", "linear"), found.tidy("happy", "gee")
    for rows in (ordinal, linear, gee):
        assert rows["warnings"].str.startswith(told).tolist() == thin.tolist()

    fit = fit_family("ordinal", outcome, names, columns)
    assert np.allclose(ordinal["se"], np.sqrt(np.diag(clustered_covariance(fit, who))))
    assert np.allclose(ordinal["df"], np.where(thin, effective - 1, 49))
    usual = 2 * stats.t.sf(abs(ordinal["stat"]), 49)
    signs = score_bootstrap("ordinal", outcome, names, columns, who, "EA (within)", 199, found.study.seed)
    assert np.allclose(ordinal["p"][~thin], usual[~thin])
    assert ordinal["p"].iloc[1] == pytest.approx(max(signs, _p_of_t(ordinal.iloc[1])))

    few, plain = fit_cr2(outcome, names, columns, who), fit_family("linear", outcome, names, columns)
    errors = np.sqrt(np.diag(clustered_covariance(plain, who)))
    assert np.allclose(linear["se"], np.where(thin, few.se, errors))
    assert np.allclose(linear["df"], np.where(thin, few.df, 49))
    signs = wild_bootstrap(outcome, names, columns, who, "EA (within)", draws=199, seed=found.study.seed).p
    assert linear["p"].iloc[1] == pytest.approx(max(signs, _p_of_t(linear.iloc[1])))

    reduced = fit_gee("logit", chats.frame["happy"].to_numpy(), names, columns, who, bias_reduced=True)
    assert reduced.covariance_kind == "bias_reduced" and np.allclose(gee["se"], reduced.se[1:])
    assert np.allclose(gee["df"], np.where(thin, effective - 1, 49))
    degrees = found.tables["marginal effects: rating"].groupby("term")["df"].first()
    assert np.allclose(degrees[names], ordinal["df"])
    (tmp_path / "chats.csv").touch()
    write_result(found, tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "Few of the 50 clusters decide on EA (within), EA (between): there t has" in text
    assert f"rating: {told}t with one degree of freedom less than that, {LARGER_P}. " in text
    assert LARGER_P == "p the larger of that of t and that of the wild cluster bootstrap"


def test_one_counselor_with_half_of_the_chats_is_named_and_intervals_are_wider() -> None:
    outcomes = (
        {**RATING, "models": ["ordinal", "linear"]},
        {"name": "mood", "type": "change", "before": "before", "after": "after", "models": ["change"]},
        {"name": "visits", "type": "count", "models": ["poisson"]},
    )
    even, one = (_fit(_platform(large=large), *outcomes) for large in (False, True))
    assert not even.rows["warnings"].str.contains("clusters").any()
    assert not any("clusters" in sentence for sentence in even.sentences)
    assert (even.rows.loc[even.rows["code"] != "", "df"] == 49).all()
    within = one.rows[one.rows["level"] == "within"]
    assert (
        len(within) == 8 and within["warnings"].str.contains(r"in effect only .* \(k0 has 51% of the chats\): ").all()
    )
    assert ((within["ci_high"] - within["ci_low"]) / within["se"] > 1.1 * 2 * stats.t.ppf(0.975, 49)).all()
    for name in ("rating", "mood", "visits"):
        [said] = [each for each in one.sentences if each.startswith(f"{name}: 50 clusters, but in effect only")]
        assert "k0 has 51% of the chats" in said and said.endswith("or hardly differ in these techniques.")


def test_gold_chats_of_many_counselors_that_few_decide_on() -> None:
    chats = _platform(large=True)
    gold = Chats(chats.counts.iloc[::3], chats.frame.iloc[::3], {})
    found = _fit(chats, {**RATING, "models": ["linear"]}, gold=gold, label_error={"counts": "gold.csv"})
    rows = found.rows[found.rows["correction"].isin(["gold", "ptd"])]
    assert len(rows) == 4 and (rows["n_clusters"] >= 40).all()
    assert rows["warnings"].str.contains(r"^gold of \d\d clusters, but in effect only .* \(k0 has 5\d% of the").all()
    assert (rows["df"] < 15).all()
    assert any("rating: gold of " in sentence and "in effect only" in sentence for sentence in found.sentences)


def test_gold_chats_drawn_with_unequal_chances_rest_on_fewer_counselors() -> None:
    random = np.random.default_rng(4)
    who, rows = np.arange(2000) % 50, np.arange(0, 2000, 4)
    columns = random.normal(size=(2000, 1))
    outcome = random.normal(size=2000)
    chances = np.where(random.random(500) < 0.02, 0.005, 0.5)
    found = [
        correct("linear", outcome, ["x"], columns, columns[rows], rows, who, probabilities=each, draws=99)
        for each in (None, chances)
    ]
    assert found[0].corrected.df == found[0].clusters - 1 == 24
    few = np.arange(0, 2000, 3)
    plain = correct("linear", outcome, ["x"], columns, columns[few], few, who, draws=99)
    unequal = correct(
        *("linear", outcome, ["x"], columns, columns[few], few, who),
        probabilities=np.where(random.random(len(few)) < 0.02, 0.005, 0.5),
        draws=99,
    )
    assert plain.corrected.df == 49 and unequal.information.effective[0] < ENOUGH_EFFECTIVE
    df = unequal.information.effective - 1
    assert np.allclose(unequal.corrected.df, df) and np.allclose(unequal.gold_only.df, df)
    reach = stats.t.ppf(0.975, df) * unequal.corrected.se
    assert np.allclose(unequal.corrected.high - unequal.corrected.low, 2 * reach)


def test_slopes_on_experience_that_one_counselor_decides_on() -> None:
    random = np.random.default_rng(5)
    who = np.concatenate([np.repeat(np.arange(50), 6), np.zeros(300, dtype=int)])
    earlier = pd.Series(who).groupby(who).cumcount().to_numpy(dtype=float)
    counts = pd.DataFrame({"REF": random.poisson(3, 600)})
    even, one = (fit_experience(counts[:n], np.full(n, 20.0), earlier[:n], who[:n]) for n in (300, 600))
    assert even.warnings == "" and {slope.df for slope in even.codes[0].slopes} == {49}
    pooled, within, between = one.codes[0].slopes
    assert max(pooled.df, between.df) < 5 and within.df == 1
    assert one.warnings.startswith("Slopes on experience are of 50 clusters, but in effect only 1.9 for within, ")
    assert "(0 has 51% of the chats)" in one.warnings
    assert (within.high - within.low) / within.se == pytest.approx(2 * stats.t.ppf(0.975, within.df))
