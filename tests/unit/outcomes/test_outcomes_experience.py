"""Technique use against experience: a survivorship simulation of which the truth is known, statsmodels and pyfixest."""

import importlib
import math

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")
pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
sm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.outcomes import experience_fixed  # noqa: E402
from mi_coder.outcomes.experience import (  # noqa: E402
    CAUTION,
    TIDY,
    curves,
    earlier_chats,
    fit_experience,
    months_since_first,
    tenure_table,
)
from mi_coder.outcomes.guards import (  # noqa: E402
    BadShape,
    ConstantColumn,
    Gaps,
    ModelProblem,
    TooFewClusters,
)
from mi_coder.outcomes.multiplicity import q_values  # noqa: E402
from mi_coder.outcomes.survivorship import who_stays  # noqa: E402

LOG_ODDS = 0.10


def survivors(seed: int = 1, counselors: int = 400):
    """Counts C, Q, I, messages, experience, counselors: those who use C more have more chats. Q is nobody's."""
    random, share, messages, experience, who = _drawn(seed, counselors)
    used = random.binomial(messages.astype(int), share).astype(float)
    flat = random.binomial(messages.astype(int), 0.1).astype(float)
    return pd.DataFrame({"C": used, "Q": np.zeros(len(who)), "I": flat}), messages, experience, who


def log_rate_within(seed: int) -> float:
    """The slope within counselors of the expected counts: what log odds of .10 are as a log rate, about .08."""
    _, share, messages, experience, who = _drawn(seed, 400)
    x = np.log1p(experience)
    mean = pd.Series(x).groupby(who).transform("mean").to_numpy()
    return float(clustered(share * messages, np.column_stack([x - mean, mean]), messages, who).params[1])


def _drawn(seed: int, counselors: int):
    random = np.random.default_rng(seed)
    habit = 0.55 * random.normal(size=counselors)
    chats = random.geometric(1 / (1 + np.exp(1.8 + 1.7 * habit)))
    who = np.repeat(np.arange(counselors), chats)
    experience = np.concatenate([np.arange(n) for n in chats]).astype(float)
    messages = random.integers(15, 60, len(who)).astype(float)
    share = 1 / (1 + np.exp(2.2 - habit[who] - LOG_ODDS * np.log1p(experience)))
    return random, share, messages, experience, who


def dated(experience: np.ndarray, who: np.ndarray, apart: float = 30.0):
    """Dates of chats `apart` days from each other, counselors starting over two years."""
    start = np.random.default_rng(0).integers(0, 730, who.max() + 1)[who]
    return pd.Series(pd.Timestamp("2022-01-01") + pd.to_timedelta(start + apart * experience, unit="D"))


def clustered(counts, columns, messages, who):
    model = sm.GLM(counts, sm.add_constant(columns), family=sm.families.Poisson(), offset=np.log(messages))
    return model.fit(tol=1e-13, cov_type="cluster", cov_kwds={"groups": who})


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_pooled_takes_in_who_stays_and_within_finds_the_truth(seed: int) -> None:
    found = fit_experience(*survivors(seed)).codes[0]
    pooled, within, between = found.slopes
    truth = log_rate_within(seed)
    assert 0.065 < truth < 0.085
    assert pooled.estimate > 2.5 * truth and pooled.low > truth
    assert abs(within.estimate - truth) < 3 * within.se
    assert between.estimate > pooled.estimate
    assert found.same < 1e-6


def test_estimates_errors_and_dispersion_are_those_of_statsmodels() -> None:
    counts, messages, experience, who = survivors()
    x = np.log1p(experience)
    mean = pd.Series(x).groupby(who).transform("mean").to_numpy()
    for code in ("C", "I"):
        found = {each.code: each for each in fit_experience(counts, messages, experience, who).codes}[code]
        pooled = clustered(counts[code], x, messages, who)
        both = clustered(counts[code], np.column_stack([x - mean, mean]), messages, who)
        expected = [pooled.params.iloc[1], *both.params.iloc[1:]]
        assert [slope.estimate for slope in found.slopes] == pytest.approx(expected, abs=1e-8)
        assert [slope.se for slope in found.slopes] == pytest.approx([pooled.bse.iloc[1], *both.bse.iloc[1:]], abs=1e-8)
        wald = both.wald_test(np.array([[0, 1, -1]]), use_f=True, scalar=True)
        assert found.same == pytest.approx(float(stats.f.sf(wald.statistic, 1, 399)), rel=1e-6)
        assert found.dispersion == pytest.approx(both.pearson_chi2 / both.df_resid, abs=1e-8)


