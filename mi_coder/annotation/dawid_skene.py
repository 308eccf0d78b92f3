"""How often each coder is right, and what is likely true, from codings alone.

Dawid and Skene (1979), Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied Statistics
28(1), 20-28: each message has a true answer, and each coder gives each answer with a probability that depends on the
true one alone. The algorithm starts from the shares of the answers that a message got (their equation 3.1), so equal
codings give equal estimates, in whatever order they come. Coders need not code every message.

With fewer than three coders the codings do not tell how often each of them is right, so no estimate is made. Of a coder
who codes a message in several rounds the last one counts: errors of one person repeat.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.annotation.codings import Unit
from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem

LEAST_CODERS = 3
SMOOTHING = 1.0
_TOLERANCE = 1e-8
_MOST_ROUNDS = 2000
_ABSENT, _PRESENT = 0, 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """What EM came to.

    Attributes:
        classes: [classes] how often each class is the true one.
        rates: [coders, classes, answers] probability of each answer of a coder, by the true class.
        posterior: [messages, classes] probability that each class is the true one.
        converged: whether it came to rest.
    """

    classes: Floats
    rates: Floats
    posterior: Floats
    converged: bool


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well one coder tells one code.

    Attributes:
        codings: how many codings of this coder say whether the code is present.
        sensitivity: probability that the coder gives the code where it is truly present.
        specificity: probability that the coder does not give it where it is truly absent.
    """

    coder: str
    codings: int
    sensitivity: float
    specificity: float


@dataclass(frozen=True, slots=True)
class CodeEstimate:
    """One code.

    Attributes:
        prevalence: share of the messages in which it is truly present.
        accuracies: of each coder, in the order of their names.
        presence: probability that it is truly present, by id of the message.
        converged: whether the estimate came to rest.
    """

    code: str
    prevalence: float
    accuracies: tuple[Accuracy, ...]
    presence: Mapping[str, float]
    converged: bool


def estimate(answers: Floats, smoothing: float = 0.0) -> Estimate:
    """Dawid and Skene's maximum likelihood estimate.

    Args:
        answers: [messages, coders, classes] how often each coder gave each answer; zeros where a coder gave none. Each
            message has an answer by somebody.
        smoothing: this many codings of each answer are added to those of a coder in each class, which keeps
            probabilities off 0 and 1 where a class is rare; 0 is the estimate of the paper.
    """
    shares = answers.sum(axis=1)
    posterior = shares / shares.sum(axis=1, keepdims=True)
    for _ in range(_MOST_ROUNDS):
        classes, rates = _maximize(answers, posterior, smoothing)
        before, posterior = posterior, _expect(answers, classes, rates)
        if np.abs(posterior - before).max() < _TOLERANCE:
            return Estimate(classes, rates, posterior, converged=True)
    return Estimate(classes, rates, posterior, converged=False)


def code_estimates(
    units: Sequence[Unit], progress: Callable[[str, int, int], None] = lambda code, number, codes: None
) -> list[CodeEstimate]:
    """Each code that anybody gave, present or absent, in the order of the codebook.

    Args:
        progress: told before each code: its id, its number from 1, and how many there are.

    Raises:
        UsageProblem: there are fewer than three coders.
    """
    units = [unit.last_rounds() for unit in units]
    coders = sorted({given.coder for unit in units for given in unit.given})
    if len(coders) < LEAST_CODERS:
        raise UsageProblem(
            f"Dawid and Skene's estimate needs {LEAST_CODERS} coders or more, and these codings are by {len(coders)}: "
            "if two coders differ, it is unknown which of them is right. Use --rule majority or unanimous."
        )
    given = Codebook.load().in_order({code for unit in units for gold in unit.codings for code in gold.positive})
    estimates = []
    for at, code in enumerate(given, start=1):
        progress(code, at, len(given))
        estimates.append(_code_estimate(code, units, coders))
    return estimates


def _code_estimate(code: str, units: Sequence[Unit], coders: Sequence[str]) -> CodeEstimate:
    number = {coder: at for at, coder in enumerate(coders)}
    answers = np.zeros((len(units), len(coders), 2))
    for at, unit in enumerate(units):
        for one in unit.given:
            answers[at, number[one.coder], _PRESENT] += code in one.gold.positive
            answers[at, number[one.coder], _ABSENT] += code in one.gold.negative
    told = np.flatnonzero(answers.any(axis=(1, 2))).tolist()
    found = estimate(answers[told], SMOOTHING)
    codings = answers.sum(axis=(0, 2)).astype(int).tolist()
    right = np.diagonal(found.rates, axis1=1, axis2=2).tolist()
    accuracies = tuple(
        Accuracy(coder, codings[at], right[at][_PRESENT], right[at][_ABSENT]) for at, coder in enumerate(coders)
    )
    presence = {units[at].id: chance for at, chance in zip(told, found.posterior[:, _PRESENT].tolist(), strict=True)}
    return CodeEstimate(code, float(found.classes[_PRESENT]), accuracies, presence, found.converged)


def _maximize(answers: Floats, posterior: Floats, smoothing: float) -> tuple[Floats, Floats]:
    """Shares of the classes, and rates of the coders, from the posteriors (equations 2.3 and 2.4)."""
    messages, coders, several = answers.shape
    given = answers.reshape(messages, -1).T @ posterior
    counts = given.reshape(coders, several, -1).transpose(0, 2, 1) + smoothing
    totals = counts.sum(axis=2, keepdims=True)
    rates = np.divide(counts, totals, out=np.full_like(counts, 1 / answers.shape[2]), where=totals > 0)
    return posterior.mean(axis=0), rates


def _expect(answers: Floats, classes: Floats, rates: Floats) -> Floats:
    """Posteriors from the shares of the classes and the rates of the coders (equation 2.5)."""
    tiny = np.finfo(np.float64).tiny
    by_answer = np.log(np.maximum(rates, tiny)).transpose(0, 2, 1).reshape(-1, len(classes))
    logs = np.log(np.maximum(classes, tiny)) + answers.reshape(len(answers), -1) @ by_answer
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)
