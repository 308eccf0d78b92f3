"""Technique use against counselors' experience: pooled, and within and between counselors side by side.

Counts of a code have a Poisson rate per message, with log(1 + experience) as the column and the log of the chat's
messages as the offset. Pooled, the slope mixes what counselors learn with who stays: those who stay differ from those
who leave from their first chat on. So experience is split into the counselor's mean (between) and the deviation from it
(within; Mundlak 1978, Econometrica 46, 69-85), and errors are clustered by counselor. `experience_fixed` gives each
counselor an effect in place of the mean, and `survivorship` tells who stays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mi_coder.arrays import Floats
from mi_coder.outcomes.experience_checks import check_chats, check_times, count_users, refuse_unvarying
from mi_coder.outcomes.families import Estimate, clustered_covariance, fit_family
from mi_coder.outcomes.guards import (
    SAME_VALUE,
    ModelProblem,
    check_clustered_errors,
    warn_of_few_clusters,
)
from mi_coder.outcomes.information import information_of, warn_of_thin_slopes
from mi_coder.outcomes.multiplicity import CLEAR, q_values
from mi_coder.outcomes.rows import by_place

BUCKETS = ((0.0, 1.0, "0-1"), (1.0, 6.0, "1-6"), (6.0, 12.0, "6-12"), (12.0, math.inf, "12+"))
"""Months since a counselor's first chat (Shah et al. 2022, section on listeners' experience)."""
LEVELS = ("pooled", "within", "between")
CURVE_POINTS = 25
# Seconds.
MONTH = 30.44 * 86_400
UNIT = "rate ratio per doubling of 1 + experience"
TIDY = (
    *("model", "outcome", "term", "code", "level", "estimate", "se", "stat", "df", "p", "q_bh", "ci_low", "ci_high"),
    *("effect", "effect_low", "effect_high", "unit", "n", "n_clusters", "correction", "weight", "warnings"),
)
"""Columns of the tidy tables of experience that all tidy tables of outcomes have."""
CAUTION = (
    "These are correlations. The pooled slope cannot distinguish practice from selection: counselors who stay differ "
    "from those who leave already in the first chat. Slopes within counselors exclude selection, but not what else "
    "changed over the same chats, such as training, clients or the platform."
)


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope of the log rate on log(1 + experience); `ratio` is the rate ratio where 1 + experience doubles.

    Not a number between counselors who all have the same mean experience.
    """

    level: str
    estimate: float
    se: float
    df: float
    low: float
    high: float
    p: float

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Per doubling: estimate, low, high."""
        return tuple(math.exp(math.log(2) * value) for value in (self.estimate, self.low, self.high))  # type: ignore[return-value]

    def tidy(self, code: str, chats: int, counselors: int, warnings: str = "") -> dict[str, object]:
        """A row of a tidy table, without q."""
        ratio, low, high = self.ratio
        return {
            "model": "poisson",
            "outcome": f"messages with {code}",
            "term": "log(1 + experience)",
            "code": code,
            "level": self.level,
            "estimate": self.estimate,
            "se": self.se,
            "stat": self.estimate / self.se,
            "df": self.df,
            "p": self.p,
            "ci_low": self.low,
            "ci_high": self.high,
            "effect": ratio,
            "effect_low": low,
            "effect_high": high,
            "unit": UNIT,
            "n": chats,
            "n_clusters": counselors,
            "correction": "",
            "weight": float("nan"),
            "warnings": warnings,
        }

    def __str__(self) -> str:
        ratio, low, high = self.ratio
        return f"{ratio:.3f} [{low:.3f}, {high:.3f}]"


@dataclass(frozen=True, slots=True, eq=False)
class CodeExperience:
    """One code.

    Attributes:
        slopes: pooled, within and between counselors, in this order.
        same: p of the Wald test that within and between are the same; not a number where there is no slope between.
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
        notes: codes that could not be fitted, and why; and where there is no slope between.
        alpha: intervals hold 1 - alpha.
        warnings: what to read intervals and p values with, or an empty string.
    """

    codes: tuple[CodeExperience, ...]
    chats: int
    counselors: int
    notes: tuple[str, ...]
    alpha: float
    warnings: str = ""

    def tidy(self) -> pd.DataFrame:
        """One row per code and level, q over the codes of a level."""
        rows = [
            {
                **slope.tidy(found.code, self.chats, self.counselors, self.warnings),
                "p_within_is_between": found.same,
                "dispersion": found.dispersion,
                "never": found.never,
            }
            for found in self.codes
            for slope in found.slopes
        ]
        return with_q(pd.DataFrame(rows))

    def summary(self) -> str:
        """What was found, in plain sentences, a line each."""
        lines = [
            f"{self.chats:,} chats of {self.counselors:,} counselors. Rate ratios where 1 + experience doubles, with "
            f"{1 - self.alpha:.0%} intervals clustered by counselor:"
        ]
        for found in self.codes:
            pooled, within, between = found.slopes
            if math.isnan(between.estimate):
                line = f"{found.code}: {within} within counselors; {pooled} pooled."
            else:
                differ = "differ" if found.same < CLEAR else "do not clearly differ"
                line = (
                    f"{found.code}: {within} within counselors, {between} between them; {pooled} pooled. Within and "
                    f"between {differ} (p = {found.same:.2g})."
                )
            never = f" {found.never:,} counselors never used it." if found.never else ""
            lines.append(f"{line} Pearson dispersion {found.dispersion:.2f}.{never}")
        return "\n".join([*lines, *self.notes, *filter(None, [self.warnings]), CAUTION])


@by_place
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
        BadShape: arrays whose lengths do not fit each other.
        Gaps: a value, or a counselor, that is missing.
        TooFewClusters: fewer than five counselors.
        ConstantColumn: experience never varies within counselors.
        ModelProblem: experience below 0, a chat without messages, or not one code that can be fitted.
    """
    groups = check_chats(len(counts), messages, experience, counselors)
    check_clustered_errors(groups, parameters=3)
    x = np.log1p(experience)
    mean = (np.bincount(groups.codes, x) / groups.sizes)[groups.codes]
    refuse_unvarying(x - mean, x)
    all_alike = bool(np.ptp(mean) <= SAME_VALUE * mean.max())
    names, columns = ["within", "between"], np.column_stack([x - mean, mean])
    notes = []
    if all_alike:
        names, columns = names[:1], columns[:, :1]
        notes.append("All counselors have the same mean experience: there is no slope between counselors.")
    offset = np.log(messages)
    alone, beside = (
        information_of(each, values, groups.labels[groups.codes])
        for each, values in ((["pooled"], x[:, None]), (names, columns))
    )
    effective = np.concatenate([alone.effective, beside.effective])
    information = replace(beside, names=("pooled", *names), effective=effective)
    df = information.df.tolist() if information.thin.any() else [len(groups) - 1] * (1 + len(names))
    found = []
    for code in counts.columns:
        values = counts[code].to_numpy(dtype=np.float64)
        try:
            never = len(groups) - count_users(values, groups)
            pooled = fit_family("poisson", values, ["experience"], x[:, None], offset=offset)
            both = fit_family("poisson", values, names, columns, offset=offset)
            slopes = (
                *_slopes(pooled, groups.codes, ("pooled",), df[:1], alpha),
                *_slopes(both, groups.codes, names, df[1:], alpha),
            )
            same = float("nan") if all_alike else _same(both, groups.codes, len(groups) - 1)
        except ModelProblem as problem:
            notes.append(f"{code}: {problem}")
            continue
        if all_alike:
            slopes = (*slopes, slope_of("between", math.nan, math.nan, len(groups) - 1, alpha))
        found.append(CodeExperience(str(code), slopes, same, both.dispersion, never))
    if not found:
        raise ModelProblem("No code could be related to experience. " + " ".join(notes))
    few = warn_of_few_clusters(groups) or warn_of_thin_slopes(information)
    return Experience(tuple(found), len(counts), len(groups), tuple(notes), alpha, few)


