"""The tagger: model folders, options, and codings that do not depend on how they were computed."""

import hashlib
import random
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from benchmarks.material.chats import line
from benchmarks.material.tiny_model import make_tiny_model
from mi_coder.conversation import Conversation, Message
from mi_coder.errors import MiCoderError, UnknownName, UsageProblem
from mi_coder.formats import Layout, ReadOptions, read_conversations, write_conversations
from mi_coder.tagger.config import (
    CONFIG_FILE,
    LOADED_FILES,
    MODEL_FILE,
    TOKENIZER_FILE,
    BadModel,
    read_config,
    write_config,
)
from mi_coder.tagger.decoding import empty
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import reads_other_files
from mi_coder.tagger.tagger import Tagger
from mi_coder.tagger.window import WindowBuilder


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    """A model folder to spoil."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def chats(number: int, seed: int = 3) -> list[Conversation]:
    dice = random.Random(seed)
    return [
        Conversation(
            f"c{at}",
            [Message(dice.choice(["client", "counselor"]), line(dice)) for _ in range(dice.randint(0, 12))],
        )
        for at in range(number)
    ]


def test_only_counselor_messages_are_coded_and_the_input_is_left_alone(tagger: Tagger) -> None:
    conversation = Conversation(
        "c1", [Message("client", "hello"), Message("counselor", "what now?", id="m2"), Message("other", "bot")]
    )
    tagged = tagger.tag(conversation)
    assert [message.coding is not None for message in tagged.messages] == [False, True, False]
    assert [message.text for message in tagged.messages] == ["hello", "what now?", "bot"]
    assert tagged.messages[1].id == "m2"
    assert all(message.coding is None for message in conversation.messages)


def test_a_tagged_copy_shares_nothing_that_is_changed_later(tagger: Tagger) -> None:
    messages = [Message("client", "hello", extra={"n": 1}), Message("counselor", "what now?", extra={"n": 2})]
    conversation = Conversation("c1", messages, {"site": "x"})
    one, other = (next(tagger.tag_many([conversation])) for _ in range(2))
    one.extra["model"] = "own"
    for message in one.messages:
        message.extra["n"] = 9
        message.text = "changed"
    for left in (conversation, other):
        assert left.extra == {"site": "x"}
        assert [(message.text, message.extra) for message in left.messages] == [
            ("hello", {"n": 1}),
            ("what now?", {"n": 2}),
        ]


def test_what_a_caller_writes_changes_no_later_code(tiny: Path) -> None:
    tagger = Tagger.load(tiny, threshold=1.0)
    said = Conversation("c", [Message("counselor", "what now?"), Message("counselor", " ")])
    first = [message.coding for message in tagger.tag(said).messages]
    first[1].scores["OQ"] = 1.0
    tagger.choices["thresholds"].update(dict.fromkeys(tagger.config.codes, 0.0))
    again = [message.coding for message in tagger.tag(said).messages]
    assert again[0] == first[0] and len(again[0].codes) == 1
    assert again[1].scores == {}


@pytest.mark.parametrize("layout", ["conversation", "message"])
def test_tagged_conversations_are_written_and_read_back(tagger: Tagger, tmp_path: Path, layout: Layout) -> None:
    tagged = [chat for chat in tagger.tag_many(chats(6)) if chat.messages]
    write_conversations(tagged, tmp_path / "a.jsonl", layout)
    back = list(read_conversations(tmp_path / "a.jsonl", ReadOptions(overwrite=True)))
    for written, read in zip(tagged, back, strict=True):
        for message in written.counselor_messages:
            scores = {code: round(score, 4) for code, score in message.coding.scores.items()}
            message.coding = replace(message.coding, scores=scores)
        assert read == written


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b\ufeff", "\u2028\x85"])
def test_a_message_without_text_is_empty(tagger: Tagger, text: str) -> None:
    assert tagger.tag(Conversation("c", [Message("counselor", text)])).messages[0].coding == empty()


def test_codings_do_not_depend_on_batches_threads_or_order(tiny: Path, tagger: Tagger) -> None:
    conversations = chats(40)
    expected = {chat.id: chat for chat in tagger.tag_many(conversations)}
    assert len({code for chat in expected.values() for m in chat.counselor_messages for code in m.coding.codes}) > 8
    shuffled = random.Random(1).sample(conversations, len(conversations))
    threaded = Tagger.load(tiny, threads=2)
    assert {chat.id: chat for chat in threaded.tag_many(shuffled)} == expected
    jobs = [
        tagger.job(message.text, chat.messages[:place])
        for chat in conversations
        for place, message in enumerate(chat.messages)
        if message.is_counselor
    ]
    for size in (1, 8, 64):
        codings = [coding for at in range(0, len(jobs), size) for coding in threaded.code(jobs[at : at + size])]
        assert codings == [m.coding for chat in expected.values() for m in chat.counselor_messages]


def test_the_context_counts_as_far_as_it_is_read(tiny: Path) -> None:
    far, near = Message("client", "zzz zzz"), Message("client", "qqq qqq")

    def scores(context: int, *before: Message) -> object:
        tagged = Tagger.load(tiny, context=context).tag(Conversation("c", [*before, Message("counselor", "hm?")]))
        return tagged.messages[-1].coding

    assert scores(0, far, near) == scores(0)
    assert scores(1, far, near) == scores(1, near) != scores(1, far)
    assert scores(2, far, near) not in (scores(2, near), scores(2, near, far))


def test_thresholds_for_all_codes_or_for_one(tiny: Path) -> None:
    chat = Conversation("c", [Message("counselor", "what helps?")])
    [before] = Tagger.load(tiny).tag(chat).messages
    strict = Tagger.load(tiny, threshold=1.0).tag(chat).messages[0].coding
    assert len(strict.codes) == 1
    assert strict.review
    dropped = before.coding.codes[0]
    one = Tagger.load(tiny, threshold={dropped: 1.0}).tag(chat).messages[0].coding
    assert dropped not in one.codes
    assert one.codes
    assert one.scores == before.coding.scores


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"unit": "sentance"}, UsageProblem, "sentence"),
        ({"threads": 0}, UsageProblem, "at least 1"),
        ({"context": -1}, UsageProblem, "context is -1; it must be a whole number between 0 and 100"),
        ({"context": 101}, UsageProblem, "context is 101; it must be a whole number between 0 and 100"),
        ({"context": 2.5}, UsageProblem, r"context is 2\.5; it must be a whole number between 0 and 100"),
        ({"threshold": 1.1}, UsageProblem, "between 0 and 1"),
        ({"threshold": float("nan")}, UsageProblem, "between 0 and 1"),
        ({"threshold": {"INTO": 0.5}}, UnknownName, "Did you mean"),
        ({"threshold": {"OQ": "0.4"}}, UsageProblem, "The threshold of OQ is of the type str; it must be a number"),
        ({"threshold": np.full(21, 0.4)}, UsageProblem, "is of the type ndarray; it must be a number between 0 and 1"),
    ],
)
def test_options_out_of_range_are_refused(tiny: Path, options: dict, error: type[MiCoderError], words: str) -> None:
    with pytest.raises(error, match=words):
        Tagger.load(tiny, **options)


def test_untrained_codes_are_never_given(tmp_path: Path) -> None:
    tagger = Tagger.load(make_tiny_model(tmp_path / "model", untrained=("OT", "INT")))
    assert {*tagger.config.untrained} == {"OT", "INT"}
    assert {*tagger.config.trained} == {*tagger.config.codes} - {"OT", "INT"}
    tagged = list(tagger.tag_many(chats(20)))
    codings = [message.coding for chat in tagged for message in chat.counselor_messages]
    assert not {"OT", "INT"} & {code for coding in codings for code in (*coding.codes, *coding.scores)}


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"not a model folder.*mi-code train"):
        Tagger.load(tmp_path)


def test_a_missing_file(folder: Path) -> None:
    (folder / MODEL_FILE).unlink()
    with pytest.raises(BadModel, match=r"'model\.onnx' of the model is missing"):
        Tagger.load(folder)


def test_an_altered_file(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes() + b"\0")
    with pytest.raises(BadModel, match="SHA-256 differs"):
        Tagger.load(folder)


@pytest.mark.parametrize(
    "names", [[], [TOKENIZER_FILE], [MODEL_FILE, "../model/tokenizer.json"], [*LOADED_FILES, "more.bin"]]
)
def test_the_hashes_of_exactly_the_loaded_files_are_needed(folder: Path, names: list[str]) -> None:
    write_config(msgspec.structs.replace(read_config(folder), files=dict.fromkeys(names, "0" * 64)), folder)
    with pytest.raises(BadModel, match=r"config\.json: files lists .* it must list model\.onnx and tokenizer\.json"):
        Tagger.load(folder)


@pytest.mark.parametrize("name", LOADED_FILES)
@pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b"\x08\x07" * 40])
def test_garbage_with_the_right_hash_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    config = read_config(folder)
    files = config.files | {name: hashlib.sha256(content).hexdigest()}
    write_config(msgspec.structs.replace(config, files=files), folder)
    with pytest.raises(BadModel, match=name.replace(".", r"\.")):
        Tagger.load(folder)


@pytest.mark.parametrize("before", [0, 65_530])
def test_weights_in_files_without_a_hash_are_refused(folder: Path, before: int) -> None:
    path = folder / MODEL_FILE
    model = onnx.load(str(path))
    model.doc_string = "x" * before
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (folder / "weights.bin").stat().st_size
    config = read_config(folder)
    files = config.files | {MODEL_FILE: hashlib.sha256(path.read_bytes()).hexdigest()}
    write_config(msgspec.structs.replace(config, files=files), folder)
    with pytest.raises(BadModel, match=r"model\.onnx keeps weights in other files, which are not checked"):
        Tagger.load(folder)


@pytest.mark.parametrize("before", range(65_520, 65_540))
def test_a_name_of_another_file_is_seen_wherever_it_is(tmp_path: Path, before: int) -> None:
    path = tmp_path / MODEL_FILE
    path.write_bytes(b"x" * before + b"\x0a\x08location\x12\x01w")
    assert reads_other_files(path)
    path.write_bytes(b"x" * before + b"location" + b"x" * 70_000)
    assert not reads_other_files(path)


def test_a_model_with_other_inputs_is_refused(folder: Path) -> None:
    model = onnx.load(str(folder / MODEL_FILE))
    for value in model.graph.input:
        value.name = value.name.replace("message", "input_ids")
    for node in model.graph.node:
        node.input[:] = [name.replace("message", "input_ids") for name in node.input]
    onnx.save(model, str(folder / MODEL_FILE))
    with pytest.raises(BadModel, match=r"inputs context, input_ids .* a model has message, context"):
        Encoder(folder / MODEL_FILE)


def test_the_digests_are_of_everything_that_decides_labels(folder: Path) -> None:
    digests = Tagger.load(folder).digests
    assert digests == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG_FILE, *LOADED_FILES)
    }
    write_config(msgspec.structs.replace(read_config(folder), review_below=0.21), folder)
    changed = Tagger.load(folder).digests
    assert {name for name in digests if digests[name] != changed[name]} == {CONFIG_FILE}


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"context": -5}, "window.context"),
        ({"context": 101}, "window.context"),
        ({"max_tokens": 15}, "window.max_tokens"),
        ({"max_tokens": 8193}, "window.max_tokens"),
        ({"context_tokens": -1}, "window.context_tokens"),
        ({"context_tokens": 97}, "window.context_tokens is 97, more than window.max_tokens"),
    ],
)
def test_a_window_out_of_range(folder: Path, window: dict[str, int], words: str) -> None:
    config = read_config(folder)
    write_config(msgspec.structs.replace(config, window=msgspec.structs.replace(config.window, **window)), folder)
    with pytest.raises(BadModel, match=words.replace(".", r"\.")):
        Tagger.load(folder)


def test_the_context_may_fill_the_whole_window(folder: Path) -> None:
    config = read_config(folder)
    window = msgspec.structs.replace(config.window, context_tokens=config.window.max_tokens)
    write_config(msgspec.structs.replace(config, window=window), folder)
    assert Tagger.load(folder).config.window == window


def test_another_codebook(folder: Path) -> None:
    write_config(msgspec.structs.replace(read_config(folder), codebook="sha256:0000000000000000"), folder)
    with pytest.raises(BadModel, match=r"codebook sha256:0000000000000000.*mi-code train"):
        Tagger.load(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "truncated"),
        (b"\xff", "."),
        (b"{}", "missing required field"),
        (b'{"colour": 1}', "unknown field `colour`"),
    ],
)
def test_a_malformed_config(folder: Path, content: bytes, words: str) -> None:
    (folder / CONFIG_FILE).write_bytes(content)
    with pytest.raises(BadModel, match=words):
        Tagger.load(folder)


@pytest.mark.parametrize("changes", [{"format": 2}, {"heads": []}])
def test_a_config_of_another_format_or_with_missing_heads(folder: Path, changes: dict) -> None:
    write_config(msgspec.structs.replace(read_config(folder), **changes), folder)
    with pytest.raises(BadModel, match="mi-code train"):
        Tagger.load(folder)


@pytest.fixture(scope="module")
def by_sentence(tiny: Path) -> Tagger:
    pytest.importorskip("spacy")
    return Tagger.load(tiny, unit="sentence")


LONG = "zzz " * 41


class TestSentences:
    def test_every_sentence_has_its_span_and_the_message_the_union(self, by_sentence: Tagger) -> None:
        text = f"{LONG.strip()}.  What would help? \U0001f642 Try jogging!"
        [message] = by_sentence.tag(Conversation("c", [Message("counselor", text)])).messages
        parts = [text[part.start : part.end] for part in message.coding.sentences]
        assert [part.strip() for part in parts] == [
            f"{LONG.strip()}.",
            "What would help?",
            "\U0001f642 Try jogging!",
        ]
        union = {code for part in message.coding.sentences for code in part.coding.codes}
        assert set(message.coding.codes) == (union - {"OT"} or union)

    def test_a_sentence_is_read_after_the_message_so_far(self, by_sentence: Tagger, tagger: Tagger) -> None:
        client, said = Message("client", "jazz"), f"{'q ' * 40}zz."
        [_, message] = by_sentence.tag(Conversation("c", [client, Message("counselor", f"{said} What?")])).messages
        alone = tagger.tag(Conversation("c", [client, Message("counselor", said), Message("counselor", "What?")]))
        assert [part.coding for part in message.coding.sentences] == [m.coding for m in alone.messages[1:]]

    @pytest.mark.parametrize("text", ["What now", f"Thanks. {'a ' * 38}b.", LONG])
    def test_a_message_of_forty_words_or_one_sentence_is_coded_whole(
        self, by_sentence: Tagger, tagger: Tagger, text: str
    ) -> None:
        chat = Conversation("c", [Message("client", "jazz"), Message("counselor", text)])
        coding = by_sentence.tag(chat).messages[1].coding
        assert coding == tagger.tag(chat).messages[1].coding
        assert coding.sentences == ()

    def test_one_word_more_and_it_is_not(self, by_sentence: Tagger) -> None:
        assert len(by_sentence.job(f"Thanks. {'a ' * 39}b.", []).spans) == 2

    def test_an_empty_message_has_no_sentences(self, by_sentence: Tagger) -> None:
        assert by_sentence.tag(Conversation("c", [Message("counselor", " ")])).messages[0].coding == empty()

    def test_a_message_beyond_the_limit_of_the_sentence_splitter(self, by_sentence: Tagger) -> None:
        job = by_sentence.job("word " * 210_000, [])
        assert job.truncated

    def test_a_sentence_is_given_no_more_of_its_message_than_its_context_holds(
        self, by_sentence: Tagger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = []
        plain = WindowBuilder.tokens

        def tokens(self: WindowBuilder, text: str) -> list[int]:
            read.append(len(text))
            return plain(self, text)

        monkeypatch.setattr(WindowBuilder, "tokens", tokens)
        job = by_sentence.job("Why not? " * 2_000, [Message("client", "jazz " * 9_000)] * 9)
        assert len(job.spans) == 2_000
        most = 8 * by_sentence.config.window.context_tokens + len("counselor: ")
        assert max(read) <= most
        assert len(read) <= 3 * len(job.spans)
