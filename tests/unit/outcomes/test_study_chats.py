"""Chats and gold chats as tables of counts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.study.chats import Chats, read_chats, read_gold
from mi_coder.outcomes.study.quality import message_counts, tagger_quality
from mi_coder.outcomes.study.spec import Data, LabelError


def _chat(id: str, messages: list[dict[str, Any]], **extra: Any) -> dict[str, Any]:
    return {"conversation_id": id, "messages": messages, **extra}


def _said(codes: list[str] | None = None, gold: list[str] | None = None, role: str = "counselor") -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "text": "well"}
    if codes is not None:
        message |= {"codes": codes, "scores": dict.fromkeys(codes, 0.9)}
    if gold is not None:
        message["gold"] = {"codes": gold}
    return message


def _write(path: Path, chats: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    return path


def test_counts_of_messages_and_what_else_a_chat_says(tmp_path: Path) -> None:
    chats = [
        _chat("a", [_said(["OQ"]), _said(role="client"), _said(["REF", "OQ"])], rating=4, survey={"empathy": 5}),
        _chat("b", [_said(["SU"])], rating=None),
        _chat("c", [_said(), _said(["SU"])], rating=2),
    ]
    _write(tmp_path / "t.jsonl", chats)
    table = read_chats(Data(chats=("t.jsonl",)), tmp_path)
    assert list(table.frame.index) == ["a", "b"]
    assert table.counts.loc["a", ["OQ", "REF", "SU"]].tolist() == [2, 1, 0]
    assert table.frame.loc["a", ["messages", "rating", "survey.empathy"]].tolist() == [2, 4, 5]
    assert table.frame.loc["a", "log_messages"] == np.log(2)
    assert table.left_out == {"not all messages were coded": 1}
    assert "text" not in table.frame.columns


def test_an_untagged_file_names_the_command(tmp_path: Path) -> None:
    _write(tmp_path / "raw.jsonl", [_chat("a", [_said()])])
    with pytest.raises(UsageProblem, match=r"mi-code tag raw\.jsonl"):
        read_chats(Data(chats=("raw.jsonl",)), tmp_path)


def test_an_id_twice_names_both_files(tmp_path: Path) -> None:
    for name in ("x.jsonl", "y.jsonl"):
        _write(tmp_path / name, [_chat("a", [_said(["OQ"])])])
    with pytest.raises(UsageProblem, match=r"'a' is in .*x\.jsonl and again in .*y\.jsonl"):
        read_chats(Data(chats=("x.jsonl", "y.jsonl")), tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"no file .*none\.jsonl"):
        read_chats(Data(chats=("none.jsonl",)), tmp_path)


def test_only_chats_that_people_coded_in_full_are_gold(tmp_path: Path) -> None:
    partial = {"role": "counselor", "text": "well", "gold": {"positive": ["OQ"]}}
    chats = [_chat("a", [_said(gold=["OQ"]), _said(gold=[])]), _chat("b", [_said(gold=["SU"]), partial])]
    _write(tmp_path / "gold.jsonl", chats)
    gold = read_gold(LabelError(gold=("gold.jsonl",)), Data(chats=("t.jsonl",)), tmp_path)
    assert list(gold.frame.index) == ["a"] and gold.counts.loc["a"].sum() == 1
    _write(tmp_path / "gold.jsonl", chats[1:])
    with pytest.raises(UsageProblem, match="coded in full"):
        read_gold(LabelError(gold=("gold.jsonl",)), Data(chats=("t.jsonl",)), tmp_path)


def test_quality_of_the_tagger_message_by_message(tmp_path: Path) -> None:
    _write(tmp_path / "t.jsonl", [_chat("a", [_said(["OQ"]), _said(["OQ"]), _said(["SU"])])])
    _write(tmp_path / "g.jsonl", [_chat("a", [_said(gold=["OQ"]), _said(gold=["REF"]), _said(gold=["SU", "OQ"])])])
    gold = read_gold(LabelError(gold=("g.jsonl",)), Data(chats=("t.jsonl",)), tmp_path)
    tagged = read_chats(Data(chats=("t.jsonl",)), tmp_path, gold.coded)
    quality = tagger_quality(tagged.coded, gold.coded).set_index("code")
    assert quality.loc["OQ", ["precision", "recall", "f1", "support"]].tolist() == [0.5, 0.5, 0.5, 2]
    assert quality.loc["REF", "f1"] == 0 and quality.loc["SU", "f1"] == 1
    assert np.isnan(quality.loc["CO", "f1"]) and quality.loc["CO", "support"] == 0


def test_a_chat_without_messages_counts_for_nothing() -> None:
    coded = {"a": (frozenset({"OQ"}),), "empty": ()}
    counted = message_counts(coded, coded, ["a", "empty", "unknown"], {"OQ": ("OQ",), "all": ("OQ", "SU")})
    for each in (counted.found, counted.true, counted.hits):
        np.testing.assert_equal(each, [[1, 1], [0, 0], [np.nan, np.nan]])
    quality = tagger_quality({"empty": ()}, {"empty": ()})
    assert quality is not None and (quality["support"] == 0).all()


def _table(path: Path, **columns: list[Any]) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_a_table_of_counts_and_one_of_outcomes(tmp_path: Path) -> None:
    _table(tmp_path / "counts.csv", id=["01", "02", "03"], messages=[5, 4, 3], OQ=[2, 0, 3])
    _table(tmp_path / "outcomes.csv", id=["02", "01", "09"], rating=[3, 5, 1])
    chats = read_chats(Data(counts="counts.csv", outcomes="outcomes.csv", id="id"), tmp_path)
    assert chats.frame["rating"].to_dict() == {"01": 5, "02": 3}
    assert chats.counts["OQ"].tolist() == [2, 0] and chats.counts["SU"].tolist() == [0, 0]
    assert chats.left_out == {"no row in outcomes.csv": 1}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"chat": ["1"], "messages": [1], "OQ": [1]}, "no column 'id'"),
        ({"id": ["1", "1"], "messages": [1, 1], "OQ": [1, 1]}, "more than once, the first is '1'"),
        ({"id": ["I cry"] * 2, "messages": [1, 1], "OQ": [1, 1]}, r"1 ids are there more than once\. The table must"),
        ({"id": ["1", None], "messages": [1, 1], "OQ": [1, 1]}, "1 rows have no id"),
        ({"id": ["1"], "OQ": [1]}, "column `messages`"),
        ({"id": ["1"], "messages": [1], "XX": [1]}, "one column per code"),
        ({"id": ["1"], "messages": [1], "OQ": [2]}, "between 0 and the number of `messages`"),
        ({"id": ["1"], "messages": [1], "OQ": [-1]}, "between 0 and"),
    ],
)
def test_a_table_of_counts_that_is_none(tmp_path: Path, columns: dict[str, list[Any]], said: str) -> None:
    _table(tmp_path / "counts.csv", **columns)
    with pytest.raises(UsageProblem, match=said):
        read_chats(Data(counts="counts.csv", id="id"), tmp_path)


def test_a_table_with_ragged_rows_is_refused_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("id,messages,OQ\n1,5,2\n2,4,1,7,8\n")
    with pytest.raises(UsageProblem, match=r"counts\.csv cannot be read as a table: .*line 3.*[^.\s]\.$") as caught:
        read_chats(Data(counts="counts.csv", id="id"), tmp_path)
    assert "\n" not in str(caught.value)


def test_outcomes_of_other_chats_or_with_the_same_columns(tmp_path: Path) -> None:
    _table(tmp_path / "counts.csv", id=["1"], messages=[5], OQ=[2])
    _table(tmp_path / "outcomes.csv", id=["7"], rating=[3])
    with pytest.raises(UsageProblem, match="right column"):
        read_chats(Data(counts="counts.csv", outcomes="outcomes.csv", id="id"), tmp_path)
    _table(tmp_path / "outcomes.csv", id=["1"], messages=[3])
    with pytest.raises(UsageProblem, match="already have messages"):
        read_chats(Data(counts="counts.csv", outcomes="outcomes.csv", id="id"), tmp_path)


def test_a_table_of_gold_has_a_column_for_every_code(tmp_path: Path) -> None:
    full = {code: [1] for code in Codebook.load().ids}
    _table(tmp_path / "gold.csv", id=["1"], messages=[25], **full)
    given = LabelError(counts="gold.csv"), Data(counts="counts.csv", id="id"), tmp_path
    assert len(read_gold(*given)) == 1
    _table(tmp_path / "gold.csv", id=["1"], messages=[25], **{code: [1] for code in full if code not in ("OT", "CC")})
    with pytest.raises(UsageProblem, match="no column CC, OT: gold chats must be coded in full"):
        read_gold(*given)


UP_TO_MESSAGES = "between 0 and the number of `messages` of the chat"


@pytest.mark.parametrize(
    ("code", "cell", "said"),
    [
        (
            "OQ",
            "",
            "OQ is not a number in 2 rows, the first is '2'. Write 0 where there was none, also in empty cells.",
        ),
        ("OQ", " ", "OQ is not a number in 2 rows, the first is '2'. Write 0"),
        ("OQ", "x", "OQ is not a number in 2 rows, the first is '2'. Write 0"),
        (
            "OQ",
            0.5,
            f"OQ is not a whole number {UP_TO_MESSAGES} in 2 rows, the first is '2': 0.5.",
        ),
        (
            "OQ",
            26,
            f"OQ is not a whole number {UP_TO_MESSAGES} in 2 rows, the first is '2': 26.",
        ),
        ("messages", "", "messages is not a number in 2 rows, the first is '2'. Write how many messages"),
        ("messages", 24.5, "messages is not a whole number of at least 0 in 2 rows, the first is '2': 24.5."),
        ("messages", "inf", "messages is not a whole number of at least 0 in 2 rows, the first is '2': inf."),
    ],
)
def test_counts_that_are_empty_or_no_whole_number_are_refused(
    tmp_path: Path, code: str, cell: object, said: str
) -> None:
    columns: dict[str, list[Any]] = {"messages": [25] * 3, **{each: [1] * 3 for each in Codebook.load().ids}}
    columns[code] = [columns[code][0], cell, cell]
    for name in ("counts.csv", "gold.csv"):
        _table(tmp_path / name, id=["1", "2", "3"], **columns)
    data = Data(counts="counts.csv", id="id")
    with pytest.raises(UsageProblem) as told:
        read_chats(data, tmp_path)
    assert f"{tmp_path / 'counts.csv'}: {said}" in str(told.value)
    with pytest.raises(UsageProblem) as told:
        read_gold(LabelError(counts="gold.csv"), data, tmp_path)
    assert f"{tmp_path / 'gold.csv'}: {said}" in str(told.value)


def test_labels_that_are_one_number_stay_apart(tmp_path: Path) -> None:
    labels = ["007", "7", "7.0", "8"]
    table = {"id": ["01", "1", "2", "3"], "messages": [5] * 4, "OQ": [1] * 4}
    named = {"counselor_id": labels, "client": labels, "team": ["007", "7", "8", "9"]}
    more: dict[str, list[Any]] = {"year": ["2023", "2024", "2023.0", None], "seen": [True, False, True, False]}
    _table(tmp_path / "counts.csv", **table, **named, **more)
    chats = read_chats(Data(counts="counts.csv", id="id", client="client"), tmp_path)
    assert list(chats.frame.index) == table["id"]
    assert {name: list(chats.frame[name]) for name in named} == named
    assert chats.frame["year"].sum() == 6070 and chats.frame["seen"].dtype == bool
    _table(tmp_path / "counts.csv", **table)
    _table(tmp_path / "outcomes.csv", id=table["id"], counselor_id=["001", "002", "003", "004"], rating=[1, 2, 3, 4])
    joined = read_chats(Data(counts="counts.csv", outcomes="outcomes.csv", id="id"), tmp_path)
    assert list(joined.frame["counselor_id"]) == ["001", "002", "003", "004"]
    assert joined.frame["rating"].sum() == 10


@pytest.mark.filterwarnings("error")
def test_labels_of_a_long_table_are_of_one_type(tmp_path: Path) -> None:
    rows = 140_000
    team = [f"{i % 50:03d}" for i in range(rows)]
    team[-1] = "ext-5"
    _table(tmp_path / "counts.csv", id=range(rows), messages=[1] * rows, OQ=[1] * rows, counselor_id=team, team=team)
    frame = read_chats(Data(counts="counts.csv", id="id"), tmp_path).frame
    assert list(frame["team"]) == list(frame["counselor_id"]) == team


def _pair() -> tuple[pd.DataFrame, pd.DataFrame]:
    index = pd.Index(["a", "b", "c"])
    counts = pd.DataFrame({"OQ": [0.0, 1.0, 2.0], "REF": [2.0, 1.0, 0.0]}, index=index)
    return counts, pd.DataFrame({"messages": [3, 4, 5]}, index=index)


def test_tables_of_other_chats_or_another_order_are_refused() -> None:
    counts, frame = _pair()
    assert len(Chats(counts, frame, {})) == 3
    for other in (frame.sort_values("messages", ascending=False), frame[:2], frame.reset_index(drop=True)):
        with pytest.raises(UsageProblem) as refused:
            Chats(counts, other, {})
        assert str(refused.value) == (
            f"The rows of counts (3) and of frame ({len(other)}) must be the same chats in the same order, but their "
            "indexes differ. Give both the ids of the chats as index; then counts.loc[frame.index] puts counts in the "
            "order of frame."
        )
    later = frame.sort_values("messages", ascending=False)
    assert Chats(counts.loc[later.index], later, {}).counts["OQ"].tolist() == [2, 1, 0]


def test_a_chat_twice_or_a_missing_count_is_refused() -> None:
    counts, frame = _pair()
    twice = pd.Index(["a", "b", "a"])
    with pytest.raises(UsageProblem, match=r"^1 rows of the chats repeat an id of the index"):
        Chats(counts.set_axis(twice), frame.set_axis(twice), {})
    with pytest.raises(
        UsageProblem, match=r"^Counts are missing in 1 rows, the first is 'b'\. Write 0 where a code was"
    ):
        Chats(counts.mask((counts["OQ"] == 1), np.nan), frame, {})
