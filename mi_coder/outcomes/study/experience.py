"""Technique use against experience, as a study file says: slopes, tenure, who stays, and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from msgspec.structs import replace

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean
from mi_coder.outcomes.experience import (
    Experience,
    curves,
    earlier_chats,
    fit_experience,
    months_since_first,
    tenure_table,
)
from mi_coder.outcomes.experience_fixed import FixedEffects, fit_fixed_effects
from mi_coder.outcomes.guards import ModelProblem
from mi_coder.outcomes.multiplicity import CLEAR
from mi_coder.outcomes.study.chats import Chats, read_chats
from mi_coder.outcomes.study.fields import column_of, field_of, labels_of
from mi_coder.outcomes.study.kept import Kept
from mi_coder.outcomes.study.spec import Study
from mi_coder.outcomes.study.techniques import recipe_of
from mi_coder.outcomes.survivorship import Survivorship, who_stays
from mi_coder.outcomes.tables import p_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CORRELATION_NOTE = (
    "Pooled slopes mix what counselors learn with who stays: counselors who leave early differ from those who stay "
    "already in their first chat. Slopes within counselors compare each counselor's later chats with the earlier ones; "
    "they also include what else changed over the same months (training, clients, the platform)."
)

TAGGERS_CODES = (
    "Codes are the tagger's, and gold chats (label_error) do not correct them here: errors that change with experience "
    "would look like a change of practice."
)

OWN_ADJUSTMENT = (
    "q values of experience are by Benjamini and Hochberg, over the techniques of a column: inference.adjust and "
    "inference.family are for relate."
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExperienceResult:
    """What a study says of experience.

    Attributes:
        found: the slopes.
        counts: [chats, techniques] messages that carry each.
        messages, experience: [chats]
        measure: what experience is: earlier chats, or the field that the study names.
        counselors: [chats]
        tenure: shares by months since the counselor's first chat (`tenure_table`), where times are known.
        stays: who stays and how their first chats differ (`who_stays`), where times are known.
        fixed: slopes with an effect of each counselor, where pyfixest is installed.
        dropped: chats left out, by reason.
        notes: techniques that could not be fitted, and why.
    """

    found: Experience
    counts: pd.DataFrame
    messages: Floats
    experience: Floats
    measure: str
    counselors: "pd.Series[str]"
    tenure: pd.DataFrame | None
    stays: Survivorship | None
    fixed: FixedEffects
    dropped: Mapping[str, int]
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """One row per technique and level."""
        return self.found.tidy()

    def table(self) -> pd.DataFrame:
        """As people read it: a line per technique, pooled, within and between side by side."""
        lines = []
        tidy = self.tidy()
        for code, group in tidy.groupby("code", sort=False):
            line: dict[str, object] = {"technique": Codebook.load().label_of(str(code))}
            for _, row in group.iterrows():
                told = f"{row['effect']:.2f} [{row['effect_low']:.2f}, {row['effect_high']:.2f}]"
                line[row["level"]] = told if np.isfinite(row["effect"]) else "not estimated"
                line[f"q {row['level']}"] = p_text(row["q_bh"])
            line["p within = between"] = p_text(group["p_within_is_between"].iloc[0])
            lines.append(line)
        return pd.DataFrame(lines)

    def sentences(self) -> tuple[str, ...]:
        """What can and cannot be said."""
        tidy = self.tidy()
        within = tidy[(tidy["level"] == "within") & (tidy["q_bh"] < CLEAR)]
        label_of = Codebook.load().label_of
        told = "; ".join(
            f"{label_of(row['code'])} {'more' if row['estimate'] > 0 else 'less'} often, {row['effect']:.2f} times per "
            f"doubling [{row['effect_low']:.2f}, {row['effect_high']:.2f}]"
            for _, row in within.iterrows()
        )
        said = [
            f"{self.found.chats:,} chats of {self.found.counselors:,} counselors. With experience a counselor uses "
            + (f"{told}." if told else "no technique clearly more or less often (q < .05).")
        ]
        flipped = [str(code) for code, rows in tidy.groupby("code", sort=False) if _turned(rows)]
        if flipped:
            named = ", ".join(map(label_of, flipped))
            said.append(f"Pooled slopes have the opposite sign for {named}: that is due to who stays, not to learning.")
        said.append(CORRELATION_NOTE)
        if self.stays is not None:
            said += self.stays.summary().splitlines()
        said.append(TAGGERS_CODES)
        return tuple(said)

    def __repr__(self) -> str:
        return "\n".join(self.sentences())

    def plot(self, code: str) -> "Figure":
        """Each counselor's curve of one technique, and the fit within counselors.

        Raises:
            UnknownName: the technique was not fitted.
        """
        from mi_coder.outcomes.figures import experience_curves

        by_name = {found.code: found for found in self.found.codes}
        if code not in by_name:
            raise UnknownName(f"{code!r} was not fitted.{did_you_mean(code, by_name)} There are {', '.join(by_name)}.")
        lines, fit = curves(
            self.counts[code].to_numpy(dtype=float),
            self.messages,
            self.experience,
            self.counselors.to_numpy(),
            by_name[code].slope("within"),
        )
        return experience_curves(lines, fit, Codebook.load().label_of(code), self.measure)


def _turned(rows: pd.DataFrame) -> bool:
    """Whether pooled and within slopes of a code are both clear (q < .05) and point apart."""
    clear = rows[rows["q_bh"] < CLEAR].set_index("level")["estimate"]
    return {"pooled", "within"} <= set(clear.index) and clear["pooled"] * clear["within"] < 0


def run_experience(study: Study, folder: str | Path | None = None, chats: Chats | None = None) -> ExperienceResult:
    """Relate technique use to experience, as `study.experience` says.

    Args:
        folder: what the paths in the study start from; by default the folder of its file.
        chats: in place of the files that the study names.

    Raises:
        UsageProblem: the study has no `experience` or no counselor, or a column is missing or no time.
        ModelProblem: the data cannot carry it.
    """
    setting = study.experience
    if setting is None or not study.data.counselor:
        raise UsageProblem("The study file needs `experience` with time or field, and data.counselor.")
    folder = study.data.folder if folder is None else Path(folder)
    chats = read_chats(study.data, folder) if chats is None else chats
    frame = chats.frame
    named = field_of(frame, study.data.counselor, "data.counselor")
    times = _times(frame, setting.time) if setting.time else None
    kept = Kept.all_of(chats).without(named.isna(), "no counselor")
    if times is not None:
        kept = kept.without(times.isna(), f"no {setting.time}")
    people = labels_of(named)
    given = None
    if setting.field:
        given = column_of(frame, setting.field, "experience.field").to_numpy()
        kept = kept.without(np.isnan(given), f"no {setting.field}")
    kept = kept.without(frame["messages"].to_numpy(dtype=float) <= 0, "no coded message")
    there = people[kept.rows]
    sizes = there.groupby(there).transform("size").reindex(people.index, fill_value=0)
    kept = kept.without(sizes < setting.min_chats, f"counselors with fewer than {setting.min_chats} chats")
    months = None
    if times is not None and kept.rows.any():
        months = np.full(len(frame), np.nan)
        months[kept.rows] = months_since_first(people[kept.rows].to_numpy(), times[kept.rows])
        last = pd.Series(months).groupby(people.to_numpy()).transform("max")
        kept = kept.without(last < setting.min_months, f"counselors seen for less than {setting.min_months:g} months")
    keep = kept.rows
    if not keep.any():
        raise ModelProblem(f"No chat is left to relate to experience: {kept.reasons}.")
    if given is not None:
        experience, measure = given[keep], setting.field
    else:
        assert times is not None
        experience, measure = earlier_chats(people[keep].to_numpy(), times[keep]), "earlier chats"
    recipe = recipe_of(replace(study.techniques, within_between=False), chats.counts[keep], people[keep])
    counts = pd.DataFrame(
        {name: chats.counts.loc[keep, list(codes)].sum(axis=1) for name, codes in recipe.groups.items()}
    )
    messages = frame.loc[keep, "messages"].to_numpy(dtype=float)
    names, alpha = people[keep].to_numpy(), study.inference.alpha
    found = fit_experience(counts, messages, experience, names, alpha)
    fixed = fit_fixed_effects(counts, messages, experience, names, alpha)
    tenure = None if months is None else tenure_table(counts, messages, months[keep], names, alpha)
    notes = [*recipe.left_out, *found.notes, *fixed.notes]
    if study.inference.adjust != "bh" or study.inference.family != "outcome":
        notes.append(OWN_ADJUSTMENT)
    stays = None
    if times is not None:
        try:
            stays = who_stays(counts, messages, names, times[keep], alpha)
        except ModelProblem as problem:
            notes.append(f"Who stays: {problem}")
    return ExperienceResult(
        found,
        counts,
        messages,
        experience,
        measure,
        people[keep],
        tenure,
        stays,
        fixed,
        kept.dropped,
        tuple(dict.fromkeys(notes)),
    )


def _times(frame: pd.DataFrame, name: str) -> "pd.Series":
    column = field_of(frame, name, "experience.time")
    if pd.api.types.is_numeric_dtype(column):
        raise UsageProblem(
            f"experience.time: {name} has numbers, not dates or times such as 2024-05-31 or 2024-05-31T18:30:00. "
            "If it is experience itself, give it as experience.field."
        )
    spelled = column.map(lambda value: value.removesuffix(" UTC") if isinstance(value, str) else value)
    times = pd.to_datetime(spelled, errors="coerce", utc=True, format="ISO8601")
    wrong = times.isna() & column.notna()
    if wrong.any():
        raise UsageProblem(
            f"experience.time: {name} is not a date or time such as 2024-05-31 or 2024-05-31T18:30:00 in "
            f"{int(wrong.sum())} chats, the first is {frame.index[wrong][0]!r}: {str(column[wrong].iloc[0])[:30]!r}. "
            "Write all times in this form; where the time is not known, leave the cell empty."
        )
    return times
