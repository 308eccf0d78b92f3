"""Studies that analysts wrote and that once went wrong without a word: each is right now, or refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.label_error import correct
from mi_coder.outcomes.simulate import simulate
from mi_coder.outcomes.study.chats import Chats, read_chats
from mi_coder.outcomes.study.correction import BETWEEN_UNCORRECTED, UNCORRECTED
from mi_coder.outcomes.study.design import Design, design_of
from mi_coder.outcomes.study.match import run_matching
from mi_coder.outcomes.study.outcome import outcome_values
from mi_coder.outcomes.study.power import plan_study
from mi_coder.outcomes.study.presets import designs_of
from mi_coder.outcomes.study.result import NOT_CORRECTED, Result
from mi_coder.outcomes.study.spec import Study, read_study, study_of
from mi_coder.outcomes.study.writing import write_result

IDS = list(Codebook.load().ids)
CODES = ["OQ", "REF", "AF", "PR"]
RATING = {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5]}
SYMPTOM = {"name": "depression", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "phq9_post"}


def _chats(seed: int = 1, chats: int = 800, counselors: int = 40, gold: float = 0.3) -> tuple[Chats, Chats]:
    platform = simulate(chats=chats, counselors=counselors, gold=gold, seed=seed)
    known = platform.tagged.drop(columns=IDS)
    known = known.assign(log_messages=np.log(known["messages"]))
    coded = Chats(platform.gold[IDS].astype(float), platform.gold[["messages"]], {})
    return Chats(platform.tagged[IDS].astype(float), known, {}), coded


def _study(*outcomes: dict[str, Any], **keys: Any) -> Study:
    keys.setdefault("techniques", {"codes": CODES})
    keys.setdefault("covariates", ["log_messages"])
    data = {"counts": "chats.csv", "client": "client_id", **keys.pop("data", {})}
    return study_of({"data": data, "outcomes": list(outcomes), **keys})


def _fit(*outcomes: dict[str, Any], gold: bool = False, seed: int = 1, **keys: Any) -> Result:
    chats, coded = _chats(seed)
    return _study(*outcomes, **keys).fit(chats=chats, gold=coded if gold else None)


def _design(study: Study, chats: Chats) -> Design:
    values, before = outcome_values(study.outcomes[0], chats)
    return design_of(study, study.outcomes[0], chats, values, before)


def test_a_covariate_that_the_model_adds_by_itself_stays_once() -> None:
    chats, _ = _chats()
    count = _design(_study(RATING, techniques={"codes": CODES, "form": "count"}), chats)
    assert count.names.count("log_messages") == 1 and not any("left out" in note for note in count.notes)
    study = _study(SYMPTOM, covariates=["log_messages", "phq9_pre", "phq9_pre"])
    assert _design(study, chats).names.count("phq9_pre") == 1


def test_the_preset_of_the_second_study_keeps_the_length_of_chats() -> None:
    chats, _ = _chats()
    (label, preset), _ = designs_of(_study(SYMPTOM, preset="yang2024"))
    assert label == "yang2024" and _design(preset, chats).names.count("log_messages") == 1


def test_findings_are_those_of_the_recommended_design() -> None:
    chats, _ = _chats()
    client = chats.frame["client_id"].factorize()[0]
    lasting = np.random.default_rng(1).normal(0, 3, client.max() + 1)[client]
    lasting += np.random.default_rng(2).normal(0, 3, 40)[chats.frame["counselor_id"].factorize()[0]]
    chats.frame["after"] = chats.frame["phq9_post"] + lasting
    outcome = {"name": "change", "type": "change", "before": "phq9_pre", "after": "after"}
    result = _study(outcome, preset="yang2024").fit(chats=chats)
    assert result.headlines() == [("change", "ancova")] and result.tidy("change", "ancova")["design"].nunique() == 2
    assert f"of {2 * len(CODES)} associations" in result.sentences[0]
    assert result.sentences[0].startswith("change, recommended design: ")
    assert any(sentence.startswith("change, yang2024 (ancova), for comparison: ") for sentence in result.sentences)


def test_a_covariate_named_as_a_technique_is_refused() -> None:
    chats, _ = _chats()
    chats.frame["REF"] = 1.0
    study = _study(RATING, covariates=["REF"], techniques={"codes": CODES, "within_between": False})
    with pytest.raises(UsageProblem, match="REF is also the name of a technique"):
        _design(study, chats)


def test_gold_that_corrects_nothing_is_not_said_to_correct() -> None:
    chats, coded = _chats()
    few = Chats(coded.counts[:20], coded.frame[:20], {})
    result = _study(RATING, inference={"draws": 99}).fit(chats=chats, gold=few)
    said = " ".join(result.sentences)
    assert "could not correct rating" in said and "Corrected figures hold" not in said
    assert result.tidy()["warnings"].str.contains(UNCORRECTED).all()


def test_what_is_corrected_has_no_warning_and_what_is_not_has_one() -> None:
    rows = _fit(RATING, gold=True).tidy()
    mended = rows["model"].isin(["ordinal", "logit", "linear"])
    between = mended & (rows["level"] == "between")
    assert not rows.loc[mended, "warnings"].str.contains(UNCORRECTED).any()
    assert rows.loc[~mended, "warnings"].str.contains(UNCORRECTED).all() and (~mended).any()
    assert rows.loc[between, "warnings"].str.endswith(BETWEEN_UNCORRECTED).all() and between.any()
    assert not rows.loc[mended & ~between, "warnings"].str.contains("uncorrected").any()


def test_no_row_of_counselors_means_is_among_those_of_gold_chats() -> None:
    result = _fit(RATING, SYMPTOM, gold=True)
    rows = result.tidy()
    between = rows[rows["level"] == "between"]
    assert set(between["correction"]) == {"", "naive"}
    mended = rows[rows["correction"] == "ptd"]
    assert set(mended["level"]) == {"within"}
    for (outcome, model), corrected in mended.groupby(["outcome", "model"]):
        assert list(corrected["code"]) == CODES
        naive = between[(between["outcome"] == outcome) & (between["model"] == model)]
        assert list(naive["code"]) == CODES and set(naive["correction"]) == {"naive"}
        assert not result.tables[f"gain: {outcome}, {model}"]["term"].str.contains("between").any()


def test_the_means_stay_in_the_models_of_gold_chats() -> None:
    """Left out of the report alone: without them in the models, within would hold what is between."""
    chats, coded = _chats()
    study = _study({**SYMPTOM, "models": ["linear"]})
    design = _design(study, chats)
    rows = np.flatnonzero(design.ids.isin(coded.counts.index))
    gold, tagged = design.gold_columns(coded.counts.loc[design.ids[rows]], rows)
    counselors = design.counselors.to_numpy()
    means = [term.level != "within" for term in design.terms]
    assert np.array_equal(tagged[:, means], design.columns[np.ix_(rows, means)]) and sum(means) > len(CODES)
    direct = correct(
        "linear", design.outcome, design.names, design.columns, gold, rows, counselors, tagged_on_gold=tagged
    )
    found = study.fit(chats=chats, gold=coded).tidy("depression", "linear", covariates=True)
    told = [term.level != "between" for term in design.terms]
    for name, part in (("gold", direct.gold_only), ("ptd", direct.corrected)):
        some = found[found["correction"] == name]
        assert np.allclose(some["estimate"], part.coefficients[told]) and np.allclose(some["se"], part.se[told])
    assert sum(told) == len(design.names) - len(CODES)


def test_a_finding_that_is_corrected_is_never_about_counselors_compared() -> None:
    chats, coded = _chats()
    use = 10 * chats.counts["REF"] / chats.counts.sum(axis=1)
    chats.frame["after"] = chats.frame["phq9_post"] + 40 * use.groupby(chats.frame["counselor_id"]).transform("mean")
    outcome = {"name": "change", "type": "change", "before": "phq9_pre", "after": "after"}
    naive, corrected = (_study(outcome).fit(chats=chats, gold=gold).sentences for gold in (None, coded))
    assert "Reflection (counselors compared) goes with" in naive[0]
    assert f"of {len(CODES)} associations in 800 chats (corrected for the tagger's errors)" in corrected[0]
    assert not any("(counselors compared)" in sentence for sentence in corrected)
    said = [sentence for sentence in corrected if "Differences between counselors are uncorrected" in sentence]
    assert len(said) == 1 and "techniques.within_between: false" in said[0]
    assert not any("Differences between counselors are uncorrected" in sentence for sentence in naive)


def test_the_pooled_slope_is_corrected() -> None:
    result = _fit(SYMPTOM, gold=True, techniques={"codes": CODES, "within_between": False})
    mended = result.tidy("depression", "linear")
    assert set(mended.loc[mended["correction"] == "ptd", "level"]) == {""}
    assert not any("Differences between counselors are uncorrected" in sentence for sentence in result.sentences)


def test_where_only_means_are_left_nothing_is_corrected() -> None:
    """A counselor with one chat has no other to compare it with."""
    chats, coded = _chats()
    chats.frame["counselor_id"] = chats.frame.index
    coded.frame["counselor_id"] = coded.frame.index
    result = _study({**SYMPTOM, "models": ["linear"]}).fit(chats=chats, gold=coded)
    assert set(result.tidy()["level"]) == {"between"} and set(result.rows["correction"]) == {""}
    assert any("only differences between counselors are left" in note for note in result.notes)
    assert any("could not correct depression" in sentence for sentence in result.sentences)


def test_reports_of_rows_that_are_not_all_corrected() -> None:
    result = _fit(SYMPTOM, gold=True)
    table = result.table("depression", "linear")
    between = table["level"] == "between"
    assert (table.loc[between, "corrected"] == NOT_CORRECTED).all() and (table.loc[between, "naive"] != "").all()
    assert not (table.loc[~between, ["corrected", "gold only"]] == NOT_CORRECTED).any(axis=None)
    assert (table.loc[between, ["p corrected", "q corrected", "gold only", "weight on tagger"]] == "").all(axis=None)
    for text in (result.to_markdown(), result.to_html(), result.to_latex()):
        assert text.count(NOT_CORRECTED) == len(CODES) and "nan" not in text
    figure = result.plot("depression", "linear")
    figure.draw_without_rendering()
    assert [axis.get_title() for axis in figure.axes] == ["Within counselors", "Between counselors, not corrected"]
    rows = result.tidy("depression", "linear")
    for (_, level), group in rows.groupby(["correction", "level"]):
        assert len(group) == len(CODES) and level in ("within", "between") and group["q_bh"].notna().all()


def test_without_means_in_the_model_errors_of_whole_counselors_do_not_come_out_as_differences_within() -> None:
    chats, coded = _chats(chats=900, counselors=7, gold=0.4)
    design = _design(_study(SYMPTOM), chats)
    assert "between" not in design.recipe.levels
    rows = np.flatnonzero(design.ids.isin(coded.counts.index))
    people = design.counselors.iloc[rows].to_numpy()
    chances = np.linspace(0.2, 0.9, len(rows))
    gold, tagged = design.gold_columns(coded.counts.loc[design.ids[rows]], rows, chances)
    within = [term.level == "within" for term in design.terms]
    for columns in (gold, tagged):
        of_people = pd.DataFrame(columns[:, within] / chances[:, None]).groupby(people).sum()
        assert np.allclose(of_people, 0)
    assert np.array_equal(tagged[:, np.logical_not(within)], design.columns[np.ix_(rows, np.logical_not(within))])


def test_what_makes_counselors_differ_stays_out_of_corrected_slopes_within() -> None:
    """Counselors who use more are rated better, and the tagger finds a part that differs by counselor."""
    found = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        people = np.repeat(np.arange(50), 12)
        habit = random.normal(size=50)[people]
        use = np.clip(np.rint(30 + 8 * habit + 6 * random.normal(size=600)), 0, 100)
        seen = random.binomial(use.astype(int), random.uniform(0.4, 1, 50)[people])
        ids = pd.Index([f"chat{i}" for i in range(600)])
        true, tagged = (
            pd.DataFrame({code: 0.0 for code in Codebook.load().ids}, index=ids).assign(REF=each, OT=100.0 - each)
            for each in (use, seen)
        )
        frame = pd.DataFrame(
            {
                "counselor_id": [f"c{i}" for i in people],
                "pre": random.normal(size=600),
                "post": habit + random.normal(size=600),
            },
            index=ids,
        )
        outcome = {"name": "mood", "type": "change", "before": "pre", "after": "post", "models": ["linear"]}
        study = _study(outcome, techniques={"codes": ["REF"], "min_chats": 1}, covariates=[])
        design = _design(study, Chats(tagged, frame, {}))
        assert design.names == ("REF (within)", "REF (between)", "pre")
        rows = np.sort(random.choice(600, 200, replace=False))
        gold, on_gold = design.gold_columns(true.loc[design.ids[rows]], rows)
        result = correct(
            "linear", design.outcome, design.names, design.columns, gold, rows, people, tagged_on_gold=on_gold
        )
        found.append(result.corrected.coefficients[0])
    assert abs(np.mean(found)) < 3 * np.std(found) / len(found) ** 0.5 < 0.1


def test_within_alone_is_corrected_also_where_a_counselor_has_two_gold_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean error over so few chats, once taken out of the gold columns, held half of what was to be corrected."""
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        people = np.repeat(np.arange(20), 60)
        habit = 0.7 * random.normal(size=20)[people]
        use = np.clip(np.rint(20 + 4 * (habit + random.normal(size=1200))), 0, 100)
        after = 0.125 * (use - 4 * habit) + habit + random.normal(size=1200)
        tagged = np.clip(np.rint(20 + 0.5 * (use - 20) + 1.2 * after + 1.6 * random.normal(size=1200)), 0, 100)
        ids = pd.Index([f"chat{i}" for i in range(1200)])
        true, seen = (
            pd.DataFrame({code: 0.0 for code in Codebook.load().ids}, index=ids).assign(REF=each, OT=100.0 - each)
            for each in (use, tagged)
        )
        frame = pd.DataFrame(
            {"counselor_id": [f"c{i}" for i in people], "pre": random.normal(size=1200), "post": after}, index=ids
        )
        outcome = {"name": "mood", "type": "change", "before": "pre", "after": "post", "models": ["linear"]}
        study = _study(outcome, techniques={"codes": ["REF"], "min_chats": 1}, covariates=[])
        monkeypatch.setattr("mi_coder.outcomes.study.techniques.COUNSELORS_PER_TECHNIQUE", 21)
        design = _design(study, Chats(seen, frame, {}))
        assert design.names == ("REF (within)", "pre")
        rows = np.concatenate([random.choice(np.flatnonzero(people == i), 2, replace=False) for i in range(20)])
        gold, on_gold = design.gold_columns(true.loc[design.ids[rows]], rows)
        result = correct(
            "linear", design.outcome, design.names, design.columns, gold, rows, people, tagged_on_gold=on_gold
        )
        found.append((result.naive.coefficients[0], result.corrected.coefficients[0]))
    naive, corrected = np.array(found).mean(axis=0)
    assert naive > 1.7 and abs(corrected - 1.25) < 0.15


