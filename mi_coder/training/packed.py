"""What `FunnelReader` computes, for several messages at once whatever their length: the reading that is exported.

A chat message is short and the weights of an encoder are many: a processor that reads one message at a time waits for
the weights. Here the tokens of all messages are the rows of one matrix. Only attention takes the messages apart. Their
tokens lie one after the other from the first place on, what lies behind the last has the weight 0, and sums are
products of matrices, which add place by place. So a message has the same vector, to the last bit, alone and in company:
with ONNX Runtime on x86 processors, where `test_company_changes_no_bit` has been run.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mi_coder.training.encoder import Attention, FunnelReader

# A product with one row is computed otherwise, and its last bits depend on how far it is padded. So where one row is
# wanted, two are computed: every message has two tokens at least, its special ones.
_ROWS = 2


def read_packed(
    reader: FunnelReader, message: Tensor, context: Tensor, message_mask: Tensor, context_mask: Tensor
) -> Tensor:
    """Vectors of the messages, [batch, 2 * hidden], as `FunnelReader.forward` gives them from the same input.

    Here the masks are always needed.
    """
    mask = torch.cat([message_mask, context_mask], dim=1)
    own, both = _Places.of(message_mask), _Places.of(mask)
    tokens = mask.flatten().nonzero()[:, 0]
    inputs = {name: ids.flatten()[tokens][None] for name, ids in reader.inputs(message, context, mask).items()}
    states = reader.encoder.embeddings(**inputs)
    layers, funnel = list(reader.encoder.encoder.layer), reader.funnel
    last = len(layers) - funnel.first_token_layers
    bias = reader.bias(inputs["position_ids"][0, both.at], None if funnel.context_layers else message.shape[1])
    for layer in layers[: funnel.context_layers]:
        states = _layer(layer, states, both, states, both, bias)
    messages = both.at[:, : message.shape[1]].flatten()[own.rows]
    states = _layer(layers[funnel.context_layers], states[:, messages], own, states, both, bias)
    for layer in layers[funnel.context_layers + 1 : last]:
        states = _layer(layer, states, own, states, own, bias)
    summed = own.hiding[:, 0].exp().expand(-1, _ROWS, -1) @ states[0, own.at]
    mean = summed[:, 0] / own.lengths[:, None]
    first = own.at[:, 0]
    starts = _Places.of(message_mask[:, :_ROWS])
    rows = own.at[:, :_ROWS].flatten()[starts.rows]
    for layer in layers[last:]:
        computed = _layer(layer, states[:, rows], starts, states, own, bias)
        states = states.index_copy(1, first, computed[:, starts.at[:, 0]])
    return torch.cat([states[0, first], mean], dim=1)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the tokens of messages lie, packed as rows one after the other, and padded to one width.

    Attributes:
        rows: [tokens] the places, flattened, that hold a token where all of a message are moved to its first places.
        at: [batch, width] the row of the first, second, ... token of a message; behind the last, of some other, which
            counts nothing.
        hiding: [batch, 1, 1, width] 0 for a token, minus infinity behind the last.
        lengths: [batch] tokens of a message.
    """

    rows: Tensor
    at: Tensor
    hiding: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> "_Places":
        """Those of the tokens that `mask`, [batch, width], has as 1; gaps between them are closed."""
        lengths = mask.sum(dim=1)
        steps = torch.arange(mask.shape[1], device=mask.device)
        there = steps < lengths[:, None]
        rows = there.flatten().nonzero()[:, 0]
        starts = lengths.cumsum(dim=0) - lengths
        at = (starts[:, None] + steps).clamp(max=rows.shape[0] - 1)
        hiding = torch.where(there, 0.0, float("-inf"))[:, None, None]
        return cls(rows, at, hiding, lengths)


def _layer(
    layer: nn.Module, queries: Tensor, asking: _Places, states: Tensor, asked: _Places, bias: Tensor | None
) -> Tensor:
    """One encoder layer for the rows `queries`, which attend to the rows `states` of their own message.

    Rows are [1, tokens, hidden], as what is returned; `bias` [batch, heads, width, width] or larger.
    """
    attention = Attention.of(layer)
    width = attention.query.out_features // attention.heads

    def apart(projected: Tensor, places: _Places) -> Tensor:
        return projected.view(-1, attention.heads, width)[places.at].transpose(1, 2)

    query = apart(attention.query(queries), asking) * width**-0.5
    key, value = apart(attention.key(states), asked), apart(attention.value(states), asked)
    scores = query @ key.transpose(2, 3) + asked.hiding
    if bias is not None:
        scores = scores + bias[:, :, : scores.shape[2], : scores.shape[3]]
    weights = (scores - scores.amax(dim=3, keepdim=True)).exp()
    summed = weights @ nn.functional.pad(value, (0, 1), value=1.0)
    attended = (summed[..., :-1] / summed[..., -1:]).transpose(1, 2)
    mixed = attention.output(attended.reshape(-1, attention.heads * width)[asking.rows][None], queries)
    return layer.output(layer.intermediate(mixed), mixed)
