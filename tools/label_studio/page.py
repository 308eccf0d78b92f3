"""Label Studio's page in a real browser, as a coder uses it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools.label_studio.server import PASSWORD

BROWSER = "MI_CODER_CHROMIUM"
_PATIENCE = 60_000


def browser() -> str | None:
    """The browser's command: `$MI_CODER_CHROMIUM`, or a Chromium on the path."""
    return os.environ.get(BROWSER) or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def opened(width: int = 1440, height: int = 900) -> Iterator[Any]:
    """An empty page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        page = program.new_context(viewport={"width": width, "height": height}).new_page()
        page.set_default_timeout(_PATIENCE)
        try:
            yield page
        finally:
            program.close()


@contextmanager
def signed_in(url: str, email: str, width: int = 1440, height: int = 900) -> Iterator[Any]:
    """A page with a coder signed in."""
    with opened(width, height) as page:
        page.goto(f"{url}/user/login/")
        page.fill("input[name=email]", email)
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(lambda found: "/user/login" not in found)
        yield page


def fill_in_invite(page: Any, url: str, invite: str, email: str) -> None:
    """Open an invite link and fill its form in as docs/annotators.md says, without sending it."""
    page.goto(url + invite)
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.get_by_text("Get the latest news").click()
    assert page.input_value("input[name=allow_newsletters]") == "false"


def open_stream(page: Any, url: str, project: int) -> None:
    """The next message to code."""
    page.goto(f"{url}/projects/{project}/data?labeling=1")
    page.wait_for_selector("input[name=OQ]", state="attached")
    page.wait_for_timeout(500)
    page.locator(".mi .target").click()


def ticked(page: Any) -> set[str]:
    """The choices that are ticked."""
    return set(page.evaluate("[...document.querySelectorAll('.mi input:checked')].map(one => one.name || one.value)"))


def press(page: Any, key: str) -> None:
    """Press a key and let the page take it in."""
    page.keyboard.press(key)
    page.wait_for_timeout(120)


def say_ok(page: Any) -> None:
    """Close a dialog, once it stands still: it opens in a movement, and a click that meets it on its way misses OK."""
    page.locator(".ant-modal:visible:not([class*=zoom])").wait_for()
    page.get_by_role("button", name="OK").click()


def wait_until_saved(page: Any) -> None:
    """Wait until the page has said that it saved, and has taken the words away again."""
    said = page.locator("[class^=toast__content]")
    said.wait_for()
    said.wait_for(state="hidden")


def submit(page: Any) -> int:
    """Submit with the keyboard; the status with which the server took the annotation."""
    with _taken(page) as reply:
        page.keyboard.press("Control+Enter")
    status: int = reply.value.status
    return status


def skip(page: Any) -> None:
    """Skip the message, and wait until the server knows."""
    with _taken(page) as reply:
        page.get_by_role("button", name="skip-task").click()
    assert reply.value.ok


def await_next(page: Any, said: str) -> None:
    """Wait for the message after `said`, or for the end of the stream."""
    page.wait_for_function(
        """said => document.body.innerText.includes("No More Tasks Left in Queue")
        || ![null, undefined, said].includes(document.querySelector(".mi .target")?.innerText)""",
        arg=said,
    )
    page.wait_for_timeout(700)


def _taken(page: Any) -> Any:
    return page.expect_response(lambda reply: "/annotations" in reply.url and reply.request.method in ("POST", "PATCH"))
