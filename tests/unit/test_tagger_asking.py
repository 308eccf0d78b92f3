"""Sentences of the client that ask for advice: how they are found, what they add up to, and the model that has them."""

import base64
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.batch.counts import Counts
from mi_coder.batch.stream import Coder
from mi_coder.conversation import Coding, Conversation, Message
from mi_coder.formats import OUTPUT_FIELDS, Record, coding_fields, open_records
from mi_coder.tagger.asking import Asking, read_asking, write_asking
from mi_coder.tagger.config import ASKING_FILE, TOKENIZER_FILE, BadModel, Window, read_config, write_config
from mi_coder.tagger.model import file_sha256
from mi_coder.tagger.tagger import Tagger
from mi_coder.tagger.window import BUCKETS, Said, Tokens, WindowBuilder, _grams

# Multiples of 1/64 with the largest 127/64 are kept exactly when they are rounded.
WEIGHTS = np.random.default_rng(5).integers(-127, 128, BUCKETS) / 64
WEIGHTS[0] = 127 / 64
MIXED = Asking.rounded(WEIGHTS, bias=-0.5, fading=0.25, leak=-2.0)

NUMBER = st.floats(-6, 6)
SENTENCE = st.builds(
    lambda back, grams: Said(back, np.array(sorted(grams), dtype=np.intp)),
    st.integers(1, 20),
    st.sets(st.integers(0, BUCKETS - 1), min_size=1, max_size=12),
)
SENTENCES = st.lists(SENTENCE, max_size=6)


def asking(weights: Mapping[int, float], bias: float = 0.0, fading: float = 0.0, leak: float = 0.0) -> Asking:
    table = np.zeros(BUCKETS)
    table[list(weights)] = list(weights.values())
    return Asking.rounded(table, bias=bias, fading=fading, leak=leak)


def sentence(back: int, *grams: int) -> Said:
    return Said(back, np.array(grams, dtype=np.intp))


def window(*said: Said) -> Tokens:
    return Tokens([2, 7, 3, 3], 3, False, (), said)


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def noisy_or(one: Asking, said: Sequence[Said]) -> float:
    """The log odds by the formula, from the weights before they were rounded."""
    none_asks = logistic(-one.leak)
    for each in said:
        told = sum(WEIGHTS[gram] for gram in each.grams) / len(each.grams) ** 0.5
        none_asks *= logistic(-(told + one.bias - one.fading * (each.back - 1)))
    return math.log((1 - none_asks) / none_asks)


