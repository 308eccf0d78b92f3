"""The figures of the bundled model on everything it was not trained on, written to docs/benchmark.md.

python benchmarks/quality.py [--data ../shared/data]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PRACTICE = ROOT / "annotations" / "practice" / "test_c.jsonl"
CODED = ("esconv", "annomi")
TITLES = {
    "esconv": "ESConv: coded chats of the test part",
    "annomi": "AnnoMI: coded transcripts of the test part",
    "practice": "Practice chats written apart from those of training (invented; rare codes are overrepresented)",
    "welivita": "Welivita & Pu: single forum sentences, not trained on, labels through the crosswalk",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sections = [_section(corpus, _gold(corpus, data, folder)) for corpus in TITLES]
    head = ["# Figures of the bundled model", "", f"Made by `python benchmarks/quality.py`. {_WARNING}", ""]
    text = "\n".join([*head, *sections])
    (ROOT / "docs" / "benchmark.md").write_text(text, encoding="utf-8")


_WARNING = (
    "Gold codes of ESConv, AnnoMI and the practice chats were given by a language model that read every message "
    "(see annotations/README.md); no human expert checked them. Conversations that the model was trained on are left "
    "out."
)


def _gold(corpus: str, data: Path, folder: Path) -> Path:
    if corpus == "practice":
        return PRACTICE
    path = folder / f"{corpus}.jsonl"
    coded = _standoff(corpus) if corpus in CODED else []
    _mi_code("corpora", "convert", corpus, "--root", str(data), "-o", str(path), *coded)
    return path


def _standoff(corpus: str) -> list[str]:
    """The codes of round 1, and in place of those that were disputed, what a third reader settled."""
    files = [ROOT / "annotations" / corpus / name for name in ("round1.csv", "adjudicated.csv")]
    return ["--only-coded", *(word for file in files if file.exists() for word in ("--codes", str(file)))]


def _section(corpus: str, gold: Path) -> str:
    return f"## {TITLES[corpus]}\n\n{_mi_code('evaluate', str(gold), '--only-unseen', '--as', 'markdown')}\n"


def _mi_code(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("mi-code")), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
