from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from playwright.async_api import Page, Route, expect

from sidecar.model import Health, Run, RunState, Severity
from sidecar.publish import GalleryView, RunBrief
from tests.browser.desk import Desk, card, live, position, slider, until
from tests.browser.scenes import reviewed
from tests.publish.samples import START, problem, run
from tests.web.site import Site, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]

SOURCE = "key => document.querySelector(`#t-${key} .shot--after`)?.getAttribute('src')"


async def test_pictures_come_one_by_one_without_a_reload(desk: Desk, tab: Page) -> None:
    good, current = desk.good(), desk.waiting()
    await desk.show(good)
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        await tab.evaluate("window.mark = 'same page'")
        await tab.evaluate("document.getElementById('t-104').mark = 'same card'")
        await slider(tab, "101").press("End")
        await slider(tab, "102").focus()
        await tab.keyboard.press("PageUp")
        await tab.evaluate("scrollTo(0, 60)")

        await desk.publish(GalleryView(current=current, shown=good, latest=good))
        site.events.publish("run.started", {"run": current.id})
        await expect(tab.locator("[data-count]")).to_have_text("0 of 5")
        await expect(card(tab, "101")).to_contain_text("Rendering")
        site.events.publish("run.phase", {"run": current.id, "name": "drawing", "shard": 0})
        site.events.publish("health", {"part": "plex", "ok": True})  # exchanges parts of the page, not what is told by events
        await expect(tab.locator("[data-phase]")).to_have_text("drawing")
        old = await tab.evaluate(SOURCE, "102")

        new = desk.pictures("navy")
        for count, key in ((1, "101"), (2, "102")):
            current = replace(current, pictures=(*new[:count], *current.pictures[count:]))
            await desk.publish(GalleryView(current=current, shown=good, latest=good))
            site.events.publish("picture", {"run": current.id, "target": key, "state": "rendered"})
            await until(tab, f"({SOURCE})(arg[0]) !== arg[1]", [key, old])
            await expect(tab.locator("[data-count]")).to_have_text(f"{count} of 5")
        assert await tab.evaluate(SOURCE, "103") == old

        assert await position(tab, "101") == 100
        assert await position(tab, "102") == 10
        assert await tab.evaluate("document.activeElement.closest('article').id") == "t-102"
        assert await tab.evaluate("scrollY") == 60
        await tab.keyboard.press("PageUp")  # the exchanged card's own divider has the focus
        assert await position(tab, "102") == 20

        done = run(2, (*new[:4], good.pictures[4]), changed=("101", "102", "103", "104"))
        await desk.show(done)
        site.events.publish("run.ended", {"run": done.id, "state": "done"})
        await expect(tab.locator("h1")).to_have_text("4 changed of 5 pictures")
        await expect(tab.locator("[data-progress]")).to_have_count(0)
        await expect(tab.locator("#announce")).to_have_text("4 changed of 5 pictures")
        assert await position(tab, "101") == 100
        assert await tab.evaluate("window.mark") == "same page"


async def test_cards_that_did_not_change_are_not_touched(desk: Desk, tab: Page) -> None:
    good = desk.good()
    await desk.show(good)
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        await tab.evaluate("for (const card of document.querySelectorAll('[data-card]')) card.mark = 1")
        more = replace(good, pictures=(desk.pictures("navy")[0], *good.pictures[1:]))
        await desk.publish(GalleryView(shown=more, latest=more))
        site.events.publish("reload", {})
        await until(tab, "document.getElementById('t-101').mark !== 1")
        assert await tab.evaluate("[...document.querySelectorAll('[data-card]')].filter(card => card.mark).length") == 4


async def test_cards_come_and_go(desk: Desk, tab: Page) -> None:
    good = desk.good()
    await desk.show(replace(good, pictures=good.pictures[:2]))
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        await tab.get_by_role("radio", name="Split").check()
        await slider(tab, "102").press("Home")
        await desk.publish(GalleryView(shown=replace(good, pictures=good.pictures[1:]), latest=good))
        site.events.publish("run.ended", {"run": good.id})
        await expect(card(tab, "201")).to_be_visible()
        await expect(card(tab, "101")).to_have_count(0)
        assert (await position(tab, "102"), await position(tab, "201")) == (0, 50)
        assert await tab.locator("[data-card]").count() == 4


def broken(number: int) -> Run:
    return run(
        number,
        (),
        state=RunState.INVALID,
        problems=(problem(Severity.ERROR, "a tab where spaces belong", file="config.yml", line=12, mend="Replace it by spaces."),),
    )


