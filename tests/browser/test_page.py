from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from pydantic import SecretStr

from sidecar.model import EditBrief, Health
from sidecar.publish import GalleryView, RunBrief
from sidecar.publish.text import visible
from sidecar.review import Edit, FileEdit, Moment, Timeline
from tests.browser.axe import Axe
from tests.browser.desk import Desk, card, position, slider, unfold, until
from tests.browser.scenes import everything, reviewed, with_history
from tests.publish.reviews import review_of, standing
from tests.publish.samples import START
from tests.publish.test_gallery import HOSTILE, hostile_run
from tests.web.site import Site, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


@asynccontextmanager
async def plain_server(directory: Path) -> AsyncIterator[str]:
    """``python3 -m http.server``, as anybody would serve a copy."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", cwd=directory,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout
        async with asyncio.timeout(40):
            line = (await process.stdout.readline()).decode()
        yield f"http://127.0.0.1:{line.split(' port ')[1].split()[0]}"
    finally:
        process.terminate()
        await process.communicate()


def listen(tab: Page) -> list[str]:
    """Everything that went wrong in the page, as it comes."""
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
    tab.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    return wrong


def viewer_button(tab: Page, name: str) -> Locator:
    return tab.get_by_role("dialog").get_by_role("button", name=name, exact=True)


async def look_around(tab: Page) -> None:
    """All that needs no daemon: slider, switch, filter, viewer, theme, permalink."""
    await slider(tab, "101").press("End")
    assert await position(tab, "101") == 100
    await tab.get_by_role("radio", name="Split").check()
    assert await position(tab, "102") == 50
    await card(tab, "101").get_by_role("link").click()
    viewer = tab.get_by_role("dialog")
    await expect(viewer).to_be_visible()
    await until(tab, "[...document.querySelectorAll('#viewer img')].every(i => i.complete && i.naturalWidth === 200)")
    await tab.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    theme = await tab.locator("html").get_attribute("data-theme")
    await tab.get_by_role("button", name="Switch between light and dark").click()
    assert await tab.locator("html").get_attribute("data-theme") != theme
    await expect(tab.get_by_role("button", name="Render now")).to_be_hidden()
    await tab.get_by_role("link", name="Permalink").click()
    await expect(tab.locator("html")).to_have_attribute("data-kind", "run")
    await until(tab, "document.querySelector('#t-101 img')?.naturalWidth > 0")


async def test_opened_from_the_disk(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    wrong = listen(tab)
    await tab.goto((desk.root / "index.html").as_uri())
    await look_around(tab)
    assert wrong == []


async def test_copied_to_a_plain_file_server(desk: Desk, tab: Page, tmp_path: Path) -> None:
    await desk.show(desk.good())
    shutil.copytree(desk.root, tmp_path / "copy/below")
    shutil.rmtree(desk.root)
    wrong = listen(tab)
    async with plain_server(tmp_path / "copy") as url:
        await tab.goto(f"{url}/below/")
        await look_around(tab)
        told = list(wrong)  # when the server is gone, a request may be broken off
    assert [line for line in told if "404" not in line] == []  # it asks once whether there is a daemon


async def test_hostile_text_does_nothing(desk: Desk, tab: Page) -> None:
    await desk.publish(GalleryView(shown=hostile_run(desk.store), config_dir=HOSTILE[0], health=(Health(part=HOSTILE[2], ok=False),)))
    wrong = listen(tab)
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        await tab.locator("#pulse[data-pulse=live]").wait_for()
        await expect(card(tab, "1")).to_contain_text("<script>alert(1)</script>")
        await card(tab, "1").get_by_role("link").click()
        await expect(tab.get_by_role("dialog")).to_contain_text("{{ 7*7 }}")
        assert await tab.evaluate("document.querySelectorAll('img[onerror], svg[onload], script:not([src])').length") == 0
        await tab.keyboard.press("Escape")
        await tab.set_viewport_size({"width": 360, "height": 700})
        assert await tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert wrong == []


async def test_hostile_data_does_nothing(desk: Desk, tab: Page) -> None:
    """The pages that scripts make of data files: the timeline, two runs against each other, the review, the viewer."""
    a, b, c = HOSTILE
    one = hostile_run(desk.store)
    navy = desk.store.flat("navy")
    two = replace(one, id=one.id.replace("0111", "0112"), pictures=tuple(replace(p, after=p.after and navy) for p in one.pictures))
    edit = Edit(
        before=a, after=b, files=(FileEdit(path=a, kind=c, added=1, removed=1, diff=f"--- {a}\n+++ {a}\n@@ -1 +1 @@\n-{a}\n+{b}{c}"),)
    )
    review = review_of(desk.store, two, one, groups={a + b + c: ("1", "2", "3")}, edit=edit)
    brief = EditBrief(files=HOSTILE, added=1, removed=1)
    history = tuple(replace(RunBrief.of(each), reason=b, edit=brief) for each in (two, one))
    await desk.publish(GalleryView(shown=one, latest=one, reviews={one.id: review_of(desk.store, one)}, config_dir=a))
    await desk.publish(GalleryView(shown=two, latest=two, history=history, reviews={two.id: review}, config_dir=a))
    said = standing("1", navy, two, who=b).baseline
    assert said
    moments = tuple(
        Moment(blob=blob, state="rendered", run_id=each.id, started=START, revision=c, runs=1, last_run=each.id, edit=brief)
        for each, blob in ((two, navy), (one, desk.store.flat("red")))
    )
    await asyncio.to_thread(desk.gallery.publish_timelines, [Timeline(target=one.pictures[0].target, moments=moments, decisions=(said,))])
    wrong = listen(tab)
    root = desk.root.as_uri()

    async def inert(*words: str) -> None:
        text = await tab.evaluate("() => document.body.innerText + document.title")
        for word in words:
            assert word in text
        assert not set(text) & {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\0", "\x1b"}
        alts = await tab.evaluate("() => [...document.images].map(image => image.alt).join()")
        assert "\u202e" not in alts
        assert await tab.evaluate("document.querySelectorAll('img[onerror], svg[onload], script:not([src]), [style*=alert]').length") == 0
        await tab.set_viewport_size({"width": 360, "height": 700})
        assert await tab.evaluate("document.documentElement.scrollWidth") <= 360
        await tab.set_viewport_size({"width": 1440, "height": 900})

    await tab.goto(f"{root}/index.html")
    await inert("The same change on 3 posters", "<svg onload=alert(1)>", "[U+202E]evil")
    await unfold(tab)
    await card(tab, "1").locator("a[data-open]").click()
    for key in "12345":
        await tab.keyboard.press(key)
    await inert("<script>alert(1)</script>")
    await tab.goto(f"{root}/timeline.html?target=1")
    await tab.get_by_text("Picture 2 of 2").first.wait_for()
    await inert("<script>alert(1)</script>", "[U+202E]evil", "Approved")
    await tab.goto(f"{root}/compare.html")
    await tab.get_by_role("heading", name="Different").wait_for()
    await inert("<script>alert(1)</script>", "[U+202E]evil")
    await tab.locator("a[data-open]").first.click()
    await inert("<script>alert(1)</script>")
    assert wrong == []


async def test_scripts_show_what_is_not_seen_as_python_does(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    await tab.goto((desk.root / "index.html").as_uri())
    codes = [*range(0x3000), *range(0xFE00, 0x10000), *range(0xDFF00 + 0x100, 0xE0100)]
    text = "".join(f"{chr(code)}x" for code in codes if not 0xD800 <= code < 0xE000)
    assert await tab.evaluate("text => gallery.visible(text)", text) == visible(text, len(text))
    assert await tab.evaluate("() => gallery.visible('a\\ud800b')") == visible("a\ud800b")


async def test_the_content_security_policy_holds(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    wrong = listen(tab)
    for place in ("http", "file"):
        async with running(Site(desk.root)) as site:
            await tab.goto(site.url if place == "http" else (desk.root / "index.html").as_uri())
            await tab.evaluate("const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s)")
            assert await tab.evaluate("window.owned") is None
            assert any("Content Security Policy" in line or "Content-Security-Policy" in line for line in wrong), place
            wrong.clear()


@pytest.mark.parametrize("width", [360, 390, 820, 1440])
async def test_no_width_scrolls_sideways(desk: Desk, tab: Page, width: int) -> None:
    await desk.publish(everything(desk))
    await tab.set_viewport_size({"width": width, "height": 800})
    await tab.goto((desk.root / "index.html").as_uri())
    await unfold(tab)
    assert await tab.evaluate("document.documentElement.scrollWidth") <= width
    await tab.locator("a[data-open]").first.click()
    for label in ("Side by side", "Slider"):
        await tab.get_by_role("radio", name=label).check()
        for part in (".viewer__bar", ".viewer__tools", ".viewer__side"):
            assert await tab.evaluate("part => document.querySelector(part).scrollWidth", part) <= width
        frame = await tab.locator("#viewer .pane").last.bounding_box()
        assert frame
        assert frame["x"] + frame["width"] <= width


@pytest.mark.parametrize("width", [360, 820, 1440])
async def test_no_width_scrolls_the_past_sideways(desk: Desk, tab: Page, width: int) -> None:
    await with_history(desk)
    await tab.set_viewport_size({"width": width, "height": 800})
    for name, words in (
        ("timeline.html?target=101", "Picture 2 of 2"),
        ("compare.html", "pictures differ"),
        ("index.html", "The same change"),
    ):
        await tab.goto(f"{desk.root.as_uri()}/{name}")
        await tab.get_by_text(words).first.wait_for()
        assert await tab.evaluate("document.documentElement.scrollWidth") <= width, name


PART = """() => {
  const part = document.activeElement.closest(".skip, .bar, #run, #controls, #edit, #pictures, #history, .foot");
  const box = document.activeElement.getBoundingClientRect();
  return part ? [part.id || part.className, box.width > 0 && box.height > 0] : [null, false];
}"""
"""The part of the page that has the focus, and whether what has it can be seen."""


async def test_the_focus_goes_through_the_page_in_order(desk: Desk, tab: Page) -> None:
    """From the skip link through the bar, what to decide on and the filters to the first card; and into the dialog and back."""
    await desk.publish(reviewed(desk))
    await tab.goto(f"{desk.root.as_uri()}/index.html")
    parts = []
    while True:
        await tab.keyboard.press("Tab")
        part, seen = await tab.evaluate(PART)
        if part is None:
            break
        assert seen, parts
        if not parts or parts[-1] != part:
            parts.append(part)
    assert parts == ["skip", "bar", "run", "controls", "edit", "pictures", "history", "foot"]
    await tab.locator("#t-101 a[data-open]").focus()
    await tab.keyboard.press("Enter")
    for _ in range(30):
        await tab.keyboard.press("Tab")
        assert await tab.evaluate("document.activeElement === document.body || document.activeElement.closest('#viewer') !== null")
    await tab.keyboard.press("Escape")
    await until(tab, "document.activeElement.closest('article')?.id === 't-101'")
    # The skip link leads past all that comes before the pictures.
    await tab.goto(f"{desk.root.as_uri()}/index.html")
    await tab.keyboard.press("Tab")
    await tab.keyboard.press("Enter")
    await tab.keyboard.press("Tab")
    assert await tab.evaluate("document.activeElement.closest('#pictures') !== null")


async def test_the_theme_follows_the_system_until_chosen(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        dark = await tab.evaluate(ground)
        await tab.emulate_media(color_scheme="light")
        await until(tab, f"{ground} !== arg", dark)
        await tab.get_by_role("button", name="Switch between light and dark").click()
        assert await tab.evaluate(ground) == dark
        await tab.reload()
        assert await tab.evaluate(ground) == dark
        await tab.get_by_role("button", name="Switch between light and dark").click()
        await tab.emulate_media(color_scheme="dark")
        await tab.reload()
        assert await tab.evaluate(ground) != dark


async def test_the_viewer_by_keyboard(desk: Desk, tab: Page) -> None:
    await desk.show(desk.good())
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        await card(tab, "101").get_by_role("link").focus()
        await tab.keyboard.press("Enter")
        viewer = tab.get_by_role("dialog", name="Movie 0 1990")
        await expect(viewer).to_be_visible()
        await expect(viewer.get_by_role("img")).to_have_count(2)
        sources = await viewer.get_by_role("img").evaluate_all("list => list.map(image => image.getAttribute('src'))")
        assert [source.startswith("img/") for source in sources] == [True, True]
        await tab.keyboard.press("ArrowRight")
        await expect(tab.get_by_role("dialog", name="Movie 1 1991")).to_be_visible()
        await tab.get_by_role("radio", name="Slider").check()
        divider = tab.get_by_role("dialog").get_by_role("slider")
        await expect(divider).to_have_attribute("aria-valuenow", "50")
        await divider.press("ArrowRight")
        await expect(divider).to_have_attribute("aria-valuenow", "52")
        await expect(tab.get_by_role("dialog", name="Movie 1 1991")).to_be_visible()
        await viewer_button(tab, "Real pixels").click()
        size = await tab.locator("#viewer .shot--after").evaluate("image => [image.clientWidth, image.clientHeight]")
        assert size == [200, 300]
        await tab.keyboard.press("Escape")
        await until(tab, "document.activeElement.closest('article')?.id === 't-102'")  # the card that was seen last


async def test_filters(desk: Desk, tab: Page) -> None:
    good = desk.good()
    await desk.show(replace(good, changed=("102",)))
    async with running(Site(desk.root)) as site:
        await tab.goto(site.url)
        await tab.get_by_role("radio", name="Changed 1").check()
        visible = "[...document.querySelectorAll('[data-card]')].filter(card => card.offsetParent).map(card => card.dataset.target)"
        assert await tab.evaluate(visible) == ["102"]
        await expect(tab.get_by_role("heading", name="TV Shows")).to_be_hidden()
        await tab.get_by_role("radio", name="All").check()
        await tab.get_by_role("searchbox").fill("no such title")
        assert await tab.evaluate(visible) == []
        await expect(tab.get_by_text("No picture fits this filter.")).to_be_visible()


async def test_reduced_motion(desk: Desk, tab: Page) -> None:
    await desk.publish(GalleryView(current=desk.waiting()))
    await tab.emulate_media(reduced_motion="reduce")
    await tab.goto((desk.root / "index.html").as_uri())
    moving = "[...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).animationDuration) > 0.01).length"
    assert await tab.evaluate(moving) == 0
    await tab.emulate_media(reduced_motion="no-preference")
    await tab.evaluate("for (const frame of document.querySelectorAll('.frame')) frame.closest('article').classList.add('is-waiting')")
    assert await tab.evaluate(moving) > 0


async def test_without_scripts_the_pictures_are_there(desk: Desk, browser: Browser) -> None:
    await desk.show(desk.good())
    plain = await browser.new_context(java_script_enabled=False)
    try:
        tab = await plain.new_page()
        await tab.goto((desk.root / "index.html").as_uri())
        await expect(card(tab, "101").get_by_role("img").first).to_be_visible()
        await expect(tab.get_by_role("slider")).to_have_count(0)
        await card(tab, "101").get_by_role("link").click()
        assert tab.url.endswith(".webp")
    finally:
        await plain.close()


async def test_login(desk: Desk, tab: Page) -> None:
    good = desk.good()
    await desk.show(good)
    wrong = listen(tab)
    async with running(Site(desk.root), host="0.0.0.0", token=SecretStr("open sesame please")) as site:
        await tab.goto(f"{site.url}/runs/{good.id}/")
        await tab.get_by_label("Token").fill("wrong")
        await tab.get_by_role("button", name="Log in").click()
        await expect(tab.get_by_role("alert")).to_have_text("That is not the token.")
        await tab.get_by_label("Token").fill("open sesame please")
        await tab.keyboard.press("Enter")
        await tab.wait_for_url(f"{site.url}/runs/{good.id}/")
        await tab.goto(site.url)
        await tab.locator("#pulse[data-pulse=live]").wait_for()
        await tab.get_by_role("button", name="Render now").click()
        async with asyncio.timeout(40):
            while site.asked.renders == 0:
                await asyncio.sleep(0.02)
        # Who comes from another site has no cookie at first, and is let in all the same.
        await tab.goto("about:blank")
        await tab.set_content(f'<a href="{site.url}/runs/{good.id}/">go</a>')
        await tab.get_by_text("go").click()
        await tab.wait_for_url(f"{site.url}/runs/{good.id}/")
    assert not [line for line in wrong if "401" not in line and "403" not in line]


async def settled(desk: Desk, view: GalleryView) -> None:
    """Published, small pictures too."""
    await desk.publish(view)
    while desk.gallery.owes_thumbs:
        await asyncio.to_thread(desk.gallery.make_thumbs)
    await desk.publish(view)


async def test_without_scripts_folds_hold_links(desk: Desk, browser: Browser) -> None:
    """What changed is shown; in the fold stand titles that lead to the pictures, and no empty frames."""
    await settled(desk, reviewed(desk))
    context = await browser.new_context(java_script_enabled=False)
    tab = await context.new_page()
    await tab.goto((desk.root / "index.html").as_uri())
    await expect(card(tab, "101").locator("img")).to_be_visible()
    await tab.locator("#section-unchanged > summary").click()
    await expect(card(tab, "104").locator("a")).to_have_attribute("href", re.compile(r"^img/[0-9a-f]{64}\.webp$"))
    await expect(card(tab, "104").locator(".frame")).to_be_hidden()
    await context.close()


async def test_a_card_in_a_fold_is_furnished_when_it_is_opened(desk: Desk, tab: Page) -> None:
    await settled(desk, reviewed(desk))
    await tab.goto((desk.root / "index.html").as_uri())
    assert await card(tab, "104").locator("img").count() == 0
    await tab.locator("#section-unchanged > summary").click()
    await expect(card(tab, "104").locator(".shot--after")).to_be_visible()
    await expect(card(tab, "104").get_by_role("slider")).to_be_visible()
    await until(tab, "document.querySelector('#t-104 .shot--after').naturalWidth > 0")
    await Axe(tab).look("a fold that was opened")
