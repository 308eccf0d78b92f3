"""A model whose encoder tells nothing, to see what is told from words alone."""

import torch
from torch import Tensor, nn

from mi_coder.training.model import Coder

VOCABULARY = 12


class _Blank(nn.Module):
    """A reader that sees nothing: every message has the same vector."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Module()

    def forward(self, message: Tensor, *_: Tensor) -> Tensor:
        return torch.ones(len(message), 4)


def blank_coder() -> Coder:
    """A model of three heads whose encoder tells nothing."""
    model = Coder.__new__(Coder)
    nn.Module.__init__(model)
    model.reader, model.pad_id, model.dropout = _Blank(), 0, nn.Dropout(0.1)
    model.output = nn.Linear(4, 3)
    for name, size in (("words", VOCABULARY), ("rarity", VOCABULARY), ("depth", 3), ("usual", 3)):
        model.register_buffer(name, torch.zeros(size))
    return model.eval()
