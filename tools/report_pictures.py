"""Takes the pictures of reports and profiles in docs/images from the demo chats, reports in a real browser.

python tools/report_pictures.py    needs the extras analysis and test, and Chromium (see CONTRIBUTING.md)

Four counselors' half year is invented by drawing from the demo chats again and again, so that there are periods and
intervals to show. One of them starts with the chats of the one who confronts and comes to have those of the others.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mi_coder.formats import read_conversations  # noqa: E402
from mi_coder.measures import profile  # noqa: E402
from mi_coder.measures.reading import read_chats  # noqa: E402
from mi_coder.report.build import ReportOptions, build_report  # noqa: E402
from mi_coder.tagger.tagger import Tagger  # noqa: E402
from tools.label_studio.page import browser as browser_command  # noqa: E402

IMAGES = ROOT / "docs" / "images"
CHATS = ROOT / "annotations" / "practice" / "demo.jsonl"
MONTHS = [f"2026-{month:02}" for month in range(1, 7)]
CHATS_A_MONTH = 8
CHANGING = "c4"
COUNSELOR = "counselor_id"
TIME = "started_at"


def main() -> None:
    """Tag, draw and write."""
    with tempfile.TemporaryDirectory() as name:
        demo, half_year = Path(name) / "demo.tagged.jsonl", Path(name) / "half_year.tagged.jsonl"
        tagged = list(_tagged())
        _write(demo, tagged)
        _write(half_year, _half_year(tagged))
        _profiles(demo, half_year)
        pages = {
            "demo": _page(demo, ReportOptions(counselor=COUNSELOR, validation=str(demo), title="The demo chats")),
            "half_year": _page(half_year, ReportOptions(counselor=COUNSELOR, time=TIME, title="Half a year")),
        }
        with sync_playwright() as playwright:
            opened = playwright.chromium.launch(executable_path=browser_command(), args=["--no-sandbox"])
            _pictures(opened, pages)
            opened.close()


def _tagged() -> Iterator[dict[str, Any]]:
    """The demo chats as `mi-code tag` writes them, as far as reports and profiles read them."""
    raw = {chat["conversation_id"]: chat for chat in map(json.loads, CHATS.read_text(encoding="utf-8").splitlines())}
    for conversation in Tagger.load().tag_many(read_conversations(str(CHATS))):
        chat = raw[conversation.id]
        for written, message in zip(chat["messages"], conversation.messages, strict=True):
            if (coding := message.coding) is not None:
                details = {"depth": coding.depth, "permission": coding.permission}
                written |= {"codes": list(coding.codes), "scores": dict(coding.scores), "review": coding.review}
                written |= {name: value for name, value in details.items() if value is not None}
        yield chat


def _half_year(tagged: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Chats of every counselor in every month: half of them like the own ones of the demo, half like any."""
    chance = random.Random(7)
    people = sorted({chat[COUNSELOR] for chat in tagged})
    for place, month in enumerate(MONTHS):
        for who in people:
            own = [chat for chat in tagged if chat[COUNSELOR] == who]
            others = [chat for chat in tagged if chat[COUNSELOR] != CHANGING]
            share = 1 - place / (len(MONTHS) - 1) if who == CHANGING else 0.5
            for number in range(CHATS_A_MONTH):
                chat = chance.choice(own if chance.random() < share else others)
                name, day = f"{who}-{month}-{number}", f"{month}-{3 * number + 1:02}"
                yield {**chat, "conversation_id": name, COUNSELOR: who, TIME: day}


def _write(path: Path, chats: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")


def _page(chats: Path, options: ReportOptions) -> Path:
    page = chats.with_suffix(".html")
    page.write_text(build_report([str(chats)], options), encoding="utf-8")
    return page


def _profiles(demo: Path, half_year: Path) -> None:
    by_counselor = profile(read_chats(str(half_year), [COUNSELOR]), by=[COUNSELOR])
    by_counselor.plot().savefig(IMAGES / "profile.png", dpi=110)
    profile(read_chats(str(demo)), by=["all"]).plot_codes().savefig(IMAGES / "codes.png", dpi=110)


def _pictures(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 1500}, color_scheme="light")
    page.goto(pages["demo"].as_uri())
    page.screenshot(path=IMAGES / "report.png")
    page.goto(pages["half_year"].as_uri())
    page.locator("#time").screenshot(path=IMAGES / "report-time.png")
    page.locator("#order .scroll").first.screenshot(path=IMAGES / "report-order.png")
    page.close()


if __name__ == "__main__":
    main()
