"""Whole studies on invented platforms: what is recovered, what is refused, and that nothing is left out in silence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UnknownName, UsageProblem  # noqa: E402
from mi_coder.outcomes.cr2 import fit_cr2  # noqa: E402
from mi_coder.outcomes.families import Family, clustered_covariance, fit_family  # noqa: E402
from mi_coder.outcomes.guards import ModelProblem  # noqa: E402
from mi_coder.outcomes.multiplicity import q_values  # noqa: E402
from mi_coder.outcomes.penalized import penalized_terms  # noqa: E402
from mi_coder.outcomes.simulate import EFFECTS, SYMPTOM_EFFECTS, Platform, simulate  # noqa: E402
from mi_coder.outcomes.study.chats import Chats  # noqa: E402
from mi_coder.outcomes.study.correction import UNCORRECTED  # noqa: E402
from mi_coder.outcomes.study.design import design_of  # noqa: E402
from mi_coder.outcomes.study.fits import TIDY, tidy_rows  # noqa: E402
from mi_coder.outcomes.study.further_tables import marginal_effects  # noqa: E402
from mi_coder.outcomes.study.outcome import outcome_values  # noqa: E402
from mi_coder.outcomes.study.result import Result  # noqa: E402
from mi_coder.outcomes.study.run import adjusted  # noqa: E402
from mi_coder.outcomes.study.spec import MODELS, Study, study_of  # noqa: E402
from mi_coder.outcomes.study.term import Term  # noqa: E402
from mi_coder.outcomes.study.writing import write_result  # noqa: E402

CODES = ["OQ", "REF", "AF", "EA", "PR", "IP"]
RATING = {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5]}
DEPRESSION = {"name": "depression", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "phq9_post"}
ALL_TYPES = [
    RATING,
    {"name": "happy", "type": "binary"},
    DEPRESSION,
    {"name": "distress", "type": "change", "before": "tense_pre", "after": "tense_post"},
    {"name": "visits", "type": "count"},
]


@pytest.fixture(scope="module")
def platform() -> Platform:
    return simulate(chats=900, counselors=60, gold=0.4, seed=5)


@pytest.fixture(scope="module")
def first(platform: Platform) -> Result:
    """The rating and the symptom with gold chats."""
    return _fit(platform.tagged, platform.gold)


@pytest.fixture(scope="module")
def of_all_types(platform: Platform) -> Result:
    """All models of every type of outcome, on counselors who differ in all outcomes."""
    return _fit(_more_outcomes(platform.tagged), None, outcomes=ALL_TYPES, techniques={"codes": ["REF", "EA"]})


def _more_outcomes(tagged: Any) -> Any:
    random = np.random.default_rng(3)
    _, counselor = np.unique(tagged["counselor_id"], return_inverse=True)
    person = random.normal(size=counselor.max() + 1)[counselor]
    tense = 5 + random.normal(size=len(tagged))
    return tagged.assign(
        rating=np.digitize(person + random.logistic(size=len(tagged)), [-2, -1, 0, 1]) + 1.0,
        happy=(person + random.normal(size=len(tagged)) > 0).astype(float),
        phq9_post=np.clip(np.round(tagged["phq9_pre"] + person), 0, 27),
        tense_pre=tense,
        tense_post=0.5 * tense + person + random.normal(size=len(tagged)),
        visits=random.poisson(np.exp(0.2 * person)),
    )


def _chats(table: Any) -> Chats:
    codes = [name for name in table.columns if name in set(EFFECTS) | _BOOK]
    frame = table.drop(columns=codes)
    return Chats(
        table[codes].astype(float), frame.assign(log_messages=np.log(frame["messages"].clip(lower=1).astype(float))), {}
    )


_BOOK = set(simulate(chats=30, counselors=3).truth.columns) - {"messages"}


def _study(**changed: Any) -> Study:
    given: dict[str, Any] = {
        "data": {"counts": "x", "counselor": "counselor_id", "client": "client_id"},
        "outcomes": [RATING, DEPRESSION],
        "techniques": {"codes": CODES},
        "covariates": ["log_messages"],
    }
    return study_of({**given, **changed})


def _fit(tagged: Any, gold: Any = None, **changed: Any) -> Result:
    return _study(**changed).fit(chats=_chats(tagged), gold=None if gold is None else _chats(gold))


def _of_counselors(tagged: Any, number: int) -> Any:
    busiest = tagged["counselor_id"].value_counts().index[:number]
    return tagged[tagged["counselor_id"].isin(busiest)]


def test_corrected_rows_recover_the_known_effects() -> None:
    platform = simulate(chats=12_000, counselors=600, gold=0.3, seed=11)
    outcomes = [{**RATING, "models": ["ordinal"]}, {**DEPRESSION, "models": ["linear"]}]
    rows = _fit(platform.tagged, platform.gold, outcomes=outcomes, response_weights=False).rows
    rows = rows[rows["level"] == "within"]
    truth = np.array(
        [(EFFECTS if row.outcome == "rating" else SYMPTOM_EFFECTS).get(row.code, 0.0) for row in rows.itertuples()]
    )
    off = (rows["estimate"] - truth) / rows["se"]
    corrected, naive = off[rows["correction"] == "ptd"], off[rows["correction"] == "naive"]
    assert len(corrected) == len(naive) == 12
    assert abs(corrected).max() < 3.3 and (corrected**2).mean() < 2
    assert (naive**2).mean() > 2 * (corrected**2).mean() and abs(naive).max() > 3.3
    sure = rows["correction"].eq("ptd").to_numpy() & (abs(truth) >= 0.2)
    assert (np.sign(rows["estimate"][sure]) == np.sign(truth[sure])).all()


def test_naive_rows_are_direct_fits_with_errors_by_counselor(platform: Platform, first: Result) -> None:
    study, chats = _study(), _chats(platform.tagged)
    families: tuple[tuple[int, Family], ...] = ((0, "ordinal"), (0, "linear"), (1, "linear"))
    for number, family in families:
        outcome = study.outcomes[number]
        design = design_of(study, outcome, chats, *outcome_values(outcome, chats))
        direct = fit_family(family, design.outcome, design.names, design.columns)
        rows = first.tidy(outcome.name, family, covariates=True)
        rows = rows[rows["correction"] == "naive"]
        assert tuple(rows["term"]) == design.names
        assert np.allclose(rows["estimate"], direct.coefficients, rtol=1e-10)
        counselors = design.counselors.to_numpy()
        errors = np.sqrt(np.diag(clustered_covariance(direct, counselors)))
        if family == "linear":
            of_few = fit_cr2(design.outcome, design.names, design.columns, counselors)
            errors = np.where(rows["df"] < rows["n_clusters"] - 1, of_few.se, errors)
        assert np.allclose(rows["se"], errors, rtol=1e-10)


@pytest.mark.parametrize("model", ["linear", "ordinal"])
def test_another_reference_moves_all_shares_alike(platform: Platform, model: str) -> None:
    outcomes = [{**RATING, "models": [model]}]
    given = {"outcomes": outcomes, "covariates": [], "response_weights": False}
    found = {
        reference: _fit(
            platform.tagged, **given, techniques={"reference": [reference], "within_between": False, "min_chats": 1}
        )
        .tidy()
        .set_index("code")["estimate"]
        for reference in ("OT", "GI")
    }
    by_other, by_information = found["OT"], found["GI"]
    assert len(by_other) == len(by_information) == 20
    shared = sorted(set(by_other.index) & set(by_information.index))
    assert len(shared) == 19
    assert np.allclose(by_other[shared] - by_other["GI"], by_information[shared], atol=1e-8)
    assert by_information["OT"] == pytest.approx(-by_other["GI"], abs=1e-8)


def test_every_model_of_every_type_gives_rows(of_all_types: Result) -> None:
    rows = of_all_types.rows
    assert tuple(rows.columns) == TIDY
    assert all(rows[name].dtype == np.float64 for name in ("estimate", "p", "q_bh", "weight", "effect_high"))
    fitted = set(zip(rows["outcome"], rows["model"], strict=True))
    for outcome in of_all_types.study.outcomes:
        for model in MODELS[outcome.type]:
            assert (outcome.name, model) in fitted
    coded = rows[rows["code"] != ""]
    assert set(coded["level"]) == {"within", "between"}
    assert np.isfinite(coded[["estimate", "se", "p", "q_bh", "ci_low", "ci_high"]]).all(axis=None)
    thin = coded["df"] < coded["n_clusters"] - 1
    assert (coded.loc[~thin, "warnings"] == UNCORRECTED).all()
    assert coded.loc[thin, "warnings"].str.endswith(f"; {UNCORRECTED}").all()
    assert set(coded[thin]["level"]) == {"between"}
    ratios = coded["unit"].str.contains("ratio")
    assert np.allclose(coded["effect"][ratios], np.exp(coded["estimate"][ratios]))
    assert np.allclose(coded["effect"][~ratios], coded["estimate"][~ratios])
    glance = of_all_types.glance()
    assert (glance.loc[glance["model"] == "ancova", "icc"] > 0.05).all()
    assert {name.split(":")[0] for name in of_all_types.tables} >= {"marginal effects", "predicted", "change"}


def test_response_weights_fit_the_headline_again(first: Result) -> None:
    weighted = first.rows[first.rows["model"] == "ordinal (weighted for response)"]
    assert len(weighted) and set(weighted["outcome"]) == {"rating"}
    plain = first.rows[(first.rows["model"] == "ordinal") & (first.rows["correction"] == "naive")]
    gap = abs(weighted["estimate"].to_numpy() - plain["estimate"].to_numpy())
    assert gap.max() > 1e-4 and (gap < 3 * plain["se"].to_numpy()).all()
    assert set(first.tables["response: rating"].columns) >= {"name"}
    assert "response: depression" not in first.tables
    assert any("472 of 900 conversations have the outcome" in note for note in first.notes)


def test_no_response_weights_where_they_are_not_wanted(platform: Platform) -> None:
    found = _fit(platform.tagged, outcomes=[RATING], response_weights=False)
    assert not found.rows["model"].str.contains("weighted").any() and "response: rating" not in found.tables


def test_dropped_chats_are_counted_by_reason(platform: Platform) -> None:
    tagged = platform.tagged.astype({"client_age": float})
    tagged.iloc[:7, tagged.columns.get_loc("client_age")] = np.nan
    tagged.iloc[7:10, tagged.columns.get_loc("counselor_id")] = None
    glance = _fit(tagged, outcomes=[RATING], covariates=["client_age"]).glance()
    missing = int(tagged["rating"].iloc[10:].isna().sum())
    assert set(glance["dropped"]) == {f"3 no counselor; 7 no client_age; {missing} no rating"}
    assert set(glance["chats"]) == {900 - 10 - missing}


def test_q_over_one_outcome_or_the_whole_study(platform: Platform) -> None:
    outcomes = [{**RATING, "models": ["ordinal"]}, {**DEPRESSION, "models": ["linear"]}]
    given: dict[str, Any] = {"outcomes": outcomes, "response_weights": False}
    by_outcome, of_study = (
        _fit(platform.tagged, **given, inference={"family": family}).tidy() for family in ("outcome", "study")
    )
    for _, group in by_outcome.groupby("outcome"):
        assert np.allclose(group["q_bh"], q_values(group["p"].to_numpy()))
    assert np.allclose(of_study["q_bh"], q_values(of_study["p"].to_numpy()))
    assert not np.allclose(by_outcome["q_bh"], of_study["q_bh"])
    assert _fit(platform.tagged, **given, inference={"adjust": "none"}).rows["q_bh"].isna().all()


def test_naive_gold_and_corrected_are_families_of_their_own(first: Result) -> None:
    for _, group in first.tidy().groupby(["outcome", "model", "correction"]):
        assert np.allclose(group["q_bh"], q_values(group["p"].to_numpy()))


def test_q_where_a_p_is_missing() -> None:
    terms = [Term(code, code) for code in ("REF", "AF", "EA")]
    one = np.ones(3)
    rows = tidy_rows("linear", "rating", terms, one, one, 10, 0.05, p=np.array([0.01, np.nan, 0.04]))
    q = adjusted(rows, _study())["q_bh"]
    assert q[[0, 2]].tolist() == pytest.approx([0.02, 0.04]) and np.isnan(q[1])


def test_six_counselors_are_tested_by_the_wild_bootstrap(platform: Platform) -> None:
    tagged = _of_counselors(platform.tagged, 6)
    given: dict[str, Any] = {
        "outcomes": [{**DEPRESSION, "models": ["linear", "change"]}],
        "techniques": {"codes": ["REF", "PR"], "min_chats": 5},
        "covariates": [],
    }
    found = _fit(tagged, **given, inference={"draws": 199})
    rows = found.tidy("depression", "change")
    assert "only 6 clusters" in rows["warnings"][0] and "wild cluster bootstrap" in rows["warnings"][0]
    # With 6 clusters there are 32 pairs of sign vectors, and no other p values than n / 32.
    assert np.allclose(rows["p"] * 32, np.round(rows["p"] * 32))
    # Intervals by errors and degrees of freedom of their own, of each column.
    assert "CR2 standard errors" in rows["warnings"][0] and (rows["n_clusters"] == 6).all()
    assert rows["df"].between(1, 6).all() and rows["df"].nunique() > 1
    half = stats.t.ppf(0.975, rows["df"]) * rows["se"]
    assert (rows["ci_high"] - rows["estimate"]).to_numpy() == pytest.approx(half.to_numpy())
    again = _fit(tagged, **given, inference={"draws": 199})
    pd.testing.assert_frame_equal(found.rows, again.rows)


def test_gold_of_few_counselors_is_said_of_corrected_rows(platform: Platform, first: Result) -> None:
    few = _fit(
        _of_counselors(platform.tagged, 14),
        platform.gold,
        outcomes=[{**DEPRESSION, "models": ["linear"]}],
        techniques={"codes": ["REF"]},
    )
    warned = few.rows[few.rows["correction"] == "ptd"]["warnings"]
    assert len(warned) and warned.str.contains("gold of only 14 clusters").all()
    assert not first.rows["warnings"].str.contains("gold of only").any()


def test_four_counselors_are_refused(platform: Platform) -> None:
    tagged = platform.tagged.copy()
    few = _of_counselors(tagged, 4).index
    tagged.loc[~tagged.index.isin(few), "rating"] = np.nan
    found = _fit(tagged, techniques={"codes": ["REF"], "min_chats": 5}, response_weights=False)
    assert set(found.rows["outcome"]) == {"depression"}
    said = [note for note in found.notes if note.startswith("rating, ")]
    assert len(said) == 4 and all("at least 5" in note for note in said)
    with pytest.raises(ModelProblem, match=r"(?s)No model could be fitted.*4 clusters .* at least 5"):
        _fit(tagged.loc[few], techniques={"codes": ["REF"], "min_chats": 5})


def test_a_code_that_separates_is_named_and_left_out_of_all_three_fits(platform: Platform) -> None:
    tagged = platform.tagged.assign(happy=(platform.tagged["CO"] == 0).astype(float))
    found = _fit(
        tagged,
        platform.gold,
        outcomes=[{"name": "happy", "type": "binary"}],
        techniques={"codes": ["REF", "AF", "CO"], "within_between": False},
    )
    assert any("logit: Column 'CO' falls" in note and "left out of this model" in note for note in found.notes)
    rows = found.tidy("happy", "logit")
    assert set(rows["correction"]) == {"naive", "gold", "ptd"}
    assert all(set(group["code"]) == {"REF", "AF"} for _, group in rows.groupby("correction"))
    assert abs(rows["estimate"]).max() < 5


def test_a_report_of_another_headline_draws_no_code_that_the_ordinal_model_left_out(
    platform: Platform, tmp_path: Path
) -> None:
    rare = (platform.tagged["CO"] > 0) & (np.arange(900) % 4 == 0)
    tagged = platform.tagged.assign(CO=rare.astype(float))
    tagged["rating"] = tagged["rating"].where(~rare, 5.0)
    techniques = {"form": "presence", "codes": ["REF", "CO"], "within_between": False}
    found = _fit(tagged, outcomes=[{**RATING, "models": ["linear", "ordinal"]}], techniques=techniques)
    assert "CO" in set(found.tidy("rating", "linear")["code"])
    (tmp_path / "x").touch()
    write_result(found, tmp_path, tmp_path / "out")
    drawn = {path.stem for path in (tmp_path / "out").glob("predicted_rating_*.svg")}
    assert drawn == {"predicted_rating_ref"}


@pytest.mark.parametrize("model", ["logit", "ordinal"])
def test_a_code_that_separates_has_a_penalized_estimate_beside(platform: Platform, model: str) -> None:
    rare = (platform.tagged["CO"] > 0) & (np.arange(900) % 4 == 0)
    tagged = platform.tagged.assign(CO=rare.astype(float))
    rating = {**RATING, "models": [model]}
    tagged["rating"] = tagged["rating"].where(~rare, 5.0)
    given: dict[str, Any] = {
        "outcomes": [rating],
        "techniques": {"form": "presence", "codes": ["REF", "AF", "CO"], "within_between": False},
        "covariates": [],
        "response_weights": False,
    }
    found = _fit(tagged, **given)
    penalized = found.rows[found.rows["model"] == f"{model} (penalized)"]
    assert list(penalized["code"]) == ["CO"] and set(found.tidy("rating", model)["code"]) == {"REF", "AF"}
    assert found.headlines() == [("rating", model)]
    beside = f"rating: {model}: {model} (penalized) has finite estimates of CO, with all columns in the model."
    assert beside in found.notes
    row = penalized.iloc[0]
    assert row["warnings"].startswith("the column separates the outcome: estimate with Firth's penalty")
    assert "clustering accounted for by a design effect of" in row["warnings"] and UNCORRECTED in row["warnings"]
    assert 0 < row["ci_low"] < row["estimate"] < row["ci_high"] and row["p"] < 0.05 and np.isnan(row["q_bh"])
    assert row["effect_low"] == pytest.approx(np.exp(row["ci_low"])) and row["unit"].startswith("odds ratio")
    study = _study(**given)
    outcome = study.outcomes[0]
    design = design_of(study, outcome, _chats(tagged), *outcome_values(outcome, _chats(tagged)))
    values = (design.outcome >= 4).astype(float) if model == "logit" else design.outcome
    (direct,) = penalized_terms(values, design.names, design.columns, ["CO"], design.clusters.to_numpy())
    assert (row["estimate"], row["p"], row["ci_high"]) == pytest.approx((direct.estimate, direct.p, direct.high))
    assert row["n_clusters"] == direct.df + 1 == row["df"] + 1
    plain = found.rows[found.rows["model"] == model]
    assert np.isfinite(plain["q_bh"]).all()


@pytest.mark.parametrize("model", ["logit", "ordinal"])
def test_a_code_whose_use_separates_is_left_out_within_and_between(platform: Platform, model: str) -> None:
    """All chats with it have the top rating, so deviations from the counselor's mean are no evidence either."""
    rare = (platform.tagged["CO"] > 0) & (np.arange(900) % 4 == 0)
    tagged = platform.tagged.assign(CO=rare.astype(float))
    tagged["rating"] = tagged["rating"].where(~rare, 5.0)
    techniques = {"form": "presence", "codes": ["REF", "CO"]}
    given: dict[str, Any] = {"techniques": techniques, "covariates": [], "response_weights": False}
    found = _fit(tagged, outcomes=[{**RATING, "models": [model]}], **given)
    levels = ["CO (within)", "CO (between)"]
    assert list(found.tidy("rating", model)["term"]) == ["REF (within)", "REF (between)"]
    assert list(found.tidy("rating", f"{model} (penalized)")["term"]) == levels
    assert any(
        f"rating: {model}: " in note
        and note.endswith("CO (within) and CO (between), of one technique, were left out of this model.")
        for note in found.notes
    )
    beside = f"rating: {model}: {model} (penalized) has finite estimates of {', '.join(levels)}, with all columns in"
    assert any(note.startswith(beside) for note in found.notes)


