"""Write annotations/agreement.md, or with --check say whether it is what the files of codes give.

It holds what `mi-code agreement ROUND1 ROUND2 --as markdown` prints for the two codings of each corpus.

Run it from anywhere:  python tools/agreement.py [--check]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.annotation.agreement import SAMPLES
from mi_coder.annotation.agreement_report import report
from mi_coder.annotation.codings import Unit, read_units
from mi_coder.corpora.splits import read_splits
from mi_coder.errors import MiCoderError

ROOT = Path(__file__).resolve().parents[1]
PAGE = "annotations/agreement.md"
SPLITS = "annotations/splits.csv"
ROUNDS = ("round1.csv", "round2.csv")


@dataclass(frozen=True, slots=True)
class Compared:
    """Two codings of one corpus.

    Attributes:
        corpus: its folder in annotations, and its name in the file of splits.
        part: the part whose conversations are compared; empty for all.
    """

    title: str
    corpus: str
    part: str = ""


COMPARED = (
    Compared("ESConv", "esconv"),
    Compared("AnnoMI", "annomi"),
    Compared("MIBot", "mibot"),
    Compared("Physical activity", "physical_activity"),
    Compared("FeedbackESConv", "feedback_esconv"),
    Compared("Practice chats", "practice"),
    Compared("Practice chats, test part", "practice", "test"),
)

_HEAD = """# Agreement of the two codings

Made by `python tools/agreement.py` from the files of codes in this folder; the table of a whole corpus is that of
`mi-code agreement annotations/CORPUS/round1.csv annotations/CORPUS/round2.csv --as markdown`. **Both codings are by
readers of one language model, blind to each other. Two readings by one model agree more than people would: this is
not agreement between human experts.** It is that of the codes as they were given, before the differences were settled.
"""
_NONE = "No second coding."


def render(root: Path, samples: int = SAMPLES) -> str:
    """The page; a corpus without two codings says so.

    Args:
        root: folder of the project.
        samples: of the bootstrap.

    Raises:
        MiCoderError: a file of codes or of splits cannot be read, or two files have no message in common.
    """
    sections = []
    legend = ""
    for one in COMPARED:
        paths = [root / "annotations" / one.corpus / name for name in ROUNDS]
        body = _NONE
        if all(path.is_file() for path in paths):
            written = report(_of_part(read_units(paths), one, root), samples=samples).render("markdown")
            body, _, legend = written.rstrip("\n").rpartition("\n\n")
        sections.append(f"## {one.title}\n\n{body}")
    return "\n\n".join([_HEAD.rstrip("\n"), legend, *sections]) + "\n"


def _of_part(units: Sequence[Unit], one: Compared, root: Path) -> Sequence[Unit]:
    if not one.part:
        return units
    rows = read_splits(root / SPLITS)
    within = {row.conversation_id for row in rows if (row.corpus, row.part) == (one.corpus, one.part)}
    return [unit for unit in units if unit.conversation in within]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check. Returns the exit code: 0 done or fresh, 1 stale, 2 what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; leave with 1 where the file is stale")
    check = parser.parse_args(arguments).check
    try:
        text = render(root)
    except MiCoderError as error:
        print(error, file=sys.stderr)
        return 2
    path = root / PAGE
    if check:
        fresh = path.is_file() and path.read_bytes() == text.encode()
        if not fresh:
            print(f"stale: {PAGE}  (run: python tools/agreement.py)", file=sys.stderr)
        return 0 if fresh else 1
    path.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {PAGE}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
