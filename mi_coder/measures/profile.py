"""Profiles of technique use: by conversation, counselor, period or all together, each figure with n and an interval."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.evaluation.metrics import Floats
from mi_coder.evaluation.render import html_table
from mi_coder.measures.intervals import DRAWS, Errors, corrected, intervals
from mi_coder.measures.patterns import Patterns
from mi_coder.measures.reading import Chat
from mi_coder.measures.summaries import MEASURES, NOTHING, SUMMARIES
from mi_coder.measures.tally import AT, CODES, OPEN, UNITS, Unit, tally

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

CONVERSATION = "conversation"
ALL = "all"
PERIODS: Mapping[str, str] = {"year": "%Y", "month": "%Y-%m", "week": "%G-W%V"}
FEWEST_RIGHT = 5
SHOWN = ("R:Q", "% complex reflections", "% open questions", "% MI-consistent")
MOST_SHOWN = 20
LONG = (
    "measure",
    "unit",
    "value",
    "low",
    "high",
    "interval",
    "conversations",
    "units",
    "note",
    "fair",
    "good",
    "formula",
)
Interval = Literal["", "conversations", "conversations and tagger"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of one group.

    Attributes:
        group: values of the fields that groups are made by.
        value: None where it cannot be given, and `note` says why.
        low, high: 95 % interval; None where there are too few conversations.
        units: messages or volleys; for the rate of a code those of which it is known.
        interval: what it holds: chance in which conversations there are, and the tagger's errors where they are known.
    """

    group: tuple[str, ...]
    measure: str
    value: float | None
    low: float | None
    high: float | None
    interval: Interval
    conversations: int
    units: int
    note: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Profile:
    """Technique use of chats.

    Attributes:
        by: fields that groups are made by.
        unit: message or volley.
        figures: one per group and measure.
        ids, counts: [conversations] and their counts [conversations, columns] (`mi_coder.measures.tally.COLUMNS`).
        patterns: of all chats together; what gold leaves open counts as absent there.
        corrected: whether figures were corrected for the tagger's errors.
    """

    by: tuple[str, ...]
    unit: Unit
    figures: tuple[Figure, ...]
    ids: tuple[str, ...]
    counts: Floats
    patterns: Patterns
    corrected: bool

    def long(self) -> list[dict[str, Any]]:
        """One row per group and measure, ready for a file."""
        known = {measure.name: measure for measure in MEASURES}
        return [
            {
                **dict(zip(self.by, figure.group, strict=True)),
                "measure": figure.measure,
                "unit": self.unit,
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "interval": figure.interval,
                "conversations": figure.conversations,
                "units": figure.units,
                "note": figure.note,
                "fair": known[figure.measure].fair,
                "good": known[figure.measure].good,
                "formula": known[figure.measure].formula,
            }
            for figure in self.figures
        ]

    def frame(self) -> "pd.DataFrame":
        """The same as a pandas frame (extra `analysis`)."""
        from mi_coder.errors import need

        return need("pandas", "analysis").DataFrame(self.long(), columns=[*self.by, *LONG])

    def counts_table(self) -> list[dict[str, Any]]:
        """One row per conversation as study files read it in `data.counts`: id, messages, a column per code.

        Raises:
            UsageProblem: gold leaves codes open, so that their counts are not known.
        """
        left = self.counts[:, [AT[name] for name in OPEN.values()]] > 0
        if left.any():
            codes = [code for i, code in enumerate(CODES) if left[:, i].any()]
            raise UsageProblem(
                f"Gold leaves codes open in {int(left.any(axis=1).sum()):,} of {len(self.ids):,} chats "
                f"({', '.join(codes)}), so how often these are used there is not known. Leave these chats out, or have "
                "them coded in full."
            )
        return [
            {"conversation_id": name, "messages": int(row[AT["units"]]), **{code: int(row[AT[code]]) for code in CODES}}
            for name, row in zip(self.ids, self.counts, strict=True)
        ]

    def summary(self, most: int = MOST_SHOWN) -> str:
        """The summaries of the groups with most units, as text."""
        groups = self._groups()
        largest = sorted(groups.items(), key=lambda item: -item[1]["R:Q"].units)[:most]
        lines = []
        for group, figures in largest:
            title = ", ".join(f"{name} {value}" for name, value in zip(self.by, group, strict=True)) or "all chats"
            size = figures["R:Q"]
            lines.append(f"{title}: {size.conversations:,} conversations, {size.units:,} {self.unit}s")
            lines += [f"  {measure.name:26} {_shown(figures[measure.name])}" for measure in SUMMARIES]
        if len(groups) > most:
            lines.append(f"... and {len(groups) - most:,} more groups; write them all with -o.")
        return "\n".join(lines)

    def plot(self, *measures: str) -> "Picture":
        """Measures of the groups with most units, with intervals and the manual's thresholds (fair dashed, good solid).

        Args:
            measures: names of measures or codes; without any, the four summaries of `SHOWN`.

        Raises:
            UsageProblem: no such measure.
            MissingExtra: the extra `analysis` is not installed.
        """
        from mi_coder.measures.figures import panels

        known = [measure.name for measure in MEASURES]
        for name in measures:
            if name not in known:
                raise UsageProblem(
                    f"There is no measure {name!r}.{did_you_mean(name, known)} There are {', '.join(known)}."
                )
        return panels(self._largest(MOST_SHOWN), measures or SHOWN)

    def plot_codes(self) -> "Picture":
        """Rates of the codes that were given, the most frequent first, in the groups with most units, at most seven.

        Raises:
            MissingExtra: the extra `analysis` is not installed.
        """
        from mi_coder.measures.figures import code_rates
        from mi_coder.pictures import MARKS

        given = {code: self.counts[:, AT[code]].sum() for code in CODES}
        codes = sorted((code for code in CODES if given[code]), key=lambda code: -given[code])
        return code_rates(self._largest(len(MARKS)), codes, self.unit)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        """The summaries as a table, a row per group with most units."""
        groups = self._largest(MOST_SHOWN)
        head = (", ".join(self.by) or "group", "conversations", f"{self.unit}s", *(one.name for one in SUMMARIES))
        rows = [
            [name, str(size.conversations), str(size.units), *(_shown(figures[one.name]) for one in SUMMARIES)]
            for name, figures in groups.items()
            for size in [figures["R:Q"]]
        ]
        left = len(self._groups()) - len(groups)
        return html_table(head, rows, f"{left:,} more groups are not shown" if left else "")

    def _groups(self) -> dict[tuple[str, ...], dict[str, Figure]]:
        """Figures by group and measure."""
        found: dict[tuple[str, ...], dict[str, Figure]] = defaultdict(dict)
        for figure in self.figures:
            found[figure.group][figure.measure] = figure
        return found

    def _largest(self, most: int) -> dict[str, dict[str, Figure]]:
        """The groups with most units by the name that is shown, in their order."""
        groups = self._groups()
        kept = sorted(groups, key=lambda group: -groups[group]["R:Q"].units)[:most]
        return {", ".join(group) or "all chats": groups[group] for group in sorted(kept)}


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Chats as counts, to be profiled in several ways without counting them again.

    Attributes:
        ids, fields, counts: [conversations] ids, the fields to group by, and counts [conversations, columns].
        patterns: of all chats together.
    """

    unit: Unit
    ids: tuple[str, ...]
    fields: tuple[Mapping[str, Any], ...]
    counts: Floats
    patterns: Patterns

    def profile(
        self,
        by: Sequence[str] = (CONVERSATION,),
        time: str = "",
        errors: Mapping[str, Errors] | None = None,
        draws: int = DRAWS,
        seed: int = 1,
    ) -> Profile:
        """Figures by group, as `profile` gives them.

        Raises:
            UsageProblem: a period without `time`, or a time that is none.
        """
        _check_periods(by, time)
        names = () if tuple(by) == (ALL,) else tuple(by)
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, (chat, fields) in enumerate(zip(self.ids, self.fields, strict=True)):
            groups[tuple(_value(chat, fields, name, time) for name in names)].append(i)
        figures = [
            figure
            for group, places in sorted(groups.items())
            for figure in _figures(group, self.counts[places], errors, draws, seed)
        ]
        return Profile(names, self.unit, tuple(figures), self.ids, self.counts, self.patterns, errors is not None)


def profile(
    chats: Iterable[Chat],
    by: Sequence[str] = (CONVERSATION,),
    unit: Unit = "message",
    time: str = "",
    errors: Mapping[str, Errors] | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> Profile:
    """Profile chats (`mi_coder.measures.reading.read_chats`, with the fields of `by` and `time`).

    To profile the same chats in several ways, `count` them once and take `Counted.profile`.

    Args:
        by: fields of the conversation; `conversation` for each by itself; `all` for all together; year, month or week
            of the field `time`.
        errors: of the tagger by code (`errors_of`); figures are corrected and intervals hold them.
        draws: of the bootstrap over conversations.

    Raises:
        UsageProblem: another unit, a period without `time`, a time that is none, or no conversation.
    """
    _check_periods(by, time)
    return count(chats, unit).profile(by, time, errors, draws, seed)


def count(chats: Iterable[Chat], unit: Unit = "message") -> Counted:
    """Count chats, to profile them by several fields.

    Raises:
        UsageProblem: another unit, no conversation, or none with codes.
    """
    if unit not in UNITS:
        raise UsageProblem(f"The unit is {unit!r}: it is one of {', '.join(UNITS)}.{did_you_mean(unit, UNITS)}")
    ids: list[str] = []
    fields: list[Mapping[str, Any]] = []
    rows: list[Floats] = []
    patterns = Patterns()
    for chat in chats:
        ids.append(chat.id)
        fields.append(chat.fields)
        rows.append(tally(chat.turns, unit))
        patterns.add(chat.turns)
    if not ids:
        raise UsageProblem("There are no chats to profile.")
    counts = np.vstack(rows)
    if not counts[:, AT["units"]].any():
        raise UsageProblem("No counselor message carries codes. Tag the chats first:  mi-code tag CHATS")
    return Counted(unit, tuple(ids), tuple(fields), counts, patterns)


def errors_of(tagged: Iterable[Chat], gold: Iterable[Chat]) -> dict[str, Errors]:
    """The tagger's errors on chats that both sides coded, message by message, as far as gold tells.

    Codes that it found rightly fewer than five times are left out, and their figures are not corrected.

    Raises:
        UsageProblem: no chat has codes of both.
    """
    truth = {chat.id: chat for chat in gold}
    seen = dict.fromkeys(CODES, (0, 0, 0))
    pairs = 0
    for chat in tagged:
        other = truth.get(chat.id)
        if other is None or len(other.turns) != len(chat.turns):
            continue
        for found, true in zip(chat.turns, other.turns, strict=True):
            if found.codes is None or true.codes is None:
                continue
            pairs += 1
            for code in ({*found.codes, *true.codes} & seen.keys()) - {*true.open}:
                tp, fp, fn = seen[code]
                right, wrong = code in found.codes and code in true.codes, code in found.codes
                seen[code] = (tp + right, fp + (wrong and not right), fn + (not wrong))
    if not pairs:
        raise UsageProblem("No message of the validation file has both gold codes and codes of the tagger.")
    return {code: Errors(*three) for code, three in seen.items() if three[0] >= FEWEST_RIGHT}


def _figures(
    group: tuple[str, ...], counts: Floats, errors: Mapping[str, Errors] | None, draws: int, seed: int
) -> Iterable[Figure]:
    total = counts.sum(axis=0)
    ends = intervals(counts, MEASURES, errors, draws, seed)
    shown = total if errors is None else corrected(total, errors)
    kind: Interval = "" if ends is None else "conversations" if errors is None else "conversations and tagger"
    for i, measure in enumerate(MEASURES):
        reason = measure.needs(total)
        value = float(measure.value(shown))
        if not reason and np.isnan(value):
            reason = NOTHING
        low, high = (None, None) if reason or ends is None or np.isnan(ends[i][0]) else ends[i]
        yield Figure(
            group,
            measure.name,
            None if reason else value,
            low,
            high,
            kind if low is not None else "",
            len(counts),
            int(total[AT["units"]] - (total[AT[OPEN[measure.name]]] if measure.name in OPEN else 0)),
            reason,
        )


def _check_periods(by: Sequence[str], time: str) -> None:
    if (periods := [name for name in by if name in PERIODS]) and not time:
        raise UsageProblem(f"By {periods[0]}: name the field with the time of the chat (--time started_at).")


def _value(chat: str, fields: Mapping[str, Any], name: str, time: str) -> str:
    if name == CONVERSATION:
        return chat
    if name in PERIODS:
        raw = fields.get(time)
        if raw in (None, ""):
            return ""
        try:
            return datetime.fromisoformat(str(raw)).strftime(PERIODS[name])
        except ValueError:
            raise UsageProblem(
                f"Chat {chat!r}: {time} is no date or time such as 2024-05-31 or 2024-05-31T18:30:00."
            ) from None
    value = fields.get(name)
    return "" if value is None else str(value)


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return figure.note
    interval = "" if figure.low is None or figure.high is None else f"  [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.2f}{interval}"
