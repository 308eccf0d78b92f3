"""The token window: layout, what is dropped where space is short, and what is counted as truncated."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from mi_coder.conversation import Message
from mi_coder.tagger.config import TOKENIZER_FILE, Window
from mi_coder.tagger.window import WindowBuilder

VOCABULARY = {"[UNK]": 0, "<s>": 1, "</s>": 2}
WORDS = [f"w{number}" for number in range(60)]
CONTEXT = [Message("client", "w1 w2"), Message("counselor", "w3"), Message("client", "w4 w5 w6")]


def builder(window: Window, double_separator: bool = False) -> WindowBuilder:
    """A tokenizer of whole words; "client:" and "counselor:" are words too."""
    names = {name: 3 + at for at, name in enumerate([*WORDS, "client:", "counselor:"])}
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY | names, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    middle = "</s> </s>" if double_separator else "</s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=f"<s> $A {middle} $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return WindowBuilder(tokenizer, window)


def words(build: WindowBuilder, ids: list[int]) -> str:
    return " ".join(build._tokenizer.id_to_token(token) for token in ids)


def built(window: Window, text: str, context: list[Message] = CONTEXT, **choices: bool) -> tuple[str, str, bool]:
    build = builder(window, **choices)
    tokens = build.build(text, context)
    assert len(tokens.ids) <= window.max_tokens
    return words(build, tokens.ids[: tokens.own]), words(build, tokens.ids[tokens.own :]), tokens.truncated


ROOMY = Window(context=3, max_tokens=60, context_tokens=40)


def test_the_message_comes_first_and_the_context_oldest_first_with_roles() -> None:
    assert built(ROOMY, "w7 w8") == (
        "<s> w7 w8 </s>",
        "client: w1 w2 counselor: w3 client: w4 w5 w6 </s>",
        False,
    )


def test_the_special_tokens_are_those_of_the_tokenizers_own_template() -> None:
    own, before, _ = built(ROOMY, "w7", double_separator=True)
    assert (own, before) == ("<s> w7 </s> </s>", "client: w1 w2 counselor: w3 client: w4 w5 w6 </s>")


def test_what_the_client_said_is_told_apart_from_what_the_counselor_said() -> None:
    build = builder(ROOMY)
    assert words(build, [*build.build("w7", CONTEXT).client]) == "w1 w2 w4 w5 w6 client:"


def test_only_the_last_messages_are_read() -> None:
    window = Window(context=1, max_tokens=60, context_tokens=40)
    assert built(window, "w7")[1] == "client: w4 w5 w6 </s>"


@pytest.mark.parametrize("context", [[], CONTEXT])
def test_without_context_only_the_separator_is_left(context: list[Message]) -> None:
    window = Window(context=0 if context else 3, max_tokens=60, context_tokens=40)
    assert built(window, "w7", context) == ("<s> w7 </s>", "</s>", False)


@pytest.mark.parametrize(
    ("space", "kept"),
    [(0, "</s>"), (1, "w6 </s>"), (4, "client: w4 w5 w6 </s>"), (5, "w3 client: w4 w5 w6 </s>")],
)
def test_the_oldest_context_goes_first(space: int, kept: str) -> None:
    window = Window(context=3, max_tokens=60, context_tokens=space)
    assert built(window, "w7") == ("<s> w7 </s>", kept, False)


def test_a_long_message_takes_the_place_of_the_context_before_it_is_cut_itself() -> None:
    window = Window(context=3, max_tokens=13, context_tokens=10)
    assert built(window, " ".join(WORDS[:8])) == (f"<s> {' '.join(WORDS[:8])} </s>", "w5 w6 </s>", False)
    assert built(window, " ".join(WORDS[:10])) == (f"<s> {' '.join(WORDS[:10])} </s>", "</s>", False)


def test_a_message_longer_than_the_window_loses_its_middle_and_says_so() -> None:
    window = Window(context=3, max_tokens=10, context_tokens=5)
    assert built(window, " ".join(WORDS[:8])) == ("<s> w0 w1 w2 w4 w5 w6 w7 </s>", "</s>", True)


def test_the_beginning_and_the_end_of_a_huge_message_are_read() -> None:
    window = Window(context=3, max_tokens=8, context_tokens=5)
    own, _, truncated = built(window, "w0 w1 " + "w9 " * 200_000 + "w7 w8")
    assert (own, truncated) == ("<s> w0 w1 w9 w7 w8 </s>", True)


def test_a_huge_text_in_the_context_keeps_its_end() -> None:
    window = Window(context=2, max_tokens=60, context_tokens=4)
    huge = Message("client", "w9 " * 200_000 + "w1 w2 w3" + " " * 10_000)
    assert built(window, "w7", [huge])[1] == "w9 w1 w2 w3 </s>"
    assert built(window, "w7", [huge, Message("client", "w4")])[1] == "w2 w3 client: w4 </s>"


def test_a_huge_message_of_few_tokens_is_counted_as_cut() -> None:
    window = Window(context=3, max_tokens=20, context_tokens=5)
    assert built(window, f"w0 {'a' * 1_000} w1", [])[::2] == ("<s> w0 [UNK] w1 </s>", True)
    assert built(window, f"w0{' ' * 1_000}", [])[::2] == ("<s> w0 </s>", False)


def test_a_message_of_few_long_words_is_read_whole() -> None:
    window = Window(context=3, max_tokens=20, context_tokens=5)
    assert built(window, f"w0 {'a' * 200} w1", [])[::2] == ("<s> w0 [UNK] w1 </s>", False)


@pytest.mark.parametrize("length", [1, 200, 900, 3_000, 30_000])
def test_cutting_long_texts_changes_no_window_of_ordinary_words(length: int) -> None:
    """The reference tokenizes every text whole."""
    build = builder(Window(context=3, max_tokens=60, context_tokens=40))
    dice = random.Random(length)
    message, *before = (" ".join(dice.choices(WORDS, k=length)) for _ in range(4))
    ids = build.tokens(message)
    room = 60 - 3
    own = ids if len(ids) <= room else ids[: room // 2] + ids[-(room - room // 2) :]
    context = [token for text in before for token in build.tokens(f"client: {text}")]
    kept = context[max(0, len(context) - min(40, room - len(own))) :] if len(own) < room else []
    tokens = build.build(message, [Message("client", text) for text in before])
    assert tokens.ids == [1, *own, 2, *kept, 2]


def test_invisible_characters_and_ways_to_write_an_accent_do_not_matter(tiny: Path) -> None:
    build = WindowBuilder.from_file(tiny / TOKENIZER_FILE, ROOMY)
    assert build.tokens("\ufeffw\u200bo\x00rd\u202e ") == build.tokens("word")
    assert build.tokens("cafe\u0301") == build.tokens("caf\u00e9")


def test_an_empty_message_in_the_context_still_has_its_role() -> None:
    assert built(ROOMY, "w7", [Message("client", "")])[1] == "client: </s>"
