"""Simulated studies with the coefficients that two published studies report, which the presets have to find again.

`shah`: Shah et al. 2022 (arXiv 2211.05182), Table 6. 8,000 chats of 400 counselors who are unequally busy, about 45
coded messages each, all 21 codes at the paper's rates times the counselor's habit and the chat's style. The logistic
errors of one counselor's chats hang together by a Gaussian copula, so that each error is still logistic and the
coefficients of the logit are exactly the table's. Ratings from 1 to 5; about 79 % are 4 or 5.

`yang`: Yang, Fang et al. 2024 (arXiv 2312.10775), Table 7. 4,800 periods of 3,000 clients with a random intercept;
counselors use all techniques more with clients in a bad mood. Measures count per standard deviation of the study at
hand. `matched`: their Table 4. 3,200 periods of 2,000 clients; who chats at all depends on the score before, earlier
chats, tenure and active days. Scores after are not rounded and not cut off at 0 and 6, so that coefficients are exact.

Studies under the null have all coefficients of techniques, or of the treatment, at 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special

from mi_coder.arrays import Bools, Floats
from mi_coder.codebook import Codebook
from mi_coder.outcomes.study.chats import Chats
from mi_coder.outcomes.study.match import run_matching
from mi_coder.outcomes.study.presets import SEVEN_MEASURES
from mi_coder.outcomes.study.spec import Covariate, Data, Matching, Outcome, Study, Techniques

Scale = Literal["PHQ-2", "GAD-2"]
Columns = dict[str, Floats]
Estimates = tuple[Floats, Floats, Floats]
"""[coefficients] estimates and both ends of their intervals."""

MESSAGES = 14_797
TABLE_6 = {
    "OQ": (2507, 0.0),
    "CQ": (1956, 0.011),
    "PR": (1918, 0.018),
    "REF": (1697, 0.035),
    "AF": (346, 0.036),
    "SC": (271, 0.0),
    "EA": (120, 0.078),
    "DI": (250, 0.019),
    "IP": (224, -0.086),
    "PD": (1605, 0.001),
    "SU": (1493, 0.013),
    "INT": (1260, 0.0),
    "GR": (1027, 0.008),
    "CC": (963, -0.004),
    "OUT": (340, 0.014),
    "GI": (304, -0.025),
}
"""Messages of 14,797 with the code, and its coefficient."""
UNMODELED = {"OT": 1299, "ST": 40, "WA": 20, "CO": 20, "RC": 30}
"""Messages with the codes that are not in the model; all but Other are said to be below 50."""
TABLE_6_CONTROLS = {"member_age": -0.007, "listener_age": -0.003, "past_rating": 0.522}
SATISFIED = 0.79
CUTS = (-1.0, -0.6, 0.0, 1.1)
"""Where the rating goes up by 1, in latent satisfaction; from 0 on it is 4."""
TABLE_7: dict[Scale, tuple[float, ...]] = {
    "PHQ-2": (0.019, 0.011, -0.022, -0.007, 0.016, -0.020, 0.022),
    "GAD-2": (0.017, 0.005, -0.008, 0.007, 0.001, 0.005, 0.033),
}
"""Of the seven measures in the order of the preset, per standard deviation."""
TABLE_7_CONTROLS: dict[Scale, dict[str, float]] = {
    "PHQ-2": {
        "log_messages": -0.023,
        "log_messages x before": -0.071,
        "provider_age": -0.036,
        "log_modules": 0.017,
        "negative": 0.208,
        "positive": -0.024,
    },
    "GAD-2": {
        "log_messages": 0.012,
        "log_messages x before": -0.056,
        "provider_age": -0.019,
        "log_modules": 0.037,
        "negative": 0.193,
        "positive": -0.011,
    },
}
TABLE_4: dict[Scale, dict[str, float]] = {
    "PHQ-2": {
        "treated": -0.126,
        "before (per sd)": 0.668,
        "treated x before": -0.155,
        "log1p(earlier_chats)": -0.052,
    },
    "GAD-2": {
        "treated": -0.036,
        "before (per sd)": 0.683,
        "treated x before": -0.145,
        "log1p(earlier_chats)": -0.065,
    },
}
CONSTANT = 3.6
BETWEEN, WITHIN = 0.8, 1.2
"""Standard deviations of the clients' intercepts and of periods."""
HABIT, STYLE, SHARED = 6.0, 12.0, 0.1
"""Shapes of the gamma distributions of habits and styles; share of latent variance that a counselor's chats share."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Many studies of one design.

    Attributes:
        title: of the design.
        names, truth: [coefficients]
        tested: [coefficients] those that are 0 under the null: of techniques or the treatment.
        estimate, low, high: [coefficients, studies] with ends of 95 % intervals.
    """

    title: str
    names: tuple[str, ...]
    truth: Floats
    tested: Bools
    estimate: Floats
    low: Floats
    high: Floats

    @property
    def studies(self) -> int:
        """How many."""
        return self.estimate.shape[1]

    def error(self) -> Floats:
        """[coefficients] Monte-Carlo error of the mean estimate."""
        return np.asarray(self.estimate.std(axis=1, ddof=1) / self.studies**0.5)

    def off(self) -> Floats:
        """[coefficients] mean estimate less truth, in Monte-Carlo errors."""
        return np.asarray((self.estimate.mean(axis=1) - self.truth) / self.error())

    def covered(self) -> Floats:
        """[coefficients] how many intervals hold the truth."""
        return np.asarray(((self.low <= self.truth[:, None]) & (self.truth[:, None] <= self.high)).sum(axis=1))

    def rejected(self) -> Floats:
        """[tested coefficients] how many intervals are without 0: p below .05."""
        return np.asarray(((self.low > 0) | (self.high < 0)).sum(axis=1))[self.tested]