def test_order_and_labels_do_not_matter() -> None:
    counts, messages, experience, who = survivors()
    order = np.random.default_rng(0).permutation(len(who))
    one = fit_experience(counts, messages, experience, who).codes[0]
    other = fit_experience(
        counts.iloc[order], messages[order], experience[order], [f"Counselor {i}" for i in who[order]]
    ).codes[0]
    assert [s.se for s in other.slopes] == pytest.approx([s.se for s in one.slopes], rel=1e-8)
    assert [s.estimate for s in other.slopes] == pytest.approx([s.estimate for s in one.slopes], rel=1e-8)


def test_the_tidy_table_and_the_summary() -> None:
    found = fit_experience(*survivors())
    tidy = found.tidy()
    assert tuple(tidy.columns[: len(TIDY)]) == TIDY
    assert list(zip(tidy["code"], tidy["level"], strict=True)) == [
        (code, level) for code in ("C", "I") for level in ("pooled", "within", "between")
    ]
    row = tidy[(tidy["code"] == "C") & (tidy["level"] == "within")].iloc[0]
    slope = found.codes[0].slope("within")
    assert row["effect"] == pytest.approx(2**slope.estimate)
    assert (row["effect_low"], row["effect_high"]) == pytest.approx((2**slope.low, 2**slope.high))
    assert row["df"] == 399 and row["n_clusters"] == 400 and row["stat"] == pytest.approx(slope.estimate / slope.se)
    for _, level in tidy.groupby("level"):
        assert level["q_bh"].to_numpy() == pytest.approx(q_values(level["p"].to_numpy()))
    assert set(tidy["warnings"]) == {
        "Slopes on experience are of 400 clusters, but in effect only 10.0 for between and 15.7 for pooled. Intervals "
        "and p values of these slopes are from the t distribution with one degree of freedom less than that (at least "
        "1), which makes up for a part of standard errors that are too small: take p values just below .05 as not "
        "clear."
    }
    told = found.summary()
    assert "within counselors" in told and "Within and between differ" in told and CAUTION in told
    assert "Q: never used" in told


def test_few_counselors_read_by_t_and_are_warned_of() -> None:
    counts, messages, experience, who = survivors()
    few = who < 12
    found = fit_experience(counts[few][["C"]], messages[few], experience[few], who[few])
    slope = found.codes[0].slope("within")
    assert slope.df == 11
    assert (slope.high - slope.estimate) / slope.se == pytest.approx(2.200985, abs=1e-5)
    assert "Only 12 clusters" in found.tidy()["warnings"].iloc[0]
    assert "Only 12 clusters" in found.summary()


def test_codes_that_cannot_be_fitted_are_named_and_the_others_stay() -> None:
    counts, messages, experience, who = survivors()
    counts["rare"] = ((who < 4) & (experience == 0)).astype(float)
    counts["gap"] = counts["C"].where(np.arange(len(who)) != 3)
    found = fit_experience(counts, messages, experience, who)
    assert [each.code for each in found.codes] == ["C", "I"]
    never, rare, gap = found.notes
    assert never == f"Q: never used in {len(who):,} chats, so left out."
    assert rare.startswith("rare: used by 4 of 400 counselors, so left out")
    assert gap.startswith("gap: Row 4 has no count (1 such chats)")
    assert found.tidy()["q_bh"].notna().all()
    with pytest.raises(ModelProblem, match=r"No code could be related to experience\. Q: never used"):
        fit_experience(counts[["Q"]], messages, experience, who)


def test_counselors_who_never_used_a_code_are_counted() -> None:
    counts, messages, experience, who = survivors()
    counts.loc[who < 30, "I"] = 0.0
    never = int((counts.groupby(who)["I"].sum() == 0).sum())
    assert fit_experience(counts[["I"]], messages, experience, who).codes[0].never == never >= 30


