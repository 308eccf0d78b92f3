"""Every figure of a model from stored data in one go: the gold codes of the project, and runs kept as files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from mi_coder import corpora
from mi_coder.corpora.standoff import read_standoff, with_standoff
from mi_coder.errors import MiCoderError
from mi_coder.evaluation import render
from mi_coder.evaluation.folds import FoldFigures, fold_figures, read_judged
from mi_coder.evaluation.report import EvaluationReport, Options
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.evaluation.targets import CORPORA, Measured, Target, targets
from mi_coder.formats import write_conversations
from mi_coder.tagger.model import BUNDLED
from mi_coder.tagger.record import read_record

FOLDS = Path("benchmarks") / "runs" / "annomi_folds.csv"
LEVELS = ("4", "8")

_PRACTICE = Path("practice") / "test_c.jsonl"
_CODES = ("round1.csv", "adjudicated.csv")
_CODED = ("esconv", "annomi")
_TITLES = {
    "esconv": "ESConv: coded chats of the test part",
    "annomi": "AnnoMI: coded transcripts of the test part",
    "practice": "Practice chats written apart from those of training (invented; rare codes are overrepresented)",
    "welivita": "Welivita & Pu: single forum sentences, not trained on, labels through the crosswalk",
}
_HEAD = """# Figures of {coder}

Made by `mi-code evaluate --suite -o docs/benchmark.md`. Gold codes of ESConv, AnnoMI and the practice chats were given
by a language model that read every message (see annotations/README.md); no human expert checked them. Conversations
that the model was trained on are left out. Brackets are 95 % intervals from resampling conversations.

## Targets

{met} of {judged} targets are met.
"""


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """Where the data lie.

    Attributes:
        data: root of the public corpora.
        annotations: the project's folder of codes.
        folds: predictions of the folds of AnnoMI.
        model: model folder; None for the bundled one.
    """

    data: Path
    annotations: Path
    folds: Path = FOLDS
    model: Path | None = None
    threads: int = 1
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Suite:
    """The table and the reports under it."""

    rows: tuple[Target, ...]
    reports: dict[str, EvaluationReport]

    @property
    def met(self) -> int:
        return sum(row.met is True for row in self.rows)

    @property
    def judged(self) -> int:
        return sum(row.met is not None for row in self.rows)

    def table(self, markdown: bool) -> str:
        """The table of targets."""
        marks = {True: "yes", False: "no", None: "–"}
        cells = [[row.what, row.wanted, row.reached, row.beside or "–", marks[row.met]] for row in self.rows]
        return render.table(["what", "wanted", "reached", "TF-IDF or yardstick", "met"], cells, markdown)

    def to_markdown(self) -> str:
        """The page `docs/benchmark.md`."""
        coder = next((report.source.coder for report in self.reports.values()), "the model")
        head = _HEAD.format(coder=coder, met=self.met, judged=self.judged)
        sections = [f"## {_TITLES[key]}\n\n##{report.to_markdown()}" for key, report in self.reports.items()]
        return "\n".join([head, self.table(markdown=True), "", *sections])


def run_suite(options: SuiteOptions, progress: Callable[[str], None] = lambda stage: None) -> Suite:
    """Measure everything that the data allow. What is missing is named in its rows, and the rest goes on.

    Raises:
        MiCoderError: the model cannot be read.
    """
    record = read_record(options.model or BUNDLED)
    reports: dict[str, EvaluationReport] = {}
    reasons: dict[str, str] = {}
    with TemporaryDirectory() as temporary:
        for key in CORPORA:
            progress(CORPORA[key])
            try:
                gold = _gold(key, options, Path(temporary))
                reports[key] = evaluate_files(
                    Request(
                        gold=gold,
                        model=options.model,
                        seen="leave out",
                        options=options.options,
                        threads=options.threads,
                    )
                )
            except MiCoderError as error:
                reasons[key] = _first_sentence(str(error))
    folds: dict[tuple[str, str], FoldFigures] = {}
    if options.folds.is_file():
        judged = read_judged(options.folds, LEVELS)
        folds = {(level, kind): fold_figures(judged, level, kind) for level in LEVELS for kind in ("given", "baseline")}
    else:
        reasons["folds"] = "not run: python benchmarks/annomi_folds.py"
    return Suite(targets(Measured(reports, folds, record, reasons)), reports)


def _gold(key: str, options: SuiteOptions, folder: Path) -> Path:
    """The file with the gold conversations of a corpus."""
    if key == "practice":
        path = options.annotations / _PRACTICE
        if not path.is_file():
            raise MiCoderError(f"No file {path}.")
        return path
    path = folder / f"{key}.jsonl"
    conversations = corpora.load(key, options.data)
    if key in _CODED:
        files = [file for name in _CODES if (file := options.annotations / key / name).is_file()]
        conversations = with_standoff(conversations, chain.from_iterable(map(read_standoff, files)), only_coded=True)
    write_conversations(conversations, str(path))
    return path


def _first_sentence(text: str) -> str:
    return text.splitlines()[0].partition(". ")[0].rstrip(".")
