"""What more codings are worth to a tagger: the F1 of the TF-IDF baseline trained on growing parts of the gold.

The baseline stands for any tagger because it is trained in seconds. Its F1 is measured on conversations kept apart,
which come from the same coded messages: it tells how the curve bends, not how good a tagger is on all chats.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, model_text
from mi_coder.corpora.parts import group_of
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.metrics import Confusion, macro
from mi_coder.training.baseline_fit import Labeled, fit_baseline

SHARES = (0.25, 0.5, 0.75, 1.0)
REPEATS = 3
LEAST_MESSAGES = 100
LEAST_GROUPS = 10
LEAST_POSITIVES = 5

_TEST_SHARE = 0.3
_DEV_EVERY = 5
_PER = 100


class TooLittleGold(UsageProblem):
    """Not enough coded messages for a learning curve."""


@dataclass(frozen=True, slots=True)
class Point:
    """The baseline trained on so many messages (dev included): means over the repeats."""

    messages: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A learning curve.

    Attributes:
        gain: macro F1 gained per 100 codings, from half of the messages to all; the mean over the repeats.
        gain_low, gain_high: the least and the most of the repeats.
        codes: how many codes the macro F1 is over, at least; those with `LEAST_POSITIVES` in a test part.
    """

    points: tuple[Point, ...]
    gain: float
    gain_low: float
    gain_high: float
    codes: int
    repeats: int


@dataclass(frozen=True, slots=True)
class _Gold:
    """Coded messages: texts, truth [messages, codes] and the number of the group of each [messages]."""

    texts: Sequence[str]
    truth: Floats
    group: Indices

    def where(self, rows: Bools) -> Labeled:
        return Labeled([self.texts[row] for row in np.flatnonzero(rows).tolist()], self.truth[rows])


def learning_curve(conversations: Iterable[Conversation], repeats: int = REPEATS, seed: int = 1) -> Curve:
    """Train on growing parts of the gold. Conversations (and those of one source group) stay together.

    Each repeat keeps other conversations apart for the test.

    Raises:
        TooLittleGold: there are too few messages or conversations.
        MissingExtra: scikit-learn is not installed.
    """
    gold = _gold(conversations)
    groups = len(np.unique(gold.group))
    if len(gold.texts) < LEAST_MESSAGES or groups < LEAST_GROUPS:
        raise TooLittleGold(
            f"it needs {LEAST_MESSAGES} coded messages of {LEAST_GROUPS} conversations or more, and there are "
            f"{len(gold.texts)} of {groups}."
        )
    random = np.random.default_rng(seed)
    runs = [_run(gold, random.permutation(groups), seed) for _ in range(repeats)]
    sizes, scores = (np.array([[point[at] for point in run] for run, _ in runs]) for at in (0, 1))
    half = SHARES.index(0.5)
    gains = _PER * (scores[:, -1] - scores[:, half]) / (sizes[:, -1] - sizes[:, half])
    means = zip(sizes.mean(axis=0).tolist(), scores.mean(axis=0).tolist(), strict=True)
    low, mean, high = float(gains.min()), float(gains.mean()), float(gains.max())
    return Curve(tuple(Point(*both) for both in means), mean, low, high, min(codes for _, codes in runs), repeats)


def _gold(conversations: Iterable[Conversation]) -> _Gold:
    codes = Codebook.load().ids
    texts: list[str] = []
    truth: list[list[float]] = []
    groups: list[str] = []
    for conversation in conversations:
        for message in conversation.messages:
            text = model_text(message.text)
            if message.gold and text:
                known = message.gold
                truth.append(
                    [1.0 if code in known.positive else 0.0 if code in known.negative else np.nan for code in codes]
                )
                texts.append(text)
                groups.append(group_of(conversation))
    number = np.unique(groups, return_inverse=True)[1]
    return _Gold(texts, np.array(truth, dtype=np.float64).reshape(len(texts), len(codes)), number.astype(np.intp))


def _run(gold: _Gold, order: Indices, seed: int) -> tuple[list[tuple[int, float]], int]:
    """Messages and macro F1 for each of `SHARES`, and how many codes are judged.

    Args:
        order: [groups] their numbers; the first are kept apart, the others trained on from the front.
    """
    kept = math.ceil(_TEST_SHARE * len(order))
    rank = np.argsort(order)[gold.group] - kept
    test = gold.where(rank < 0)
    judged = ((test.truth == 1).sum(axis=0) >= LEAST_POSITIVES) & (test.truth == 0).any(axis=0)
    dev = rank % _DEV_EVERY == 1
    points = []
    for share in SHARES:
        part = (rank >= 0) & (rank < math.ceil(share * (len(order) - kept)))
        baseline = fit_baseline(Codebook.load().ids, gold.where(part & ~dev), gold.where(part & dev), seed)
        f1 = Confusion.of_messages(test.truth, baseline.predict(test.texts)).total().f1
        points.append((int(part.sum()), float(macro(np.nan_to_num(f1), judged))))
    return points, int(judged.sum())
