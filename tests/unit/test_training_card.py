"""What a model folder says in words."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.errors import MiCoderError
from mi_coder.evaluation.compare import compare
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.report import Options, Source
from mi_coder.tagger.config import Head, ModelConfig
from mi_coder.training.card import Card, render_card
from mi_coder.training.data import MIXED
from mi_coder.training.judge import judge, macro_f1
from mi_coder.training.license import LEGAL_CODE, Licensed, read_license, render_license
from mi_coder.training.sources import sources
from mi_coder.training.targets import Targets
from tests.model_cards import CONFIG, card, made


def replace_config(**changes: object) -> ModelConfig:
    return msgspec.structs.replace(CONFIG, **changes)


def test_the_card_names_sources_figures_and_gaps() -> None:
    text = card(made("esconv", 6) + made("mine", 2))
    assert "| ESConv and FailedESConv | CC BY-NC 4.0 |" in text
    assert "Liu et al. 2021" in text
    assert "| mine | not stated" in text
    assert LEGAL_CODE in text
    assert "chats: 2 codes and the depth of reflections, from" in text
    gaps = text.split("## Codes and attributes that this model does not give")[1].split("##")[0]
    assert "or none without it: WA." in gaps
    assert "more frequent value: permission." in gaps
    assert "### tiny 1 on the test part" in text
    assert "| OQ   | 30      | 0.500     | 1.000  | 0.667" in text
    assert "secret" not in text


def limits(text: str) -> str:
    return text.split("## Limits")[1].split("\n## ")[0]


def test_the_limits_name_weak_and_rare_codes_by_the_figures() -> None:
    said = limits(card(made("esconv", 6)))
    assert "F1 under 0.65 on the test part: SU 0.000 [0.000, 0.000]." in said
    assert "OQ" not in said and "WA" not in said, "good codes and those that are not given are no limits"
    rare = limits(card(made("esconv", 6), replace_config(heads=[Head()] * 3)))
    assert "How well it gives WA is not known: the test part has each in fewer than 20 messages." in rare


@pytest.mark.parametrize(("right", "weak"), [(22, True), (28, False)])
def test_depth_is_a_limit_where_it_is_not_surely_better_than_its_more_frequent_value(right: int, weak: bool) -> None:
    """20 of 30 reflections are simple; one a conversation."""
    other = {"simple": "complex", "complex": "simple"}
    chats = []
    for number, depth in enumerate(["simple"] * 20 + ["complex"] * 10):
        coding = Coding(("REF",), {}, depth=depth if number < right else other[depth])
        gold = Gold(frozenset({"REF"}), depth=depth)
        chats.append(Conversation(f"c{number:02}", [Message("counselor", "-", gold=gold, coding=coding)]))
    found = evaluate(compare(chats, chats, ("REF",)), Source("g", "a" * 64, "tiny 1", "b" * 64, "sha256:0"), Options())
    text = render_card(Card(config=CONFIG, sources=(), sizes={}, settings={}, dev=found, test=found))
    figure = f"accuracy {right / 30:.3f} ["
    assert f"- Depth: {figure}" in text
    said = f"Depth is not surely better than always giving the more frequent value: {figure}"
    assert (said in limits(text)) is weak


def test_a_model_that_gives_everything_says_so() -> None:
    text = card(made("mine", 2), replace_config(heads=[Head()] * 3, permission=Head()))
    assert "chats: 3 codes, the depth of reflections and the permission of advice, from" in text
    title = "## Codes and attributes that this model does not give"
    assert f"{title}\n\nNone: it gives all 3 codes, depth and permission." in text


def test_a_model_of_own_data_alone_is_its_owner_s() -> None:
    text = render_license("tiny", sources(made("mine", 2)), "minilm")
    assert LEGAL_CODE not in text
    assert "the owner of the data decides" in text
    assert "encoder minilm" in text


def test_a_corpus_with_codes_from_two_places_is_cited_and_licensed_once() -> None:
    both = made("esconv", 2) + [replace(example, gold_from=MIXED) for example in made("esconv", 2)]
    text = card(both)
    assert text.count("| ESConv and FailedESConv |") == 2
    assert text.count("Liu et al. 2021") == 1
    assert "trained on: ESConv and FailedESConv. Legal code" in text
    assert render_license("tiny", sources(both), "minilm").count("- ESConv and FailedESConv. License") == 1


def test_a_license_repeats_no_paragraph_of_the_models_before_and_leaves_none_out() -> None:
    esconv, own = made("esconv", 2), made("mine", 2)
    first = render_license("tiny", sources(own), "minilm")
    second = render_license("tiny", sources(esconv), "minilm", Licensed("tiny 1", first))
    third = render_license("tiny", sources(esconv), "minilm", Licensed("tiny 2", second))
    paragraphs = third.strip().split("\n\n")
    assert len(paragraphs) == len(set(paragraphs))
    assert set(first.strip().split("\n\n") + second.strip().split("\n\n")) <= set(paragraphs)
    assert paragraphs.index("Terms of tiny 2, beside what stands above:") > paragraphs.index(
        "Training started from the encoder minilm, whose own license applies to it."
    )


@pytest.mark.parametrize("inherited", ["", " \n"])
def test_a_model_before_without_a_license_leaves_its_terms_open(inherited: str) -> None:
    assert "Terms of tiny 1, beside what stands above:\n\nnot stated" in render_license(
        "tiny", sources(made("mine", 2)), "minilm", Licensed("tiny 1", inherited)
    )


def test_a_license_carries_the_terms_of_teachers_each_once() -> None:
    own, esconv = sources(made("mine", 2)), sources(made("esconv", 2))
    strict = Licensed("strict 1 (01234567)", render_license("strict", esconv, "minilm"))
    silent = Licensed("silent 2 (89abcdef)", "")
    text = render_license("small", own, "minilm", teachers=[strict, silent, strict])
    assert "the owner of the data decides" not in text
    assert (
        "It learned what strict 1 (01234567) and silent 2 (89abcdef) told of messages: what teachers were trained on "
        "is in this one too, and their terms, which stand in the file LICENSE, bind whoever uses this one."
    ) in text.split("\n\n")
    terms = text.split("Terms of strict 1 (01234567), beside what stands above:\n\n")[1]
    assert LEGAL_CODE in terms and "Liu et al. 2021" in terms
    assert text.endswith(
        "Terms of silent 2 (89abcdef), beside what stands above:\n\nnot stated; ask whoever gave the data\n"
    )
    assert text.count("Terms of strict 1") == 1


def test_a_license_carries_the_terms_of_all_that_a_model_was_made_from() -> None:
    text = render_license(
        "tiny",
        sources(made("mine", 2)),
        "minilm",
        went_on_from=Licensed("before 1", "First."),
        teachers=[Licensed("teacher 1", "Second.")],
        encoder=Licensed("the encoder mine, adapted", "Third."),
    )
    named = [one for one in text.split("\n\n") if one.startswith("Terms of ") and "beside" in one]
    assert [one.split(",")[0] for one in named] == [
        "Terms of before 1",
        "Terms of the encoder mine",
        "Terms of teacher 1",
    ]
    assert (
        "Training went on from the model before 1: what that was trained on is in this one too, and its terms" in text
    )


def test_a_license_without_models_before_is_as_it_was() -> None:
    assert render_license("small", sources(made("mine", 2)), "minilm") == (
        "Terms of the model small in this folder\n\n"
        "Trained on its owner's data: the owner of the data decides on the terms of use.\n\n"
        "Trained on:\n- mine. License: not stated; ask whoever gave the data.\n\n"
        "Training started from the encoder minilm, whose own license applies to it.\n"
    )


def test_a_license_is_read_where_there_is_one_and_else_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_license(tmp_path) == ""
    (tmp_path / "LICENSE").write_text("Terms.", encoding="utf-8")
    assert read_license(tmp_path) == "Terms."

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(
        MiCoderError, match=r"LICENSE: cannot be read: Permission denied\. What is made from .* carries it"
    ):
        read_license(tmp_path)


def test_the_card_names_the_teachers_whose_terms_bind() -> None:
    text = card(made("mine", 2), teachers=("a 1 (01234567)",))
    assert "It learned what a 1 (01234567) told of messages" in text.split("## Terms")[1].split("##")[0]
    assert "It learned what" not in card(made("mine", 2))


@pytest.mark.parametrize("support", [0, 19, 20, 60])
def test_the_macro_f1_alone_is_that_of_the_whole_evaluation(support: int) -> None:
    """A code with 20 positives counts, one with 19 does not; the third is never known not to apply."""
    random = np.random.default_rng(support)
    known = np.where(random.random((80, 5)) < 0.1, np.nan, random.random((80, 5)) < 0.5).astype(float)
    known[:, 1] = np.arange(80) < support
    known[:, 2] = 1.0
    truth = Targets(known, np.zeros((0, 5), dtype=bool), np.zeros(0, dtype=np.intp))
    codings = [Coding(tuple(code for code in CONFIG.codes if random.random() < 0.4), {}) for _ in range(80)]
    beside = np.zeros((80, 3), dtype=bool)
    whole = judge("test", made("own", 80), truth, codings, beside, CONFIG, "f" * 64).macro.coder.value
    np.testing.assert_equal(macro_f1(CONFIG.codes, truth, codings), whole)


def test_sources_count_conversations_and_messages() -> None:
    found = sources(made("mine", 3) + made("esconv", 8))
    assert [(one.name, one.conversations, one.messages, one.public) for one in found] == [
        ("esconv", 4, 8, True),
        ("mine", 2, 3, False),
    ]


def test_practice_chats_say_who_coded_and_settled_them() -> None:
    gold = sources(made("practice", 1))[0].gold
    assert "given by the authors of the chats, a language model" in gold
    assert "settled where readings differed, by other readers of the same model" in gold


def test_codes_that_replace_a_corpus_s_own_labels_are_named() -> None:
    own, replaced = made("esconv", 1), made("esconv", 2)
    replaced = [replace(example, gold_from="read by hand") for example in replaced]
    found = [(one.gold, one.messages) for one in sources(own + replaced)]
    assert found[0] == ("read by hand", 2)
    assert len(found) == 2
