"""Write every generated file, or with --check name those that are out of date and exit with 1.

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
from mi_coder.codebook_export import to_json, to_manual, to_markdown
from mi_coder.formats.schema import render_schemas
from mi_coder.outcomes.study.spec import study_schema

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "schemas/codebook.yaml"


BEGIN = "<!-- generated from schemas/codebook.yaml by tools/generate.py -->\n"
END = "<!-- end of generated -->"

SIDES = "Member means the client, and listener the counselor."
"""The codebook's own words for the two sides, for pages that say client and counselor."""

Render = Callable[[Codebook, str], str]
"""From the codebook and the text that the file has now ("" where there is none) to the text that it should have."""


def _whole(render: Callable[[Codebook], str]) -> Render:
    return lambda book, now: render(book)


def _schema(name: str) -> Render:
    return lambda book, now: render_schemas(book.ids, book.attributes)[name]


def _between_marks(render: Callable[[Codebook], str]) -> Render:
    """Fills a file that is otherwise written by hand."""

    def filled(book: Codebook, now: str) -> str:
        before, begin, rest = now.partition(BEGIN)
        _, end, after = rest.partition(END)
        return f"{before}{begin}\n{render(book)}\n{end}{after}" if begin and end else now

    return filled


def _codebook_page(book: Codebook) -> str:
    head, overview, rest = to_markdown(book).partition("## Overview\n")
    return f"{head}{SIDES}\n\n{overview}{rest}"


GENERATED: tuple[tuple[str, Render], ...] = (
    ("mi_coder/codebook.json", _whole(to_json)),
    ("schemas/transcript.schema.json", _schema("transcript.schema.json")),
    ("schemas/coded.schema.json", _schema("coded.schema.json")),
    ("schemas/study.schema.json", lambda book, now: study_schema()),
    ("schemas/label_studio.xml", _whole(label_config)),
    ("docs/codebook.md", _whole(_codebook_page)),
    ("annotations/guidelines.md", _between_marks(to_manual)),
)


def read_source(path: Path) -> Codebook:
    """The codebook in a YAML file.

    Raises:
        msgspec.ValidationError: a field is missing, unknown or of the wrong type; the message names its path.
    """
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), type=Codebook)


def stale(book: Codebook, root: Path) -> list[str]:
    """The generated files under `root` that are missing or differ from what `book` renders to."""
    return [name for name, render in GENERATED if not (root / name).is_file() or _differs(root / name, book, render)]


def _differs(path: Path, book: Codebook, render: Render) -> bool:
    now = _text(path)
    return render(book, now) != now


def _text(path: Path) -> str:
    return path.read_bytes().decode() if path.is_file() else ""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Generate or check. Returns the exit code: 0 done or fresh, 1 stale, 2 a codebook that must be fixed first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
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
            path.write_text(render(book, _text(path)), encoding="utf-8", newline="\n")
            print(f"wrote {name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
