"""Simulated studies in which the tagger's errors and the true coefficients are known.

2,000 chats of 200 counselors with habits of their own, about 38 coded messages each, 21 codes from .4 to 16 % of
messages, and a tagger that finds .35 to .88 of each. A tenth of the chats has gold codes. `differential` errors depend
on the outcome: the tagger finds more in chats that went well, and much less in those that did not.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.outcomes.families import fit_family
from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.label_error import Coefficients, correct

Family = Literal["linear", "ordinal"]

CODES = 21
FOCAL = {1: 0.10, 2: 0.20, 3: 0.05, 4: -0.10, 5: 0.25, 6: -0.30, 7: 0.08}
"""Effects per 10 points of share, of codes that have one."""
NULL = (8, 9, 10, 11, 12, 13)
"""Codes without effect whose coefficients are tested."""
GOLD = 0.1
COUNSELORS = 200
MESSAGES = 38
METHODS = ("naive", "gold_only", "corrected")
NAMES = tuple(f"code{k}" for k in range(1, CODES))
_CUTS = (-2.2, -1.2, -0.2, 1.2)


@dataclass(frozen=True, eq=False)
class World:
    """What all studies share: [codes] base rates, the most common first, and [true, found] probabilities."""

    base: Floats
    confusion: Floats


@dataclass(frozen=True, eq=False)
class Trials:
    """[methods, focal codes then null codes, studies] estimates and interval ends, not a number where a fit failed."""

    estimate: Floats
    low: Floats
    high: Floats
    truth: Floats

    @property
    def failed(self) -> int:
        """Studies that a fit refused; shares are of the others."""
        return int(np.isnan(self.low[METHODS.index("corrected"), 0]).sum())

    def coverage(self, method: str) -> float:
        """Share of the focal codes' intervals that hold the truth."""
        i, focal = METHODS.index(method), slice(0, len(FOCAL))
        inside = (self.low[i, focal] <= self.truth[focal, None]) & (self.truth[focal, None] <= self.high[i, focal])
        return float(inside[~np.isnan(self.low[i, focal])].mean())

    def rejection(self, method: str) -> float:
        """Share of the null codes' intervals without 0."""
        i, null = METHODS.index(method), slice(len(FOCAL), None)
        outside = (self.low[i, null] > 0) | (self.high[i, null] < 0)
        return float(outside[~np.isnan(self.low[i, null])].mean())

    def bias(self, method: str) -> Floats:
        """[focal codes] mean estimate less truth."""
        return np.nanmean(self.estimate[METHODS.index(method), : len(FOCAL)], axis=1) - self.truth[: len(FOCAL)]

    def rmse(self, method: str) -> float:
        """Root mean square error over focal codes and studies."""
        error = self.estimate[METHODS.index(method), : len(FOCAL)] - self.truth[: len(FOCAL), None]
        return float(np.sqrt(np.nanmean(error**2)))

    def width(self, method: str) -> float:
        """Mean width of the focal codes' intervals."""
        i = METHODS.index(method)
        return float(np.nanmean((self.high - self.low)[i, : len(FOCAL)]))


def world() -> World:
    """The codes and the tagger."""
    random = np.random.default_rng(20221105)
    base = np.geomspace(0.16, 0.004, CODES)
    base /= base.sum()
    recall = random.permutation(np.linspace(0.35, 0.88, CODES))
    elsewhere = random.gamma(0.6, size=(CODES, CODES)) * np.sqrt(base)
    np.fill_diagonal(elsewhere, 0)
    confusion = elsewhere / elsewhere.sum(axis=1, keepdims=True) * (1 - recall)[:, None]
    return World(base, confusion + np.diag(recall))


def trials(family: Family, differential: bool, replications: int, first: int = 0, truth_chats: int = 300_000) -> Trials:
    """Simulate studies with seeds from 1000 + `first` on; the truth is the gold model on `truth_chats` chats."""
    true = truth(family, truth_chats)
    tested = [k - 1 for k in (*FOCAL, *NULL)]
    shape = (len(METHODS), len(tested), replications)
    estimate, low, high = (np.full(shape, np.nan) for _ in range(3))
    for r in range(replications):
        for i, part in enumerate(one_study(family, differential, 1000 + first + r)):
            if part is not None:
                estimate[i, :, r], low[i, :, r], high[i, :, r] = (
                    each[tested] for each in (part.coefficients, part.low, part.high)
                )
    return Trials(estimate, low, high, true[tested])