def shah(studies: int, null: bool = False, first: int = 0) -> Trials:
    """Ratings by Table 6 and the preset shah2022; seeds from 1000 + `first` on."""
    coefficients = {code: 0.0 if null else b for code, (_, b) in TABLE_6.items()}
    study = Study(
        data=Data(),
        outcomes=(Outcome(name="rating", type="rating", models=("linear",)),),
        preset="shah2022",
        covariates=tuple(TABLE_6_CONTROLS),
        techniques=_SMALLEST,
    )
    truth = coefficients | TABLE_6_CONTROLS

    def one(seed: int) -> Estimates:
        return _of_preset(study, rated_chats(coefficients, seed), tuple(truth), np.ones(len(truth)))

    return _trials("Table 6, shah2022", truth, tuple(coefficients), one, studies, first)


def yang(scale: Scale, studies: int, null: bool = False, first: int = 0, noise: float = 1.0) -> Trials:
    """Scores by Table 7 and the preset yang2024, all per standard deviation; `noise` multiplies what is unexplained."""
    measures = dict(zip(SEVEN_MEASURES, (0.0,) * 7 if null else TABLE_7[scale], strict=True))
    study = Study(
        data=Data(client="client_id"),
        outcomes=(Outcome(name="score", type="change", before="before", after="after", models=("linear",)),),
        preset="yang2024",
        covariates=tuple(
            Covariate(field=name, transform="standardize")
            for name in ("provider_age", "log_modules", "log_chats", "negative", "positive")
        ),
        techniques=_SMALLEST,
    )
    truth = measures | TABLE_7_CONTROLS[scale]

    def one(seed: int) -> Estimates:
        chats = periods(measures, TABLE_7_CONTROLS[scale], seed, noise)
        spread = chats.frame[["log_messages", "before"]].std(ddof=0).to_numpy()
        per_sd = np.ones(len(truth))
        per_sd[len(measures) : len(measures) + 2] = spread[0], spread.prod()
        return _of_preset(study, chats, tuple(truth), per_sd)

    return _trials(f"Table 7, {scale}, yang2024", truth, tuple(measures), one, studies, first)


def matched(scale: Scale, studies: int, null: bool = False, first: int = 0, noise: float = 1.0) -> Trials:
    """Scores by Table 4, matched and then with a random effect for clients.

    The score before enters per standard deviation of the rows that were matched, and the effect of the treatment is at
    their mean. Both differ a little from study to study, and so does what the coefficients should be: estimates and
    intervals are moved by that difference.
    """
    truth = TABLE_4[scale] | ({"treated": 0.0, "treated x before": 0.0} if null else {})
    study = Study(
        data=Data(counselor="", client="client_id"),
        outcomes=(Outcome(name="score", type="change", before="before", after="after"),),
        matching=Matching(
            treated="treated",
            covariates=(
                "age",
                Covariate(field="earlier_chats", transform="log1p"),
                Covariate(field="tenure", transform="log1p"),
                "active_days",
                "before",
            ),
        ),
    )

    def one(seed: int) -> Estimates:
        chats = treated_periods(truth, seed, noise)
        found = run_matching(study, chats=chats)
        assert found.random_effects is not None, found.notes
        rows = found.random_effects.set_index("term").loc[list(truth)]
        z = _standard(chats.frame["before"].to_numpy())[found.chosen.pairs.rows]
        at_hand = truth | {
            "treated": truth["treated"] + truth["treated x before"] * z.mean(),
            "before (per sd)": truth["before (per sd)"] * z.std(),
            "treated x before": truth["treated x before"] * z.std(),
        }
        move = _values(truth) - _values(at_hand)
        low, middle, high = (rows[name].to_numpy() + move for name in ("ci_low", "estimate", "ci_high"))
        return middle, low, high

    return _trials(f"Table 4, {scale}, matched", truth, ("treated", "treated x before"), one, studies, first)