class TestOdds:
    def test_two_sentences_by_hand(self) -> None:
        one = asking({3: 2.0, 9: -1.0}, bias=-1.0, fading=0.5, leak=-2.0)
        first = 1 / (1 + math.exp(-((2 - 1) / math.sqrt(2) - 1)))
        second = 1 / (1 + math.exp(-(2 / math.sqrt(1) - 1 - 2 * 0.5)))
        leak = 1 / (1 + math.exp(2))
        asked = 1 - (1 - first) * (1 - second) * (1 - leak)
        odds = one.odds([sentence(1, 3, 9), sentence(3, 3)])
        assert odds == pytest.approx(math.log(asked / (1 - asked)), abs=0.02)
        assert odds == pytest.approx(1.1, abs=0.05)

    @given(SENTENCES, NUMBER, st.floats(0, 1), NUMBER)
    def test_they_are_those_of_a_noisy_or(self, said: list[Said], bias: float, fading: float, leak: float) -> None:
        one = msgspec.structs.replace(MIXED, bias=bias, fading=fading, leak=leak)
        assert one.odds(said) == pytest.approx(noisy_or(one, said), rel=1e-6, abs=1e-6)

    @given(SENTENCES, SENTENCE, NUMBER)
    def test_one_more_sentence_never_lowers_them(self, said: list[Said], more: Said, leak: float) -> None:
        one = msgspec.structs.replace(MIXED, leak=leak)
        assert one.odds([*said, more]) >= one.odds(said) - 1e-9

    @given(SENTENCES, SENTENCE, st.integers(0, 80), st.floats(0, 3))
    def test_a_sentence_further_back_never_raises_them(
        self, said: list[Said], moved: Said, by: int, fading: float
    ) -> None:
        one = msgspec.structs.replace(MIXED, fading=fading)
        assert one.odds([*said, Said(moved.back + by, moved.grams)]) <= one.odds([*said, moved]) + 1e-9

    def test_a_sentence_that_asks_counts_less_the_further_back_it_stands(self) -> None:
        one = asking({3: 4.0}, bias=-2.0, fading=0.5, leak=-4.0)
        odds = [one.odds([sentence(back, 3)]) for back in (1, 2, 3, 20)]
        assert odds == sorted(odds, reverse=True)
        assert odds[0] > odds[1] + 0.3
        assert odds[3] == pytest.approx(one.odds([]), abs=0.1)

    def test_without_a_sentence_they_are_those_of_the_leak(self) -> None:
        assert asking({}, leak=-1.5).odds([]) == pytest.approx(-1.5)

    @pytest.mark.parametrize("leak", [-1000.0, 0.0, 1000.0])
    @pytest.mark.parametrize("bias", [-1000.0, 0.0, 1000.0])
    @pytest.mark.parametrize("weight", [-1000.0, 0.0, 1000.0])
    def test_extreme_values_give_finite_odds(self, weight: float, bias: float, leak: float) -> None:
        one = asking({3: weight}, bias=bias, leak=leak)
        odds = one.odds([sentence(1, 3), sentence(20, 3)])
        most = max(weight + bias, leak)
        assert math.isfinite(odds)
        assert (odds > 900) == (most > 900)
        assert (odds < -10) == (most < -900)

    def test_they_pass_smoothly_into_the_largest(self) -> None:
        odds = [asking({}, leak=leak).odds([]) for leak in (29.9, 29.99999, 30.00001, 30.1)]
        assert odds == pytest.approx([29.9, 29.99999, 30.00001, 30.1], abs=1e-9)


class TestJoin:
    LOGITS = np.linspace(-2, 3, 12, dtype=np.float32).reshape(3, 4)
    JOINING = msgspec.structs.replace(MIXED, share=0.75, center=-1.25)

    def test_only_the_last_column_changes_and_the_input_is_left_alone(self) -> None:
        windows = [window(sentence(1, 5, 8)), window(sentence(2, 5)), window(sentence(1, 9), sentence(4, 1))]
        before = self.LOGITS.copy()
        joined = self.JOINING.join(self.LOGITS, windows)
        added = [0.75 * (noisy_or(self.JOINING, one.said) + 1.25) for one in windows]
        np.testing.assert_array_equal(self.LOGITS, before)
        np.testing.assert_array_equal(joined[:, :-1], before[:, :-1])
        np.testing.assert_allclose(joined[:, -1], before[:, -1] + added, rtol=1e-5)
        assert joined.dtype == np.float32
        assert (np.abs(joined - before)[:, -1] > 0.01).all()

    def test_where_the_client_said_nothing_nothing_is_added(self) -> None:
        joined = self.JOINING.join(self.LOGITS, [window(), window(sentence(1, 5)), window()])
        np.testing.assert_array_equal(joined[[0, 2]], self.LOGITS[[0, 2]])
        assert joined[1, -1] != self.LOGITS[1, -1]

    def test_no_messages(self) -> None:
        assert self.JOINING.join(np.zeros((0, 4), dtype=np.float32), []).shape == (0, 4)


