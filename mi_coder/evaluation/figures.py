"""Pictures of evaluations. Each function returns a matplotlib figure; nothing is shown and no state is kept."""

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING

from mi_coder.evaluation.render import BASELINE, PEOPLE
from mi_coder.pictures import GRAY, MARKS, Spread, axes, code_lines, heights, legend, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

    from mi_coder.evaluation.report import Row


def f1_by_code(rows: Sequence["Row"], coder: str, min_support: int) -> "Picture":
    """F1 of each code that gold has, the most frequent first, with its interval.

    Beside it stand the F1 of the TF-IDF baseline and the agreement of human coders (Krippendorff's alpha), where they
    are known. Codes with less than the wanted support are hollow.
    """
    shown = sorted((row for row in rows if row.score.positives), key=lambda row: -row.score.positives)
    picture, (axis,) = axes(1, (6.5, 1.4 + 0.34 * max(len(shown), 1)))
    alphas = [Spread(nan if row.human_alpha is None else row.human_alpha) for row in shown]
    beside = [Spread(nan if row.baseline_f1 is None else row.baseline_f1) for row in shown]
    own = [Spread(row.score.f1, row.score.f1_low, row.score.f1_high, hollow=not row.counted) for row in shown]
    points(axis, own, heights(len(shown), 0, of=3), MARKS[0], coder)
    if any(row.baseline_f1 is not None for row in shown):
        points(axis, beside, heights(len(shown), 1, of=3), (GRAY, "X"), BASELINE)
    if any(row.human_alpha is not None for row in shown):
        points(axis, alphas, heights(len(shown), 2, of=3), MARKS[1], PEOPLE)
    if any(spread.hollow for spread in own):
        axis.plot([], [], " ", label=f"hollow: fewer than {min_support} positives")
    code_lines(axis, [row.score.code for row in shown], [row.score.positives for row in shown])
    axis.set_xlabel("F1, 95% interval over conversations\n(after each code the messages that have it)", fontsize=9)
    axis.set_xlim(-0.02, 1.02)
    legend(picture, axis, columns=4)
    return picture
