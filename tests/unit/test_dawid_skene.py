"""Dawid and Skene's estimate: the paper's example, known error rates, and codings in any order."""

from dataclasses import replace

import numpy as np
import pytest

from mi_coder.annotation.codings import Given, Unit
from mi_coder.annotation.dawid_skene import code_estimates, estimate
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.errors import UsageProblem

ALL = frozenset(Codebook.load().ids)

# Table 1 of the paper: 45 patients in four classes of fitness, by five anesthetists, the first of them three times.
PATIENTS = """
111 1 1 1 1,333 4 3 3 4,112 2 1 2 2,222 3 1 2 1,222 3 2 2 2,222 3 3 2 2,122 2 1 1 1,333 3 4 3 3,222 2 2 2 3,
232 2 2 2 3,444 4 4 4 4,222 3 3 4 3,111 1 1 1 1,222 3 2 1 2,121 1 1 1 1,111 2 1 1 1,111 1 1 1 1,111 1 1 1 1,
222 2 2 2 1,222 1 3 2 2,222 2 2 2 2,222 2 2 2 1,222 3 2 2 2,221 2 2 2 2,111 1 1 1 1,111 1 1 1 1,232 2 2 2 2,
111 1 1 1 1,111 1 1 1 1,112 1 1 2 1,111 1 1 1 1,333 3 2 3 3,111 1 1 1 1,222 2 2 2 2,222 3 2 3 2,433 4 3 4 3,
221 2 2 3 2,232 3 2 3 3,333 3 4 3 2,111 1 1 1 1,111 1 1 1 1,121 2 1 1 1,232 2 2 2 2,121 1 1 1 1,222 2 2 2 2
"""


def test_the_example_of_the_paper() -> None:
    answers = np.zeros((45, 5, 4))
    for patient, row in enumerate(PATIENTS.replace("\n", "").split(",")):
        for observer, given in enumerate(row.split()):
            for answer in given:
                answers[patient, observer, int(answer) - 1] += 1
    found = estimate(answers)
    assert found.converged
    assert found.classes.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.rates[0].round(2).tolist() == [
        [0.89, 0.11, 0, 0],
        [0.07, 0.88, 0.05, 0],
        [0, 0.34, 0.66, 0],
        [0, 0, 0.56, 0.44],
    ]


def simulated(messages: int, missing: float = 0.3, seed: int = 3) -> tuple[list[Unit], dict[str, tuple[float, float]]]:
    """Codings of OQ, or else CQ, by four coders of known sensitivity and specificity for OQ; SU is the truth of OQ."""
    dice = np.random.default_rng(seed)
    known = {"ann": (0.95, 0.97), "ben": (0.85, 0.9), "cho": (0.7, 0.95), "dee": (0.9, 0.75)}
    units = []
    for at in range(messages):
        truth = dice.random() < 0.3
        given = []
        for coder, (sensitivity, specificity) in known.items():
            if dice.random() >= missing or coder == "ann":
                has = dice.random() < (sensitivity if truth else 1 - specificity)
                code = frozenset({"OQ" if has else "CQ"})
                given.append(Given(coder, "1", Gold(code, ALL - code)))
        units.append(Unit("true" if truth else "false", at, tuple(given)))
    return units, known


def test_known_error_rates_come_back() -> None:
    units, known = simulated(4000)
    found = {one.code: one for one in code_estimates(units)}["OQ"]
    assert found.converged
    assert found.prevalence == pytest.approx(0.3, abs=0.03)
    for one in found.accuracies:
        sensitivity, specificity = known[one.coder]
        assert one.sensitivity == pytest.approx(sensitivity, abs=0.05)
        assert one.specificity == pytest.approx(specificity, abs=0.03)
    right = np.mean([(found.presence[unit.id] > 0.5) == (unit.conversation == "true") for unit in units])
    majority = np.mean(
        [
            (sum("OQ" in gold.positive for gold in unit.codings) * 2 > len(unit.codings))
            == (unit.conversation == "true")
            for unit in units
        ]
    )
    assert right > majority + 0.005


def test_the_order_of_messages_and_codings_changes_nothing() -> None:
    units, _ = simulated(150)
    turned = [Unit(unit.conversation, unit.index, unit.given[::-1]) for unit in reversed(units)]
    for one, other in zip(code_estimates(units), code_estimates(turned), strict=True):
        assert one.code == other.code
        assert {name: pytest.approx(chance, abs=1e-6) for name, chance in one.presence.items()} == dict(other.presence)


def test_a_code_that_one_of_three_gave_once_is_absent_and_two_of_three_present() -> None:
    def unit(at: int, *codes: str) -> Unit:
        given = (
            Given(coder, "", Gold(frozenset({code}), ALL - {code})) for coder, code in zip("abc", codes, strict=True)
        )
        return Unit("c", at, tuple(given))

    units = [*(unit(at, "CQ", "CQ", "CQ") for at in range(30)), unit(30, "WA", "CQ", "CQ"), unit(31, "CO", "CO", "CQ")]
    found = {one.code: one.presence for one in code_estimates(units)}
    assert found["WA"]["c#30"] < 0.1
    assert found["CO"]["c#31"] > 0.8


def test_rounds_of_one_coder_are_one_coder() -> None:
    units, _ = simulated(60, missing=0)
    again = [Unit(one.conversation, one.index, (*one.given, replace(one.given[0], round="0"))) for one in units]
    assert code_estimates(again) == code_estimates(units)
    two = [Unit(one.conversation, one.index, (one.given[0], *one.given[-2:])) for one in again]
    with pytest.raises(UsageProblem, match="these codings are by 2"):
        code_estimates(two)


def test_two_coders_are_too_few() -> None:
    units = [Unit(unit.conversation, unit.index, unit.given[:2]) for unit in simulated(20, missing=0)[0]]
    with pytest.raises(UsageProblem, match="needs 3 coders or more, and these codings are by 2"):
        code_estimates(units)
