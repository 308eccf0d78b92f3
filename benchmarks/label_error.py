"""What the tagger's errors do to coefficients in simulated studies, and whether predict-then-debias mends it.

    python benchmarks/label_error.py [--replications 200]

Prints, per scenario and method: coverage of 95 % intervals of seven true effects, how often six codes without effect
come out significant, mean bias, root mean square error and width of intervals. Leaves with 1 where a limit is not met.
The stored run is benchmarks/runs/label_error.md.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.trials.label_error import METHODS, Family, trials


@dataclass(frozen=True)
class Limits:
    """What must hold at 200 studies; the naive limits are for errors that depend on the outcome."""

    corrected_coverage: tuple[float, float]
    corrected_rejection: float = 0.10
    naive_coverage: float = 0.60
    naive_rejection: float = 0.30


LIMITS: dict[tuple[Family, bool], Limits] = {
    ("linear", True): Limits((0.92, 0.98)),
    ("linear", False): Limits((0.92, 0.98)),
    ("ordinal", True): Limits((0.92, 0.99)),
    ("ordinal", False): Limits((0.92, 0.99)),
}


def main() -> int:
    """Run all scenarios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=200)
    studies = parser.parse_args().replications
    start, missed = process_time(), []
    print(f"{studies} studies of 2,000 chats, 200 with gold codes, per scenario.\n")
    print("| outcome | errors | method | coverage | null codes significant | mean abs. bias | RMSE | width |")
    print("|---|---|---|---|---|---|---|---|")
    for (family, differential), limits in LIMITS.items():
        found = trials(family, differential, studies)
        kind = "depend on the outcome" if differential else "do not"
        for method in METHODS:
            print(
                f"| {family} | {kind} | {method.replace('_', ' ')} | {found.coverage(method):.3f} | "
                f"{found.rejection(method):.3f} | {abs(found.bias(method)).mean():.3f} | {found.rmse(method):.3f} | "
                f"{found.width(method):.2f} |",
                flush=True,
            )
        low, high = limits.corrected_coverage
        holds = {
            f"no study refused ({found.failed} were)": found.failed == 0,
            f"corrected coverage in [{low}, {high}]": low <= found.coverage("corrected") <= high,
            f"corrected rejection under {limits.corrected_rejection}": (
                found.rejection("corrected") < limits.corrected_rejection
            ),
        }
        if differential:
            holds["naive coverage under .60"] = found.coverage("naive") < limits.naive_coverage
            holds["naive rejection over .30"] = found.rejection("naive") > limits.naive_rejection
        missed += [f"{family}, errors {kind}: {name}" for name, held in holds.items() if not held]
    print(f"\n{process_time() - start:.0f} CPU-seconds. " + ("All limits met." if not missed else "Missed: "))
    print("\n".join(f"- {name}" for name in missed))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
