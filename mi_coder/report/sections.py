"""The sections of the page, each from what was counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isnan

from mi_coder.annotation.agreement import FEW, FEW_CONVERSATIONS, RELIABLE, TENTATIVE
from mi_coder.annotation.agreement_report import AgreementReport, Group, given_codes
from mi_coder.codebook import Codebook
from mi_coder.evaluation import render
from mi_coder.measures.patterns import FROM, Patterns
from mi_coder.measures.profile import Figure, Profile
from mi_coder.measures.summaries import SUMMARIES, thresholds
from mi_coder.measures.tally import CODES
from mi_coder.measures.words import (
    CORRECTED,
    NO_WIDTH,
    amount,
    by_unit,
    corrected_legend,
    is_percentage,
    made_of,
    mark,
    reasons,
)
from mi_coder.report.charts import FEWEST, Dot, Line, Step, dots, heat, highest, line
from mi_coder.report.page import Cells, Section, bullets, folded, paragraph, plot, scrolling, table

TRACKED = ("% MI-consistent", "R:Q")
NO_FIGURE = "\u2013"
NO_BREAK, MAY_BREAK = "\u00a0", "\u200b"
MOST_COUNSELORS = 12
MOST_ROWS = 50
MOST_GROUPS = 6
_LONG_PAIR = 9
"""Letters of two numbers, such as 431/1,204, up to which no line breaks between them."""
THRESHOLDS = (
    "Fair and good are the thresholds of MITI 4.2.1: opinions of experts on recorded sessions, not norms, and not made "
    "for chats. They are context and no verdict."
)
FIGURES_OF_PICTURES = "The figures of these pictures are in report.html and tidy.csv in the folder of mi-code relate."


@dataclass(frozen=True, slots=True)
class Overview:
    """What the files hold.

    Attributes:
        review: coded messages that the tagger was too unsure of.
    """

    conversations: int
    counselor_messages: int
    client_messages: int
    review: int
    counselors: int | None
    first: str
    last: str


def overview(facts: Overview, whole: Sequence[Figure], unit: str) -> Section:
    """Numbers of everything, and the summaries over all chats."""
    share = facts.review / facts.counselor_messages if facts.counselor_messages else 0.0
    rows: list[Cells] = [
        ["conversations", facts.conversations],
        ["coded counselor messages", facts.counselor_messages],
        ["client messages", facts.client_messages],
        ["messages flagged for review by a person", f"{facts.review:,} ({share:.1%})"],
    ]
    if facts.counselors is not None:
        rows.insert(1, ["counselors", facts.counselors])
    if facts.first:
        rows.append(["from, to", f"{facts.first} to {facts.last}"])
    return Section(
        "overview",
        "Overview",
        table("What the files hold", ["", "number"], rows) + _summaries("All chats together", whole, unit),
    )


def code_use(whole: Sequence[Figure], unit: str, validated: bool, warning: str) -> Section:
    """How often each code is used.

    Args:
        validated: whether validated chats were given, so that figures are corrected where these suffice.
        warning: what speaks against the corrections.
    """
    names = _names()
    by_code = {figure.measure: figure for figure in whole}
    used = sorted((by_code[code] for code in CODES), key=lambda figure: -(figure.value or 0))
    rows = [
        Dot(
            names[figure.measure] + mark(figure), figure.value or 0.0, figure.low, figure.high,
            f"{names[figure.measure]}: {_interval(figure, percent=True)}",
        )
        for figure in used
    ]  # fmt: skip
    corrected = [figure.measure for figure in used if figure.corrected]
    told = "Intervals are over conversations and do not include the tagger's errors: see the quality of the tagger."
    if validated:
        told = (
            f"The shares of {', '.join(corrected) or 'no code'} are corrected for the tagger's errors on validated "
            f"chats (marked {CORRECTED}), and their intervals include this uncertainty. The other codes were found "
            "correctly there too rarely, or their recall is not surely above their false alarms: their shares are as "
            "tagged, and their intervals are over conversations only."
        )
    cells: list[Cells] = [[names[f.measure], f.measure, _interval(f, percent=True), f.units] for f in used]
    return Section(
        "use",
        "Use of codes",
        paragraph(f"Share of {unit}s that carry each code; a {unit} can carry several.")
        + dots(rows, f"Share of {unit}s with each code, with 95% intervals")
        + paragraph(f"{told} {NO_WIDTH}", note=True)
        + (paragraph(warning) if warning else "")
        + folded(
            "The same as a table",
            table(f"Share of {unit}s with each code", ["code", "id", "share [95%]", f"{unit}s"], cells),
        ),
    )


def counselors(found: Profile, field: str) -> Section:
    """The summaries of each counselor, largest first; those beyond `MOST_ROWS` are folded in."""
    groups = _by_group(found.figures)
    wanted = [measure.name for measure in SUMMARIES]
    rows: list[Cells] = [
        [
            group[0] or "(none)",
            figures[0].conversations,
            figures[0].units,
            *(_cell(figure) for figure in figures if figure.measure in wanted),
        ]
        for group, figures in sorted(groups.items(), key=lambda item: -item[1][0].units)
    ]
    head = [field, "chats", f"{found.unit}s", *(by_unit(name, found.unit) for name in wanted)]
    rest = rows[MOST_ROWS:]
    told = [figure for figure in found.figures if figure.measure in wanted]
    why = [f"{NO_FIGURE} no figure ({'; '.join(missing)})"] if (missing := reasons(told, found.unit)) else []
    below = [*corrected_legend(told), *why, *found.few()]
    return Section(
        "counselors",
        "Counselors",
        paragraph(
            "Those with most messages come first. Each figure has its 95% interval over the counselor's conversations, "
            f"and none where these are fewer than five. {NO_WIDTH} In parentheses stand the two numbers that it is "
            "made of: where they are small, it says little. Wide intervals overlap: do not rank by them."
        )
        + table(f"By {field}", head, rows[:MOST_ROWS])
        + (folded(f"{len(rest):,} more counselors", table(f"By {field}, continued", head, rest)) if rest else "")
        + (paragraph(f"{'. '.join(below)}.", note=True) if below else ""),
    )


def most_units(units: Mapping[tuple[str, ...], int]) -> list[str]:
    """The counselors with most units, at most `MOST_COUNSELORS`, from the units of each in each period."""
    sizes: Counter[str] = Counter()
    for (counselor, _), number in units.items():
        sizes[counselor] += number
    return [counselor for counselor, _ in sizes.most_common(MOST_COUNSELORS)]


def over_time(found: Profile, periods: Sequence[str]) -> Section:
    """Tracked figures of the counselors with most messages (see `most_units`), period by period."""
    groups = _by_group(found.figures)
    chosen = most_units({group: figures[0].units for group, figures in groups.items()})
    few = "".join(paragraph(f"{sentence}. A group is a counselor in a period.", note=True) for sentence in found.few())
    if len(periods) < 2:
        return Section("time", "Counselors over time", few)
    lead = f"The {len(chosen)} counselors with most messages. " if len(chosen) == MOST_COUNSELORS else ""
    body = few + paragraph(
        f"{lead}The band is the 95% interval of a period with five conversations or more; changes within it may be "
        f"chance. A hollow dot has fewer: it has no interval and says little. {NO_WIDTH}"
    )
    drawn = [figure for figure in found.figures if figure.measure in TRACKED and figure.group[0] in chosen]
    body += "".join(paragraph(f"{sentence}.", note=True) for sentence in corrected_legend(drawn))
    for measure in TRACKED:
        sign = CORRECTED if any(figure.corrected for figure in drawn if figure.measure == measure) else ""
        tracks = {
            name: [_step(groups.get((name, period), ()), measure, period) for period in periods] for name in chosen
        }
        top, percent = highest(tracks.values()), is_percentage(measure)
        pictures = "".join(
            f"<div><h4>{escape(name or '(none)')}</h4>"
            f"{line(steps, f'{measure} of {name} by period', top, percent)}</div>"
            for name, steps in tracks.items()
        )
        rows: list[Cells] = [[name or "(none)", _told(steps)] for name, steps in tracks.items()]
        behind = table(f"{measure} by period, with 95% intervals", ["counselor", "periods"], rows)
        body += f'<h3>{escape(measure)}{sign}</h3><div class="many">{pictures}</div>'
        body += folded("The same as a table", behind)
    return Section("time", "Counselors over time", body)


def order(patterns: Patterns) -> Section:
    """Where codes stand in chats, what they follow, and what they stand with."""
    names = _names()
    used = [i for i, code in enumerate(CODES) if patterns.together[i][i]]
    origins = [i for i, row in enumerate(patterns.following) if sum(row)]
    tenths = [Line(f"{10 * i}-{10 * i + 10}", f"{10 * i}", n) for i, n in enumerate(patterns.messages)]
    before = [Line(names.get(FROM[i], "client's message"), FROM[i], sum(patterns.following[i])) for i in origins]
    with_code = [Line(names[CODES[i]], CODES[i], patterns.together[i][i]) for i in used]
    few = (
        "The darkest shade is the highest share of the picture; a shade without a number is under 10%. "
        f"Where n is below {FEWEST}, nothing is shaded, since one message would look like a habit; the table has all."
    )
    return Section(
        "order",
        "Order in chats",
        _shares(
            "Where in a chat each code stands",
            "Percent of coded messages in each tenth of the chat (from 0, 10 to 90%) that carry the code; n: messages "
            f"there. {few}",
            ("tenth of the chat, %", tenths),
            [CODES[i] for i in used],
            [[row[i] for i in used] for row in patterns.position],
            across=True,
        )
        + _shares(
            "What comes next",
            "What percent of the codes that follow a message of the client, or a code in the counselor's message "
            f"before, are this code; n: codes that follow. {few}",
            ("what comes before", before),
            [CODES[i] for i in used],
            [[patterns.following[i][j] for j in used] for i in origins],
        )
        + _shares(
            "What stands together",
            "Percent of the messages with the code on the left that carry the other one too; n: messages with the code "
            f"on the left. {few}",
            ("code", with_code),
            [CODES[i] for i in used],
            [[patterns.together[i][j] if i != j else None for j in used] for i in used],
        ),
    )


def _shares(
    title: str,
    note: str,
    named: tuple[str, Sequence[Line]],
    codes: Sequence[str],
    counts: Sequence[Sequence[int | None]],
    across: bool = False,
) -> str:
    """Counts of codes as shares of each line: a heat map, and behind it a table with the most frequent codes first.

    Args:
        named: what the lines are, and the lines.
        counts: [lines, codes]; None where there is nothing to count.
        across: lines are columns.
    """
    names, (header, lines) = _names(), named
    shares = [
        [None if n is None or not one.of else n / one.of for n in row] for one, row in zip(lines, counts, strict=True)
    ]
    if across:
        rows = [Line(names[code], code) for code in codes]
        picture = heat(rows, lines, [[row[i] for row in shares] for i in range(len(codes))], title)
    else:
        picture = heat(lines, [Line(code, code) for code in codes], shares, title)
    cells: list[Cells] = []
    for one, row in zip(lines, counts, strict=True):
        found = sorted(((n, code) for n, code in zip(row, codes, strict=True) if n), key=lambda pair: -pair[0])
        cells.append([one.name, one.of, ", ".join(f"{code} {n / (one.of or n):.0%} ({n:,})" for n, code in found)])
    caption = f"{title}: codes with percent and count (names of the codes: use of codes)"
    return (
        f'<div class="keep"><h3>{escape(title)}</h3>{paragraph(note, note=True)}'
        f"{scrolling(picture, title, 'wide')}</div>"
        + folded("The same as a table", table(caption, [header, "n", "codes"], cells))
    )


def outcomes(pictures: Mapping[str, bytes], sentences: Sequence[str], notes: Sequence[str]) -> Section:
    """Forest plots, sentences and notes of a folder that `mi-code relate` wrote.

    Args:
        pictures: SVG by title.
    """
    drawn = "".join(
        f"<h3>{escape(title)}</h3>{plot(svg, f'Effects of each technique with intervals, {title}')}"
        for title, svg in pictures.items()
    )
    where = paragraph(FIGURES_OF_PICTURES, note=True) if pictures else ""
    left_out = folded("Left out, and why", bullets(notes)) if notes else ""
    return Section("outcomes", "Outcomes", drawn + where + bullets(sentences) + left_out)


def agreement(report: AgreementReport) -> Section:
    """Krippendorff's alpha by code, of all codings or of each pair, coder or round."""
    lead = paragraph(
        "Krippendorff's alpha of each code as present or absent, with its 95% interval over conversations; after each "
        f"code how many codings have it. Dashed: tentative from {TENTATIVE}, reliable from {RELIABLE}. A hollow dot: "
        f"present or absent in fewer than {FEW} messages or {FEW_CONVERSATIONS} conversations. Agreement is not "
        "accuracy: coders with the same blind spot agree."
    )
    largest = sorted(report.groups, key=lambda group: -group.messages)[:MOST_GROUPS]
    parts = [_agreement(group, report.by) for group in report.groups if group in largest]
    if left := len(report.groups) - len(largest):
        parts.append(paragraph(f"{left} {report.by}s with fewer messages are not shown.", note=True))
    return Section("agreement", "Agreement of coders", lead + "".join(parts))


