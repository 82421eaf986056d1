"""A target's timeline, any two runs against each other, and what an old run's page still says of today."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from sidecar.model import PictureState
from sidecar.publish import GalleryView, RunBrief
from tests.browser.desk import Desk, card, until
from tests.browser.scenes import with_history
from tests.browser.test_page import listen, plain_server
from tests.publish.samples import DRAFT, run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("viewer")]


def place(desk: Desk, page: str) -> str:
    return (desk.root / "index.html").as_uri().replace("index.html", page)


async def shot(tab: Page) -> str:
    """The picture that the timeline shows."""
    return str(await tab.locator("[data-frame] .shot").first.get_attribute("src"))


async def test_scrubbing_through_the_past(desk: Desk, tab: Page) -> None:
    one, two = await with_history(desk)
    wrong = listen(tab)
    await tab.goto(place(desk, "timeline.html?target=101"))
    await expect(tab.get_by_role("heading", name="Movie 0 (1990)")).to_be_visible()
    moment = tab.get_by_role("region", name="Picture", exact=True)
    await expect(moment).to_contain_text("Picture 2 of 2")
    await expect(moment).to_contain_text("overlays/badges.yml")
    await expect(moment).to_contain_text("+2 −1")
    newest = await shot(tab)
    scrub = tab.get_by_role("slider", name="Picture", exact=True)
    await scrub.focus()
    await tab.keyboard.press("ArrowLeft")
    await expect(moment).to_contain_text("Picture 1 of 2")
    await expect(moment).to_contain_text("Approved")
    await expect(moment).to_contain_text("ada")
    assert await shot(tab) != newest
    await expect(tab.get_by_role("button", name="Older picture")).to_be_disabled()
    assert tab.url.endswith(f"#{one.id}")
    await tab.reload()  # the address leads back to this very picture
    await expect(moment).to_contain_text("Picture 1 of 2")
    await tab.get_by_role("button", name="Newer picture").click()
    await expect(moment).to_contain_text("Picture 2 of 2")
    await moment.get_by_role("link").click()
    await expect(tab.locator("html")).to_have_attribute("data-run", two.id)
    assert wrong == []


async def test_the_timeline_compares_with_the_picture_before(desk: Desk, tab: Page) -> None:
    await with_history(desk)
    await tab.goto(place(desk, "timeline.html?target=101"))
    await tab.get_by_role("heading", name="Movie 0 (1990)").wait_for()
    await tab.keyboard.press("c")
    line = tab.get_by_role("slider", name="The picture before it and this one")
    await expect(line).to_have_attribute("aria-valuenow", "50")
    await line.press("Home")
    await expect(line).to_have_attribute("aria-valuenow", "0")
    await expect(tab.locator("[data-frame] .shot")).to_have_count(2)
    await tab.keyboard.press("k")
    await expect(tab.locator("[data-frame] .shot")).to_have_count(1)  # there is none before the first


async def test_a_timeline_of_one_picture_and_of_nothing(desk: Desk, tab: Page) -> None:
    await with_history(desk)
    await tab.goto(place(desk, "timeline.html?target=104"))
    await expect(tab.get_by_text("one picture so far")).to_be_visible()
    await tab.goto(place(desk, "timeline.html?target=999"))
    await expect(tab.get_by_text("Nothing is kept of this target.")).to_be_visible()
    for name in ("", "?target=", "?target=../../x", "?target=%3Cscript%3E"):
        await tab.goto(place(desk, f"timeline.html{name}"))
        await expect(tab.get_by_text("No target is named.")).to_be_visible()


async def test_any_two_runs(desk: Desk, tab: Page) -> None:
    one, two = await with_history(desk)
    wrong = listen(tab)
    await tab.goto(place(desk, "compare.html"))
    await expect(tab.get_by_text("4 of 5 pictures differ")).to_be_visible()
    assert tab.url.endswith(f"?a={one.id}&b={two.id}")
    headings = await tab.locator(".section > summary h2").all_text_contents()
    assert headings == ["Different", "Equal"]
    await card(tab, "101").get_by_role("slider").press("End")
    assert await card(tab, "101").get_by_role("slider").get_attribute("aria-valuetext") == "Before only"
    await card(tab, "101").get_by_role("link").click()
    viewer = tab.get_by_role("dialog", name="Movie 0 (1990)")
    await expect(viewer.get_by_role("img", name="Movie 0 (1990), before")).to_be_visible()
    await tab.keyboard.press("4")
    await expect(viewer.get_by_text("Light where the pictures differ")).to_be_visible()
    await tab.keyboard.press("Escape")
    before = await card(tab, "101").locator(".shot--after").get_attribute("src")
    await tab.get_by_role("button", name="Swap the two runs").click()
    await until(tab, "document.querySelector('#t-101 .shot--after')?.getAttribute('src') !== arg", before)
    assert tab.url.endswith(f"?a={two.id}&b={one.id}")
    await tab.get_by_label("Before").first.select_option(one.id)
    await expect(tab.get_by_text("0 of 5 pictures differ")).to_be_visible()
    assert wrong == []


async def test_a_run_that_drew_nothing_anew_is_compared_too(desk: Desk, tab: Page) -> None:
    one, two = await with_history(desk)
    kept = run(3, tuple(replace(picture, state=PictureState.REUSED) for picture in two.pictures), changed=())
    history = tuple(RunBrief.of(each) for each in (kept, two, one))
    await desk.publish(GalleryView(shown=kept, latest=kept, history=history, config_dir="config"))
    await tab.goto(place(desk, f"runs/{kept.id}/index.html"))
    await tab.get_by_role("link", name="Compare runs").click()
    await expect(tab.get_by_text("0 of 5 pictures differ")).to_be_visible()
    assert tab.url.endswith(f"?a={two.id}&b={kept.id}")


async def test_a_draft_is_never_shown_as_kometas(desk: Desk, tab: Page) -> None:
    await with_history(desk, DRAFT)
    await tab.goto(place(desk, "compare.html"))
    await expect(card(tab, "101").get_by_text("Draft, not Kometa’s picture")).to_be_visible()
    await card(tab, "101").get_by_role("link").click()
    viewer = tab.get_by_role("dialog", name="Movie 0 (1990)")
    await expect(viewer.get_by_text("This run (draft)")).to_be_visible()
    await tab.keyboard.press("Escape")
    await tab.get_by_role("button", name="Swap the two runs").click()
    await expect(card(tab, "101").get_by_role("img", name="Movie 0 (1990), before, draft")).to_have_count(1)
    await expect(card(tab, "101").locator(".stamp")).to_have_count(0)  # the picture in front is Kometa's

    await tab.goto(place(desk, "timeline.html?target=101"))
    moment = tab.get_by_role("region", name="Picture", exact=True)
    await expect(moment).to_contain_text("Draft not Kometa")
    await expect(tab.locator("[data-moments] .state--draft")).to_have_count(1)
    await tab.get_by_role("button", name="Older picture").click()
    await expect(moment).to_contain_text("Picture 1 of 2")
    await expect(moment).not_to_contain_text("Draft")


async def test_data_files_are_read_again_and_again(desk: Desk, tab: Page) -> None:
    """Each read ends, however they overlap; a file that is missing or holds something else is an error."""
    await with_history(desk)
    (desk.root / "data/other.js").write_text("window.other = 1;")
    await tab.goto(place(desk, "compare.html"))
    read = "name => Promise.allSettled(Array.from({ length: 12 }, () => gallery.load(name, true))).then(all => all.map(one => one.status))"
    assert await tab.evaluate(read, "data/decisions") == ["fulfilled"] * 12
    assert await tab.evaluate(read, "data/other") == ["rejected"] * 12
    assert await tab.evaluate(read, "data/none") == ["rejected"] * 12
    assert await tab.evaluate("() => gallery.load('data/decisions') === gallery.load('data/decisions')")


async def test_one_run_is_not_two(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    await tab.goto(place(desk, "compare.html"))
    await expect(tab.get_by_text("There are no two runs with pictures yet.")).to_be_visible()


async def test_an_old_runs_page_knows_what_was_decided_since(desk: Desk, tab: Page) -> None:
    """The page itself never changes; what was decided stands in the data beside it."""
    one, two = await with_history(desk)
    written = (desk.root / f"runs/{one.id}/index.html").read_text()
    assert "Approved" not in written
    await tab.goto(place(desk, f"runs/{one.id}/index.html"))
    await expect(card(tab, "101")).to_contain_text("Approved")
    await expect(tab.get_by_text("This is an earlier run.")).to_be_visible()
    await tab.goto(place(desk, f"runs/{two.id}/index.html"))
    await expect(card(tab, "104")).to_contain_text("Approved")  # the same bytes as those that were approved
    await expect(card(tab, "201")).not_to_contain_text("Approved")
    await expect(tab.get_by_text("This is an earlier run.")).to_be_hidden()


async def test_a_copy_shows_everything(desk: Desk, tab: Page, tmp_path: Path) -> None:
    """An empty directory, a plain file server: all but approving and what is live."""
    one, two = await with_history(desk)
    shutil.copytree(desk.root, tmp_path / "copy")
    shutil.rmtree(desk.root)
    wrong = listen(tab)
    async with plain_server(tmp_path / "copy") as url:
        await tab.goto(f"{url}/")
        await expect(tab.locator("h1")).to_have_text("4 changed of 5 pictures")
        await expect(tab.get_by_role("button", name="Approve all")).to_be_hidden()
        await card(tab, "101").locator("a[data-open]").click()
        viewer = tab.get_by_role("dialog")
        for key, words in (
            ("1", "This run"),
            ("2", "Previous run left"),
            ("3", "1 difference"),
            ("4", "Difference 1 of 1"),
            ("5", "Width"),
        ):
            await tab.keyboard.press(key)
            await expect(viewer.get_by_text(words).first).to_be_visible()
        await expect(viewer.get_by_role("button", name="Approve")).to_be_hidden()
        await viewer.get_by_role("link", name="Timeline").click()
        await expect(tab.get_by_text("Picture 2 of 2").first).to_be_visible()
        await tab.get_by_role("link", name="Compare runs").click()
        await expect(tab.get_by_text("4 of 5 pictures differ")).to_be_visible()
        await tab.goto(f"{url}/runs/{one.id}/")
        await expect(card(tab, "101")).to_contain_text("Approved")
        await tab.goto(f"{url}/runs/{two.id}/")
        await expect(tab.get_by_role("region", name="The same change on 3 posters")).to_be_visible()
        told = list(wrong)
    assert [line for line in told if "404" not in line] == []  # a page asks once whether there is a daemon
