"""The report in a real browser: nothing from the network, nothing cut on a phone or on paper, readable in the dark."""

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mi_coder.annotation.agreement_report import report
from mi_coder.annotation.codings import Given, Unit
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.formats.results import NAME, ResultFile, Results, encoded
from mi_coder.report.build import ReportOptions, build_report
from tests.report_chats import write_chats
from tools.label_studio.page import browser as browser_command

A4_WIDTH = 703
"""Pixels between the margins."""
SMALL = """[...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width).flatMap(svg => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return [...svg.querySelectorAll('text')].map(
        text => [parseFloat(getComputedStyle(text).fontSize) * scale, text.textContent]
    ).filter(([size]) => size < 9.5 + 0.5 * matchMedia('screen').matches);
})"""
"""Letters of pictures of fewer than 10 pixels, and on paper of fewer than 9.5 (7 points)."""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    chats = write_chats(folder / "t.jsonl", gold=True)
    agreement = folder / "agreement.json"
    agreement.write_text(report([unit for i in range(12) for unit in _coded_twice(i)], samples=100).render("json"))
    options = ReportOptions(counselor="counselor_id", time="at", validation=str(chats), agreement=agreement)
    (folder / "r.html").write_text(build_report([str(chats)], options), encoding="utf-8")
    return folder / "r.html"


def _coded_twice(conversation: int) -> list[Unit]:
    """A message per code, coded by two; every third conversation they differ."""
    ids = Codebook.load().ids
    return [
        Unit(
            f"c{conversation}", i, tuple(Given(coder, "1", _gold(each)) for coder, each in (("a", code), ("b", other)))
        )
        for i, code in enumerate(ids)
        for other in [code if conversation % 3 else ids[i - 1]]
    ]


def _gold(code: str) -> Gold:
    return Gold(frozenset({code}), frozenset(Codebook.load().ids) - {code})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    command = browser_command()
    if command is None:
        pytest.skip("there is no chromium on the path")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=command, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (390, "light"), (390, "dark")])
