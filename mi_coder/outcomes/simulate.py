"""An invented platform: chats with codes, ratings and symptoms of which the truth is known.

For trying a study file, for teaching, and for planning. Nothing in it comes from real chats. Counselors have habits and
stay for different times; clients have symptoms before and after; ratings are often missing; a tagger makes errors that
depend on the rating, and a random part of the chats has gold codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem

EFFECTS: Mapping[str, float] = {"REF": 0.25, "AF": 0.35, "EA": 0.45, "PR": -0.20, "CO": -0.60, "IP": -0.90, "SU": 0.10}
"""On the latent rating, per 10 points of share."""
SYMPTOM_EFFECTS: Mapping[str, float] = {"REF": -0.30, "EA": -0.40, "PR": 0.25, "SU": -0.10}
"""On the PHQ-9 after, in points per 10 points of share."""
CUTS = (-2.6, -1.8, -0.8, 0.6)
_RARE = {"EA": 0.03, "DI": 0.02, "ST": 0.02, "WA": 0.008, "CO": 0.015, "RC": 0.01, "IP": 0.01}


@dataclass(frozen=True, slots=True, eq=False)
class Platform:
    """Simulated tables, by chat id.

    Attributes:
        tagged: counts of the tagger's codes, with `messages` and all that is known of a chat.
        gold: counts of the true codes of a random part of the chats, with `messages`.
        truth: counts of the true codes of all chats.
    """

    tagged: pd.DataFrame
    gold: pd.DataFrame
    truth: pd.DataFrame

    def write(self, folder: str | Path) -> None:
        """Write chats.csv (as `data.counts`) and gold.csv (as `label_error.counts`)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.tagged.to_csv(folder / "chats.csv", index_label="conversation_id")
        self.gold.to_csv(folder / "gold.csv", index_label="conversation_id")


def simulate(chats: int = 3000, counselors: int = 120, gold: float = 0.15, seed: int = 1) -> Platform:
    """An invented platform of about so many chats.

    Args:
        gold: share of the chats with gold codes, from 0 to 1.

    Raises:
        UsageProblem: another share.
    """
    if not 0 <= gold <= 1:
        raise UsageProblem(f"The share of chats with gold codes is {gold:g}: it must be from 0 to 1.")
    random = np.random.default_rng(seed)
    ids = list(Codebook.load().ids)
    base = np.array([_RARE.get(code, 0.06) for code in ids])
    base /= base.sum()
    stay = random.gamma(1.2, size=counselors) + 0.15
    counselor = np.sort(random.choice(counselors, chats, p=stay / stay.sum()))
    order = pd.Series(counselor).groupby(counselor).cumcount().to_numpy()
    liking = random.dirichlet(base * 80, counselors)
    tilt = np.outer(np.log1p(order), np.where(np.isin(ids, ["REF", "OQ", "EA"]), 0.10, 0.0))
    style = random.gamma(liking[counselor] * 50 * np.exp(tilt) + 1e-3)
    messages: Floats = np.asarray(8 + random.negative_binomial(3, 3 / 25, chats), dtype=np.float64)
    truth = random.multinomial(messages.astype(int), style / style.sum(axis=1, keepdims=True)).astype(float)
    share = 10 * truth / messages[:, None]
    client = random.integers(0, max(chats // 2, 1), chats)
    sorrow = random.normal(size=client.max() + 1)[client]
    before = np.clip(np.round(11 + 5 * sorrow + random.normal(0, 2, chats)), 0, 27)
    person = 0.3 * random.normal(size=counselors)[counselor]
    latent = share @ _of(EFFECTS, ids) + person - 0.3 * sorrow + 0.2 * np.log(messages) + random.logistic(size=chats)
    rating = np.digitize(latent - latent.mean(), CUTS) + 1.0
    drop = 2 + 0.8 * before + share @ _of(SYMPTOM_EFFECTS, ids) - person + random.normal(0, 2.5, chats)
    started = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(
        random.uniform(0, 60, counselors)[counselor] + order * random.gamma(2, 2, counselors)[counselor], unit="D"
    )
    tagged = _found(truth, messages, rating, random)
    answered = random.random(chats) < 1 / (1 + np.exp(-(0.2 + 0.4 * (rating - 4))))
    index = pd.Index([f"chat{i:05d}" for i in range(chats)])
    known = pd.DataFrame(
        {
            "messages": messages.astype(int),
            "counselor_id": [f"counselor{i:03d}" for i in counselor],
            "client_id": [f"client{i:04d}" for i in client],
            "started_at": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "earlier_chats": order,
            "client_age": np.round(np.clip(random.normal(29, 9, chats), 18, 80)),
            "rating": np.where(answered, rating, np.nan),
            "phq9_pre": before,
            "phq9_post": np.clip(np.round(drop), 0, 27),
        },
        index=index,
    )
    frames = [pd.DataFrame(counts, columns=ids, index=index).astype(int) for counts in (tagged, truth)]
    coded = np.sort(random.choice(chats, int(gold * chats), replace=False))
    true = frames[1].assign(messages=messages.astype(int))
    return Platform(known.join(frames[0]), true.iloc[coded], true)


def _of(effects: Mapping[str, float], ids: list[str]) -> Floats:
    return np.array([effects.get(code, 0.0) for code in ids])


def _found(truth: Floats, messages: Floats, rating: Floats, random: np.random.Generator) -> Floats:
    """What a tagger finds: less of each code in chats that went badly, and other codes in place of what it misses."""
    codes = truth.shape[1]
    recall = np.linspace(0.9, 0.6, codes)[random.permutation(codes)]
    found = np.zeros_like(truth)
    for level, change in ((rating >= 4, 0.03), (rating < 4, -0.10)):
        seen = random.binomial(truth[level].astype(int), np.clip(recall + change, 0, 1))
        missed = (truth[level] - seen).sum(axis=1).astype(int)
        found[level] = seen + random.multinomial(missed, np.full(codes, 1 / codes))
    return np.minimum(found, messages[:, None])
