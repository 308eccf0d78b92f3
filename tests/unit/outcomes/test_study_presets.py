"""Presets: always something to read, what is missing of the papers' designs, matched rows; models that stand in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mi_coder.codebook import Codebook
from mi_coder.outcomes.families import clustered_covariance, fit_family
from mi_coder.outcomes.simulate import simulate
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.correction import UNCORRECTED
from mi_coder.outcomes.study.design import design_of
from mi_coder.outcomes.study.fits import fit_model
from mi_coder.outcomes.study.match import NO_CLIENT_VARIANCE, run_matching
from mi_coder.outcomes.study.outcome import outcome_values
from mi_coder.outcomes.study.presets import HELD_CONSTANT, designs_of, preset_notes
from mi_coder.outcomes.study.result import Result
from mi_coder.outcomes.study.spec import Model, Study, study_of

IDS = list(Codebook.load().ids)
RATING = {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5]}
MOOD = {"name": "mood", "type": "change", "before": "before", "after": "after"}
PLAIN = {"codes": ["REF", "EA"], "within_between": False}
MATCHING = {"technique": "EA", "covariates": ["before", "client_age"]}


def _chats(spread: float = 0.0, seed: int = 3, chats: int = 700) -> Chats:
    """Clients and counselors differ by deviates times `spread`; at 0, chats of one are less alike than by chance."""
    platform = simulate(chats=chats, counselors=40, gold=0.3, seed=seed)
    known = platform.tagged.drop(columns=IDS)
    random = np.random.default_rng(seed)
    noise = random.normal(size=len(known))
    for column in ("client_id", "counselor_id"):
        group = known[column].factorize()[0]
        noise -= 0.15 * pd.Series(noise).groupby(group).transform("mean").to_numpy() * (spread == 0)
        noise += spread * random.normal(size=group.max() + 1)[group]
    before = known["phq9_pre"].astype(float)
    known = known.assign(
        log_messages=np.log(known["messages"]),
        before=before,
        after=0.6 * before + noise,
        rating=np.digitize(noise, [-1, -0.4, 0.3, 1]) + 1.0,
        member_age=random.normal(30, 5, len(known)),
        listener_age=random.normal(30, 5, len(known)),
        past_rating=random.uniform(1, 5, len(known)),
    )
    return Chats(platform.tagged[IDS].astype(float), known, {})


def _gold(chats: Chats) -> Chats:
    coded = chats.counts.iloc[::2]
    return Chats(coded + (np.arange(len(coded)) % 3 == 0)[:, None], chats.frame.loc[coded.index, ["messages"]], {})


def _study(*outcomes: dict[str, Any], **keys: Any) -> Study:
    keys.setdefault("techniques", PLAIN)
    data = {"counts": "chats.csv", "client": "client_id"}
    return study_of({"data": data, "outcomes": list(outcomes), **keys})


def _preset_rows(result: Result) -> pd.DataFrame:
    return result.rows[result.rows["design"] == result.study.preset]


@pytest.mark.parametrize(
    ("outcome", "asked", "instead"), [(RATING, "ordinal_random", "ordinal"), (MOOD, "ancova", "linear")]
)
def test_the_model_that_stands_in_is_there_though_it_was_not_asked_for(
    outcome: dict[str, Any], asked: Model, instead: Model
) -> None:
    chats, study = _chats(), _study({**outcome, "models": [asked]})
    result = study.fit(chats=chats)
    assert set(result.rows["model"]) == {instead} and result.headlines() == [(outcome["name"], instead)]
    values, before = outcome_values(study.outcomes[0], chats)
    design = design_of(study, study.outcomes[0], chats, values, before)
    direct = fit_model(instead, study, study.outcomes[0], design).rows
    assert np.allclose(result.rows["estimate"], direct["estimate"])
    said = [sentence for sentence in result.sentences if "counselor variance is estimated as 0" in sentence]
    assert len(said) == 1
    assert f"The {instead} model with standard errors clustered by counselor says the same" in said[0]
    assert any(f"{asked}: counselor variance estimated as 0" in note for note in result.notes)
    glance = result.glance().set_index("model")
    assert glance.loc[asked, "instead"] == instead and glance.loc[asked, "icc"] == 0


def test_a_model_that_stands_in_is_corrected_and_stands_once() -> None:
    chats = _chats()
    result = _study({**MOOD, "models": ["ancova", "linear"]}).fit(chats=chats, gold=_gold(chats))
    assert set(result.rows["correction"]) == {"naive", "gold", "ptd"}
    rows = result.rows[result.rows["correction"] == "naive"]
    assert set(rows["model"]) == {"linear"} and not rows["term"].duplicated().any()
    alone = _study({**MOOD, "models": ["ancova"]}).fit(chats=chats, gold=_gold(chats))
    pd.testing.assert_frame_equal(alone.rows, result.rows)


def test_nothing_stands_in_where_counselors_differ() -> None:
    result = _study({**MOOD, "models": ["ancova"]}).fit(chats=_chats(1.0))
    assert set(result.rows["model"]) == {"ancova"} and "instead" not in result.glance()
    assert not any("estimated as 0" in text for text in (*result.sentences, *result.notes))


ASSUMED = "the slope of a technique is the same for each"


@pytest.mark.parametrize(
    ("outcome", "models", "said"),
    [
        (MOOD, [], "ancova: {}, which is shown too, does not assume this."),
        (MOOD, ["crossed", "ancova"], "crossed and ancova: {}, which is not among the models of this outcome, does"),
        (RATING, ["ordinal_random", "ordinal"], "ordinal_random: {}, which is shown too, does not assume this."),
        (MOOD, ["linear", "gee"], ""),
    ],
)
def test_a_note_says_once_what_random_intercepts_assume(
    outcome: dict[str, Any], models: Sequence[Model], said: str
) -> None:
    result = _study({**outcome, **({"models": models} if models else {})}).fit(chats=_chats(1.0))
    middle = (
        f"intervals assume that {ASSUMED} counselor, and are too narrow where slopes differ. The "
        f"{'ordinal' if outcome is RATING else 'linear'} model with standard errors clustered by counselor"
    )
    found = [note for note in result.notes if ASSUMED in note]
    assert len(found) == bool(said)
    assert all(note.startswith(f"{outcome['name']}, {said.format(middle)}") for note in found)
    assert all(result.summary().count(note) == 1 for note in found)


def test_the_note_on_one_slope_names_the_clusters_of_the_preset() -> None:
    notes = _study(MOOD, preset="yang2024").fit(chats=_chats(1.0)).notes
    [preset, own] = [note for note in notes if ASSUMED in note]
    assert own.startswith("mood, ancova: ") and f"{ASSUMED} counselor," in own
    assert preset.startswith("yang2024: mood, ancova: ") and f"{ASSUMED} client," in preset


def test_the_second_study_gives_rows_where_clients_do_not_differ() -> None:
    result = _study(MOOD, preset="yang2024").fit(chats=_chats())
    rows = _preset_rows(result)
    assert "linear" in set(rows["model"]) and "ancova" not in set(rows["model"])
    measures = rows[(rows["model"] == "linear") & (rows["code"] != "")]
    assert list(measures["code"]) == ["GI", "Question", "REF", "AF", "SC", "EA", "PR"]
    said = [sentence for sentence in result.sentences if sentence.startswith("yang2024: mood, ancova: client variance")]
    assert len(said) == 1 and "errors clustered by client" in said[0]


def test_the_second_study_gives_all_three_where_clients_differ() -> None:
    result = _study(MOOD, preset="yang2024").fit(chats=_chats(1.0))
    assert set(_preset_rows(result)["model"]) == {"ancova", "linear"}
    rows = _preset_rows(result)
    clear = (rows.loc[rows["model"] == "ancova", "q_bh"] < 0.05).sum()
    assert [sentence for sentence in result.sentences if "yang2024" in sentence] == [
        f"mood, yang2024 (ancova), for comparison: {clear} of 7 associations have q < .05."
    ]
    assert result.sentences[0].startswith("mood, recommended design: of ")
    assert result.sentences[1].startswith("mood, yang2024 (ancova), for comparison")


def test_what_corrects_the_preset_alone_is_not_said_of_the_studys_own_design() -> None:
    chats = _chats(1.0)
    result = _study({**MOOD, "models": ["gee"]}, preset="yang2024").fit(chats=chats, gold=_gold(chats))
    assert (_preset_rows(result)["correction"] == "ptd").any()
    assert not (result.recommended["correction"] == "ptd").any()
    assert any("could not correct mood" in sentence for sentence in result.sentences)
    assert "gain: mood, linear (yang2024)" in result.tables and "gain: mood, linear" not in result.tables


@pytest.mark.parametrize("preset", ["shah2022", "yang2024"])
def test_a_preset_asks_for_what_the_paper_holds_constant(preset: str) -> None:
    outcome = RATING if preset == "shah2022" else MOOD
    none, some = (preset_notes(_study(outcome, preset=preset, covariates=c))[0] for c in ([], ["member_age"]))
    for name in HELD_CONSTANT[preset]:
        assert name in none and name in some
    assert "names none of them in covariates" in none and "covariates: [" in none
    assert "names only member_age in covariates" in some
    full = [f"column_{i}" for i in range(len(HELD_CONSTANT[preset]))]
    said = preset_notes(_study(outcome, preset=preset, covariates=full))
    assert not any("in covariates" in note for note in said)


def test_the_first_study_has_the_papers_columns_and_weights() -> None:
    controls = ["member_age", "listener_age", "past_rating"]
    study, chats = _study(RATING, preset="shah2022", covariates=[*controls, "log_messages"]), _chats(1.0)
    result = study.fit(chats=chats)
    rows = _preset_rows(result)
    codes = [code for code in Codebook.load().subset("shah17") if code != "OT"]
    assert list(rows["term"]) == [*codes, *controls]
    assert any(
        note == "shah2022: log_messages is left out: the paper does not adjust for the length of chats."
        for note in result.notes
    )
    assert "log_messages" in set(result.recommended["term"])
    satisfied = (chats.frame["rating"] >= 4).to_numpy(dtype=float)
    columns = np.hstack([chats.counts[codes].to_numpy(), chats.frame[controls].to_numpy()])
    inverse = np.where(satisfied > 0, 1 / satisfied.sum(), 1 / (1 - satisfied).sum())
    direct = fit_family("logit", satisfied, list(rows["term"]), columns, inverse * len(satisfied) / 2)
    assert np.allclose(rows["estimate"], direct.coefficients, rtol=1e-7)
    covariance = clustered_covariance(direct, chats.frame["counselor_id"].to_numpy())
    assert np.allclose(rows["se"], np.sqrt(np.diag(covariance)), rtol=1e-7)


def test_a_preset_has_no_interactions_but_the_papers() -> None:
    study = _study(MOOD, preset="yang2024", interactions=[["REF", "before"]])
    (_, preset), (_, own) = designs_of(study)
    assert preset.interactions == (("log_messages", "before"),) and own.interactions == (("REF", "before"),)
    assert set(_preset_rows(study.fit(chats=_chats(1.0)))["term"]) >= {"log_messages x before"}


def test_the_second_study_on_matched_rows() -> None:
    chats, study = _chats(1.0), _study(MOOD, preset="yang2024", matching=MATCHING)
    result = study.fit(chats=chats)
    rows = _preset_rows(result)
    matched = rows[rows["model"] == "ancova (matched)"].set_index("term")
    found = run_matching(study, chats=chats)
    assert found.random_effects is not None
    expected = found.random_effects.set_index("term")
    assert list(matched.index) == list(expected.index) and {"treated", "treated x before"} <= set(matched.index)
    for name in ("estimate", "se", "ci_low", "ci_high", "n"):
        assert np.allclose(matched[name], expected[name])
    assert matched.loc["treated", "code"] == "EA" and matched.loc["treated", "warnings"] == UNCORRECTED
    assert matched.loc["treated", "unit"] == "points per chat that uses it"
    assert matched["n"].iloc[0] == 2 * len(found.chosen.pairs)
    glance = result.glance().set_index("model").loc["ancova (matched)"]
    assert glance["chats"] == 2 * len(found.chosen.pairs) and glance["design"] == "yang2024"
    assert any(note.startswith("yang2024: mood, matched rows: Balance") for note in result.notes)
    assert any("rows named (matched) are those of the block `matching`" in note for note in result.notes)
    assert not any("block `matching` with" in note for note in result.notes)


def test_without_matching_the_second_study_says_that_rows_are_unmatched() -> None:
    result = _study(MOOD, preset="yang2024").fit(chats=_chats(1.0))
    assert any("all rows were used, unmatched" in note and "add a block `matching`" in note for note in result.notes)
    assert not result.rows["model"].str.contains("matched").any()
    other = _study(MOOD, matching=MATCHING).fit(chats=_chats(1.0))
    assert not other.rows["model"].str.contains("matched").any()


def test_matched_rows_of_clients_who_do_not_differ_have_a_linear_model() -> None:
    chats, study = _chats(), _study(MOOD, preset="yang2024", matching=MATCHING)
    found = run_matching(study, chats=chats)
    assert found.random_effects is not None and set(found.random_effects["model"]) == {"linear"}
    assert NO_CLIENT_VARIANCE in found.notes
    result = study.fit(chats=chats)
    rows = _preset_rows(result)
    matched = rows[rows["model"] == "linear (matched)"]
    assert np.allclose(matched["estimate"], found.random_effects["estimate"])
    assert np.allclose(matched["ci_low"], found.random_effects["ci_low"])
    assert any(NO_CLIENT_VARIANCE in note for note in result.notes)


def test_a_design_without_counselors_needs_no_column_of_them() -> None:
    chats = _chats()
    known = Chats(chats.counts, chats.frame.drop(columns="counselor_id"), {})
    given = {"matching": MATCHING, "techniques": {"within_between": False}, "inference": {"cluster": "client_id"}}
    result = _study(MOOD, preset="yang2024", **given).fit(chats=known)
    assert _preset_rows(result)["model"].str.endswith("(matched)").any()


def test_matching_that_fails_is_a_note() -> None:
    chats = _chats(1.0)
    chats.frame["client_age"] = np.nan
    result = _study(MOOD, preset="yang2024", matching=MATCHING).fit(chats=chats)
    assert any(note.startswith("yang2024: mood, matched rows: No row is left") for note in result.notes)
    assert len(_preset_rows(result))
