"""The labeling page in a browser: every hotkey toggles its own choice, and nothing is cut."""

from pathlib import Path

import pytest

from mi_coder.annotation.client import Client
from mi_coder.annotation.exports import read_export
from mi_coder.annotation.label_config import label_config
from mi_coder.annotation.project import SETTINGS
from mi_coder.annotation.push import push
from mi_coder.annotation.tasks import tasks
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Message
from tools.label_studio import page as pages
from tools.label_studio.server import ADMIN, Studio

pytest.importorskip("playwright")
if pages.browser() is None:
    pytest.skip(f"no Chromium on the path, and {pages.BROWSER} is not set", allow_module_level=True)

BOOK = Codebook.load()
SAID = "You moved back in, and part of you misses the old street."


@pytest.fixture
def project(studio: Studio) -> int:
    """A project of its own for each test: the page keeps drafts of what was not submitted."""
    client = Client(studio.url, studio.token)
    made = client.create_project("Hotkeys", label_config(BOOK), **SETTINGS)
    long = [
        Message("client" if turn % 2 else "counselor", f"turn {turn} <b>of</b> a long chat " * 6) for turn in range(40)
    ]
    chats = [
        Conversation("a", [*long, Message("counselor", SAID)]),
        *(Conversation(f"c{number}", [Message("counselor", SAID)]) for number in range(3)),
    ]
    only = frozenset({"a#40", "c0#0", "c1#0", "c2#0"})
    push(client, made.id, tasks(chats, only=only))
    return made.id


def test_every_hotkey_toggles_its_own_code_and_no_other(studio: Studio, project: int) -> None:
    with pages.signed_in(studio.url, ADMIN) as page:
        pages.open_stream(page, studio.url, project)
        assert pages.ticked(page) == set()
        for code in BOOK.codes:
            pages.press(page, code.hotkey)
            assert pages.ticked(page) == {code.id}, code.hotkey
            pages.press(page, code.hotkey)
            assert pages.ticked(page) == set(), code.hotkey


def test_details_appear_with_their_codes_and_are_coded_by_keys(studio: Studio, project: int) -> None:
    keys = {value.name: value.hotkey for one in BOOK.attribute_details for value in one.values}
    with pages.signed_in(studio.url, ADMIN) as page:
        pages.open_stream(page, studio.url, project)
        depth = page.get_by_text("Depth", exact=True)
        assert not depth.is_visible()
        pages.press(page, BOOK["REF"].hotkey)
        depth.wait_for()
        pages.press(page, keys["complex"])
        pages.press(page, "0")
        assert pages.ticked(page) >= {"REF", "complex", "unsure"}
        assert pages.submit(page) == 201
    export = read_export(Client(studio.url, studio.token).export(project))
    [coding] = export.codings
    assert not export.problems
    assert (coding.codes, coding.depth, coding.unsure) == (("REF",), "complex", True)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_all_codes_are_in_sight_without_scrolling(
    studio: Studio, project: int, width: int, height: int, tmp_path: Path
) -> None:
    with pages.signed_in(studio.url, ADMIN, width, height) as page:
        pages.open_stream(page, studio.url, project)
        page.screenshot(path=tmp_path / f"labeling-{width}.png")
        boxes = page.evaluate(
            "[...document.querySelectorAll('.mi .columns label')].map(one => { const box = one.getBoundingClientRect();"
            " return [box.left, box.top, box.right, box.bottom, one.scrollWidth - one.clientWidth]; })"
        )
        assert len(boxes) == 21
        assert all(left >= 0 and right <= width and over <= 0 for left, _, right, _, over in boxes)
        assert max(bottom for *_, bottom, _ in boxes) <= height
        for place, (left, top, right, bottom, _) in enumerate(boxes):
            for other_left, other_top, other_right, other_bottom, _ in boxes[:place]:
                apart = left >= other_right or other_left >= right or top >= other_bottom or other_top >= bottom
                assert apart


def test_the_last_turns_of_a_long_chat_are_in_sight_and_markup_stays_text(studio: Studio) -> None:
    client = Client(studio.url, studio.token)
    made = client.create_project("Long chat", label_config(BOOK))
    before = [Message("client", f"turn {turn} <img src=x> and more words to fill a line " * 4) for turn in range(40)]
    push(client, made.id, tasks([Conversation("a", [*before, Message("counselor", SAID)])], context=40))
    with pages.signed_in(studio.url, ADMIN) as page:
        pages.open_stream(page, studio.url, made.id)
        box = page.locator(".mi .context").bounding_box()
        last = page.locator(".mi .context p").last.bounding_box()
        assert box and last
        assert box["y"] <= last["y"] and last["y"] + last["height"] <= box["y"] + box["height"] + 2
        assert page.locator(".mi .context img").count() == 0
        assert "<img src=x>" in page.locator(".mi .context p").last.inner_text()


def test_the_first_minutes_are_as_the_page_for_coders_says(studio: Studio, project: int) -> None:
    """docs/annotators.md, step by step: what it says of Label Studio's own pages is true of this version."""
    with studio.sdk(studio.token) as server:
        invite = server.organizations.invites.get_invite_link().invite_url
    client = Client(studio.url, studio.token)
    with pages.opened() as page:
        pages.fill_in_invite(page, studio.url, invite, "new@example.com")
        page.get_by_role("button", name="Create Account").click()
        page.get_by_text("Recent Projects").wait_for()
        assert "new@example.com" in client.users().values()
        page.goto(f"{studio.url}/projects/{project}/data")
        page.get_by_role("button", name="Label All Tasks").click()
        page.locator(".mi .target").click()

        send = page.get_by_test_id("bottombar-submit-button")
        assert not send.is_enabled()
        pages.press(page, "0")
        send.click()
        page.get_by_text("Pick at least one code").wait_for()
        pages.say_ok(page)
        page.locator(".mi .target").click()
        pages.press(page, BOOK["SU"].hotkey)
        page.locator(".mi textarea").fill("no need to add")
        send.click()
        pages.wait_until_saved(page)
        [coding] = read_export(client.export(project)).codings
        assert (coding.codes, coding.comment, coding.unsure) == (("SU",), "no need to add", True)

        page.get_by_role("button", name="Previous task").click()
        page.wait_for_function("document.querySelectorAll('.mi input:checked').length > 0")
        page.locator(".mi .target").click()
        pages.press(page, BOOK["AF"].hotkey)
        update = page.get_by_text("Update", exact=True)
        with page.expect_response(lambda reply: reply.request.method == "PATCH") as reply:
            update.click()
        assert reply.value.ok
        [coding] = read_export(client.export(project)).codings
        assert set(coding.codes) == {"SU", "AF"}

        for _ in range(3):
            pages.open_stream(page, studio.url, project)
            pages.skip(page)
        page.get_by_text("No More Tasks Left in Queue").wait_for()
        page.goto("about:blank")  # an answer that is still on its way would bring the session back
        page.context.clear_cookies()
        page.goto(f"{studio.url}/projects/{project}/data?labeling=1")
        page.locator("input[name=password]").wait_for()