def test_a_model_of_which_no_technique_is_left_is_no_headline(platform: Platform, tmp_path: Path) -> None:
    rare = (platform.tagged["CO"] > 0) & (np.arange(900) % 4 == 0)
    tagged = platform.tagged.assign(CO=rare.astype(float))
    tagged["rating"] = tagged["rating"].where(~rare, 5.0)
    given: dict[str, Any] = {"techniques": {"form": "presence", "codes": ["CO"]}, "response_weights": False}
    both = _fit(tagged, outcomes=[{**RATING, "models": ["logit", "linear"]}], **given)
    assert both.headlines() == [("rating", "linear")]
    alone = _fit(tagged, outcomes=[{**RATING, "models": ["logit"]}], **given)
    assert alone.headlines() == [] and len(alone.table()) == 2
    assert set(alone.tidy()["model"]) == {"logit (penalized)"}
    (tmp_path / "x").touch()
    write_result(alone, tmp_path, tmp_path / "out")
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "## rating: other models" in report and "### logit (penalized)" in report


def test_what_the_ordinal_model_means_is_of_the_columns_that_it_has(platform: Platform) -> None:
    rating = platform.tagged["rating"]
    tagged = platform.tagged.assign(flag=((rating == 5) & (np.arange(900) % 4 == 0)).astype(float))
    given: dict[str, Any] = {"outcomes": [{**RATING, "models": ["ordinal"]}], "response_weights": False}
    without = _fit(tagged, **given, covariates=["log_messages"])
    found = _fit(tagged, **given, covariates=["log_messages", "flag"])
    assert any("ordinal: Column 'flag' rises" in note for note in found.notes)
    for name in ("marginal effects: rating", "predicted: rating", "proportional odds: rating"):
        pd.testing.assert_frame_equal(found.tables[name], without.tables[name])


