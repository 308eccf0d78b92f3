"""Bias and coverage of the matched comparison and of what stands beside it, where the truth is known.

    python benchmarks/matching.py [--trials 200]

Runs the simulation of benchmarks/trials/matching.py and prints a table: bias against the true effect, standard
deviation of the estimates, mean standard error, and how many 95 % intervals have the truth. Leaves with 1 where an
adjusted method has the truth in less than 92 % of its intervals or is off by more than .1 points, an eighth of the
effect, or where the unmatched difference, which has to fail, has the truth in more than half of them.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.trials.matching import UNMATCHED, summaries
from mi_coder.outcomes.match_effect import ADJUSTED, REGRESSION, WEIGHTED, WEIGHTED_ADJUSTED

ADJUSTING = (ADJUSTED, WEIGHTED, WEIGHTED_ADJUSTED, REGRESSION)
LEAST_COVERAGE = 0.92
MOST_BIAS = 0.1
MOST_UNMATCHED = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    rows = list(summaries(parser.parse_args().trials))
    print("| estimator | bias (Monte-Carlo error) | sd | mean SE | coverage |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.method} | {row.bias:+.3f} ({row.bias_error:.3f}) | {row.deviation:.3f} | {row.mean_se:.3f} "
            f"| {row.coverage:.3f} |"
        )
    by_method = {row.method: row for row in rows}
    wrong = [
        method
        for method in ADJUSTING
        if by_method[method].coverage < LEAST_COVERAGE or abs(by_method[method].bias) > MOST_BIAS
    ]
    sys.exit(bool(wrong) or by_method[UNMATCHED].coverage > MOST_UNMATCHED)


if __name__ == "__main__":
    main()
