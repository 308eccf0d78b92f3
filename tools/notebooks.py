"""Run the notebooks from top to bottom and store what they show.

    python tools/notebooks.py [01 04 ...] [--data ../shared/data]

They run in a copy of their folder, so that what they write stays out of the checkout.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def run(path: Path, folder: Path) -> None:
    """Run one notebook in `folder`, and write it back with its outputs."""
    book = nbformat.read(path, as_version=4)
    NotebookClient(
        book, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(folder / "notebooks")}}
    ).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
    book.metadata["language_info"] = {"name": "python"}
    nbformat.write(book, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="how the names of notebooks begin; all by default")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the corpora")
    asked = parser.parse_args()
    os.environ["MI_CODER_DATA"] = str(asked.data.resolve())
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "annotations", Path(folder) / "annotations")
        (Path(folder) / "notebooks").mkdir()
        for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
            if not asked.names or path.name.startswith(tuple(asked.names)):
                run(path, Path(folder))
                print(path.name, flush=True)


if __name__ == "__main__":
    main()
