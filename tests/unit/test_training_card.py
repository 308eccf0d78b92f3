"""What a model folder says in words."""

from dataclasses import replace

import msgspec
import numpy as np

from mi_coder.conversation import Coding, Gold
from mi_coder.tagger.config import Head, ModelConfig, Window
from mi_coder.tagger.window import Tokens
from mi_coder.training.card import LEGAL_CODE, Card, render_card, render_license
from mi_coder.training.data import Example
from mi_coder.training.judge import judge
from mi_coder.training.sources import sources
from mi_coder.training.targets import Targets

CONFIG = ModelConfig(
    name="tiny",
    version="1",
    codebook="sha256:0",
    codes=["OQ", "SU", "WA"],
    heads=[Head(), Head(), Head(trained=False)],
    depth=Head(),
    permission=Head(trained=False),
    review_below=0.5,
    window=Window(),
    base="minilm",
    training_ids=[],
    files={"model.onnx": "0" * 64},
)


def made(corpus: str, count: int) -> list[Example]:
    gold = Gold(frozenset({"OQ"}), frozenset({"SU"}))
    return [
        Example(f"{corpus}-{number // 2}", corpus, "secret words", Tokens([1], 1, False), gold)
        for number in range(count)
    ]


def replace_config(**changes: object) -> ModelConfig:
    return msgspec.structs.replace(CONFIG, **changes)


def card(examples: list[Example], config: ModelConfig = CONFIG) -> str:
    truth = Targets(
        np.array([[1.0, 0.0, np.nan], [0.0, 1.0, np.nan]] * 30),
        np.zeros((0, 5), dtype=bool),
        np.zeros(0, dtype=np.intp),
    )
    codings = [Coding(("OQ",), {"OQ": 0.9, "SU": 0.1})] * 60
    beside = np.tile([True, True, False], (60, 1))
    report = judge("test", made("own", 60), truth, codings, beside, CONFIG, "f" * 64)
    settings = {"seed": "1"}
    sizes = {"train": (3, 6), "dev": (1, 2), "test": (30, 60)}
    return render_card(
        Card(config=config, sources=sources(examples), sizes=sizes, settings=settings, dev=report, test=report)
    )


def test_the_card_names_sources_figures_and_gaps() -> None:
    text = card(made("esconv", 6) + made("mine", 2))
    assert "| ESConv and FailedESConv | CC BY-NC 4.0 |" in text
    assert "Liu et al. 2021" in text
    assert "| mine | not stated" in text
    assert LEGAL_CODE in text
    assert "chats: 2 codes and the depth of reflections, from" in text
    gaps = text.split("## Not given")[1].split("##")[0]
    assert "or none without: WA." in gaps
    assert "more frequent value would be: permission." in gaps
    assert "### tiny 1 on the test part" in text
    assert "| OQ   | 30      | 0.500     | 1.000  | 0.667" in text
    assert "secret" not in text


def test_a_model_that_gives_everything_says_so() -> None:
    text = card(made("mine", 2), replace_config(heads=[Head()] * 3, permission=Head()))
    assert "chats: 3 codes, the depth of reflections and the permission of advice, from" in text
    assert "## Not given\n\nNothing." in text


def test_a_model_of_own_data_alone_is_its_owner_s() -> None:
    text = render_license("tiny", sources(made("mine", 2)), "minilm")
    assert LEGAL_CODE not in text
    assert "the owner of the data decides" in text
    assert "encoder minilm" in text


def test_sources_count_conversations_and_messages() -> None:
    found = sources(made("mine", 3) + made("esconv", 8))
    assert [(one.name, one.conversations, one.messages, one.public) for one in found] == [
        ("esconv", 4, 8, True),
        ("mine", 2, 3, False),
    ]


def test_practice_chats_say_who_wrote_and_coded_them() -> None:
    assert "language model" in sources(made("practice", 1))[0].gold


def test_codes_that_replace_a_corpus_s_own_labels_are_named() -> None:
    own, replaced = made("esconv", 1), made("esconv", 2)
    replaced = [replace(example, gold_from="read by hand") for example in replaced]
    found = [(one.gold, one.messages) for one in sources(own + replaced)]
    assert found[0] == ("read by hand", 2)
    assert len(found) == 2
