"""How well does a model do on the ESConv chats of the test part that were coded last?

    python benchmarks/esconv_parts.py [--data ../shared/data] [--model FOLDER ...]

87 chats of the test part were measured for every version. The other 35 were coded after model 0.9.0 was made, so
nothing was chosen in view of their figures. Prints, for each model, the macro-F1 of the codes with 10 positives there,
and exact match, with 95 % intervals from resampling conversations: on the chats that were measured before, on those
coded last, and on all. The stored run, benchmarks/runs/esconv_parts.md, names its models.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mi_coder import corpora
from mi_coder.conversation import Conversation
from mi_coder.corpora.splits import read_splits, with_splits
from mi_coder.corpora.standoff import read_standoff
from mi_coder.evaluation.report import EvaluationReport, Figure, Options
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.evaluation.suite import coded
from mi_coder.formats import write_conversations
from mi_coder.tagger.model import BUNDLED

ROOT = Path(__file__).parents[1]
CODES = ROOT / "annotations" / "esconv"
CODERS_OF_LAST = {"k81", "k82", "k83"}
"""The first readers of the chats that were coded last."""
MIN_SUPPORT = 10


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--model", type=Path, action="append", help="Model folder; repeatable. Default: the bundled.")
    given = parser.parse_args()
    last = coded_last()
    chats = coded(corpora.load("esconv", given.data), CODES)
    split = with_splits(chats, read_splits(ROOT / "annotations" / "splits.csv"))
    tested = [chat for chat in split if chat.extra["split"] == "test"]
    parts = {
        "measured before": [chat for chat in tested if chat.id not in last],
        "coded last": [chat for chat in tested if chat.id in last],
        "all": tested,
    }
    print("| model | chats | messages | macro-F1 | codes | exact match |\n|---|---|---|---|---|---|")
    for model in given.model or [BUNDLED]:
        for name, chats in parts.items():
            report = _report(chats, model)
            codes = sum(row.counted for row in report.rows)
            print(
                f"| {report.source.coder} | {name}: {report.conversations} | {report.messages:,} | "
                f"{_figure(report.macro.coder)} | {codes} | {_figure(report.exact.coder)} |"
            )
    return 0


def coded_last() -> set[str]:
    """The ids of the chats that were coded last."""
    codes = read_standoff(CODES / "round1.csv")
    return {code.conversation_id for code in codes if code.coder in CODERS_OF_LAST}


def _report(chats: list[Conversation], model: Path) -> EvaluationReport:
    with TemporaryDirectory() as folder:
        gold = Path(folder) / "gold.jsonl"
        write_conversations(chats, str(gold))
        return evaluate_files(Request(gold=gold, model=model, options=Options(min_support=MIN_SUPPORT)))


def _figure(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
