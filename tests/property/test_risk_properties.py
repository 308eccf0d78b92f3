"""What holds for every ranking of messages by confidence."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.evaluation.risk import COVERAGES, Ranking

ALL = np.array(COVERAGES)
MESSAGES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.8]), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30
).filter(lambda messages: any(times for *_, times in messages))


def ranking(messages: list[tuple[float, bool, int]]) -> tuple[Ranking, np.ndarray]:
    confidence, wrong, times = (np.array(column) for column in zip(*messages, strict=True))
    return Ranking.of(confidence, wrong), times


@given(MESSAGES)
def test_a_message_that_counts_twice_is_two_messages(messages: list[tuple[float, bool, int]]) -> None:
    ranked, times = ranking(messages)
    copies, once = ranking([(*message[:2], 1) for message in messages for _ in range(message[2])])
    np.testing.assert_allclose(ranked.errors(ALL, times), copies.errors(ALL, once))
    np.testing.assert_allclose(ranked.area(times), copies.area(once))


@given(MESSAGES, st.randoms(use_true_random=False))
def test_the_order_of_equally_sure_messages_does_not_matter(messages: list, random: object) -> None:
    ranked, times = ranking(messages)
    random.shuffle(messages)  # type: ignore[attr-defined]
    shuffled, shuffled_times = ranking(messages)
    np.testing.assert_array_equal(ranked.errors(ALL, times), shuffled.errors(ALL, shuffled_times))
    assert ranked.area(times) == shuffled.area(shuffled_times)


@given(MESSAGES)
def test_the_curve_ends_at_the_error_of_all_and_stays_between_nought_and_one(messages: list) -> None:
    ranked, times = ranking(messages)
    errors = ranked.errors(ALL, times)
    np.testing.assert_allclose(errors[-1], (times * ranked.wrong).sum() / times.sum())
    assert ((errors >= 0) & (errors <= 1)).all()
    assert 0 <= ranked.area(times) <= 1
