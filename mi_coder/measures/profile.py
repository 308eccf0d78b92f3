"""Profiles of technique use: by conversation, counselor, period or all together, each figure with n and an interval."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.evaluation.render import html_table
from mi_coder.measures.groups import (
    ALL,
    CONVERSATION,
    NONE,
    check_fields,
    check_periods,
    fields_needed,
    has,
    names_in,
    value_of,
)
from mi_coder.measures.intervals import DRAWS, intervals
from mi_coder.measures.patterns import Patterns
from mi_coder.measures.reading import Chat, as_chat
from mi_coder.measures.summaries import MEASURES, NOTHING, SUMMARIES, TOTALS, Measure, Row
from mi_coder.measures.tally import AT, CODES, OPEN, Unit, check_unit, tally
from mi_coder.measures.validation import SPLITS, TaggerErrors, expected
from mi_coder.measures.words import by_unit, corrected_legend, notes, shown
from mi_coder.progress import Progress, unwatched, watched

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

GOLD_ERRS_NOT = (
    "Gold codes are not corrected for the tagger's errors: profile the gold codes without a validation, or the "
    "tagger's codes with it."
)
SHOWN = ("R:Q", "% complex reflections", "% open questions", "% MI-consistent")
MOST_SHOWN = 20
LONG = (
    "measure",
    "unit",
    "value",
    "low",
    "high",
    "interval",
    "corrected",
    "numerator",
    "denominator",
    "n",
    "conversations",
    "units",
    "note",
    "fair",
    "good",
    "formula",
)
_NUMBERS = ("value", "low", "high", "numerator", "denominator", "n", "fair", "good")
"""The columns of `LONG` that may be empty."""
Interval = Literal["", "conversations", "conversations and tagger"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of one group.

    Attributes:
        group: values of the fields that groups are made by.
        value: None where it cannot be given, and `note` says why.
        low, high: 95% interval; None where there are too few conversations.
        units: messages or volleys; for the rate of a code those of which it is known.
        interval: what it includes: chance in which conversations there are, and the tagger's errors where these are
            known.
        note: why there is no value, or what the value and its interval do not account for.
        corrected: whether value and interval are corrected for the tagger's errors.
        numerator, denominator: the two numbers that the value is made of, corrected where it is; None where it cannot
            be given. A total has no denominator.
        n: the denominator (of a total the numerator) as counted, before any correction.
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
    corrected: bool
    numerator: float | None
    denominator: float | None
    n: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Profile:
    """Technique use of chats.

    Attributes:
        by: fields that groups are made by.
        unit: message or volley.
        figures: one per group and measure.
        ids, counts: [conversations] and their counts [conversations, columns] (`mi_coder.measures.tally.COLUMNS`).
        patterns: of all chats together; what gold leaves open counts as absent there.
        without: by field of `by`, how many conversations have no value for it.
        min_chats: groups of fewer conversations have no figures here.
        groups: how many groups there are, with figures or without.
        left_out: how many of them have fewer conversations.
    """

    by: tuple[str, ...]
    unit: Unit
    figures: tuple[Figure, ...]
    ids: tuple[str, ...]
    counts: Floats
    patterns: Patterns
    without: Mapping[str, int]
    min_chats: int
    groups: int
    left_out: int

    def long(self) -> list[dict[str, Any]]:
        """One row per group and measure, ready for a file."""
        return list(self.rows())

    def rows(self) -> Iterator[dict[str, Any]]:
        """The same one after the other, in little memory."""
        known = {measure.name: measure for measure in MEASURES}
        for figure in self.figures:
            yield {
                **dict(zip(self.by, figure.group, strict=True)),
                "measure": figure.measure,
                "unit": self.unit,
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "interval": figure.interval,
                "corrected": figure.corrected,
                "numerator": figure.numerator,
                "denominator": figure.denominator,
                "n": figure.n,
                "conversations": figure.conversations,
                "units": figure.units,
                "note": figure.note,
                "fair": known[figure.measure].fair,
                "good": known[figure.measure].good,
                "formula": known[figure.measure].formula,
            }

    def frame(self) -> "pd.DataFrame":
        """The same as a pandas frame (extra `analysis`)."""
        from mi_coder.errors import need

        frame = need("pandas", "analysis").DataFrame(self.long(), columns=[*self.by, *LONG])
        return frame.astype(dict.fromkeys(_NUMBERS, float))

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
        lines, told = [], []
        for group, figures in largest:
            title = ", ".join(f"{name} {value or NONE}" for name, value in zip(self.by, group, strict=True))
            size = figures["R:Q"]
            chats = f"{size.conversations:,} conversation{'' if size.conversations == 1 else 's'}"
            lines.append(f"{title or 'all chats'}: {chats}, {size.units:,} {self.unit}{'' if size.units == 1 else 's'}")
            chosen = [figures[measure.name] for measure in (*SUMMARIES, *TOTALS)]
            lines += [f"  {by_unit(figure.measure, self.unit):28} {shown(figure)}" for figure in chosen]
            lines += [f"  {note}" for note in notes(chosen, self.unit)]
            told += chosen
        if len(groups) > most:
            lines.append(f"... and {len(groups) - most:,} more groups; write them all with -o.")
        return "\n".join((*lines, *corrected_legend(told), *self._left_blank(), *self.few()))

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
        largest = self._largest(MOST_SHOWN)
        return panels(largest, measures or SHOWN, self.unit, len(self._groups()) - len(largest))

    def plot_codes(self) -> "Picture":
        """Rates of the codes that were given, the most frequent first, in the groups with most units, at most seven.

        Raises:
            MissingExtra: the extra `analysis` is not installed.
        """
        from mi_coder.measures.figures import code_rates
        from mi_coder.pictures import MARKS

        given = {code: self.counts[:, AT[code]].sum() for code in CODES}
        codes = sorted((code for code in CODES if given[code]), key=lambda code: -given[code])
        largest = self._largest(len(MARKS))
        return code_rates(largest, codes, self.unit, len(self._groups()) - len(largest))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        """The summaries as a table, a row per group with most units."""
        groups = self._largest(MOST_SHOWN)
        names = (by_unit(one.name, self.unit) for one in SUMMARIES)
        head = (", ".join(self.by) or "group", "conversations", f"{self.unit}s", *names)
        rows = [
            [name, str(size.conversations), str(size.units), *(shown(figures[one.name]) for one in SUMMARIES)]
            for name, figures in groups.items()
            for size in [figures["R:Q"]]
        ]
        left = len(self._groups()) - len(groups)
        said = [f"{left:,} more groups are not shown"] if left else []
        chosen = [figures[one.name] for figures in groups.values() for one in SUMMARIES]
        said += [*notes(chosen, self.unit), *corrected_legend(chosen)]
        return html_table(head, rows, ". ".join((*said, *self._left_blank(), *self.few())))

    def few(self) -> list[str]:
        """A sentence on the groups that are left out, where there are any."""
        if not self.left_out:
            return []
        return [
            f"{self.left_out:,} of {self.groups:,} groups have fewer than {self.min_chats:,} chats and are left out, "
            "as --min-chats asks"
        ]

    def _left_blank(self) -> list[str]:
        """A sentence per field that conversations have no value for."""
        return [
            f"{count:,} of {len(self.ids):,} conversations have no {name}: group {NONE}"
            for name, count in self.without.items()
            if count
        ]

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
        return {", ".join(name or NONE for name in group) or "all chats": groups[group] for group in sorted(kept)}


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Chats as counts, to be profiled in several ways without counting them again.

    Attributes:
        ids, fields, counts: [conversations] ids, the fields to group by, and counts [conversations, columns].
        patterns: of all chats together.
        gold: whether any of the codes are gold codes.
    """

    unit: Unit
    ids: tuple[str, ...]
    fields: tuple[Mapping[str, Any], ...]
    counts: Floats
    patterns: Patterns
    gold: bool

    def profile(
        self,
        by: str | Sequence[str] = (CONVERSATION,),
        time: str = "",
        errors: TaggerErrors | None = None,
        draws: int = DRAWS,
        seed: int = 1,
        min_chats: int = 1,
        only: Collection[tuple[str, ...]] | None = None,
        rates: bool = True,
        progress: Progress = unwatched,
    ) -> Profile:
        """Figures by group, as `profile` gives them.

        Args:
            only: the groups that get figures; None for all.
            rates: whether the rates of the codes are among the figures.
            progress: called after each group with how many are done, of how many.

        Raises:
            UsageProblem: a period without `time`, a time that is none, a field that no chat has or that is named
                as a column of the table, errors of the tagger for gold codes or counted in another unit, or no draws.
        """
        if draws < 1:
            raise UsageProblem(f"draws is {draws}; it must be at least 1.")
        if errors and self.gold:
            raise UsageProblem(GOLD_ERRS_NOT)
        if errors and errors.unit != self.unit:
            raise UsageProblem(
                f"The errors are by {errors.unit}, the counts by {self.unit}: give errors_of the unit of the counts."
            )
        names = _fields_of_groups(by)
        groups = self._places(by, time)
        kept = {group: places for group, places in groups.items() if len(places) >= min_chats}
        chosen = kept if only is None else {group: kept[group] for group in kept if group in only}
        measures = MEASURES if rates else (*SUMMARIES, *TOTALS)
        figures = _figures(measures, chosen, self.counts, self.gold, errors, draws, seed)
        return Profile(
            names,
            self.unit,
            tuple(figure for each in watched(figures, len(chosen), progress) for figure in each),
            self.ids,
            self.counts,
            self.patterns,
            {name: sum(not has(chat, name) for chat in self.fields) for name in fields_needed(names, time)},
            min_chats,
            len(groups),
            len(groups) - len(kept),
        )

    def units(self, by: str | Sequence[str], time: str = "", min_chats: int = 1) -> dict[tuple[str, ...], int]:
        """How many units the groups of enough chats have, in the order of their names.

        Raises:
            UsageProblem: as `profile`.
        """
        units = self.counts[:, AT["units"]]
        places_of = self._places(by, time)
        return {group: int(units[places].sum()) for group, places in places_of.items() if len(places) >= min_chats}

    def _places(self, by: str | Sequence[str], time: str) -> dict[tuple[str, ...], list[int]]:
        """Where the chats of each group stand, in the order of the groups' names."""
        check_periods(by, time)
        names = _fields_of_groups(by)
        if taken := [name for name in names if name in LONG]:
            raise UsageProblem(f"By {taken[0]}: the table has a column of that name. Give the field another name.")
        needed = fields_needed(names, time)
        check_fields(self.fields, needed, lambda: {name for chat in self.fields for name in chat if has(chat, name)})
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, (chat, fields) in enumerate(zip(self.ids, self.fields, strict=True)):
            groups[tuple(value_of(chat, fields, name, time) for name in names)].append(i)
        return dict(sorted(groups.items()))


