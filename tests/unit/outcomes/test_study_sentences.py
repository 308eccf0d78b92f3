"""Findings in words: which way is better, and whether the tagger's errors were found to depend on the outcome."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mi_coder.codebook import Codebook
from mi_coder.outcomes.simulate import simulate
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.spec import study_of

IDS = list(Codebook.load().ids)
SYMPTOM = {"name": "depression", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "score"}
RATING = {"name": "stars", "type": "rating", "levels": [1, 2, 3, 4, 5]}
CHANGE = {"name": "mood", "type": "change", "before": "phq9_pre", "after": "score"}
CODES = ["REF", "EA"]


def _noise(chats: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=chats)


def _sentences(outcome: dict[str, Any], sign: int = 1, gold: pd.DataFrame | None = None) -> tuple[str, ...]:
    """Of a study in which Reflection raises the outcome strongly, lowers it, or does nothing to it."""
    tagged = simulate(chats=600, counselors=60, seed=4).tagged
    share = 10 * tagged["REF"] / tagged[IDS].sum(axis=1)
    noise = _noise(len(tagged))
    score = np.clip(np.round(13 + 4 * sign * (share - share.mean()) + noise), 0, 27)
    stars = np.digitize(sign * (share - share.mean()) + 0.3 * noise, [-0.5, -0.1, 0.2, 0.6]) + 1.0
    frame = tagged.drop(columns=IDS).assign(score=score, stars=stars, log_messages=np.log(tagged["messages"]))
    study = study_of(
        {
            "data": {"counts": "x"},
            "outcomes": [{**outcome, "models": ["linear"]}],
            "techniques": {"codes": CODES, "within_between": False},
        }
    )
    coded = None if gold is None else Chats(gold[IDS].astype(float), gold[["messages"]], {})
    return study.fit(chats=Chats(tagged[IDS].astype(float), frame, {}), gold=coded).sentences


@pytest.mark.parametrize(
    ("outcome", "sign", "said"),
    [
        (SYMPTOM, -1, "Reflection goes with lower values (fewer symptoms: better), -"),
        (SYMPTOM, 1, "Reflection goes with higher values (more symptoms: worse), "),
        (RATING, 1, "Reflection goes with higher values (a better rating), "),
        (RATING, -1, "Reflection goes with lower values (a worse rating), -"),
        (CHANGE, 1, "Reflection goes with higher values, "),
    ],
)
def test_findings_say_which_way_is_better(outcome: dict[str, Any], sign: int, said: str) -> None:
    assert said in _sentences(outcome, sign)[0]


def _gold(errors: str) -> pd.DataFrame:
    """Gold codes of every other chat: what the tagger found, but for errors of one kind."""
    tagged = simulate(chats=600, counselors=60, seed=4).tagged
    random = np.random.default_rng(2)
    noise, gold = _noise(len(tagged)), tagged.copy()
    for code in CODES:
        missed = random.binomial(3, 0.4, len(tagged))
        gold[code] += {"none": 0, "even": missed, "by outcome": missed * (noise > 0)}[errors]
    return gold.iloc[::2]


@pytest.mark.parametrize(
    ("errors", "said", "p"),
    [
        ("by outcome", "the tagger's errors were found to depend on the outcome (p", "< .001"),
        ("even", "there was no sign that the tagger's errors depend on the outcome (p", "= "),
        ("none", "it could not be tested whether the tagger's errors depend on the outcome", ""),
    ],
)
def test_errors_that_depend_on_the_outcome_are_a_sentence(errors: str, said: str, p: str) -> None:
    found = [each for each in _sentences(SYMPTOM, 0, _gold(errors)) if "the tagger's errors" in each and "gold" in each]
    assert len(found) == 1 and found[0].startswith("depression: in 300 gold chats") and said in found[0]
    assert p in found[0]
    assert ("This does not prove that they do not: the test misses small differences" in found[0]) == (errors == "even")


def test_without_gold_nothing_is_said_of_errors_by_outcome() -> None:
    assert not any("depend on the outcome" in sentence for sentence in _sentences(SYMPTOM))
