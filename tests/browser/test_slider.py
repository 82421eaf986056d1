from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from tests.browser.desk import Desk, card, position, shown_share, slider, until
from tests.web.site import Site, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_by_mouse(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        assert await position(tab, "101") == 0
        assert await shown_share(tab, "101") < 3
        box = await card(tab, "101").locator(".frame").bounding_box()
        assert box
        await tab.mouse.move(box["x"] + 5, box["y"] + 80)
        await tab.mouse.down()
        await tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 90, steps=4)
        await tab.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 300, steps=4)
        assert abs(await position(tab, "101") - 70) <= 1
        await tab.mouse.move(box["x"] + box["width"] * 2, box["y"] + 90)  # captured: outside is the end
        await tab.mouse.up()
        assert await position(tab, "101") == 100
        assert await shown_share(tab, "101") > 95
        await tab.mouse.move(box["x"] + 10, box["y"] + 90)
        assert await position(tab, "101") == 100
        await tab.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + 60)
        assert abs(await position(tab, "101") - 25) <= 1
        assert abs(await shown_share(tab, "101") - 25) < 4
        assert await position(tab, "102") == 0


async def test_by_keyboard_with_a_visible_focus(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        await card(tab, "101").locator("a").focus()
        await tab.keyboard.press("Shift+Tab")
        assert await tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Before and after: Movie 0 (1990)"
        outline = (
            await card(tab, "101").locator(".frame").evaluate("e => getComputedStyle(e).outlineStyle + getComputedStyle(e).outlineWidth")
        )
        assert outline == "solid2px"
        steps = {
            "End": 100,
            "ArrowLeft": 98,
            "Shift+ArrowLeft": 88,
            "PageDown": 78,
            "Home": 0,
            "ArrowLeft ": 0,
            "ArrowRight": 2,
            "ArrowUp": 4,
        }
        for key, expected in steps.items():
            await tab.keyboard.press(key.strip())
            assert await position(tab, "101") == expected, key
        assert await slider(tab, "101").get_attribute("aria-valuetext") == "4 % before"
        await tab.keyboard.press("End")
        assert await slider(tab, "101").get_attribute("aria-valuetext") == "Before only"
        assert await shown_share(tab, "101") > 95


async def test_by_touch_without_catching_the_scroll(desk: Desk, browser: Browser) -> None:
    await desk.show(desk.good())
    phone = await browser.new_context(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    try:
        async with running(Site(desk.root)) as site:
            tab = await phone.new_page()
            await tab.goto(site.url)
            await card(tab, "101").scroll_into_view_if_needed()
            protocol = await phone.new_cdp_session(tab)
            box = await card(tab, "101").locator(".frame").bounding_box()
            assert box
            x, y, width = box["x"], box["y"] + 40, box["width"]

            async def touch(kind: str, *points: tuple[float, float]) -> None:
                await protocol.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": px, "y": py} for px, py in points]})

            await touch("touchStart", (x + 10, y))
            for share in (0.2, 0.4, 0.6):
                await touch("touchMove", (x + width * share, y + 2))
            await touch("touchEnd")
            assert abs(await position(tab, "101") - 60) <= 1

            await tab.touchscreen.tap(x + width * 0.3, y)
            assert abs(await position(tab, "101") - 30) <= 1

            before = await tab.evaluate("scrollY")
            await touch("touchStart", (x + width * 0.8, y + 150))
            for step in range(1, 12):
                await touch("touchMove", (x + width * 0.8, y + 150 - 12 * step))
            await touch("touchEnd")
            await until(tab, "scrollY > arg", before)
            assert abs(await position(tab, "101") - 30) <= 1
    finally:
        await phone.close()


async def test_all_at_once(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        for name, expected in (("Split", 50), ("Before", 100), ("After", 0)):
            await tab.get_by_role("radio", name=name).check()
            assert {await position(tab, key) for key in ("101", "104", "201")} == {expected}
