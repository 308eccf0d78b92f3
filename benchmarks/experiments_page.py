"""docs/experiments.md: the stored runs of `benchmarks/experiments.py`, and what limits the tagger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mi_coder.evaluation.folds import Judged, fold_figures

REFERENCE = "reference"
JUDGED = {"esconv": "ESConv", "practice": "practice chats", "annomi": "AnnoMI"}

# What a new model changes in docs/experiments.md: store it with `score`, and name it here.
TAGGER = "all-0.13.2"
CURVE = ("twenty-fourth", "eighth", REFERENCE, "half", "whole", "all-0.3.0")
MISSED = (
    ("practice", "CO"),
    ("practice", "IP"),
    ("practice", "CC"),
    ("practice", "DI"),
    ("esconv", "CC"),
    ("esconv", "depth"),
    ("practice", "depth"),
    ("esconv", "permission"),
    ("practice", "permission"),
)

SHOWN = {"calibration": "calibration error (ECE)", "doubt": "exact-match error removed by review"}
"""Titles of rows of the section on limits, where they are not the names of the stored figures."""

Stored = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of the section on limits.

    Attributes:
        what: a code, or one of depth, permission, calibration, doubt, as stored runs name it.
        corpora: the dev chats on which `TAGGER` is evaluated.
        wanted: the target.
        readers: how far experts or readers agree.
        reading: what limits it.
    """

    what: str
    corpora: tuple[str, ...]
    wanted: str
    readers: str
    reading: str


LIMITS = (
    Limit(
        "CO",
        ("practice",),
        ".75",
        ".99",
        "not the codes, and little the size of the model (MPNet .71): blame and argument often use the same words",
    ),
    Limit(
        "IP",
        ("practice",),
        ".75",
        ".99",
        "neither the codes nor the size of the model (MPNet .78): six kinds of harm in one code",
    ),
    Limit(
        "CC",
        ("practice", "esconv"),
        ".75, .65",
        ".97, .85",
        "not the codes, nor the size of the model in practice chats (MPNet .76): talk off the problem can be known "
        "from the chat, not from the message",
    ),
    Limit(
        "DI",
        ("practice",),
        ".75",
        ".95",
        "in part the codes: the authors coded an order with a threat as DI; since then it is WA",
    ),
    Limit(
        "OT",
        ("practice", "esconv"),
        ".75, .65",
        ".89, .82",
        "the codes in ESConv: a residual category without a form of its own",
    ),
    Limit(
        "depth",
        ("esconv", "practice", "annomi"),
        ".75",
        "alpha .81, .93, .81; ten experts on AnnoMI's kinds of reflection .50",
        "both: experts agree little on it; if readers agree, the tagger has few reflections to learn from (some eight "
        "in a hundred messages of ESConv). On test, ESConv and the practice chats reach the target, AnnoMI does not",
    ),
    Limit(
        "permission",
        ("esconv", "practice", "annomi"),
        ".80",
        "alpha .92, .96, .75 (34 messages)",
        "the tagger, not the codes: whether advice was asked for is said in one sentence of the client, at times far "
        "back, and the counselor may have asked for permission. Single sentences help least in the invented chats, "
        "whose test part has other writers than the training part",
    ),
    Limit(
        "calibration",
        ("esconv", "practice", "annomi"),
        "at most .03",
        "–",
        "other data than chats have other base rates of the codes: ESConv and practice chats are most of the dev part "
        "that calibrates. Welivita has no dev part; its test part has .053 with model 0.13.0",
    ),
    Limit(
        "doubt",
        ("esconv", "practice", "annomi"),
        "at least .40",
        "exactly the same codes: 85%, 94%, 86% of messages",
        "in part the codes: a second reader gives other codes to one message in seven, in ESConv and in AnnoMI, and "
        "review can only pick out errors that the words reveal. In ESConv a third of the messages do not match "
        "exactly, so even a review that knew all of these would remove .49 of the error with a fifth of the messages",
    ),
)


_HEAD = """# Training experiments

Made by `python benchmarks/experiments.py table`. Every row is a stored run (`benchmarks/runs/experiments/`, with the
codes given and no text), made by `python benchmarks/experiments.py run NAME`.

How to read this page:

- **Dev** is the development (validation) part. Runs are evaluated on it alone, and it also chose epoch and thresholds:
  read the differences, not the levels.
- **Figures** are macro-F1 over the codes with at least 20 positives in the dev chats of a corpus.
- **Differences** are to the run `reference`, with 95% intervals by resampling conversations. A difference whose
  interval includes 0 is no finding.
- **Several dev parts.** Dev grew and its codes were settled in the meantime: runs are compared only if a hash says that
  they were evaluated on the same messages with the same codes.

![Macro-F1 on the newest dev part by the number of training messages](images/learning_curve.png)"""

