"""What `mkdocs build` takes from outside docs/: the coding manual becomes a page, and links to it lead there."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

MANUAL = Path(__file__).resolve().parents[1] / "annotations" / "guidelines.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the manual, its links turned to the pages beside it."""
    text = MANUAL.read_text(encoding="utf-8").replace("](../docs/", "](")
    files.append(File.generated(config, "guidelines.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to the manual: in the repository to its file, on the site to its page."""
    return markdown.replace("](../annotations/guidelines.md", "](guidelines.md")
