"""Matched comparisons of a study: a known effect behind confounding, balance that fails, and who is left out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
statsmodels = pytest.importorskip(
    "statsmodels.api", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'"
)

from mi_coder.codebook import Codebook  # noqa: E402
from mi_coder.errors import UsageProblem  # noqa: E402
from mi_coder.outcomes.guards import ModelProblem  # noqa: E402
from mi_coder.outcomes.match_effect import (  # noqa: E402
    BY_COUNSELOR,
    BY_PAIR_AND_COUNSELOR,
    att_weights,
    matched_effect,
    weighted_effect,
)
from mi_coder.outcomes.matching import match_pairs  # noqa: E402
from mi_coder.outcomes.propensity import fit_propensity  # noqa: E402
from mi_coder.outcomes.study import match  # noqa: E402
from mi_coder.outcomes.study.chats import Chats  # noqa: E402
from mi_coder.outcomes.study.match import TAGGERS_CODES, Matched, run_matching  # noqa: E402
from mi_coder.outcomes.study.match_writing import write_matched  # noqa: E402
from mi_coder.outcomes.study.spec import Study, study_of  # noqa: E402

TRUE = -1.0
MOOD = {"name": "mood", "type": "change", "before": "before", "after": "after"}
STARS = {"name": "stars", "type": "rating"}
MATCHING = {"technique": "EA", "covariates": ["before", "age"]}


def _chats(n: int = 1500, seed: int = 1, confounded: float = 1.0) -> Chats:
    """Autonomy is emphasized where people were worse before, and lowers the score after by 1 point."""
    random = np.random.default_rng(seed)
    before, age = random.normal(10, 3, n), random.normal(35, 9, n)
    use = random.random(n) < 1 / (1 + np.exp(-confounded * ((before - 10) / 3 + 0.5 * (age - 35) / 9) + 0.8))
    counts = pd.DataFrame(0.0, index=range(n), columns=list(Codebook.load().ids))
    counts["EA"], counts["OT"] = use * random.integers(1, 4, n), 10.0
    after = 2 + 0.8 * before + 0.03 * age + TRUE * use + random.normal(0, 1.5, n)
    frame = pd.DataFrame(
        {
            "messages": 14,
            "log_messages": np.log(14),
            "counselor_id": [f"Ann{i % 60:02d}" for i in range(n)],
            "client_id": [f"Bo{i % 900:03d}" for i in range(n)],
            "before": before,
            "after": after,
            "age": age,
            "site": random.choice(["north", "south"], n),
            "noise": random.normal(size=n),
            "stars": np.digitize(-after, [-14, -11, -9, -7]) + 1.0,
            "seen": use.astype(float),
        }
    )
    index = pd.Index([f"chat{i}" for i in range(n)], dtype=object)
    return Chats(counts.set_axis(index), frame.set_axis(index), {})


def _study(**changed: Any) -> Study:
    return study_of({"data": {"counts": "x"}, "outcomes": [MOOD], "matching": MATCHING, **changed})


def _matched(chats: Chats | None = None, **changed: Any) -> Matched:
    return run_matching(_study(**changed), chats=chats or _chats())


@pytest.fixture(scope="module")
def matched() -> Matched:
    return _matched()


def _within(matched: Matched, truth: float) -> list[bool]:
    return [effect.low <= truth <= effect.high for effect in matched.effects]


def test_the_effect_behind_confounding_is_found_by_all_ways(matched: Matched) -> None:
    chats = _chats()
    raw = chats.frame["after"].groupby(chats.frame["seen"]).mean()
    assert raw[1] - raw[0] > 0.5
    assert all(_within(matched, TRUE))
    assert [effect.estimate < -0.6 for effect in matched.effects] == [True] * 4
    assert matched.chosen.balance.passed
    said = " ".join(matched.sentences())
    assert "agree that there is a difference and on its direction" in said and "this is not an experiment" in said
    assert "(change: after - before)" in said


def test_figures_are_those_of_the_steps(matched: Matched) -> None:
    chats = _chats()
    columns = chats.frame[["before", "age"]].to_numpy()
    treated = chats.frame["seen"].to_numpy() > 0
    change = (chats.frame["after"] - chats.frame["before"]).to_numpy()
    score = fit_propensity(["before", "age"], columns, treated)
    pairs = match_pairs(score.logit, treated, caliper=0.2)
    assert [attempt.covariates for attempt in matched.attempts] == ["as given"]
    assert np.array_equal(matched.chosen.pairs.rows, pairs.rows)
    effect = matched_effect(change, pairs, (), None, chats.frame["counselor_id"].to_numpy())
    assert matched.effects[0].estimate == pytest.approx(effect.estimate)
    assert matched.effects[0].se == pytest.approx(effect.se)
    assert matched.effects[2].estimate == pytest.approx(weighted_effect(change, treated, score).estimate)
    tidy = matched.tidy()
    assert list(tidy["method"]) == [effect.method for effect in matched.effects]
    assert (tidy["ci_low"] < tidy["estimate"]).all() and (tidy["estimate"] < tidy["ci_high"]).all()


def test_nothing_is_found_where_nothing_is(matched: Matched) -> None:
    chats = _chats(seed=4)
    chats.frame["after"] -= TRUE * chats.frame["seen"]
    found = _matched(chats)
    assert all(_within(found, 0.0))
    assert found.e_value.limit == 1 and "none finds a clear difference" in " ".join(found.sentences())
    assert matched.e_value.limit > 1.2


def test_balance_that_fails_is_said_and_tried_once_more() -> None:
    chats = _chats(500, confounded=4.0)
    found = _matched(chats)
    assert [attempt.covariates for attempt in found.attempts].count("as given") == 1 and len(found.attempts) == 2
    assert not found.chosen.balance.passed
    assert any("Balance fails on" in sentence and "age" in sentence for sentence in found.sentences())
    assert any("with and without squares" in sentence for sentence in found.sentences())
    table = found.balance_table()
    assert not table["balanced"].all() and set(table["attempt"]) == {"as given", "with squares and products"}
    failing = [len(attempt.balance.failing) for attempt in found.attempts]
    assert failing[-1] <= failing[0]
    assert all(attempt.balance.covariates[0].name == "before" for attempt in found.attempts)


def test_after_the_second_score_no_other_is_advised() -> None:
    said = " ".join(_matched(_chats(500, confounded=4.0)).sentences())
    assert "Balance fails on" in said and "Narrow the caliper" in said and "Refit the score" not in said


def test_a_second_score_that_cannot_be_fitted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise ModelProblem("too many columns")

    monkeypatch.setattr(match, "_with_products", none)
    found = _matched(_chats(500, confounded=4.0))
    said = " ".join(found.sentences())
    assert len(found.attempts) == 1 and not found.chosen.balance.passed
    assert "squares and products was also tried, but could not be fitted" in said and "Refit the score" not in said


def test_all_errors_are_clustered_by_counselor_where_there_are_five(matched: Matched) -> None:
    chats = _chats()
    by = chats.frame["counselor_id"].to_numpy()
    change = (chats.frame["after"] - chats.frame["before"]).to_numpy()
    treated, columns = chats.frame["seen"].to_numpy() > 0, chats.frame[["before", "age"]].to_numpy()
    assert [effect.errors for effect in matched.effects] == [BY_PAIR_AND_COUNSELOR] * 2 + [BY_COUNSELOR] * 2
    assert {effect.df for effect in matched.effects} == {59}
    design = np.column_stack([np.ones(len(change)), treated, columns])
    plain = statsmodels.OLS(change, design).fit(
        cov_type="cluster", cov_kwds={"groups": np.unique(by, return_inverse=True)[1]}
    )
    assert matched.effects[3].se == pytest.approx(plain.bse[1])
    weighted = statsmodels.WLS(change, design[:, :2], weights=att_weights(matched.chosen.score, treated))
    plain = weighted.fit(cov_type="cluster", cov_kwds={"groups": np.unique(by, return_inverse=True)[1]})
    assert matched.effects[2].se == pytest.approx(plain.bse[1])
    assert "Standard errors of all estimates are clustered by counselor." in matched.sentences()


def test_with_few_counselors_the_t_distribution_has_few_degrees_and_it_is_said() -> None:
    chats = _chats()
    chats.frame["counselor_id"] = [f"Ann{i % 7}" for i in range(len(chats))]
    found = _matched(chats)
    assert {effect.df for effect in found.effects} == {6}
    assert any(
        "some have only 7 clusters" in sentence and "6 degrees of freedom" in sentence for sentence in found.sentences()
    )
    widths = [(effect.high - effect.low) / effect.se for effect in found.effects]
    assert widths == pytest.approx([2 * 2.446912] * 4, rel=1e-5)


@pytest.mark.parametrize("named", [True, False])
def test_without_five_counselors_errors_do_not_count_them_and_it_is_said(named: bool) -> None:
    chats = _chats()
    chats.frame["counselor_id"] = [f"Ann{i % 4}" for i in range(len(chats))]
    if not named:
        del chats.frame["counselor_id"]
    found = _matched(chats, data={"counts": "x", "counselor": "counselor_id" if named else ""})
    assert [effect.errors for effect in found.effects] == ["clustered by pair"] * 2 + ["robust (HC1)", "robust (HC3)"]
    assert "Standard errors ignore that chats of one counselor are alike." in found.sentences()
    few = "of 4 counselors: standard errors clustered by counselor need at least 5"
    assert any(few in note for note in found.notes) == named
    assert not any("Ann" in note for note in found.notes)


def test_counselors_who_differ_widen_all_errors() -> None:
    chats = _chats()
    random = np.random.default_rng(8)
    person = np.arange(len(chats)) % 30
    chats.frame["counselor_id"] = [f"Ann{i:02d}" for i in person]
    use = random.random(len(chats)) < np.where(random.random(30)[person] < 0.5, 0.25, 0.55)
    chats.counts["EA"] = use.astype(float)
    chats.frame["after"] = (
        2 + 0.8 * chats.frame["before"] + 2 * random.normal(size=30)[person] + random.normal(size=len(chats))
    )
    with_counselors = _matched(chats).effects
    without = _matched(chats, data={"counts": "x", "counselor": ""}).effects
    assert all(one.se > 1.3 * other.se for one, other in zip(with_counselors, without, strict=True))
    assert [one.estimate for one in with_counselors] == pytest.approx([other.estimate for other in without])


def test_placebo_and_pairs_within_a_site() -> None:
    chats = _chats()
    found = _matched(chats, matching={**MATCHING, "within": "site", "placebo": "noise"})
    sites, pairs = chats.frame["site"].to_numpy(), found.chosen.pairs
    assert len(pairs) > 200 and (sites[pairs.treated] == sites[pairs.untreated]).all()
    free = _matched(chats).chosen.pairs
    assert (sites[free.treated] != sites[free.untreated]).any()
    assert found.placebo is not None and found.placebo.low <= 0 <= found.placebo.high
    assert found.placebo.errors == BY_PAIR_AND_COUNSELOR
    assert "placebo: matched" in list(found.tidy()["method"])
    chats.frame["noise"] += chats.frame["seen"]
    told = _matched(chats, matching={**MATCHING, "placebo": "noise"})
    assert any("The placebo differs" in sentence for sentence in told.sentences())


@pytest.mark.parametrize("covariates", [["age"], ["age", "before"]])
def test_a_placebo_that_rows_are_matched_on_is_said_to_say_nothing(covariates: list[str]) -> None:
    found = _matched(matching={**MATCHING, "covariates": covariates, "placebo": "before"})
    assert (
        "matching.placebo: before is among the covariates that rows are matched on, which makes it alike in both "
        "groups: as a placebo it says nothing. Choose a column that is not among them."
    ) in found.notes
    other = _matched(matching={**MATCHING, "placebo": "noise"})
    assert not any("placebo" in note for note in other.notes)


def test_high_use_is_any_or_above_the_median() -> None:
    chats = _chats()
    chats.counts["EA"] = np.arange(len(chats)) % 5 + 1.0
    with pytest.raises(ModelProblem, match="treated"):
        _matched(chats)
    found = _matched(chats, matching={**MATCHING, "high": "median"})
    assert found.treated.sum() == 600 and "above its median" in found.question


def test_a_column_of_treated_rows_in_place_of_a_technique() -> None:
    chats = _chats()
    given = {"treated": "seen", "covariates": ["before", "age"]}
    by_column, by_technique = _matched(chats, matching=given), _matched(chats)
    assert TAGGERS_CODES in by_technique.sentences() and TAGGERS_CODES not in by_column.sentences()
    assert by_column.effects[0].estimate == pytest.approx(by_technique.effects[0].estimate)
    chats.frame.loc["chat0", "seen"] = np.nan
    assert _matched(chats, matching=given).dropped == {"no seen": 1}
    chats.frame["seen"] = 2.0
    with pytest.raises(UsageProblem, match="seen must be 1 for treated rows and 0"):
        _matched(chats, matching=given)


def test_rows_left_out_are_counted_by_reason() -> None:
    chats = _chats()
    chats.frame.loc[["chat0", "chat1"], "after"] = np.nan
    chats.frame.loc["chat2", "age"] = np.nan
    found = _matched(chats)
    assert found.dropped == {"no mood": 2, "no age": 1} and len(found.treated) == 1497


def test_a_random_effect_for_clients_where_they_are_named() -> None:
    found = _matched(data={"counts": "x", "client": "client_id"})
    assert found.random_effects is not None
    rows = found.random_effects.set_index("term")
    # The score before stands there already, and is no covariate once more.
    assert list(rows.index) == ["treated", "before (per sd)", "treated x before", "age"]
    assert rows.loc["treated", "ci_low"] < TRUE < rows.loc["treated", "ci_high"]
    assert _matched().random_effects is None


def test_ratings_are_compared_in_stars() -> None:
    found = _matched(outcomes=[STARS])
    assert found.question.endswith("in stars") and found.effects[0].estimate > 0
    assert [bound.gamma for bound in found.bounds] == sorted(bound.gamma for bound in found.bounds)
    assert found.bounds[0].low == found.bounds[0].high
    assert all(one.high <= other.high for one, other in zip(found.bounds, found.bounds[1:], strict=False))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"matching": None}, "no `matching`"),
        ({"matching": {**MATCHING, "technique": "EAA"}}, "no code 'EAA'"),
        ({"matching": {**MATCHING, "covariates": ["agee"]}}, "Did you mean 'age'"),
        ({"matching": {**MATCHING, "placebo": "nose"}}, "Did you mean 'noise'"),
        ({"matching": {**MATCHING, "within": "sit"}}, "Did you mean 'site'"),
        ({"outcomes": [{"name": "star", "type": "rating"}]}, "Did you mean 'stars'"),
        ({"data": {"counts": "x", "counselor": "counsellor_id"}}, "Did you mean 'counselor_id'"),
    ],
)
def test_what_the_data_do_not_have(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        _matched(_chats(200), **changed)


def test_groups_that_do_not_overlap() -> None:
    chats = _chats(300)
    chats.frame["before"] = np.where(chats.frame["seen"] > 0, 20.0, 5.0) + np.arange(300) / 300
    with pytest.raises((ModelProblem, UsageProblem), match="before"):
        _matched(chats)


def test_nobody_is_named(matched: Matched) -> None:
    said = " ".join([*matched.sentences(), *matched.notes, *matched.dropped])
    assert "Ann" not in said and "Bo0" not in said


def test_a_folder_with_report_tables_and_figures(matched: Matched, tmp_path: Path) -> None:
    study = _study()
    (tmp_path / "x").write_text("")
    report = write_matched(matched, study, tmp_path, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {
        *("report.md", "estimates.csv", "balance.csv", "love_plot.svg", "overlap.png"),
        *("run.json", "study.resolved.yaml"),
    }
    written = (tmp_path / "out" / "report.md").read_text()
    assert "Rosenbaum bounds" in report and "![" not in report and "(love_plot.svg)" in written
    assert set(report.splitlines()) < set(written.splitlines())
    assert f"- {TAGGERS_CODES}\n" in report
    assert json.loads((tmp_path / "out" / "run.json").read_text())["exploratory"] is False
    again = write_matched(matched, _study(seed=2), tmp_path, tmp_path / "out")
    assert again.splitlines()[2].startswith("- Exploratory")
    assert np.allclose(pd.read_csv(tmp_path / "out" / "estimates.csv")["estimate"], matched.tidy()["estimate"])


def test_rows_without_a_counselor_or_a_site_are_left_out_and_counted() -> None:
    chats = _chats()
    chats.frame.loc[["chat0", "chat1"], "counselor_id"] = [None, " "]
    chats.frame.loc[["chat1", "chat2"], "site"] = None
    chats.frame.loc["chat3", "after"] = np.nan
    found = _matched(chats, matching={**MATCHING, "within": "site"})
    assert found.dropped == {"no counselor": 2, "no site": 1, "no mood": 1} and len(found.treated) == 1496
    whole = Chats(chats.counts.iloc[4:], chats.frame.iloc[4:], {})
    expected = _matched(whole, matching={**MATCHING, "within": "site"})
    assert [effect.se for effect in found.effects] == [effect.se for effect in expected.effects]
    nameless = _matched(chats, data={"counts": "x", "counselor": ""})
    assert nameless.dropped == {"no mood": 1}


def test_covariates_that_do_not_vary_among_the_rows_that_are_kept_are_left_out() -> None:
    chats = _chats()
    expected = _matched(chats, matching={**MATCHING, "covariates": ["before", "age", "site"]})
    more = chats.frame.iloc[:5].set_axis([f"more{i}" for i in range(5)]).assign(site="east", year=2023, after=np.nan)
    frame = pd.concat([chats.frame.assign(year=2024), more])
    counts = pd.concat([chats.counts, chats.counts.iloc[:5].set_axis(more.index)])
    given = {**MATCHING, "covariates": ["before", "age", "site", "year"]}
    found = _matched(Chats(counts, frame, {}), matching=given)
    assert found.dropped == {"no mood": 5}
    assert found.notes == (
        "year never varies in these 1500 rows: left out.",
        "site = south follows from the columns before it in these 1500 rows: left out.",
    )
    assert [effect.estimate for effect in found.effects] == pytest.approx(
        [effect.estimate for effect in expected.effects]
    )
    with pytest.raises(ModelProblem, match=r"matching\.covariates: none varies in these 1500 rows"):
        frame = frame.assign(stars=frame["stars"].where(frame["after"].notna()))
        _matched(Chats(counts, frame, {}), outcomes=[STARS], matching={**MATCHING, "covariates": ["year"]})


def test_the_score_before_is_among_the_covariates_of_a_change_and_it_is_said() -> None:
    """A technique without effect, used where scores before are high, does not come out as one that lowers them."""
    chats = _chats()
    random = np.random.default_rng(3)
    true = random.normal(10, 3, len(chats))
    chats.frame["before"], chats.frame["after"] = (true + random.normal(0, 3, len(chats)) for _ in range(2))
    use = random.random(len(chats)) < 1 / (1 + np.exp(-(chats.frame["before"].to_numpy() - 10) / 3))
    chats.counts["EA"] = use.astype(float)
    found = _matched(chats, matching={**MATCHING, "covariates": ["age"]})
    assert found.notes == (f"before {match.ADDED}",) and all(_within(found, 0.0))
    assert set(found.balance_table()["covariate"]) == {"age", "before"}
    listed = _matched(chats, matching={**MATCHING, "covariates": ["age", "before"]})
    assert listed.notes == () and listed.effects == found.effects
    same = _matched(
        Chats(chats.counts, chats.frame.assign(again=chats.frame["before"]), {}),
        matching={**MATCHING, "covariates": ["age", "again"]},
    )
    assert same.notes == ("before follows from the columns before it in these 1500 rows: left out.",)
    rated = _matched(chats, outcomes=[STARS], matching={**MATCHING, "covariates": ["age"]})
    assert rated.notes == () and set(rated.balance_table()["covariate"]) == {"age"}


@pytest.mark.parametrize("high", ["any", "median"])
def test_chats_without_any_code_are_left_out_and_counted(high: str) -> None:
    chats = _chats()
    chats.counts["EA"] = np.arange(len(chats)) % 5 + (high == "median")
    chats.counts.iloc[:600] = 0.0
    found = _matched(chats, matching={**MATCHING, "high": high})
    assert found.dropped == {"no code at all": 600} and len(found.treated) == 900
    assert found.treated.sum() == {"any": 720, "median": 360}[high]
    counted = _matched(chats, matching=MATCHING, techniques={"form": "count"})
    assert not counted.dropped and len(counted.treated) == 1500
    by_column = _matched(chats, matching={"treated": "seen", "covariates": ["before", "age"]})
    assert not by_column.dropped


def test_matched_rows_without_a_client_have_no_random_effect_and_it_is_said() -> None:
    chats = _chats()
    chats.frame.loc[chats.frame["seen"] > 0, "client_id"] = None
    found = _matched(chats, data={"counts": "x", "client": "client_id"})
    pairs = len(found.chosen.pairs)
    assert found.random_effects is None and not found.dropped
    assert "Random effect for the client: no pair has a client_id in both rows." in found.notes
    assert pairs > 100


def test_the_random_effect_is_of_the_pairs_whose_clients_are_known() -> None:
    chats = _chats()
    chats.frame.loc[chats.frame.index[::50], "client_id"] = None
    found = _matched(chats, data={"counts": "x", "client": "client_id"})
    pairs, [note] = len(found.chosen.pairs), [note for note in found.notes if "Random effect" in note]
    left_out = int(note.split()[5])
    assert note == f"Random effect for the client: {left_out} pairs with a row without client_id left out."
    assert found.random_effects is not None and 0 < left_out < 0.1 * pairs
    assert set(found.random_effects["n"]) == {2 * (pairs - left_out)}


def test_it_is_said_why_no_row_is_left() -> None:
    chats = _chats()
    chats.frame["counselor_id"] = None
    with pytest.raises(ModelProblem, match=r"for mood: 1,500 no counselor\..*write counselor: \"\" under data"):
        _matched(chats)


def test_a_console_shows_the_sentences(matched: Matched) -> None:
    assert repr(matched) == "\n".join(matched.sentences())