def with_q(tidy: pd.DataFrame) -> pd.DataFrame:
    """A tidy table with q over the codes of a level, the common columns first."""
    if tidy.empty:
        return pd.DataFrame(columns=list(TIDY))
    q = tidy.groupby("level")["p"].transform(lambda p: q_values(p.to_numpy(dtype=float)))
    tidy = tidy.assign(q_bh=q)
    return tidy[[*TIDY, *(name for name in tidy.columns if name not in TIDY)]]


def slope_of(level: str, estimate: float, se: float, df: float, alpha: float) -> Slope:
    """A slope with its interval and p value by the t distribution."""
    width = float(stats.t.ppf(1 - alpha / 2, df)) * se
    p = float(2 * stats.t.sf(abs(estimate) / se, df))
    return Slope(level, estimate, se, df, estimate - width, estimate + width, p)


def earlier_chats(counselors: Sequence[Any] | NDArray[Any], times: "Floats | pd.Series[Any]") -> Floats:
    """[chats] how many chats the counselor had before, by time; chats at the same moment count in their order.

    Chats that are not in the data (before its start, or of other counselors' names) are not counted.

    Args:
        times: [chats] dates, or numbers that rise with time.

    Raises:
        BadShape, Gaps: not a counselor and a time for each chat.
    """
    series, groups = check_times(counselors, times)
    order = np.lexsort([series.rank(method="dense").to_numpy(), groups.codes])
    starts = np.cumsum(groups.sizes) - groups.sizes
    earlier = np.empty(len(order))
    earlier[order] = np.arange(len(order)) - np.repeat(starts, groups.sizes)
    return earlier


