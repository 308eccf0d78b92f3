"""Technique use against counselors' experience: pooled, and within and between counselors side by side.

Counts of a code have a Poisson rate per message, with log(1 + experience) as the column and the log of the chat's
messages as the offset. Pooled, the slope mixes what counselors learn with who stays: those who stay differ from those
who leave from their first chat on. So experience is split into the counselor's mean (between) and the deviation from it
(within; Mundlak 1978, Econometrica 46, 69-85), and errors are clustered by counselor.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mi_coder.evaluation.metrics import Floats
from mi_coder.outcomes.families import Estimate, clustered_covariance, fit_family
from mi_coder.outcomes.guards import BadShape, ModelProblem, cluster_codes
from mi_coder.outcomes.multiplicity import adjust

BUCKETS = ((0.0, 1.0, "0-1"), (1.0, 6.0, "1-6"), (6.0, 12.0, "6-12"), (12.0, math.inf, "12+"))
"""Months since a counselor's first chat (Shah et al. 2022, section on listeners' experience)."""
LEVELS = ("pooled", "within", "between")
CURVE_POINTS = 25


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope of the log rate on log(1 + experience); `ratio` is the rate ratio where 1 + experience doubles."""

    level: str
    estimate: float
    se: float
    df: int
    low: float
    high: float
    p: float

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Per doubling: estimate, low, high."""
        return tuple(math.exp(math.log(2) * value) for value in (self.estimate, self.low, self.high))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, eq=False)
class CodeExperience:
    """One code.

    Attributes:
        slopes: pooled, within and between counselors, in this order.
        same: p of the Wald test that within and between are the same.
        dispersion: Pearson's, of the model with both; far above 1, plain Poisson errors would be too small.
        never: counselors who never used the code; they tell nothing about the slope within.
    """

    code: str
    slopes: tuple[Slope, ...]
    same: float
    dispersion: float
    never: int

    def slope(self, level: str) -> Slope:
        """That of one level."""
        return self.slopes[LEVELS.index(level)]


@dataclass(frozen=True, slots=True, eq=False)
class Experience:
    """All codes.

    Attributes:
        codes: those that could be fitted.
        chats, counselors: how many.
        notes: codes that could not be fitted, and why.
        alpha: intervals hold 1 - alpha.
    """

    codes: tuple[CodeExperience, ...]
    chats: int
    counselors: int
    notes: tuple[str, ...]
    alpha: float

    def tidy(self) -> pd.DataFrame:
        """One row per code and level, q over the codes of a level."""
        rows = []
        for found in self.codes:
            for slope in found.slopes:
                ratio, low, high = slope.ratio
                rows.append(
                    {
                        "code": found.code,
                        "level": slope.level,
                        "estimate": slope.estimate,
                        "se": slope.se,
                        "df": slope.df,
                        "p": slope.p,
                        "ci_low": slope.low,
                        "ci_high": slope.high,
                        "effect": ratio,
                        "effect_low": low,
                        "effect_high": high,
                        "unit": "rate ratio per doubling of 1 + experience",
                        "p_within_is_between": found.same,
                        "dispersion": found.dispersion,
                        "n": self.chats,
                        "n_clusters": self.counselors,
                    }
                )
        tidy = pd.DataFrame(rows)
        if len(tidy):
            tidy["q_bh"] = tidy.groupby("level")["p"].transform(lambda p: adjust(p.to_numpy(dtype=float)).q)
        return tidy


def fit_experience(
    counts: pd.DataFrame,
    messages: Floats,
    experience: Floats,
    counselors: Sequence[Any] | NDArray[Any],
    alpha: float = 0.05,
) -> Experience:
    """Fit every code.

    Args:
        counts: [chats, codes] messages with each code.
        messages: [chats] messages that could have it, above 0.
        experience: [chats] from 0 on, such as the number of earlier chats.
        counselors: [chats] any labels.

    Raises:
        ModelProblem: fewer than five counselors, experience below 0 or that never varies, or not one code fitted.
    """
    experience = np.asarray(experience, dtype=np.float64)
    messages = np.asarray(messages, dtype=np.float64)
    if not len(counts) == len(messages) == len(experience):
        raise BadShape(f"{len(counts)} counts, {len(messages)} lengths and {len(experience)} values of experience.")
    if not (experience >= 0).all():
        raise ModelProblem("Experience must be known and not below 0 in every chat: drop other chats, and count them.")
    if not (messages > 0).all():
        raise ModelProblem("A chat without messages has no rate: drop it, and count it.")
    groups = cluster_codes(counselors, len(counts))
    x = np.log1p(experience)
    mean = (np.bincount(groups.codes, x) / groups.sizes)[groups.codes]
    columns, offset = np.column_stack([x - mean, mean]), np.log(messages)
    found, notes = [], []
    for code in counts.columns:
        values = counts[code].to_numpy(dtype=np.float64)
        try:
            pooled = fit_family("poisson", values, ["experience"], x[:, None], offset=offset)
            both = fit_family("poisson", values, ["within", "between"], columns, offset=offset)
            slopes = (
                *_slopes(pooled, groups.codes, ("pooled",), alpha),
                *_slopes(both, groups.codes, LEVELS[1:], alpha),
            )
            never = int((np.bincount(groups.codes, values, len(groups)) == 0).sum())
            same = _same(both, groups.codes, len(groups) - 1)
        except ModelProblem as problem:
            notes.append(f"{code}: {problem}")
            continue
        found.append(CodeExperience(str(code), slopes, same, both.dispersion, never))
    if not found:
        raise ModelProblem("No code could be related to experience. " + " ".join(notes))
    return Experience(tuple(found), len(counts), len(groups), tuple(notes), alpha)


def earlier_chats(counselors: Sequence[Any] | NDArray[Any], times: "pd.Series[Any]") -> Floats:
    """[chats] how many chats the counselor had before, by time; chats at the same moment count in their order."""
    frame = pd.DataFrame({"counselor": np.asarray(counselors), "time": times.to_numpy()})
    order = frame.sort_values("time", kind="stable")
    return np.asarray(order.groupby("counselor", sort=False).cumcount().reindex(frame.index), dtype=np.float64)


def months_since_first(counselors: Sequence[Any] | NDArray[Any], times: "pd.Series[Any]") -> Floats:
    """[chats] months of 30.44 days since the counselor's first chat."""
    series = pd.Series(times.to_numpy())
    first = series.groupby(np.asarray(counselors)).transform("min")
    return np.asarray((series - first).dt.total_seconds() / (30.44 * 86_400), dtype=np.float64)