def profile(
    chats: Iterable[Chat | Conversation],
    by: str | Sequence[str] = (CONVERSATION,),
    unit: Unit = "message",
    time: str = "",
    errors: TaggerErrors | None = None,
    draws: int = DRAWS,
    seed: int = 1,
    min_chats: int = 1,
) -> Profile:
    """Profile conversations in memory, by the tagger's codes, or chats of a file.

    To profile the same chats in several ways, `count` them once and take `Counted.profile`.

    Args:
        chats: what `Tagger.tag_many` yields, or `mi_coder.measures.reading.read_chats` with the fields of `by` and
            `time`; `Chat.of(conversation, gold=True)` counts gold codes.
        by: a field of the conversation, or several; `conversation` for each by itself; `all` for all together; year,
            month or week of the field `time`.
        errors: of the tagger (`mi_coder.measures.validation.errors_of`); figures of which all codes are validated are
            corrected and their intervals include this uncertainty, the others say why not.
        draws: of the bootstrap over conversations.
        min_chats: groups of fewer conversations are left out; the profile says how many.

    Raises:
        UsageProblem: another unit, a period without `time`, a time that is none, a field that no chat has, errors of
            the tagger for gold codes, no draws, no conversation, or two with the same id.
    """
    check_periods(by, time)
    return count(chats, unit).profile(by, time, errors, draws, seed, min_chats)


