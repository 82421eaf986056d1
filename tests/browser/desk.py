"""A gallery under test and what is said of its page."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from playwright.async_api import Locator, Page

from sidecar.model import Picture, PictureState, Run, RunState
from sidecar.publish import Gallery, GalleryView, RunBrief
from tests.publish.samples import Store, episode, movie, rendered, run
from tests.web.site import Site


@dataclass
class Desk:
    """Publishes as the pipeline does: the gallery first, the event after it."""

    root: Path
    gallery: Gallery
    store: Store

    def pictures(self, colour: str = "darkred", count: int = 4) -> tuple[Picture, ...]:
        """``count`` movies and an episode, all of one colour after, gray before."""
        gray = self.store.flat("gray", (200, 300))
        after = self.store.flat(colour, (200, 300))
        movies = tuple(rendered(movie(101 + n, f"Movie {n}", 1990 + n), gray, after) for n in range(count))
        wide = (self.store.flat("gray", (320, 180)), self.store.flat(colour, (320, 180)))
        return (*movies, rendered(episode(201, "Dark", 1, "Secrets"), *wide))

    def badged(self) -> tuple[Picture, ...]:
        """The same as ``pictures``, each with a white badge at the lower left."""
        made = []
        for picture in self.pictures():
            assert picture.after
            with Image.open(self.store.path(picture.after)) as image:
                image = image.convert("RGB")
            image.paste("white", (20, image.height - 50, 90, image.height - 20))
            made.append(replace(picture, after=self.store.image(image, "png")))
        return tuple(made)

    def good(self, number: int = 1, colour: str = "darkred") -> Run:
        return run(number, self.pictures(colour))

    def waiting(self, number: int = 2) -> Run:
        """A run in progress that has no picture yet."""
        pictures = tuple(replace(p, state=PictureState.WAITING, after=None) for p in self.pictures())
        return run(number, pictures, state=RunState.RENDERING, ended=None, changed=())

    async def publish(self, view: GalleryView) -> None:
        await asyncio.to_thread(self.gallery.publish, view)

    async def show(self, shown: Run) -> None:
        await self.publish(GalleryView(shown=shown, latest=shown, history=(RunBrief.of(shown),), config_dir="config"))


async def live(tab: Page, site: Site) -> None:
    """Open the first page and wait until it listens."""
    await tab.goto(f"{site.url}/")
    await tab.locator("#pulse[data-pulse=live]").wait_for()


def card(tab: Page, target: str) -> Locator:
    return tab.locator(f"#t-{target}")


def slider(tab: Page, target: str) -> Locator:
    return card(tab, target).get_by_role("slider")


async def position(tab: Page, target: str) -> int:
    return int(await slider(tab, target).get_attribute("aria-valuenow") or -1)


async def until(tab: Page, expression: str, arg: object = None) -> None:
    """Wait until ``expression`` holds in the page. A function, since the page's policy forbids to evaluate text."""
    await tab.wait_for_function(f"arg => {expression}", arg=arg)


async def unfold(tab: Page) -> None:
    """Open everything that can be opened."""
    await tab.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")


async def all_controls(tab: Page) -> None:
    """On a phone the controls are behind a button."""
    more = tab.get_by_role("button", name="Search and view")
    if await more.is_visible():
        await more.click()


async def shown_share(tab: Page, target: str) -> float:
    """How much of the card's width really shows the gray picture from before, read off a screenshot's pixels."""
    box = card(tab, target).locator(".frame")
    await tab.mouse.move(2, 2)
    await tab.wait_for_timeout(400)  # the divider glides
    with Image.open(io.BytesIO(await box.screenshot())) as image:
        row = image.convert("RGB").crop((0, image.height // 4, image.width, image.height // 4 + 1))
        pixels = [row.getpixel((x, 0)) for x in range(row.width)]
    gray = sum(max(p) - min(p) < 30 and 90 < p[0] < 170 for p in pixels if isinstance(p, tuple))
    return 100 * gray / len(pixels)
