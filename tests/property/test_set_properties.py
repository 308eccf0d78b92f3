"""Prediction sets hold what they promise on exchangeable messages, however wrong the probabilities are."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mi_coder.conversation import Coding
from mi_coder.tagger.decoding import prediction_set
from mi_coder.training.calibrate import SET_COVERAGES, set_cuts

CODES = ("OQ", "CQ", "REF", "SU")
ROUNDS = 400


@settings(max_examples=12)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(4, 30),
    st.sampled_from(SET_COVERAGES),
    st.floats(0.3, 3.0),
    st.floats(-1.0, 1.0),
)
def test_sets_hold_all_codes_as_often_as_promised_and_hardly_more(
    seed: int, known: int, coverage: str, slope: float, offset: float
) -> None:
    """In every round one message is new to cuts from `known` others. Bounds are 4.5 standard errors wide."""
    random = np.random.default_rng(seed)
    held = 0
    for _ in range(ROUNDS):
        logits = random.normal(0, 2, (known + 1, len(CODES)))
        truth = (random.random(logits.shape) < 1 / (1 + np.exp(-slope * logits - offset))).astype(float)
        truth[np.arange(known + 1), random.integers(len(CODES), size=known + 1)] = 1.0
        told = 1 / (1 + np.exp(-logits))
        codings = [Coding((), dict(zip(CODES, row, strict=True))) for row in told.tolist()]
        cut = set_cuts(codings[:-1], truth[:-1], CODES)[coverage]
        new = prediction_set((), codings[-1].scores, cut, CODES)
        held += {code for code, applies in zip(CODES, truth[-1], strict=True) if applies} <= {*new}
    promised = float(coverage)
    slack = 4.5 * math.sqrt(promised * (1 - promised) / ROUNDS)
    assert promised - slack <= held / ROUNDS <= promised + 1 / (known + 1) + slack
