"""What relating technique use to experience asks of chats, checked before fitting."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.guards import (
    FEWEST_CLUSTERS,
    SAME_VALUE,
    BadShape,
    Clusters,
    ConstantColumn,
    Gaps,
    ModelProblem,
    SingleCategory,
    TooFewClusters,
    cluster_codes,
)


def check_chats(
    chats: int, messages: Floats, experience: Floats, counselors: Sequence[Any] | NDArray[Any], what: str = "experience"
) -> Clusters:
    """The counselors, where messages [chats] and experience [chats], called `what`, can be used.

    Raises:
        BadShape, Gaps: not one value for each chat, or a chat without one.
        ModelProblem: experience below 0, or a chat without messages.
    """
    if not chats or messages.shape != (chats,) or experience.shape != (chats,):
        raise BadShape(
            f"Give one value for each chat, and at least one chat: there are counts of {chats} chats, messages of "
            f"shape {messages.shape} and {what} of shape {experience.shape}."
        )
    _refuse_rows(~np.isfinite(experience), f"no {what}", Gaps)
    _refuse_rows(experience < 0, f"{what} below 0", ModelProblem)
    _refuse_rows(~np.isfinite(messages), "no number of messages", Gaps)
    _refuse_rows(messages <= 0, "no messages, and so no rate of any code", ModelProblem)
    return cluster_codes(counselors, chats)


def refuse_unvarying(within: Floats, x: Floats) -> None:
    """Refuse deviations [chats] of `x` from counselors' means that are 0, or nothing but rounding.

    Raises:
        ConstantColumn: they are.
    """
    if abs(within).max() <= SAME_VALUE * abs(x).max():
        raise ConstantColumn(
            "Experience is the same in all chats of each counselor (or each has one chat): change within counselors "
            "cannot be estimated. Give experience per chat, such as the number of earlier chats.",
            ["experience"],
        )


def count_users(counts: Floats, groups: Clusters) -> int:
    """How many counselors ever used a code, of its counts [chats].

    Raises:
        Gaps: a chat without count.
        SingleCategory: nobody.
        TooFewClusters: fewer than five: errors by counselor would be far too small.
    """
    _refuse_rows(~np.isfinite(counts), "no count", Gaps)
    users = int((np.bincount(groups.codes, counts, len(groups)) > 0).sum())
    if not counts.any():
        raise SingleCategory(f"never used in {len(counts):,} chats, so left out.")
    if users < FEWEST_CLUSTERS:
        raise TooFewClusters(
            f"used by {users} of {len(groups):,} counselors, so left out: standard errors clustered by counselor "
            f"would be far too small. At least {FEWEST_CLUSTERS} are needed."
        )
    return users


def check_times(
    counselors: Sequence[Any] | NDArray[Any], times: "Floats | pd.Series[Any]"
) -> tuple["pd.Series[Any]", Clusters]:
    """Times [chats], and the counselors.

    Raises:
        BadShape, Gaps: not a counselor and a time for each chat.
    """
    series = pd.Series(times).reset_index(drop=True)
    groups = cluster_codes(counselors, len(series))
    _refuse_rows(series.isna().to_numpy(), "no time", Gaps)
    return series, groups


def _refuse_rows(bad: NDArray[np.bool_], what: str, kind: type[ModelProblem]) -> None:
    if bad.any():
        raise kind(
            f"Row {int(np.argmax(bad)) + 1} has {what} ({int(bad.sum()):,} such chats): drop and count them "
            "before fitting."
        )