def count(chats: Iterable[Chat | Conversation], unit: Unit = "message") -> Counted:
    """Count chats, to profile them by several fields.

    Raises:
        UsageProblem: another unit, no conversation, two with the same id, or none with codes.
    """
    check_unit(unit)
    ids: dict[str, None] = {}
    fields: list[Mapping[str, Any]] = []
    rows: list[Floats] = []
    patterns, gold = Patterns(), False
    for given in chats:
        chat = as_chat(given)
        if chat.id in ids:
            raise UsageProblem(
                f"Conversation {chat.id!r} is there more than once, and would count each time. Give each conversation "
                "once, or the conversations ids of their own."
            )
        ids[chat.id] = None
        fields.append(chat.fields)
        rows.append(tally(chat.turns, unit))
        patterns.add(chat.turns)
        gold |= chat.gold
    if not ids:
        raise UsageProblem("There are no chats to profile.")
    counts = np.vstack(rows)
    if not counts[:, AT["units"]].any():
        raise UsageProblem("No counselor message carries codes. Tag the chats first:  mi-code tag CHATS")
    return Counted(unit, tuple(ids), tuple(fields), counts, patterns, gold)


def _fields_of_groups(by: str | Sequence[str]) -> tuple[str, ...]:
    names = names_in(by)
    return () if names == (ALL,) else names


