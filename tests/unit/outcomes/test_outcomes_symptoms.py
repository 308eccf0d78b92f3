"""Scoring, cut-offs, reliable change, classes and effect sizes, against figures worked out by hand or published."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from mi_coder.errors import UnknownName, UsageProblem
from mi_coder.outcomes.symptom_change import (
    CLASSES,
    classify,
    effect_sizes,
    expected_regression,
    nhs_outcomes,
    nhs_reliable_change,
    reliable_change,
)
from mi_coder.outcomes.symptoms import (
    GAD2,
    GAD7,
    PHQ2,
    PHQ4,
    PHQ9,
    SCALES,
    Scores,
    cases,
    scale_named,
    score_items,
    score_totals,
)

NAN = math.nan


def floats(*values: object) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(
    ("scale", "highest", "points"), [(PHQ2, 6, 3), (PHQ4, 12, 6), (PHQ9, 27, 10), (GAD2, 6, 3), (GAD7, 21, 8)]
)
def test_range_and_first_cutoff(scale, highest: int, points: int) -> None:
    lowest, top = score_items(scale, floats([0] * scale.items, [3] * scale.items)).values
    assert (lowest, top, scale.highest) == (0, highest, highest)
    totals = score_totals(scale, floats(points - 1, points, NAN))
    assert cases(totals) == pytest.approx([0, 1, NAN], nan_ok=True)


def test_the_screening_cutoff_of_the_gad7_is_ten() -> None:
    totals = score_totals(GAD7, floats(8, 9, 10))
    assert cases(totals).tolist() == [1, 1, 1]
    assert cases(totals, GAD7.cutoffs[1]).tolist() == [0, 0, 1]


def test_every_cutoff_names_its_source() -> None:
    assert all(cutoff.source for scale in SCALES for cutoff in scale.cutoffs)


def test_a_missing_item_leaves_no_score_unless_prorating_is_asked_for() -> None:
    items = floats([1] * 9, [1] * 8 + [NAN], [2, 1, 1, 1, 1, 1, 1, NAN, NAN], [1] * 6 + [NAN] * 3, [NAN] * 9)
    plain, prorated = score_items(PHQ9, items), score_items(PHQ9, items, prorate=True)
    assert plain.values == pytest.approx([9, NAN, NAN, NAN, NAN], nan_ok=True)
    assert not plain.prorated.any()
    # 8 * 9 / 8 = 9; 8 * 9 / 7 = 10.29; three missing are too many.
    assert prorated.values == pytest.approx([9, 9, 10, NAN, NAN], nan_ok=True)
    assert prorated.prorated.tolist() == [False, True, True, False, False]
    assert (plain.missing, prorated.missing) == (4, 2)


def test_the_gad7_may_miss_one_item() -> None:
    items = floats([2] * 6 + [NAN], [2] * 5 + [NAN] * 2)
    assert score_items(GAD7, items, prorate=True).values == pytest.approx([14, NAN], nan_ok=True)


def test_prorated_scores_are_rounded_half_up() -> None:
    # 12 answered over 8 items: 12 * 9 / 8 = 13.5.
    assert score_items(PHQ9, floats([1.0] * 4 + [2] * 4 + [NAN]), prorate=True).values == [14]


@pytest.mark.parametrize("scale", [PHQ2, PHQ4, GAD2])
def test_short_forms_are_never_prorated(scale) -> None:
    items = floats([2] * (scale.items - 1) + [NAN])
    assert score_items(scale, items, prorate=True).missing == 1


def test_a_value_that_is_no_answer_names_row_and_item() -> None:
    items = floats([1] * 7, [1, 1, 1, 1, 4, 1, 1], [1.5] + [1] * 6)
    with pytest.raises(UsageProblem, match=r"Row 2, item 5 of the GAD-7 is 4: .* 0, 1, 2 or 3\. 1 more"):
        score_items(GAD7, items)
    with pytest.raises(UsageProblem, match=r"Row chat-b, item 5"):
        score_items(GAD7, items, rows=["chat-a", "chat-b", "chat-c"])


@pytest.mark.parametrize("total", [-1, 28, 4.5, math.inf])
def test_a_total_out_of_range_names_the_row(total: float) -> None:
    with pytest.raises(UsageProblem, match=r"Row 3, PHQ-9: the total is .* 0 to 27"):
        score_totals(PHQ9, floats(27, NAN, total))


def test_a_wrong_number_of_items() -> None:
    with pytest.raises(UsageProblem, match="PHQ-9 has 9 items"):
        score_items(PHQ9, floats([1] * 8))


def test_scales_by_name() -> None:
    assert [scale_named(name) for name in ("phq9", "PHQ-9", "gad 7")] == [PHQ9, PHQ9, GAD7]
    with pytest.raises(UnknownName, match="Did you mean 'phq9'"):
        scale_named("phq99")


@pytest.mark.parametrize(
    ("sd", "reliability", "points"), [(5.5, 0.86, 5.704), (5.5, 0.84, 6.098), (4.5, 0.89, 4.137), (4.5, 0.83, 5.143)]
)
def test_reliable_change_index(sd: float, reliability: float, points: float) -> None:
    assert reliable_change(sd, reliability) == pytest.approx(points, abs=5e-4)


@pytest.mark.parametrize(("sd", "reliability"), [(0, 0.8), (5, 1), (5, -0.1), (5, NAN), (NAN, 0.8)])
def test_reliable_change_refuses(sd: float, reliability: float) -> None:
    with pytest.raises(UsageProblem):
        reliable_change(sd, reliability)


def test_the_nhs_rule() -> None:
    assert (nhs_reliable_change(PHQ9), nhs_reliable_change(GAD7)) == (6, 4)
    with pytest.raises(UsageProblem, match="not for the PHQ-2"):
        nhs_reliable_change(PHQ2)


def test_the_four_classes() -> None:
    before = score_totals(PHQ9, floats(20, 12, 15, 9, 12, 10, 15, NAN, 5))
    after = score_totals(PHQ9, floats(14, 9, 9, 3, 18, 16, 10, 5, NAN))
    change = classify(before, after, nhs_reliable_change(PHQ9))
    names = [CLASSES[i] if i >= 0 else None for i in change.classes]
    better, same, worse, recovered = CLASSES
    # 12 -> 9 crosses the cut-off by too few points; 9 -> 3 was no case before.
    assert names == [better, same, recovered, better, worse, worse, same, None, None]
    assert change.counts() == {better: 2, same: 2, worse: 2, recovered: 1}
    assert change.missing == 2


def test_who_was_just_a_case_can_recover() -> None:
    change = classify(score_totals(PHQ9, floats(10, 9)), score_totals(PHQ9, floats(4, 3)), 6)
    assert [CLASSES[i] for i in change.classes] == [CLASSES[3], CLASSES[0]]


def test_classes_need_one_scale_the_same_rows_and_a_threshold() -> None:
    phq, gad = score_totals(PHQ9, floats(1, 2)), score_totals(GAD7, floats(1, 2))
    with pytest.raises(UsageProblem, match="PHQ-9 and after the GAD-7"):
        classify(phq, gad, 6)
    with pytest.raises(UsageProblem, match="2 rows before and 1 after"):
        classify(phq, score_totals(PHQ9, floats(1)), 6)
    with pytest.raises(UsageProblem, match="above 0"):
        classify(phq, phq, 0)


def test_the_nhs_outcomes_take_both_scales() -> None:
    outcomes = nhs_outcomes(
        score_totals(PHQ9, floats(12, 12, 5, 20, 12, 12)),
        score_totals(PHQ9, floats(6, 6, 5, 14, 9, 6)),
        score_totals(GAD7, floats(5, 5, 9, 9, 5, NAN)),
        score_totals(GAD7, floats(5, 9, 7, 9, 5, 5)),
    )
    assert outcomes.known.tolist() == [True] * 5 + [False]
    assert outcomes.case_before.tolist() == [True] * 5 + [False]
    # The second is a case of anxiety after; its depression improves and its anxiety deteriorates reliably.
    assert outcomes.recovered.tolist() == [True, False, True, False, True, False]
    assert outcomes.improved.tolist() == [True, False, False, True, False, False]
    assert outcomes.reliably_recovered.tolist() == [True, False, False, False, False, False]
    assert not outcomes.deteriorated.any()


def test_effect_sizes_by_hand() -> None:
    sizes = effect_sizes(floats(1, 2, 3, 9), floats(2, 4, 3, NAN))
    assert (sizes.mean_change, sizes.pairs) == (1, 3)
    assert (sizes.d_z, sizes.d_av, sizes.d_pre) == pytest.approx((1, 1, 1))
    assert math.isnan(effect_sizes(floats(1, 2), floats(2, 3)).d_z)
    with pytest.raises(UsageProblem, match="there are 1"):
        effect_sizes(floats(1, NAN), floats(2, 3))


def test_effect_sizes_of_confidence_in_mibot(shared: Path) -> None:
    table = shared / "mibot" / "data.csv"
    if not table.is_file():
        pytest.skip("MIBOT is not among the shared corpora: no file mibot/data.csv")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    before, after = (floats(*(row[f"{when}RulerConfidence"] for row in rows)) for when in ("Pre", "Post"))
    sizes = effect_sizes(before, after)
    assert (sizes.d_z, sizes.d_av, sizes.d_pre) == pytest.approx((0.8736, 0.7694, 0.8965), abs=5e-5)


def test_expected_regression_matches_a_simulation_without_any_effect() -> None:
    random = np.random.default_rng(3)
    level = random.normal(7, 4, 200_000)
    before, after = (level + random.normal(0, 3, level.size) for _ in range(2))
    reliability = 16 / 25
    chosen = before >= 12
    expected = expected_regression(float(before[chosen].mean()), 7, reliability)
    assert (after - before)[chosen].mean() == pytest.approx(expected, abs=0.05)
    assert expected < -2


def test_columns_of_pandas_are_scored_by_row_whatever_their_index() -> None:
    pd = pytest.importorskip("pandas")
    before, after = floats(12, 12, 9, 3, 9, 3), floats(6, 4, 3, 9, NAN, 2)
    series = pd.Series(before, index=[9, 8, 7, 6, 5, 4]), pd.Series(after, index=[7, 8, 9, 10, 11, 12])
    assert effect_sizes(*series) == effect_sizes(before, after)
    own = Scores(PHQ9, series[0], np.zeros(6, dtype=bool)), Scores(PHQ9, series[1], np.zeros(6, dtype=bool))
    plain = score_totals(PHQ9, before), score_totals(PHQ9, after)
    assert classify(*own, 6).classes.tolist() == classify(*plain, 6).classes.tolist()
    for given, values in zip(series, (before, after), strict=True):
        np.testing.assert_equal(score_totals(PHQ9, given).values, values)


def test_a_wrong_score_in_a_frame_names_its_row_and_a_missing_one_is_none() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(UsageProblem, match=r"^Row 3, PHQ-9: the total is 30, and totals are whole numbers from 0"):
        score_totals(PHQ9, pd.Series([1, 2, 30], index=[7, 0, 1]))
    with pytest.raises(UsageProblem, match=r"^Row chat-c, PHQ-9: the total is 30"):
        score_totals(PHQ9, pd.Series([1, 2, 30]), rows=pd.Series(["chat-a", "chat-b", "chat-c"], index=[7, 8, 9]))
    missing = score_totals(PHQ9, pd.Series([1, None, 3], dtype="Int64"))
    assert missing.values.tolist() == pytest.approx([1, NAN, 3], nan_ok=True) and missing.missing == 1
    items = pd.DataFrame([[1] * 7, [1, 1, 1, 1, 4, 1, 1]], index=["chat-a", "chat-b"])
    with pytest.raises(UsageProblem, match=r"^Row 2, item 5 of the GAD-7 is 4: an item is 0, 1, 2 or 3\.$"):
        score_items(GAD7, items)
