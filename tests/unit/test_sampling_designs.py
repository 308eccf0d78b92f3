"""Estimates from every design, over a thousand draws each, against a population whose codes are known."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, norm

from mi_coder.annotation.clusters import clusters
from mi_coder.annotation.designs import Request, planned, read_chances, with_chances
from mi_coder.annotation.merit import Scores
from mi_coder.annotation.population import Done, Population, population
from mi_coder.annotation.sampling import Plan, draw, simple, stratified
from mi_coder.annotation.weighted import weighted_rates
from mi_coder.conversation import COUNSELOR, Conversation, Message
from mi_coder.errors import UsageProblem

CODES = ("OQ", "SU", "WA")
DRAWS = 1000
REQUESTS = {
    "random": Request(design="random", size=60),
    "stratified by field": Request(design="stratified", size=60, by="counselor_id", minimum=5),
    "stratified by code": Request(design="stratified", size=60, minimum=10),
    "uncertainty": Request(design="uncertainty", size=60),
    "rare-code": Request(design="rare-code", size=60, codes=("WA",)),
    "diversity by scores": Request(design="diversity", size=60, clusters=6),
    "diversity by text": Request(design="diversity", size=60, clusters=6, vectors="text"),
}
IN_CHATS = ("random", "stratified by field", "uncertainty", "rare-code", "diversity by scores")
ALL = [*((name, "message") for name in REQUESTS), *((name, "conversation") for name in IN_CHATS)]


@dataclass(frozen=True)
class World:
    """Uncoded chats, and what a coder would say: truth [messages, codes], where rare and doubtful go together."""

    chats: list[Conversation]
    truth: np.ndarray
    scores: np.ndarray


@cache
def world() -> World:
    random = np.random.default_rng(3)
    leaning = random.normal(size=(60, 1, 3)) + 2 * random.normal(size=(60, 10, 3)) + np.array([0.0, -2.0, -5.0])
    scores = 1 / (1 + np.exp(-leaning.reshape(600, 3)))
    truth = (random.random((600, 3)) < scores).astype(float)
    words = np.array(["why", "sorry", "careful"])
    said = np.where(random.random((600, 3)) < 0.8, truth, 1 - truth)
    chats = [
        Conversation(
            f"c{chat:02}",
            [
                Message("counselor", f"{' '.join(words[said[row] == 1])} {row}")
                for row in range(chat * 10, chat * 10 + 10)
            ],
            {"counselor_id": f"k{chat % 7}"},
        )
        for chat in range(60)
    ]
    return World(chats, truth, scores)


def plan_of(name: str, unit: str = "message") -> tuple[Population, Plan]:
    request = REQUESTS[name] if unit == "message" else replace(REQUESTS[name], size=14, minimum=1)
    found = population(world().chats, unit, Done())  # type: ignore[arg-type]
    owner = np.repeat(np.arange(len(found.units)), [len(one.places) for one in found.units])
    scores = Scores(CODES, world().scores, owner) if request.needs_scores else None
    return found, planned(found, request, scores).plan


def rows_of(found: Population) -> list[np.ndarray]:
    """The rows of `truth` of each unit."""
    return [np.array([int(one.chat.id[1:]) * 10 + place for place in one.places]) for one in found.units]


@cache
def estimates(name: str, unit: str = "message") -> dict[str, np.ndarray]:
    """[draws, codes] the rates of Horvitz and Thompson, of Hajek, and without weights."""
    found, plan = plan_of(name, unit)
    places = rows_of(found)
    made: dict[str, list[list[float]]] = {"total": [], "ratio": [], "plain": []}
    for seed in range(DRAWS):
        units = draw(plan, seed)
        rows = np.concatenate([places[at] for at in units])
        chances = np.repeat(plan.probabilities[units], [len(places[at]) for at in units])
        truth = world().truth[rows]
        made["total"].append([rate.value for rate in weighted_rates(truth, chances, population=600)])
        made["ratio"].append([rate.value for rate in weighted_rates(truth, chances)])
        made["plain"].append(truth.mean(axis=0).tolist())
    return {kind: np.array(rates) for kind, rates in made.items()}


def monte_carlo_errors(rates: np.ndarray) -> np.ndarray:
    """[codes] how far the mean of the draws is from the truth, in standard errors of this mean."""
    return np.abs(rates.mean(axis=0) - world().truth.mean(axis=0)) / (rates.std(axis=0, ddof=1) / DRAWS**0.5)


@pytest.mark.parametrize(("name", "unit"), ALL)
def test_weighted_rates_are_unbiased_code_by_code(name: str, unit: str) -> None:
    assert (monte_carlo_errors(estimates(name, unit)["total"]) < 3.5).all()


def test_no_more_codes_are_beyond_two_errors_than_chance_puts_there() -> None:
    """The mean of unbiased draws is beyond 2 of its standard errors for one code in 22."""
    errors = np.concatenate([monte_carlo_errors(estimates(name, unit)["total"]) for name, unit in ALL])
    assert errors.size == 36
    assert (errors > 2).sum() <= binom.ppf(0.95, errors.size, 2 * norm.sf(2))


@pytest.mark.parametrize("name", REQUESTS)
def test_the_bias_of_ratios_is_small_against_their_spread(name: str) -> None:
    assert (monte_carlo_errors(estimates(name)["ratio"]) < 0.1 * DRAWS**0.5).all()


def test_without_weights_every_code_of_an_uncertainty_sample_is_biased() -> None:
    errors = monte_carlo_errors(estimates("uncertainty")["plain"])
    assert (errors > 2).all()
    assert errors.max() > 10


@pytest.mark.parametrize("name", ["stratified by code", "rare-code", "diversity by text"])
def test_rates_without_weights_are_biased_for_other_uneven_designs_too(name: str) -> None:
    assert monte_carlo_errors(estimates(name)["plain"]).max() > 10


@pytest.mark.parametrize("name", REQUESTS)
def test_units_are_drawn_as_often_as_the_plan_says(name: str) -> None:
    _, plan = plan_of(name)
    times = sum(np.bincount(draw(plan, seed), minlength=600) for seed in range(DRAWS))
    open_ones = plan.probabilities < 1
    p = plan.probabilities[open_ones]
    deviation = (times[open_ones] / DRAWS - p) / np.sqrt(p * (1 - p) / DRAWS)
    assert np.mean(deviation**2) == pytest.approx(1, abs=0.2)
    assert (times[~open_ones] == DRAWS).all()
    assert plan.probabilities.sum() == pytest.approx(60)


def test_each_design_draws_more_of_what_it_is_for() -> None:
    random, rare = estimates("random")["plain"], estimates("rare-code")["plain"]
    assert rare[:, 2].mean() > 2 * random[:, 2].mean()
    _, by_field = plan_of("stratified by field")
    strata = np.array(by_field.strata)
    assert set(strata) == {f"k{number}" for number in range(7)}
    assert all((strata[draw(by_field, 5)] == name).sum() >= 5 for name in set(strata))
    _, uncertain = plan_of("uncertainty")
    doubt = -(world().scores * np.log2(world().scores)).sum(axis=1)
    assert np.corrcoef(uncertain.probabilities, doubt)[0, 1] > 0.8
    _, diverse = plan_of("diversity by scores")
    counts = np.unique(np.array(diverse.strata)[draw(diverse, 0)], return_counts=True)[1]
    assert counts.tolist() == [10] * 6


def test_the_precision_of_a_rare_rate_is_better_with_its_design() -> None:
    spread = {name: estimates(name)["total"][:, 2].std() for name in ("random", "rare-code")}
    assert spread["rare-code"] < 0.8 * spread["random"]


@pytest.mark.parametrize("name", ["random", "uncertainty", "rare-code"])
def test_intervals_hold_the_truth_as_often_as_they_say(name: str) -> None:
    found, plan = plan_of(name)
    truth, held = world().truth.mean(axis=0), np.zeros(3)
    for seed in range(400):
        units = draw(plan, seed)
        chats = [found.units[at].chat.id for at in units]
        rates = weighted_rates(world().truth[units], plan.probabilities[units], chats)
        held += [rate.low <= true <= rate.high for rate, true in zip(rates, truth, strict=True)]
    assert (held / 400 > 0.92).all()


def test_equal_chances_make_a_simple_random_sample() -> None:
    drawn = Counter(tuple(draw(simple(6, 3), seed).tolist()) for seed in range(2000))
    assert len(drawn) == 20
    assert sum((count - 100) ** 2 / 100 for count in drawn.values()) < 43.8  # chi-square, 19 degrees, .001


def test_draws_are_unbiased_over_clusters_that_differ_by_seed() -> None:
    vectors = np.arange(12.0)[:, None]
    times = np.zeros(12)
    for seed in range(DRAWS):
        plan = stratified([str(group) for group in clusters(vectors, 3, seed)], 3, equal=True)
        drawn = draw(plan, seed)
        times[drawn] += 1 / plan.probabilities[drawn]
    assert times / DRAWS == pytest.approx(np.ones(12), abs=0.25)


def test_given_chances_are_kept_and_conversations_without_one_are_left_out(tmp_path: Path) -> None:
    chats = [
        Conversation(f"c{i}", [Message("client", "i am sad"), Message(COUNSELOR, f"what happened {i}")])
        for i in range(6)
    ]
    path = tmp_path / "chances.csv"
    path.write_text("conversation_id,probability\nc0,0.9\nc1,0.5\nc2,0.2\nc3,0.4\n")
    chances = read_chances(path)
    found = with_chances(population(chats, "conversation", Done()), chances)
    assert [unit.chat.id for unit in found.units] == ["c0", "c1", "c2", "c3"]
    plan = planned(found, Request(design="given", size=2), None, chances).plan
    assert plan.probabilities == pytest.approx([0.9, 0.5, 0.2, 0.4])


def test_chances_as_spreadsheets_save_them(tmp_path: Path) -> None:
    path = tmp_path / "chances.csv"
    path.write_bytes("\ufeffconversation_id,probability\r\nc0,0.9\r\n".encode())
    assert read_chances(path) == {"c0": 0.9}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "chat,probability\nc0,1\n",
            r"chances\.csv:1: no column conversation_id\. Expected .*conversation_id, probability",
        ),
        ("conversation_id,probability\nc0,x\n", r"chances\.csv:2: probability: must be a number above 0 and at most 1"),
        ("conversation_id,probability\nc0,\n", r"chances\.csv:2: probability: must be a number above 0 and at most 1"),
        ("conversation_id,probability\nc0,0\n", "above 0 and at most 1"),
        ("conversation_id,probability\nc0,1\nc0,1\n", r"chances\.csv:3: conversation_id: .*more than once"),
    ],
)
def test_chances_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "chances.csv"
    path.write_text(text)
    with pytest.raises(UsageProblem, match=said):
        read_chances(path)
