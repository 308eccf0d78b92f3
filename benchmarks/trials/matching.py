"""A simulation with a known effect of treatment on the treated, for tests and `benchmarks/matching.py`.

900 seekers; who had the treatment depends on the score before, earlier chats and tenure, and so does the change, not in
a straight line. Treatment lowers the score by .8 points for everybody.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mi_coder.outcomes.match_effect import Effect, matched_effect, regression_effect, weighted_effect
from mi_coder.outcomes.matching import match_pairs
from mi_coder.outcomes.propensity import fit_propensity
from mi_coder.outcomes.sensitivity import placebo_effect

TRUTH = -0.8
SEEKERS = 900
NAMES = ("phq9_before", "earlier_chats", "tenure")
UNMATCHED = "unmatched"
PLACEBO = "placebo (score before)"


@dataclass(frozen=True, slots=True)
class Summary:
    """How an estimator did over all trials."""

    method: str
    bias: float
    deviation: float
    mean_se: float
    coverage: float
    trials: int

    @property
    def bias_error(self) -> float:
        """Monte-Carlo error of the bias."""
        return self.deviation / self.trials**0.5


def seekers(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariates [seekers, 3], treatment [seekers] and change [seekers] of one trial."""
    random = np.random.default_rng(seed)
    before = np.clip(np.round(random.normal(14, 5, SEEKERS)), 5, 27)
    chats = random.poisson(np.exp(0.5 + 0.03 * (before - 14)))
    tenure = random.exponential(1, SEEKERS)
    logit = -0.9 + 0.1 * (before - 14) + 0.25 * (np.log1p(chats) - 1) - 0.3 * (tenure - 1)
    treated = random.random(SEEKERS) < 1 / (1 + np.exp(-logit))
    curve = -0.35 * (before - 14) - 0.015 * (before - 14) ** 2 + 1.2 * np.log1p(chats) - 0.6 * np.minimum(tenure, 2)
    change = -1.5 + curve + TRUTH * treated + random.normal(0, 3, SEEKERS)
    return np.column_stack([before, np.log1p(chats), tenure]), treated, change


def trial(seed: int) -> dict[str, Effect]:
    """The effect by every method."""
    covariates, treated, change = seekers(seed)
    score = fit_propensity(NAMES, covariates, treated)
    pairs = match_pairs(score.logit, treated)
    effects = [
        matched_effect(change, pairs),
        matched_effect(change, pairs, NAMES, covariates),
        weighted_effect(change, treated, score),
        weighted_effect(change, treated, score, NAMES, covariates),
        regression_effect(change, treated, NAMES, covariates),
    ]
    return {
        UNMATCHED: regression_effect(change, treated, (), np.empty((SEEKERS, 0))),
        **{effect.method: effect for effect in effects},
        PLACEBO: placebo_effect(covariates[:, 0], treated, pairs),
    }


def summaries(trials: int, first_seed: int = 1) -> Iterator[Summary]:
    """Bias and coverage of every method; the truth of the placebo is 0."""
    runs = [trial(seed) for seed in range(first_seed, first_seed + trials)]
    for method in runs[0]:
        truth = 0.0 if method == PLACEBO else TRUTH
        effects = [run[method] for run in runs]
        estimates = np.array([effect.estimate for effect in effects])
        yield Summary(
            method=method,
            bias=float(estimates.mean()) - truth,
            deviation=float(estimates.std(ddof=1)),
            mean_se=float(np.mean([effect.se for effect in effects])),
            coverage=float(np.mean([effect.low <= truth <= effect.high for effect in effects])),
            trials=trials,
        )
