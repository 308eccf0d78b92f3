"""Symptoms that are scored from items, as a study file says, and where the paths in a study start from."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UsageProblem  # noqa: E402
from mi_coder.outcomes.simulate import simulate  # noqa: E402
from mi_coder.outcomes.study.chats import Chats, read_chats, read_gold, read_table  # noqa: E402
from mi_coder.outcomes.study.experience import run_experience  # noqa: E402
from mi_coder.outcomes.study.match import run_matching  # noqa: E402
from mi_coder.outcomes.study.match_writing import write_matched  # noqa: E402
from mi_coder.outcomes.study.outcome import outcome_values, symptom_change  # noqa: E402
from mi_coder.outcomes.study.power import plan_study  # noqa: E402
from mi_coder.outcomes.study.run import run_study  # noqa: E402
from mi_coder.outcomes.study.spec import Outcome, Study, read_study, study_of  # noqa: E402

BEFORE, AFTER = ([f"item{i}_{side}" for i in range(1, 10)] for side in ("pre", "post"))
ITEMS: dict[str, Any] = {"name": "mood", "type": "symptom", "scale": "PHQ-9", "before": BEFORE, "after": AFTER}
TOTALS: dict[str, Any] = {**ITEMS, "before": "pre", "after": "post"}


def _study(**outcome: Any) -> Study:
    return study_of({"data": {"counts": "chats.csv"}, "outcomes": [{**ITEMS, **outcome}]})


def _outcome(**changed: Any) -> Outcome:
    return _study(**changed).outcomes[0]


def _chats(**cells: list[float]) -> Chats:
    """Three chats whose items are all 1, but for the cells given."""
    frame = pd.DataFrame(1.0, index=["a", "b", "c"], columns=[*BEFORE, *AFTER]).assign(**cells)
    return Chats(pd.DataFrame(index=frame.index), frame, {})


def test_items_are_summed_in_the_order_of_the_columns_given() -> None:
    chats = _chats(item3_pre=[3, 1, 1], item1_post=[0, 0, 3])
    after, before = outcome_values(_outcome(), chats)
    assert before is not None
    assert before.tolist() == [11, 9, 9] and after.tolist() == [8, 8, 11]


def test_one_side_may_be_a_total() -> None:
    after, before = outcome_values(_outcome(after="total"), _chats(total=[4, 5, 27]))
    assert before is not None
    assert before.tolist() == [9, 9, 9] and after.tolist() == [4, 5, 27]


def test_missing_items_leave_no_score_unless_prorated() -> None:
    chats = _chats(item3_pre=[np.nan, 1, 1], item4_post=[1, np.nan, 1], item5_post=[1, np.nan, 1], item6_post=[1, 3, 1])
    after, before = outcome_values(_outcome(), chats)
    assert before is not None
    assert np.isnan(before).tolist() == [True, False, False] and np.isnan(after).tolist() == [False, True, False]
    after, before = outcome_values(_outcome(prorate=True), chats)
    assert before is not None
    # 9 answered over 7 items: 9 * 9 / 7 = 11.57.
    assert before.tolist() == [9, 9, 9] and after.tolist() == [9, 12, 9]
    _, notes = symptom_change(_outcome(prorate=True), chats)
    assert any("2 chats miss up to 2 items of the PHQ-9" in note for note in notes)
    assert not any("prorate" in note for note in symptom_change(_outcome(prorate=True), _chats(x=[1, 2, 3]))[1])


def test_chats_without_both_scores_are_not_among_the_prorated() -> None:
    unscored = {name: [1, 1, np.nan] for name in AFTER}
    chats = _chats(**unscored | {"item3_pre": [np.nan, 1, np.nan], "item4_post": [1, np.nan, np.nan]})
    _, notes = symptom_change(_outcome(prorate=True), chats)
    assert any("2 chats miss up to 2 items" in note for note in notes)


def test_a_value_that_is_no_answer_names_chat_and_column() -> None:
    with pytest.raises(UsageProblem, match=r"Row b, item 3 of the PHQ-9 \(item3_post\) is 4: an item is 0, 1, 2 or 3"):
        outcome_values(_outcome(), _chats(item3_post=[1, 4, 1]))
    with pytest.raises(UsageProblem, match=r"mood: item3_post is not a number in 1 chats, the first is 'c'"):
        outcome_values(_outcome(), _chats(item3_post=[1, 1, "often"]))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"before": BEFORE[:8]}, "before lists 8 columns, but the PHQ-9 has 9 items"),
        ({"scale": "GAD-7"}, "the GAD-7 has 7 items"),
        ({"before": []}, "needs the columns before and after"),
        ({"after": [*AFTER[:8], "item1_post"]}, "name item1_post more than once"),
        ({"after": BEFORE}, "more than once"),
        ({"before": "pre", "after": "pre"}, "name pre more than once"),
        ({"scale": "PHQ-99"}, "outcomes[0] (mood): No scale 'PHQ-99'. Did you mean"),
        ({"type": "change", "scale": ""}, "before and after must be one column: only a symptom"),
        ({"type": "rating", "scale": "", "after": ""}, "before must be one column"),
        ({"type": "binary", "scale": "", "before": "", "after": "", "prorate": True}, "and this is not a symptom"),
        ({"before": "pre", "after": "post", "prorate": True}, "it needs lists of items"),
        ({"scale": "PHQ-2", "before": ["a", "b"], "after": ["c", "d"], "prorate": True}, "too short to prorate"),
        ({"before_items": BEFORE}, "unknown key 'outcomes[0].before_items'. Did you mean"),
        ({"before": ["", *BEFORE[1:]]}, "outcomes[0].before[0]"),
    ],
)
def test_what_no_list_of_items_can_be(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        _study(**change)
    assert said in str(problem.value)


def test_studies_from_before_the_key_keep_their_digest() -> None:
    plain = study_of({"data": {"counts": "chats.csv"}, "outcomes": [TOTALS]})
    assert plain.digest == "61b66506859f7585"
    said = study_of({"data": {"counts": "chats.csv"}, "outcomes": [{**TOTALS, "prorate": False}]})
    assert said.digest == plain.digest and "prorate" not in plain.to_yaml()
    asked = _study(prorate=True)
    assert asked.digest != _study().digest
    assert study_of(yaml.safe_load(asked.to_yaml())).digest == asked.digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose PHQ-9 is given as items as well as in totals."""
    folder = tmp_path_factory.mktemp("platform")
    simulate(chats=300, counselors=30, gold=0.4, seed=2).write(folder)
    table = pd.read_csv(folder / "chats.csv")
    for side, names in (("pre", BEFORE), ("post", AFTER)):
        total = table[f"phq9_{side}"].to_numpy()
        for i, name in enumerate(names):
            table[name] = (total + i) // 9
    table.to_csv(folder / "chats.csv", index=False)
    content = {
        "data": {"counts": "chats.csv"},
        "outcomes": [{**ITEMS, "models": ["linear", "change"]}],
        "techniques": {"codes": ["REF", "EA"]},
        "label_error": {"counts": "gold.csv"},
        "covariates": ["client_age"],
        "interactions": [["client_age", "before"]],
        "matching": {"technique": "EA", "covariates": ["client_age"]},
        "experience": {"time": "started_at"},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    totals = {
        **content,
        "outcomes": [{**ITEMS, "before": "phq9_pre", "after": "phq9_post", "models": ["linear", "change"]}],
    }
    (folder / "totals.yaml").write_text(yaml.safe_dump(totals))
    return folder


def test_items_and_totals_give_the_same_results_wherever_the_program_runs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    study = read_study(Path(folder.name) / "study.yaml")
    monkeypatch.chdir(tmp_path)
    items, totals = study.fit(), read_study(folder / "totals.yaml").fit()
    assert np.allclose(items.rows["estimate"], totals.rows["estimate"])
    assert {"mood before", "client_age x mood before"} <= set(items.rows["term"])
    assert "phq9_pre" in set(totals.rows["term"])
    assert len(msgspec.structs.replace(study, seed=3).fit().rows) == len(items.rows)
    assert len(run_matching(study).effects) == 4
    assert run_experience(study).found.chats == 300
    assert plan_study(study).budget.n > 200


def test_folders_and_files_may_be_texts(folder: Path, tmp_path: Path) -> None:
    study, here = study_of(yaml.safe_load((folder / "study.yaml").read_text())), str(folder)
    matched = run_matching(study, here)
    assert len(matched.effects) == 4 and run_experience(study, here).found.chats == 300
    assert plan_study(study, here).budget.n > 200
    assert len(run_study(study, here).rows) == len(study.fit(folder).rows)
    assert len(read_chats(study.data, here)) == 300 and len(read_gold(study.label_error, study.data, here)) > 0
    assert len(read_table(str(folder / study.data.counts), study.data)) == 300
    write_matched(matched, study, here, str(tmp_path / "match"))
    assert (tmp_path / "match" / "report.md").is_file()


def test_a_study_means_the_same_wherever_it_is(folder: Path) -> None:
    study = read_study(folder / "study.yaml")
    content = yaml.safe_load((folder / "study.yaml").read_text())
    assert study == study_of(content) and study.digest == study_of(content).digest
    assert study.data.folder == folder and study_of(content).data.folder == Path()
    assert "folder" not in study.to_yaml()
    with pytest.raises(UsageProblem, match=r"no file nowhere/gold\.csv"):
        study.fit("nowhere")