def test_what_the_ordinal_model_means_is_named_where_it_cannot_be_told(platform: Platform) -> None:
    rating = platform.tagged["rating"]
    given: dict[str, Any] = {
        "outcomes": [{**RATING, "models": ["ordinal", "linear"]}],
        "techniques": {"form": "presence", "codes": ["CO"], "within_between": False},
        "response_weights": False,
    }
    missing = "rating: marginal effects, predicted ratings and the check of proportional odds are missing: "
    # The only code separates.
    rare = (platform.tagged["CO"] > 0) & (np.arange(900) % 4 == 0)
    alone = _fit(platform.tagged.assign(CO=rare.astype(float), rating=rating.where(~rare, 5.0)), **given)
    assert f"{missing}no technique is left in the ordinal model." in alone.notes
    # As many parameters as counselors: no clustered errors of the ordinal model, but of the linear one.
    few = _of_counselors(platform.tagged.dropna(subset=["rating"]), 6)
    crowded = _fit(few, **{**given, "techniques": {"codes": ["REF"], "within_between": False, "min_chats": 5}})
    said = f"{missing}6 clusters are too few for clustered standard errors of 6"
    assert any(note.startswith(said) for note in crowded.notes)
    for found in (alone, crowded):
        assert "linear" in set(found.rows["model"])
        assert not {"marginal effects: rating", "proportional odds: rating"} & set(found.tables)