def tenure_table(
    counts: pd.DataFrame, messages: Floats, months: Floats, counselors: Sequence[Any] | NDArray[Any]
) -> pd.DataFrame:
    """Share of messages with each code by tenure, of all counselors and of those who reached the last bucket.

    A difference between the two in the first bucket is no learning: it is who stays.

    Args:
        counts: [chats, codes]
        months: [chats] since the counselor's first chat.

    Returns:
        Rows of code, months (the bucket), who ("all" or "stayers"), share with low and high (95 %, by counselor), chats
        and counselors.
    """
    groups = cluster_codes(counselors, len(counts))
    months = np.asarray(months, dtype=np.float64)
    stays = np.zeros(len(groups), dtype=bool)
    np.logical_or.at(stays, groups.codes, months >= BUCKETS[-1][0])
    rows = []
    for low, high, name in BUCKETS:
        inside = (months >= low) & (months < high)
        for who, chosen in (("all", inside), ("stayers", inside & stays[groups.codes])):
            for code in counts.columns:
                share, lower, upper = _share(
                    counts[code].to_numpy(dtype=np.float64)[chosen], messages[chosen], groups.codes[chosen]
                )
                rows.append(
                    (code, name, who, share, lower, upper, int(chosen.sum()), len(np.unique(groups.codes[chosen])))
                )
    return pd.DataFrame(rows, columns=["code", "months", "who", "share", "low", "high", "chats", "counselors"])


def curves(
    counts: Floats, messages: Floats, experience: Floats, counselors: Sequence[Any] | NDArray[Any], slope: Slope
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a plot of one code takes: each counselor's share by doubling of experience, and the fit within counselors.

    Args:
        counts: [chats] messages with the code.
        slope: within counselors.

    Returns:
        A frame of counselor, experience, share, and one of experience, share, low, high, through the overall share at
        the mean experience.
    """
    steps = np.floor(np.log2(1 + np.asarray(experience)))
    frame = pd.DataFrame(
        {"counselor": np.asarray(counselors), "step": steps, "count": counts, "messages": messages, "x": experience}
    )
    each = (
        frame.groupby(["counselor", "step"], sort=True)
        .agg({"count": "sum", "messages": "sum", "x": "mean"})
        .reset_index()
    )
    lines = pd.DataFrame(
        {"counselor": each["counselor"], "experience": each["x"], "share": each["count"] / each["messages"]}
    )
    grid = np.expm1(np.linspace(0, np.log1p(np.max(experience)), CURVE_POINTS))
    distance = np.log1p(grid) - np.log1p(experience).mean()
    level = float(np.sum(counts) / np.sum(messages))
    ends = np.sort([level * np.exp(slope.low * distance), level * np.exp(slope.high * distance)], axis=0)
    fit = pd.DataFrame(
        {"experience": grid, "share": level * np.exp(slope.estimate * distance), "low": ends[0], "high": ends[1]}
    )
    return lines, fit


def _slopes(estimate: Estimate, codes: NDArray[np.intp], levels: Sequence[str], alpha: float) -> tuple[Slope, ...]:
    se = np.sqrt(np.diag(clustered_covariance(estimate, codes)))
    df = int(codes.max())
    width = stats.t.ppf(1 - alpha / 2, df)
    return tuple(
        Slope(level, b, s, df, b - width * s, b + width * s, float(2 * stats.t.sf(abs(b) / s, df)))
        for level, b, s in zip(levels, map(float, estimate.coefficients), map(float, se), strict=True)
    )


def _same(both: Estimate, codes: NDArray[np.intp], df: int) -> float:
    covariance = clustered_covariance(both, codes)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(both.coefficients[0] - both.coefficients[1])
    return float(2 * stats.t.sf(abs(difference) / math.sqrt(variance), df)) if variance > 0 else float("nan")


def _share(counts: Floats, messages: Floats, codes: NDArray[np.intp]) -> tuple[float, float, float]:
    """Share of messages with its 95 % interval by counselor (linearized ratio)."""
    total = float(messages.sum())
    if total == 0:
        return float("nan"), float("nan"), float("nan")
    share = float(counts.sum()) / total
    residual = np.bincount(codes, counts - share * messages)
    number = len(np.unique(codes))
    if number < 2:
        return share, float("nan"), float("nan")
    half = stats.t.ppf(0.975, number - 1) * math.sqrt(number / (number - 1) * float((residual**2).sum())) / total
    return share, max(share - half, 0.0), min(share + half, 1.0)
