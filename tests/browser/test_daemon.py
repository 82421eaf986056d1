"""The whole daemon in a browser: a save, pictures one by one, the review, approving and undoing, the past.

The draft engine draws: it needs no Kometa. What is shown, compared and decided is the same.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import Axe
from tests.browser.desk import card, until
from tests.browser.test_page import listen
from tests.e2e.house import House, house

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("daemon")]

SAMPLE = Path(__file__).parents[2] / "config/kometa"
OLD, NEW = "#E5A00D", "#2456D6"


@pytest_asyncio.fixture(loop_scope="session")
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """A daemon over the sample config, its first run shown and compared: three movies, a show with what belongs to it."""
    config = tmp_path / "config"
    shutil.copytree(SAMPLE, config)
    targets = {"per_library": 3, "seasons": 1, "episodes": 1}
    async with house(None, config, tmp_path / "data", targets=targets) as home:
        await home.run("done")
        await reviewed(home, 1)
        yield home


async def reviewed(home: House, times: int) -> None:
    """Wait until that many runs were compared, and their pages and timelines written."""
    await home.until(lambda: sum(kind == "run.reviewed" for kind, _ in home.heard) >= times)


def edit(home: House, old: str = OLD, new: str = NEW) -> None:
    path = home.config / "config.yml"
    path.write_text(path.read_text().replace(old, new))


async def opened(home: House, tab: Page) -> None:
    await tab.goto(home.app.url)
    await tab.locator("#pulse[data-pulse=live]").wait_for()


async def test_a_save_is_reviewed(home: House, tab: Page) -> None:
    wrong = listen(tab)
    await opened(home, tab)
    await tab.evaluate("window.mark = 'same page'")
    await expect(tab.get_by_text("No baseline yet.")).to_be_visible()
    await tab.get_by_role("button", name="Make these the baseline").click()
    await expect(tab.get_by_text("Nothing to review")).to_be_visible()
    await expect(tab.locator("[data-verdict-chip]:visible")).to_have_count(await tab.locator("[data-card]").count())

    # Every picture that the page ever shows, in the order in which it came.
    await tab.evaluate(
        """() => {
        window.came = [];
        new MutationObserver((changes) => {
          for (const change of changes) for (const node of change.addedNodes) {
            if (node.dataset?.target && node.classList.contains("is-new")) came.push(node.dataset.target);
          }
        }).observe(document.getElementById("pictures"), { childList: true, subtree: true });
      }"""
    )
    edit(home)
    await expect(tab.get_by_role("region", name="The same change on 3 posters")).to_be_visible(timeout=60_000)
    await expect(tab.locator("h1")).to_contain_text("3 changed")
    assert await tab.evaluate("window.mark") == "same page"
    await expect(tab.get_by_role("region", name="Diff of config.yml").locator(".diff__add")).to_contain_text(NEW)

    # The viewer, against the baseline, down to the pixels that differ.
    await tab.locator(".group a[data-open]").first.click()
    viewer = tab.get_by_role("dialog")
    await expect(viewer.get_by_role("radio", name="Baseline")).to_be_checked()
    await tab.keyboard.press("4")
    await expect(viewer.get_by_role("button", name="Difference 1 of")).to_be_visible()
    await viewer.get_by_role("button", name="Approve").click()
    await expect(viewer.get_by_text("Approved", exact=True)).to_be_visible()
    await tab.keyboard.press("j")
    await tab.keyboard.press("r")
    await expect(viewer.get_by_text("Rejected", exact=True)).to_be_visible()
    await tab.keyboard.press("Escape")
    await expect(tab.get_by_text("1 picture to review")).to_be_visible()

    # Taken back, the last first; then the whole group at once.
    await Axe(tab).look("with all buttons")
    await tab.keyboard.press("u")
    await expect(tab.get_by_text("2 pictures to review")).to_be_visible()
    await tab.get_by_role("button", name="Undo").first.click()
    await expect(tab.get_by_text("3 pictures to review")).to_be_visible()
    group = tab.get_by_role("region", name="The same change on 3 posters")
    await group.locator("a[data-open]").first.focus()
    await tab.keyboard.press("a")
    await expect(tab.get_by_text("2 pictures to review")).to_be_visible()
    await tab.keyboard.press("u")
    await expect(tab.get_by_text("3 pictures to review")).to_be_visible()
    await group.get_by_role("button", name="Approve 3").click()
    await expect(tab.get_by_text("Nothing to review")).to_be_visible()
    await expect(group.get_by_role("button", name="Approve 3")).to_be_disabled()
    standings = await home.app.reviews.standings()
    targets = await group.locator("[data-card]").evaluate_all("cards => cards.map(card => [card.dataset.target, card.dataset.sha])")
    assert {target: standings[target].baseline.blob.sha256 for target, _ in targets} == dict(targets)  # type: ignore[union-attr]

    # The past of one of them: both pictures, each with its edit and what was said of it.
    target = targets[0][0]
    await home.until(lambda: (home.app.places.gallery / f"data/targets/{target}.js").read_text().count('"shot"') >= 2)
    await tab.goto(f"{home.app.url}timeline.html?target={target}")
    moment = tab.get_by_role("region", name="Picture", exact=True)
    await expect(moment).to_contain_text("Picture 2 of 2")
    await expect(moment).to_contain_text("config.yml")
    await tab.get_by_role("button", name="Older picture").click()
    await expect(moment).to_contain_text("Picture 1 of 2")
    assert wrong == []
    home.assert_plex_untouched()


async def test_a_runs_own_page_takes_decisions_too(home: House, tab: Page) -> None:
    first = await home.run("done")
    edit(home)
    await home.run("done", home.ended)
    await reviewed(home, 2)
    await tab.goto(f"{home.app.url}runs/{first.id}/")
    await expect(tab.get_by_text("This is an earlier run.")).to_be_visible()
    await tab.get_by_role("button", name="Approve all").click()
    await expect(tab.locator("#toast")).to_contain_text("There is a newer run")
    chips = tab.locator("[data-verdict-chip]:visible")
    await expect(chips).to_have_count(await tab.locator("[data-card]").count())
    await tab.locator("#toast").get_by_role("button", name="Undo").click()
    await expect(chips).to_have_count(0)


async def test_pictures_come_one_by_one(home: House, tab: Page) -> None:
    await opened(home, tab)
    sources = "() => Object.fromEntries([...document.querySelectorAll('[data-card]')].map(c => [c.dataset.target, c.dataset.now]))"
    before = await tab.evaluate(sources)
    edit(home)
    await home.until(lambda: any(kind == "picture" for kind, _ in home.heard))
    changed = [target for target in before if target in {str(data["target"]) for kind, data in home.heard if kind == "picture"}]
    for target in changed[:1]:
        await until(tab, "gallery.runOf(document.getElementById(`t-${arg[0]}`)) === arg[1]", [target, str(home.heard[-1][1]["run"])])
    await home.run("done", 1)
    await until(tab, "document.querySelectorAll('[data-progress]').length === 0")
    await until(tab, "document.documentElement.dataset.run === arg", str(home.heard[-1][1]["run"]))  # once every picture is there
    after = await tab.evaluate(sources)
    assert set(after) == set(before)
    assert sum(after[target] != before[target] for target in before) == 3


async def test_a_broken_save_says_where(home: House, tab: Page) -> None:
    await opened(home, tab)
    cards = await tab.locator("[data-card]").count()
    edit(home, "libraries:", "libraries: [")
    banner = tab.get_by_role("region", name="The config cannot be rendered")
    await expect(banner).to_be_visible(timeout=30_000)
    await expect(banner.locator(".place").first).to_contain_text("config.yml:")
    assert await tab.locator("[data-card]").count() == cards
    edit(home, "libraries: [", "libraries:")
    await expect(banner).to_have_count(0, timeout=30_000)


async def test_without_the_daemon_the_buttons_go_away(home: House, tab: Page, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    await asyncio.to_thread(shutil.copytree, home.app.places.gallery, copy)
    await tab.goto((copy / "index.html").as_uri())
    await expect(card(tab, await tab.locator("[data-card]").first.get_attribute("data-target") or "")).to_be_visible()
    for name in ("Make these the baseline", "Render now", "Undo"):
        await expect(tab.get_by_role("button", name=name)).to_be_hidden()
