"""Every figure of a model from stored data in one run: the gold codes of the project, and runs kept as files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from mi_coder import corpora
from mi_coder.conversation import Conversation
from mi_coder.corpora.source import locate
from mi_coder.corpora.standoff import read_standoff, with_standoff
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.evaluation import suite_page
from mi_coder.evaluation.folds import FoldFigures, fold_figures, read_judged
from mi_coder.evaluation.report import EvaluationReport, Options
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.evaluation.targets import CORPORA, FOLD_COUNT, LEVELS, Measured, Target, targets
from mi_coder.formats import write_conversations
from mi_coder.tagger.config import BadModel
from mi_coder.tagger.model import BUNDLED
from mi_coder.tagger.record import read_record

FOLDS = Path("benchmarks") / "runs" / "annomi_folds.csv"
OPENED = Path("benchmarks") / "runs" / "opened.md"
RUN_FOLDS = "python benchmarks/annomi_folds.py"

_PRACTICE = {"practice": Path("practice") / "test_c.jsonl", "fresh": Path("practice") / "test_l.jsonl"}
_CODES = ("round1.csv", "adjudicated.csv")
_CODED = ("esconv", "annomi")


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """Where the data lie.

    Attributes:
        data: root of the public corpora.
        annotations: the project's folder of codes.
        folds: predictions of the folds of AnnoMI.
        opened: what is written of how often the test data were looked at; it goes onto the page if it is there.
        model: model folder; None for the bundled one.
    """

    data: Path
    annotations: Path
    folds: Path = FOLDS
    opened: Path = OPENED
    model: Path | None = None
    threads: int = 1
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Suite:
    """The table and the reports under it.

    Attributes:
        opened: how often the test data were looked at, in Markdown.
        bundled: whether the model is the bundled one.
    """

    rows: tuple[Target, ...]
    reports: dict[str, EvaluationReport]
    opened: str = ""
    bundled: bool = False

    @property
    def met(self) -> int:
        return sum(row.met is True for row in self.rows)

    @property
    def judged(self) -> int:
        return sum(row.met is not None for row in self.rows)

    def table(self, markdown: bool) -> str:
        """The table of targets."""
        return suite_page.table(self.rows, markdown)

    def to_markdown(self) -> str:
        """The page `docs/benchmark.md`."""
        return suite_page.page(self.rows, self.reports, self.met, self.judged, self.opened, self.bundled)


def inputs(options: SuiteOptions) -> tuple[Path, ...]:
    """The files of the project that are read, whether they are there or not."""
    codes = (options.annotations / corpus / name for corpus in _CODED for name in _CODES)
    return (*(options.annotations / path for path in _PRACTICE.values()), options.folds, options.opened, *codes)


def run_suite(options: SuiteOptions, progress: Callable[[str], None] = lambda stage: None) -> Suite:
    """Measure everything that the data allow. What is missing is named in its rows, and the rest is measured.

    Raises:
        BadModel: the model cannot be read.
    """
    record = read_record(options.model or BUNDLED)
    reports: dict[str, EvaluationReport] = {}
    reasons: dict[str, str] = {}
    with TemporaryDirectory() as temporary:
        for key in CORPORA:
            progress(CORPORA[key])
            try:
                reports[key] = _report(key, options, Path(temporary))
            except BadModel:
                raise
            except _NotFound as error:
                reasons[key] = f"data not found: {_first_sentence(error)}"
            except MiCoderError as error:
                reasons[key] = f"not measured: {_first_sentence(error)}"
    folds: Mapping[tuple[str, str], FoldFigures] = {}
    try:
        folds = _folds(options.folds)
    except MiCoderError as error:
        reasons["folds"] = _first_sentence(error)
    opened = options.opened.read_text(encoding="utf-8") if options.opened.is_file() else ""
    return Suite(targets(Measured(reports, folds, record, reasons)), reports, opened, bundled=options.model is None)


class _NotFound(MiCoderError):
    """Data that are not here."""


def _report(key: str, options: SuiteOptions, folder: Path) -> EvaluationReport:
    request = Request(
        gold=_gold(key, options, folder),
        model=options.model,
        seen="leave out",
        options=options.options,
        threads=options.threads,
    )
    return evaluate_files(request)


def _gold(key: str, options: SuiteOptions, folder: Path) -> Path:
    """The file with the gold conversations of a corpus; made in `folder` where the project has none."""
    if key in _PRACTICE:
        path = options.annotations / _PRACTICE[key]
        if not path.is_file():
            raise _NotFound(f"no file {path}")
        return path
    try:
        locate(corpora.info(key), options.data)
    except UsageProblem as error:
        raise _NotFound(str(error)) from None
    path = folder / f"{key}.jsonl"
    conversations = corpora.load(key, options.data)
    if key in _CODED:
        conversations = coded(conversations, options.annotations / key)
    write_conversations(conversations, str(path))
    return path


def coded(conversations: Iterable[Conversation], folder: Path) -> Iterator[Conversation]:
    """The conversations with codes: those of round 1 and, in place of disputed ones, what a third reader settled.

    Args:
        folder: with `round1.csv` and `adjudicated.csv`.

    Raises:
        MiCoderError: neither is there, or one cannot be read.
    """
    files = [file for name in _CODES if (file := folder / name).is_file()]
    if not files:
        raise _NotFound(f"no codes in {folder}")
    return with_standoff(conversations, chain.from_iterable(map(read_standoff, files)), only_coded=True)


def _folds(path: Path) -> dict[tuple[str, str], FoldFigures]:
    """Figures by level and kind.

    Raises:
        MiCoderError: the file is not there, lacks folds or cannot be read.
    """
    if not path.is_file():
        raise MiCoderError(f"not run: {RUN_FOLDS}")
    judged = read_judged(path, LEVELS)
    run = len({row.fold for row in judged})
    if run != FOLD_COUNT:
        raise MiCoderError(f"{run} of {FOLD_COUNT} folds are run: {RUN_FOLDS}")
    return {(level, kind): fold_figures(judged, level, kind) for level in LEVELS for kind in ("given", "baseline")}


def _first_sentence(error: MiCoderError) -> str:
    return str(error).splitlines()[0].partition(". ")[0].rstrip(".")
