"""Profiles of technique use: by conversation, counselor, period or all together, each figure with n and an interval."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.evaluation.render import html_table
from mi_coder.measures.groups import ALL, CONVERSATION, NONE, check_fields, check_periods, fields_needed, has, value_of
from mi_coder.measures.intervals import DRAWS, intervals
from mi_coder.measures.patterns import Patterns
from mi_coder.measures.reading import Chat, as_chat
from mi_coder.measures.summaries import MEASURES, NOTHING, SUMMARIES, TOTALS, Measure
from mi_coder.measures.tally import AT, CODES, OPEN, UNITS, Unit, tally
from mi_coder.measures.validation import SPLITS, TaggerErrors, expected
from mi_coder.measures.words import corrected_legend, notes, shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

GOLD_ERRS_NOT = (
    "Gold codes are not corrected by the tagger's errors: profile the gold codes without a validation, or the tagger's "
    "codes with it."
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
        note: why there is no value, or what the value and its interval do not hold.
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
        left_out: how many groups these are.
    """

    by: tuple[str, ...]
    unit: Unit
    figures: tuple[Figure, ...]
    ids: tuple[str, ...]
    counts: Floats
    patterns: Patterns
    without: Mapping[str, int]
    min_chats: int = 1
    left_out: int = 0

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
        lines, told = [], []
        for group, figures in largest:
            title = ", ".join(f"{name} {value or NONE}" for name, value in zip(self.by, group, strict=True))
            size = figures["R:Q"]
            lines.append(f"{title or 'all chats'}: {size.conversations:,} conversations, {size.units:,} {self.unit}s")
            chosen = [figures[measure.name] for measure in (*SUMMARIES, *TOTALS)]
            lines += [f"  {figure.measure:26} {shown(figure)}" for figure in chosen]
            lines += [f"  {note}" for note in notes(chosen)]
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
            [name, str(size.conversations), str(size.units), *(shown(figures[one.name]) for one in SUMMARIES)]
            for name, figures in groups.items()
            for size in [figures["R:Q"]]
        ]
        left = len(self._groups()) - len(groups)
        said = [f"{left:,} more groups are not shown"] if left else []
        chosen = [figures[one.name] for figures in groups.values() for one in SUMMARIES]
        said += [*notes(chosen), *corrected_legend(chosen)]
        return html_table(head, rows, ". ".join((*said, *self._left_blank(), *self.few())))

    def few(self) -> list[str]:
        """A sentence on the groups that are left out, where there are any."""
        if not self.left_out:
            return []
        of = self.left_out + len(self._groups())
        return [
            f"{self.left_out:,} of {of:,} groups have fewer than {self.min_chats:,} chats and are left out, as "
            "--min-chats asks"
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
        by: Sequence[str] = (CONVERSATION,),
        time: str = "",
        errors: TaggerErrors | None = None,
        draws: int = DRAWS,
        seed: int = 1,
        min_chats: int = 1,
    ) -> Profile:
        """Figures by group, as `profile` gives them.

        Raises:
            UsageProblem: a period without `time`, a time that is none, a field that no chat has or that is named
                as a column of the table, or errors of the tagger for gold codes or counted in another unit.
        """
        check_periods(by, time)
        names = () if tuple(by) == (ALL,) else tuple(by)
        if taken := [name for name in names if name in LONG]:
            raise UsageProblem(f"By {taken[0]}: the table has a column of that name. Give the field another name.")
        needed = fields_needed(names, time)
        check_fields(self.fields, needed, lambda: {name for chat in self.fields for name in chat if has(chat, name)})
        if errors and self.gold:
            raise UsageProblem(GOLD_ERRS_NOT)
        if errors and errors.unit != self.unit:
            raise UsageProblem(f"The errors are by {errors.unit}, the counts by {self.unit}: take errors_of the same.")
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, (chat, fields) in enumerate(zip(self.ids, self.fields, strict=True)):
            groups[tuple(value_of(chat, fields, name, time) for name in names)].append(i)
        kept = {group: places for group, places in sorted(groups.items()) if len(places) >= min_chats}
        figures = [
            figure
            for group, places in kept.items()
            for figure in _figures(group, self.counts[places], self.gold, errors, draws, seed)
        ]
        without = {name: sum(not has(chat, name) for chat in self.fields) for name in needed}
        left_out = len(groups) - len(kept)
        return Profile(
            names, self.unit, tuple(figures), self.ids, self.counts, self.patterns, without, min_chats, left_out
        )


