"""The corpora as they are shared: nothing is lost, and the codes are those of the crosswalk."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from mi_coder import corpora
from mi_coder.cli.corpora import command
from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import group_of, split
from mi_coder.corpora.splits import read_splits
from mi_coder.corpora.tally import Tally
from mi_coder.formats import read_conversations
from mi_coder.formats.lifting import lift_shared_fields
from tools import splits as splits_tool

SPLITS = splits_tool.ROOT / splits_tool.SPLITS

COUNTS = {  # conversations, messages, counselor messages: from the folders' descriptions
    "annomi": (88, 6653, 3347),
    "esconv": (746, 19010 + 2650, 9153 + 1186),
    "feedback_esconv": (868, 6392, 3386),
    "mibot": (98, 7952, 5716),
    "physical_activity": (30, 523, 284),
    "welivita": (842, 842, 842),
}


@pytest.fixture(scope="module", params=corpora.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def tally_of(conversations: list[Conversation]) -> Tally:
    tally = Tally()
    list(tally.over(conversations))
    return tally


def test_every_row_is_there(name: str, shared: Path) -> None:
    chats = list(corpora.load(name, shared))
    tally = tally_of(chats)
    assert (tally.conversations, tally.messages, tally.counselor_messages) == COUNTS[name]
    ids = [message.id for chat in chats for message in chat.messages]
    assert len(set(ids)) == len(ids)
    assert len({chat.id for chat in chats}) == len(chats)


def test_esconv_marks_the_failed_chats(shared: Path) -> None:
    chats = list(corpora.load("esconv", shared / "esconv"))
    assert Counter(chat.extra["official_split"] for chat in chats) == {"train": 462, "valid": 91, "test": 95, None: 98}
    assert all(chat.extra["failed"] == (chat.extra["official_split"] is None) for chat in chats)
    assert sum(chat.extra["final_emotion_intensity"] is None for chat in chats if not chat.extra["failed"]) == 79
    supporter = [chat.extra["supporter_relevance"] for chat in chats if not chat.extra["failed"]]
    assert supporter.count(None) == 99


def test_esconv_gold_counts_are_the_strategy_counts(shared: Path) -> None:
    chats = [chat for chat in corpora.load("esconv", shared) if not chat.extra["failed"]]
    golds = [message.gold for chat in chats for message in chat.counselor_messages if message.gold]
    assert tally_of(chats).positives == {"PR": 1476, "PD": 867, "REF": 715 + 557, "GI": 571}
    any_of = Counter(group for gold in golds for group in gold.any_of)
    assert any_of == {frozenset({"OQ", "CQ"}): 1905, frozenset({"AF", "SU"}): 1397}


def test_annomi_gold_of_single_raters_is_theirs(shared: Path) -> None:
    chats = list(corpora.load("annomi", shared))
    ten_raters = {chat.id for chat in chats if chat.messages[0].extra["raters"] == 10}
    assert ten_raters == {"annomi-109", "annomi-27", "annomi-56", "annomi-7"}
    permissions = Counter(m.gold.permission for chat in chats for m in chat.counselor_messages if m.gold)
    assert (permissions["with"], permissions["without"]) == (3, 15)
    for chat in chats:
        if chat.id not in ten_raters:
            for message in chat.counselor_messages:
                assert message.gold is not None
                assert not message.gold.any_of
                assert ("REF" in message.gold.positive) == (message.gold.depth is not None)


def test_mibot_has_outcomes_and_no_gold(shared: Path) -> None:
    chats = list(corpora.load("mibot", shared))
    assert tally_of(chats).with_gold == 0
    assert all(isinstance(chat.extra["PreRulerConfidence"], int) for chat in chats)
    assert all(isinstance(chat.extra["LikedBot"], bool) for chat in chats)


def test_judged_messages_are_in_the_part_of_their_esconv_chat(shared: Path) -> None:
    part = {(row.corpus, row.conversation_id): row.part for row in read_splits(SPLITS)}
    chats = list(corpora.load("feedback_esconv", shared))
    for chat in chats:
        source = chat.id.removeprefix("feedback-").rpartition("-")[0]
        assert part["feedback_esconv", chat.id] == part["esconv", source]
    judged = [chat.messages[-1].extra for chat in chats]
    assert Counter(extra["appropriate"] for extra in judged) == {False: 643, True: 225}
    bad = Counter(area for extra in judged for area in extra["bad_areas"])
    assert (bad["Suggestions"], bad["Professionalism"], bad["Self-disclosure"]) == (218, 26, 76)
    assert all(chat.messages[-1].is_counselor for chat in chats)
    assert tally_of(chats).with_gold == 0


@pytest.mark.parametrize("layout", ["conversation", "message"])
def test_converted_files_read_back_the_same(name: str, layout: str, shared: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["convert", name, "--root", str(shared), "-o", str(output), "--layout", layout]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.stdout == ""
    conversations, messages, counselor_messages = COUNTS[name]
    assert f"{conversations} conversations, {messages} messages, {counselor_messages} by counselors" in result.stderr
    loaded = list(corpora.load(name, shared))
    if layout == "message":
        for chat in loaded:
            lift_shared_fields(chat)
    assert list(read_conversations(output)) == loaded


@pytest.mark.parametrize("output", ["nested.jsonl", "flat.jsonl", "table.csv"])
def test_groups_and_parts_are_the_same_in_every_layout(output: str, shared: Path, tmp_path: Path) -> None:
    layout = "message" if output == "flat.jsonl" else "conversation"
    arguments = ["convert", "esconv", "--root", str(shared), "-o", str(tmp_path / output), "--layout", layout]
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    chats = list(read_conversations(tmp_path / output))
    loaded = list(corpora.load("esconv", shared))
    assert [[message.text for message in chat.messages] for chat in chats] == [
        [message.text for message in chat.messages] for chat in loaded
    ]
    assert len({group_of(chat) for chat in chats}) == 737
    assert {part: len(members) for part, members in split(chats).items()} == {"train": 531, "dev": 93, "test": 122}


def test_convert_to_stdout_writes_one_chat_a_line(shared: Path) -> None:
    arguments = ["convert", "esconv", "--root", str(shared), "-o", "-"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert len(result.stdout.splitlines()) == 746


@pytest.mark.parametrize("layout", ["conversation", "message"])
def test_stats_counts_codes_by_split(layout: str, shared: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["convert", "esconv", "--root", str(shared), "-o", str(output), "--layout", layout]
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    figures = json.loads(CliRunner().invoke(command, ["stats", str(output), "--as", "json"]).stdout)["parts"]
    assert [(one["corpus"], one["part"], one["conversations"]) for one in figures] == [
        ("esconv", "train", 531),
        ("esconv", "dev", 93),
        ("esconv", "test", 122),
    ]
    assert sum(one["codes"]["PD"] for one in figures) == 867 + 100
    praised = [group["messages"] for one in figures for group in one["one_of"] if group["codes"] == ["AF", "SU"]]
    assert sum(praised) == 1397 + 185


def test_the_file_of_splits_is_that_of_the_corpora_and_the_practice_chats(shared: Path) -> None:
    assert splits_tool.main(["--check", "--data", str(shared)]) == 0


@pytest.mark.parametrize("corpus", ["esconv", "annomi", "mibot", "physical_activity", "feedback_esconv"])
def test_convert_puts_the_part_of_the_file_into_every_chat(corpus: str, shared: Path, tmp_path: Path) -> None:
    rows = {row.conversation_id: row.part for row in read_splits(SPLITS) if row.corpus == corpus}
    output = tmp_path / "out.jsonl"
    arguments = ["convert", corpus, "--root", str(shared), "-o", str(output), "--splits", str(SPLITS)]
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert {chat.id: chat.extra["split"] for chat in read_conversations(output)} == rows
