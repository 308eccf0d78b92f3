"""The page of a suite: its table of targets, and under it the reports that the rows come from."""

from collections.abc import Mapping, Sequence

from mi_coder.evaluation import render
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.evaluation.targets import Target

TITLE = "# Figures of "

_MARKS = {True: "yes", False: "no", None: render.UNDEFINED}
_COLUMNS = ("what", "wanted", "reached", "TF-IDF or yardstick", "met")
_TITLES = {
    "esconv": "ESConv: coded chats of the test part",
    "annomi": "AnnoMI: coded transcripts of the test part",
    "practice": "Practice chats written apart from those of training (invented; rare codes are overrepresented)",
    "fresh": "Fresh practice chats: written apart from all others (invented)",
    "welivita": "Welivita & Pu: single forum sentences, not trained on, labels through the crosswalk",
}
_HEAD = """{title}{coder}

Made by `mi-code evaluate --suite`.

- **Labels.** Gold codes of ESConv, AnnoMI and the practice chats were given by a language model that read every
  message (see annotations/README.md); no human expert checked them.
- **Left out** are conversations that the model was trained on.
- **Intervals.** Brackets are 95 % intervals from resampling conversations. A target is met where the figure itself
  reaches it, whatever its interval.
- **Calibration.** The calibration error of few messages is too high, because chance adds to the gap of every bin; its
  interval shows the spread alone.
{opened}
## Targets

{count}
"""
_OPENED = """\
- **The tests were opened several times**, with one version of the model after the other, which may flatter: [how
  often](#how-often-the-tests-were-opened).
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
    rows: Sequence[Target], reports: Mapping[str, EvaluationReport], met: int, judged: int, opened: str = ""
) -> str:
    """The whole page in Markdown.

    Args:
        reports: by corpus, in their order on the page.
        met, judged: how many of the rows are met, and how many could be measured.
        opened: the section "How often the tests were opened".
    """
    coder = next((report.source.coder for report in reports.values()), "the model")
    counted = count(met, judged, len(rows))
    head = _HEAD.format(title=TITLE, coder=coder, opened=_OPENED if opened else "", count=counted)
    sections = [f"## {_TITLES[key]}\n\n##{report.to_markdown()}" for key, report in reports.items()]
    history = [opened] if opened else []
    return "\n".join([head, table(rows, markdown=True), "", *history, *sections])
