"""The encoder: one vector for a counselor message in its context.

The vector is the last state of the first token, followed by the mean of the states of the message. The first can learn
any reading; the second is how encoders that were trained for sentence similarity, such as MiniLM, hold a text from the
start.

Two readers of the same Transformers weights:

- `FullReader`: every layer reads message and context (any encoder). In a batch the padding between the two is moved to
  the end, since encoders that look at the distance of tokens or at their places, such as MPNet and ModernBERT, would
  count it.
- `FunnelReader`: message and context are read together in the first layers (none, if so chosen); in the next one the
  message reads the context a last time; from there on only the tokens of the message are computed, and in the last
  layers only the first token. On chats, where the context is three times as long as the message, this is a fifth of the
  work. The idea is that of Funnel-Transformer (Dai et al. 2020) and PoWER-BERT (Goyal et al. 2020): drop positions that
  the later layers no longer need.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

FUNNELED = ("bert", "roberta", "xlm-roberta", "camembert", "mpnet")
"""What Transformers calls the encoders that `FunnelReader` can read; some others look alike and compute otherwise."""


class Reader(nn.Module):
    """What an encoder is given.

    Args:
        encoder: a Transformers encoder model.

    Attributes:
        first: the number of the first position; None where the encoder has no table of positions, or counts by itself.
        segments: whether the encoder has token types.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        taken = inspect.signature(encoder.forward).parameters
        self.first = first_position(encoder) if "position_ids" in taken else None
        self.segments = "token_type_ids" in taken and getattr(encoder.config, "type_vocab_size", 0) > 1

    def inputs(self, message: Tensor, context: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """What the embeddings take, [batch, message + context tokens] each, messages first.

        Position numbers skip padding, so that a padded batch and a single window give the same vectors.
        """
        ids = torch.cat([message, context], dim=1)
        inputs = {"input_ids": ids}
        if self.first is not None:
            there = torch.ones_like(ids) if mask is None else mask
            inputs["position_ids"] = (torch.cumsum(there, dim=1) - 1).clamp(min=0) + self.first
        if self.segments:
            inputs["token_type_ids"] = torch.cat([torch.zeros_like(message), torch.ones_like(context)], dim=1)
        return inputs


class FullReader(Reader):
    """Reads message and context in all layers."""

    def forward(
        self, message: Tensor, context: Tensor, message_mask: Tensor | None = None, context_mask: Tensor | None = None
    ) -> Tensor:
        """Vectors of the messages, shape [batch, 2 * hidden].

        Args:
            message, context: token ids, shapes [batch, message tokens] and [batch, context tokens], padded at the end.
            message_mask, context_mask: 1 for tokens and 0 for padding, same shapes; both None where nothing is padded.
        """
        mask = _joint(message_mask, context_mask)
        inputs = self.inputs(message, context, mask)
        if mask is not None:
            order = mask.argsort(dim=1, descending=True, stable=True)[:, : int(mask.sum(dim=1).max())]
            inputs = {name: value.gather(1, order) for name, value in inputs.items()}
            mask = mask.gather(1, order)
        states = self.encoder(attention_mask=mask, **inputs).last_hidden_state
        if message_mask is not None:
            message_mask = message_mask[:, : states.shape[1]]
        return _vector(states[:, 0], states[:, : message.shape[1]], message_mask)


@dataclass(frozen=True, slots=True)
class Funnel:
    """Which positions the layers of an encoder compute.

    Attributes:
        context_layers: first layers that compute message and context; the next one only reads the context.
        first_token_layers: last layers that compute the first token only, at least 1.
    """

    context_layers: int = 0
    first_token_layers: int = 1

    def fits(self, layers: int) -> bool:
        """Whether an encoder of so many layers has one left in between, where the message reads the context."""
        possible = self.context_layers >= 0 and self.first_token_layers >= 1
        return possible and self.context_layers + self.first_token_layers < layers

    @property
    def text(self) -> str:
        """For a model card."""
        first, last = self.context_layers, self.first_token_layers
        return f"the context in the first {first}, the first token alone in the last {last}"


class FunnelReader(Reader):
    """Reads the context in the first layers only; for encoders built like BERT, RoBERTa and MPNet.

    Args:
        encoder: a Transformers encoder whose layers have BERT's parts or MPNet's.
        funnel: which positions are computed where; it must fit the number of layers.
    """

    def __init__(self, encoder: nn.Module, funnel: Funnel) -> None:
        super().__init__(encoder)
        self.funnel = funnel

    def forward(
        self, message: Tensor, context: Tensor, message_mask: Tensor | None = None, context_mask: Tensor | None = None
    ) -> Tensor:
        """As `FullReader.forward`."""
        mask = _joint(message_mask, context_mask)
        inputs = self.inputs(message, context, mask)
        states = self.encoder.embeddings(**inputs)
        layers = list(self.encoder.encoder.layer)
        context_layers, last = self.funnel.context_layers, len(layers) - self.funnel.first_token_layers
        own = message.shape[1]
        seen = self._seen(inputs["position_ids"], mask, own if context_layers == 0 else None)
        for layer in layers[:context_layers]:
            states = _layer(layer, states, states, seen)
        states = _layer(layers[context_layers], states[:, :own], states, _part(seen, own))
        seen = _part(seen, own, own)
        for layer in layers[context_layers + 1 : last]:
            states = _layer(layer, states, states, seen)
        own_states = states
        for layer in layers[last:]:
            first = _layer(layer, states[:, :1], states, _part(seen, 1))
            states = torch.cat([first, states[:, 1:]], dim=1)
        return _vector(states[:, 0], own_states, message_mask)

    def bias(self, positions: Tensor, queries: int | None = None) -> Tensor | None:
        """[batch, heads, queries, positions] what MPNet, which looks at the distance of tokens, adds to attention.

        None for an encoder that does not; `queries` None for all positions [batch, positions].
        """
        layers = self.encoder.encoder
        if not hasattr(layers, "relative_attention_bias"):
            return None
        distance = positions[:, None, :] - positions[:, :queries, None]
        bias: Tensor = layers.relative_attention_bias(layers.relative_position_bucket(distance))
        return bias.permute(0, 3, 1, 2).contiguous()

    def _seen(self, positions: Tensor, mask: Tensor | None, queries: int | None) -> Tensor | None:
        """What the first `queries` positions (None: all) see of all [batch, positions]; None where that is everything.

        [batch, 1, 1, positions] whether a position is no padding; where the encoder has a `bias`, [batch, heads,
        queries, positions] what is added to attention.
        """
        there = None if mask is None else mask[:, None, None, :].bool()
        bias = self.bias(positions, queries)
        if bias is None:
            return there
        return bias if there is None else bias.masked_fill(~there, float("-inf"))


def first_position(encoder: nn.Module) -> int | None:
    """The number of the first position in the table of an encoder; None where it has none, as ModernBERT and DeBERTa.

    RoBERTa numbers its positions from `padding_idx + 1` and keeps the numbers below for padding; BERT starts at 0.
    """
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    if table is None:
        return None
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else padding + 1


def _vector(first: Tensor, states: Tensor, mask: Tensor | None) -> Tensor:
    """[batch, 2 * hidden] the first token, and the mean of the states [batch, tokens, hidden] where mask is 1."""
    if mask is None:
        mean = states.mean(dim=1)
    else:
        weight = mask[:, :, None].to(states.dtype)
        mean = (states * weight).sum(dim=1) / weight.sum(dim=1)
    return torch.cat([first, mean], dim=1)


def _part(seen: Tensor | None, queries: int, positions: int | None = None) -> Tensor | None:
    """What the first `queries` positions see of the first `positions`."""
    return None if seen is None else seen[:, :, :queries, :positions]


class Attention(NamedTuple):
    """The parts of the attention of an encoder layer, by the same names for BERT's and MPNet's."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: Callable[[Tensor, Tensor], Tensor]
    heads: int
    dropout: float

    @classmethod
    def of(cls, layer: nn.Module) -> "Attention":
        """Those of an encoder layer of Transformers, built like BERT's or MPNet's."""
        attention = layer.attention
        if hasattr(attention, "attn"):
            inner = attention.attn
            query, key, value, output = inner.q, inner.k, inner.v, partial(_mpnet_output, attention)
        else:
            inner = attention.self
            query, key, value, output = inner.query, inner.key, inner.value, attention.output
        return cls(query, key, value, output, inner.num_attention_heads, inner.dropout.p)


def _layer(layer: nn.Module, queries: Tensor, states: Tensor, seen: Tensor | None) -> Tensor:
    """One encoder layer for the positions `queries` that attend to the positions `states` as `seen` lets them."""
    attention = Attention.of(layer)

    def heads(projected: Tensor) -> Tensor:
        return projected.view(*projected.shape[:2], attention.heads, -1).transpose(1, 2)

    asked = heads(attention.query(queries))
    attended = nn.functional.scaled_dot_product_attention(
        asked,
        heads(attention.key(states)),
        heads(attention.value(states)),
        attn_mask=seen if seen is None or seen.dtype == torch.bool else seen.to(asked.dtype),
        dropout_p=attention.dropout if layer.training else 0.0,
    )
    mixed = attention.output(attended.transpose(1, 2).flatten(-2), queries)
    return layer.output(layer.intermediate(mixed), mixed)


def _mpnet_output(attention: nn.Module, attended: Tensor, queries: Tensor) -> Tensor:
    """What is a module of its own in BERT, `attention.output`."""
    mixed: Tensor = attention.LayerNorm(attention.dropout(attention.attn.o(attended)) + queries)
    return mixed


def _joint(message_mask: Tensor | None, context_mask: Tensor | None) -> Tensor | None:
    if message_mask is None or context_mask is None:
        return None
    return torch.cat([message_mask, context_mask], dim=1)
