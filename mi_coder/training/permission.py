"""Permission is told from what the client said before.

Whether advice was asked for stands in the client's messages, of which the encoder learned little from some two thousand
examples: on dev it did no better than always naming the more frequent value. A logistic regression on the word pieces
of the client's messages does. Its weights join the encoder in the logit of permission.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mi_coder.errors import need
from mi_coder.tagger.window import Tokens
from mi_coder.training.fit import logits
from mi_coder.training.known import Known, regression
from mi_coder.training.model import Coder

_REGULARIZATION = 1.0
_BLEND_REGULARIZATION = 10.0


def fit_permission(model: Coder, train: Known, dev: Known) -> bool:
    """Give the last head of `model` weights for the client's word pieces, in place; False where it has none.

    The weights are fitted on `train`. How much they and the encoder count is fitted on `dev`, which the encoder has not
    memorized. Where these know too little, and in a model that had such weights before, these stay, and what is
    fitted adds to them.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    if not (train.enough and dev.enough):
        return bool(model.words.any())
    weights = regression(_REGULARIZATION).fit(bags(train.tokens, len(model.words)), train.truth).coef_[0]
    parts = np.column_stack([logits(model, dev.tokens)[:, -1], bags(dev.tokens, len(model.words)) @ weights])
    blend = regression(_BLEND_REGULARIZATION).fit(parts, dev.truth)
    encoder, words = blend.coef_[0]
    model.words.mul_(float(encoder)).add_(torch.as_tensor(words * weights, dtype=model.words.dtype))
    model.rescale(-1, float(encoder), float(blend.intercept_[0]))
    return True


def bags(tokens: Sequence[Tokens], vocabulary: int) -> Any:
    """Sparse [messages, vocabulary]: 1 over the root of their number for the word pieces that the client said."""
    sparse = need("scipy.sparse", extra="train")
    sizes = np.array([len(one.client) for one in tokens], dtype=np.intp)
    columns = np.array([piece for one in tokens for piece in one.client], dtype=np.intp)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    return sparse.csr_matrix((values, columns, np.append(0, np.cumsum(sizes))), shape=(len(tokens), vocabulary))
