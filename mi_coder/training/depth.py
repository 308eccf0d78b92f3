"""Depth is told from how much of a reflection the client said before.

A simple reflection repeats, a complex one adds. The encoder hardly compares the words of the message with those of the
client, so the three numbers of `Coder.echo` join it in the logit of depth.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from mi_coder.arrays import Floats
from mi_coder.tagger.window import Tokens
from mi_coder.training.batches import pad, sorted_batches
from mi_coder.training.fit import logits
from mi_coder.training.known import Known, regression
from mi_coder.training.model import Coder

_REGULARIZATION = 1.0
_BATCH = 64


def fit_depth(model: Coder, train: Sequence[Tokens], dev: Known) -> bool:
    """Give the last head but one of `model` weights for `Coder.echo`, in place; False where it has none.

    How rare a word piece is comes from the windows of `train`. The weights of encoder and echo are fitted on `dev`,
    which the encoder has not memorized, where the client has said something. Where that knows too little, and in
    a model that had such weights before, these stay, and what is fitted adds to them.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    had = bool(model.depth.any())
    heard = Known.among(dev.tokens, np.where([bool(one.client) for one in dev.tokens], dev.truth, np.nan))
    if not heard.enough:
        return had
    if not had:
        model.rarity.copy_(torch.as_tensor(rarity(train, len(model.rarity))))
        model.usual.copy_(torch.as_tensor(_echoes(model, heard.tokens).mean(axis=0)))
    told = logits(model, heard.tokens)[:, -2]
    center = float(told.mean())
    parts = np.column_stack([told - center, _echoes(model, heard.tokens) - model.usual.cpu().numpy()])
    scale = parts.std(axis=0) + 1e-9
    fitted = regression(_REGULARIZATION).fit(parts / scale, heard.truth)
    encoder, *echo = fitted.coef_[0] / scale
    model.depth.mul_(float(encoder)).add_(torch.as_tensor(np.array(echo), dtype=model.depth.dtype))
    model.rescale(-2, float(encoder), float(fitted.intercept_[0]) - float(encoder) * center)
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
