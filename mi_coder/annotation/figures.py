"""Pictures of agreement. Each function returns a matplotlib figure; nothing is shown and no state is kept."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mi_coder.annotation.agreement import FEW, FEW_CONVERSATIONS, RELIABLE, TENTATIVE, UNDEFINED
from mi_coder.pictures import GRAY, MARKS, Spread, axes, code_lines, heights, legend, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

    from mi_coder.annotation.agreement import Agreement


def alpha_by_code(groups: Mapping[str, Mapping[str, "Agreement"]], codes: Sequence[str]) -> "Picture":
    """Krippendorff's alpha of each code with its interval, and where reading it changes: .667 dashed, .8 solid.

    Codes that are present or absent in few messages or conversations are hollow. Of one group the picture says how
    often each code was given.

    Args:
        groups: by the name that the legend shows, at most as many as there are marks; rows by code.
    """
    picture, (axis,) = axes(1, (6.5, 1.4 + max(len(codes), 1) * (0.2 + 0.06 * len(groups))))
    axis.axvline(TENTATIVE, color=GRAY, linestyle="--", linewidth=0.9)
    axis.axvline(RELIABLE, color=GRAY, linewidth=0.9)
    spreads = {name: [_spread(rows.get(code)) for code in codes] for name, rows in groups.items()}
    for i, (name, mark) in enumerate(zip(spreads, MARKS, strict=False)):
        points(axis, spreads[name], heights(len(codes), i, len(groups)), mark, name)
    rows = next(iter(groups.values()))
    code_lines(axis, codes, [rows[code].given for code in codes] if len(groups) == 1 else ())
    axis.set_xlabel(
        f"Krippendorff's alpha, 95% interval over conversations\n"
        f"(dashed: tentative from {TENTATIVE}, solid: reliable from {RELIABLE})",
        fontsize=9,
    )
    axis.set_xlim(min(-0.02, axis.get_xlim()[0]), 1.02)
    if any(spread.hollow for told in spreads.values() for spread in told):
        hollow = f"present or absent in fewer than {FEW} messages or {FEW_CONVERSATIONS} conversations"
        axis.plot([], [], "o", color=GRAY, markerfacecolor="white", label=hollow)
    if axis.get_legend_handles_labels()[1]:
        legend(picture, axis, columns=3)
    return picture


def _spread(row: "Agreement | None") -> Spread:
    alpha = row.alpha if row else UNDEFINED
    return Spread(alpha.value, alpha.low, alpha.high, hollow=row is not None and row.few)
