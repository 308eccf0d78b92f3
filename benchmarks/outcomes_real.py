"""Tag public corpora and relate techniques to their outcomes, as a user would: convert, tag, relate.

    python benchmarks/outcomes_real.py [--data ../shared/data] [--folder FOLDER] [--chats N]

ESConv (with the failed chats): change of distress and rating of empathy, with the stand-off codes as gold chats; only
chats that did not train the bundled model, so that its errors are those that it makes on new chats (some of them tuned
it, and the run says so), and without the codes of the chats that were coded last, so that there are chats without gold
as there are in a study. MIBot: change of confidence; no gold. The stored run is benchmarks/runs/outcomes_real.md. Do
not read a story into it: there are few chats without training, MIBot is one bot, and the failed chats were chosen by
their low scores.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from esconv_parts import coded_last

ROOT = Path(__file__).parents[1]

ESCONV = """\
data: {chats: [esconv.tagged.jsonl], counselor: ""}
outcomes:
  - {name: distress, type: change, before: initial_emotion_intensity, after: final_emotion_intensity}
  - {name: empathy, type: rating, field: seeker_empathy}
techniques: {within_between: false, min_chats: 20, codes: [OQ, CQ, REF, AF, PR, GI, PD, SU]}
covariates: [log_messages]
inference: {cluster: source_group}
label_error: {gold: [gold.jsonl], sampling: random}
"""

MIBOT = """\
data: {chats: [mibot.tagged.jsonl], counselor: ""}
outcomes:
  - {name: confidence, type: change, before: PreRulerConfidence, after: PostRulerConfidence}
techniques: {within_between: false, min_chats: 20, codes: [OQ, CQ, REF, AF, PR, GI, SU]}
covariates: [log_messages]
inference: {cluster: source_group}
"""


ESCONV_IS = """\
Few chats that trained nothing, of crowd workers who played counselors once or twice; a good part was chosen for low
scores. What stands out below is a lead to look for in other data, and no finding."""
MIBOT_IS = """\
One bot led all chats, and nobody coded them by hand: its techniques are its reaction to what smokers wrote, and the
tagger's errors are in every figure. What stands out below is no effect of a technique."""


def main() -> int:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--folder", type=Path, help="Where to work; a temporary folder if not given.")
    parser.add_argument("--chats", type=int, default=10**9, help="At most so many chats of each.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        _esconv(given.data, folder, given.chats)
        _mibot(given.data, folder, given.chats)
    return 0


def _esconv(data: Path, folder: Path, most: int) -> None:
    converted = _convert("esconv", data, folder / "gold.all.jsonl", "--only-coded", *_codes("esconv"))
    last = coded_last()
    coded = [chat for chat in converted if chat["conversation_id"] not in last]
    gold = [chat for chat in coded if chat["split"] != "train"][:most]
    _write(folder / "gold.jsonl", gold)
    known = {chat["conversation_id"] for chat in coded}
    rest = [
        chat
        for chat in _convert("esconv", data, folder / "all.jsonl")
        if chat["conversation_id"] not in known and chat["split"] != "train"
    ]
    _write(folder / "esconv.jsonl", [*gold, *rest[:most]])
    _run("tag", folder / "esconv.jsonl", "--force")
    (folder / "esconv.yaml").write_text(ESCONV)
    _relate("ESConv", ESCONV_IS, folder / "esconv.yaml", folder / "esconv.results")


def _mibot(data: Path, folder: Path, most: int) -> None:
    _write(folder / "mibot.jsonl", _convert("mibot", data, folder / "mibot.all.jsonl")[:most])
    _run("tag", folder / "mibot.jsonl", "--force")
    (folder / "mibot.yaml").write_text(MIBOT)
    _relate("MIBot", MIBOT_IS, folder / "mibot.yaml", folder / "mibot.results")


def _codes(corpus: str) -> list[str]:
    files = (ROOT / "annotations" / corpus / name for name in ("round1.csv", "adjudicated.csv"))
    return [part for file in files if file.exists() for part in ("--codes", str(file))]


def _convert(corpus: str, data: Path, output: Path, *options: str) -> list[dict[str, object]]:
    splits = ROOT / "annotations" / "splits.csv"
    _run("corpora", "convert", corpus, "--root", data, "--splits", splits, "-o", output, "--force", *options)
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, chats: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")


def _relate(title: str, what: str, study: Path, output: Path) -> None:
    print(f"\n# {title}\n\n{what}\n", flush=True)
    print(_run("relate", study, "-o", output), flush=True)


def _run(*arguments: object) -> str:
    command = [sys.executable, "-m", "mi_coder", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
