"""Write annotations/splits.csv, or with --check say whether it is what the corpora and the practice chats give.

The corpora are placed by the rule of mi_coder/corpora/parts.py, the practice chats by their field `split`.

Run it from anywhere:  python tools/splits.py [--data FOLDER] [--check]
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mi_coder import corpora
from mi_coder.corpora.parts import PARTS, group_of, hashed_part, split
from mi_coder.corpora.splits import Split, render_splits
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.formats import AS_CODED, read_conversations

ROOT = Path(__file__).resolve().parents[1]
SPLITS = "annotations/splits.csv"
PRACTICE = "annotations/practice"
DEMO = "demo.jsonl"
CORPORA = ("esconv", "annomi", "mibot", "physical_activity", "feedback_esconv")


def of_corpora(data: Path) -> Iterator[Split]:
    """Rows of the public corpora under `data`, in the order of their files.

    Raises:
        UsageProblem: a corpus is not there.
    """
    for name in CORPORA:
        for chat in corpora.load(name, data):
            group = group_of(chat)
            yield Split(name, chat.id, group, hashed_part(group))


def of_practice(folder: Path) -> Iterator[Split]:
    """Rows of the practice chats, by the names of their files; the demo's chats are in no part.

    Raises:
        UsageProblem: a chat has no field `split`.
    """
    for path in sorted(folder.glob("*.jsonl")):
        if path.name == DEMO:
            continue
        chats = list(read_conversations(path, AS_CODED))
        for chat in chats:
            if "split" not in chat.extra:
                raise UsageProblem(f"{path}: chat {chat.id!r} has no field split. Write one of {', '.join(PARTS)}.")
        parts = {chat.id: part for part, members in split(chats).items() for chat in members}
        for chat in chats:
            yield Split(str(chat.extra["corpus"]), chat.id, group_of(chat), parts[chat.id])


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check. Returns the exit code: 0 done, fresh or nothing to check with, 1 stale, 2 what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("MI_CODER_DATA", root.parent / "shared" / "data"))
    parser.add_argument(
        "--data", type=Path, default=default, help="the data root that holds the folders of the corpora"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; leave with 1 where the file is stale")
    given = parser.parse_args(arguments)
    if given.check and not given.data.is_dir():
        print(f"skipped: the corpora are not here, there is no folder {given.data}", file=sys.stderr)
        return 0
    try:
        text = render_splits([*of_corpora(given.data), *of_practice(root / PRACTICE)])
    except MiCoderError as error:
        print(error, file=sys.stderr)
        return 2
    path = root / SPLITS
    if given.check:
        fresh = path.is_file() and path.read_bytes() == text.encode()
        if not fresh:
            print(f"stale: {SPLITS}  (run: python tools/splits.py --data {given.data})", file=sys.stderr)
        return 0 if fresh else 1
    path.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {SPLITS}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
