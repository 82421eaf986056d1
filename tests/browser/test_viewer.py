"""The big view: five ways to compare, zoom and pan at real pixels, details."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from sidecar.model import Severity
from tests.browser.desk import Desk, card, until
from tests.browser.scenes import reviewed
from tests.publish.samples import problem
from tests.web.site import Site, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("viewer")]

BADGE = (20 / 200, 250 / 300, 70 / 200, 30 / 300)
"""The white badge of ``Desk.badged`` on a poster: x, y, width, height, as shares."""


LEFT = "() => document.querySelector('#viewer .pane .shot').getBoundingClientRect().x"
UNDER = """([x, y]) => {
  const box = document.querySelector('#viewer .pane .shot').getBoundingClientRect();
  return [(x - box.x) / box.width, (y - box.y) / box.height];
}"""


SCALE = "document.querySelector('#viewer .pane .shot').getBoundingClientRect().width / 200"


async def opened(desk: Desk, tab: Page, target: str = "101") -> Locator:
    """The viewer, open on that target of a reviewed run."""
    await desk.publish(reviewed(desk))
    await tab.goto((desk.root / "index.html").as_uri())
    await tab.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    await card(tab, target).locator("a[data-open]").click()
    await until(tab, "[...document.querySelectorAll('#viewer img')].every(image => image.complete)")
    return tab.get_by_role("dialog")


async def colour(tab: Page, x: float, y: float) -> tuple[int, ...]:
    """What the first pane really shows at that share of its width and height."""
    shot = await tab.locator("#viewer .pane").first.screenshot()
    with Image.open(io.BytesIO(shot)) as image:
        pixel = image.convert("RGB").getpixel((int(image.width * x), int(image.height * y)))
    assert isinstance(pixel, tuple)
    return pixel


def near(pixel: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 30 for a, b in zip(pixel, wanted, strict=True))


async def scale(tab: Page) -> float:
    width: float = await tab.locator("#viewer .pane .shot").first.evaluate("image => image.getBoundingClientRect().width")
    return width / 200


async def test_side_by_side(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab)
    await expect(viewer.get_by_role("img", name="Movie 0 1990, previous run")).to_be_visible()
    await expect(viewer.get_by_role("img", name="Movie 0 1990, this run")).to_be_visible()
    left, right = [await pane.bounding_box() for pane in await viewer.locator(".pane").all()]
    assert left
    assert right
    assert left["width"] == right["width"]
    assert abs(left["y"] - right["y"]) < 1
    await tab.keyboard.press("c")  # against the bare art instead
    await expect(viewer.get_by_role("img", name="Movie 0 1990, bare art")).to_be_visible()
    assert near(await colour(tab, 0.5, 0.5), (128, 128, 128))


async def test_slider_by_mouse_and_keyboard(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab)
    await tab.keyboard.press("2")
    line = viewer.get_by_role("slider", name="Previous run and this run")
    assert await line.get_attribute("aria-valuenow") == "50"
    badge = (BADGE[0] + BADGE[2] / 2, BADGE[1] + BADGE[3] / 2)
    assert not near(await colour(tab, *badge), (255, 255, 255))  # left of the line: before
    box = await viewer.locator(".pane").bounding_box()
    assert box
    await tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    await tab.mouse.down()
    await tab.mouse.move(box["x"] + 5, box["y"] + 60, steps=3)
    await tab.mouse.up()
    await tab.mouse.move(5, 5)
    assert int(await line.get_attribute("aria-valuenow") or -1) <= 3
    assert near(await colour(tab, *badge), (255, 255, 255))
    await line.press("End")
    assert await line.get_attribute("aria-valuetext") == "Before only"
    await until(tab, "!document.querySelector('#viewer .is-gliding')")
    assert not near(await colour(tab, *badge), (255, 255, 255))
    await line.press("ArrowLeft")
    assert await line.get_attribute("aria-valuenow") == "98"
    await expect(tab.get_by_role("dialog", name="Movie 0 1990")).to_be_visible()  # the arrows are the slider's here


async def test_blink(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab)
    await tab.keyboard.press("3")
    await viewer.get_by_text("Previous run", exact=True).last.wait_for()  # it turns by itself
    await viewer.locator(".pane.shows-before").wait_for()
    await tab.keyboard.press("Space")
    await expect(viewer.get_by_role("button", name="Blink", exact=True)).to_be_visible()
    before = await viewer.locator(".pane").get_attribute("class")
    await tab.wait_for_timeout(900)
    assert await viewer.locator(".pane").get_attribute("class") == before
    await tab.keyboard.press("b")
    assert await viewer.locator(".pane").get_attribute("class") != before


async def test_blink_stands_still_for_who_wants_no_motion(desk: Desk, tab: Page) -> None:
    await tab.emulate_media(reduced_motion="reduce")
    viewer = await opened(desk, tab)
    await tab.keyboard.press("3")
    await tab.wait_for_timeout(900)
    await expect(viewer.locator(".pane")).not_to_have_class("shows-before")
    await expect(viewer.get_by_role("button", name="Blink", exact=True)).to_be_visible()
    await tab.keyboard.press("b")
    await expect(viewer.locator(".pane.shows-before")).to_be_visible()


async def test_the_differences_are_found_and_focused(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab)
    fitted = await scale(tab)
    await tab.keyboard.press("4")
    await expect(viewer.get_by_role("button", name="Difference 1 of 1")).to_be_visible()
    assert await scale(tab) > fitted
    pane, mark = await viewer.locator(".pane").bounding_box(), await viewer.locator(".mark").bounding_box()
    assert pane
    assert mark
    assert mark["x"] >= pane["x"] - 4
    assert mark["x"] + mark["width"] <= pane["x"] + pane["width"]
    assert mark["y"] + mark["height"] <= pane["y"] + pane["height"] + 4
    inside = ((mark["x"] + mark["width"] / 2 - pane["x"]) / pane["width"], (mark["y"] + mark["height"] / 2 - pane["y"]) / pane["height"])
    assert near(await colour(tab, *inside), (255, 0, 128))  # the mask
    await tab.keyboard.press("0")
    red, green, blue = await colour(tab, 0.5, 0.2)
    assert max(red, green, blue) - min(red, green, blue) < 6  # the rest is grey
    assert near(await colour(tab, BADGE[0] + BADGE[2] / 2, BADGE[1] + BADGE[3] / 2), (255, 0, 128))


async def test_against_the_bare_art_the_browser_finds_the_differences(desk: Desk, tab: Page) -> None:
    """No mask was made of these two: what is equal is black."""
    viewer = await opened(desk, tab)
    await tab.keyboard.press("c")
    await tab.keyboard.press("4")
    await expect(viewer.get_by_text("Light where the pictures differ")).to_be_visible()
    assert max(await colour(tab, 0.5, 0.3)) > 60  # gray against dark red


async def test_another_reference_has_differences_of_its_own(desk: Desk, tab: Page) -> None:
    """Against the run before it is the badge that differs, against the bare art the whole poster."""
    viewer = await opened(desk, tab)
    fitted = await scale(tab)
    async with running(Site(desk.root)) as site:  # only there may a page measure
        await tab.goto(site.url)
        await card(tab, "101").locator("a[data-open]").click()
        await tab.keyboard.press("4")
        await until(tab, f"{SCALE} > arg * 1.5", fitted)
        await tab.keyboard.press("c")
        await expect(viewer.get_by_text("% differ")).to_be_visible()
        await expect(viewer.get_by_role("button", name="Difference 1 of 1")).to_be_visible()
        await until(tab, f"{SCALE} < arg * 1.1", fitted)


async def test_against_what_plex_shows_now(desk: Desk, tab: Page) -> None:
    desk.gallery.publish_plex({"101": desk.store.flat("navy", (200, 300))})
    viewer = await opened(desk, tab)
    await viewer.get_by_role("radio", name="In Plex now").check()
    await expect(viewer.get_by_role("img", name="Movie 0 1990, in plex now")).to_be_visible()
    assert near(await colour(tab, 0.5, 0.5), (0, 0, 128))
    await tab.keyboard.press("c")  # and round to the first again
    await expect(viewer.get_by_role("img", name="Movie 0 1990, previous run")).to_be_visible()
    await viewer.get_by_role("button", name="Next picture").click()
    await expect(viewer.get_by_role("radio", name="In Plex now")).to_be_hidden()


async def test_an_unchanged_picture_says_so(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab, "104")
    await viewer.get_by_role("radio", name="Previous run").check()
    await tab.keyboard.press("4")
    await expect(viewer.get_by_text("No difference")).to_be_visible()


async def test_zoom_and_pan_at_real_pixels(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab)
    fitted = await scale(tab)
    await tab.keyboard.press("z")
    assert await scale(tab) == 1  # a pixel of the picture is a pixel of the screen
    await expect(viewer.get_by_role("button", name="Real pixels")).to_have_attribute("aria-pressed", "true")
    await tab.keyboard.press("z")
    assert await scale(tab) == pytest.approx(fitted)

    box = await viewer.locator(".pane").first.bounding_box()
    assert box
    at = (box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.75)
    under = await tab.evaluate(UNDER, at)
    await tab.mouse.move(*at)
    for _ in range(6):
        await tab.mouse.wheel(0, -300)
    await until(tab, "document.querySelector('#viewer .pane .shot').getBoundingClientRect().width / 200 > arg * 3", fitted)
    grown = await viewer.locator(".pane").first.bounding_box()
    assert grown
    both = await tab.evaluate("[...document.querySelectorAll('#viewer .pane .shot')].map(i => [i.style.left, i.style.top, i.style.width])")
    assert both[0] == both[1]  # the panes move as one
    assert under == pytest.approx([0.25, 0.75], abs=0.01)
    before = await tab.evaluate(LEFT)
    await tab.mouse.move(grown["x"] + grown["width"] / 2, grown["y"] + grown["height"] / 2)
    await tab.mouse.down()
    await tab.mouse.move(grown["x"] + grown["width"] / 2 - 60, grown["y"] + grown["height"] / 2, steps=3)
    await tab.mouse.up()
    assert await tab.evaluate(LEFT) == pytest.approx(before - 60, abs=2)
    await tab.keyboard.press("ArrowRight")
    assert await tab.evaluate(LEFT) < before - 100
    await expect(tab.get_by_role("dialog", name="Movie 0 1990")).to_be_visible()  # zoomed in, arrows move the picture
    await tab.keyboard.press("0")
    await tab.keyboard.press("ArrowRight")
    await expect(tab.get_by_role("dialog", name="Movie 1 1991")).to_be_visible()


async def test_the_arithmetic_of_zooming(desk: Desk, tab: Page) -> None:
    """zoom.js by itself: nothing is ever shown beyond the picture, and the point under the pointer stays."""
    await desk.show(desk.good())
    await tab.goto((desk.root / "index.html").as_uri())
    found = await tab.evaluate(
        """() => {
        const { zoom } = gallery;
        const picture = { width: 1000, height: 1500 };
        const room = { width: 800, height: 600 };
        const bad = [];
        let at = zoom.whole(picture, room);
        if (Math.abs(at.scale - 0.4) > 1e-9) bad.push(["fit", at]);
        let seed = 1;
        const dice = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
        for (let turn = 0; turn < 2000; turn += 1) {
          const [dx, dy] = [(dice() - 0.5) * 700, (dice() - 0.5) * 500];
          at = dice() < 0.5 ? zoom.around(at, 0.3 + dice() * 2, dx, dy, picture, room) : zoom.moved(at, dx, dy, picture, room);
          const pane = zoom.pane(picture, room, at.scale);
          const [w, h] = [pane.width / at.scale / 2, pane.height / at.scale / 2];
          if (at.x - w < -1e-6 || at.x + w > 1000 + 1e-6 || at.y - h < -1e-6 || at.y + h > 1500 + 1e-6) bad.push(["beyond", at]);
          if (!(at.scale >= 0.4 - 1e-9 && at.scale <= 16)) bad.push(["scale", at]);
        }
        const middle = { scale: 2, x: 500, y: 750 };
        const next = zoom.around(middle, 1.5, 100, -50, picture, room);
        if (Math.abs(middle.x + 100 / 2 - (next.x + 100 / next.scale)) > 1e-6) bad.push(["slips", next]);
        const onto = zoom.onto([100, 200, 50, 40], picture, room);
        if (onto.x !== 125 || onto.y !== 220) bad.push(["onto", onto]);
        return bad;
      }"""
    )
    assert found == []


async def test_sizes_on_light_and_dark(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab)
    await tab.keyboard.press("5")
    for ground, wanted in (("light", (245, 244, 241)), ("dark", (27, 28, 32))):
        shown = viewer.get_by_role("group", name=f"On {ground} ground, 250 pixels wide")
        shot = await shown.screenshot()
        with Image.open(io.BytesIO(shot)) as image:
            pixel = image.convert("RGB").getpixel((image.width - 20, 8))
        assert isinstance(pixel, tuple)
        assert near(pixel, wanted)
    width = viewer.get_by_role("slider", name="Width")
    for value in ("150", "1000"):
        await width.fill(value)
        sizes = await viewer.locator(".shot--sized").evaluate_all("all => all.map(i => [i.clientWidth, i.clientHeight])")
        assert sizes == [[int(value), int(value) * 3 // 2]] * 4


async def test_an_episode_is_simulated_in_16_to_9(desk: Desk, tab: Page) -> None:
    viewer = await opened(desk, tab, "201")
    await tab.keyboard.press("5")
    await viewer.get_by_role("slider", name="Width").fill("320")
    sizes = await viewer.locator(".shot--sized").evaluate_all("all => all.map(i => [i.clientWidth, i.clientHeight])")
    assert sizes == [[320, 180]] * 4


async def test_what_applied_and_why_with_places(desk: Desk, tab: Page) -> None:
    view = reviewed(desk)
    assert view.shown
    pictures = list(view.shown.pictures)
    trouble = problem(Severity.WARNING, "The font has no such weight", file="overlays/badges.yml", line=40, mend="Take another.")
    pictures[0] = replace(
        pictures[0],
        overlays=({"name": "4K", "file": "overlays/badges.yml", "weight": 90, "box": [30, 30, 250, 96]},),
        left_out=({"name": "1080p", "reason": "outweighed", "by": "4K"},),
        problems=(trouble,),
    )
    await desk.publish(replace(view, shown=replace(view.shown, pictures=tuple(pictures)), latest=None))
    await tab.goto((desk.root / "index.html").as_uri())
    await tab.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    await card(tab, "101").locator("a[data-open]").click()
    side = tab.get_by_role("complementary", name="Details")
    for words in ("4K", "overlays/badges.yml", "30, 30, 250, 96", "1080p", "outweighed", "The font has no such weight", "badges.yml:40"):
        await expect(side.get_by_text(words).first).to_be_visible()


async def test_where_an_overlay_was_drawn(desk: Desk, tab: Page) -> None:
    view = reviewed(desk)
    assert view.shown
    pictures = list(view.shown.pictures)
    pictures[0] = replace(pictures[0], overlays=({"name": "4K", "box": [20, 30, 100, 60]}, {"name": "HDR", "box": [20, 100, 50, 40]}))
    await desk.publish(replace(view, shown=replace(view.shown, pictures=tuple(pictures)), latest=None))
    await tab.goto((desk.root / "index.html").as_uri())
    await card(tab, "101").locator("a[data-open]").click()
    viewer = tab.get_by_role("dialog")
    box = viewer.get_by_role("button", name="20, 30, 100, 60")
    await box.hover()
    await expect(viewer.locator(".spot-mark")).to_have_count(2)  # in both pictures
    pane, mark = await viewer.locator(".pane").first.bounding_box(), await viewer.locator(".spot-mark").first.bounding_box()
    assert pane
    assert mark
    assert [(mark["x"] - pane["x"]) / pane["width"], mark["width"] / pane["width"], mark["height"] / pane["height"]] == pytest.approx(
        [20 / 200, 100 / 200, 60 / 300], abs=0.01
    )
    await viewer.get_by_role("heading", name="Movie 0 1990").hover()
    await expect(viewer.locator(".spot-mark")).to_have_count(0)
    await box.press("Enter")
    await expect(box).to_have_attribute("aria-pressed", "true")
    await expect(viewer.locator(".spot-mark")).to_have_count(2)
    await viewer.get_by_role("button", name="20, 100, 50, 40").press("Enter")
    await expect(box).to_have_attribute("aria-pressed", "false")


async def test_two_fingers_zoom(desk: Desk, browser: Browser) -> None:
    phone = await browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    try:
        tab = await phone.new_page()
        viewer = await opened(desk, tab)
        await expect(viewer.get_by_role("radio", name="Slider")).to_be_checked()  # a phone has no room for two
        await viewer.get_by_role("radio", name="Blink").check()
        box = await viewer.locator(".pane").bounding_box()
        assert box
        fitted = await scale(tab)
        protocol = await phone.new_cdp_session(tab)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        async def touch(kind: str, *points: tuple[float, float]) -> None:
            await protocol.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": px, "y": py} for px, py in points]})

        await touch("touchStart", (x - 30, y), (x + 30, y))
        for far in (50, 70, 90):
            await touch("touchMove", (x - far, y), (x + far, y))
        await touch("touchEnd")
        assert await scale(tab) == pytest.approx(fitted * 3, rel=0.25)
    finally:
        await phone.close()
