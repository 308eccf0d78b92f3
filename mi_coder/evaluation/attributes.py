"""What is scored beside the codes: depth and permission, and the groups of which gold says only that one applies."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools
from mi_coder.conversation import Coding, Gold
from mi_coder.evaluation.bootstrap import interval, resampled
from mi_coder.evaluation.metrics import share

CODES_WITH_ATTRIBUTE = {"depth": ("REF",), "permission": ("PR", "RC")}


@dataclass(frozen=True, slots=True)
class AttributeScore:
    """How often an attribute is right where its code is.

    Attributes:
        messages: those whose gold attribute is known and whose code was given correctly.
        accuracy: share of them with the right attribute.
        majority: accuracy of the majority-class baseline, always the most frequent gold value: the figure to beat.
        low, high: ends of the 95% interval of the accuracy, from resampling conversations; nan where there is none.
    """

    attribute: str
    messages: int
    accuracy: float
    majority: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GroupScore:
    """How often at least one code of a group was given where gold says that one of them applies.

    Attributes:
        codes: the group, in the order of the codebook.
        hit_rate: share of the messages given any of them; without negatives, giving too many costs nothing.
        baseline_hit_rate: the same of the baseline, or None without one.
    """

    codes: tuple[str, ...]
    messages: int
    hit_rate: float
    baseline_hit_rate: float | None = None


def attribute_scores(
    gold: Sequence[Gold], coding: Sequence[Coding], conversation: NDArray[np.intp], samples: int, seed: int
) -> tuple[AttributeScore, ...]:
    """Score depth and permission. An attribute that the coder never gives, or without any message to judge it by, is
    left out.

    Args:
        conversation: [messages] number of each message's conversation, from 0 without gaps.
        samples, seed: of the bootstrap.
    """
    scores = []
    for attribute, codes in CODES_WITH_ATTRIBUTE.items():
        judged = [
            (getattr(known, attribute), getattr(given, attribute))
            if getattr(known, attribute) and known.resolved().positive.intersection(codes, given.codes)
            else None
            for known, given in zip(gold, coding, strict=True)
        ]
        pairs = [pair for pair in judged if pair]
        if any(given for _, given in pairs):
            most_frequent = Counter(known for known, _ in pairs).most_common(1)[0][1]
            hits = np.array([[pair is not None and pair[0] == pair[1], pair is not None] for pair in judged])
            low, high = interval(share(resampled(hits, conversation, samples, seed)))
            accuracy = float(share(hits.sum(axis=0)))
            scores.append(
                AttributeScore(attribute, len(pairs), accuracy, most_frequent / len(pairs), float(low), float(high))
            )
    return tuple(scores)


def group_scores(
    codes: Sequence[str], gold: Sequence[Gold], predicted: Bools, baseline: Bools | None = None
) -> tuple[GroupScore, ...]:
    """Score every group of codes that any gold names, in the order of the codebook.

    Args:
        predicted, baseline: [messages, codes] codes given.
    """
    groups = {frozenset(codes.index(code) for code in group) for one in gold for group in one.any_of}
    scores = []
    for columns in sorted(sorted(group) for group in groups):
        names = tuple(codes[i] for i in columns)
        cases = [set(names) in one.any_of for one in gold]
        scores.append(
            GroupScore(
                codes=names,
                messages=sum(cases),
                hit_rate=_hit_rate(predicted, cases, columns),
                baseline_hit_rate=None if baseline is None else _hit_rate(baseline, cases, columns),
            )
        )
    return tuple(scores)


def _hit_rate(predicted: Bools, cases: list[bool], columns: list[int]) -> float:
    return float(predicted[cases][:, columns].any(axis=1).mean())
