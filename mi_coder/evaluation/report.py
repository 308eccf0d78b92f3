"""The result of an evaluation: figures with intervals, the baseline beside them, and what they were measured on."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from mi_coder.arrays import Floats
from mi_coder.errors import need
from mi_coder.evaluation import render
from mi_coder.evaluation.attributes import AttributeScore, GroupScore
from mi_coder.evaluation.bootstrap import interval
from mi_coder.evaluation.metrics import CodeScore

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture


@dataclass(frozen=True, slots=True)
class Source:
    """What was evaluated on what.

    Attributes:
        gold, gold_sha256: name and content of the gold file.
        coder: name and version of the model, or the name of the tagged file.
        coder_sha256: of the model or of the tagged file.
        codebook: hash of the codebook.
        title_warning: printed beside the title, such as that the model knows these conversations.
    """

    gold: str
    gold_sha256: str
    coder: str
    coder_sha256: str
    codebook: str
    title_warning: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How it was evaluated: positives that a code needs to count for the macro-F1, bootstrap samples and their seed."""

    min_support: int = 20
    samples: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its 95% interval over conversations; nan where undefined."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: Floats | float, samples: Floats) -> "Figure":
        """A value with the interval of its bootstrap samples, [samples]."""
        low, high = interval(samples)
        return cls(float(value), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Versus:
    """A figure of the coder, of the baseline, and of their difference (coder minus baseline) on the same samples."""

    coder: Figure
    baseline: Figure | None = None
    difference: Figure | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One code.

    Attributes:
        baseline_f1: None without a baseline.
        human_alpha: agreement of human coders on this code (see `mi_coder.evaluation.human`), or None.
        counted: whether the code has the support to count for the macro figures.
        trained: False where the model cannot give the code.
        calibration: expected calibration error of the code, as in `Calibration`, or None without probabilities.
    """

    score: CodeScore
    baseline_f1: float | None
    human_alpha: float | None
    counted: bool
    trained: bool
    calibration: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well probabilities are calibrated: means over the counted codes.

    Attributes:
        error: expected calibration error, 15 bins of equal mass.
        brier: mean squared distance of probability and truth.
        brier_of_base_rate: the same for always predicting the share of the code in the gold: the figure to beat.
        low, high: ends of the 95% interval of the error, from resampling conversations; nan where there is none.
    """

    error: float
    brier: float
    brier_of_base_rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Kept:
    """Exact-match error of the kept messages, the most confident `coverage` of all."""

    coverage: float
    error: Figure


@dataclass(frozen=True, slots=True)
class Risk:
    """What is gained by keeping the most confident messages (see `mi_coder.evaluation.risk`).

    Attributes:
        messages: those with complete gold and all probabilities.
        curve: by coverage, rising; the last keeps all messages.
        area: under the risk-coverage curve: the mean error over all coverages.
        reduction: the share of the error of all messages that is removed by keeping the most confident 0.8 of them.
    """

    messages: int
    curve: tuple[Kept, ...]
    area: Figure
    reduction: Figure


@dataclass(frozen=True, slots=True)
class SetScore:
    """Prediction sets (see `mi_coder.training.calibrate.set_cuts`).

    Attributes:
        coverage: nominal share of messages whose set contains all gold codes.
        held: the share whose set does.
        size: mean number of codes in a set.
    """

    coverage: float
    messages: int
    held: Figure
    size: Figure


@dataclass(frozen=True, slots=True)
class Review:
    """What people gain who look only at the messages marked for review; all figures are of those with complete gold.

    Attributes:
        sent: share that is marked.
        kept_error: exact-match error of the others.
        error: the same of all.
        reduction: share of the error that is removed by leaving out those that are sent: 1 - kept_error / error.
    """

    sent: Figure
    kept_error: Figure
    error: Figure
    reduction: Figure


@dataclass(frozen=True, slots=True)
class Bin:
    """Given codes of alike probability.

    Attributes:
        low: where the bin begins; it is 0.1 wide.
        codes: how many are in it.
        stated: mean of their probabilities.
        right: share of them that are right.
    """

    low: float
    codes: int
    stated: float
    right: Figure


@dataclass(frozen=True, slots=True)
class Reliability:
    """Whether given codes are right as often as their probabilities say (see `mi_coder.evaluation.reliability`).

    Attributes:
        codes: given codes with a probability, of which gold says whether they are right.
        bins: those with any codes, rising.
        error: expected calibration error over the bins.
    """

    codes: int
    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """How well the coder knows when it may be wrong.

    Attributes:
        risk: None where the coder kept no probabilities of all codes.
        sets: None there too, and where its model has no prediction sets.
        review: None where the coder marked no message for review.
        reliability: None where the coder kept no probabilities.
    """

    risk: Risk | None = None
    sets: SetScore | None = None
    review: Review | None = None
    reliability: Reliability | None = None


@dataclass(frozen=True, slots=True, repr=False)
class EvaluationReport:
    """Figures of one coder on one gold file.

    Attributes:
        rows: one per code of the codebook, in its order.
        macro: F1, mean over the counted codes.
        exact: share of the messages with complete gold that were given exactly their codes.
        complete: messages with complete gold.
        calibration: None where the coder kept no probabilities.
        notes: what a reader must know beside the figures.
    """

    source: Source
    options: Options
    conversations: int
    messages: int
    complete: int
    rows: tuple[Row, ...]
    macro: Versus
    exact: Versus
    groups: tuple[GroupScore, ...]
    attributes: tuple[AttributeScore, ...]
    calibration: Calibration | None
    doubt: Doubt
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The macro figures in one sentence."""
        counted = sum(row.counted for row in self.rows)
        return (
            f"{self.source.coder} on {self.source.gold}: macro-F1 {render.versus(self.macro)} "
            f"over {counted} codes with at least {self.options.min_support} positives "
            f"in {self.messages} messages of {self.conversations} conversations."
        )

    def to_json(self) -> str:
        """Every figure; undefined ones are null."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    def to_markdown(self) -> str:
        """A Markdown page."""
        return render.page(self, markdown=True)

    def to_text(self) -> str:
        """A page for the terminal."""
        return render.page(self, markdown=False)

    def frame(self) -> "pd.DataFrame":
        """One row per code as a pandas frame: its scores (`CodeScore`) and the other attributes of `Row`.

        Raises:
            MissingExtra: the extra `analysis` is not installed.
        """
        beside = ("baseline_f1", "human_alpha", "counted", "trained", "calibration")
        rows = [asdict(row.score) | {name: getattr(row, name) for name in beside} for row in self.rows]
        numbers = {"baseline_f1": float, "human_alpha": float, "calibration": float}
        return need("pandas", "analysis").DataFrame(rows).astype(numbers)

    def plot(self) -> "Picture":
        """F1 by code with intervals, the baseline and the agreement of human coders beside it where they are known.

        Raises:
            MissingExtra: the extra `analysis` is not installed.
        """
        from mi_coder.evaluation.figures import f1_by_code

        return f1_by_code(self.rows, self.source.coder, self.options.min_support)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.html(self)