def test_a_logit_of_a_rating_says_where_it_cuts(platform: Platform) -> None:
    outcome = {**RATING, "models": ["logit"]}
    codes = {"codes": ["REF", "EA"]}
    found = _fit(platform.tagged, platform.gold, outcomes=[outcome], techniques=codes)
    unit = "odds ratio of a rating of 4 or more per 10 points of share"
    assert {"logit", "logit (weighted for response)"} == set(found.tidy()["model"])
    assert {"naive", "gold", "ptd"} <= set(found.tidy()["correction"])
    assert set(found.tidy()["unit"]) == {unit} == {found.unit("rating", "logit")}
    assert not any("ratings are cut" in note for note in found.notes)
    assert set(
        _fit(platform.tagged, outcomes=[{"name": "rating", "type": "rating"}]).tidy("rating", "ordinal")["unit"]
    ) == {"odds ratio per 10 points of share"}
    top = _fit(platform.tagged, outcomes=[{**outcome, "satisfied": 5}], techniques=codes).tidy()
    assert set(top["unit"]) == {"odds ratio of a rating of 5 or more per 10 points of share"}

    ten = platform.tagged.assign(rating=2 * platform.tagged["rating"])
    for levels in (list(range(11)), []):
        wide = _fit(ten, outcomes=[{**outcome, "levels": levels}], techniques=codes)
        [note] = [note for note in wide.notes if "ratings are cut at 4" in note]
        many = int((ten["rating"] >= 4).sum())
        assert f"rating, logit: ratings are cut at 4, which is meant for levels of 1 to 5: {many} of 472 chats" in note
    asked = _fit(ten, outcomes=[{**outcome, "levels": list(range(11)), "satisfied": 9}], techniques=codes)
    assert not any("ratings are cut" in note for note in asked.notes)
    assert asked.unit("rating", "logit") == "odds ratio of a rating of 9 or more per 10 points of share"


