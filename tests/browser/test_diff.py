"""Pictures that nobody compared: the browser measures as ``sidecar.compare`` does."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from sidecar.compare import compare
from tests.browser.desk import Desk, card
from tests.browser.scenes import reviewed, with_history
from tests.browser.test_page import plain_server
from tests.publish.samples import overlaid, poster

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("diff")]

DIFFER = "([now, ref, ignored]) => gallery.differ(now, ref, ignored).then(({ pixels, fraction, boxes }) => ({ pixels, fraction, boxes }))"


@dataclass(frozen=True)
class Case:
    before: Image.Image
    after: Image.Image
    ignored: tuple[tuple[int, int, int, int], ...] = ()


def cases() -> list[Case]:
    """Badges with smoothed letters on drawn posters; letters that moved by less than a pixel; another shape; nothing."""
    bare, other = poster("Heat", 3, (300, 450)), poster("Dark", 9, (300, 450))
    badges, moved = overlaid(bare, "4K", "DTS", "8.1"), overlaid(bare, "4K", "DTS-HD", "8.2")
    half = badges.resize((301, 451), Image.Resampling.LANCZOS).crop((0, 0, 300, 450))
    return [
        Case(bare, badges),
        Case(badges, moved),
        Case(badges, half),
        Case(bare, other),
        Case(badges, badges),
        Case(bare, badges, ((0, 0, 150, 100), (-5, 400, 4000, 4000))),
        Case(poster("Heat", 3, (300, 300)), badges),
    ]


@pytest.mark.parametrize("number", range(7))
async def test_the_very_pixels(desk: Desk, tab: Page, number: int) -> None:
    case = cases()[number]
    await desk.publish(reviewed(desk))
    before, after = (desk.store.image(image, "png") for image in (case.before, case.after))
    for blob in (before, after):
        (desk.root / f"img/{blob.name}").write_bytes(desk.store.path(blob).read_bytes())
    wanted = compare(desk.store.path(before), desk.store.path(after), ignored=case.ignored)
    async with plain_server(desk.root) as url:
        await tab.goto(f"{url}/")
        found = await tab.evaluate(DIFFER, [f"img/{after.name}", f"img/{before.name}", [list(box) for box in case.ignored]])
    assert found["pixels"] == wanted.pixels
    assert found["fraction"] == pytest.approx(wanted.fraction)
    assert [tuple(box) for box in found["boxes"]] == list(wanted.boxes)


async def test_two_runs_are_measured_as_they_are_looked_at(desk: Desk, tab: Page) -> None:
    await with_history(desk)
    async with plain_server(desk.root) as url:
        await tab.goto(f"{url}/compare.html")
        await card(tab, "101").locator("a[data-open]").click()
        await tab.keyboard.press("4")
        viewer = tab.get_by_role("dialog")
        await expect(viewer.get_by_role("img", name="Where they differ")).to_be_visible()
        await expect(viewer.get_by_text("% differ")).to_be_visible()
        await expect(viewer.get_by_role("button", name="Difference 1 of 1")).to_be_visible()
        await expect(viewer.locator(".pane--difference")).to_have_count(0)


async def test_from_a_file_the_browser_subtracts(desk: Desk, tab: Page) -> None:
    """It lets no page read pictures there."""
    await with_history(desk)
    await tab.goto((desk.root / "compare.html").as_uri())
    await card(tab, "101").locator("a[data-open]").click()
    await tab.keyboard.press("4")
    await expect(tab.get_by_role("dialog").get_by_text("Light where the pictures differ")).to_be_visible()
    assert await tab.evaluate("() => { const [now, ref] = document.images; return gallery.differ(now.src, ref.src); }") is None
