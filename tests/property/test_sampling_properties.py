"""What holds for every plan and every draw."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from mi_coder.annotation.clusters import clusters
from mi_coder.annotation.sampling import CERTAIN, Plan, draw, proportional, stratified
from mi_coder.annotation.weighted import weighted_rates

SEEDS = st.integers(0, 2**32)
SIZES = st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=1, max_size=40)


def check_draw(plan: Plan, size: int, seed: int) -> None:
    drawn = draw(plan, seed)
    assert len(set(drawn.tolist())) == len(drawn) == size == plan.size
    assert drawn.tolist() == sorted(drawn)
    np.testing.assert_array_equal(drawn, draw(plan, seed))
    strata = np.array(plan.strata)
    for name in set(plan.strata):
        within = strata == name
        expected = plan.probabilities[within].sum()
        np.testing.assert_allclose(within[drawn].sum(), expected, rtol=1e-9)


@given(SIZES, st.floats(0.01, 1), st.data(), SEEDS)
def test_proportional(sizes: list[float], floor: float, data: st.DataObject, seed: int) -> None:
    size = data.draw(st.integers(1, len(sizes)))
    plan = proportional(np.array(sizes), size, floor)
    assert (plan.probabilities <= 1).all()
    assert (plan.probabilities >= floor * size / len(sizes) * (1 - 1e-9)).all()
    np.testing.assert_allclose(plan.probabilities.sum(), size)
    in_order = plan.probabilities[np.argsort(sizes, kind="stable")]
    assert (np.diff(in_order) >= -1e-12).all()
    assert {name for name, p in zip(plan.strata, plan.probabilities, strict=True) if p == 1} <= {CERTAIN}
    check_draw(plan, size, seed)


@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=40), st.integers(1, 4), st.booleans(), st.data(), SEEDS)
def test_stratified(strata: list[str], minimum: int, equal: bool, data: st.DataObject, seed: int) -> None:
    held = {name: strata.count(name) for name in strata}
    least = {name: min(minimum, count) for name, count in held.items()}
    size = data.draw(st.integers(sum(least.values()), len(strata)))
    plan = stratified(strata, size, minimum, equal)
    check_draw(plan, size, seed)
    drawn = [strata[at] for at in draw(plan, seed)]
    assert all(drawn.count(name) >= least[name] for name in held)
    if equal:
        open_ones = {drawn.count(name) for name in held if least[name] < drawn.count(name) < held[name]}
        assert not open_ones or max(open_ones) - min(open_ones) <= 1


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=30), st.integers(1, 8), SEEDS)
def test_clusters_have_no_gaps_and_keep_equals_together(
    points: list[tuple[float, float]], count: int, seed: int
) -> None:
    found = clusters(np.array(points), count, seed)
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
    assert found.max() < count
    by_point: dict[tuple[float, float], set[int]] = {}
    for point, cluster in zip(points, found.tolist(), strict=True):
        by_point.setdefault(point, set()).add(cluster)
    assert all(len(own) == 1 for own in by_point.values())


MESSAGES = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.floats(0.001, 1), st.sampled_from("abc")), min_size=1, max_size=25
)


@given(MESSAGES, st.floats(0.01, 1))
@example([(1.0, 1.0, "a")] * 5 + [(1.0, 0.265625, "a"), (1.0, 0.5, "a"), (1.0, 0.375, "b")], 1.0)
@example([(1.0, 1.0, "a")] * 7 + [(1.0, 0.5, "b")], 0.01171875)
def test_rates_lie_within_their_intervals_and_only_ratios_of_weights_matter(
    messages: list[tuple[float, float, str]], scale: float
) -> None:
    present, chances, chats = (np.array(column) for column in zip(*messages, strict=True))
    (rate,) = weighted_rates(present[:, None], chances, chats)
    (scaled,) = weighted_rates(present[:, None], chances * scale, chats)
    np.testing.assert_allclose([rate.value, rate.low, rate.high], [scaled.value, scaled.low, scaled.high], atol=1e-9)
    known = ~np.isnan(present)
    if len(set(chats[known])) > 1:
        assert 0 <= rate.low <= rate.value <= rate.high <= 1 + 1e-9
    else:
        assert np.isnan(rate.low)
    assert np.isnan(rate.value) == (not known.any())