def test_a_rating_that_never_varies(platform: Platform) -> None:
    found = _fit(platform.tagged.assign(rating=5.0), platform.gold)
    assert set(found.rows["outcome"]) == {"depression"}
    assert any("All 900 outcomes are 5: there is nothing to explain" in note for note in found.notes)
    assert found.headlines() == [("depression", "linear")]
    with pytest.raises(ModelProblem, match="nothing to explain"):
        _fit(platform.tagged.assign(rating=5.0), outcomes=[RATING])


def test_a_star_that_nobody_gave(platform: Platform) -> None:
    rating = platform.tagged["rating"]
    found = _fit(platform.tagged.assign(rating=rating.where(rating != 2)), outcomes=[RATING])
    assert any("no rating is 2: ordinal models are fitted on the 4 levels" in note for note in found.notes)
    ordinal = found.glance().set_index("model").loc["ordinal"]
    assert ordinal["levels"] == "1, 3, 4, 5"
    assert set(found.tables["predicted: rating"]["level"]) == {1, 3, 4, 5}


def test_gold_of_other_chats(platform: Platform) -> None:
    gold = platform.gold.set_axis("other-" + platform.gold.index)
    with pytest.raises(UsageProblem, match="None of the 360 gold chats is among the 900 chats"):
        _fit(platform.tagged, gold)
    some = pd.concat([platform.gold, gold.iloc[:10]])
    notes = _fit(platform.tagged, some, outcomes=[DEPRESSION]).notes
    assert "depression: 10 of 370 gold chats are not among the fitted chats." in notes