class TestFile:
    def test_weights_are_rounded_to_the_nearest_step(self) -> None:
        weights = np.random.default_rng(2).normal(0, 0.3, BUCKETS)
        one = Asking.rounded(weights, bias=-1.0, fading=0.1, leak=-2.0)
        off = np.abs(one.table - weights)
        assert off.max() <= one.scale / 2 * (1 + 1e-9)
        assert off.max() > one.scale / 4
        assert one.scale == pytest.approx(np.abs(weights).max() / 127)
        assert (one.bias, one.fading, one.leak, one.share, one.center) == (-1.0, 0.1, -2.0, 0.0, 0.0)

    def test_the_largest_weight_is_kept_whatever_its_sign(self) -> None:
        assert asking({3: -5.0, 4: 2.0}).table[[3, 4, 5]] == pytest.approx([-5.0, 2.0, 0.0], abs=5 / 127 / 2)
        assert asking({3: -5.0, 4: 2.0}).table[3] == -5.0

    def test_weights_of_zero(self) -> None:
        one = asking({}, bias=-1.0, leak=-30.0)
        assert not one.table.any()
        assert one.scale > 0
        assert one.odds([sentence(1, 3, 4)]) == pytest.approx(-1.0)

    def test_it_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        one = msgspec.structs.replace(MIXED, share=0.3, center=-1.7)
        write_asking(one, tmp_path)
        back = read_asking(tmp_path)
        assert back == one
        assert back is not None
        np.testing.assert_array_equal(back.table, WEIGHTS)

    def test_a_folder_without_one(self, tmp_path: Path) -> None:
        assert read_asking(tmp_path) is None

    @pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"\xff", b"null"])
    def test_a_malformed_one_is_named(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / ASKING_FILE).write_bytes(content)
        with pytest.raises(BadModel, match=r"asking\.json.*Copy the whole folder again"):
            read_asking(tmp_path)

    def test_a_name_of_a_field_that_is_no_utf8_is_told_too(self, tmp_path: Path) -> None:
        (tmp_path / ASKING_FILE).write_bytes(b'{"\xff": 1}')
        with pytest.raises(BadModel, match=r"asking\.json"):
            read_asking(tmp_path)

    @pytest.mark.parametrize(
        "change",
        [
            {"weights": base64.b64encode(bytes(BUCKETS - 1)).decode()},
            {"weights": base64.b64encode(bytes(BUCKETS + 1)).decode()},
            {"weights": "???"},
            {"weights": [0] * BUCKETS},
            {"scale": "1"},
            {"share": None},
            {"more": 1},
        ],
    )
    def test_one_field_wrong(self, tmp_path: Path, change: dict[str, Any]) -> None:
        write_asking(MIXED, tmp_path)
        whole = json.loads((tmp_path / ASKING_FILE).read_bytes())
        (tmp_path / ASKING_FILE).write_text(json.dumps(whole | change))
        with pytest.raises(BadModel, match=r"asking\.json"):
            read_asking(tmp_path)


def client(text: str) -> Message:
    return Message("client", text)


def counselor(text: str) -> Message:
    return Message("counselor", text)


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Path:
    return tiny / TOKENIZER_FILE


def heard(tokenizer: Path, *before: Message, asking: int = 3, **size: int) -> list[tuple[int, list[int]]]:
    """What the window of a message after these holds of the client's sentences, as plain numbers."""
    window = Window(**{"context": 2, "max_tokens": 96, "context_tokens": 32, "asking": asking} | size)
    build = WindowBuilder.from_file(tokenizer, window)
    return [(one.back, one.grams.tolist()) for one in build.build("what now? go on.", before).said]


def alone(tokenizer: Path, text: str) -> list[int]:
    """The grams of one sentence."""
    build = WindowBuilder.from_file(tokenizer, Window())
    return _grams(build.tokens(text)).tolist()


