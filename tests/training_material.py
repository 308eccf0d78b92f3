"""Tiny encoders, invented chats and windows for the tests of the training."""

import json
import random
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import RobertaProcessing, TemplateProcessing
from tokenizers.trainers import WordPieceTrainer

from mi_coder.conversation import Conversation, Message
from mi_coder.tagger.window import Tokens
from mi_coder.training.adapt import AdaptOptions
from mi_coder.training.fit import FitOptions
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.targets import Targets

SAID = {
    "OQ": ["what is that like for you?", "how did the week go?", "tell me how it began"],
    "CQ": ["did you sleep?", "is she at home now?", "do you live alone?"],
    "REF": ["you carry the rent alone", "part of you hopes she calls", "you miss the old street"],
    "SU": ["that sounds rough, sorry", "i am here with you", "anyone would be hurt"],
    "PR": ["maybe you could take a walk", "since you asked, i would call her", "you could try to write it down"],
}
SAYS = [text for some in SAID.values() for text in some]
CLIENT_SAID = ["i can not sleep", "my sister left", "work is too much", "i feel alone", "not sure what to do"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
CHATS = 240
FAST = FitOptions(epochs=2, batch=16, lr=3e-3, seed=3, threads=1)
QUICK = AdaptOptions(epochs=6, batch=8, lr=3e-3, max_tokens=32, threads=1)


def texts() -> list[str]:
    """What a tokenizer is trained on."""
    return [*CLIENT_SAID, *SAYS, "client: counselor:"]


def make_bert(folder: Path) -> Path:
    """A BERT with random weights and a WordPiece tokenizer without a mask token."""
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(texts(), WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=300, max_position_embeddings=256, **SIZES)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


def make_roberta(folder: Path) -> Path:
    """A RoBERTa with random weights and a byte-BPE tokenizer."""
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(texts(), vocab_size=400, special_tokens=special)
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=400, max_position_embeddings=258, type_vocab_size=1, pad_token_id=1, **SIZES
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


def of_kind(kind: str) -> transformers.PreTrainedModel:
    """An encoder with random weights, so large that a difference shows."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=400, max_position_embeddings=258, pad_token_id=1, initializer_range=0.3, **SIZES
    )
    return transformers.AutoModel.from_config(config)


def write_gold(path: Path) -> Path:
    """Chats in groups of two; a tenth of the questions is known only as a question."""
    draw = random.Random(5)
    with path.open("w", encoding="utf-8") as file:
        for number in range(CHATS):
            messages = []
            for _ in range(5):
                messages.append({"role": "client", "text": draw.choice(CLIENT_SAID)})
                messages.append(counselor_message(draw))
            group = f"worker-{number // 2}"
            chat = {"conversation_id": f"chat-{number}", "source_group": group, "messages": messages}
            file.write(json.dumps(chat) + "\n")
    return path


def counselor_message(draw: random.Random) -> dict[str, object]:
    """A message of a random code, with its gold."""
    code = draw.choice(list(SAID))
    text = draw.choice(SAID[code])
    gold: dict[str, object] = {"codes": [code]}
    if code == "REF":
        gold["depth"] = "complex" if "part" in text else "simple"
    if code == "PR":
        gold["permission"] = "with" if "asked" in text else "without"
    if code in ("OQ", "CQ") and draw.random() < 0.1:
        gold = {"any_of": [["OQ", "CQ"]], "negative": ["SU", "REF"]}
    return {"role": "counselor", "text": text, "gold": gold}


def chats(count: int = 60) -> list[Conversation]:
    """Chats of six messages without codes."""
    draw = random.Random(2)
    return [
        Conversation(
            f"c{number}",
            [
                Message("client" if turn % 2 else "counselor", draw.choice(CLIENT_SAID if turn % 2 else SAYS))
                for turn in range(6)
            ],
        )
        for number in range(count)
    ]


def windows(count: int, seed: int = 0) -> list[Tokens]:
    """Windows of random tokens."""
    draw = np.random.default_rng(seed)
    made = []
    for length in draw.integers(2, 40, count):
        ids = [2, *draw.integers(4, 290, length).tolist(), 3]
        made.append(Tokens(ids, int(draw.integers(2, length + 1)), False))
    return made


def some_targets(rows: int, heads: int = 23) -> Targets:
    """The truth of three heads of `heads`; nothing is known of the others."""
    known = np.full((rows, heads), np.nan)
    known[:, :3] = np.random.default_rng(1).integers(0, 2, (rows, 3))
    return Targets(known, np.zeros((0, heads), dtype=bool), np.zeros(0, dtype=np.intp))


class Watched(Progress):
    """Keeps the epochs and notes of a training."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