def test_the_page_fits_and_asks_for_nothing(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(page_file.as_uri())
    assert asked == [page_file.as_uri()] and not said
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # Every label in a picture stands inside it.
    cut = page.evaluate(
        """[...document.querySelectorAll('svg')].flatMap(svg => {
            const box = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].filter(text => {
                const own = text.getBoundingClientRect();
                return own.width && (own.left < box.left - 1 || own.right > box.right + 1);
            }).map(text => text.textContent);
        })"""
    )
    assert cut == []
    # Of each chart with two layouts the one for this width shows.
    kinds = page.evaluate(
        """[...document.querySelectorAll('svg.broad, svg.narrow')].filter(svg => svg.getBoundingClientRect().width).map(
            svg => svg.getAttribute('class'))"""
    )
    assert len(kinds) >= 7 and set(kinds) == {"broad" if width > 600 else "narrow"}
    # The letters of every picture can be read.
    assert page.evaluate(SMALL) == []
    page.close()


def test_pictures_of_others_show_and_run_nothing(browser: Any, tmp_path: Path) -> None:
    chats, out = write_chats(tmp_path / "t.jsonl"), tmp_path / "out"
    out.mkdir()
    picture = ResultFile(file="forest.svg", kind="forest", title="rating: ordinal")
    results = Results(verb="relate", sentences=(), notes=(), provenance={}, files=(picture,))
    (out / NAME).write_bytes(encoded(results))
    (out / "forest.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="200" onload="alert(1)">'
        "<style>rect{fill:#f00}</style><script>alert(2)</script>"
        '<image href="https://evil.example/t.gif"/><rect width="600" height="200"/></svg>'
    )
    html = build_report([str(chats)], ReportOptions(outcomes=out))
    assert "</main>" in html
    # What a fault elsewhere would let in does not run, and loads nothing, either.
    inside = (
        "<script>alert(3)</script><img src=https://evil.example/t.gif onerror=alert(4)><base href=https://evil.example>"
    )
    (tmp_path / "r.html").write_text(html.replace("</main>", f"{inside}</main>"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    asked: list[str] = []
    shown: list[str] = []
    page.route("https://**", lambda route: (asked.append(route.request.url), route.abort()))
    page.on("dialog", lambda dialog: (shown.append(dialog.message), dialog.dismiss()))
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_timeout(300)
    assert shown == asked == []
    size = page.evaluate("(each => [each.naturalWidth, each.naturalHeight])(document.querySelector('.plot img'))")
    assert size == [600, 200]
    # Red in the middle: its styles apply.
    (tmp_path / "p.png").write_bytes(page.locator(".plot img").screenshot())
    pixel = page.evaluate(
        """async source => { const image = new Image(); image.src = source; await image.decode();
            const canvas = document.createElement('canvas'); const pen = canvas.getContext('2d');
            pen.drawImage(image, 0, 0); return [...pen.getImageData(50, 50, 1, 1).data]; }""",
        f"data:image/png;base64,{b64encode((tmp_path / 'p.png').read_bytes()).decode()}",
    )
    assert pixel == [255, 0, 0, 255]
    page.close()


def test_on_paper_it_is_light_and_whole(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": A4_WIDTH, "height": 1000}, color_scheme="dark")
    page.goto(page_file.as_uri())
    page.emulate_media(media="print")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (
        paper == "rgb(255, 255, 255)" and _contrast(page.evaluate("getComputedStyle(document.body).color"), paper) > 7
    )
    # Nothing reaches over the edge, nothing can be scrolled, and what is folded on the screen is there.
    cut = page.evaluate(
        """[...document.querySelectorAll('svg, table, figure')].filter(each => {
            const box = each.getBoundingClientRect();
            return box.width && box.right > window.innerWidth + 1;
        }).map(each => each.getAttribute('aria-label') || each.textContent.slice(0, 80))"""
    )
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(SMALL) == []
    folded = page.evaluate(
        """[...document.querySelectorAll('details table')].map(
            table => table.checkVisibility({contentVisibilityAuto: true}) && table.getBoundingClientRect().height)"""
    )
    assert len(folded) >= 8 and all(height > 30 for height in folded)
    page.close()


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not on the path")
def test_the_printed_pages_hold_every_table(browser: Any, page_file: Path, tmp_path: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(page_file.as_uri())
    page.pdf(path=tmp_path / "r.pdf", format="A4")
    captions = page.evaluate("[...document.querySelectorAll('caption')].map(each => each.textContent)")
    page.close()
    text = " ".join(_poppler("pdftotext", "-layout", tmp_path / "r.pdf", "-").decode().split())
    assert all(caption in text for caption in captions)
    # What stands in last columns.
    assert "not in gold: unknown" in text and "unreliable" in text and "counselor's words / all words" in text
    # Each page as a picture is white at its edge and mostly white within.
    _poppler("pdftoppm", "-r", "20", tmp_path / "r.pdf", tmp_path / "p")
    pages = [path.read_bytes() for path in sorted(tmp_path.glob("p*.ppm"))]
    assert 3 <= len(pages) <= 20
    for picture in pages:
        _, width, height, _, *_ = picture.split(maxsplit=4)
        pixels = picture[-3 * int(width) * int(height) :]
        assert pixels[:3] == b"\xff\xff\xff" and sum(pixels) / len(pixels) > 215


def _poppler(program: str, *arguments: str | Path) -> bytes:
    return subprocess.run([program, *map(str, arguments)], capture_output=True, check=True).stdout


def test_ink_and_paper_differ_enough(browser: Any, page_file: Path) -> None:
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(page_file.as_uri())
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert _contrast(ink, paper) > 7
        page.close()


def test_it_goes_by_keys_and_has_an_outline(browser: Any, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#overview"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(each => +each.tagName[1])")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('svg')].every(svg => svg.getAttribute('aria-label'))")
    assert page.evaluate("[...document.querySelectorAll('table th')].every(cell => cell.scope)")
    page.close()


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.1 of two colors rgb(r, g, b)."""

    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
