"""Technique use and experience from a study file: who stays is not taken for learning, and who is left out is told."""

from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.codebook import Codebook  # noqa: E402
from mi_coder.errors import UnknownName, UsageProblem  # noqa: E402
from mi_coder.outcomes.experience import fit_experience  # noqa: E402
from mi_coder.outcomes.guards import ModelProblem, TooFewClusters  # noqa: E402
from mi_coder.outcomes.study.chats import Chats  # noqa: E402
from mi_coder.outcomes.study.experience import ExperienceResult, run_experience  # noqa: E402
from mi_coder.outcomes.study.spec import Study, study_of  # noqa: E402
from mi_coder.outcomes.tables import p_text  # noqa: E402

LOG_RATE = 0.08
"""What log odds of .10 per log of 1 + experience are as a log rate."""


def _chats(seed: int = 1, counselors: int = 400, leavers_differ: float = 1.7) -> Chats:
    """Counselors who reflect more stay longer; each reflects a little more with experience. PR does neither."""
    random = np.random.default_rng(seed)
    habit = 0.55 * random.normal(size=counselors)
    number = random.geometric(1 / (1 + np.exp(1.8 + leavers_differ * habit)))
    who = np.repeat(np.arange(counselors), number)
    earlier = np.concatenate([np.arange(n) for n in number]).astype(float)
    messages = random.integers(15, 60, len(who))
    share = 1 / (1 + np.exp(2.2 - habit[who] - 0.10 * np.log1p(earlier)))
    counts = pd.DataFrame(0.0, index=range(len(who)), columns=list(Codebook.load().ids))
    counts["REF"] = random.binomial(messages, share)
    counts["PR"] = random.binomial(messages, 0.1)
    counts["OT"] = messages - counts[["REF", "PR"]].max(axis=1)
    start = random.integers(0, 365, counselors)[who]
    times = pd.Timestamp("2022-01-01", tz="UTC") + pd.to_timedelta(start + 12 * earlier, unit="D")
    frame = pd.DataFrame(
        {
            "messages": messages,
            "log_messages": np.log(messages),
            "counselor_id": [f"Ann{i:03d}" for i in who],
            "started_at": times.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "earlier": earlier,
        }
    )
    shuffled = random.permutation(len(who))
    index = pd.Index([f"chat{i}" for i in shuffled], dtype=object)
    return Chats(counts.iloc[shuffled].set_axis(index), frame.iloc[shuffled].set_axis(index), {})


def _study(**changed: Any) -> Study:
    given: dict[str, Any] = {
        "data": {"counts": "x"},
        "outcomes": [{"name": "rating", "type": "rating"}],
        "experience": {"time": "started_at"},
    }
    return study_of({**given, **changed})


def _found(chats: Chats, **changed: Any) -> ExperienceResult:
    return run_experience(_study(**changed), chats=chats)


@pytest.fixture(scope="module")
def chats() -> Chats:
    return _chats()


@pytest.fixture(scope="module")
def found(chats: Chats) -> ExperienceResult:
    return _found(chats)


def _slopes(result: ExperienceResult, code: str) -> Any:
    tidy = result.tidy()
    return tidy[tidy["code"] == code].set_index("level")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pooled_takes_survivorship_for_learning_and_within_does_not(seed: int) -> None:
    rows = _slopes(_found(_chats(seed)), "REF")
    pooled, within = rows.loc["pooled"], rows.loc["within"]
    assert pooled["estimate"] > 2.5 * LOG_RATE and pooled["ci_low"] > LOG_RATE
    assert abs(within["estimate"] - LOG_RATE) < 3 * within["se"] and within["se"] < 0.02
    assert within["p_within_is_between"] < 1e-6
    assert rows.loc["between", "estimate"] > pooled["estimate"]


def test_without_survivorship_both_are_the_same() -> None:
    rows = _slopes(_found(_chats(5, leavers_differ=0.0)), "REF")
    assert abs(rows.loc["pooled", "estimate"] - LOG_RATE) < 4 * rows.loc["pooled", "se"]
    assert rows.loc["within", "p_within_is_between"] > 0.001


