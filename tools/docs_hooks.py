"""What `mkdocs build` takes from outside docs/: the coding manual becomes a page."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

MANUAL = Path(__file__).resolve().parents[1] / "annotations" / "guidelines.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the manual, its links turned to the pages beside it."""
    text = MANUAL.read_text(encoding="utf-8").replace("](../docs/", "](")
    files.append(File.generated(config, "guidelines.md", content=text))
    return files
