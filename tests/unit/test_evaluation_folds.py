"""Figures of cross-validated classes, and the file that keeps them."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks.annomi_folds import CLASSES, FOUR, adjusted, classes_of, decide, dev_groups, fold_of
from benchmarks.annomi_raters import pairs
from mi_coder.evaluation.folds import Judged, fold_figures, read_judged, write_judged
from mi_coder.evaluation.human import RATERS_F1


def judged(count: int = 300, seed: int = 3) -> list[Judged]:
    draw = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        truth = draw.choice(["a", "b", "c"])
        given = truth if draw.random() < 0.7 else draw.choice(["a", "b", "c"])
        classes = {("3", "truth"): truth, ("3", "given"): given, ("3", "baseline"): "a"}
        rows.append(Judged(index % 2, f"c{index % 20}", index, {key: str(one) for key, one in classes.items()}))
    return rows


def test_the_figures_are_those_of_scikit_learn() -> None:
    rows = judged()
    figures = fold_figures(rows, "3")
    for fold in (0, 1):
        pairs = [(row.classes["3", "truth"], row.classes["3", "given"]) for row in rows if row.fold == fold]
        assert figures.by_fold[fold] == pytest.approx(f1_score(*zip(*pairs, strict=True), average="macro"))
    assert figures.macro.value == pytest.approx(np.mean(figures.by_fold))
    assert figures.macro.low < figures.macro.value < figures.macro.high
    truth, given = zip(*((row.classes["3", "truth"], row.classes["3", "given"]) for row in rows), strict=True)
    assert [*figures.by_class.values()] == pytest.approx(f1_score(truth, given, average=None).tolist())
    assert figures.accuracy == pytest.approx(np.mean(np.array(truth) == np.array(given)))


def test_the_interval_lies_around_the_mean_of_the_folds() -> None:
    said = [(1, "a", "a"), (1, "b", "a"), (2, "a", "a"), (2, "b", "b")]
    rows = [
        Judged(fold, f"c{chat}", index, {("4", "truth"): truth, ("4", "given"): given})
        for chat in range(5)
        for index, (fold, truth, given) in enumerate(said)
    ]
    figures = fold_figures(rows, "4")
    assert figures.by_fold == pytest.approx((1 / 3, 1))
    # All conversations are alike, so that no draw differs; F1 over all rows together is 11/15.
    assert [figures.macro.low, figures.macro.value, figures.macro.high] == pytest.approx([2 / 3] * 3)


def test_always_the_same_class_is_judged_as_the_baseline() -> None:
    figures = fold_figures(judged(), "3", "baseline")
    assert figures.by_class["b"] == figures.by_class["c"] == 0
    assert figures.macro.value < 0.2


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = judged(10)
    write_judged(tmp_path / "folds.csv", rows, ("3",))
    assert read_judged(tmp_path / "folds.csv", ("3",)) == rows


def test_four_classes_are_decided_by_the_sum_of_the_eight() -> None:
    probability = np.array([[0.2, 0.25, 0.0, 0.0, 0.0, 0.0, 0.15, 0.4], [0, 0, 0.1, 0.3, 0.2, 0.2, 0.2, 0]])
    assert decide(probability) == {"8": ["other", "complex reflection"], "4": ["question", "input"]}
    assert set(FOUR) == set(CLASSES)


def test_full_adjustment_takes_the_base_rate_out() -> None:
    prior = np.array([0.3, 0.05, 0.05, 0.1, 0.1, 0.1, 0.1, 0.2])
    assert adjusted(np.log(prior)[None], prior, 0)[0] == pytest.approx(prior)
    assert adjusted(np.log(prior)[None], prior, 1)[0] == pytest.approx(np.full(8, 1 / 8))


def test_folds_depend_on_the_name_alone_and_are_all_used() -> None:
    folds = [fold_of(f"video-{number}") for number in range(200)]
    assert folds == [fold_of(f"video-{number}") for number in range(200)]
    assert set(folds) == set(range(5))
    assert min(folds.count(fold) for fold in range(5)) > 20


def test_dev_is_whole_videos_with_a_sixth_of_the_turns_whatever_their_order() -> None:
    turns = {f"video-{number}": 10 + number for number in range(40)}
    dev = dev_groups(turns)
    assert dev < set(turns)
    share = sum(turns[one] for one in dev) / sum(turns.values())
    assert 1 / 6 <= share < 1 / 6 + max(turns.values()) / sum(turns.values())
    assert dev_groups(dict(reversed(turns.items()))) == dev


ROWS = [
    "1,0,therapist,question,open,simple,n/a,a",
    "1,0,therapist,question,open,n/a,n/a,b",
    "1,0,therapist,question,closed,n/a,n/a,c",
    "1,1,client,n/a,n/a,n/a,n/a,a",
    "1,2,therapist,therapist_input,n/a,n/a,options,a",
    "1,3,therapist,reflection,open,simple,n/a,a",
    "1,3,therapist,reflection,n/a,complex,n/a,b",
    "1,4,therapist,therapist_input,n/a,n/a,n/a,a",
    "1,5,therapist,other,n/a,n/a,n/a,a",
]


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    path = tmp_path / "turns.csv"
    columns = "transcript_id,utterance_id,interlocutor,main_therapist_behaviour,question_subtype,reflection_subtype,"
    path.write_text("\n".join([columns + "therapist_input_subtype,annotator_id", *ROWS]) + "\n", encoding="utf-8")
    return path


def test_the_class_of_a_turn_is_that_of_most_of_its_raters(rated: Path) -> None:
    assert classes_of(rated) == {
        ("1", "0"): "open question",
        ("1", "2"): "negotiation",
        ("1", "3"): None,
        ("1", "4"): None,
        ("1", "5"): "other",
    }


def test_every_rater_is_held_against_every_other(rated: Path) -> None:
    rows = pairs(rated)
    assert [row.index for row in rows] == [0] * 6 + [3] * 2
    eight = fold_figures(rows, "8")
    assert eight.by_class == pytest.approx(
        {"closed question": 0, "complex reflection": 0, "open question": 1 / 2, "simple reflection": 0}
    )
    assert fold_figures(rows, "4").macro.value == 1


def test_the_raters_of_annomi_agree_as_the_benchmark_says(shared: Path) -> None:
    rows = pairs(shared / "annomi" / "annomi_full_subset.csv")
    for level, f1 in RATERS_F1.items():
        assert fold_figures(rows, level).macro.value == pytest.approx(f1, abs=5e-4)
