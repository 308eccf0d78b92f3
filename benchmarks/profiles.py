"""Speed and memory of `mi-code profile`, in one run on an invented file.

    python benchmarks/profiles.py [--messages 1000000]

Prints messages per CPU-second of counting alone (turns in memory, by message and by volley) and of the whole profile
from a file, the ratio to reading the same file by the reader for all formats, and the peak of memory in MB. The file is
made of a few invented sentences with codes.
"""

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path
from time import process_time

import numpy as np

from mi_coder.codebook import Codebook
from mi_coder.formats import ReadOptions, read_conversations
from mi_coder.measures.profile import profile
from mi_coder.measures.reading import read_chats
from mi_coder.measures.tally import tally

CHAT = 40


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chats.tagged.jsonl"
        _write(path, messages // CHAT)
        start = process_time()
        found = profile(read_chats(str(path), ["counselor_id"]), by=["counselor_id"])
        whole = process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        groups = len({figure.group for figure in found.figures})
        print(f"{messages:,} messages, {len(found.ids):,} chats, {groups} groups")
        print(f"whole profile, intervals too: {messages / whole:,.0f} messages per CPU-second; peak {peak:.0f} MB")
        few = [chat.turns for _, chat in zip(range(2500), read_chats(str(path)), strict=False)]
        for unit in ("message", "volley"):
            start = process_time()
            for turns in few:
                tally(turns, unit)
            print(f"counting by {unit}: {len(few) * CHAT / (process_time() - start):,.0f} messages per CPU-second")
        quick, general = (_seconds(reader) for reader in (read_chats(str(path)), _general(path)))
        print(f"reading: {general / quick:.1f} times as fast as the reader for all formats")
    return 0


def _general(path: Path) -> object:
    return read_conversations(str(path), ReadOptions(overwrite=True))


def _seconds(reader: object) -> float:
    start = process_time()
    for _ in zip(range(2500), reader, strict=False):  # type: ignore[call-overload]
        pass
    return process_time() - start


def _write(path: Path, chats: int) -> None:
    random = np.random.default_rng(1)
    ids = Codebook.load().ids
    said = [
        "that sounds hard",
        "what would help you most right now?",
        "you could take a walk each day",
        "thanks for telling me",
    ]
    with path.open("w", encoding="utf-8") as file:
        for i in range(chats):
            messages: list[dict[str, object]] = []
            for j in range(CHAT // 2):
                messages.append({"role": "client", "text": said[(i + j) % 4]})
                code = ids[int(random.integers(len(ids)))]
                message: dict[str, object] = {"role": "counselor", "text": said[(i + j + 1) % 4], "codes": [code]}
                message |= {"depth": "simple"} if code == "REF" else {}
                message |= {"permission": "with"} if code in ("PR", "RC") else {}
                messages.append({**message, "scores": {code: 0.91}})
            chat = {"conversation_id": f"c{i}", "counselor_id": f"k{i % 200}", "messages": messages}
            file.write(json.dumps(chat) + "\n")


if __name__ == "__main__":
    sys.exit(main())
