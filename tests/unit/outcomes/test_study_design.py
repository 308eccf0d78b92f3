"""From counts to columns: shares, references, levels within and between counselors, and who is left out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.design import Design, design_of
from mi_coder.outcomes.study.outcome import outcome_values
from mi_coder.outcomes.study.spec import study_of

IDS = list(Codebook.load().ids)


def _chats(n: int = 60, seed: int = 1, counselors: int = 6) -> Chats:
    random = np.random.default_rng(seed)
    counts = pd.DataFrame(random.poisson(2.0, (n, len(IDS))).astype(float), columns=IDS)
    counts.index = pd.Index([f"chat{i}" for i in range(n)])
    frame = pd.DataFrame(
        {
            "messages": counts.sum(axis=1),
            "log_messages": np.log(counts.sum(axis=1)),
            "counselor_id": [f"c{i % counselors}" for i in range(n)],
            "rating": random.integers(1, 6, n).astype(float),
            "age": random.normal(40, 5, n),
            "topic": random.choice(["work", "love", "sleep"], n),
        },
        index=counts.index,
    )
    return Chats(counts, frame, {})


def _design(chats: Chats, **study: Any) -> Design:
    outcomes = study.pop("outcomes", [{"name": "rating", "type": "rating"}])
    spec = study_of({"data": {"chats": ["x"]}, "outcomes": outcomes, **study})
    values, before = outcome_values(spec.outcomes[0], chats)
    return design_of(spec, spec.outcomes[0], chats, values, before)


def _column(design: Design, name: str) -> np.ndarray:
    return design.columns[:, design.names.index(name)]


def test_shares_in_steps_of_ten_points_without_the_reference() -> None:
    chats = _chats()
    design = _design(chats, techniques={"within_between": False, "min_chats": 1})
    assert not {"OT", "CC"} & set(design.names) and len(design.names) == 19
    share = chats.counts["REF"] / chats.counts.sum(axis=1)
    assert np.allclose(_column(design, "REF"), share * 10)


def test_within_and_between_add_up_to_the_share() -> None:
    chats = _chats(450, counselors=45)
    split, whole = _design(chats), _design(chats, techniques={"within_between": False})
    within, between = _column(split, "SU (within)"), _column(split, "SU (between)")
    assert np.allclose(within + between, _column(whole, "SU"))
    assert np.allclose(pd.Series(within).groupby(chats.frame["counselor_id"].to_numpy()).mean(), 0)
    assert split.terms[0].level == "within" and split.terms[-1].level == "between"


def test_few_counselors_are_not_compared_with_each_other() -> None:
    design = _design(_chats())
    assert {term.level for term in design.terms} == {"within"}
    said = "19 codes and 4 further parameters need 43 counselors or more, but there are 6"
    assert any(said in note for note in design.notes)


def test_counts_presence_merged_codes_and_standard_deviations() -> None:
    chats = _chats()
    plain = {"within_between": False, "min_chats": 1}
    count = _design(chats, techniques={**plain, "form": "count"})
    assert np.allclose(_column(count, "OQ"), chats.counts["OQ"])
    assert np.allclose(_column(count, "log_messages"), chats.frame["log_messages"])
    presence = _design(chats, techniques={**plain, "form": "presence"})
    assert set(_column(presence, "OQ")) == {0.0, 1.0}
    merged = _design(
        chats, techniques={**plain, "form": "count", "merge": {"Q": ["OQ", "CQ"]}, "codes": ["Q", "C"][:1], "per": "sd"}
    )
    both = chats.counts["OQ"] + chats.counts["CQ"]
    assert np.allclose(_column(merged, "Q"), both / both.std(ddof=0)) and "OQ" not in merged.names


def test_rare_codes_are_named_and_not_estimated() -> None:
    chats = _chats()
    chats.counts.loc[chats.counts.index[5:], "WA"] = 0
    chats.counts["CO"] = 0
    design = _design(chats, techniques={"within_between": False, "min_chats": 10})
    assert not {"WA", "CO"} & set(design.names)
    said = " ".join(design.notes)
    assert "Warn (WA) is used in" in said and "Confront (CO) is used in 0 chats" in said and "reference" in said
    with pytest.raises(ModelProblem, match="min_chats lower"):
        _design(chats, techniques={"min_chats": 100})


def test_every_chat_left_out_is_counted_by_reason() -> None:
    chats = _chats()
    chats.frame.loc["chat0", "rating"] = np.nan
    chats.frame.loc[["chat1", "chat2"], "counselor_id"] = None
    chats.frame.loc["chat3", "age"] = np.nan
    chats.counts.loc["chat4"] = 0
    design = _design(chats, covariates=["age"], techniques={"min_chats": 1})
    assert design.dropped == {"no counselor": 2, "no code at all": 1, "no age": 1, "no rating": 1}
    assert len(design.outcome) == 55 and len(design.asked) == 56


def test_covariates_of_numbers_and_of_categories() -> None:
    chats = _chats()
    covariates = [{"field": "age", "transform": "log"}, "topic"]
    design = _design(chats, covariates=covariates, techniques={"within_between": False})
    assert np.allclose(_column(design, "log(age)"), np.log(chats.frame["age"]))
    assert {"topic = sleep", "topic = work"} <= set(design.names) and "topic = love" not in design.names


def test_a_column_that_follows_from_others_is_left_out_and_named() -> None:
    chats = _chats()
    chats.frame["age_in_months"] = chats.frame["age"] * 12
    chats.frame["site"] = 1.0
    covariates = ["age", "age_in_months", {"field": "site", "transform": "standardize"}]
    design = _design(chats, covariates=covariates, techniques={"within_between": False})
    assert "age" in design.names and not {"age_in_months", "site"} & set(design.names)
    assert any("age_in_months follows" in note for note in design.notes)
    assert any("site never varies" in note for note in design.notes)


def test_gold_counts_take_the_place_of_the_taggers_and_means_stay() -> None:
    chats = _chats(450, counselors=45)
    design = _design(chats, covariates=["age"])
    rows = np.array([3, 7, 48, 93])
    same, tagged = design.gold_columns(chats.counts.iloc[rows], rows)
    means = [term.level != "within" for term in design.terms]
    assert np.allclose(same, tagged) and np.array_equal(tagged[:, means], design.columns[np.ix_(rows, means)])
    other = chats.counts.iloc[rows].copy()
    other["SU"] += 20
    gold, _ = design.gold_columns(other, rows)
    changed = [name for i, name in enumerate(design.names) if not np.allclose(gold[:, i], same[:, i])]
    assert "SU (within)" in changed and not any("between" in name or name == "age" for name in changed)


def test_gold_rows_that_are_each_of_another_counselor_tell_nothing_within_counselors() -> None:
    chats, rows = _chats(450, counselors=45), np.array([3, 7, 49])
    told = (
        "Each of the 3 gold chats is of another counselor, so gold codes never differ within a counselor. Code further "
        "chats of the same counselors, or set techniques.within_between to false."
    )
    with pytest.raises(ModelProblem, match=f"^{told}$"):
        _design(chats).gold_columns(chats.counts.iloc[rows], rows)
    pooled = _design(chats, techniques={"within_between": False})
    assert np.allclose(*pooled.gold_columns(chats.counts.iloc[rows], rows))


def test_products_with_the_score_before() -> None:
    chats = _chats()
    chats.frame["pre"], chats.frame["post"] = chats.frame["age"] / 2, chats.frame["rating"]
    outcomes = [{"name": "mood", "type": "change", "before": "pre", "after": "post"}]
    techniques = {"within_between": False}
    design = _design(
        chats, outcomes=outcomes, covariates=["log_messages"], interactions=[["log_messages", "before"]],
        techniques=techniques,
    )  # fmt: skip
    product = _column(design, "log_messages x pre")
    length, before = chats.frame["log_messages"], chats.frame["pre"]
    assert np.allclose(product, (length - length.mean()) * (before - before.mean()))
    with pytest.raises(UsageProblem, match="no column 'ag'"):
        _design(chats, outcomes=outcomes, interactions=[["ag", "before"]], techniques=techniques)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"covariates": ["ages"]}, "no field 'ages'. Did you mean 'age'"),
        ({"data": {"chats": ["x"], "counselor": "counsellor"}}, "Did you mean 'counselor_id'"),
        ({"techniques": {"codes": ["REFF"]}}, "no code 'REFF'. Did you mean 'REF'"),
        ({"techniques": {"reference": ["XX"]}}, "no code 'XX'"),
        ({"techniques": {"merge": {"Q": ["OQ", "QC"]}}}, "no code 'QC'"),
        ({"covariates": [{"field": "topic", "transform": "log"}]}, "topic is not a number in 60 chats"),
        ({"outcomes": [{"name": "ratin", "type": "rating"}]}, "Did you mean 'rating'"),
        ({"outcomes": [{"name": "topic", "type": "rating"}]}, "is not a number"),
    ],
)
def test_what_the_data_do_not_have(study: dict[str, Any], said: str) -> None:
    chats = _chats()
    with pytest.raises(UsageProblem, match=said.replace("?", r"\?")):
        spec = study_of({"data": {"chats": ["x"]}, "outcomes": [{"name": "rating", "type": "rating"}], **study})
        design_of(spec, spec.outcomes[0], chats, *outcome_values(spec.outcomes[0], chats))


def test_ratings_off_the_levels_and_other_types() -> None:
    chats = _chats()
    for outcome, said in (
        ({"name": "rating", "type": "rating", "levels": [1, 2]}, "not among the levels 1, 2"),
        ({"name": "rating", "type": "binary"}, "values other than 0 and 1"),
        ({"name": "age", "type": "count"}, "not whole numbers"),
    ):
        with pytest.raises(ModelProblem, match=said):
            _design(chats, outcomes=[outcome])


def test_a_number_with_stray_texts_is_no_category() -> None:
    chats = _chats()
    chats.frame["years"] = chats.frame["age"].round().astype(int).astype(str).astype(object)
    whole = _design(chats, covariates=["years"], techniques={"min_chats": 1})
    assert "years" in whole.names and np.array_equal(_column(whole, "years"), chats.frame["age"].round())
    chats.frame.loc[["chat3", "chat4"], "years"] = [" ", None]
    assert _design(chats, covariates=["years"], techniques={"min_chats": 1}).dropped == {"no years": 2}
    chats.frame.loc[["chat7", "chat9"], "years"] = "unknown"
    with pytest.raises(
        UsageProblem, match="years is not a number in 2 chats and a number in 56, the first is 'chat7'"
    ) as told:
        _design(chats, covariates=["years"])
    category = "if years is a category, write {field: years, transform: category}"
    assert f"To fix it, correct these cells or leave them empty; or {category}." in str(told.value)
    mostly = _chats()
    mostly.frame["years"] = ["0", *["1-2"] * (len(mostly.frame) - 1)]
    with pytest.raises(UsageProblem, match=r"a number in 1, the first is .* To fix it, if years is a category"):
        _design(mostly, covariates=["years"])
    log = [{"field": "years", "transform": "log"}]
    with pytest.raises(UsageProblem, match="years is not a number in 2 chats, the first is 'chat7', and log needs"):
        _design(chats, covariates=log)
    as_category = [{"field": "years", "transform": "category"}]
    names = _design(chats, covariates=as_category, techniques={"min_chats": 1, "within_between": False}).names
    assert "years = unknown" in names and "years = " not in names


def test_blank_cells_of_a_category_and_of_a_counselor_are_missing() -> None:
    chats = _chats()
    chats.frame.loc["chat3", "topic"], chats.frame.loc["chat4", "counselor_id"] = " ", ""
    design = _design(chats, covariates=["topic"])
    assert design.dropped == {"no counselor": 1, "no topic": 1}
    assert {name for name in design.names if "topic" in name} == {"topic = sleep", "topic = work"}
