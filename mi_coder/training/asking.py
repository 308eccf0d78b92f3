"""Fits `mi_coder.tagger.asking`: which sentences of the client ask for advice, from advice whose permission is known.

Nobody told which sentence asked. So the weights are fitted by how likely the noisy or of all sentences before a piece
of advice makes its permission, with a penalty on their squares, by L-BFGS.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from mi_coder.arrays import Floats
from mi_coder.errors import need
from mi_coder.tagger.asking import Asking
from mi_coder.tagger.window import BUCKETS
from mi_coder.training.calibrate import sigmoid
from mi_coder.training.known import Known, regression

REACH = 20
"""`Window.asking` of new models."""

_PENALTY = 0.1
_STEPS = 200
_START = (-2.0, -2.0, -0.7)
"""Bias, leak and what softplus makes a fading of 0.4 of; the penalty draws them there, too."""

_SHARES = (0.01, 100.0)
_BLEND_REGULARIZATION = 1.0


def fit_asking(train: Known, dev: Known, told: Floats, before: Asking | None = None) -> Asking | None:
    """The sentences of the client that ask, and how much they count beside the encoder; None where too little is known.

    The weights are fitted on `train`, what they count on `dev`. With a model before it that has such weights, those are
    what the penalty draws the new ones to, and where too little is known they stay.

    Args:
        told: [messages] the encoder's logit of permission of `dev`.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    heard = np.array([bool(one.said) for one in dev.tokens], dtype=bool)
    train, dev = _heard(train), _heard(dev)
    if not (train.enough and dev.enough):
        return before
    found = _Fit.of(train).run(before)
    odds = np.array([found.odds(one.said) for one in dev.tokens])
    blend = regression(_BLEND_REGULARIZATION).fit(np.column_stack([told[heard], odds - odds.mean()]), dev.truth)
    encoder, asked = blend.coef_[0]
    if encoder <= 0 or not _SHARES[0] <= asked / encoder <= _SHARES[1]:
        return before
    return msgspec.structs.replace(found, share=float(asked / encoder), center=float(odds.mean()))


def _heard(known: Known) -> Known:
    """Those messages before which the client said something."""
    return Known.among(known.tokens, np.where([bool(one.said) for one in known.tokens], known.truth, np.nan))


@dataclass(frozen=True, slots=True)
class _Fit:
    """Sentences before pieces of advice, each as often as it is before one.

    Attributes:
        grams: sparse [sentences, buckets] 1 over the root of their number for the buckets of each.
        advice: [sentences] the piece of advice that it is before.
        back: [sentences] how many messages before it, less one.
        truth: [advice] 1 with permission, 0 without.
    """

    grams: Any
    advice: Any
    back: Floats
    truth: Floats

    @classmethod
    def of(cls, known: Known) -> "_Fit":
        sparse = need("scipy.sparse", extra="train")
        said = [(row, one) for row, tokens in enumerate(known.tokens) for one in tokens.said]
        sizes = np.array([len(one.grams) for _, one in said])
        grams = np.fromiter(chain.from_iterable(one.grams for _, one in said), dtype=np.intp)
        values = np.repeat(1 / np.sqrt(sizes), sizes)
        matrix = sparse.csr_matrix((values, grams, np.append(0, sizes.cumsum())), shape=(len(said), BUCKETS))
        back = np.array([one.back - 1 for _, one in said], dtype=np.float64)
        return cls(matrix, np.array([row for row, _ in said], dtype=np.intp), back, known.truth)

    def run(self, before: Asking | None) -> Asking:
        minimize = need("scipy.optimize", extra="train").minimize
        start = np.zeros(BUCKETS + 3)
        if before is None:
            start[BUCKETS:] = _START
        else:
            start[:BUCKETS] = before.table
            start[BUCKETS:] = before.bias, before.leak, _before_softplus(max(before.fading, 1e-6))
        turned = self.grams.T.tocsr()
        found = minimize(
            lambda at: self._loss(at, start, turned),
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _STEPS},
        ).x
        bias, leak, fading = (float(one) for one in found[BUCKETS:])
        return Asking.rounded(found[:BUCKETS], bias=bias, fading=float(np.logaddexp(0, fading)), leak=leak)

    def _loss(self, at: Floats, drawn_to: Floats, turned: Any) -> tuple[float, Floats]:
        """The loss and its slope; the last three of `at` are bias, leak and what softplus makes the fading of."""
        weights, (bias, leak, fading) = at[:BUCKETS], at[BUCKETS:]
        odds = self.grams @ weights + bias - np.logaddexp(0, fading) * self.back
        count = len(self.truth)
        nothing = np.bincount(self.advice, np.logaddexp(0, odds), count) + np.logaddexp(0, leak)
        nothing = np.clip(nothing, 1e-8, 500)
        asked = self.truth == 1
        loss = np.where(asked, -np.log(-np.expm1(-nothing)), nothing).sum()
        by_nothing = np.where(asked, -1 / np.expm1(nothing), 1.0)
        by_odds = by_nothing[self.advice] * sigmoid(odds)
        off = at - drawn_to
        slope = _PENALTY * off
        slope[:BUCKETS] += turned @ by_odds
        slope[BUCKETS:] += (
            by_odds.sum(),
            by_nothing.sum() * sigmoid(leak),
            -(by_odds @ self.back) * sigmoid(fading),
        )
        return float(loss + _PENALTY / 2 * (off @ off)), slope


def _before_softplus(value: float) -> float:
    """What softplus makes `value` of, also where e to its power is no number."""
    return float(value + np.log(-np.expm1(-value)))