def test_few_counselors_corrected_within_is_near_the_truth() -> None:
    away = []
    for seed in range(6):
        platform = simulate(chats=2500, counselors=15, gold=0.3, seed=seed)
        known = platform.tagged.drop(columns=IDS)
        share = 10 * platform.truth["REF"] / platform.truth[IDS].sum(axis=1)
        mean = share.groupby(known["counselor_id"]).transform("mean")
        known = known.assign(log_messages=np.log(known["messages"]), after=known["phq9_post"] - 4 * mean)
        outcome = {"name": "y", "type": "change", "before": "phq9_pre", "after": "after", "models": ["linear"]}
        study = _study(outcome, techniques={"codes": [*CODES, "SU", "SC", "GI", "GR"]}, inference={"draws": 99})
        gold = Chats(platform.gold[IDS].astype(float), platform.gold[["messages"]], {})
        rows = study.fit(chats=Chats(platform.tagged[IDS].astype(float), known, {}), gold=gold).tidy("y", "linear")
        away.append(rows.loc[(rows["code"] == "REF") & (rows["correction"] == "ptd"), "estimate"].item() + 0.3)
    assert abs(np.mean(away)) < 0.15


def test_without_adjustment_p_values_are_counted() -> None:
    sentence = _fit(SYMPTOM, inference={"adjust": "none"}).sentences[0]
    assert f"of {2 * len(CODES)} associations" in sentence and "not adjusted" in sentence


