"""What holds for every set of scores."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mi_coder.codebook import Codebook
from mi_coder.conversation import ALONE, MOST_CODES, Coding, SentenceCoding
from mi_coder.tagger.decoding import choose, confidence, prediction_set
from mi_coder.tagger.sentences import merge

IDS = Codebook.load().ids
PROBABILITY = st.floats(0, 1)
SCORES = st.dictionaries(st.sampled_from(IDS), PROBABILITY, min_size=1)
THRESHOLDS = st.fixed_dictionaries(dict.fromkeys(IDS, PROBABILITY))


@given(SCORES, THRESHOLDS)
def test_choice(scores: dict[str, float], thresholds: dict[str, float]) -> None:
    codes, forced = choose(scores, thresholds)
    assert 1 <= len(codes) == len(set(codes)) <= MOST_CODES
    assert [scores[code] for code in codes] == sorted((scores[code] for code in codes), reverse=True)
    assert ALONE not in codes or len(codes) == 1
    reached = {code for code in scores if scores[code] >= thresholds[code]}
    assert forced == (not reached)
    if forced:
        assert scores[codes[0]] == max(scores.values())
    else:
        assert reached.issuperset(codes)
        left_out = reached - {*codes, ALONE} if codes != (ALONE,) else set()
        assert not left_out or len(codes) == MOST_CODES
        assert all(scores[code] <= scores[codes[-1]] for code in left_out)


@given(SCORES, THRESHOLDS)
def test_the_order_of_the_scores_does_not_matter(scores: dict[str, float], thresholds: dict[str, float]) -> None:
    assert choose(dict(reversed(scores.items())), thresholds) == choose(scores, thresholds)


@given(SCORES, THRESHOLDS)
def test_confidence_is_a_probability_and_no_more_than_that_of_its_least_sure_code(
    scores: dict[str, float], thresholds: dict[str, float]
) -> None:
    codes, _ = choose(scores, thresholds)
    least = min(score if code in codes else 1 - score for code, score in scores.items())
    assert 0 <= confidence(scores, codes) <= least


@given(SCORES, THRESHOLDS, PROBABILITY, PROBABILITY)
def test_sets_hold_the_codes_given_and_grow_as_the_cut_falls(
    scores: dict[str, float], thresholds: dict[str, float], one: float, other: float
) -> None:
    codes, _ = choose(scores, thresholds)
    narrow, wide = (prediction_set(codes, scores, cut, IDS) for cut in sorted((one, other), reverse=True))
    assert {*codes} <= {*narrow} <= {*wide} <= {*prediction_set(codes, scores, 0.0, IDS)} == {*IDS}
    ranked = [scores.get(code, 0.0) for code in wide]
    assert ranked == sorted(ranked, reverse=True)


@st.composite
def sentence_codings(draw: st.DrawFn) -> SentenceCoding:
    scores = draw(st.fixed_dictionaries(dict.fromkeys(IDS, PROBABILITY)))
    codes, forced = choose(scores, draw(THRESHOLDS))
    depth = draw(st.sampled_from(["simple", "complex"])) if "REF" in codes else None
    permission = draw(st.sampled_from(["with", "without"])) if {"PR", "RC"} & set(codes) else None
    return SentenceCoding(0, 1, Coding(codes, scores, depth, permission, forced))


@settings(max_examples=40)
@given(st.lists(sentence_codings(), min_size=1, max_size=4))
def test_a_message_has_the_union_of_its_sentences(sentences: list[SentenceCoding]) -> None:
    merged = merge(sentences)
    codings = [sentence.coding for sentence in sentences]
    union = {code for coding in codings for code in coding.codes}
    assert set(merged.codes) == (union - {ALONE} or union)
    assert len(merged.codes) == len(set(merged.codes))
    assert merged.scores == {code: max(coding.scores[code] for coding in codings) for code in IDS}
    ranked = [merged.scores[code] for code in merged.codes]
    assert ranked == sorted(ranked, reverse=True)
    assert merged.review == any(coding.review for coding in codings)
    depths = {coding.depth for coding in codings} - {None}
    assert merged.depth == ("complex" if "complex" in depths else "simple" if depths else None)
    assert (merged.depth is None) == ("REF" not in merged.codes)
    assert (merged.permission is None) == (not {"PR", "RC"} & set(merged.codes))
    assert merged.sentences == tuple(sentences)