def rated_chats(coefficients: dict[str, float], seed: int, chats: int = 8_000, counselors: int = 400) -> Chats:
    """Chats with ratings by a logit of the counts, ages and past ratings."""
    random = np.random.default_rng(seed)
    busy = random.gamma(1.5, size=counselors)
    counselor = random.choice(counselors, chats, p=busy / busy.sum())
    messages = 5 + random.negative_binomial(1.5, 1.5 / (1.5 + 40), chats)
    counts = _counts(random, counselor, messages, np.ones(chats))
    controls = {
        "member_age": 18 + random.gamma(1.5, 7.0, chats),
        "listener_age": (18 + random.gamma(1.5, 8.0, counselors))[counselor],
        "past_rating": 5 - np.minimum(random.gamma(1.1, 0.8, chats), 4),
    }
    linear = counts[list(coefficients)].to_numpy() @ _values(coefficients)
    linear += np.column_stack(list(controls.values())) @ _values(TABLE_6_CONTROLS)
    constant = optimize.brentq(lambda a: special.expit(linear + a).mean() - SATISFIED, -20, 20)
    normal = SHARED**0.5 * random.normal(size=counselors)[counselor] + (1 - SHARED) ** 0.5 * random.normal(size=chats)
    latent = constant + linear + special.log_ndtr(normal) - special.log_ndtr(-normal)
    return _chats(
        counts,
        messages,
        {"counselor_id": counselor, "client_id": np.arange(chats), **controls, "rating": np.digitize(latent, CUTS) + 1},
    )


def periods(
    measures: dict[str, float], controls: dict[str, float], seed: int, noise: float = 1.0, clients: int = 3_000
) -> Chats:
    """Periods with scores by a linear model with a random intercept for the client; coefficients per deviation."""
    random = np.random.default_rng(seed)
    client = _of_clients(random, clients)
    rows, counselors = len(client), 300
    counselor = random.integers(0, counselors, rows)
    before = _scores_before(random, rows)
    negative = 0.3 * _standard(before) + random.normal(size=rows)
    chats = 1 + random.poisson(1.5, rows)
    messages = np.ceil(60 * chats * np.exp(0.7 * random.normal(size=rows))).astype(int)
    counts = _counts(random, counselor, messages, np.exp(0.15 * negative))
    given: Columns = {
        "provider_age": (18 + random.gamma(1.5, 8.0, counselors))[counselor],
        "log_modules": np.log1p(random.poisson(random.gamma(1.0, 8.0, counselors))[counselor]),
        "log_chats": np.log(chats),
        "negative": negative,
        "positive": random.normal(size=rows) - 0.3 * negative,
    }
    use = {name: counts[["OQ", "CQ"] if name == "Question" else [name]].sum(axis=1).to_numpy() for name in measures}
    turns = _standard(np.log(messages))
    held = {name: _standard(values) for name, values in given.items()}
    held |= {"log_messages": turns, "log_messages x before": turns * _standard(before)}
    after = CONSTANT + 0.668 * _standard(before) + noise * _client_noise(random, client, clients)
    after += sum(measures[name] * _standard(use[name]) for name in measures)
    after += sum(b * held[name] for name, b in controls.items())
    return _chats(
        counts, messages, {"counselor_id": counselor, "client_id": client, **given, "before": before, "after": after}
    )


