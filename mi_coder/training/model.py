"""The model: one encoder pass gives the logits of all heads."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from mi_coder.errors import UsageProblem
from mi_coder.tagger.config import MAX_TOKENS
from mi_coder.training.base import LOCAL, NoBase
from mi_coder.training.encoder import FUNNELED, FullReader, Funnel, FunnelReader
from mi_coder.training.readable import check_readable


class Coder(nn.Module):
    """An encoder, and one linear layer on its vector of the message (see `mi_coder.training.encoder`).

    The last two heads, depth and permission, also read the client's words as such: depth how far the message repeats
    them (`echo` against what is `usual` [3], weighted by `depth` [3]), permission which they are (`said`, weighted by
    `words` [vocabulary]). Where the client said nothing, the encoder tells both alone. These
    weights are 0 until `mi_coder.training.depth` and `mi_coder.training.permission` fit them. They are buffers that are
    kept with the weights, and so in the exported file, under their names.

    Args:
        encoder: a Transformers encoder.
        heads: number of outputs: the codes, then depth and permission.
        funnel: which positions the layers compute (see `FunnelReader`); None for all in every layer.
        dropout: share of the vector that is hidden from the linear layer in training.

    Attributes:
        finished: whether the weights are those of a finished model, output layer included (`from_weights`).

    Raises:
        UsageProblem: this encoder cannot be read through `funnel`.
    """

    def __init__(
        self, encoder: PreTrainedModel, heads: int, funnel: Funnel | None = None, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.reader = _reader(encoder, funnel)
        self.pad_id: int = encoder.config.pad_token_id or 0
        self.dropout = nn.Dropout(dropout)
        self.finished = False
        self.output = nn.Linear(2 * encoder.config.hidden_size, heads)
        self.words: Tensor
        self.register_buffer("words", torch.zeros(encoder.config.vocab_size))
        self.rarity: Tensor
        self.register_buffer("rarity", torch.zeros(encoder.config.vocab_size))
        self.depth: Tensor
        self.register_buffer("depth", torch.zeros(3))
        self.usual: Tensor
        self.register_buffer("usual", torch.zeros(3))

    @classmethod
    def from_folder(cls, folder: Path, heads: int, funnel: Funnel | None = None) -> "Coder":
        """Start from the weights in a folder, as 32-bit floats; the output layer is random.

        Raises:
            NoBase: the weights are not those of an encoder that transformers knows, or as `check_readable`.
            BadModel: as `check_readable`.
            UsageProblem: as for the class.
        """
        try:
            encoder = AutoModel.from_pretrained(folder, **LOCAL, use_safetensors=True)
        except (ImportError, OSError, ValueError) as error:
            raise NoBase(f"The encoder in {folder} cannot be loaded: {type(error).__name__}.") from error
        encoder = encoder.float()
        check_readable(encoder, folder)
        return cls(encoder, heads, funnel)

    @classmethod
    def from_weights(
        cls, config: Path, weights: Mapping[str, Tensor], heads: int, funnel: Funnel | None = None
    ) -> "Coder":
        """A finished model again, from the configuration of its encoder and its weights by name.

        All weights but those of the pooler, which no head reads.

        Raises:
            ValueError: the configuration is none that transformers knows, or a weight is missing, unknown or of another
                shape.
            UsageProblem: as for the class.
        """
        try:
            encoder = AutoModel.from_config(AutoConfig.from_pretrained(config, **LOCAL))
        except (ImportError, OSError, KeyError, ValueError) as error:
            raise ValueError(f"{config.name} is no configuration of an encoder") from error
        model = cls(encoder, heads, funnel)
        own = {name: value.shape for name, value in model.state_dict().items() if "pooler" not in name}
        given = {name: value.shape for name, value in weights.items()}
        if wrong := sorted(name for name in {**own, **given} if own.get(name) != given.get(name)):
            raise ValueError(f"the weight {wrong[0]} is missing, unknown or of another shape")
        model.load_state_dict(dict(weights), strict=False)
        model.finished = True
        return model

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.weight.device

    def forward(
        self,
        message: Tensor,
        context: Tensor,
        message_mask: Tensor | None = None,
        context_mask: Tensor | None = None,
        client: Tensor | None = None,
    ) -> Tensor:
        """Logits [batch, heads] of messages and their contexts, padded as `FullReader.forward` says.

        Args:
            client: different token ids that the client said before, [batch, tokens], padded with `pad_id`.
        """
        return self.told(self.reader(message, context, message_mask, context_mask), message, client)

    def told(self, vector: Tensor, message: Tensor, client: Tensor | None = None) -> Tensor:
        """Logits [batch, heads] from what the reader made of the messages, [batch, 2 * hidden]; as for `forward`."""
        logits: Tensor = self.output(self.dropout(vector))
        if client is None:
            return logits
        heard = (client != self.pad_id).any(dim=1, keepdim=True)
        echo = ((self.echo(message, client) - self.usual) * self.depth).sum(dim=1, keepdim=True)
        depth = logits[:, -2:-1] + torch.where(heard, echo, 0.0)
        return torch.cat([logits[:, :-2], depth, logits[:, -1:] + self.said(client)], dim=1)

    def said(self, client: Tensor) -> Tensor:
        """[batch, 1] the sum of the weights of the client's word pieces over the root of their number."""
        there = client != self.pad_id
        weights, count = _sums(torch.where(there, self.words[client], 0.0), there)
        return weights / count.clamp(min=1).sqrt()

    def echo(self, message: Tensor, client: Tensor) -> Tensor:
        """[batch, 3] how far a message repeats the client, from their token ids as for `forward`.

        The log of its number of tokens, the share of its `rarity` [vocabulary] that is in word pieces which the client
        said too, and the log of their number of different word pieces; logs of one more.
        """
        there = message != self.pad_id
        weight = torch.where(there, self.rarity[message], 0.0)
        repeated = (message[:, :, None] == client[:, None, :]).any(dim=2)
        known, all_weight = _sums(weight * repeated, weight)
        # Looked up: a logarithm is computed otherwise, and ends otherwise, in groups than alone.
        logs = torch.log1p(torch.arange(MAX_TOKENS + 1, dtype=weight.dtype, device=weight.device))
        long, spoken = (logs[(ids != self.pad_id).sum(dim=1, keepdim=True)] for ids in (message, client))
        return torch.cat([long, known / all_weight.clamp(min=1e-6), spoken], dim=1)

    def rescale(self, head: int, factor: float, shift: float) -> None:
        """Multiply the logits of a head by `factor` and add `shift`, in place."""
        with torch.no_grad():
            self.output.weight[head] *= factor
            self.output.bias[head] = self.output.bias[head] * factor + shift

    def blend(self, weights: Mapping[str, Tensor], share: float) -> None:
        """Leave `share` of `weights`, by name, in those of this model, in place (Wortsman et al. 2022, WiSE-FT)."""
        own = self.state_dict()
        with torch.no_grad():
            self.load_state_dict({name: value.lerp(weights[name], share) for name, value in own.items()})

    def start_from(self, logits: Tensor) -> None:
        """Set the bias of the heads, [heads], so that training starts from their base rates."""
        with torch.no_grad():
            self.output.bias.copy_(logits)
            self.output.weight.normal_(std=0.02)


def _sums(*values: Tensor) -> tuple[Tensor, ...]:
    """[batch, 1] the sums of two or more values [batch, tokens], which zeros at the end change in no bit.

    A product of matrices adds one token after the other, if it has more than one row and column; a sum, in groups that
    depend on the number of tokens.
    """
    rows = torch.stack([one.to(values[0].dtype) for one in values], dim=1)
    with torch.autocast(rows.device.type, enabled=False):
        added = rows @ rows.new_ones(rows.shape[2], 2)
    return tuple(added[:, place, :1] for place in range(len(values)))


def _reader(encoder: PreTrainedModel, funnel: Funnel | None) -> nn.Module:
    if funnel is None:
        return FullReader(encoder)
    kind = encoder.config.model_type
    if kind not in FUNNELED:
        raise UsageProblem(f"--context-layers takes {', '.join(FUNNELED)}, and this encoder is {kind}: leave it out.")
    layers = encoder.config.num_hidden_layers
    if not funnel.fits(layers):
        raise UsageProblem(
            f"This encoder has {layers} layers; --context-layers ({funnel.context_layers}) and --first-token-layers "
            f"({funnel.first_token_layers}) can take {layers - 1} of them together, the second at least 1."
        )
    return FunnelReader(encoder, funnel)
