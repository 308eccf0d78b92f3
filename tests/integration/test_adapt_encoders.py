"""Further pre-training and training with encoders of several types, above all those with a byte-BPE tokenizer."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn

from mi_coder.conversation import Conversation, Message
from mi_coder.errors import UsageProblem
from mi_coder.tagger.config import Window
from mi_coder.tagger.tagger import Tagger
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training import adapt as adapting
from mi_coder.training.adapt import AdaptOptions, adapt, predict
from mi_coder.training.base import NoBase
from mi_coder.training.batches import pad
from mi_coder.training.encoder import Funnel
from mi_coder.training.masking import Masked, Vocabulary, hide
from mi_coder.training.model import Coder
from mi_coder.training.run import TrainOptions, train
from tests.training_material import FAST, QUICK, SIZES, chats

ODD = ["what is that “like” for you? 🙂", "it’s… 😢👍🏽 hard", "naïve — señor ½ 東京", "did you sleep?"]
CHAT = Conversation("odd", [Message("counselor" if turn % 2 else "client", text) for turn, text in enumerate(ODD)])
READERS = pytest.mark.parametrize("funnel", [None, Funnel(0, 1), Funnel(1, 1)])
TINY = {**SIZES, "vocab_size": 90, "max_position_embeddings": 40, "pad_token_id": 1}
LIKE_BERT = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "mpnet", "albert"]


@pytest.fixture(scope="module")
def adapted(roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The byte-BPE encoder after further pre-training."""
    folder = tmp_path_factory.mktemp("adapted") / "encoder"
    adapt(str(roberta), chats(), folder, QUICK)
    return folder