def treated_periods(coefficients: dict[str, float], seed: int, noise: float = 1.0, clients: int = 2_000) -> Chats:
    """Periods with and without chats, and scores by both; the score before counts per standard deviation of all."""
    random = np.random.default_rng(seed)
    client = _of_clients(random, clients)
    rows = len(client)
    before = _scores_before(random, rows)
    z = _standard(before)
    age = (18 + random.gamma(1.5, 7.0, clients))[client]
    earlier = random.poisson(random.gamma(1.0, 6.0, rows))
    tenure = random.exponential(120, rows)
    active = random.poisson(3 + np.sqrt(earlier))
    logit = 0.5 * (np.log1p(earlier) - 1.5) + 0.2 * z - 0.15 * (np.log1p(tenure) - 4.2) + 0.08 * (active - 5)
    treated = random.random(rows) < special.expit(logit)
    after = CONSTANT + coefficients["before (per sd)"] * z + coefficients["log1p(earlier_chats)"] * np.log1p(earlier)
    after += treated * (coefficients["treated"] + coefficients["treated x before"] * z)
    after += noise * _client_noise(random, client, clients)
    messages = np.where(treated, random.poisson(140, rows), 0)
    counts = pd.DataFrame(0.0, index=range(rows), columns=list(Codebook.load().ids))
    return _chats(
        counts,
        messages,
        {
            "client_id": client,
            "treated": treated.astype(float),
            "age": age,
            "earlier_chats": earlier,
            "tenure": tenure,
            "active_days": active,
            "before": before,
            "after": after,
        },
    )


_SMALLEST = Techniques(codes=("REF",), within_between=False)
"""Of the recommended design, which runs beside a preset and is of no interest here."""


def _trials(
    title: str,
    truth: dict[str, float],
    tested: tuple[str, ...],
    one: Callable[[int], Estimates],
    studies: int,
    first: int,
) -> Trials:
    estimate, low, high = np.stack([one(1000 + first + r) for r in range(studies)], axis=-1)
    names = tuple(truth)
    return Trials(title, names, _values(truth), np.isin(names, tested), estimate, low, high)


def _of_preset(study: Study, chats: Chats, names: tuple[str, ...], scale: Floats) -> Estimates:
    """Estimates and intervals of the preset's rows, times `scale` [names]."""
    rows = study.fit(chats=chats).rows
    preset = rows[rows["design"] == study.preset]
    rows = preset[preset["model"] == preset["model"].iloc[0]].set_index("term").loc[list(names)]
    middle, low, high = (rows[name].to_numpy() * scale for name in ("estimate", "ci_low", "ci_high"))
    return middle, low, high


def _counts(random: np.random.Generator, counselor: np.ndarray, messages: np.ndarray, more: Floats) -> pd.DataFrame:
    """[rows, codes] messages with each code; `more` [rows] multiplies all rates."""
    ids = list(Codebook.load().ids)
    rate = np.array([TABLE_6[code][0] if code in TABLE_6 else UNMODELED[code] for code in ids]) / MESSAGES
    habits = random.gamma(HABIT, 1 / HABIT, (counselor.max() + 1, len(ids)))
    style = random.gamma(STYLE, 1 / STYLE, (len(counselor), len(ids)))
    chance = np.minimum(rate * habits[counselor] * style * more[:, None], 0.9)
    return pd.DataFrame(random.binomial(messages[:, None], chance).astype(float), columns=ids)


def _chats(counts: pd.DataFrame, messages: np.ndarray, columns: dict[str, np.ndarray]) -> Chats:
    index = pd.Index([f"chat{i}" for i in range(len(counts))], dtype=object)
    frame = pd.DataFrame({"messages": messages, "log_messages": np.log(np.maximum(messages, 1)), **columns})
    return Chats(counts.set_axis(index), frame.set_axis(index), {})


def _of_clients(random: np.random.Generator, clients: int) -> np.ndarray:
    """[rows] the client of each period: 1.6 periods on average, as in the paper, and at least 1."""
    return np.concatenate([np.arange(clients), random.integers(0, clients, int(0.6 * clients))])


def _scores_before(random: np.random.Generator, rows: int) -> Floats:
    return np.clip(np.round(random.normal(3.55, 1.9, rows)), 0, 6)


def _client_noise(random: np.random.Generator, client: np.ndarray, clients: int) -> Floats:
    return BETWEEN * random.normal(size=clients)[client] + WITHIN * random.normal(size=len(client))


def _standard(values: np.ndarray) -> Floats:
    return np.asarray((values - values.mean()) / values.std())


def _values(coefficients: dict[str, float]) -> Floats:
    return np.array(list(coefficients.values()))
