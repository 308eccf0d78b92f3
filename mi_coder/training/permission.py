"""Permission is told from what the client said before, and from the message.

Whether advice was asked for stands in the client's messages, of which the encoder learns little from some two thousand
examples: on dev it did no better than always naming the more frequent value. A logistic regression on the word pieces
of the client's messages does, and one that reads the vector of the message beside them, which holds whether the choice
is left to the client, does better. Its weights join the encoder in the logit of permission.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mi_coder.errors import need
from mi_coder.tagger.window import Tokens
from mi_coder.training.fit import logits, vectors
from mi_coder.training.known import Known, regression
from mi_coder.training.model import Coder

_REGULARIZATION = 1.0
_BLEND_REGULARIZATION = 10.0
_VECTOR_SCALE = 0.04


def fit_permission(model: Coder, train: Known, dev: Known) -> bool:
    """Give the last head of `model` weights for the client's word pieces, in place; False where it has none.

    They are fitted on `train`, with weights for the vector of the message. How much these and the encoder count is
    fitted on `dev`, which the encoder has not learned by heart. Where these know too little, and in a model that had
    such weights before, these stay, and what is fitted adds to them.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    if not (train.enough and dev.enough):
        return bool(model.words.any())
    read = vectors(model, train.tokens)
    scale = _VECTOR_SCALE / (read.std(axis=0) + 1e-9)
    stack = need("scipy.sparse", extra="train").hstack
    parts = stack([read * scale, bags(train.tokens, len(model.words))]).tocsr()
    fitted = regression(_REGULARIZATION).fit(parts, train.truth).coef_[0]
    vector, words = fitted[: read.shape[1]] * scale, fitted[read.shape[1] :]
    told = vectors(model, dev.tokens) @ vector + bags(dev.tokens, len(words)) @ words
    blend = regression(_BLEND_REGULARIZATION).fit(np.column_stack([logits(model, dev.tokens)[:, -1], told]), dev.truth)
    encoder, new = blend.coef_[0]
    model.words.mul_(float(encoder)).add_(torch.as_tensor(new * words, dtype=model.words.dtype))
    model.rescale(-1, float(encoder), float(blend.intercept_[0]))
    with torch.no_grad():
        model.output.weight[-1] += torch.as_tensor(new * vector, dtype=model.output.weight.dtype)
    return True


def bags(tokens: Sequence[Tokens], vocabulary: int) -> Any:
    """Sparse [messages, vocabulary]: 1 over the root of their number for the word pieces that the client said."""
    sparse = need("scipy.sparse", extra="train")
    sizes = np.array([len(one.client) for one in tokens], dtype=np.intp)
    columns = np.array([piece for one in tokens for piece in one.client], dtype=np.intp)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    return sparse.csr_matrix((values, columns, np.append(0, np.cumsum(sizes))), shape=(len(tokens), vocabulary))