async def test_a_broken_save_puts_its_error_on_top(desk: Desk, tab: Page) -> None:
    good, bad = desk.good(), broken(2)
    await desk.show(good)
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        await tab.evaluate("window.mark = 1")
        await desk.publish(GalleryView(shown=good, latest=bad, history=(RunBrief.of(bad), RunBrief.of(good))))
        site.events.publish("run.ended", {"run": bad.id, "state": "invalid", "errors": 1})
        banner = tab.get_by_role("region", name="The config cannot be rendered")
        await expect(banner).to_contain_text("a tab where spaces belong")
        await expect(banner).to_contain_text("config.yml:12")
        await expect(banner).to_contain_text("Replace it by spaces.")
        top, pictures = await banner.bounding_box(), await card(tab, "101").bounding_box()
        assert top
        assert pictures
        assert top["y"] + top["height"] <= pictures["y"]
        assert top["y"] < 200
        assert await tab.locator("[data-card]").count() == 5
        await desk.show(good)
        site.events.publish("run.ended", {"run": good.id, "state": "done"})
        await expect(banner).to_have_count(0)
        assert await tab.evaluate("window.mark") == 1


async def test_health_comes_and_goes(desk: Desk, tab: Page) -> None:
    good = desk.good()
    await desk.show(good)
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        away = Health(part="plex", ok=False, detail="no answer within 10 s", since=START)
        await desk.publish(GalleryView(shown=good, latest=good, health=(away,)))
        site.events.publish("health", {"part": "plex", "ok": False})
        await expect(tab.get_by_text("Plex is away")).to_be_visible()
        await desk.show(good)
        site.events.publish("health", {"part": "plex", "ok": True})
        await expect(tab.get_by_text("Plex is away")).to_have_count(0)


async def test_what_happened_while_the_page_loaded_is_not_missed(desk: Desk, tab: Page) -> None:
    """The page as it was, served once; then the gallery moves on before the page listens, and no event tells."""
    await desk.show(desk.good())
    stale = (desk.root / "index.html").read_text()
    await desk.show(desk.good(2, "navy"))

    async def first(route: object) -> None:
        await route.fulfill(body=stale, content_type="text/html")  # type: ignore[attr-defined]

    async with running(Site(desk.root)) as site:
        await tab.route(f"{site.url}/", first)
        await live(tab, site)
        await until(tab, "gallery.runOf(document.querySelector('#t-101')) === arg", desk.good(2).id)
        assert desk.good(2, "navy").pictures[0].after.sha256 in await card(tab, "101").get_attribute("data-now")


async def test_a_daemon_that_answers_before_the_page_is_whole_is_heard(desk: Desk, tab: Page) -> None:
    """A script comes late: by then the daemon's answer has been there for long, and it is said once."""
    await desk.publish(reviewed(desk))
    listening = asyncio.Event()

    async def late(route: Route) -> None:
        with contextlib.suppress(TimeoutError):  # who waits for all its scripts listens after this
            await asyncio.wait_for(listening.wait(), 0.5)
        await route.continue_()

    async with running(Site(desk.root)) as site:
        tab.on("response", lambda answer: listening.set() if answer.url.endswith("/api/v1/events") else None)
        await tab.route("**/static/review.*.js", late)
        await live(tab, site)
        await expect(tab.get_by_role("button", name="Approve all")).to_be_visible()


async def test_finds_the_daemon_again(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root)) as site:
        await live(tab, site)
    await tab.locator("#pulse[data-pulse=lost]").wait_for()
    await desk.show(desk.good(2, "navy"))
    async with running(Site(desk.root, port=site.port)):
        await tab.locator("#pulse[data-pulse=live]").wait_for()
        await until(tab, "gallery.runOf(document.querySelector('#t-101')) === arg", desk.good(2).id)
        assert desk.good(2, "navy").pictures[0].after.sha256 in await card(tab, "101").get_attribute("data-now")


async def test_render_now(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        await tab.get_by_role("button", name="Render now").click()
        async with asyncio.timeout(40):
            while site.asked.renders == 0:
                await asyncio.sleep(0.02)
        assert site.asked.renders == 1


async def test_an_earlier_runs_page_says_that_it_is_one(desk: Desk, tab: Page) -> None:
    one, two = desk.good(1), desk.good(2, "navy")
    await desk.show(one)
    await desk.show(two)
    async with running(Site(desk.root)) as site:
        await tab.goto(f"{site.url}/runs/{one.id}/")
        await expect(tab.get_by_text("This is an earlier run.")).to_be_visible()
        await tab.get_by_role("link", name="See the newest pictures").click()
        await expect(tab.locator("html")).to_have_attribute("data-run", two.id)
        await tab.goto(f"{site.url}/runs/{two.id}/")
        await expect(tab.locator("h1")).to_be_visible()
        await expect(tab.get_by_text("This is an earlier run.")).to_be_hidden()


async def test_a_small_picture_that_comes_later_is_no_news(desk: Desk, tab: Page) -> None:
    """The full one is shown until then; the card is exchanged, without the ring around what is new."""
    good = desk.good()
    await desk.show(good)
    async with running(Site(desk.root)) as site:
        await live(tab, site)
        assert "img/" in (await card(tab, "101").locator(".shot--after").get_attribute("src") or "")
        while desk.gallery.owes_thumbs:
            await asyncio.to_thread(desk.gallery.make_thumbs)
        await desk.show(good)
        site.events.publish("reload", {})
        await until(tab, "document.querySelector('#t-101 .shot--after').getAttribute('src').startsWith('thumbs/')")
        assert await tab.locator(".card.is-new").count() == 0
