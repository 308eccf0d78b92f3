"""The model: one encoder pass gives the logits of all heads."""

import inspect
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel

from mi_coder.errors import UsageProblem
from mi_coder.training.base import NoBase
from mi_coder.training.encoder import FullReader, FunnelReader, can_funnel


class Coder(nn.Module):
    """An encoder, and one linear layer on its vector of the message.

    Args:
        encoder: a Transformers encoder.
        heads: number of outputs: the codes, then depth and permission.
        context_layers: layers that read the context (see `FunnelReader`); None for all.
        dropout: share of the vector that is hidden from the linear layer in training.

    Raises:
        UsageProblem: this encoder cannot stop reading the context after `context_layers`.
    """

    def __init__(
        self, encoder: PreTrainedModel, heads: int, context_layers: int | None = None, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.reader = _reader(encoder, context_layers)
        self.pad_id: int = encoder.config.pad_token_id or 0
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(encoder.config.hidden_size, heads)

    @classmethod
    def from_folder(cls, folder: Path, heads: int, context_layers: int | None = None) -> "Coder":
        """Start from the weights in a folder; the output layer is random.

        Raises:
            NoBase: the weights are not those of an encoder that transformers knows.
            UsageProblem: as for the class.
        """
        try:
            encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise NoBase(f"The encoder in {folder} cannot be loaded: {type(error).__name__}.") from error
        return cls(encoder, heads, context_layers)

    @property
    def device(self) -> torch.device:
        return self.output.weight.device

    def forward(
        self, message: Tensor, context: Tensor, message_mask: Tensor | None = None, context_mask: Tensor | None = None
    ) -> Tensor:
        """Logits [batch, heads] of messages and their contexts, padded as `FullReader.forward` says."""
        return self.output(self.dropout(self.reader(message, context, message_mask, context_mask)))

    def start_from(self, logits: Tensor) -> None:
        """Set the bias of the heads, [heads], so that training starts from their base rates."""
        with torch.no_grad():
            self.output.bias.copy_(logits)
            self.output.weight.normal_(std=0.02)


def _reader(encoder: PreTrainedModel, context_layers: int | None) -> nn.Module:
    accepted = "token_type_ids" in inspect.signature(encoder.forward).parameters
    segments = accepted and getattr(encoder.config, "type_vocab_size", 0) > 1
    if context_layers is None:
        return FullReader(encoder, segments)
    most = encoder.config.num_hidden_layers - 2
    if not can_funnel(encoder) or context_layers > most:
        allowed = f"0 to {most}, or not be given" if can_funnel(encoder) else "left out only"
        raise UsageProblem(f"context_layers is {context_layers}; for this encoder it can be {allowed}.")
    return FunnelReader(encoder, segments, context_layers)
