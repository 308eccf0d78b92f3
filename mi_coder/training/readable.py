"""Whether chats can be read with an encoder, found out before anything is learned with it."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedModel

from mi_coder.conversation import CLIENT, Message
from mi_coder.tagger.config import MAX_TOKENS, TOKENIZER_FILE, Window
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training.base import MINILM, MPNET, ROBERTA, NoBase
from mi_coder.training.batches import pad
from mi_coder.training.encoder import FullReader, first_position

_SAID = "You miss him most at night."
_BEFORE = ("Yes.", "I miss him. The nights are long and I cannot sleep.")
_LONGEST_PROBE = 64

# How far two vectors may differ, as shares of the largest number in them. Rounding makes up to 2e-6 of difference in
# MiniLM and MPNet. With random weights of some 40 types of Transformers, padding that is heeded makes 1e-3 and more, as
# another context does.
_OF_PADDING = 1e-4
_OF_ROUNDING = 1e-5

_INSTEAD = f"Name another --base, such as {ROBERTA}, {MINILM} or {MPNET}."


def check_readable(encoder: PreTrainedModel, folder: Path) -> None:
    """See to it that a message and what was said before it can be read with an encoder, alone and in a batch.

    Args:
        encoder: on the CPU, in 32-bit floats.
        folder: where it lies, with its tokenizer.

    Raises:
        NoBase: the tokenizer has tokens that the encoder lacks, or the encoder has a decoder beside it, cannot be run
            on a text, heeds padding, or does not heed what stands behind a message, where its context is.
        BadModel: there is no tokenizer that can be used.
    """
    room = min(_LONGEST_PROBE, longest_text(encoder))
    builder = WindowBuilder.from_file(folder / TOKENIZER_FILE, Window(max_tokens=room))
    short, long = (builder.build(_SAID, [Message(CLIENT, before)]) for before in _BEFORE)
    company = builder.build(" ".join(_BEFORE), [Message(CLIENT, _SAID)])
    if encoder.config.is_encoder_decoder:
        raise _unreadable(encoder, folder, "it has a decoder, and codes need an encoder alone")
    try:
        _check_vocabulary(encoder, folder / TOKENIZER_FILE)
        alone, elsewhere, padded = (_vector(encoder, *some) for some in ((short,), (long,), (short, company)))
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _unreadable(encoder, folder, f"it cannot be run on a text alone ({type(error).__name__})") from error
    if not _alike(alone, padded, _OF_PADDING):
        raise _unreadable(encoder, folder, "its output depends on the padding of a batch")
    if _alike(alone, elsewhere, _OF_ROUNDING):
        raise _unreadable(encoder, folder, "it does not read what comes after a message, where the context is")


def check_length(encoder: PreTrainedModel, tokens: int) -> None:
    """See to it that windows of so many tokens can be read.

    Raises:
        NoBase: they are longer than the positions of the encoder reach.
    """
    longest = longest_text(encoder)
    if tokens > longest:
        raise NoBase(
            f"This encoder reads up to {longest} tokens, and a message with its context has up to {tokens}. {_INSTEAD}"
        )


def longest_text(encoder: PreTrainedModel) -> int:
    """How many tokens an encoder reads at most, special ones included; `MAX_TOKENS` where it sets no limit."""
    positions = getattr(encoder.config, "max_position_embeddings", None) or -1
    return positions - (first_position(encoder) or 0) if positions > 0 else MAX_TOKENS


def _check_vocabulary(encoder: PreTrainedModel, tokenizer: Path) -> None:
    words = encoder.get_input_embeddings().weight.shape[0]
    tokens = max(Tokenizer.from_file(str(tokenizer)).get_vocab(with_added_tokens=True).values()) + 1
    if tokens > words:
        raise NoBase(
            f"{tokenizer} has {tokens} tokens, more than the encoder has word vectors ({words}). Copy the "
            f"{TOKENIZER_FILE} that belongs to the encoder."
        )


def _vector(encoder: PreTrainedModel, *windows: Tokens) -> Tensor:
    """[2 * hidden] that of the first window in a batch of `windows`."""
    message, context, *masks, _ = pad(windows, encoder.config.pad_token_id or 0, encoder.device)
    with torch.no_grad():
        vectors: Tensor = FullReader(encoder).eval()(message, context, *masks)
    return vectors[0]


def _alike(one: Tensor, other: Tensor, share: float) -> bool:
    return bool((one - other).abs().max() <= share * one.abs().max())


def _unreadable(encoder: PreTrainedModel, folder: Path, reason: str) -> NoBase:
    return NoBase(
        f"Chats cannot be read with the encoder in {folder} (type {encoder.config.model_type}): {reason}. {_INSTEAD}"
    )
