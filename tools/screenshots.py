"""Takes the pictures of docs/annotators.md from a real Label Studio in a real browser, with the demo chats.

python tools/screenshots.py    needs .venv-studio and Chromium (see CONTRIBUTING.md)
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from mi_coder.annotation.client import Client  # noqa: E402
from mi_coder.annotation.label_config import label_config  # noqa: E402
from mi_coder.annotation.project import SETTINGS  # noqa: E402
from mi_coder.annotation.push import push  # noqa: E402
from mi_coder.annotation.suggestions import codings_of, with_suggestions  # noqa: E402
from mi_coder.annotation.tasks import tasks  # noqa: E402
from mi_coder.codebook import Codebook  # noqa: E402
from mi_coder.formats import read_conversations  # noqa: E402
from mi_coder.tagger.tagger import Tagger  # noqa: E402
from tools.label_studio import page as pages  # noqa: E402
from tools.label_studio.server import running  # noqa: E402

IMAGES = ROOT / "docs" / "images"
ANNOTATOR = "ann@example.com"
CHATS = ROOT / "annotations" / "practice" / "demo.jsonl"


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    book = Codebook.load()
    chats = list(read_conversations(str(CHATS)))
    tagger = Tagger.load()
    codings = codings_of(tagger, chats)
    invited_only = {"LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true"}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **invited_only) as studio:
        client = Client(studio.url, studio.token)
        blind = client.create_project("Night shift", label_config(book), **SETTINGS)
        helped = client.create_project("Night shift, with suggestions", label_config(book), **SETTINGS)
        push(client, blind.id, tasks(chats))
        shown = with_suggestions(tasks(chats), codings, f"{tagger.config.name} {tagger.config.version}", hidden_share=0)
        push(client, helped.id, shown)
        with studio.sdk(studio.token) as server:
            invite = server.organizations.invites.get_invite_link().invite_url
        _pictures(studio.url, invite, blind.id, helped.id, book)


def _pictures(url: str, invite: str, blind: int, helped: int, book: Codebook) -> None:
    with pages.opened() as page:
        pages.fill_in_invite(page, url, invite, ANNOTATOR)
        page.screenshot(path=IMAGES / "sign-up.png")
        page.click("button[type=submit]")
        recent = page.get_by_text("Recent Projects")
        recent.wait_for()
        page.wait_for_timeout(800)
        box = recent.bounding_box()
        page.screenshot(path=IMAGES / "projects.png", clip={"x": 0, "y": box["y"] - 20, "width": 960, "height": 235})
        pages.open_stream(page, url, blind)
        page.screenshot(path=IMAGES / "message.png")
        pages.press(page, book["OQ"].hotkey)
        pages.press(page, book["INT"].hotkey)
        page.screenshot(path=IMAGES / "coded.png")
        pages.submit(page)
        pages.wait_until_saved(page)
        page.locator(".mi .target").click()
        pages.press(page, book["REF"].hotkey)
        page.get_by_text("Depth", exact=True).wait_for()
        page.screenshot(path=IMAGES / "depth.png")
        pages.open_stream(page, url, helped)
        page.wait_for_timeout(800)
        page.screenshot(path=IMAGES / "suggestion.png")
    with pages.signed_in(url, ANNOTATOR, 1024, 768) as page:
        pages.open_stream(page, url, helped)
        page.wait_for_timeout(800)
        page.screenshot(path=IMAGES / "small-screen.png")


if __name__ == "__main__":
    main()