def one_study(family: Family, differential: bool, seed: int) -> "list[Coefficients | None]":
    """Naive, gold-only and corrected coefficients of one study, or None for each where a fit failed."""
    given = world()
    random = np.random.default_rng(seed)
    counts, covariates, outcome, counselor = _chats(given, family, 2_000, COUNSELORS, random)
    found = _found(given, counts, outcome, differential, random)
    rows = np.sort(random.choice(len(outcome), int(GOLD * len(outcome)), replace=False))
    names = (*NAMES, "severity", "log_length")
    tagged, gold = (np.hstack([_shares(each), covariates]) for each in (found, counts))
    try:
        # Intervals are by t; of p, for which the bootstrap is, nothing is taken.
        result = correct(family, outcome, names, tagged, gold[rows], rows, counselor, draws=1)
    except ModelProblem:
        return [None, None, None]
    return [result.naive, result.gold_only, result.corrected]


def truth(family: Family, chats: int = 300_000) -> Floats:
    """[columns] coefficients of the gold model on so many chats."""
    given = world()
    random = np.random.default_rng(7)
    counts, covariates, outcome, _ = _chats(given, family, chats, chats // 10, random)
    columns = np.hstack([_shares(counts), covariates])
    return fit_family(family, outcome, (*NAMES, "severity", "log_length"), columns).coefficients


def _chats(
    given: World, family: Family, chats: int, counselors: int, random: np.random.Generator
) -> tuple[Floats, Floats, Floats, np.ndarray]:
    """[chats, codes] true counts, [chats, 2] severity and log length, [chats] outcome and counselor."""
    habits = random.dirichlet(given.base * 60, counselors)
    counselor = random.integers(0, counselors, chats)
    style = random.standard_gamma(habits[counselor] * 40 + 1e-3)
    style /= style.sum(axis=1, keepdims=True)
    length = 5 + random.negative_binomial(4, 4 / (4 + MESSAGES - 5), chats)
    counts = random.multinomial(length, style).astype(float)
    severity = random.normal(size=chats)
    covariates = np.column_stack([severity, np.log(length)])
    effect = np.zeros(CODES)
    effect[list(FOCAL)] = list(FOCAL.values())
    linear = 10 * counts / length[:, None] @ effect - 0.3 * severity + 0.2 * covariates[:, 1]
    linear += 0.3 * random.normal(size=counselors)[counselor]
    if family == "linear":
        return counts, covariates, linear + random.normal(size=chats), counselor
    latent = linear - linear.mean() + random.logistic(size=chats)
    return counts, covariates, np.digitize(latent, _CUTS) + 1.0, counselor


def _found(given: World, counts: Floats, outcome: Floats, differential: bool, random: np.random.Generator) -> Floats:
    """[chats, codes] what the tagger finds of true counts."""
    if not differential:
        return _confused(given.confusion, counts, random)
    well = outcome >= np.quantile(outcome, 0.5)
    found = np.empty_like(counts)
    for chosen, change in ((well, 0.06), (~well, -0.18)):
        recall = np.clip(np.diag(given.confusion) + change, 0.05, 0.98)
        elsewhere = given.confusion * (1 - np.eye(CODES))
        if change < 0:
            elsewhere = elsewhere[:, ::-1] * (1 - np.eye(CODES)) + 1e-6
        confusion = elsewhere / elsewhere.sum(axis=1, keepdims=True) * (1 - recall)[:, None] + np.diag(recall)
        np.fill_diagonal(confusion, recall)
        found[chosen] = _confused(confusion, counts[chosen], random)
    return found


def _confused(confusion: Floats, counts: Floats, random: np.random.Generator) -> Floats:
    probabilities = confusion / confusion.sum(axis=1, keepdims=True)
    return np.sum(
        [random.multinomial(counts[:, k].astype(int), probabilities[k]) for k in range(CODES)], axis=0
    ).astype(float)


def _shares(counts: Floats) -> Floats:
    """[chats, codes - 1] in steps of 10 points; the most common code is the reference."""
    return 10 * counts[:, 1:] / counts.sum(axis=1, keepdims=True)
