"""Peak memory of `mi-code tag` on a short and on a long file.

    python benchmarks/memory.py [--messages 200000 1000000] [--model FOLDER] [--threads 1]

Writes flat files of invented messages, every thousandth line a bad one, and tags each in a process of its own. Prints
the peak resident memory of each (`ru_maxrss`) and their ratio. Leaves with 1 where they are more than 5 % apart or one
passes 600 MB. The bundled model takes hours for the long file; a tiny one (see benchmarks/material/tiny_model.py) tells
about everything but the encoder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.material.chats import write_flat

MOST_APART = 1.05
MOST_MEGABYTES = 600
MEGABYTE = 1_000_000
# Linux counts kilobytes, macOS bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
MAIN = "from mi_coder.cli.main import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--model", type=Path, help="default: the bundled model")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    options = ["--threads", str(arguments.threads)]
    options += ["--model", str(arguments.model)] if arguments.model else []
    with tempfile.TemporaryDirectory() as name:
        peaks = [peak_megabytes(Path(name), messages, options) for messages in arguments.messages]
    ratio = max(peaks) / min(peaks)
    print(f"ratio {ratio:.3f} (at most {MOST_APART}), peak {max(peaks):.0f} MB (at most {MOST_MEGABYTES})")
    sys.exit(ratio > MOST_APART or max(peaks) > MOST_MEGABYTES)


def peak_megabytes(folder: Path, messages: int, options: list[str]) -> float:
    """Peak resident memory of tagging a file of so many messages."""
    source = write_flat(folder / f"chats-{messages}.jsonl", messages, bad_every=1000)
    command = [sys.executable, "-c", MAIN, "tag", str(source), "--quiet", *options]
    started = time.monotonic()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"mi-code tag left with {child.returncode}")
    peak = usage.ru_maxrss * RSS_UNIT / MEGABYTE
    print(f"{messages:>12,} messages: peak {peak:.1f} MB in {time.monotonic() - started:.0f} s", flush=True)
    return peak


if __name__ == "__main__":
    main()
