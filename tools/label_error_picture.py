"""Draw docs/images/label_error.png: one simulated study whose tagger errs more in chats that went badly.

Run it from anywhere:  python tools/label_error_picture.py
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.trials.label_error import FOCAL, METHODS, NULL, one_study, truth  # noqa: E402
from mi_coder.outcomes import figures  # noqa: E402
from mi_coder.outcomes.study.fits import tidy_rows  # noqa: E402
from mi_coder.outcomes.study.term import Term  # noqa: E402
from mi_coder.pictures import VERMILION  # noqa: E402

CORRECTION = {"naive": "naive", "gold_only": "gold", "corrected": "ptd"}


def main() -> None:
    """Draw and write."""
    tested = [*FOCAL, *NULL]
    terms = [Term(f"code {k}", f"code {k}", "", "10 points of share") for k in tested]
    true = truth("linear")
    rows = []
    for method, part in zip(METHODS, one_study("linear", differential=True, seed=1000), strict=True):
        chosen = [k - 1 for k in tested]
        correction = CORRECTION[method]
        rows.append(
            tidy_rows("linear", "outcome", terms, part.coefficients[chosen], part.se[chosen],
                      np.broadcast_to(part.df, part.se.shape)[chosen], 0.05, correction=correction)
        )  # fmt: skip
    tidy = pd.concat(rows, ignore_index=True).assign(design="")
    figure = figures.forest(tidy)
    axis = figure.axes[0]
    places = range(len(tested) - 1, -1, -1)
    axis.plot([true[k - 1] for k in tested], list(places), "x", color=VERMILION, ms=9, mew=2, label="truth")
    axis.plot([], [], "x", color=VERMILION, label="truth")
    figures.save(figure, ROOT / "docs" / "images" / "label_error")
    (ROOT / "docs" / "images" / "label_error.svg").unlink()


if __name__ == "__main__":
    main()
