"""The page of training experiments: what is set against what, and what is told of stored runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import experiments, experiments_page
from benchmarks.experiments import Data, Given, dev_mark
from mi_coder.conversation import Conversation, Gold, Message

GOLD = {"gold.jsonl": "0" * 16}


def chat(identity: str, *codes: str, text: str = "hello") -> Conversation:
    messages = [Message("counselor", text, gold=Gold(frozenset({code}))) for code in codes]
    return Conversation(identity, messages, {"corpus": "esconv"})


def data(*dev: Conversation, gold: dict[str, str] = GOLD) -> Data:
    return Data([], list(dev), [], [], gold)


def stored(name: str, dev: dict[str, Any], **fields: Any) -> dict[str, Any]:
    figures = {"value": 0.5, "difference": None, "f1": {"CC": 0.25}, "f1_few": {}, "positives": {"CC": 30}}
    return {
        "name": name,
        "what": f"what of {name}",
        "day": "2026-01-02",
        "dev": dev,
        "gold": GOLD,
        "settings": "not stored",
        "messages": 1234,
        "esconv": figures,
        "given": ["OQ"],
        **fields,
    }


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(experiments, "RUNS", tmp_path)

    def write(*runs: dict[str, Any]) -> None:
        for number, one in enumerate(runs):
            (tmp_path / f"{number}.json").write_text(json.dumps(one))

    return write


def lines(page: str, start: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith(start)]


ONE, OTHER = dev_mark([chat("a", "OQ")]), dev_mark([chat("a", "CQ")])


@pytest.mark.parametrize(
    "other",
    [
        [chat("b", "OQ", "CQ")],
        [chat("a", "CQ", "OQ")],
        [chat("a", "OQ")],
        [chat("a", "OQ", "CQ", text=" ")],
        [chat("a", "OQ", "CQ"), chat("b", "OQ")],
    ],
)
def test_another_id_place_or_code_is_another_dev_part(other: Sequence[Conversation]) -> None:
    assert dev_mark(other)["sha256"] != dev_mark([chat("a", "OQ", "CQ")])["sha256"]


def test_other_words_are_the_same_dev_part() -> None:
    assert dev_mark([chat("a", "OQ", text="x")]) == {**ONE, "conversations": 1, "messages": 1}


def test_a_reference_of_another_dev_part_is_none(keep: Any) -> None:
    keep(stored("reference", OTHER))
    assert experiments.reference(data(chat("a", "OQ"))) is None
    with pytest.raises(SystemExit, match=rf"Run reference first.*1 messages, hash {ONE['sha256']}"):
        experiments._check("seed-2", data(chat("a", "OQ")), Given())


def test_a_reference_of_other_gold_is_told(keep: Any) -> None:
    keep(stored("reference", ONE))
    experiments._check("seed-2", data(chat("a", "OQ")), Given())
    with pytest.raises(SystemExit, match="trained on other gold files"):
        experiments._check("seed-2", data(chat("a", "OQ"), gold={"gold.jsonl": "1" * 16}), Given())


def test_runs_of_two_dev_parts_stand_in_two_tables(keep: Any) -> None:
    keep(
        stored("reference", ONE),
        stored("seed-2", ONE),
        stored("reference", OTHER, day="2026-02-01"),
    )
    page = experiments.table()
    newer, older = page.index("## Dev as of 2026-02-01"), page.index("## Dev as of 2026-01-02")
    assert newer < older
    assert len(lines(page[newer:older], "| `")) == 1
    assert [line.split("`")[1] for line in lines(page[older:], "| `")] == ["reference", "seed-2"]
    assert "were not stored with these runs" in page[older:]


def test_a_dev_part_without_a_reference_has_no_differences(keep: Any) -> None:
    keep(stored("model-9", ONE))
    page = experiments.table()
    assert "`reference` has not been run on it" in page
    assert lines(page, "| `model-9`") == ["| `model-9` | what of model-9 | 1,234 | 0.500 |"]


def test_the_curve_has_the_codes_that_miss_their_target_by_size(keep: Any) -> None:
    told = {"right": 0.75, "interval": [0.5, 1], "most_frequent": 0.6, "messages": 8}
    figures = {"value": 0.7, "difference": [0.2, 0.1, 0.3], "f1": {}, "f1_few": {"CC": 0.5}, "positives": {"CC": 7}}
    larger = {**figures, "depth": told}
    keep(stored("half", ONE, messages=9000, esconv=larger), stored("reference", ONE, messages=1000))
    page = experiments.table()
    assert lines(page, "|  |") == ["|  | 1,000 (`reference`) | 9,000 (`half`) |"]
    assert lines(page, "| CC, ESConv") == ["| CC, ESConv | 0.250 (n 30) | 0.500 (n 7) |"]
    assert lines(page, "| depth, ESConv") == ["| depth, ESConv | – | 0.750 (n 8, baseline 0.600) |"]
    assert lines(page, "| `half`")[0].endswith("| 9,000 | 0.700, +0.200 [+0.100, +0.300] |")


def test_limits_have_the_newest_figures_of_the_tagger(keep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments_page, "TAGGER", "model-9")
    figures = {
        "value": 0.7,
        "difference": None,
        "f1": {"CC": 0.9},
        "f1_few": {},
        "positives": {"CC": 21},
        "doubt": 0.31,
    }
    keep(stored("model-9", OTHER), stored("model-9", ONE, day="2026-02-01", esconv=figures))
    page = experiments.table()
    assert "| –, 0.900 (n 21) |" in lines(page, "| CC | practice chats, ESConv")[0]
    assert "| 0.310, –, – |" in lines(page, "| exact-match error removed by review |")[0]


def test_the_page_is_that_of_the_stored_runs() -> None:
    assert experiments.TABLE.read_text(encoding="utf-8") == experiments.table()


def test_stored_runs_of_one_dev_part_have_one_row_a_message() -> None:
    runs = experiments.stored()
    assert runs
    for one in runs:
        assert len(one["given"]) == one["dev"]["messages"], one["name"]
