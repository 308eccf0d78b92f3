"""Gold files become examples, and examples become arrays of what is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold, Message
from mi_coder.errors import UnknownName, UsageProblem
from mi_coder.tagger.config import Window
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training.data import Example, examples, read_gold
from mi_coder.training.targets import head_names, targets

BOOK = Codebook.load()
COLUMN = {name: index for index, name in enumerate(head_names(BOOK))}


@pytest.fixture
def builder() -> WindowBuilder:
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "hi", "there", "how", "client:", "counselor:", "a"]
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return WindowBuilder(tokenizer, Window(context=1))


def example(gold: Gold) -> Example:
    return Example("c", "corpus", "text", Tokens([1], 1, False), gold)


def test_only_counselor_messages_with_something_known_teach(builder: WindowBuilder) -> None:
    chat = Conversation(
        "c",
        [
            Message("client", "how", gold=Gold(frozenset({"OQ"}))),
            Message("counselor", "hi there", gold=Gold(frozenset({"INT"}))),
            Message("counselor", "  ", gold=Gold(frozenset({"OT"}))),
            Message("counselor", "how", gold=Gold()),
            Message("counselor", "how"),
            Message("counselor", "there", gold=Gold(negative=frozenset({"OQ"}))),
        ],
        {"corpus": "own"},
    )
    found = list(examples(chat, builder))
    assert [one.text for one in found] == ["hi there", "there"]
    assert found[0].tokens.ids == [1, 4, 5, 2, 7, 6, 2]
    assert found[0].tokens.own == 4


def test_gold_is_read_with_the_name_of_its_corpus(tmp_path: Path) -> None:
    record = {
        "conversation_id": "x",
        "messages": [{"role": "counselor", "text": "hi", "gold": {"codes": ["INT"]}}],
    }
    (tmp_path / "own.jsonl").write_text(json.dumps(record) + "\n")
    (tmp_path / "two.jsonl").write_text(json.dumps(record | {"conversation_id": "y", "corpus": "named"}) + "\n")
    own, named = read_gold([tmp_path / "own.jsonl", tmp_path / "two.jsonl"])
    assert (own.extra["corpus"], named.extra["corpus"]) == ("own", "named")
    assert own.messages[0].gold is not None
    assert own.messages[0].gold.negative == set(BOOK.ids) - {"INT"}


def test_a_tagged_file_teaches_its_gold_alone(tmp_path: Path) -> None:
    said = {"role": "counselor", "text": "hi", "gold": {"codes": ["INT"]}, "codes": ["OQ"], "scores": {"OQ": 0.9}}
    (tmp_path / "own.jsonl").write_text(json.dumps({"conversation_id": "x", "messages": [said]}) + "\n")
    [chat] = read_gold([tmp_path / "own.jsonl"])
    assert chat.messages[0].gold == Gold(frozenset({"INT"}), frozenset(BOOK.ids) - {"INT"})


def test_one_conversation_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"conversation_id": "x", "messages": [{"role": "counselor", "text": "hi"}]}\n')
    with pytest.raises(UsageProblem, match=r"'x' of .*b\.jsonl is already in .*a\.jsonl"):
        read_gold([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])


def test_unknown_codes_are_missing_not_negative() -> None:
    gold = Gold(frozenset({"REF"}), frozenset({"OQ"}), depth="complex", permission=None)
    known = targets([example(gold)], BOOK).known[0]
    assert known[COLUMN["REF"]] == 1
    assert known[COLUMN["OQ"]] == 0
    assert known[COLUMN["depth"]] == 1
    assert np.isnan(known).sum() == len(COLUMN) - 3


def test_attributes_count_up_from_simple_and_without() -> None:
    gold = Gold(frozenset({"PR"}), depth="simple", permission="with")
    known = targets([example(gold)], BOOK).known[0]
    assert (known[COLUMN["depth"]], known[COLUMN["permission"]]) == (0, 1)


@pytest.mark.parametrize(
    ("positive", "negative", "members", "asked"),
    [
        ("", "", "OQ CQ", ["CQ", "OQ"]),
        ("", "SC", "OQ CQ SC", ["CQ", "OQ"]),
        ("OQ", "", "OQ CQ", []),
    ],
)
def test_groups_hold_only_what_is_open(positive: str, negative: str, members: str, asked: list[str]) -> None:
    gold = Gold(frozenset(positive.split()), frozenset(negative.split()), (frozenset(members.split()),))
    result = targets([example(Gold()), example(gold)], BOOK)
    assert [[name for name in sorted(COLUMN) if row[COLUMN[name]]] for row in result.groups] == (
        [asked] if asked else []
    )
    assert result.group_rows.tolist() == ([1] if asked else [])


def test_a_group_with_one_code_left_makes_it_positive() -> None:
    gold = Gold(negative=frozenset({"OQ"}), any_of=(frozenset({"OQ", "CQ"}),))
    result = targets([example(gold)], BOOK)
    assert result.known[0, COLUMN["CQ"]] == 1
    assert len(result.groups) == 0


def test_taking_rows_keeps_groups_with_their_messages() -> None:
    open_question = Gold(any_of=(frozenset({"OQ", "CQ"}),))
    advice = Gold(any_of=(frozenset({"PR", "DI"}),))
    taken = targets([example(open_question), example(Gold()), example(advice)], BOOK).take(np.array([2, 1]))
    assert taken.group_rows.tolist() == [0]
    assert taken.groups[0, COLUMN["PR"]]
    assert taken.known.shape == (2, len(COLUMN))


def test_a_head_needs_both_positives_and_negatives() -> None:
    rows = [Gold(frozenset({"OQ", "WA"})), Gold(negative=frozenset({"OQ", "CO"}))]
    trainable = targets([example(one) for one in rows], BOOK).trainable
    assert [name for name in COLUMN if trainable[COLUMN[name]]] == ["OQ"]


@pytest.mark.parametrize(
    ("gold", "error", "message"),
    [
        (Gold(frozenset({"OX"})), UnknownName, "no code 'OX'"),
        (Gold(depth="deep"), UnknownName, "depth 'deep' is none of simple, complex"),
        (Gold(frozenset({"OQ"}), frozenset({"OQ"})), UsageProblem, "OQ both applies"),
        (Gold(negative=frozenset({"OQ", "CQ"}), any_of=(frozenset({"OQ", "CQ"}),)), UsageProblem, "any_of"),
    ],
)
def test_gold_that_makes_no_sense_is_refused(gold: Gold, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"conversation 'c'.*{message}"):
        targets([example(gold)], BOOK)


def test_heads_that_no_message_has_can_be_left_unknown() -> None:
    golds = [Gold(positive=frozenset({"OQ"}), negative=frozenset({"SU"})), Gold(negative=frozenset({"OQ", "SU"}))]
    made = targets([example(gold) for gold in golds], BOOK)
    heard = made.without_silent()
    assert heard.known[:, COLUMN["OQ"]].tolist() == [1, 0]
    assert np.isnan(heard.known[:, COLUMN["SU"]]).all()
    assert made.known[:, COLUMN["SU"]].tolist() == [0, 0]