class TestSentences:
    def test_they_are_those_of_client_messages_and_every_message_counts_for_how_far_back(self, tokenizer: Path) -> None:
        said = heard(tokenizer, client("hello. tea?"), counselor("why? when?"), client("no idea"))
        assert said == [
            (1, alone(tokenizer, "no idea")),
            (3, alone(tokenizer, "hello.")),
            (3, alone(tokenizer, "tea?")),
        ]

    @pytest.mark.parametrize(("reach", "backs"), [(0, []), (1, [1]), (2, [1]), (3, [1, 3]), (4, [1, 3, 4]), (9, None)])
    def test_only_so_many_messages_are_looked_at(self, tokenizer: Path, reach: int, backs: list[int] | None) -> None:
        before = [client("quiz"), client("tea"), client("jazz"), counselor("why?"), client("box")]
        found = [back for back, _ in heard(tokenizer, *before, asking=reach)]
        assert found == ([1, 3, 4, 5] if backs is None else backs)

    @pytest.mark.parametrize("context", [0, 5])
    def test_how_many_messages_are_read_for_the_codes_does_not_matter(self, tokenizer: Path, context: int) -> None:
        before = [client("quiz"), counselor("hm"), client("tea")]
        assert heard(tokenizer, *before, context=context) == heard(tokenizer, *before)

    def test_the_message_itself_does_not_count(self, tokenizer: Path) -> None:
        assert heard(tokenizer) == []
        assert heard(tokenizer, counselor("what would help?")) == []

    @pytest.mark.parametrize(
        ("text", "sentences"),
        [
            ("no. why? ok! so", ["no.", "why?", "ok!", "so"]),
            ("no.\nwhy", ["no.", "why"]),
            ("no\n\nwhy", ["no", "why"]),
            ("no\n  \n why \n", ["no", "why"]),
            ("hm... ok", ["hm...", "ok"]),
            ("what?! no", ["what?!", "no"]),
            ("  3.5 of them.  ", ["3.5 of them."]),
            ("really?yes", ["really?yes"]),
            ("no\nwhy", ["no", "why"]),
            ("no\r\nwhy", ["no", "why"]),
        ],
    )
    def test_they_end_with_their_marks_and_with_lines(self, tokenizer: Path, text: str, sentences: list[str]) -> None:
        assert heard(tokenizer, client(text)) == [(1, alone(tokenizer, one)) for one in sentences]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "\n\t \n",
            "\u200b\ufeff",
        ],
    )
    def test_a_message_without_text_has_none(self, tokenizer: Path, text: str) -> None:
        assert heard(tokenizer, client(text)) == []
        assert [back for back, _ in heard(tokenizer, client("tea"), client(text))] == [2]

    def test_of_a_huge_message_the_end_counts(self, tokenizer: Path) -> None:
        said = heard(tokenizer, client("tea. " * 200_000 + "what would help?" + " " * 10_000))
        assert said[-1] == (1, alone(tokenizer, "what would help?"))
        assert said[-2] == (1, alone(tokenizer, "tea."))
        assert len(said) <= 1024 / len("tea. ") + 1

    def test_a_huge_message_is_cut_where_there_is_no_room_for_context_too(self, tokenizer: Path) -> None:
        assert len(heard(tokenizer, client("tea. " * 5_000), context_tokens=0)) <= 1024 / len("tea. ") + 1

    def test_the_same_text_twice_keeps_both_places(self, tokenizer: Path) -> None:
        assert [back for back, _ in heard(tokenizer, client("tea?"), client("tea?"))] == [1, 2]

    def test_the_order_of_words_matters(self, tokenizer: Path) -> None:
        assert alone(tokenizer, "can you help me") != alone(tokenizer, "you can help me")

    def test_a_pair_and_a_triple_more_for_every_piece_and_each_once(self, tokenizer: Path) -> None:
        assert len(alone(tokenizer, "so?")) == 5 + 4 + 3
        assert alone(tokenizer, "zzzzzzzzz") == alone(tokenizer, "zzzz")

    @given(st.lists(st.integers(0, 300_000), max_size=40))
    def test_buckets_are_different_and_within_range(self, pieces: list[int]) -> None:
        grams = _grams(pieces)
        assert (np.diff(grams) > 0).all()
        assert 3 <= len(grams) <= 3 * len(pieces) + 3
        assert grams[0] >= 0
        assert grams[-1] < BUCKETS

    def test_the_buckets_of_a_sentence_never_change(self, tokenizer: Path) -> None:
        """The weights of every model that was ever made count on them."""
        assert alone(tokenizer, "so?") == [
            2191, 8166, 12061, 14838, 17297, 17356, 31574, 34684, 39108, 47275, 48875, 57800
        ]  # fmt: skip
        assert _grams([250_001, 7]).tolist() == [7518, 17297, 21380, 26599, 31706, 34213, 39416, 42120, 57800]


