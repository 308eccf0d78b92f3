"""Depth is told from how much of a reflection the client said before.

A simple reflection repeats, a complex one adds. The encoder hardly compares the words of the message with those of the
client, so the three numbers of `Coder.echo` join it in the logit of depth.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from mi_coder.evaluation.metrics import Floats
from mi_coder.tagger.window import Tokens
from mi_coder.training.batches import pad, sorted_batches
from mi_coder.training.fit import logits
from mi_coder.training.known import Known, regression
from mi_coder.training.model import Coder

_REGULARIZATION = 1.0
_BATCH = 64


def fit_depth(model: Coder, train: Sequence[Tokens], dev: Known) -> bool:
    """Give the last head but one of `model` weights for `Coder.echo`, in place; False where too little is known.

    How rare a word piece is comes from the windows of `train`. The weights of encoder and echo are fitted on `dev`,
    which the encoder has not learned by heart.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    if not dev.enough:
        return False
    model.rarity.copy_(torch.as_tensor(rarity(train, len(model.rarity))))
    parts = np.column_stack([logits(model, dev.tokens)[:, -2], _echoes(model, dev.tokens)])
    center, scale = parts.mean(axis=0), parts.std(axis=0) + 1e-9
    fitted = regression(_REGULARIZATION).fit((parts - center) / scale, dev.truth)
    encoder, *echo = fitted.coef_[0] / scale
    model.depth.copy_(torch.as_tensor(echo))
    shift = float(fitted.intercept_[0]) - float(fitted.coef_[0] / scale @ center)
    model.rescale(-2, float(encoder), shift)
    return True


def rarity(windows: Sequence[Tokens], vocabulary: int) -> Floats:
    """[vocabulary] log of the number of windows over one more than those with the word piece; never below 0.

    A window counts what the message or the client says. The first and last token of a message, which mark its ends,
    have 0.
    """
    found = Counter(piece for one in windows for piece in {*one.ids[: one.own], *one.client})
    rare = np.full(vocabulary, np.log(len(windows)))
    for piece, count in found.items():
        rare[piece] -= np.log1p(count)
    rare[[end for one in windows for end in (one.ids[0], one.ids[one.own - 1])]] = 0
    return rare.clip(min=0)


def _echoes(model: Coder, windows: Sequence[Tokens]) -> Floats:
    result = np.empty((len(windows), len(model.depth)))
    with torch.inference_mode():
        for rows in sorted_batches(windows, _BATCH):
            batch = pad([windows[row] for row in rows], model.pad_id, model.device)
            result[rows] = model.echo(batch.message, batch.client).cpu().numpy()
    return result