def test_rows_are_those_of_a_direct_fit(chats: Chats, found: ExperienceResult) -> None:
    direct = fit_experience(
        chats.counts[["REF"]],
        chats.frame["messages"].to_numpy(float),
        chats.frame["earlier"].to_numpy(),
        chats.frame["counselor_id"].to_numpy(),
    )
    expected = direct.tidy().set_index("level")["estimate"]
    assert np.allclose(_slopes(found, "REF")["estimate"], expected[_slopes(found, "REF").index])
    assert set(found.tidy()["code"]) == {"REF", "PR"}


def test_earlier_chats_by_time_are_the_column_of_earlier_chats(chats: Chats, found: ExperienceResult) -> None:
    assert np.array_equal(found.experience, chats.frame["earlier"])
    by_field = _found(chats, experience={"field": "earlier"})
    assert np.allclose(by_field.tidy()["estimate"], found.tidy()["estimate"])
    assert (found.measure, by_field.measure) == ("earlier chats", "earlier")
    assert by_field.tenure is None and by_field.stays is None and found.tenure is not None


def test_tenure_and_who_stays(found: ExperienceResult) -> None:
    assert found.tenure is not None and found.stays is not None
    share = found.tenure.set_index(["code", "who", "months"])["share"]
    first = share["REF"].unstack("months").iloc[:, 0]
    assert first["stayers"] > first["all"] + 0.02
    assert any("who stays" in sentence for sentence in found.sentences())


def test_pooled_within_and_between_stand_side_by_side(found: ExperienceResult) -> None:
    table = found.table()
    assert {"technique", "pooled", "within", "between", "p within = between"} <= set(table.columns)
    assert len(table) == 2 and "Reflection (REF)" in set(table["technique"])
    within = found.tidy()[found.tidy()["level"] == "within"]
    assert list(table["q within"]) == [p_text(q) for q in within["q_bh"]]
    assert list(table["p within = between"]) == [p_text(p) for p in within["p_within_is_between"]]
    assert any("Reflection (REF) more often" in sentence for sentence in found.sentences())


def test_slopes_that_point_apart_are_said_to_be_who_stays() -> None:
    chats = _chats(2)
    # Use falls with experience within counselors, and those who use it most stay longest.
    habit = chats.counts["REF"].groupby(chats.frame["counselor_id"]).mean() / 40
    rate = 0.05 * np.exp(8 * chats.frame["counselor_id"].map(habit) - 0.2 * np.log1p(chats.frame["earlier"]))
    used = np.random.default_rng(0).binomial(chats.frame["messages"], np.clip(rate, 0, 0.95))
    told = _found(Chats(chats.counts.assign(AF=used.astype(float)), chats.frame, {}))
    rows = _slopes(told, "AF")["estimate"]
    assert rows["within"] < -0.1 and rows["pooled"] > 0.1
    assert any("have the opposite sign for Affirm (AF):" in sentence for sentence in told.sentences())


def test_chats_left_out_are_counted_by_reason(chats: Chats) -> None:
    frame = chats.frame.copy()
    frame.iloc[:3, frame.columns.get_loc("counselor_id")] = None
    frame.iloc[3:5, frame.columns.get_loc("started_at")] = None
    frame.iloc[5, frame.columns.get_loc("messages")] = 0
    result = _found(Chats(chats.counts, frame, {"not all messages were coded": 7}))
    assert result.dropped == {
        "not all messages were coded": 7,
        "no counselor": 3,
        "no started_at": 2,
        "no coded message": 1,
    }
    assert len(result.messages) == len(chats) - 6 and (result.messages > 0).all()


def test_counselors_with_few_chats_or_months(chats: Chats) -> None:
    sizes = chats.frame["counselor_id"].value_counts()
    few = int(sizes[sizes < 5].sum())
    by_chats = _found(chats, experience={"time": "started_at", "min_chats": 5})
    assert by_chats.dropped == {"counselors with fewer than 5 chats": few}
    assert by_chats.found.counselors == int((sizes >= 5).sum())
    by_months = _found(chats, experience={"time": "started_at", "min_months": 3})
    # A chat every 12 days: three months are nine chats or more.
    assert by_months.dropped == {"counselors seen for less than 3 months": int(sizes[sizes < 9].sum())}
    with pytest.raises(ModelProblem, match="No chat is left"):
        _found(chats, experience={"time": "started_at", "min_chats": 100_000})