def test_gold_chats_without_the_outcome_say_so(platform: Platform) -> None:
    unrated = platform.tagged["rating"].isna().reindex(platform.gold.index)
    found = _fit(platform.tagged, platform.gold[unrated], outcomes=[RATING])
    assert any("no gold chat is among the fitted chats" in note for note in found.notes)
    assert set(found.rows["correction"]) == {""}
    assert any("could not correct rating" in sentence for sentence in found.sentences)


def test_a_code_without_gold_is_named(platform: Platform) -> None:
    found = _fit(platform.tagged, platform.gold.assign(IP=0), outcomes=[RATING])
    said = [note for note in found.notes if "correction for label error" in note]
    assert said and all("people never gave Inappropriate (IP)" in note for note in said)
    assert "ptd" not in set(found.rows["correction"])


def test_too_little_gold_and_convenience(platform: Platform) -> None:
    few = _fit(platform.tagged, platform.gold.iloc[:40], outcomes=[RATING])
    assert any("28 gold chats are too few for 17 parameters: at least 85 are needed" in note for note in few.notes)
    handy = _fit(
        platform.tagged,
        platform.gold,
        outcomes=[{**RATING, "models": ["linear"]}],
        label_error={"counts": "x", "sampling": "convenience"},
    )
    assert any("convenience sample" in note for note in handy.notes)
    assert any("not drawn at random" in sentence for sentence in handy.sentences)