def _agreement(group: Group, by: str) -> str:
    names = _names()
    title = f"{by.capitalize()} {group.name}" if group.name else ""
    rows = {row.name: row for row in group.rows}
    codes = given_codes([group])
    drawn = [
        Dot(
            f"{names[code]}, {rows[code].given:,}",
            alpha.value,
            None if isnan(alpha.low) else alpha.low,
            None if isnan(alpha.high) else alpha.high,
            f"{names[code]}: {render.figure(alpha)}",
            rows[code].few,
        )
        for code in codes
        if not isnan((alpha := rows[code].alpha).value)
    ]
    told = [*(rows[code] for code in codes), *(row for row in group.rows if row.name not in names and row.units)]
    cells: list[Cells] = [
        [
            names.get(row.name, row.name),
            row.units,
            row.given,
            render.figure(row.alpha),
            render.figure(row.positive),
            row.reading,
        ]
        for row in told
    ]
    label = f"Krippendorff's alpha by code, with 95% intervals{f': {title}' if title else ''}"
    limits = {TENTATIVE: "tentative", RELIABLE: "reliable"}
    return (
        (f"<h3>{escape(title)}</h3>" if title else "")
        + paragraph(group.size, note=True)
        + dots(drawn, label, percent=False, marks=limits)
        + folded(
            "The same as a table",
            table(label, ["", "messages", "given", "alpha [95%]", "agreement on presence [95%]", "reading"], cells),
        )
    )


