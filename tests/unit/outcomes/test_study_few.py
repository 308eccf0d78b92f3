"""Studies of few counselors: what is fitted then, and that reports say so before all else and below their tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UsageProblem  # noqa: E402
from mi_coder.outcomes.guards import ModelProblem  # noqa: E402
from mi_coder.outcomes.ordinal import fit_ordinal  # noqa: E402
from mi_coder.outcomes.ordinal_effects import predict  # noqa: E402
from mi_coder.outcomes.simulate import simulate  # noqa: E402
from mi_coder.outcomes.study import further_tables as further  # noqa: E402
from mi_coder.outcomes.study.chats import read_chats  # noqa: E402
from mi_coder.outcomes.study.design import design_of  # noqa: E402
from mi_coder.outcomes.study.outcome import outcome_values  # noqa: E402
from mi_coder.outcomes.study.result import Result  # noqa: E402
from mi_coder.outcomes.study.spec import study_of  # noqa: E402
from mi_coder.outcomes.study.writing import write_result  # noqa: E402
from mi_coder.outcomes.tables import interval_text  # noqa: E402

RATING = {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5]}
DEPRESSION = {"name": "depression", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "phq9_post"}


def _fit(folder: Path, counselors: int, chats: int = 500, gold: bool = False, **changed: Any) -> Result:
    simulate(chats=chats, counselors=counselors, gold=0.4, seed=3).write(folder)
    given: dict[str, Any] = {
        "data": {"counts": "chats.csv", "counselor": "counselor_id", "client": "client_id"},
        "techniques": {"codes": ["REF"], "min_chats": 5},
        "inference": {"draws": 99},
        "response_weights": False,
        **({"label_error": {"counts": "gold.csv"}} if gold else {}),
    }
    return study_of({**given, **changed}).fit(folder)


@pytest.mark.parametrize("gold", [True, False])
def test_few_counselors_are_said_in_sentences_and_below_tables(tmp_path: Path, gold: bool) -> None:
    found = _fit(tmp_path, 14, gold=gold, outcomes=[{**DEPRESSION, "models": ["linear"]}])
    said = found.sentences[1]
    assert said.startswith("depression: ") and "clusters (counselors" in said
    assert ("gold chats of only 13" in said) == gold and ("CR2 standard errors" in said) != gold
    assert "wild cluster bootstrap" in said
    write_result(found, tmp_path, tmp_path / "out")
    note = "Between, naive: only 14 clusters: CR2 standard errors" if gold else "Only 14 clusters: CR2 standard errors"
    for name in ("report.md", "report.html", "tables.tex"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert note in text, name
        few = "gold of only 13 clusters: t with 12 degrees of freedom, p by the wild cluster bootstrap"
        assert (few in text) == gold, name
        assert "ncorrected: " in text, name


@pytest.mark.parametrize(("counselors", "rated"), [(12, 12), (160, 130)])
def test_what_a_rating_means_has_the_intervals_of_the_headline(tmp_path: Path, counselors: int, rated: int) -> None:
    found = _fit(tmp_path, counselors, chats=900, outcomes=[{**RATING, "models": ["ordinal"]}])
    rows = found.tidy("rating", "ordinal").set_index("term")
    df = rated - 1
    quantile = stats.t.ppf(0.975, df)
    assert (rows["df"] == df).all()
    odds, effects = (found.tables[f"{name}: rating"] for name in ("proportional odds", "marginal effects"))
    assert (odds["df"] == df).all() and (effects["df"] == df).all()
    mean = effects[(effects["term"] == "REF (within)") & (effects["rating"] == "mean")].iloc[0]
    [marginal], [cuts] = further.marginal_effects(found, "rating"), further.proportional_odds(found, "rating")
    low, high = (mean["effect"] + side * quantile * mean["se"] for side in (-1, 1))
    assert marginal.frame["mean rating"][0] == interval_text(mean["effect"], low, high)
    first = odds.iloc[0]
    ends = np.exp(first["slope"] + np.array([-1, 1]) * quantile * first["se"])
    assert cuts.frame["2 or more"][0] == interval_text(np.exp(first["slope"]), *ends)
    few = f"Only {counselors} clusters: t with {df} degrees of freedom."
    for table in (marginal, cuts):
        assert (few in table.notes) == (counselors < 40)

    study, chats = found.study, read_chats(found.study.data, tmp_path)
    design = design_of(study, study.outcomes[0], chats, *outcome_values(study.outcomes[0], chats))
    fit = fit_ordinal(design.outcome, design.names, design.columns, design.clusters.to_numpy())
    columns = design.columns.mean(axis=0)[None]
    columns[0, 0] = np.quantile(design.columns[:, 0], 0.05)
    at = predict(fit, columns)
    drawn = found.tables["predicted: rating"].iloc[: len(fit.levels)]
    assert drawn["high"].to_numpy() == pytest.approx(np.minimum(at.probabilities + quantile * at.se, 1)[0])


def test_many_counselors_have_no_such_sentence_or_note(tmp_path: Path) -> None:
    found = _fit(tmp_path, 160, outcomes=[{**DEPRESSION, "models": ["linear"]}])
    assert not any("clusters" in sentence for sentence in found.sentences)
    assert not found.rows["warnings"].str.contains("only").any()


def test_random_effects_of_few_counselors_have_the_t_distribution(tmp_path: Path) -> None:
    simulate(chats=500, counselors=14, seed=3).write(tmp_path)
    tagged = pd.read_csv(tmp_path / "chats.csv")
    person = np.random.default_rng(1).normal(size=14)[tagged["counselor_id"].str[-3:].astype(int)]
    tagged["mood"] = np.digitize(person + np.random.default_rng(2).logistic(size=len(tagged)), [-1, 0, 1]) + 1
    tagged.to_csv(tmp_path / "moods.csv", index=False)
    found = study_of(
        {
            "data": {"counts": "moods.csv"},
            "outcomes": [{"name": "mood", "type": "rating", "models": ["ordinal_random"]}],
            "techniques": {"codes": ["REF"], "min_chats": 5},
        }
    ).fit(tmp_path)
    rows = found.tidy("mood")
    assert (rows["df"] == 13).all() and rows["warnings"].str.contains("only 14 clusters: t with 13 degrees").all()
    assert "t with 13 degrees of freedom" in found.sentences[1]


def test_chats_that_are_taken_for_independent_are_said_to_be(tmp_path: Path) -> None:
    found = _fit(tmp_path, 3, outcomes=[RATING], inference={"cluster": ""})
    assert any("about these counselors only" in sentence for sentence in found.sentences)


def test_within_counselors_is_fitted_where_both_levels_are_too_much(tmp_path: Path) -> None:
    # Both levels of three codes, a covariate and four thresholds are 11 parameters, more than there are counselors.
    codes = {"techniques": {"codes": ["REF", "EA", "PR"], "min_chats": 5}, "covariates": ["log_messages"]}
    ten = _fit(tmp_path, 10, outcomes=[{**RATING, "models": ["ordinal"]}], **codes)
    assert set(ten.tidy()["level"]) == {"within"} and ten.headlines() == [("rating", "ordinal")]
    assert any("3 codes and 5 further parameters need 12 counselors or more, but there are 10" in n for n in ten.notes)
    twelve = _fit(tmp_path, 12, outcomes=[{**RATING, "models": ["ordinal"]}], **codes)
    assert set(twelve.tidy()["level"]) == {"within", "between"}
    by_client = _fit(
        tmp_path, 10, outcomes=[{**RATING, "models": ["ordinal"]}], **codes, inference={"cluster": "client"}
    )
    assert set(by_client.tidy()["level"]) == {"within", "between"}


def test_a_refusal_has_a_line_per_reason_and_the_key_that_fits_without_clusters(tmp_path: Path) -> None:
    with pytest.raises(ModelProblem) as caught:
        _fit(tmp_path, 3, outcomes=[RATING])
    lines = str(caught.value).splitlines()
    assert lines[0] == "No model could be fitted." and all(line.startswith("- ") for line in lines[1:])
    assert sum('inference: {cluster: ""}' in line for line in lines) == 1


def test_equal_ratings_are_not_called_levels(tmp_path: Path) -> None:
    simulate(chats=200, counselors=10, seed=3).write(tmp_path)
    pd.read_csv(tmp_path / "chats.csv").assign(rating=5).to_csv(tmp_path / "fives.csv", index=False)
    study = study_of({"data": {"counts": "fives.csv"}, "outcomes": [RATING], "techniques": {"codes": ["REF"]}})
    with pytest.raises(ModelProblem, match=r"All 200 outcomes are 5: there is nothing to explain") as caught:
        study.fit(tmp_path)
    assert "levels that occur" not in str(caught.value)


def test_what_gold_and_tagger_are_worth_is_in_the_report(tmp_path: Path) -> None:
    found = _fit(tmp_path, 45, gold=True, outcomes=[{**DEPRESSION, "models": ["linear"]}])
    write_result(found, tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    line = text.partition("### What the tagger adds to the gold chats")[2].partition("| Reflection (REF) | within |")[2]
    gain = found.tables["gain: depression, linear"].iloc[0]
    rows = found.tidy("depression").query("level == 'within'").set_index("correction")["se"]
    assert gain["term"] == "REF (within)" and gain["gain"] == pytest.approx((rows["gold"] / rows["ptd"]) ** 2)
    assert line.split("\n")[0].split(" | ") == [f" {gain['weight']:.2f}", f"{gain['gain']:.2f} |"]


def test_a_short_scale_says_why_it_has_no_classes_of_change(tmp_path: Path) -> None:
    simulate(chats=300, counselors=45, seed=3).write(tmp_path)
    tagged = pd.read_csv(tmp_path / "chats.csv")
    tagged.assign(pre=tagged["phq9_pre"] // 5, post=tagged["phq9_post"] // 5).to_csv(
        tmp_path / "short.csv", index=False
    )
    worry = {"name": "worry", "type": "symptom", "scale": "GAD-2", "before": "pre", "after": "post"}
    found = study_of({"data": {"counts": "short.csv"}, "outcomes": [worry], "techniques": {"codes": ["REF"]}}).fit(
        tmp_path
    )
    assert any("no classes of change" in note and "not for the GAD-2" in note for note in found.notes)
    own = worry | {"reliable_change": 2, "cutoff": 4}
    found = study_of({"data": {"counts": "short.csv"}, "outcomes": [own], "techniques": {"codes": ["REF"]}}).fit(
        tmp_path
    )
    before, after = tagged["phq9_pre"] // 5, tagged["phq9_post"] // 5
    table = found.tables["change: worry"].set_index("what")["value"]
    better = before - after >= 2
    assert table["reliably recovered"] == (better & (before >= 4) & (after < 4)).sum() > 0
    assert table["reliable improvement"] == better.sum() - table["reliably recovered"]
    of_cases = found.tables["change: worry"].set_index("what")["percent_of_cases"].dropna()
    case = (before >= 4) & after.notna()
    assert table["cases before (score of 4 or more)"] == case.sum() < len(case)
    assert of_cases.to_dict() == {"reliably recovered": pytest.approx(100 * table["reliably recovered"] / case.sum())}
    assert not any("no classes of change" in note for note in found.notes)


@pytest.mark.parametrize(
    ("key", "message"), [({"cutoff": 9}, "goes from 0 to 6"), ({"type": "change", "scale": ""}, "for a symptom")]
)
def test_points_of_a_scale_are_checked(key: dict[str, Any], message: str) -> None:
    worry = {"name": "worry", "type": "symptom", "scale": "GAD-2", "before": "pre", "after": "post"}
    with pytest.raises(UsageProblem, match=message):
        study_of({"data": {"counts": "short.csv"}, "outcomes": [worry | {"reliable_change": 2} | key]})
