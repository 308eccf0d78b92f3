"""From logits to codes: calibration, thresholds, at most three codes, OT alone, sets, and when to ask a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mi_coder.conversation import ALONE, MOST_CODES, Coding
from mi_coder.tagger.config import Head, ModelConfig


def empty() -> Coding:
    """What is said of a message without any text."""
    return Coding(codes=(), scores={}, uncoded="empty")


@dataclass(frozen=True)
class Decoder:
    """The decision rule of one model.

    Args:
        config: the model's calibration and thresholds.
        thresholds: probabilities by code id that replace the model's own.
        set_cut: probability from which a code is possible; None for codings without a set.
    """

    config: ModelConfig
    thresholds: Mapping[str, float]
    set_cut: float | None = None

    def decode(self, logits: NDArray[np.float32]) -> list[Coding]:
        """Codings of messages.

        Args:
            logits: shape [messages, codes + 2], as `Encoder.logits` gives them.
        """
        return [self._coding(row) for row in self.probabilities(logits)]

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated probabilities, same shape as `logits`."""
        heads = [*self.config.heads, self.config.depth, self.config.permission]
        slope = np.array([head.calibration.slope for head in heads])
        offset = np.array([head.calibration.offset for head in heads])
        # The logistic function, written so that it cannot overflow.
        return (1 + np.tanh((logits.astype(np.float64) * slope + offset) / 2)) / 2

    def _coding(self, row: NDArray[np.float64]) -> Coding:
        *codes, depth, permission = (float(value) for value in row)
        scores = {
            code: score
            for code, head, score in zip(self.config.codes, self.config.heads, codes, strict=True)
            if head.trained
        }
        chosen, forced = choose(scores, self.thresholds)
        return Coding(
            codes=chosen,
            scores=scores,
            depth=_side(depth, self.config.depth, "complex", "simple") if "REF" in chosen else None,
            permission=_side(permission, self.config.permission, "with", "without")
            if {"PR", "RC"} & {*chosen}
            else None,
            review=forced or confidence(scores, chosen) < self.config.review_below,
            possible=() if self.set_cut is None else prediction_set(chosen, scores, self.set_cut, self.config.codes),
        )


def choose(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> tuple[tuple[str, ...], bool]:
    """The codes whose score reaches its threshold, most likely first, at most three; OT only alone.

    Where none does, the most likely code is taken all the same, since every message carries one; the second value says
    so.
    """
    ranked = sorted(scores, key=lambda code: (-scores[code], code))
    reached = [code for code in ranked if scores[code] >= thresholds[code]]
    if not reached:
        return tuple(ranked[:1]), True
    if ALONE in reached and len(reached) > 1:
        reached = [ALONE] if reached[0] == ALONE else [code for code in reached if code != ALONE]
    return tuple(reached[:MOST_CODES]), False


def prediction_set(
    chosen: Sequence[str], scores: Mapping[str, float], cut: float, codes: Sequence[str]
) -> tuple[str, ...]:
    """The codes of `codes` whose score reaches the cut, and the chosen ones, most likely first.

    A code without a score counts as 0, so that a cut of 0 gives every code.
    """
    scored = {code: scores.get(code, 0.0) for code in codes}
    held = [code for code, score in scored.items() if score >= cut or code in chosen]
    return tuple(sorted(held, key=lambda code: (-scored[code], code)))


def confidence(scores: Mapping[str, float], chosen: Collection[str]) -> float:
    """Estimated probability that exactly the chosen codes are right.

    The product of p of the chosen codes and 1 - p of the others, as if they erred independently of one another.
    """
    return float(np.prod([score if code in chosen else 1 - score for code, score in scores.items()]))


def _side(score: float, head: Head, high: str, low: str) -> str | None:
    if not head.trained:
        return None
    return high if score >= head.threshold else low