def test_shares_per_standard_deviation_are_not_said_to_be_ten_points() -> None:
    said = " ".join(_fit(SYMPTOM, techniques={"codes": CODES, "per": "sd"}).sentences)
    assert "one standard deviation more" in said and "10 points" not in said


def test_no_counselor_no_levels() -> None:
    result = _fit(SYMPTOM, data={"counselor": ""}, covariates=[])
    assert not result.tidy()["level"].any()
    assert any("No counselor is named" in note for note in result.notes)


def test_clusters_of_clients_need_clients() -> None:
    with pytest.raises(UsageProblem, match=r"data\.client"):
        _study(RATING, data={"client": ""}, inference={"cluster": "client"})


def test_the_probability_of_gold_chats_must_be_there_and_is_used_for_budgets(tmp_path: Path) -> None:
    chats, coded = _chats()
    setting = {"counts": "gold.csv", "sampling": "weights", "probability": "chance"}
    study = _study(SYMPTOM, label_error=setting)
    with pytest.raises(UsageProblem, match=r"label_error\.probability.*'chance'"):
        study.fit(chats=chats, gold=coded)
    unlike = np.where(np.arange(len(coded)) % 2, 0.1, 0.9)
    table = coded.counts.assign(messages=coded.frame["messages"], chance=unlike)
    table.to_csv(tmp_path / "gold.csv", index_label="conversation_id")
    plan = plan_study(_study({**SYMPTOM, "models": ["linear"]}, label_error=setting), tmp_path, chats=chats)
    even = {**setting, "sampling": "random", "probability": ""}
    flat = plan_study(_study({**SYMPTOM, "models": ["linear"]}, label_error=even), tmp_path, chats=chats)
    assert not np.allclose(plan.budget.gold, flat.budget.gold, rtol=0.01)
    with pytest.raises(UsageProblem, match=r"label_error\.probability"):
        plan_study(_study(SYMPTOM, label_error={**setting, "probability": "no"}), tmp_path, chats=chats)


