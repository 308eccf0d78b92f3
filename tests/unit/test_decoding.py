"""The decision rule: calibration, thresholds, at most three codes, OT alone, prediction sets, sentences as one."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, SentenceCoding
from mi_coder.tagger.config import Head, ModelConfig, Platt, Window
from mi_coder.tagger.decoding import Decoder, choose, confidence, empty, prediction_set
from mi_coder.tagger.sentences import merge

IDS = Codebook.load().ids
HALF = dict.fromkeys(IDS, 0.5)


def config(**changes: object) -> ModelConfig:
    plain = ModelConfig(
        name="m",
        version="1",
        codebook="",
        codes=list(IDS),
        heads=[Head() for _ in IDS],
        depth=Head(),
        permission=Head(),
        review_below=0.0,
        window=Window(),
        base="",
        training_ids=[],
        files={},
    )
    return msgspec.structs.replace(plain, **changes)


def logits(depth: float = -5.0, permission: float = -5.0, **codes: float) -> NDArray[np.float32]:
    row = [codes.get(code, -9.0) for code in IDS]
    return np.array([[*row, depth, permission]], dtype=np.float32)


def decode(row: NDArray[np.float32], model: ModelConfig | None = None) -> Coding:
    [coding] = Decoder(model or config(), HALF).decode(row)
    return coding


@pytest.mark.parametrize(
    ("scores", "codes", "forced"),
    [
        ({"OQ": 0.9, "SU": 0.95, "CQ": 0.2}, ("SU", "OQ"), False),
        ({"OQ": 0.5, "SU": 0.49}, ("OQ",), False),
        ({"OQ": 0.6, "SU": 0.9, "GI": 0.8, "PD": 0.7}, ("SU", "GI", "PD"), False),
        ({"SU": 0.8, "AF": 0.8, "OQ": 0.8}, ("AF", "OQ", "SU"), False),
        ({"OQ": 0.3, "SU": 0.2}, ("OQ",), True),
        ({"OT": 0.3, "SU": 0.2}, ("OT",), True),
        ({"OT": 0.9, "SU": 0.8}, ("OT",), False),
        ({"OT": 0.8, "SU": 0.9}, ("SU",), False),
        ({"OT": 0.85, "SU": 0.9, "GI": 0.8, "PD": 0.7}, ("SU", "GI", "PD"), False),
        ({"OT": 0.9}, ("OT",), False),
    ],
)
def test_choose(scores: dict[str, float], codes: tuple[str, ...], forced: bool) -> None:
    assert choose(scores, HALF) == (codes, forced)


def test_every_code_has_its_own_threshold() -> None:
    assert choose({"OQ": 0.4, "SU": 0.8}, {"OQ": 0.4, "SU": 0.81}) == (("OQ",), False)


def test_scores_are_platt_calibrated() -> None:
    heads = [Head(calibration=Platt(slope=0.7, offset=-0.2)) if code == "GI" else Head() for code in IDS]
    coding = decode(logits(GI=1.5, OQ=0.25), config(heads=heads))
    assert coding.scores["GI"] == pytest.approx(1 / (1 + math.exp(-(0.7 * 1.5 - 0.2))), abs=1e-12)
    assert coding.scores["OQ"] == pytest.approx(1 / (1 + math.exp(-0.25)), abs=1e-12)


def test_huge_logits_give_zero_and_one_without_a_warning() -> None:
    with np.errstate(all="raise"):
        coding = decode(logits(GI=3e6, OQ=-3e6))
    assert (coding.scores["GI"], coding.scores["OQ"]) == (1.0, 0.0)


def test_an_untrained_code_is_never_given_and_has_no_score() -> None:
    heads = [Head(trained=code != "OQ") for code in IDS]
    coding = decode(logits(OQ=9.0, SU=1.0), config(heads=heads))
    assert coding.codes == ("SU",)
    assert "OQ" not in coding.scores


@pytest.mark.parametrize(("logit", "depth"), [(0.1, "complex"), (-0.1, "simple")])
def test_depth_stands_beside_ref_only(logit: float, depth: str) -> None:
    assert decode(logits(depth=logit, REF=3.0, OQ=4.0)).depth == depth
    assert decode(logits(depth=logit, OQ=3.0)).depth is None


@pytest.mark.parametrize("code", ["PR", "RC"])
@pytest.mark.parametrize(("logit", "permission"), [(0.1, "with"), (-0.1, "without")])
def test_permission_stands_beside_pr_and_rc_only(code: str, logit: float, permission: str) -> None:
    assert decode(logits(permission=logit, **{code: 3.0})).permission == permission
    assert decode(logits(permission=logit, GI=3.0)).permission is None


def test_an_untrained_attribute_is_left_out() -> None:
    untrained = config(depth=Head(trained=False), permission=Head(trained=False))
    coding = decode(logits(depth=5.0, permission=5.0, REF=3.0, PR=3.0), untrained)
    assert (coding.depth, coding.permission) == (None, None)


def test_attributes_have_thresholds() -> None:
    assert decode(logits(depth=1.0, REF=3.0), config(depth=Head(threshold=0.9))).depth == "simple"


def test_confidence_is_the_product_of_what_speaks_for_each_yes_and_no() -> None:
    scores = {"OQ": 0.9, "SU": 0.2, "GI": 0.5}
    assert confidence(scores, ["OQ"]) == pytest.approx(0.9 * 0.8 * 0.5)
    assert confidence(scores, ["OQ", "SU"]) == pytest.approx(0.9 * 0.2 * 0.5)


@pytest.mark.parametrize(
    ("chosen", "cut", "expected"),
    [
        (("OQ",), 0.5, ("OQ",)),
        (("OQ",), 0.2, ("OQ", "GI", "SU")),
        (("OQ",), 0.21, ("OQ", "GI")),
        (("SU",), 0.95, ("SU",)),
        (("OQ",), 0.0, ("OQ", "GI", "SU", "AF", "CC")),
    ],
)
def test_a_set_holds_what_reaches_the_cut_and_what_was_chosen(
    chosen: tuple[str, ...], cut: float, expected: tuple[str, ...]
) -> None:
    scores = {"OQ": 0.9, "SU": 0.2, "GI": 0.4, "AF": 0.0}
    assert prediction_set(chosen, scores, cut, ["CC", "SU", "OQ", "GI", "AF"]) == expected


def test_codings_have_a_set_where_there_is_a_cut() -> None:
    row = logits(OQ=2.0, SU=0.5, GI=-0.5)
    [with_set] = Decoder(config(), HALF, set_cut=0.3).decode(row)
    assert (with_set.codes, with_set.possible) == (("OQ", "SU"), ("OQ", "SU", "GI"))
    assert decode(row) == replace(with_set, possible=())


def test_review_is_asked_for_below_the_models_confidence_and_where_a_code_was_forced() -> None:
    row = logits(OQ=2.0)
    sure = confidence(decode(row).scores, decode(row).codes)
    assert not decode(row, config(review_below=sure)).review
    assert decode(row, config(review_below=sure + 1e-9)).review
    assert decode(logits(OQ=-1.0)).review


def test_review_is_asked_for_where_a_code_is_given_that_is_less_likely_than_not() -> None:
    row, low = logits(OQ=-0.4), dict.fromkeys(HALF, 0.3)
    [coding] = Decoder(config(review_below=0.5), low).decode(row)
    assert coding.codes == ("OQ",)
    assert coding.review


def test_rows_are_decoded_one_by_one() -> None:
    both = Decoder(config(), HALF).decode(np.vstack([logits(OQ=3.0), logits(SU=3.0)]))
    assert [coding.codes for coding in both] == [("OQ",), ("SU",)]


@pytest.mark.parametrize("turned", [1, -1])
def test_a_message_has_the_highest_scores_and_the_stronger_attributes_of_its_sentences(turned: int) -> None:
    strong = Coding(("REF", "PR"), {"REF": 0.9, "PR": 0.7}, depth="complex", permission="with")
    weak = Coding(("REF", "PR"), {"REF": 0.6, "PR": 0.8}, depth="simple", permission="without", review=True)
    merged = merge([SentenceCoding(0, 5, strong), SentenceCoding(5, 9, weak)][::turned])
    assert (merged.codes, merged.scores) == (("REF", "PR"), {"REF": 0.9, "PR": 0.8})
    assert (merged.depth, merged.permission) == ("complex", "with")
    assert merged.review, "one sentence that is unsure is enough"


def test_an_empty_message_has_a_reason_and_no_codes() -> None:
    assert empty() == Coding(codes=(), scores={}, uncoded="empty", review=False)
