"""Agreement: published examples, and what must hold for any codings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.annotation.agreement import Unit, agreements, alpha, exact_match
from mi_coder.conversation import Gold

# Krippendorff 2011, Computing Krippendorff's Alpha-Reliability: examples A (two coders, binary) and C (four coders,
# nominal, missing codings).
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
FOUR_CODERS = [
    "123321412...",
    "1233224125.3",
    ".3332342251.",
    "12332441251.",
]


def table(coders: list[str], values: str) -> np.ndarray:
    """[units, values] counts from one string per coder."""
    return np.array([[sum(c[u] == v for c in coders) for v in values] for u in range(len(coders[0]))], dtype=float)


def test_alpha_of_the_published_examples() -> None:
    binary = np.array([[(m == 0) + (o == 0), m + o] for m, o in zip(MEG, OWEN, strict=True)], dtype=float)
    assert alpha(binary) == pytest.approx(0.095, abs=5e-4)
    assert alpha(table(FOUR_CODERS, "12345")) == pytest.approx(0.743, abs=5e-4)


def gold(*codes: str, depth: str | None = None) -> Gold:
    return Gold(frozenset(codes), depth=depth)


UNITS = [
    Unit("a", (gold("OQ"), gold("OQ"))),
    Unit("a", (gold("REF", depth="simple"), gold("REF", depth="complex"))),
    Unit("b", (gold("REF", depth="simple"), gold("REF", depth="simple"))),
    Unit("b", (gold("CQ"), gold("OQ"))),
    Unit("b", (gold("SU"),)),
]


def test_codes_and_attributes() -> None:
    rows = {row.name: row for row in agreements(UNITS, samples=50)}
    assert list(rows)[-2:] == ["depth", "permission"]
    assert (rows["OQ"].units, rows["OQ"].share) == (4, 3 / 8)
    assert rows["OQ"].alpha == pytest.approx(1 - 7 * 1 / (3 * 5))
    assert rows["OQ"].positive == pytest.approx(2 / 3)
    assert rows["REF"].alpha == 1
    assert rows["REF"].verdict == "reliable"
    assert math.isnan(rows["IP"].alpha)
    assert rows["IP"].verdict == "not told"
    assert rows["depth"].units == 2
    assert rows["depth"].alpha == pytest.approx(1 - 3 * 1 / (3 * 1))
    assert exact_match(UNITS) == 3 / 4


codings = st.lists(st.sets(st.sampled_from(["OQ", "CQ", "REF"]), min_size=1, max_size=2), min_size=1, max_size=4)
units = st.lists(st.tuples(st.sampled_from("abc"), codings), min_size=1, max_size=12)


@given(units)
def test_the_order_of_coders_and_units_does_not_count(drawn: list[tuple[str, list[set[str]]]]) -> None:
    made = [Unit(name, tuple(gold(*codes) for codes in sets)) for name, sets in drawn]
    turned = [Unit(unit.conversation, unit.codings[::-1]) for unit in reversed(made)]
    for one, other in zip(agreements(made, samples=0), agreements(turned, samples=0), strict=True):
        assert one.alpha == pytest.approx(other.alpha, nan_ok=True)
        assert one.units == other.units


@given(units)
def test_coders_who_copy_each_other_agree_fully(drawn: list[tuple[str, list[set[str]]]]) -> None:
    copied = [Unit(name, (gold(*sets[0]), gold(*sets[0]))) for name, sets in drawn]
    for row in agreements(copied, samples=0):
        assert math.isnan(row.alpha) or row.alpha == 1
    assert exact_match(copied) == 1
