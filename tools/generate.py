"""Write every generated file, or with --check name those that are stale and leave with 1.

Run it from anywhere:  python tools/generate.py [--check]
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import yaml
from codebook_lint import findings

from mi_coder.annotation.label_config import label_config
from mi_coder.codebook import Codebook
from mi_coder.codebook_export import to_json, to_markdown
from mi_coder.formats.schema import render_schemas

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "schemas/codebook.yaml"


def _schema(name: str) -> Callable[[Codebook], str]:
    return lambda book: render_schemas(book.ids, book.attributes)[name]


GENERATED: tuple[tuple[str, Callable[[Codebook], str]], ...] = (
    ("mi_coder/codebook.json", to_json),
    ("schemas/transcript.schema.json", _schema("transcript.schema.json")),
    ("schemas/coded.schema.json", _schema("coded.schema.json")),
    ("schemas/label_studio.xml", label_config),
    ("docs/codebook.md", to_markdown),
)


def read_source(path: Path) -> Codebook:
    """The codebook in a YAML file.

    Raises:
        msgspec.ValidationError: a field is missing, unknown or of the wrong type; the message names its path.
    """
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), type=Codebook)


def stale(book: Codebook, root: Path) -> list[str]:
    """The generated files under `root` that are missing or differ from what `book` renders to."""
    return [name for name, render in GENERATED if not _holds(root / name, render(book))]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Generate or check. Returns the exit code: 0 done or fresh, 1 stale, 2 a codebook that must be mended first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; leave with 1 where a file is stale")
    check = parser.parse_args(arguments).check
    book = read_source(root / SOURCE)
    if found := findings(book):
        print(f"{SOURCE}:", *found, sep="\n  ", file=sys.stderr)
        return 2
    changed = stale(book, root)
    if check:
        for name in changed:
            print(f"stale: {name}  (run: python tools/generate.py)", file=sys.stderr)
        return 1 if changed else 0
    for name, render in GENERATED:
        if name in changed:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(book), encoding="utf-8", newline="\n")
            print(f"wrote {name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
