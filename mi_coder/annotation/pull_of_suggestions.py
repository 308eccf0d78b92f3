"""How far shown suggestions pull coders: what they choose with a suggestion in sight and with the same one hidden.

`mi-code studio push` hides the suggestions of a random share of the messages and records them, so the two arms differ
by chance alone, and the difference of the shares in which a code is chosen is what showing it does. Intervals come from
resampled conversations.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mi_coder.arrays import Bools, Floats, Numbers
from mi_coder.codebook import Codebook
from mi_coder.corpora.source import Row, read_rows
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.bootstrap import draws, resampled
from mi_coder.evaluation.report import Figure

COLUMNS = ("conversation_id", "codes", "suggestion", "suggested", "seconds")
ARMS = ("shown", "hidden")
WITHOUT = ("none", "unknown")
LIMIT = 0.1
FEW = 20
_SAMPLES = 2000
_MADE_BY = (
    "mi-code studio pull writes such files; files of codes that did not come from Label Studio have no suggestions."
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One coding of a message for which codes were suggested.

    Attributes:
        shown: whether the suggestion was shown, or else hidden.
        seconds: None where the server did not tell.
    """

    conversation: str
    codes: frozenset[str]
    suggested: frozenset[str]
    shown: bool
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """In how many codings something is so, of how many; the share is nan of none."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.of if self.of else float("nan")


@dataclass(frozen=True, slots=True)
class Contrast:
    """A share among codings with the suggestion shown and with it hidden, and shown minus hidden."""

    shown: Share
    hidden: Share
    difference: Figure


@dataclass(frozen=True, slots=True)
class CodePull:
    """One code.

    Attributes:
        suggested: how often it was chosen where it was suggested; the difference is the pull.
        other: how often it was chosen where other codes were suggested.
        strong: the pull passes the limit, and its interval is above 0.
        few: fewer than `FEW` codings in one arm.
    """

    code: str
    suggested: Contrast
    other: Contrast
    strong: bool
    few: bool


@dataclass(frozen=True, slots=True)
class SuggestionPull:
    """The whole report.

    Attributes:
        codings: those with a suggestion, shown or hidden; `without` others had none.
        codes: those that were suggested or chosen, in the order of the codebook.
        same: codings with exactly the suggested codes; where it was shown, this is how often it was accepted.
        seconds_shown, seconds_hidden, seconds_difference: median time per message.
        limit: of the pull.
    """

    codings: int
    without: int
    conversations: int
    codes: tuple[CodePull, ...]
    same: Contrast
    seconds_shown: Figure
    seconds_hidden: Figure
    seconds_difference: Figure
    limit: float
    samples: int
    seed: int

    @property
    def silent(self) -> tuple[str, ...]:
        """The codes whose suggestions should be switched off."""
        return tuple(one.code for one in self.codes if one.strong)


def read_choices(paths: Iterable[Path]) -> tuple[list[Chosen], int]:
    """The codings with a suggestion from files of `mi-code studio pull`, and how many others there are.

    Raises:
        UsageProblem: a file has no such columns, or a row is malformed; names file, line and column.
    """
    found: list[Chosen] = []
    without = 0
    for path in paths:
        for row in read_rows(path, COLUMNS, guarded=True, made_by=_MADE_BY):
            if row.one_of("suggestion", (*ARMS, *WITHOUT)) in ARMS:
                found.append(_chosen(row))
            else:
                without += 1
    return found, without


def suggestion_pull(
    rows: Sequence[Chosen], without: int = 0, limit: float = LIMIT, samples: int = _SAMPLES, seed: int = 1
) -> SuggestionPull:
    """How far suggestions pull, per code, and what they do to time.

    Raises:
        UsageProblem: one of the arms is empty, so nothing can be compared.
    """
    shown = np.array([row.shown for row in rows], dtype=bool)
    if shown.all() or not shown.any():
        arm = "hidden" if shown.size and shown.all() else "shown"
        raise UsageProblem(
            f"No coding has its suggestion {arm}, so there is nothing to compare. Send messages with "
            "`mi-code studio push PROJECT CHATS --hidden 0.2`, and pull their codings."
        )
    names, conversation = np.unique([row.conversation for row in rows], return_inverse=True)
    book = Codebook.load()
    chosen = np.array([[code in row.codes for code in book.ids] for row in rows])
    suggested = np.array([[code in row.suggested for code in book.ids] for row in rows])
    arms = np.stack([shown, ~shown], axis=1)

    def contrasts(is_so: Bools, counted: Bools) -> list[Contrast]:
        """[rows, columns] twice, to one contrast a column."""
        both = np.stack([is_so & counted, counted], axis=2)
        values = both[:, :, None, :] & arms[:, None, :, None]
        drawn = _differences(resampled(values, conversation, samples, seed))
        totals = values.sum(axis=0)
        return [
            Contrast(Share(*map(int, one[0])), Share(*map(int, one[1])), Figure.of(value, drawn[:, at]))
            for at, (one, value) in enumerate(zip(totals, _differences(totals), strict=True))
        ]

    same = contrasts(np.array([[row.codes == row.suggested] for row in rows]), np.ones((len(rows), 1), dtype=bool))
    pulls = (
        _code_pull(code, one, other, limit)
        for code, one, other in zip(book.ids, contrasts(chosen, suggested), contrasts(chosen, ~suggested), strict=True)
    )
    seconds = np.array([np.nan if row.seconds is None else row.seconds for row in rows], dtype=np.float64)
    medians = [_medians(seconds[arm], conversation[arm], len(names), samples, seed) for arm in (shown, ~shown)]
    (time_shown, drawn_shown), (time_hidden, drawn_hidden) = medians
    return SuggestionPull(
        codings=len(rows),
        without=without,
        conversations=len(names),
        codes=tuple(one for one in pulls if one.suggested.shown.of + one.suggested.hidden.of or _is_chosen(one)),
        same=same[0],
        seconds_shown=Figure.of(time_shown, drawn_shown),
        seconds_hidden=Figure.of(time_hidden, drawn_hidden),
        seconds_difference=Figure.of(time_shown - time_hidden, drawn_shown - drawn_hidden),
        limit=limit,
        samples=samples,
        seed=seed,
    )


def _chosen(row: Row) -> Chosen:
    return Chosen(
        row["conversation_id"],
        _codes(row, "codes"),
        _codes(row, "suggested"),
        row["suggestion"] == "shown",
        row.number("seconds"),
    )


def _codes(row: Row, column: str) -> frozenset[str]:
    codes = frozenset(row[column].split("+"))
    if not codes <= set(Codebook.load().ids):
        raise row.problem(column, "must be codes of the codebook joined by +")
    return codes


def _code_pull(code: str, suggested: Contrast, other: Contrast, limit: float) -> CodePull:
    pull = suggested.difference
    strong = bool(pull.value > limit and pull.low > 0)
    return CodePull(code, suggested, other, strong, min(suggested.shown.of, suggested.hidden.of) < FEW)


def _is_chosen(one: CodePull) -> bool:
    return bool(one.other.shown.count + one.other.hidden.count)


def _differences(counts: Numbers) -> Floats:
    """[..., arms, (so, of)] to the share shown minus the share hidden, [...]; nan where an arm is empty."""
    of = counts[..., 1].astype(np.float64)
    shares = np.divide(counts[..., 0], of, out=np.full(of.shape, np.nan), where=of > 0)
    return np.asarray(shares[..., 0] - shares[..., 1])


def _medians(
    seconds: Floats, conversation: Numbers, conversations: int, samples: int, seed: int
) -> tuple[float, Floats]:
    """The median of what is known, and that of each sample; nan where nothing is."""
    known = ~np.isnan(seconds)
    order = np.argsort(seconds[known], kind="stable")
    values, owner = seconds[known][order], conversation[known][order]
    drawn = np.array(list(_drawn_medians(values, owner, conversations, samples, seed)))
    return (float(np.median(values)) if values.size else float("nan")), drawn


def _drawn_medians(values: Floats, owner: Numbers, conversations: int, samples: int, seed: int) -> Iterator[float]:
    for times in draws(conversations, samples, seed):
        weights = np.cumsum(times[owner])
        total = weights[-1] if weights.size else 0
        low, high = (np.searchsorted(weights, total / 2, side) for side in ("left", "right"))
        yield float((values[low] + values[min(high, len(values) - 1)]) / 2) if total else float("nan")