@pytest.fixture(scope="module")
def masking_bert(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT whose tokenizer has a mask token and whose weights hold the layer that tells tokens."""
    folder = tmp_path_factory.mktemp("masking-bert")
    tokenizer = Tokenizer.from_file(str(bert / "tokenizer.json"))
    tokenizer.add_special_tokens(["[MASK]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(bert)
    transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    return folder


def odd_windows(folder: Path) -> list[Tokens]:
    builder = WindowBuilder.from_file(folder / "tokenizer.json", Window(max_tokens=64, context_tokens=24))
    return [builder.build(message.text, CHAT.messages[:place]) for place, message in enumerate(CHAT.messages)]


@pytest.mark.parametrize("funnel", [None, Funnel(0, 1)])
def test_the_whole_path_with_byte_bpe(adapted: Path, gold: Path, funnel: Funnel | None, tmp_path: Path) -> None:
    output = tmp_path / "model"
    report = train(TrainOptions(gold=(gold,), output=output, version="1", base=str(adapted), funnel=funnel, fit=FAST))
    assert report.test.macro.coder.value > 0.5
    tagger = Tagger.load(output)
    tagged = tagger.tag(CHAT)
    assert [message.text for message in tagged.messages] == ODD
    assert [message.coding is not None for message in tagged.messages] == [False, True, False, True]
    last = tagged.messages[3].coding
    assert last is not None and last.codes == ("CQ",)
    assert tagger.tag(Conversation("plain", [Message("counselor", ODD[0])])).messages[0].coding != last


@READERS
def test_a_padded_batch_and_a_single_window_give_the_same_logits(adapted: Path, funnel: Funnel | None) -> None:
    torch.manual_seed(0)
    model = Coder.from_folder(adapted, 23, funnel).eval()
    nn.init.normal_(model.output.weight)
    windows = odd_windows(adapted)
    assert len({len(one.ids) for one in windows}) == len(windows)
    with torch.inference_mode():
        alone = torch.cat([model(*pad([one], model.pad_id, model.device)) for one in windows])
        padded = model(*pad(windows, model.pad_id, model.device))
    torch.testing.assert_close(alone, padded, atol=1e-4, rtol=0)
    assert alone.std(dim=0).min() > 1e-2


@READERS
def test_positions_leave_the_padding_numbers_out_and_there_are_no_token_types(
    adapted: Path, funnel: Funnel | None
) -> None:
    model = Coder.from_folder(adapted, 23, funnel).eval()
    encoder = model.reader.encoder
    given: list[dict[str, Any]] = []
    positions: list[torch.Tensor] = []
    for module in (encoder, encoder.embeddings):
        module.register_forward_pre_hook(lambda _, inputs, named: given.append(named), with_kwargs=True)
    encoder.embeddings.position_embeddings.register_forward_pre_hook(lambda _, inputs: positions.append(inputs[0]))
    window = odd_windows(adapted)[0]
    model(*pad([window], model.pad_id, model.device))
    assert given and all(named.get("token_type_ids") is None for named in given)
    assert positions[0].flatten().tolist() == list(range(2, 2 + len(window.ids)))


def test_emoji_and_curly_quotes_survive_the_tokenizer(adapted: Path) -> None:
    builder = WindowBuilder.from_file(adapted / "tokenizer.json", Window())
    tokenizer = Tokenizer.from_file(str(adapted / "tokenizer.json"))
    unknown = tokenizer.token_to_id("<unk>")
    for text in ODD:
        ids = builder.tokens(text)
        assert tokenizer.decode(ids) == text
        assert unknown not in ids
    words = Vocabulary.from_file(adapted / "tokenizer.json")
    [window] = words.windows(CHAT, 256)
    said = "".join(f"{message.role}: {message.text}" for message in CHAT.messages)
    assert tokenizer.decode(window.ids, skip_special_tokens=True) == said


@pytest.mark.parametrize("kind", [*LIKE_BERT, "modernbert", "deberta-v2"])
def test_only_hidden_tokens_pass_the_vocabulary_and_get_the_logits_of_the_whole(kind: str) -> None:
    torch.manual_seed(0)
    sizes = {**TINY, "embedding_size": 16} if kind == "albert" else TINY
    config = transformers.AutoConfig.for_model(kind, **sizes)
    model = transformers.AutoModelForMaskedLM.from_config(config, attn_implementation="eager").eval()
    ids = torch.randint(5, 90, (3, 12))
    mask = torch.ones_like(ids)
    ids[1, 8:], mask[1, 8:] = 1, 0
    hidden = (torch.rand(ids.shape) < 0.3) & (mask == 1)
    rows: list[int] = []
    model.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape[-2]))
    with torch.inference_mode():
        found = predict(model, Masked(ids, mask, hidden, ids[hidden]))
        whole = model(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(found, whole[hidden], atol=1e-5, rtol=1e-4)
    assert rows[0] == hidden.sum()


def test_a_bert_with_its_layer_that_tells_tokens_goes_on_from_it(masking_bert: Path, tmp_path: Path) -> None:
    report = adapt(str(masking_bert), chats(), tmp_path / "encoder", QUICK)
    assert not report.new_head
    assert report.after < 0.8 * report.before
    _, found = transformers.AutoModel.from_pretrained(tmp_path / "encoder", output_loading_info=True)
    assert not found["unexpected_keys"]
    assert all(name.startswith("pooler.") for name in found["missing_keys"])


def test_a_new_layer_starts_from_the_frequencies_of_the_tokens(roberta: Path, tmp_path: Path) -> None:
    report = adapt(str(roberta), chats(), tmp_path / "encoder", AdaptOptions(max_steps=1, threads=1))
    words = Vocabulary.from_file(roberta / "tokenizer.json")
    assert report.before < words.size / 3


def test_weights_of_another_encoder_are_not_trained(masking_bert: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (base / name).write_bytes((masking_bert / name).read_bytes())
    weights = load_file(masking_bert / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(kept, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(NoBase, match=r"config\.json \(16 are missing\)"):
        adapt(str(base), chats(), tmp_path / "encoder", QUICK)


def test_windows_as_long_as_the_positions_reach(roberta: Path, tmp_path: Path) -> None:
    long = [Conversation(str(number), [Message("client", "i feel alone 🙂 " * 99)]) for number in range(3)]
    longest = AdaptOptions(max_tokens=256, max_steps=1, threads=1)
    adapt(str(roberta), long, tmp_path / "encoder", longest)
    with pytest.raises(UsageProblem, match="from 16 to 256"):
        adapt(str(roberta), long, tmp_path / "other", replace(longest, max_tokens=257))


def test_windows_hold_whole_messages_and_lose_nothing(roberta: Path) -> None:
    words = Vocabulary.from_file(roberta / "tokenizer.json")
    short, long = Message("client", "i feel alone"), Message("counselor", "you miss the old street “so” much " * 4)
    messages = [short, short, Message("client", " \u200b"), long, short]
    windows = words.windows(Conversation("c", messages), 24)
    inner = [window.ids[1:-1] for window in windows]
    assert all(window.ids[0] == 0 and window.ids[-1] == 2 and len(window.ids) <= 24 for window in windows)
    lines = [
        words.tokenizer.encode(f"{one.role}: {one.text.strip()}", add_special_tokens=False).ids
        for one in messages
        if one is not messages[2]
    ]
    assert [token for piece in inner for token in piece] == [token for line in lines for token in line]
    assert inner[0] == lines[0] + lines[1]


def test_hidden_tokens_are_drawn_anew_and_every_batch_has_one(roberta: Path) -> None:
    words = Vocabulary.from_file(roberta / "tokenizer.json")
    windows = [window for chat in chats(5) for window in words.windows(chat, 64)]
    random = torch.Generator().manual_seed(1)
    first, second = (hide(windows, words, 1, 0.15, random) for _ in range(2))
    assert not torch.equal(first.hidden, second.hidden)
    assert all(hide(windows[:1], words, 1, 1e-9, random).hidden.sum() == 1 for _ in range(20))


def test_steps_and_minutes_end_the_training(roberta: Path, tmp_path: Path) -> None:
    few = adapt(str(roberta), chats(), tmp_path / "few", AdaptOptions(max_steps=3, batch=8, threads=1))
    brief = adapt(str(roberta), chats(), tmp_path / "brief", AdaptOptions(minutes=1e-9, threads=1))
    assert (few.steps, brief.steps) == (3, 1)
    assert len(few.epochs) == len(brief.epochs) == 1


def test_the_learning_rate_rises_and_falls_with_what_is_further_on_steps_or_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace = adapting._Pace(100, math.inf)
    rates = []
    while not pace.over:
        rates.append(pace.rate(0.1))
        pace.done += 1
    peak = rates.index(max(rates))
    assert peak in (9, 10) and rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.01 < rates[0] < 0.1 < 0.9 < max(rates) <= 1
    pace = adapting._Pace(100, 10.0, started=0.0, done=1)
    monkeypatch.setattr(adapting.time, "perf_counter", lambda: 7.3)
    assert pace.rate(0.1) == pytest.approx(0.3)
    monkeypatch.setattr(adapting.time, "perf_counter", lambda: 11.0)
    assert pace.over and pace.rate(0.1) == 0


def test_held_out_conversations_do_not_depend_on_the_order(roberta: Path) -> None:
    words = Vocabulary.from_file(roberta / "tokenizer.json")
    some = chats(100)
    learned, held_out = adapting._split(some, words, 64)
    assert (len(learned), len(held_out)) == (95, 5)
    assert adapting._split(reversed(some), words, 64) == (learned, held_out)


def test_dropout_is_an_option(masking_bert: Path, tmp_path: Path) -> None:
    weights = []
    for dropout in (False, True):
        output = tmp_path / str(dropout)
        adapt(str(masking_bert), chats(), output, AdaptOptions(max_steps=2, dropout=dropout, threads=1))
        weights.append(load_file(output / "model.safetensors")["embeddings.word_embeddings.weight"])
        assert transformers.AutoConfig.from_pretrained(output).hidden_dropout_prob == 0.1
    assert not torch.equal(*weights)


def test_half_precision_comes_to_the_same_perplexity_and_full_weights(
    roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AdaptOptions(max_steps=6, batch=8, lr=3e-3, threads=1)
    monkeypatch.setattr(adapting, "bf16_is_native", lambda device: False)
    full = adapt(str(roberta), chats(), tmp_path / "full", options)
    monkeypatch.setattr(adapting, "bf16_is_native", lambda device: True)
    half = adapt(str(roberta), chats(), tmp_path / "half", options)
    assert half.after == pytest.approx(full.after, rel=0.05)
    assert half.after != full.after
    assert {value.dtype for value in load_file(half.folder / "model.safetensors").values()} == {torch.float32}


def test_nothing_is_said_of_the_layer_that_starts_anew(
    roberta: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    transformers.utils.logging.set_verbosity_warning()
    adapt(str(roberta), chats(), tmp_path / "encoder", AdaptOptions(max_steps=1, threads=1))
    assert transformers.utils.logging.get_verbosity() == transformers.logging.WARNING
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
