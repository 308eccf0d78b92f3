"""Who stays: how many counselors reach each bucket of tenure, and how stayers' first chats differ from leavers'.

A difference in first chats, where nobody has experience yet, cannot be learning; it is what a pooled slope of technique
use on experience takes in. A counselor who began less than the last bucket before the data end could not have reached
it, and is neither a stayer nor a leaver.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.experience import (
    BUCKETS,
    MONTH,
    Slope,
    earlier_chats,
    months_since_first,
    slope_of,
    with_q,
)
from mi_coder.outcomes.experience_checks import check_chats, count_users
from mi_coder.outcomes.families import clustered_covariance, fit_family
from mi_coder.outcomes.guards import FEWEST_CLUSTERS, Clusters, ModelProblem, TooFewClusters, cluster_codes
from mi_coder.outcomes.multiplicity import CLEAR
from mi_coder.outcomes.rows import by_place


@dataclass(frozen=True, slots=True)
class FirstChats:
    """One code in first chats: share of messages of stayers and leavers, and the log of their ratio."""

    code: str
    stayers: float
    leavers: float
    ratio: Slope


@dataclass(frozen=True, slots=True, eq=False)
class Survivorship:
    """Who stays.

    Attributes:
        reached: counselors who had a chat in each bucket or later, by the name of the bucket.
        could: of all counselors, those who began early enough to reach each bucket before the data end.
        stayers, leavers: counselors of the comparison: who reached the last bucket, and who could have and did not.
        recent: counselors in neither.
        codes: first chats, code by code.
        notes: what could not be compared, and why.
        alpha: intervals hold 1 - alpha.
    """

    reached: dict[str, int]
    could: dict[str, int]
    stayers: int
    leavers: int
    recent: int
    codes: tuple[FirstChats, ...]
    notes: tuple[str, ...]
    alpha: float

    def tidy(self) -> pd.DataFrame:
        """One row per code, q over the codes; `effect` is the share of stayers over that of leavers."""
        number = self.stayers + self.leavers
        rows = []
        for each in self.codes:
            row = each.ratio.tidy(each.code, number, number)
            ends = (each.ratio.estimate, each.ratio.low, each.ratio.high)
            row.update(zip(("effect", "effect_low", "effect_high"), map(float, np.exp(ends)), strict=True))
            row.update(term="stays", unit="rate ratio of stayers to leavers, first chats")
            rows.append({**row, "share_stayers": each.stayers, "share_leavers": each.leavers})
        return with_q(pd.DataFrame(rows))

    def summary(self) -> str:
        """What was found, in plain sentences, a line each."""
        last = BUCKETS[-1][2]
        lines = [
            "Counselors who reached months "
            + ", ".join(f"{name}: {self.reached[name]:,} of {self.could[name]:,} who could" for name in self.reached)
            + (
                " (the others began too late to reach them before the data end)."
                if min(self.could.values()) < max(self.could.values())
                else "."
            )
        ]
        lines.append(
            f"First chats of {self.stayers:,} counselor{'' if self.stayers == 1 else 's'} who reached months {last} "
            f"against {self.leavers:,} who left before; {self.recent:,} recent "
            f"counselor{' is' if self.recent == 1 else 's are'} in neither group."
        )
        tidy = self.tidy()
        differing = tidy[tidy["q_bh"] < CLEAR]
        lines += [
            f"{row.code}: {row.share_stayers:.1%} of stayers' messages and {row.share_leavers:.1%} of leavers', "
            f"{row.effect:.2f} times [{row.effect_low:.2f}, {row.effect_high:.2f}]."
            for row in differing.itertuples()
        ]
        if len(tidy) and differing.empty:
            lines.append("No code differs clearly between them (q < .05).")
        if len(differing):
            lines.append("This difference existed before any experience: it is due to who stays, not to learning.")
        return "\n".join([*lines, *self.notes])


@by_place
def who_stays(
    counts: pd.DataFrame,
    messages: Floats,
    counselors: Sequence[Any] | NDArray[Any],
    times: "pd.Series[Any]",
    alpha: float = 0.05,
) -> Survivorship:
    """Compare stayers and leavers.

    Args:
        counts: [chats, codes] messages with each code.
        messages: [chats] messages that could have it, above 0.
        counselors: [chats] any labels.
        times: [chats] dates; the data end with the last.

    Raises:
        ModelProblem: a value that is missing, or a chat without messages. Too few stayers or leavers to compare is a
            note.
    """
    months, earlier = months_since_first(counselors, times), earlier_chats(counselors, times)
    groups = check_chats(len(counts), messages, earlier, counselors)
    series = pd.Series(times).reset_index(drop=True)
    to_end = np.asarray((series.max() - series).dt.total_seconds() / MONTH, dtype=np.float64)
    last, span = np.zeros(len(groups)), np.zeros(len(groups))
    np.maximum.at(last, groups.codes, months)
    np.maximum.at(span, groups.codes, to_end)
    end = BUCKETS[-1][0]
    stays = last >= end
    leaves = ~stays & (span >= end)
    chosen = (earlier == 0) & (stays | leaves)[groups.codes]
    notes: list[str] = []
    codes: list[FirstChats] = []
    try:
        _check_sides(int(stays.sum()), int(leaves.sum()))
        own = cluster_codes(groups.codes[chosen], int(chosen.sum()))
        for code in counts.columns:
            values = counts[code].to_numpy(dtype=np.float64)[chosen]
            try:
                codes.append(_first(str(code), values, messages[chosen], stays[groups.codes[chosen]], own, alpha))
            except ModelProblem as problem:
                notes.append(f"First chats, {code}: {problem}")
    except TooFewClusters as problem:
        notes.append(str(problem))
    return Survivorship(
        {name: int((last >= low).sum()) for low, _, name in BUCKETS},
        {name: int((span >= low).sum()) for low, _, name in BUCKETS},
        int(stays.sum()),
        int(leaves.sum()),
        int((~stays & ~leaves).sum()),
        tuple(codes),
        tuple(notes),
        alpha,
    )


def _check_sides(stayers: int, leavers: int) -> None:
    if min(stayers, leavers) < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"{stayers} counselor{'' if stayers == 1 else 's'} stayed and {leavers} left: comparing their first chats "
            f"needs at least {FEWEST_CLUSTERS} of each."
        )


def _first(
    code: str, counts: Floats, messages: Floats, stays: NDArray[np.bool_], groups: Clusters, alpha: float
) -> FirstChats:
    count_users(counts, groups)
    stayers, leavers = (float(counts[side].sum() / messages[side].sum()) for side in (stays, ~stays))
    if not (stayers and leavers):
        raise ModelProblem("only stayers, or only leavers, used it: their ratio has no finite value.")
    fit = fit_family("poisson", counts, ["stays"], stays[:, None].astype(np.float64), offset=np.log(messages))
    se = float(clustered_covariance(fit, groups.codes)[0, 0] ** 0.5)
    return FirstChats(
        code, stayers, leavers, slope_of("between", float(fit.coefficients[0]), se, len(groups) - 1, alpha)
    )