class TestWindow:
    WINDOW = Window(context=5, asking=20)

    def test_with_its_own_number_of_messages_it_stays_as_it_is(self) -> None:
        assert self.WINDOW.reading(5) == self.WINDOW

    @pytest.mark.parametrize(("context", "asking"), [(0, 0), (1, 20), (6, 20), (100, 100)])
    def test_no_other_number_but_0_searches_fewer(self, context: int, asking: int) -> None:
        changed = self.WINDOW.reading(context)
        assert (changed.context, changed.asking, changed.reach) == (context, asking, asking)
        assert (changed.max_tokens, changed.context_tokens) == (self.WINDOW.max_tokens, self.WINDOW.context_tokens)

    @pytest.mark.parametrize("context", [0, 3, 5, 30])
    def test_of_any_number_that_it_was_made_for_it_stays_as_it_is(self, context: int) -> None:
        made = Window(asking=20).reading(context)
        assert made.reading(context) == made

    @pytest.mark.parametrize("context", [0, 1, 6])
    def test_a_window_that_looked_at_none_goes_on_so(self, context: int) -> None:
        assert Window(context=5).reading(context) == Window(context=context, asking=0)

    @pytest.mark.parametrize(("context", "asking", "reach"), [(5, 20, 20), (5, 0, 5), (5, 3, 5), (0, 0, 0), (0, 4, 4)])
    def test_it_reaches_as_far_as_the_further_of_the_two(self, context: int, asking: int, reach: int) -> None:
        assert Window(context=context, asking=asking).reach == reach

    @pytest.mark.parametrize("asking", [-1, 101])
    def test_a_number_out_of_range(self, tiny: Path, tmp_path: Path, asking: int) -> None:
        folder = with_asking(tiny, tmp_path / "model", MIXED, asking)
        with pytest.raises(BadModel, match=r"window\.asking"):
            Tagger.load(folder)


ASK = "what would you do in my place?"
RAIN = "it rains here."
ADVICE = "you could go for a walk"


def with_asking(tiny: Path, folder: Path, one: Asking, reach: int) -> Path:
    """A copy of a model that has `asking.json` and looks at so many messages."""
    shutil.copytree(tiny, folder)
    write_asking(one, folder)
    config = read_config(folder)
    files = config.files | {ASKING_FILE: file_sha256(folder / ASKING_FILE)}
    window = msgspec.structs.replace(config.window, asking=reach)
    write_config(msgspec.structs.replace(config, files=files, window=window), folder)
    return folder


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    """A model folder with `asking.json`, to spoil."""
    return with_asking(tiny, tmp_path / "model", MIXED, 6)