def examples(texts: Mapping[str, Sequence[str]]) -> Section:
    """Messages of each code, where the user asked for texts."""
    names = _names()
    body = "".join(
        f"<h3>{escape(names[code])}</h3>" + "".join(f"<blockquote>{escape(text)}</blockquote>" for text in said)
        for code, said in texts.items()
    )
    return Section(
        "examples",
        "Messages",
        paragraph("Messages of which the tagger was most confident. They are private.", True) + body,
    )


def _summaries(caption: str, figures: Sequence[Figure], unit: str) -> str:
    known = {measure.name: measure for measure in SUMMARIES}
    rows = [
        [
            by_unit(figure.measure, unit),
            _interval(figure),
            ", ".join(thresholds(known[figure.measure]).values()),
            by_unit(known[figure.measure].formula, unit)
            + (f". {figure.note[0].upper()}{figure.note[1:]}" if figure.value is not None and figure.note else ""),
        ]
        for figure in figures
        if figure.measure in known
    ]
    legend = [f"{sentence}." for sentence in corrected_legend(figure for figure in figures if figure.measure in known)]
    return table(caption, ["figure", "value [95%]", "fair, good", "formula"], rows) + paragraph(
        " ".join((*legend, THRESHOLDS)), note=True
    )


def _by_group(figures: Sequence[Figure]) -> dict[tuple[str, ...], list[Figure]]:
    groups: dict[tuple[str, ...], list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.group, []).append(figure)
    return groups