def profile(
    chats: Iterable[Chat | Conversation],
    by: Sequence[str] = (CONVERSATION,),
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
        by: fields of the conversation; `conversation` for each by itself; `all` for all together; year, month or week
            of the field `time`.
        errors: of the tagger (`mi_coder.measures.validation.errors_of`); figures of which all codes are validated are
            corrected and their intervals hold them, the others say why not.
        draws: of the bootstrap over conversations.
        min_chats: groups of fewer conversations are left out, and their number is said.

    Raises:
        UsageProblem: another unit, a period without `time`, a time that is none, a field that no chat has, errors of
            the tagger for gold codes, or no conversation.
    """
    check_periods(by, time)
    return count(chats, unit).profile(by, time, errors, draws, seed, min_chats)


def count(chats: Iterable[Chat | Conversation], unit: Unit = "message") -> Counted:
    """Count chats, to profile them by several fields.

    Raises:
        UsageProblem: another unit, no conversation, or none with codes.
    """
    if unit not in UNITS:
        raise UsageProblem(f"The unit is {unit!r}: it is one of {', '.join(UNITS)}.{did_you_mean(unit, UNITS)}")
    ids: list[str] = []
    fields: list[Mapping[str, Any]] = []
    rows: list[Floats] = []
    patterns, gold = Patterns(), False
    for given in chats:
        chat = as_chat(given)
        ids.append(chat.id)
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


def _figures(
    group: tuple[str, ...], counts: Floats, gold: bool, errors: TaggerErrors | None, draws: int, seed: int
) -> Iterable[Figure]:
    total = counts.sum(axis=0)
    ends = intervals(counts, MEASURES, errors, draws, seed)
    mended = total if errors is None else errors.mended(total, expected)
    for i, measure in enumerate(MEASURES):
        lacking = errors.lacking(measure) if errors else ""
        corrected = errors is not None and not lacking and bool(measure.codes)
        used = mended if corrected else total
        doubt = errors.doubt if errors and corrected else ""
        value = float(measure.value(used))
        reason = measure.needs(total)
        known = not reason
        if known and np.isnan(value):
            reason = NOTHING
        low, high = (None, None) if reason or ends is None or np.isnan(ends[i][0]) else ends[i]
        kind: Interval = "" if low is None else "conversations and tagger" if corrected else "conversations"
        numerator, denominator = float(measure.numerator(used)), float(measure.denominator(used))
        n = measure.denominator(total) if measure.bottom else measure.numerator(total)
        yield Figure(
            group,
            measure.name,
            None if reason else value,
            low,
            high,
            kind,
            len(counts),
            int(total[AT["units"]] - (total[AT[OPEN[measure.name]]] if measure.name in OPEN else 0)),
            reason or "; ".join(filter(None, (lacking, doubt, "" if gold else _weak(measure, total)))),
            corrected and not reason,
            numerator if known else None,
            denominator if known and measure.bottom else None,
            int(n) if known else None,
        )


def _weak(measure: Measure, total: Floats) -> str:
    """What to say of a measure that rests on the tagger's depth or permission."""
    attributes = dict.fromkeys(SPLITS[code][0] for code in measure.split if total[AT[code]])
    return f"{' and '.join(attributes)} by the tagger: weak, see the model card" if attributes else ""
