"""Technique use against experience with an effect of each counselor: the twin of the slope within counselors.

A Poisson model with fixed effects (Hausman, Hall and Griliches 1984, Econometrica 52, 909-938), by the package
pyfixest, which is optional. Whatever is constant in a counselor is out of the slope. A counselor who never used a code,
or has one chat, tells nothing about it and is left out and counted; so of rare codes few counselors remain.
"""

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.outcomes.experience import CAUTION, Slope, slope_of, with_q
from mi_coder.outcomes.experience_checks import check_chats, count_users, refuse_unvarying
from mi_coder.outcomes.guards import Clusters, ModelProblem, check_clustered_errors, cluster_codes, warn_of_few_clusters
from mi_coder.outcomes.information import information_of, warn_of_thin_slopes
from mi_coder.outcomes.rows import by_place

LEFT_OUT = (
    "The model with an effect of each counselor is left out: it needs the package pyfixest. Install it with:  "
    "pip install pyfixest"
)
MODEL = "poisson, counselor effects"


@dataclass(frozen=True, slots=True, eq=False)
class FixedSlope:
    """One code.

    Attributes:
        slope: within counselors.
        chats, counselors: that the slope is from.
        never: counselors left out because they never used the code.
        single: counselors left out because they have one chat, of those who used it.
        warnings: what to read the interval and p value with, or an empty string.
    """

    code: str
    slope: Slope
    chats: int
    counselors: int
    never: int
    single: int
    warnings: str


@dataclass(frozen=True, slots=True, eq=False)
class FixedEffects:
    """All codes.

    Attributes:
        codes: those that could be fitted; none without pyfixest.
        notes: what could not be fitted, and why.
        alpha: intervals hold 1 - alpha.
    """

    codes: tuple[FixedSlope, ...]
    notes: tuple[str, ...]
    alpha: float

    def tidy(self) -> pd.DataFrame:
        """One row per code, q over the codes; no rows without pyfixest."""
        rows = [
            {
                **each.slope.tidy(each.code, each.chats, each.counselors, each.warnings),
                "model": MODEL,
                "never": each.never,
                "single": each.single,
            }
            for each in self.codes
        ]
        return with_q(pd.DataFrame(rows))

    def summary(self) -> str:
        """What was found, in plain sentences, a line each."""
        lines = [
            f"{each.code}: {each.slope} per doubling of 1 + experience, with an effect of each of {each.counselors:,} "
            f"counselors. Left out: {each.never:,} counselors who never used it, {each.single:,} with one chat."
            for each in self.codes
        ]
        return "\n".join([*lines, *self.notes, *([CAUTION] if lines else [])])


@by_place
def fit_fixed_effects(
    counts: pd.DataFrame,
    messages: Floats,
    experience: Floats,
    counselors: Sequence[Any] | NDArray[Any],
    alpha: float = 0.05,
) -> FixedEffects:
    """Fit every code.

    Errors are clustered by counselor (pyfixest's CRV1), intervals by t with counselors - 1 degrees of freedom.

    Args:
        counts: [chats, codes] messages with each code.
        messages: [chats] messages that could have it, above 0.
        experience: [chats] from 0 on, such as the number of earlier chats.
        counselors: [chats] any labels.

    Raises:
        ModelProblem: as `mi_coder.outcomes.experience.fit_experience`, but codes that could not be fitted are notes.
    """
    groups = check_chats(len(counts), messages, experience, counselors)
    check_clustered_errors(groups, parameters=1)
    pyfixest = _pyfixest()
    if pyfixest is None:
        return FixedEffects((), (LEFT_OUT,), alpha)
    found, notes = [], []
    for code in counts.columns:
        values = counts[code].to_numpy(dtype=np.float64)
        try:
            found.append(_fit(pyfixest, str(code), values, messages, experience, groups, alpha))
        except ModelProblem as problem:
            notes.append(f"{code}: {problem}")
    return FixedEffects(tuple(found), tuple(notes), alpha)


def _pyfixest() -> ModuleType | None:
    try:
        return importlib.import_module("pyfixest")
    except ModuleNotFoundError:
        return None


def _fit(
    pyfixest: ModuleType,
    code: str,
    counts: Floats,
    messages: Floats,
    experience: Floats,
    groups: Clusters,
    alpha: float,
) -> FixedSlope:
    users = count_users(counts, groups)
    used = np.bincount(groups.codes, counts, len(groups)) > 0
    tells = used & (groups.sizes > 1)
    kept = tells[groups.codes]
    x = np.log1p(experience)
    mean = np.bincount(groups.codes, x) / groups.sizes
    remaining = cluster_codes(groups.labels[groups.codes[kept]], int(kept.sum()))
    check_clustered_errors(remaining, parameters=1)
    refuse_unvarying((x - mean[groups.codes])[kept], x[kept])
    frame = pd.DataFrame(
        {"count": counts, "experience": x, "log_messages": np.log(messages), "counselor": groups.codes}
    )[kept]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pyfixest.fepois(
            "count ~ experience | counselor", data=frame, vcov={"CRV1": "counselor"}, offset="log_messages"
        )
    number = len(remaining)
    information = information_of(["within"], (x - mean[groups.codes])[kept, None], groups.labels[groups.codes[kept]])
    df = float(information.df[0]) if information.thin[0] else number - 1
    slope = slope_of("within", float(fit.coef()["experience"]), float(fit.se()["experience"]), df, alpha)
    few = warn_of_few_clusters(remaining) or warn_of_thin_slopes(information)
    return FixedSlope(code, slope, int(kept.sum()), number, len(groups) - users, users - number, few)