_CURVE = """### Learning curve

F1 on dev by the number of training messages, for the codes that miss their target in [the benchmark](benchmark.md).
Depth and permission: accuracy where the code is given correctly; baseline: the accuracy of always naming the more
frequent value. n: messages of dev with the code or the attribute. Permission is predicted without the sentences that
ask (`asking.json`) here."""

_LIMITS = """## What limits what misses its target

- **Readers**: two readers of the same language model, blind to each other, on all messages that were coded twice
  (codes: the positive agreement, which is an F1 of one against the other; `annotations/agreement.md`).
- **Tagger on dev**: codes as F1; depth and permission as accuracy where the code is given correctly, beside the
  baseline of always naming the more frequent value; calibration as the expected calibration error (ECE), mean over
  codes; review as the share of the exact-match error that is removed by sending a fifth of dev's messages to people.
  n: messages with the code or the attribute. The dev part chose epoch and thresholds, so these figures are too good; no
  figure of the test part is in this column.

The tagger is {tagger}."""


def page(runs: Sequence[Stored], defined: Sequence[str], folds: Sequence[Judged], tried: str) -> str:
    """The whole page, in Markdown.

    Args:
        runs: in the order of the rows.
        defined: the names of all experiments.
        folds: AnnoMI in its own classes.
        tried: what is described in words, in Markdown; the page ends with it.
    """
    groups: dict[str, list[Stored]] = {}
    for one in runs:
        groups.setdefault(one["dev"]["sha256"], []).append(one)
    newest_first = sorted(groups.values(), key=_day, reverse=True)
    ran = {one["name"] for one in runs}
    missing = ", ".join(f"`{name}`" for name in defined if name not in ran)
    parts = [_HEAD, *(part for group in newest_first for part in _group(group))]
    if missing:
        parts.append(f"Defined and not run on any: {missing}.")
    return "\n\n".join([*parts, _limits(runs, folds), tried])


def _group(runs: Sequence[Stored]) -> list[str]:
    """The sections of one dev part."""
    dev = runs[0]["dev"]
    corpora = [corpus for corpus in JUDGED if any(corpus in one for one in runs)]
    columns = ["run", "what", "training messages", *(f"{JUDGED[corpus]}: macro-F1, difference" for corpus in corpora)]
    rows = [
        [f"`{one['name']}`", one["what"], _size(one), *(cell(one.get(corpus)) for corpus in corpora)] for one in runs
    ]
    return [
        f"## Dev as of {_day(runs)}: {dev['messages']:,} messages",
        " ".join([_about(dev), *_recipe(runs)]),
        _markdown(columns, rows),
        *_curve(runs),
    ]


def _size(one: Stored) -> str:
    """The number of training messages with codes, and of those without."""
    uncoded = one.get("uncoded_messages")
    return f"{one['messages']:,}" + (f" and {uncoded:,} without codes" if uncoded else "")


def _day(runs: Sequence[Stored]) -> str:
    """When the first of them was run."""
    return min(one["day"] for one in runs)


def _about(dev: Stored) -> str:
    made = f", {dev['rebuilt']}" if "rebuilt" in dev else ""
    return f"{dev['conversations']} conversations, hash `{dev['sha256']}`{made}."


def _recipe(runs: Sequence[Stored]) -> Iterator[str]:
    """The settings that the runs share, those of the reference."""
    one = next((one for one in runs if one["name"] == REFERENCE), None)
    if one is None:
        yield f"`{REFERENCE}` has not been run on it, so there are no differences."
    elif not isinstance(one["settings"], dict):
        yield (
            "Settings, teachers and hashes of gold files were not stored with these runs; all ran on every fourth "
            "training conversation unless the row says otherwise."
        )
    else:
        options, teachers = one["settings"]["fit"], {_teachers(run) for run in runs} - {""}
        yield (
            f"`{REFERENCE}`: encoder {one['settings']['base']}, every {one['settings']['share']}th training "
            f"conversation, {options['epochs']} epochs, learning rate {options['lr']:g}, seed {options['seed']}."
        )
        yield from sorted(f"Teachers: {names}." for names in teachers)