def _figures(
    measures: Sequence[Measure],
    groups: Mapping[tuple[str, ...], Sequence[int]],
    counts: Floats,
    gold: bool,
    errors: TaggerErrors | None,
    draws: int,
    seed: int,
) -> Iterator[list[Figure]]:
    """The measures of one group after the other.

    Args:
        groups: by group the places of its chats in `counts`, [conversations, columns].
    """
    totals = np.array([counts[places].sum(axis=0) for places in groups.values()]).reshape(-1, counts.shape[1])
    mended = totals if errors is None else errors.mended(totals, expected)
    known = [_Known.of(measure, totals, mended, errors, gold) for measure in measures]
    for at, ((group, places), total) in enumerate(zip(groups.items(), totals.tolist(), strict=True)):
        ends = intervals(counts[places], measures, errors, draws, seed) or [(math.nan, math.nan)] * len(known)
        yield [
            one.figure(at, group, total, len(places), low, high) for one, (low, high) in zip(known, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Known:
    """A measure of all groups, and what is said of it in each of them.

    Attributes:
        corrected: whether it is corrected for the tagger's errors.
        remarks: why it is not, or what is doubtful.
        split: the codes of which it needs the tagger's depth or permission.
        value, numerator, denominator: [groups]
        n: [groups] what it is of, as counted.
    """

    measure: Measure
    corrected: bool
    remarks: tuple[str, ...]
    split: tuple[str, ...]
    value: list[float]
    numerator: list[float]
    denominator: list[float]
    n: list[float]

    @classmethod
    def of(cls, measure: Measure, totals: Floats, mended: Floats, errors: TaggerErrors | None, gold: bool) -> "_Known":
        """Args: totals, mended: [groups, columns] counts, and these corrected for the tagger's errors."""
        lacking = errors.lacking(measure) if errors else ""
        corrected = errors is not None and not lacking and bool(measure.codes)
        used = mended if corrected else totals
        return cls(
            measure,
            corrected,
            (lacking, errors.doubt if errors and corrected else ""),
            () if gold else measure.split,
            measure.value(used).tolist(),
            measure.numerator(used).tolist(),
            measure.denominator(used).tolist(),
            (measure.denominator(totals) if measure.bottom else measure.numerator(totals)).tolist(),
        )

    def figure(
        self, at: int, group: tuple[str, ...], total: Row, conversations: int, low: float, high: float
    ) -> Figure:
        """The figure of the group at a place of the arrays. Without an interval, its ends are not a number."""
        measure, value = self.measure, self.value[at]
        needs = measure.needs(total)
        reason = needs or (NOTHING if math.isnan(value) else "")
        bounded = not reason and not math.isnan(low)
        kind: Interval = "conversations and tagger" if self.corrected else "conversations"
        left_open = total[AT[OPEN[measure.name]]] if measure.name in OPEN else 0
        return Figure(
            group,
            measure.name,
            None if reason else value,
            low if bounded else None,
            high if bounded else None,
            kind if bounded else "",
            conversations,
            int(total[AT["units"]] - left_open),
            reason or "; ".join(filter(None, (*self.remarks, _weak(self.split, total)))),
            self.corrected and not reason,
            None if needs else self.numerator[at],
            self.denominator[at] if measure.bottom and not needs else None,
            None if needs else int(self.n[at]),
        )


def _weak(split: Sequence[str], total: Row) -> str:
    """What to say of a measure that rests on the tagger's depth or permission.

    Args:
        split: the codes of which it needs these.
    """
    attributes = dict.fromkeys(SPLITS[code][0] for code in split if total[AT[code]])
    if not attributes:
        return ""
    come, them = ("comes", "it") if len(attributes) == 1 else ("come", "them")
    return (
        f"{' and '.join(attributes)} {come} from the tagger, which is often wrong on {them}: check on your own chats "
        "with mi-code evaluate"
    )
