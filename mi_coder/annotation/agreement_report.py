"""Agreement as tables for people (plain text, Markdown) and for programs (JSON, CSV). It holds ids, never a text."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mi_coder.annotation.agreement import (
    FEW,
    FEW_CONVERSATIONS,
    RELIABLE,
    SAMPLES,
    SETS,
    TENTATIVE,
    Agreement,
    By,
    agreements,
    compared,
    exact_match,
    split,
)
from mi_coder.annotation.codings import Unit, coded_alone, earlier_rounds, look_alikes, several_coders
from mi_coder.annotation.confusions import Confusion, confusions
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem, need
from mi_coder.evaluation.render import figure, html_table, number, table
from mi_coder.evaluation.report import Figure
from mi_coder.formats.guard import guard_cell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

Style = Literal["table", "markdown", "json", "csv"]
Cell = str | float | None

SHOWN_IDS = 4
MOST_SHOWN = 4
FIGURES = ("alpha", "fleiss", "cohen", "ac1", "positive", "negative")

_HEADER = ("code", "messages", "given", "alpha", "Fleiss κ", "Cohen κ", "AC1", "positive", "negative", "reading")
_COLUMNS = (
    *("group", "name", "messages", "given", "share"),
    *(f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")),
    "reading",
)
_CONFUSION_COLUMNS = ("code", "other", "pairs", "messages", "ids")
_DIGITS = 6
_WRITE = "Write one:  mi-code agreement CODES... --as json -o agreement.json"


@dataclass(frozen=True, slots=True)
class Group:
    """The agreement among some codings: all of them, or those of a pair, a coder or a round.

    Attributes:
        name: of the pair, coder or round; empty for all.
        exact: share of pairs of codings with the very same codes.
    """

    name: str
    messages: int
    conversations: int
    exact: float
    rows: tuple[Agreement, ...]

    @property
    def size(self) -> str:
        """What it was measured on, and how often all codes agree, in words."""
        return (
            f"{self.messages} messages of {self.conversations} conversations coded at least twice; "
            f"{self.exact:.0%} of the pairs have exactly the same codes."
        )


@dataclass(frozen=True, slots=True, repr=False)
class AgreementReport:
    """Agreement by groups, and what is taken for what over all codings.

    Attributes:
        confusions: the most frequent ones; None where they were not asked for.
        left: how many less frequent ones there are.
        notes: what to know of the codings that are compared, a line each; JSON and CSV leave them out.
    """

    by: By
    groups: tuple[Group, ...]
    samples: int
    seed: int
    confusions: tuple[Confusion, ...] | None = None
    left: int = 0
    notes: tuple[str, ...] = ()

    def render(self, style: Style) -> str:
        """The whole report, with a line end. As CSV it is one table: the confusions where they were asked for."""
        if style == "json":
            return self._json()
        if style == "csv":
            return self._csv()
        return "\n\n".join(self._parts(markdown=style == "markdown")) + "\n"

    def frame(self) -> "pd.DataFrame":
        """One row per group and code, attribute or the sets, as a pandas frame: the columns of the CSV.

        Raises:
            MissingExtra: the extra `analysis` is not installed.
        """
        rows = [(group.name, *_line(row)) for group in self.groups for row in group.rows]
        frame = need("pandas", "analysis").DataFrame(rows, columns=list(_COLUMNS))
        return frame.astype(dict.fromkeys(_COLUMNS[4:-1], float))

    def plot(self) -> "Picture":
        """Krippendorff's alpha of the codes that were given, with intervals; of many groups the seven largest.

        Raises:
            MissingExtra: the extra `analysis` is not installed.
        """
        from mi_coder.annotation.figures import alpha_by_code
        from mi_coder.pictures import MARKS

        largest = sorted(self.groups, key=lambda group: -group.messages)[: len(MARKS)]
        shown = {
            f"{group.name} ({group.messages:,} messages)" if group.name else "": {row.name: row for row in group.rows}
            for group in self.groups
            if group in largest
        }
        return alpha_by_code(shown, given_codes(largest))

    def __repr__(self) -> str:
        return self.render("table").rstrip()

    def _repr_html_(self) -> str:
        """A table per group, of the four largest."""
        largest = sorted(self.groups, key=lambda group: -group.messages)[:MOST_SHOWN]
        tables = [
            html_table(
                _HEADER,
                [_cells(row, markdown=False) for row in group.rows if _is_told(row)],
                caption=(f"{self.by.capitalize()} {group.name}: " if group.name else "") + group.size,
            )
            for group in self.groups
            if group in largest
        ]
        if left := len(self.groups) - len(largest):
            tables.append(f"<p>{left} smaller groups are not shown.</p>")
        lines = [*self.notes, *self._legend(markdown=True).splitlines()]
        return "".join([*tables, *(f"<p>{escape(line)}</p>" for line in lines)])

    def _parts(self, markdown: bool) -> Iterator[str]:
        for group in self.groups:
            if group.name:
                yield f"## {self.by.capitalize()} {group.name}" if markdown else f"{self.by.capitalize()} {group.name}"
            yield group.size
            yield table(_HEADER, [_cells(row, markdown) for row in group.rows if _is_told(row)], markdown)
            if untold := [row.name for row in group.rows if not _is_told(row)]:
                yield f"Nothing to compare: {', '.join(untold)}."
        if self.notes:
            yield "\n".join(self.notes)
        yield self._legend(markdown)
        if self.confusions is not None:
            yield from self._confusion_parts(markdown)

    def _legend(self, markdown: bool) -> str:
        others = "" if markdown else " Intervals of the other figures: --as markdown, json or csv."
        return (
            f"Reading, by the lower end of alpha's interval: reliable from {RELIABLE}, tentative from {TENTATIVE}, "
            f"else unreliable; uncertain if alpha itself is {TENTATIVE} or more.\n"
            f"Few: fewer than {FEW} messages, or {FEW_CONVERSATIONS} conversations, have one of the values. With fewer "
            f"than {FEW_CONVERSATIONS} conversations, or without an interval, alpha is uncertain at best.\n"
            "All the same: all codings have the same value, and alpha cannot be computed.\n"
            "Cohen κ: the mean over pairs of coders, each pair counted once, however few messages it shares.\n"
            f"{SETS.capitalize()}: alpha on the sets of codes with MASI distances. Depth, permission and reason: among "
            "codings that agree on the code.\n"
            f"Brackets: 95% intervals over conversations ({self.samples} bootstrap samples, seed {self.seed}).{others}"
        )

    def _confusion_parts(self, markdown: bool) -> Iterator[str]:
        title = "Confusions, over all pairs of codings of a message"
        yield f"## {title}" if markdown else title
        rows = [
            [one.code, one.other or "nothing", str(one.pairs), str(len(one.messages)), _some(one.messages)]
            for one in self.confusions or ()
        ]
        yield table(("one has", "other has", "pairs", "messages", "where"), rows, markdown)
        if self.left:
            yield f"{self.left} less frequent confusions are not shown."

    def _json(self) -> str:
        groups = [asdict(group) | {"rows": [_row_fields(row) for row in group.rows]} for group in self.groups]
        fields = asdict(self) | {"groups": groups}
        del fields["notes"]
        return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n"

    def _csv(self) -> str:
        if self.confusions is not None:
            places = ";".join
            return _csv(
                _CONFUSION_COLUMNS,
                [(c.code, c.other, c.pairs, len(c.messages), places(c.messages)) for c in self.confusions],
            )
        return _csv(_COLUMNS, [(group.name, *_line(row)) for group in self.groups for row in group.rows])


def read_report(path: Path) -> AgreementReport:
    """Read a report that was written as JSON; its confusions are left out.

    Raises:
        UsageProblem: it cannot be read, or is no such report.
    """
    try:
        fields = msgspec.json.decode(path.read_bytes())
        groups = tuple(
            Group(**(group | {"exact": _number(group["exact"]), "rows": tuple(map(_row_of, group["rows"]))}))
            for group in fields["groups"]
        )
        read = AgreementReport(fields["by"], groups, fields["samples"], fields["seed"])
        return msgspec.convert(asdict(read), AgreementReport)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}. {_WRITE}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        raise UsageProblem(f"{path} is not an agreement report in JSON. {_WRITE}") from None


def report(
    units: Sequence[Unit], by: By = "all", samples: int = SAMPLES, seed: int = 1, most: int | None = None
) -> AgreementReport:
    """Compute every figure of a report.

    Args:
        most: how many confusions are kept; None leaves them out.

    Raises:
        UsageProblem: no message has two codings that can be compared.
    """
    groups = tuple(_group(name, own, samples, seed) for name, own in split(units, by).items())
    counted = compared(units, by)
    if not groups:
        within = " within one round" if by == "round" else ""
        alike = look_alikes(counted)
        raise UsageProblem(
            f"No message is coded twice{within}. Name files of two coders, or of two rounds, of the same messages"
            f"{'; to compare the rounds, leave out --by round' if within else ''}.{alike and f' {alike}'}"
        )
    notes = tuple(filter(None, _notes(units, counted, by)))
    if most is None:
        return AgreementReport(by, groups, samples, seed, notes=notes)
    found = confusions(counted)
    return AgreementReport(by, groups, samples, seed, tuple(found[:most]), len(found[most:]), notes)


def given_codes(groups: Iterable[Group]) -> list[str]:
    """The codes that somebody gave in one of the groups, the most frequent first."""
    given = dict.fromkeys(Codebook.load().ids, 0)
    for group in groups:
        for row in group.rows:
            if row.name in given:
                given[row.name] += row.given
    return sorted((code for code in given if given[code]), key=lambda code: -given[code])


def _group(name: str, units: Sequence[Unit], samples: int, seed: int) -> Group:
    return Group(
        name=name,
        messages=len({unit.id for unit in units}),
        conversations=len({unit.conversation for unit in units}),
        exact=exact_match(units),
        rows=tuple(agreements(units, samples, seed)),
    )


def _notes(units: Sequence[Unit], counted: Sequence[Unit], by: By) -> Iterator[str]:
    """What to say of the codings, and of those that are compared; some of it may be empty."""
    if not several_coders(units):
        yield "No message has codings of two coders: rounds of one coder are compared, which is agreement with oneself."
    elif by in ("all", "coder"):
        yield earlier_rounds(units)
    yield coded_alone(counted)
    yield look_alikes(counted)
    if own := sum(len({given.own for given in unit.given} - {None}) > 1 for unit in counted):
        yield f"Codes of your own are not in any figure. They differ on {own} messages."


def _is_told(row: Agreement) -> bool:
    """Whether somebody gave the code, or two agreed on the code that carries the attribute."""
    return bool(row.given if row.name in Codebook.load().ids else row.units)


def _cells(row: Agreement, markdown: bool) -> list[str]:
    """One line of a table. Plain text has the interval of alpha alone, so that it fits a terminal."""
    others = [getattr(row, name) for name in FIGURES[1:]]
    shown = [figure(one) if markdown else number(one.value) for one in others]
    given = f"{row.given}" if math.isnan(row.share) else f"{row.given} ({row.share:.1%})"
    return [row.name, str(row.units), given, figure(row.alpha), *shown, row.reading]


def _row_fields(row: Agreement) -> dict[str, object]:
    return asdict(row) | {"verdict": row.verdict, "few": row.few}


def _row_of(fields: Mapping[str, Any]) -> Agreement:
    known: dict[str, Any] = {name: fields[name] for name in ("name", "units", "given", "rarest")}
    known["conversations"] = fields.get("conversations")
    for name in FIGURES:
        known[name] = Figure(*(_number(fields[name][end]) for end in ("value", "low", "high")))
    return Agreement(**known, share=_number(fields["share"]))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _line(row: Agreement) -> list[Cell]:
    """A row of the CSV after its group."""
    figures = [getattr(row, name) for name in FIGURES]
    ends = [_defined(end) for one in figures for end in (one.value, one.low, one.high)]
    return [row.name, row.units, row.given, _defined(row.share), *ends, row.reading]


def _csv(header: Sequence[str], lines: Iterable[Sequence[Cell]]) -> str:
    """A CSV; ids and names that a spreadsheet would run get the guard of guard.py, numbers stay as they are."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(guard_cell, line) for line in lines)
    return written.getvalue()


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else round(value, _DIGITS)


def _some(ids: Sequence[str]) -> str:
    """The first ids, and how many follow."""
    left = len(ids) - SHOWN_IDS
    return " ".join(ids[:SHOWN_IDS]) + (f" and {left} more" if left > 0 else "")