def test_what_cannot_be_related() -> None:
    counts, messages, experience, who = survivors()
    with pytest.raises(TooFewClusters, match="All rows are of one cluster"):
        fit_experience(counts, messages, experience, np.zeros(len(who), dtype=int))
    with pytest.raises(TooFewClusters, match="4 clusters"):
        fit_experience(counts, messages, experience, who % 4)
    assert fit_experience(counts, messages, experience, who % 5).counselors == 5
    with pytest.raises(BadShape, match=r"messages of shape \(9,\)"):
        fit_experience(counts, messages[:9], experience, who)
    for values in (np.nan, np.inf):
        broken = experience.copy()
        broken[[2, 5]] = values
        with pytest.raises(Gaps, match=r"Row 3 has no experience \(2 such chats\)"):
            fit_experience(counts, messages, broken, who)
        broken = messages.copy()
        broken[2] = values
        with pytest.raises(Gaps, match="Row 3 has no number of messages"):
            fit_experience(counts, broken, experience, who)
    with pytest.raises(ModelProblem, match="Row 1 has experience below 0"):
        fit_experience(counts, messages, experience - 1, who)
    with pytest.raises(ModelProblem, match="Row 2 has no messages"):
        fit_experience(counts, np.where(np.arange(len(who)) == 1, 0, messages), experience, who)
    with pytest.raises(Gaps, match="Row 8 has no cluster"):
        fit_experience(counts, messages, experience, [None if i == 7 else str(label) for i, label in enumerate(who)])


def test_experience_that_never_varies_within_counselors_is_refused_and_not_rounding() -> None:
    counts, messages, _, who = survivors()
    with pytest.raises(ConstantColumn, match="the same in all chats of each counselor"):
        fit_experience(counts, messages, who.astype(float), who)


def test_counselors_with_the_same_experience_have_no_slope_between() -> None:
    random = np.random.default_rng(1)
    experience, who = np.tile(np.arange(12.0), 60), np.repeat(np.arange(60), 12)
    messages = np.full(len(who), 30.0)
    counts = pd.DataFrame({"C": random.poisson(4 * (1 + experience) ** 0.1).astype(float)})
    found = fit_experience(counts, messages, experience, who)
    pooled, within, between = found.codes[0].slopes
    assert within.estimate == pytest.approx(pooled.estimate, abs=1e-8)
    assert math.isnan(between.estimate) and math.isnan(between.p) and math.isnan(found.codes[0].same)
    assert "no slope between counselors" in found.summary() and "nan" not in found.summary()
    assert found.tidy()["q_bh"].isna().tolist() == [False, False, True]


def test_counselor_effects_agree_with_the_mean_split() -> None:
    pytest.importorskip("pyfixest", reason="pyfixest is not installed: pip install pyfixest")
    counts, messages, experience, who = survivors()
    within = fit_experience(counts, messages, experience, who).codes[0].slope("within")
    found = experience_fixed.fit_fixed_effects(counts, messages, experience, who)
    fixed = found.codes[0]
    assert fixed.slope.estimate == pytest.approx(within.estimate, abs=0.002)
    assert fixed.slope.se == pytest.approx(within.se, rel=0.03)
    sizes, used = np.bincount(who), counts.groupby(who)["C"].sum().to_numpy() > 0
    assert (fixed.never, fixed.single) == (int((~used).sum()), int((used & (sizes == 1)).sum()))
    assert fixed.counselors + fixed.never + fixed.single == 400
    assert found.notes == (f"Q: never used in {len(who):,} chats, so left out.",)
    assert tuple(found.tidy().columns[: len(TIDY)]) == TIDY
    assert f"{fixed.never} counselors who never used it, {fixed.single} with one chat" in found.summary()


def test_counselor_effects_are_those_of_a_model_with_a_column_for_each_counselor() -> None:
    pytest.importorskip("pyfixest", reason="pyfixest is not installed: pip install pyfixest")
    counts, messages, experience, who = survivors()
    few = who < 30
    found = experience_fixed.fit_fixed_effects(counts[few][["C"]], messages[few], experience[few], who[few]).codes[0]
    told = few & (counts.groupby(who)["C"].transform("sum").to_numpy() > 0) & (np.bincount(who)[who] > 1)
    columns = np.column_stack([np.log1p(experience[told]), pd.get_dummies(who[told]).to_numpy(dtype=float)])
    model = sm.GLM(counts["C"][told], columns, family=sm.families.Poisson(), offset=np.log(messages[told]))
    assert found.slope.estimate == pytest.approx(model.fit(tol=1e-12).params.iloc[0], abs=1e-6)
    assert found.slope.df == len(np.unique(who[told])) - 1
    assert "clusters" in found.warnings