def _teachers(one: Stored) -> str:
    teachers = one["settings"].get("teachers") if isinstance(one["settings"], dict) else None
    return ", ".join(f"{each['model']} (`{each['sha256']}`)" for each in teachers) if isinstance(teachers, list) else ""


def learning_curve(runs: Sequence[Stored]) -> list[Stored]:
    """Its points among runs of one dev part, by size."""
    return sorted((one for one in runs if one["name"] in CURVE), key=lambda one: one["messages"])


def bundled(runs: Sequence[Stored]) -> Stored | None:
    """`TAGGER` on the newest dev part that it was judged on; None where it is not stored."""
    return max((one for one in runs if one["name"] == TAGGER), key=lambda one: one["day"], default=None)


def _curve(runs: Sequence[Stored]) -> list[str]:
    """The learning curve, with the codes that miss their target; nothing if there is a single point."""
    points = learning_curve(runs)
    if len(points) < 2:
        return []
    rows = [
        [f"macro-F1, {JUDGED[corpus]}", *(_value(one.get(corpus, {}).get("value")) for one in points)]
        for corpus in JUDGED
        if any(corpus in one for one in points)
    ]
    for corpus, what in MISSED:
        if any(_of(one, corpus, what) is not None for one in points):
            values = [f"{_value(_of(one, corpus, what))}{_support(one, corpus, what)}" for one in points]
            rows.append([f"{what}, {JUDGED[corpus]}", *values])
    columns = ["", *(f"{one['messages']:,} (`{one['name']}`)" for one in points)]
    return [_CURVE, _markdown(columns, rows)]


def _limits(runs: Sequence[Stored], folds: Sequence[Judged]) -> str:
    """The section on limits: the figures of `TAGGER` on the newest dev part that it was judged on."""
    tagger = bundled(runs) or {"what": f"{TAGGER}, not stored"}
    rows = [
        [
            SHOWN.get(one.what, one.what),
            ", ".join(JUDGED[corpus] for corpus in one.corpora),
            one.wanted,
            one.readers,
            ", ".join(
                f"{_value(_of(tagger, corpus, one.what))}{_support(tagger, corpus, one.what)}" for corpus in one.corpora
            ),
            one.reading,
        ]
        for one in LIMITS
    ]
    columns = ["what", "chats", "target", "readers", "tagger on dev", "what limits it"]
    four, eight = (_value(fold_figures(folds, level).macro.value) for level in ("4", "8"))
    rows.append(
        [
            "its own classes, 4 and 8",
            "AnnoMI, five folds by video",
            ".80, .55",
            "ten experts: one against another .80 [.78, .82], .53 [.48, .57] (`benchmarks/annomi_raters.py`); alpha of "
            "four classes .74",
            f"{four}, {eight}",
            "over eight classes the labels, most of which are one expert's: another expert is expected to reach no "
            "more. Over four classes both: the encoder detects the class input less well than experts do (.58, they "
            ".72). The folds were trained with settings of their own (`benchmarks/annomi_folds.py`)",
        ]
    )
    return "\n\n".join([_LIMITS.format(tagger=tagger["what"]), _markdown(columns, rows)])


def _of(one: Stored, corpus: str, what: str) -> float | None:
    """A figure of a stored run; None where it is not stored."""
    found = one.get(corpus, {})
    if what in ("depth", "permission"):
        return found.get(what, {}).get("right")
    if what in ("calibration", "doubt"):
        return found.get(what)
    return found.get("f1", {}).get(what, found.get("f1_few", {}).get(what))


def _support(one: Stored, corpus: str, what: str) -> str:
    """The messages that a figure of a code or an attribute rests on, and the majority-class baseline on them."""
    found = one.get(corpus, {})
    if what in ("depth", "permission"):
        figures = found.get(what)
        return f" (n {figures['messages']}, baseline {figures['most_frequent']:.3f})" if figures else ""
    number = found.get("positives", {}).get(what)
    return f" (n {number})" if number else ""


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def cell(macro: Stored | None) -> str:
    """Macro-F1 and its difference to the reference, with the interval, as far as they are known."""
    if macro is None or macro["value"] is None:
        return "–"
    if not macro["difference"] or macro["difference"] == [0, 0, 0]:
        return f"{macro['value']:.3f}"
    value, low, high = macro["difference"]
    return f"{macro['value']:.3f}, {value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows))
