"""The simulated data whose truth is known, by the recipe of the reference values."""

from dataclasses import dataclass

import numpy as np

SLOPES_WITHIN = np.array([0.3, 0.1, -0.2])
SLOPES_BETWEEN = np.array([0.5, 0.1, -0.6])
CUTS = (-2.5, -1.5, -0.5, 0.75)
NAMES = ("refl_w", "ques_w", "adv_w", "refl_b", "ques_b", "adv_b")


@dataclass(frozen=True, eq=False)
class KnownTruth:
    """4,800 conversations of 120 counselors with 1,200 clients."""

    counselor: np.ndarray
    client: np.ndarray
    shares: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    rating: np.ndarray

    @property
    def techniques(self) -> np.ndarray:
        """[rows, 6] within counselor, then between."""
        means = np.array([self.shares[self.counselor == i].mean(axis=0) for i in range(self.counselor.max() + 1)])
        between = means[self.counselor]
        return np.column_stack([self.shares - between, between])


def sim_known(seed: int = 20240501, counselors: int = 120, each: int = 40, clients: int = 1200) -> KnownTruth:
    """Draw the data; the order of the draws is part of the recipe."""
    random = np.random.default_rng(seed)
    rows = counselors * each
    counselor = np.repeat(np.arange(counselors), each)
    client = random.integers(0, clients, rows)
    habits = 0.6 * random.normal(size=(counselors, 3))
    shares = habits[counselor] + random.normal(size=(rows, 3))
    of_counselor = 0.5 * random.normal(size=counselors)
    of_client = 0.4 * random.normal(size=clients)
    pre = random.integers(5, 25, rows)
    means = np.array([shares[counselor == i].mean(axis=0) for i in range(counselors)])[counselor]
    better = (shares - means) @ SLOPES_WITHIN + means @ SLOPES_BETWEEN + of_counselor[counselor] + of_client[client]
    post = 2 + 0.7 * pre - better + 2 * random.normal(size=rows)
    latent = better + random.logistic(size=rows)
    rating = 1 + (latent[:, None] > CUTS).sum(axis=1)
    return KnownTruth(counselor, client, shares, pre, post, rating)
