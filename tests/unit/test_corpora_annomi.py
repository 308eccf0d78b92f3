"""AnnoMI: several raters, several labels on one turn, permission from the overlay."""

import csv
from pathlib import Path

import pytest

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold, Message
from mi_coder.corpora import load
from mi_coder.corpora.annomi import COLUMNS, PERMISSIONS, RATINGS, translate_open
from mi_coder.corpora.gold import gold_of as gold_of_label
from mi_coder.crosswalk import Translation
from mi_coder.errors import UsageProblem

BLANK = dict.fromkeys(COLUMNS, "n/a")


def rating(utterance: int, rater: int = 0, transcript: str = "5", **cells: str) -> dict[str, str]:
    fixed = {
        "transcript_id": transcript,
        "utterance_id": str(utterance),
        "annotator_id": str(rater),
        "interlocutor": "therapist",
        "mi_quality": "high",
        "video_url": "https://video.example/watch?v=Abc&t=3s",
        "utterance_text": "How was the walk?",
    }
    return BLANK | fixed | cells


def convert(folder: Path, *rows: dict[str, str], advice: dict[str, str] | None = None) -> list[Conversation]:
    with (folder / RATINGS).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    if advice is not None:
        lines = [f"5,{utterance},{subtype}" for utterance, subtype in advice.items()]
        (folder / PERMISSIONS).write_text("\n".join(["transcript_id,utterance_id,advice_subtype", *lines]))
    return list(load("annomi", folder))


def only_message(folder: Path, *rows: dict[str, str]) -> Message:
    [conversation] = convert(folder, *rows)
    [message] = conversation.messages
    return message


def gold_of(message: Message) -> Gold:
    assert message.gold is not None
    return message.gold


def test_a_turn_carries_every_label_of_its_rater(tmp_path: Path) -> None:
    message = only_message(tmp_path, rating(0, question_subtype="open", reflection_subtype="complex"))
    gold = gold_of(message)
    assert gold.positive == {"OQ", "REF"}
    assert gold.depth == "complex"
    assert gold.negative == {"CQ", "GI", "PR"}
    assert message.extra["labels"] == ["question: open", "reflection: complex"]


def test_a_turn_without_labels_lacks_only_the_codes_that_annomi_labels(tmp_path: Path) -> None:
    gold = gold_of(only_message(tmp_path, rating(0)))
    assert gold == Gold(negative=frozenset({"OQ", "CQ", "REF", "GI", "PR"}))


def test_ten_raters_make_one_message(tmp_path: Path) -> None:
    rows = [rating(0, rater, question_subtype="open" if rater < 6 else "n/a") for rater in range(10)]
    message = only_message(tmp_path, *rows)
    assert message.extra["raters"] == 10
    assert gold_of(message).positive == {"OQ"}


def test_an_even_split_on_presence_leaves_the_codes_unknown(tmp_path: Path) -> None:
    rows = [rating(0, rater, question_subtype="open" if rater < 5 else "n/a") for rater in range(10)]
    gold = gold_of(only_message(tmp_path, *rows))
    assert "OQ" not in gold.positive | gold.negative
    assert "CQ" in gold.negative
    assert not gold.any_of


def test_an_even_split_on_the_kind_leaves_one_of_the_codes(tmp_path: Path) -> None:
    rows = [rating(0, rater, question_subtype="open" if rater < 5 else "closed") for rater in range(10)]
    gold = gold_of(only_message(tmp_path, *rows))
    assert gold.any_of == (frozenset({"OQ", "CQ"}),)
    assert not {"OQ", "CQ"} & (gold.positive | gold.negative)


def test_an_even_split_on_depth_is_still_a_reflection(tmp_path: Path) -> None:
    rows = [rating(0, rater, reflection_subtype="simple" if rater < 5 else "complex") for rater in range(10)]
    gold = gold_of(only_message(tmp_path, *rows))
    assert gold.positive == {"REF"}
    assert gold.depth is None
    assert not gold.any_of


def test_negotiation_leaves_advice_open() -> None:
    book = Codebook.load()
    known = translate_open(book, [["input: advice", "input: negotiation"]])
    assert "PR" in known.unknown
    assert not known.any_of
    assert known.positive | known.negative | known.unknown == set(book.ids)


def test_permission_counts_only_on_advice(tmp_path: Path) -> None:
    rows = [rating(0, therapist_input_subtype="advice"), rating(1, therapist_input_subtype="options"), rating(2)]
    [conversation] = convert(tmp_path, *rows, advice={"0": "ADW", "1": "ADP", "2": "ADW"})
    assert [gold_of(message).permission for message in conversation.messages] == ["without", "with", None]


@pytest.mark.parametrize(("code", "permission"), [("PR", "with"), ("RC", "with"), ("OQ", None)])
def test_permission_from_the_overlay_is_for_advice_and_concern_alone(code: str, permission: str | None) -> None:
    rest = frozenset(Codebook.load().ids) - {code}
    gold = gold_of_label(Translation(frozenset({code}), rest, frozenset(), (), None, None), "with")
    assert gold is not None and gold.permission == permission


def test_without_the_overlay_permission_is_unknown(tmp_path: Path) -> None:
    assert gold_of(only_message(tmp_path, rating(0, therapist_input_subtype="advice"))).permission is None


def test_client_talk_is_kept_and_not_coded(tmp_path: Path) -> None:
    row = rating(0, interlocutor="client", client_talk_type="change", utterance_text="n/a")
    message = only_message(tmp_path, row)
    assert (message.role, message.text, message.gold) == ("client", "n/a", None)
    assert message.extra["client_talk_type"] == "change"


def test_order_ids_and_groups(tmp_path: Path) -> None:
    other_start = rating(0, transcript="6", video_url="https://video.example/watch?v=Abc")
    rows = [rating(10, utterance_text="second"), rating(2, utterance_text="first"), other_start]
    first, second = convert(tmp_path, *rows)
    assert [first.id, second.id] == ["annomi-5", "annomi-6"]
    assert [(one.id, one.text) for one in first.messages] == [("annomi-5#0", "first"), ("annomi-5#1", "second")]
    assert first.extra["source_group"] == second.extra["source_group"]
    assert first.extra["mi_quality"] == "high"


def test_an_unknown_speaker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r":2: interlocutor: must be one of therapist, client"):
        convert(tmp_path, rating(0, interlocutor="observer"))


@pytest.mark.parametrize("column", ["utterance_id", "interlocutor"])
def test_a_cell_that_cannot_be_used_names_its_place(tmp_path: Path, column: str) -> None:
    with pytest.raises(UsageProblem, match=rf"{RATINGS}:3: {column}: must be "):
        convert(tmp_path, rating(0), rating(1, **{column: "secret"}))


def test_an_unknown_permission_names_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=rf"{PERMISSIONS}:2: advice_subtype: must be one of ADP, ADW"):
        convert(tmp_path, rating(0), advice={"0": "ADX"})