def _step(figures: Sequence[Figure], measure: str, period: str) -> Step:
    found = next((figure for figure in figures if figure.measure == measure), None)
    if found is None:
        return Step(period, None, None, None)
    return Step(period, found.value, found.low, found.high, f"{_interval(found)} ({made_of(found, '/')})")


def _told(steps: Sequence[Step]) -> str:
    return "; ".join(f"{step.period}: {step.text}" for step in steps if step.value is not None)


def _interval(figure: Figure, percent: bool = False) -> str:
    if figure.value is None:
        return figure.note.partition(":")[0]

    def shown(value: float) -> str:
        return f"{value:.1%}" if percent else amount(figure.measure, value)

    value = shown(figure.value) + mark(figure)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{shown(figure.low)}, {shown(figure.high)}]"


def _cell(figure: Figure) -> str:
    """A figure with its two numbers; narrow columns break it before the interval and the numbers, and in long pairs."""
    if figure.value is None:
        return NO_FIGURE
    pair = made_of(figure, "/")
    if len(pair) > _LONG_PAIR:
        pair = pair.replace("/", f"/{MAY_BREAK}")
    return f"{_interval(figure).replace(', ', f',{NO_BREAK}')} ({pair})"


def _names() -> dict[str, str]:
    return {code.id: code.name for code in Codebook.load().codes}