def test_gold_counts_without_messages_have_no_quality_of_the_tagger(first: Result) -> None:
    assert "tagger" not in first.tables and "support" not in first.rows.columns


def test_shah2022_beside_the_recommended_design(platform: Platform) -> None:
    found = _fit(platform.tagged, platform.gold, preset="shah2022", covariates=["client_age"])
    preset = found.rows[found.rows["design"] == "shah2022"]
    own = found.rows[found.rows["design"] == "recommended"]
    assert set(preset["model"]) == {"logit"} and set(preset["outcome"]) == {"rating"}
    assert (preset["code"] != "").sum() == 16 and set(preset["level"]) == {""}
    assert set(preset.loc[preset["code"] != "", "unit"]) == {"odds ratio of a rating of 4 or more per message"}
    marginal = marginal_effects(found, "rating")[0]
    assert "per 10 points of share" in marginal.caption, "of the recommended design, not of the preset before it"
    assert {"ptd", "gold", "naive"} <= set(own["correction"]) and set(own["outcome"]) == {"rating", "depression"}
    assert any(note.startswith("shah2022: rating, logit: with equally weighted classes") for note in found.notes)
    assert found.headlines() == [("rating", "ordinal"), ("depression", "linear")]
    clear = (preset.loc[preset["code"] != "", "q_bh"] < 0.05).sum()
    said = f"rating, shah2022 (logit), for comparison: {clear} of 16 associations have q < .05."
    assert said in found.sentences and not any("depression, shah2022" in sentence for sentence in found.sentences)
    assert sum(sentence.startswith("depression, recommended design: ") for sentence in found.sentences) == 1

    tagged = platform.tagged.dropna(subset=["rating"])
    codes = list(preset.loc[preset["code"] != "", "code"])
    satisfied = (tagged["rating"] >= 4).to_numpy(dtype=float)
    weight = np.where(satisfied > 0, 0.5 / satisfied.mean(), 0.5 / (1 - satisfied.mean()))
    columns = tagged[[*codes, "client_age"]].to_numpy(dtype=float)
    direct = fit_family("logit", satisfied, [*codes, "client_age"], columns, weight)
    assert np.allclose(preset["estimate"], direct.coefficients, rtol=1e-8)