def months_since_first(counselors: Sequence[Any] | NDArray[Any], times: "pd.Series[Any]") -> Floats:
    """[chats] months of 30.44 days since the counselor's first chat.

    Args:
        times: [chats] dates.

    Raises:
        BadShape, Gaps: not a counselor and a date for each chat.
    """
    series, groups = check_times(counselors, times)
    first = series.groupby(groups.codes).transform("min")
    return np.asarray((series - first).dt.total_seconds() / MONTH, dtype=np.float64)


@by_place
def tenure_table(
    counts: pd.DataFrame,
    messages: Floats,
    months: Floats,
    counselors: Sequence[Any] | NDArray[Any],
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Share of messages with each code by tenure, of all counselors and of those who reached the last bucket.

    A difference between the two in the first bucket is no learning: it is who stays.

    Args:
        counts: [chats, codes]
        months: [chats] since the counselor's first chat.
        alpha: intervals hold 1 - alpha.

    Returns:
        Rows of code, months (the bucket), who ("all" or "stayers"), share with low and high (by counselor), chats
        and counselors.

    Raises:
        ModelProblem: arrays that do not fit each other, a value that is missing, or a chat without messages.
    """
    groups = check_chats(len(counts), messages, months, counselors, "months since the first chat")
    stays = np.zeros(len(groups), dtype=bool)
    np.logical_or.at(stays, groups.codes, months >= BUCKETS[-1][0])
    rows = []
    for low, high, name in BUCKETS:
        inside = (months >= low) & (months < high)
        for who, chosen in (("all", inside), ("stayers", inside & stays[groups.codes])):
            for code in counts.columns:
                share, lower, upper = _share(
                    counts[code].to_numpy(dtype=np.float64)[chosen], messages[chosen], groups.codes[chosen], alpha
                )
                rows.append(
                    (code, name, who, share, lower, upper, int(chosen.sum()), len(np.unique(groups.codes[chosen])))
                )
    return pd.DataFrame(rows, columns=["code", "months", "who", "share", "low", "high", "chats", "counselors"])


@by_place
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
    steps = np.floor(np.log2(1 + experience))
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


def _slopes(
    estimate: Estimate, codes: NDArray[np.intp], levels: Sequence[str], df: Sequence[float], alpha: float
) -> tuple[Slope, ...]:
    se = np.sqrt(np.diag(clustered_covariance(estimate, codes)))
    return tuple(
        slope_of(level, b, s, degrees, alpha)
        for level, b, s, degrees in zip(levels, map(float, estimate.coefficients), map(float, se), df, strict=True)
    )


def _same(both: Estimate, codes: NDArray[np.intp], df: int) -> float:
    covariance = clustered_covariance(both, codes)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(both.coefficients[0] - both.coefficients[1])
    return float(2 * stats.t.sf(abs(difference) / math.sqrt(variance), df)) if variance > 0 else float("nan")


def _share(counts: Floats, messages: Floats, codes: NDArray[np.intp], alpha: float) -> tuple[float, float, float]:
    """Share of messages with its interval of 1 - alpha by counselor (linearized ratio)."""
    total = float(messages.sum())
    if total == 0:
        return float("nan"), float("nan"), float("nan")
    share = float(counts.sum()) / total
    residual = np.bincount(codes, counts - share * messages)
    number = len(np.unique(codes))
    if number < 2:
        return share, float("nan"), float("nan")
    se = math.sqrt(number / (number - 1) * float((residual**2).sum())) / total
    half = float(stats.t.ppf(1 - alpha / 2, number - 1)) * se
    return share, max(share - half, 0.0), min(share + half, 1.0)
