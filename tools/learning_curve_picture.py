"""Draw docs/images/learning_curve.png: F1 on the newest dev part by the number of training messages.

Run it from anywhere:  python tools/learning_curve_picture.py    needs the extra analysis
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.experiments import stored  # noqa: E402
from benchmarks.experiments_page import JUDGED, TAGGER, bundled, learning_curve  # noqa: E402
from mi_coder.pictures import BLUE, GREEN, MARKS, ORANGE, axes  # noqa: E402

COLORS = {"esconv": BLUE, "practice": ORANGE, "annomi": GREEN}
SIZE = (6.4, 3.6)


def main() -> None:
    """Draw and write the curve on the newest dev part on which the bundled model is judged."""
    runs = stored()
    tagger = bundled(runs)
    if tagger is None:
        raise SystemExit(f"There is no stored run of {TAGGER}.")
    curve = learning_curve([one for one in runs if one["dev"] == tagger["dev"]])
    figure, (axis,) = axes(1, SIZE)
    sizes = [one["messages"] for one in curve]
    for (corpus, name), (_, mark) in zip(JUDGED.items(), MARKS, strict=False):
        color = COLORS[corpus]
        axis.plot(sizes, [one[corpus]["value"] for one in curve], color=color, marker=mark, label=name)
        axis.plot([tagger["messages"]], [tagger[corpus]["value"]], color=color, marker=mark, mfc="white", ms=9, mew=2)
    axis.set_xscale("log")
    ticks = [*sizes, tagger["messages"]]
    axis.set_xticks(ticks, [f"{size:,}" for size in ticks], rotation=30, ha="right", rotation_mode="anchor")
    axis.set_xticks([], minor=True)
    axis.set_xlabel("training messages; hollow: the bundled model, with teachers")
    axis.set_ylabel("macro-F1 on dev")
    axis.legend(frameon=False)
    figure.savefig(ROOT / "docs" / "images" / "learning_curve.png", dpi=150)


if __name__ == "__main__":
    main()