def test_yang2024_beside_the_recommended_design(platform: Platform) -> None:
    found = _fit(platform.tagged, platform.gold, preset="yang2024", covariates=["client_age"])
    preset = found.rows[found.rows["design"] == "yang2024"]
    measures = preset[preset["code"] != ""]
    assert set(preset["model"]) == {"ancova", "linear"} and set(preset["outcome"]) == {"depression"}
    preset, measures = (rows[rows["model"] == "ancova"] for rows in (preset, measures))
    assert list(measures["code"]) == ["GI", "Question", "REF", "AF", "SC", "EA", "PR"]
    assert set(measures["unit"]) == {"points per standard deviation"}
    assert preset["n_clusters"].unique().tolist() == [platform.tagged["client_id"].nunique()]
    assert {"log_messages", "phq9_pre", "log_messages x phq9_pre", "client_age"} <= set(preset["term"])
    assert set(found.rows.loc[found.rows["design"] == "recommended", "outcome"]) == {"rating", "depression"}


def test_a_model_that_the_outcome_does_not_have(first: Result) -> None:
    with pytest.raises(UnknownName, match=r"^No outcome 'ratng'\. Did you mean 'rating'\? There are rating, depress"):
        first.tidy("ratng")
    with pytest.raises(UnknownName, match=r"^No model 'gee' of rating\. There are ordinal, "):
        first.tidy("rating", "gee")
    for shown in (first.table, first.to_html, first.plot):
        with pytest.raises(UnknownName, match=r"^No model 'gee' of rating"):
            shown("rating", "gee")
    assert set(first.tidy(model="gee")["outcome"]) == {"depression"}


def test_a_result_shows_what_was_found_in_a_console(first: Result) -> None:
    assert repr(first) == first.summary() and "DataFrame" not in repr(first)


def test_nobody_is_named(platform: Platform, first: Result, of_all_types: Result) -> None:
    people = set(platform.tagged["counselor_id"]) | set(platform.tagged["client_id"])
    for found in (first, of_all_types):
        said = " ".join([*found.notes, *found.sentences, found.summary()])
        assert said and not [name for name in people if name in said]


def test_the_same_seed_gives_the_same_result(platform: Platform) -> None:
    given: dict[str, Any] = {"outcomes": [DEPRESSION], "techniques": {"codes": ["REF", "EA"], "within_between": False}}
    few = _of_counselors(platform.tagged, 14)
    one, two, other = (_fit(few, **given, seed=seed, inference={"draws": 99}) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert (one.notes, one.sentences) == (two.notes, two.sentences)
    linear = one.rows["model"].isin(["linear", "change"]) & (one.rows["code"] != "")
    assert not np.allclose(one.rows["p"][linear], other.rows["p"][linear])
    assert np.allclose(one.rows["estimate"], other.rows["estimate"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"covariates": ["started_at"]}, "started_at is a text with 900 values"),
        ({"covariates": ["counselor_id"]}, "counselor_id is the counselor"),
        ({"covariates": ["endless"]}, "endless is infinite in 1 chats"),
        ({"outcomes": [{"name": "endless", "type": "count"}]}, "endless is infinite in 1 chats"),
    ],
)
def test_columns_that_cannot_be_used_are_named(platform: Platform, changed: dict[str, Any], said: str) -> None:
    endless = np.where(np.arange(900) == 3, np.inf, np.arange(900) % 7)
    with pytest.raises(UsageProblem, match=said):
        _fit(platform.tagged.assign(endless=endless), **changed)


def test_techniques_named_as_functions_of_formulas(platform: Platform) -> None:
    merge = {"Q": ["OQ", "CQ"], "C": ["CO", "PR"], "I": ["IP", "GI"]}
    found = _fit(
        platform.tagged, platform.gold, outcomes=[RATING], techniques={"merge": merge, "codes": ["C", "Q", "I"]}
    )
    rows = found.tidy("rating", "ordinal")
    assert set(rows["code"]) == {"C", "Q", "I"} and set(rows["correction"]) == {"naive", "gold", "ptd"}