def test_levels_that_nobody_gave_are_named() -> None:
    chats, _ = _chats()
    chats.frame["rating"] = chats.frame["rating"].replace(2, 1)
    notes = _study(RATING).fit(chats=chats).notes
    assert any("no rating is 2: ordinal models are fitted on the 4 levels" in note for note in notes)


def test_one_outcome_without_chats_does_not_stop_the_others() -> None:
    chats, _ = _chats()
    chats.frame["rating"] = np.nan
    result = _study(RATING, SYMPTOM).fit(chats=chats)
    assert set(result.rows["outcome"]) == {"depression"}
    assert any("No chat is left for rating" in note for note in result.notes)
    with pytest.raises(ModelProblem, match="No chat is left for rating"):
        _study(RATING).fit(chats=chats)


def test_missing_symptoms_are_weighted_in_the_first_model_that_takes_weights() -> None:
    chats, _ = _chats()
    chats.frame.loc[chats.frame.index[::3], "phq9_post"] = np.nan
    assert "linear (weighted for response)" in set(_study(SYMPTOM).fit(chats=chats).rows["model"])


def test_counselors_that_nobody_rated_keep_their_own_means() -> None:
    chats, _ = _chats()
    person = chats.frame["counselor_id"].iloc[0]
    own = (chats.frame["counselor_id"] == person).to_numpy()
    chats.frame.loc[own, "rating"] = np.nan
    design = _design(_study(RATING, covariates=[]), chats)
    share = 10 * chats.counts["REF"] / chats.counts.sum(axis=1)
    assert np.allclose(design.asked.loc[own, "REF (between)"], share[own].mean())


