"""The page of a suite: its table of targets, and under it the reports that the rows come from."""

import re
from collections.abc import Mapping, Sequence

from mi_coder.evaluation import render
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.evaluation.targets import Target

TITLE = "# Figures of "
"""How every page of a suite begins, those of older versions too."""

_MARKS = {True: "yes", False: "no", None: render.UNDEFINED}
_COLUMNS = ("measure", "target", "result", "for comparison (TF-IDF unless named)", "met")
_TITLES = {
    "esconv": "ESConv: coded chats of the test part",
    "annomi": "AnnoMI: coded transcripts of the test part",
    "practice": "Practice chats written apart from those of training (invented; rare codes are overrepresented)",
    "fresh": "Fresh practice chats: written apart from all others (invented)",
    "welivita": "Welivita & Pu: single forum sentences, not trained on, labels through the crosswalk",
}
_HEAD = """{title}{coder}

Made by `mi-code evaluate --suite`. {count}

How to read this page:

- **Gold codes** of ESConv, AnnoMI and the practice chats were given by a language model that read every message (see
  annotations/README.md). No human expert checked them.
- **Left out** are conversations that the model was trained on.
- **Brackets** are 95% intervals from resampling conversations.
- **Met** means that the result itself reaches the target, whatever its interval.
- **Calibration error** of few messages is too high, because chance adds to the gap of every bin. Its interval shows
  the spread alone, not this excess.
{opened}
## Targets

"""
_OPENED = """\
- **The test data were looked at several times**, with one version of the model after the other, so some figures may be
  too good: [when, and for what](#{anchor}).
"""


def table(rows: Sequence[Target], markdown: bool) -> str:
    """One line a target."""
    cells = [[row.what, row.wanted, row.reached, row.beside or render.UNDEFINED, _MARKS[row.met]] for row in rows]
    return render.table(_COLUMNS, cells, markdown)


def count(met: int, judged: int, rows: int) -> str:
    """How many targets are met, and how many could not be measured."""
    unmeasured = f"; {rows - judged} could not be measured" if rows > judged else ""
    return f"{met} of {judged} measured targets are met{unmeasured}."


def page(
    rows: Sequence[Target],
    reports: Mapping[str, EvaluationReport],
    met: int,
    judged: int,
    opened: str = "",
    bundled: bool = False,
) -> str:
    """The whole page in Markdown.

    Args:
        reports: by corpus, in their order on the page.
        met, judged: how many of the rows are met, and how many could be measured.
        opened: a section, with its heading, on how often the test data were looked at.
        bundled: whether the model is the bundled one.
    """
    measured = next((report.source.coder for report in reports.values()), "")
    head = _HEAD.format(
        title=TITLE,
        coder=", ".join(filter(None, ("the bundled model" if bundled else "", measured))) or "the model",
        opened=_OPENED.format(anchor=_anchor(opened)) if opened else "",
        count=count(met, judged, len(rows)),
    )
    sections = [f"## {_TITLES[key]}\n\n##{report.to_markdown()}" for key, report in reports.items()]
    history = [opened] if opened else []
    return "\n".join([head + table(rows, markdown=True), "", *history, *sections])


def _anchor(section: str) -> str:
    """The anchor of the heading with which a section begins."""
    heading = section.partition("\n")[0].strip("# ")
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