def test_slopes_that_cannot_be_estimated_are_said_to_be_so(chats: Chats) -> None:
    same = chats.frame.assign(seen=chats.frame.groupby("counselor_id").cumcount() % 2)
    even = same.groupby("counselor_id")["seen"].transform("size") // 2 * 2
    kept = (same.groupby("counselor_id").cumcount() < even).to_numpy()
    result = _found(Chats(chats.counts[kept], same[kept], {}), experience={"field": "seen"})
    table = result.table().set_index("technique")
    assert set(table["between"]) == {"not estimated"} and "[" in table["within"].iloc[0]


def test_few_counselors_have_slopes_between_all_the_same(chats: Chats) -> None:
    busiest = chats.frame["counselor_id"].value_counts().index
    some = chats.frame["counselor_id"].isin(busiest[:12]).to_numpy()
    result = _found(Chats(chats.counts[some], chats.frame[some], {}), techniques={"codes": ["REF", "PR"]})
    assert not any("Differences between counselors are not estimated" in note for note in result.notes)
    assert np.isfinite(_slopes(result, "REF").loc["between", "estimate"])
    four = chats.frame["counselor_id"].isin(busiest[:4]).to_numpy()
    with pytest.raises(TooFewClusters, match="at least 5"):
        _found(Chats(chats.counts[four], chats.frame[four], {}))


def test_techniques_that_are_never_used_are_named(found: ExperienceResult) -> None:
    assert any("Affirm (AF) is used in 0 chats" in note for note in found.notes)


def test_merged_codes(chats: Chats) -> None:
    merged = _found(chats, techniques={"merge": {"Q": ["REF", "PR"]}, "codes": ["Q"]})
    assert set(merged.tidy()["code"]) == {"Q"}
    assert np.array_equal(merged.counts["Q"], chats.counts["REF"] + chats.counts["PR"])


def test_curves_of_a_technique(found: ExperienceResult) -> None:
    assert found.plot("REF").axes[0].get_xlabel() == f"Experience: {found.measure}"
    with pytest.raises(UnknownName, match="Did you mean 'REF'"):
        found.plot("REFF")


def test_nobody_is_named(found: ExperienceResult) -> None:
    assert "Ann" not in " ".join([*found.sentences(), *found.notes, *found.dropped])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"experience": None}, "needs `experience`"),
        ({"data": {"counts": "x", "counselor": ""}}, r"data\.counselor"),
        ({"experience": {"time": "startd_at"}}, "Did you mean 'started_at'"),
        ({"experience": {"field": "earlie"}}, "Did you mean 'earlier'"),
        ({"experience": {"time": "earlier"}}, "earlier has numbers"),
        ({"experience": {"time": "counselor_id"}}, "counselor_id is not a date or time"),
        ({"data": {"counts": "x", "counselor": "counsellor_id"}}, "Did you mean 'counselor_id'"),
    ],
)
def test_what_the_data_do_not_have(chats: Chats, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        _found(chats, **changed)


def test_times_in_another_form_are_refused_and_empty_ones_left_out(chats: Chats) -> None:
    frame = chats.frame.copy()
    column = frame.columns.get_loc("started_at")
    frame.iloc[:2, column] = ["", " "]
    frame.iloc[2, column] = None
    assert _found(Chats(chats.counts, frame, {})).dropped == {"no started_at": 3}
    frame.iloc[[5, 9], column] = "31.05.2024 18:30"
    with pytest.raises(UsageProblem, match="started_at is not a date or time") as told:
        _found(Chats(chats.counts, frame, {}))
    said = f"in 2 chats, the first is {frame.index[5]!r}: '31.05.2024 18:30'. Write all times in this form"
    assert said in str(told.value)
    frame.iloc[[5, 9], column] = "2024-05-31 18:30:00 UTC"
    assert _found(Chats(chats.counts, frame, {})).dropped == {"no started_at": 3}


def test_a_console_shows_the_sentences(found: ExperienceResult) -> None:
    assert repr(found) == "\n".join(found.sentences())