@pytest.mark.parametrize(("column", "value"), [("OQ", "x"), ("messages", "x"), ("messages", "")])
def test_counts_that_are_no_numbers_are_named(tmp_path: Path, column: str, value: str) -> None:
    table = simulate(chats=30, counselors=5).tagged.astype({column: object})
    table.loc[table.index[3], column] = value
    table.to_csv(tmp_path / "chats.csv", index_label="conversation_id")
    with pytest.raises(UsageProblem, match=f"{column} is not a number in 1 rows, the first is 'chat00003'"):
        read_chats(_study(RATING).data, tmp_path)


def test_studies_in_json_with_tabs_and_by_a_plain_path(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_text(
        '\ufeff{\n\t"data": {"counts": "c.csv"},\n\t"outcomes": [{"name": "r", "type": "rating"}]\n}', "utf-8"
    )
    assert read_study(str(path)).outcomes[0].name == "r"
    path.write_text("{")
    with pytest.raises(UsageProblem, match="is not JSON"):
        read_study(path)


def test_codes_that_would_count_twice_are_refused() -> None:
    chats, _ = _chats()
    twice = {"merge": {"A": ["OQ"], "B": ["OQ", "CQ"]}, "codes": ["A", "B"]}
    with pytest.raises(UsageProblem, match="OQ is there more than once"):
        _design(_study(RATING, techniques=twice), chats)
    with pytest.raises(UsageProblem, match="OT is in the reference"):
        _design(_study(RATING, techniques={"codes": ["OT", "OQ"]}), chats)


def test_interactions_of_techniques_are_not_corrected() -> None:
    pair = [["REF (within)", "before"]]
    result = _fit({**SYMPTOM, "models": ["linear"]}, gold=True, interactions=pair)
    assert not (result.rows["correction"] == "ptd").any()
    assert any("interactions of techniques" in note for note in result.notes)


def test_matching_names_the_covariate_that_is_missing() -> None:
    chats, _ = _chats()
    chats.frame.loc[chats.frame.index[:9], "client_age"] = np.nan
    matching = {"technique": "REF", "high": "median", "covariates": ["client_age", "phq9_pre"]}
    assert run_matching(_study(SYMPTOM, matching=matching), chats=chats).dropped == {"no client_age": 9}


def test_a_changed_study_is_exploratory_in_the_report(tmp_path: Path) -> None:
    platform = simulate(chats=800, counselors=40)
    platform.write(tmp_path)
    first, second = (_study(SYMPTOM, seed=seed) for seed in (1, 2))
    assert not write_result(first.fit(tmp_path), tmp_path, tmp_path / "out").sentences[0].startswith("Exploratory")
    assert write_result(second.fit(tmp_path), tmp_path, tmp_path / "out").sentences[0].startswith("Exploratory")
