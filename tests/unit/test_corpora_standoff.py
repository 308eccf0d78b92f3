"""Stand-off codes: joining them with their texts, and refusing what does not belong together."""

import csv
from pathlib import Path

import pytest

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold, Message
from mi_coder.corpora.standoff import COLUMNS, BadStandoff, read_standoff, text_hash, with_standoff

TEXTS = ("i lost my job", "You lost your job. What happened?", "they closed the shop")


def conversation(id: str = "c1") -> Conversation:
    roles = ("client", "counselor", "client")
    return Conversation(id, [Message(role, text) for role, text in zip(roles, TEXTS, strict=True)])


def row(**changes: str) -> dict[str, str]:
    return {
        "conversation_id": "c1",
        "index": "1",
        "text_hash": text_hash(TEXTS[1]),
        "codes": "REF+OQ",
        "depth": "simple",
        "permission": "",
        "reason": "",
        "confidence": "3",
        "coder": "k1",
        "round": "1",
    } | changes


def write(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "codes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return path


def test_codes_become_complete_gold_of_their_message(tmp_path: Path) -> None:
    [coded] = with_standoff([conversation()], read_standoff(write(tmp_path, row())))
    gold = coded.messages[1].gold
    assert gold is not None
    assert (gold.positive, gold.depth) == ({"REF", "OQ"}, "simple")
    assert gold.positive | gold.negative == set(Codebook.load().ids)
    assert "language model" in coded.extra["gold_from"]
    assert [message.gold for message in (coded.messages[0], coded.messages[2])] == [None, None]


def test_later_rows_win(tmp_path: Path) -> None:
    rows = (row(), row(codes="OQ", depth="", coder="k2"))
    [coded] = with_standoff([conversation()], read_standoff(write(tmp_path, *rows)))
    assert coded.messages[1].gold.positive == {"OQ"}


def test_gold_of_uncoded_conversations_stays(tmp_path: Path) -> None:
    other = conversation("c2")
    other.messages[1].gold = Gold(frozenset({"CQ"}))
    codes = list(read_standoff(write(tmp_path, row())))
    kept = list(with_standoff([conversation(), other], codes))
    assert kept[1].messages[1].gold == Gold(frozenset({"CQ"}))
    assert [one.id for one in with_standoff([conversation(), other], codes, only_coded=True)] == ["c1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_hash": "0" * 16}, "another text"),
        ({"index": "0"}, "another text"),
        ({"index": "9"}, "another text"),
        ({"conversation_id": "c9"}, "not in the corpus"),
    ],
)
def test_codes_of_another_text_are_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    codes = read_standoff(write(tmp_path, row(**changes)))
    with pytest.raises(BadStandoff, match=message):
        list(with_standoff([conversation()], codes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"codes": "REF+OT"}, "codes"),
        ({"codes": "REF+OQ+AF+SU"}, "codes"),
        ({"codes": "REF+REF"}, "codes"),
        ({"codes": "RFE"}, "RFE"),
        ({"depth": ""}, "depth"),
        ({"depth": "deep"}, "depth"),
        ({"permission": "with"}, "permission"),
        ({"reason": "abuse"}, "reason"),
        ({"index": "one"}, "one"),
    ],
)
def test_rows_that_break_the_codebook_name_file_line_and_field(
    tmp_path: Path, changes: dict[str, str], field: str
) -> None:
    path = write(tmp_path, row(), row(**changes))
    with pytest.raises(BadStandoff, match=field) as error:
        list(read_standoff(path))
    assert f"{path}:3" in str(error.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("conversation_id,codes\nc1,OQ\n")
    with pytest.raises(BadStandoff, match="text_hash"):
        list(read_standoff(path))


@pytest.mark.parametrize("corpus", ["esconv", "annomi"])
def test_the_projects_codes_fit_the_shared_corpora(shared: Path, corpus: str) -> None:
    from mi_coder import corpora

    root = Path(__file__).parents[2] / "annotations" / corpus
    codes = [code for path in sorted(root.glob("*.csv")) for code in read_standoff(path)]
    coded = sum(1 for _ in with_standoff(corpora.load(corpus, shared), codes, only_coded=True))
    assert coded == len({code.conversation_id for code in codes}) > 40
