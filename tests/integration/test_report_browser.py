"""The report in a real browser: nothing from the network, nothing cut on a phone, readable in the dark and by ear."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mi_coder.annotation.agreement_report import report
from mi_coder.annotation.codings import Given, Unit
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.report.build import ReportOptions, build_report
from tests.integration.studio.page import browser as browser_command
from tests.report_chats import write_chats


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
    # Of each dot chart one layout shows, the one for this width, and its letters can be read.
    sizes = page.evaluate(
        """[...document.querySelectorAll('svg.broad, svg.narrow')].filter(svg => svg.getBoundingClientRect().width).map(
            svg => [svg.getAttribute('class'), svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * 11])"""
    )
    assert [kind for kind, _ in sizes] == 2 * ["broad" if width > 600 else "narrow"]
    assert all(letters >= 10 for _, letters in sizes)
    page.close()


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
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(each => +each.tagName[1])")
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