@pytest.fixture(scope="module")
def asks(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that gives permission where a client asked, word for word, among the last six messages; it reads two."""
    grams = np.setdiff1d(alone(tiny / TOKENIZER_FILE, ASK), alone(tiny / TOKENIZER_FILE, RAIN))
    one = asking(dict.fromkeys(grams.tolist(), 40.0), bias=-40.0, leak=-40.0)
    one = msgspec.structs.replace(one, share=100.0)
    return with_asking(tiny, tmp_path_factory.mktemp("asks") / "model", one, 6)


def advising(folder: Path, **choices: Any) -> Tagger:
    """A tagger that takes every message for advice."""
    codes = read_config(folder).codes
    return Tagger.load(folder, threshold=dict.fromkeys(codes, 1.0) | {"PR": 0.0}, **choices)


def last_coding(tagger: Tagger, *before: Message) -> Coding:
    coding = tagger.tag(Conversation("c", [*before, counselor(ADVICE)])).messages[-1].coding
    assert coding is not None
    return coding


def asked_at(distance: int) -> list[Message]:
    """A chat that ends with advice, so many messages after the client asked."""
    between = [client(RAIN) if at % 2 else counselor("i see") for at in range(1, distance)]
    return [client(RAIN), client(ASK), *between, counselor(ADVICE)]


class TestModel:
    def test_a_file_that_the_configuration_does_not_list_is_refused(self, tiny: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(tiny, tmp_path / "model"))
        Tagger.load(folder)
        write_asking(MIXED, folder)
        with pytest.raises(BadModel, match=r"asking\.json is no file of this model"):
            Tagger.load(folder)

    def test_an_altered_one_is_refused(self, folder: Path) -> None:
        Tagger.load(folder)
        write_asking(msgspec.structs.replace(MIXED, share=0.5), folder)
        with pytest.raises(BadModel, match=r"asking\.json is not the file .* SHA-256 differs"):
            Tagger.load(folder)

    def test_a_missing_one_is_refused(self, folder: Path) -> None:
        (folder / ASKING_FILE).unlink()
        with pytest.raises(BadModel, match=r"'asking\.json' of the model is missing"):
            Tagger.load(folder)

    @pytest.mark.parametrize("content", [b"", b"garbage", b"{}"])
    def test_garbage_with_the_right_hash_is_named(self, folder: Path, content: bytes) -> None:
        (folder / ASKING_FILE).write_bytes(content)
        config = read_config(folder)
        files = config.files | {ASKING_FILE: file_sha256(folder / ASKING_FILE)}
        write_config(msgspec.structs.replace(config, files=files), folder)
        with pytest.raises(BadModel, match=r"asking\.json"):
            Tagger.load(folder)

    def test_its_digest_is_among_those_that_decide_labels(self, folder: Path) -> None:
        assert Tagger.load(folder).digests[ASKING_FILE] == file_sha256(folder / ASKING_FILE)

    def test_permission_goes_by_what_the_client_asked_and_the_codes_do_not(self, asks: Path, tiny: Path) -> None:
        between = [counselor("i see"), client(RAIN)]
        asked, not_asked = (last_coding(advising(asks), client(text), *between) for text in (ASK, RAIN))
        assert (asked.permission, not_asked.permission) == ("with", "without")
        assert (asked.codes, asked.scores) == (not_asked.codes, not_asked.scores)
        assert asked.codes == ("PR",)
        older = last_coding(advising(tiny), client(ASK), *between)
        assert (asked.codes, asked.scores, asked.depth) == (older.codes, older.scores, older.depth)

    def test_what_a_counselor_asks_is_no_permission(self, asks: Path) -> None:
        assert last_coding(advising(asks), counselor(ASK), client(RAIN)).permission == "without"

    @pytest.mark.parametrize("text", ["hm", "what next?", "jazz", "tea", "zzz"])
    def test_where_the_client_said_nothing_the_encoder_tells_permission(
        self, asks: Path, tiny: Path, text: str
    ) -> None:
        assert last_coding(advising(asks), counselor(text)) == last_coding(advising(tiny), counselor(text))

    def test_the_sentence_counts_as_far_as_the_model_looks(self, asks: Path) -> None:
        tagger = advising(asks)
        assert (tagger.context, tagger.reach) == (2, 6)
        told = [last_coding(tagger, *asked_at(distance)[:-1]).permission for distance in range(1, 9)]
        assert told == ["with"] * 6 + ["without"] * 2

    @pytest.mark.parametrize(("context", "reach"), [(3, 6), (8, 8)])
    def test_with_another_context_it_looks_at_no_fewer_messages(self, asks: Path, context: int, reach: int) -> None:
        tagger = advising(asks, context=context)
        assert tagger.reach == reach
        told = [last_coding(tagger, *asked_at(distance)[:-1]).permission for distance in range(1, 10)]
        assert told == ["with"] * reach + ["without"] * (9 - reach)

    def test_without_context_it_looks_at_none(self, asks: Path, tiny: Path) -> None:
        for text in (ASK, RAIN):
            coding = last_coding(advising(asks, context=0), client(text))
            assert coding == last_coding(advising(tiny, context=0), client(text))

    def test_threads_change_nothing(self, asks: Path) -> None:
        chats = [Conversation(f"c{distance}", asked_at(distance)) for distance in range(1, 9)]
        assert [*advising(asks, threads=2).tag_many(chats)] == [*advising(asks).tag_many(chats)]


CHATS = {f"c{distance}": asked_at(distance) for distance in range(1, 10)}


def flat() -> list[dict[str, Any]]:
    return [
        {"conversation_id": name, "role": message.role, "text": message.text}
        for name, messages in CHATS.items()
        for message in messages
    ]


def nested() -> list[dict[str, Any]]:
    return [
        {"conversation_id": name, "messages": [{"role": one.role, "text": one.text} for one in messages]}
        for name, messages in CHATS.items()
    ]


def streamed(tagger: Tagger, records: Sequence[dict[str, Any]], size: int, skipped: int = 0) -> list[dict[str, Any]]:
    """The output fields of the counselor messages of these records, some of the first passed over."""
    content = b"\n".join(json.dumps(record).encode() for record in records)
    coder = Coder(tagger, "all", size, Counts())
    with open_records(io.BytesIO(content)) as reader:
        for _ in range(skipped):
            coder.skip(next(reader))
        done = [item.data for batch in coder.batches(reader) for item in batch if isinstance(item, Record)]
    messages = [message for data in done for message in data.get("messages", [data])]
    return [
        {name: message[name] for name in OUTPUT_FIELDS if name in message}
        for message in messages
        if message["role"] == "counselor"
    ]


@pytest.fixture(scope="module")
def adviser(asks: Path) -> Tagger:
    return advising(asks)


@pytest.fixture(scope="module")
def expected(adviser: Tagger) -> list[dict[str, Any]]:
    """What is told of whole conversations."""
    tagged = adviser.tag_many(Conversation(name, messages) for name, messages in CHATS.items())
    return [coding_fields(message.coding) for chat in tagged for message in chat.counselor_messages if message.coding]


class TestStream:
    def test_some_are_with_permission_and_some_without(self, expected: list[dict[str, Any]]) -> None:
        assert {"with", "without"} <= {fields["permission"] for fields in expected}
        assert len(expected) == sum(message.is_counselor for messages in CHATS.values() for message in messages)

    @pytest.mark.parametrize("size", [1, 3, 64])
    def test_one_record_for_a_message(self, adviser: Tagger, expected: list[dict[str, Any]], size: int) -> None:
        assert streamed(adviser, flat(), size) == expected

    @pytest.mark.parametrize("size", [1, 3, 64])
    def test_one_record_for_a_conversation(self, adviser: Tagger, expected: list[dict[str, Any]], size: int) -> None:
        assert streamed(adviser, nested(), size) == expected

    @pytest.mark.parametrize("left", range(1, 10))
    def test_a_run_that_goes_on_in_the_middle(self, adviser: Tagger, expected: list[dict[str, Any]], left: int) -> None:
        found = streamed(adviser, flat(), 64, skipped=len(flat()) - left)
        assert found == expected[-len(found) :]
