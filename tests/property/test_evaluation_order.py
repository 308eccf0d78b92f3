"""Figures do not depend on the order in which conversations or messages stand in a file."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.evaluation.compare import compare
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.report import EvaluationReport, Options, Source

CODES = ("OQ", "CQ", "REF", "SU")
SOURCE = Source("gold.jsonl", "", "toy 1", "", "")

codes = st.frozensets(st.sampled_from(CODES), max_size=3)
probabilities = st.sampled_from([0.1, 0.25, 0.5, 0.75])


@st.composite
def messages(draw: st.DrawFn) -> Message:
    positive = draw(codes)
    gold = Gold(positive, draw(codes) - positive, any_of=draw(st.sampled_from([(), (frozenset({"OQ", "CQ"}),)])))
    given_codes = tuple(sorted(draw(codes)))
    scores = {code: draw(probabilities) for code in CODES}
    return Message("counselor", "invented", gold=gold, coding=Coding(given_codes, scores, depth="simple"))


@st.composite
def chats(draw: st.DrawFn) -> list[Conversation]:
    anchor = Message("counselor", "first", gold=Gold(frozenset(CODES)), coding=Coding(("OQ",), {}))
    bodies = draw(st.lists(st.lists(messages(), min_size=1, max_size=5), min_size=1, max_size=5))
    return [Conversation(f"chat {i}", [anchor, *body]) for i, body in enumerate(bodies)]


def report(conversations: list[Conversation]) -> EvaluationReport:
    return evaluate(compare(conversations, conversations, CODES), SOURCE, Options(1, 20))


@settings(max_examples=30)
@given(chats(), st.randoms(use_true_random=False))
def test_order_does_not_matter(conversations: list[Conversation], random: Random) -> None:
    shuffled = [replace(one, messages=random.sample(one.messages, len(one.messages))) for one in conversations]
    random.shuffle(shuffled)
    assert report(shuffled).to_json() == report(conversations).to_json()


@settings(max_examples=30)
@given(chats())
def test_figures_stay_in_bounds(conversations: list[Conversation]) -> None:
    one = report(conversations)
    for row in one.rows:
        score = row.score
        assert score.positives + score.negatives <= one.messages
        assert score.predicted <= score.positives + score.negatives
        for value in (score.precision, score.recall, score.f1, score.f1_low, score.f1_high):
            assert not (value < 0 or value > 1)
        assert not score.f1_low > score.f1_high
