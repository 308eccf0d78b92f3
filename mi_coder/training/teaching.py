"""Teachers: finished models whose probabilities a new one learns beside the gold (Hinton et al. 2015, distillation).

What teachers say of a message stands for what gold leaves open, and tempers what it tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.attributes import CODES_WITH_ATTRIBUTE
from mi_coder.evaluation.leak import overlap
from mi_coder.tagger.config import MODEL_FILE, TOKENIZER_FILE, Head
from mi_coder.tagger.decoding import Decoder
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import ModelFolder, open_model
from mi_coder.tagger.window import WindowBuilder
from mi_coder.training.data import examples
from mi_coder.training.targets import ATTRIBUTES, Targets


@dataclass(frozen=True, slots=True)
class Teaching:
    """Who teaches and how much.

    Attributes:
        teachers: model folders; the mean of their probabilities is learned.
        share: weight of that mean where gold tells a code too; the rest is gold's.
    """

    teachers: tuple[Path, ...] = ()
    share: float = 0.5


def open_teachers(folders: Sequence[Path], tested: Sequence[Conversation]) -> tuple[ModelFolder, ...]:
    """The models in the folders.

    Raises:
        BadModel: a folder is no sound model of this codebook.
        UsageProblem: a teacher was trained on a conversation of `tested`, or on its group.
    """
    models = tuple(map(open_model, folders))
    for model in models:
        if known := overlap(tested, model.config.training_ids):
            raise UsageProblem(
                f"The teacher {model.path} was trained on {len(known)} conversations of the test part, such as "
                f"{known[0]!r}, and would give their codes away. Train it with the same parts (field split)."
            )
    return models


def teach(models: Sequence[ModelFolder], conversations: Sequence[Conversation], threads: int = 1) -> Floats:
    """[messages, heads] the mean probability that the models give; nan where none can tell.

    A model repeats the gold that it was trained on. So where some models have not seen a conversation in training, they
    alone tell its codes; where all or none have, all do.

    Rows are the messages of `examples(..., uncoded=True)` in the order of the conversations.
    """
    seen = [set(overlap(conversations, model.config.training_ids)) for model in models]
    by_all = set.intersection(*seen)
    told = np.stack(
        [_told(one, known - by_all, conversations, threads) for one, known in zip(models, seen, strict=True)]
    )
    heard = ~np.isnan(told)
    with np.errstate(invalid="ignore"):
        return np.where(heard, told, 0).sum(axis=0) / heard.sum(axis=0)


def tempered(targets: Targets, told: Floats, share: float) -> Targets:
    """The targets with what teachers tell, [messages, heads].

    Args:
        share: weight of `told` where `targets` are known; where they are not, it stands alone.
    """
    mixed = np.where(np.isnan(targets.known), told, (1 - share) * targets.known + share * told)
    return replace(targets, known=np.where(np.isnan(told), targets.known, mixed))


def _told(model: ModelFolder, silent: set[str], conversations: Sequence[Conversation], threads: int) -> Floats:
    config = model.config
    builder = WindowBuilder.from_file(model.path / TOKENIZER_FILE, config.window)
    messages = [one for chat in conversations for one in examples(chat, builder, uncoded=True)]
    heads: list[Head] = [*config.heads, config.depth, config.permission]
    told = np.full((len(messages), len(heads)), np.nan)
    rows = [row for row, one in enumerate(messages) if one.conversation not in silent]
    if not rows:
        return told
    logits = Encoder(model.path / MODEL_FILE, threads).logits([messages[row].tokens for row in rows])
    probability = Decoder(config, config.thresholds).probabilities(logits)
    probability[:, [not head.trained for head in heads]] = np.nan
    # An attribute is told where a code that has it is more likely than not.
    for column, attribute in enumerate(ATTRIBUTES, start=len(config.codes)):
        bearers = [config.codes.index(code) for code in CODES_WITH_ATTRIBUTE[attribute]]
        probability[~(probability[:, bearers] >= 0.5).any(axis=1), column] = np.nan
    told[rows] = probability
    return told
