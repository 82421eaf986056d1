"""axe-core over every page, in both themes, on a phone and on a desk: no violation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import Page
from pydantic import SecretStr

from sidecar.publish import GalleryView
from tests.browser.axe import Axe
from tests.browser.desk import Desk, all_controls, unfold
from tests.browser.scenes import everything, reviewed, with_history
from tests.web.site import Site, running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("axe"),  # beside the other browser tests: it takes as long as they do
    pytest.mark.parametrize(("theme", "width"), [("dark", 390), ("light", 1440)]),
]


@pytest_asyncio.fixture(loop_scope="session")
async def axe(tab: Page, theme: str, width: int) -> Axe:
    await tab.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    await tab.set_viewport_size({"width": width, "height": 900})
    return Axe(tab)


async def test_the_pages_of_runs(desk: Desk, tab: Page, axe: Axe) -> None:
    view = everything(desk)
    shown = view.shown
    assert shown
    await desk.publish(view)
    await desk.publish(replace(view, current=None))
    for name in ("index.html", f"runs/{shown.id}/index.html"):
        await axe.open((desk.root / name).as_uri())
        await unfold(tab)
        await axe.check(name)
        await all_controls(tab)
        await tab.get_by_role("radio", name="Split").check()
        await axe.check(f"{name}, split")
    for empty in (GalleryView(config_dir="config"), GalleryView(current=desk.waiting())):
        await desk.publish(empty)
        await axe.open((desk.root / "index.html").as_uri())
        await axe.check("empty")


async def test_reviewing(desk: Desk, tab: Page, axe: Axe) -> None:
    await desk.publish(reviewed(desk))
    await axe.open((desk.root / "index.html").as_uri())
    await axe.check("changed")
    await unfold(tab)
    await all_controls(tab)
    await tab.get_by_role("checkbox", name="Mark differences").check()
    await axe.check("unfolded and marked")
    await tab.get_by_role("searchbox").fill("no such title")
    await axe.check("nothing found")
    await tab.get_by_role("searchbox").fill("")
    await tab.locator("#t-101 a[data-open]").click()
    for label in ("Side by side", "Slider", "Blink", "Differences", "Sizes"):
        await tab.get_by_role("radio", name=label).check()
        await axe.check(f"viewer, {label}")
    await tab.keyboard.press("?")
    await axe.check("keys")


async def test_the_timeline_and_the_comparison(desk: Desk, tab: Page, axe: Axe) -> None:
    await with_history(desk)
    await axe.open((desk.root / "timeline.html").as_uri() + "?target=101")
    await tab.get_by_role("heading", name="Movie 0 (1990)").wait_for()
    await axe.check("timeline")
    await tab.get_by_role("checkbox", name="Compare with").check()
    await axe.check("timeline, two pictures")
    await axe.open((desk.root / "timeline.html").as_uri())
    await axe.check("timeline of nothing")
    await axe.open((desk.root / "compare.html").as_uri())
    await tab.get_by_role("heading", name="Different").wait_for()
    await axe.check("comparison")
    await tab.locator("a[data-open]").first.click()
    await tab.get_by_role("radio", name="Differences").check()
    await axe.check("comparison, viewer")


async def test_the_pages_of_the_server(desk: Desk, axe: Axe) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root), host="0.0.0.0", token=SecretStr("open sesame please")) as site:
        for place in ("/", "/login/nothing"):
            await axe.open(site.url + place)
            await axe.check(place)