def test_without_pyfixest_the_model_is_left_out_and_the_line_that_installs_it_said(monkeypatch) -> None:
    real = importlib.import_module

    def absent(name: str):
        if name == "pyfixest":
            raise ModuleNotFoundError(name=name)
        return real(name)

    monkeypatch.setattr(experience_fixed.importlib, "import_module", absent)
    found = experience_fixed.fit_fixed_effects(*survivors())
    assert found.codes == () and "pip install pyfixest" in found.summary()
    assert found.tidy().empty and tuple(found.tidy().columns) == TIDY


def test_earlier_chats_follow_time_and_not_rows() -> None:
    times = pd.Series(pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01", "2024-01-01", "2024-01-01"]))
    assert earlier_chats(["a", "a", "a", "b", "b"], times).tolist() == [2, 0, 1, 0, 1]
    assert earlier_chats(["a", "a", "a", "b", "b"], np.array([9.0, 1, 2, 3, 3])).tolist() == [2, 0, 1, 0, 1]
    shifted = times.dt.tz_localize("UTC").set_axis([7, 7, 1, 0, 3])
    assert earlier_chats(["a", "a", "a", "b", "b"], shifted).tolist() == [2, 0, 1, 0, 1]
    assert months_since_first(["a", "a", "a", "b", "b"], shifted) == pytest.approx(np.array([60, 0, 31, 0, 0]) / 30.44)
    times[2] = pd.NaT
    with pytest.raises(Gaps, match=r"Row 3 has no time"):
        earlier_chats(["a", "a", "a", "b", "b"], times)
    with pytest.raises(Gaps, match="Row 1 has no cluster"):
        earlier_chats([None, "a", "a", "b", "b"], times)
    with pytest.raises(BadShape):
        earlier_chats(["a", "a"], times)


def test_tenure_is_by_the_buckets_of_the_study() -> None:
    counts = pd.DataFrame({"C": [1.0, 2, 3, 4, 5, 1, 0]})
    messages = np.full(7, 10.0)
    months = np.array([0.0, 1.0, 6.0, 12.0, 40.0, 0.5, 5.99])
    table = tenure_table(counts, messages, months, ["a"] * 5 + ["b"] * 2).set_index(["who", "months"])
    assert table.loc["all", "share"].to_dict() == pytest.approx({"0-1": 0.1, "1-6": 0.1, "6-12": 0.3, "12+": 0.45})
    assert table.loc["stayers", "share"].to_dict() == pytest.approx({"0-1": 0.1, "1-6": 0.2, "6-12": 0.3, "12+": 0.45})
    assert table.loc["all", "counselors"].tolist() == [2, 2, 1, 1]
    assert table.loc["stayers", "chats"].tolist() == [1, 1, 1, 2]
    assert table.loc[("all", "12+"), ["low", "high"]].isna().all()
    months[3] = np.nan
    with pytest.raises(Gaps, match="Row 4 has no months since the first chat"):
        tenure_table(counts, messages, months, ["a"] * 5 + ["b"] * 2)


def test_intervals_of_tenure_are_those_of_a_clustered_ratio() -> None:
    counts, messages, experience, who = survivors()
    months = months_since_first(who, dated(experience, who))
    row = tenure_table(counts[["C"]], messages, months, who).set_index(["who", "months"]).loc[("all", "1-6")]
    inside = (months >= 1) & (months < 6)
    # The share is the slope of counts on messages weighted by 1 / messages.
    fit = sm.WLS(counts["C"][inside], messages[inside], weights=1 / messages[inside]).fit()
    errors = fit.get_robustcov_results("cluster", groups=who[inside], use_correction=False)
    number = len(np.unique(who[inside]))
    half = stats.t.ppf(0.975, number - 1) * float(errors.bse[0]) * (number / (number - 1)) ** 0.5
    assert row["share"] == pytest.approx(float(fit.params.iloc[0]))
    assert row["high"] - row["share"] == pytest.approx(half, rel=1e-6)


def test_stayers_differ_from_leavers_in_first_chats_where_survival_depends_on_use() -> None:
    counts, messages, experience, who = survivors()
    times = dated(experience, who)
    seen = (times < "2024-07-01").to_numpy()
    counts, times = counts[seen], times[seen].reset_index(drop=True)
    messages, experience, who = messages[seen], experience[seen], np.unique(who[seen], return_inverse=True)[1]
    found = who_stays(counts, messages, who, times)
    months = months_since_first(who, times)
    last = pd.Series(months).groupby(who).max()
    span = (times.max() - times.groupby(who).min()).dt.total_seconds() / (30.44 * 86_400)
    assert found.reached == {
        "0-1": 400, "1-6": int((last >= 1).sum()), "6-12": int((last >= 6).sum()), "12+": int((last >= 12).sum())
    }  # fmt: skip
    assert found.could["12+"] == int((span >= 12).sum()) < 350
    assert found.recent > 20
    assert found.stayers + found.leavers + found.recent == 400
    assert (found.stayers, found.leavers) == (found.reached["12+"], int(((last < 12) & (span >= 12)).sum()))
    tidy = found.tidy().set_index("code")
    stays = last[last >= 12].index
    first = experience == 0
    own = first & np.isin(who, stays)
    assert tidy.loc["C", "share_stayers"] == pytest.approx(counts["C"][own].sum() / messages[own].sum())
    assert tidy.loc["C", "effect"] == pytest.approx(tidy.loc["C", "share_stayers"] / tidy.loc["C", "share_leavers"])
    assert tidy.loc["C", "effect_low"] > 1.2
    assert tidy.loc["I", "effect_low"] < 1 < tidy.loc["I", "effect_high"]
    told = found.summary()
    assert "it is due to who stays, not to learning" in told and "began too late" in told and "\nI:" not in told
    assert f"12+: {found.stayers} of {found.could['12+']} who could" in told
    assert found.notes == ("First chats, Q: never used in " + f"{found.stayers + found.leavers} chats, so left out.",)


@pytest.mark.parametrize(("stayers", "leavers"), [(5, 2), (2, 5)])
def test_few_stayers_or_few_leavers_are_not_compared(stayers: int, leavers: int) -> None:
    people = stayers + leavers
    who = np.array([*range(people), *range(stayers), people])
    days = np.repeat([0, 400], [people, stayers + 1])
    times = pd.Series(pd.Timestamp("2022-01-01") + pd.to_timedelta(days, unit="D"))
    counts = pd.DataFrame({"C": np.random.default_rng(1).integers(1, 9, len(who)).astype(float)})
    found = who_stays(counts, np.full(len(who), 20.0), who, times)
    assert (found.stayers, found.leavers, found.recent) == (stayers, leavers, 1)
    assert found.codes == ()
    assert found.notes == (
        f"{stayers} counselors stayed and {leavers} left: comparing their first chats needs at least 5 of each.",
    )


def test_recent_counselors_are_no_leavers() -> None:
    counts, messages, experience, who = survivors()
    times = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(experience, unit="h"))
    found = who_stays(counts, messages, who, times)
    assert (found.stayers, found.leavers, found.recent) == (0, 0, 400)
    assert found.codes == () and found.tidy().empty
    assert "0 counselors stayed and 0 left" in found.summary()


def test_curves_are_counselors_shares_by_doubling_and_the_fit_goes_through_the_overall_share() -> None:
    counts, messages, experience, who = survivors()
    slope = fit_experience(counts, messages, experience, who).codes[0].slope("within")
    lines, fit = curves(counts["C"], messages, experience, who, slope)
    one = np.isin(experience, [3, 4, 5, 6]) & (who == who[np.argmax(experience)])
    row = lines[(lines["counselor"] == who[np.argmax(experience)]) & (lines["experience"] == 4.5)]
    assert row["share"].to_numpy() == pytest.approx([counts["C"][one].sum() / messages[one].sum()])
    rise = np.diff(np.log(fit["share"])) / np.diff(np.log1p(fit["experience"]))
    assert rise == pytest.approx(np.full(len(rise), slope.estimate))
    assert fit["experience"].iloc[[0, -1]].tolist() == pytest.approx([0, experience.max()])
    at_mean = np.interp(np.log1p(experience).mean(), np.log1p(fit["experience"]), np.log(fit["share"]))
    assert math.exp(at_mean) == pytest.approx(counts["C"].sum() / messages.sum())
    assert ((fit["low"] <= fit["share"]) & (fit["share"] <= fit["high"])).all()
