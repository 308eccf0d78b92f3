"""kill -9 at random times: is the output the same, byte for byte?

    python benchmarks/kills.py [--kills 100] [--messages 40000] [--model FOLDER] [--seed 0]

Tags a file in which one line of a thousand is bad, over and over, and kills the runs at times drawn from the whole
duration of an undisturbed one. Output, rejects and sidecar of every file that was finished are compared with those of
the undisturbed run, and no other file may be left. Without --model, a tiny model with made-up weights is used: kills
then meet the bookkeeping rather than the encoder. Leaves with 1 where anything differs.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.material.tiny_model import make_tiny_model
from benchmarks.trials.kills import kill_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--model", type=Path, help="default: a tiny model with made-up weights")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = arguments.model or make_tiny_model(folder / "model")
        report = kill_trials(folder, model, arguments.kills, arguments.messages, seed=arguments.seed)
    print(f"{report.kills.total()} kills in {report.trials} trials over {arguments.messages:,} messages:")
    for stage, kills in report.kills.most_common():
        print(f"  {kills:4} {stage}")
    print(f"{len(report.differences)} differences")
    for difference in report.differences:
        print(f"  {difference}")
    sys.exit(bool(report.differences))


if __name__ == "__main__":
    main()
