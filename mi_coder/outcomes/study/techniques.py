"""From counts of codes to technique columns: which codes, in which form, within and between counselors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.outcomes.guards import FEWEST_CLUSTERS, ModelProblem
from mi_coder.outcomes.study.codes import technique_groups
from mi_coder.outcomes.study.spec import Techniques
from mi_coder.outcomes.study.term import Term

COUNSELORS_PER_TECHNIQUE = 2
"""With fewer counselors per technique, differences between counselors are not estimated."""
POINTS = 10.0
"""A share counts in steps of so many percentage points."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How counts become technique columns, settled on the tagger's codes and then the same for gold codes.

    Attributes:
        groups: the codes that each technique adds up.
        left_out: sentences on techniques that the data cannot tell about.
        means: [counselors, techniques] the counselors' mean use, by counselor; None where that is not split.
        scale: [techniques] what values are divided by.
        fewest: counselors that it takes to estimate differences between them.
    """

    techniques: Techniques
    groups: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    means: pd.DataFrame | None
    scale: Floats
    fewest: int = 0

    @property
    def terms(self) -> tuple[Term, ...]:
        """The technique columns in their order."""
        unit = _unit(self.techniques)
        if self.means is None:
            return tuple(Term(name, name, "", unit) for name in self.groups)
        return tuple(Term(f"{name} ({level})", name, level, unit) for level in self.levels for name in self.groups)

    @property
    def levels(self) -> tuple[str, ...]:
        """Within counselors, and between them where there are enough of them for all techniques."""
        enough = self.means is not None and len(self.means) >= self.fewest
        return ("within", "between") if enough else ("within",)

    def columns(self, counts: pd.DataFrame, counselors: "pd.Series[str]") -> Floats:
        """[rows, terms] of chats with these counts [rows, codes], by these counselors [rows]."""
        use = technique_use(counts, self.groups, self.techniques.form)
        if self.means is None:
            return use / self.scale
        own = pd.DataFrame(use, columns=self.means.columns).groupby(counselors.to_numpy()).mean()
        # Counselors without any chat that is fitted stand only in the model of who answers: there by all their chats.
        known = pd.concat([self.means, own[~own.index.isin(self.means.index)]])
        means = known.loc[counselors.to_numpy()].to_numpy()
        parts = [(use - means) / self.scale, means / self.scale]
        return np.hstack(parts[: len(self.levels)])


def recipe_of(techniques: Techniques, counts: pd.DataFrame, counselors: "pd.Series[str]", others: int = 0) -> Recipe:
    """Settle the technique columns on all chats of the study.

    Args:
        others: parameters of the model beside techniques, where its errors are clustered by counselor: they take more
            counselors than there are parameters, and within counselors has precedence.

    Raises:
        UsageProblem: a code that the codebook does not have, or one that is used twice.
        ModelProblem: no code is used in enough chats, by enough counselors.
    """
    groups, label_of = technique_groups(techniques), Codebook.load().label_of
    left_out, kept = list[str](), dict[str, tuple[str, ...]]()
    everyone = counselors.nunique()
    for name, codes in groups.items():
        uses = counts[list(codes)].sum(axis=1).to_numpy() > 0
        users = counselors[uses].nunique()
        if uses.sum() < techniques.min_chats:
            reason = f"in {_chats_word(int(uses.sum()))}, fewer than {techniques.min_chats}"
        elif users < FEWEST_CLUSTERS < everyone:
            reason = f"by {users} of {everyone:,} counselors, fewer than {FEWEST_CLUSTERS}"
        else:
            kept[name] = codes
            continue
        reference = ", and its share counts with the reference." if techniques.form == "share" else "."
        left_out.append(f"{label_of(name)} is used {reason}: it is not estimated{reference}")
    if not kept:
        by = f" by {FEWEST_CLUSTERS} counselors or more" if everyone > FEWEST_CLUSTERS else ""
        raise ModelProblem(
            f"No code is used in {techniques.min_chats} chats or more{by}: set techniques.min_chats lower, or add "
            "chats."
        )
    use = pd.DataFrame(technique_use(counts, kept, techniques.form), index=counts.index, columns=list(kept))
    scale = use.std(ddof=0).to_numpy() if techniques.per == "sd" else np.ones(len(kept))
    means = use.groupby(counselors.to_numpy()).mean() if techniques.within_between else None
    both = COUNSELORS_PER_TECHNIQUE * len(kept)
    fewest = max(both, 2 * len(kept) + others + 1 if others else 0)
    recipe = Recipe(techniques, kept, tuple(left_out), means, np.where(scale > 0, scale, 1.0), fewest)
    if means is not None and "between" not in recipe.levels:
        beside = f" and {others} further parameters" if fewest > both else ""
        note = (
            f"Differences between counselors are not estimated: {len(kept)} codes{beside} need {fewest} counselors or "
            f"more, but there are {len(means)}. Every code is compared within counselors."
        )
        recipe = replace(recipe, left_out=(*left_out, note))
    return recipe


def technique_use(counts: pd.DataFrame, groups: Mapping[str, Sequence[str]], form: str) -> Floats:
    """[rows, techniques] in steps of 10 percentage points, messages, or 0 and 1."""
    use = np.column_stack([counts[list(codes)].sum(axis=1).to_numpy(dtype=float) for codes in groups.values()])
    if form == "presence":
        return (use > 0).astype(float)
    if form == "count":
        return use
    total = counts.sum(axis=1).to_numpy(dtype=float)
    return use / np.where(total > 0, total, 1.0)[:, None] * (100 / POINTS)


def _unit(techniques: Techniques) -> str:
    if techniques.per == "sd":
        return "standard deviation"
    return {"share": "10 points of share", "count": "message", "presence": "chat that uses it"}[techniques.form]


def _chats_word(number: int) -> str:
    return "1 chat" if number == 1 else f"{number:,} chats"
