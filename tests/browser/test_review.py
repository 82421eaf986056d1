"""What reviewing looks like: sections, equal changes as one, filters, the text diff beside the pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from sidecar.publish import GalleryView
from tests.browser.desk import Desk, card, until
from tests.browser.scenes import many_alike, reviewed, second
from tests.publish.reviews import review_of
from tests.publish.samples import movie, rendered, run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("viewer")]

SEEN = "() => [...document.querySelectorAll('[data-card]')].filter(card => card.checkVisibility()).map(card => card.dataset.target)"


async def seen(tab: Page) -> list[str]:
    """The targets whose cards are on the page, in its order."""
    found: list[str] = await tab.evaluate(SEEN)
    return found


@pytest.fixture
def address(desk: Desk) -> str:
    return (desk.root / "index.html").as_uri()


async def test_changed_first_and_unchanged_folded(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    await expect(tab.locator("h1")).to_have_text("4 changed of 5 pictures")
    headings = await tab.locator("[data-section] > summary h2").all_text_contents()
    assert headings == ["Changed", "Unchanged"]
    assert "104" not in await seen(tab)
    await tab.get_by_role("heading", name="Unchanged").click()
    assert "104" in await seen(tab)
    await expect(card(tab, "201")).to_contain_text("Changed")
    await expect(card(tab, "201").locator(".state--changed")).to_contain_text("%")


async def test_equal_changes_are_one_group(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(many_alike(desk))
    await tab.goto(address)
    group = tab.get_by_role("region", name="The same change on 14 posters")
    await expect(group).to_contain_text("adds 4K")
    await expect(group.locator(".mini")).to_have_count(12)
    assert await seen(tab) == ["115"]
    await group.get_by_text("Show all 14").click()
    assert len(await seen(tab)) == 15
    await group.get_by_text("Fold").click()
    assert await seen(tab) == ["115"]
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    await expect(tab.get_by_role("region", name="The same change on 3 posters")).to_be_visible()
    assert await seen(tab) == ["101", "102", "103", "201"]  # few: shown at once


async def test_a_group_of_one_is_none(desk: Desk, tab: Page, address: str) -> None:
    """Of the others of the group there are no pictures any more."""
    _, two, review = second(desk)
    two = replace(two, pictures=(two.pictures[0], two.pictures[4]))
    await desk.publish(GalleryView(shown=two, latest=two, reviews={two.id: review}))
    await tab.goto(address)
    await expect(tab.locator("[data-group]")).to_have_count(0)
    assert await seen(tab) == ["101", "201"]


async def test_when_nothing_changed_nothing_is_folded(desk: Desk, tab: Page, address: str) -> None:
    one, two = desk.good(), replace(desk.good(2), changed=())
    await desk.publish(GalleryView(shown=two, latest=two, reviews={two.id: review_of(desk.store, two, one)}))
    await tab.goto(address)
    await expect(tab.locator("h1")).to_have_text("Nothing changed in 5 pictures")
    assert len(await seen(tab)) == 5


async def test_the_first_run_is_all_new(desk: Desk, tab: Page, address: str) -> None:
    one = desk.good()
    await desk.publish(GalleryView(shown=one, latest=one, reviews={one.id: review_of(desk.store, one)}))
    await tab.goto(address)
    await expect(tab.locator("h1")).to_have_text("5 new pictures")
    await expect(tab.get_by_text("No baseline yet.")).to_be_visible()
    # Whoever looks at a file cannot approve: there is nobody to tell.
    await expect(tab.get_by_role("button", name="Make these the baseline")).to_be_hidden()


async def test_filters_by_library_level_status_and_words(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    library, level = tab.get_by_label("Library", exact=True), tab.get_by_label("Level", exact=True)
    await library.select_option("TV Shows")
    assert await seen(tab) == ["201"]
    await expect(tab.get_by_role("heading", name="Unchanged")).to_be_hidden()
    await library.select_option("")
    await level.select_option("movie")
    assert await seen(tab) == ["101", "102", "103", "104"]  # folds open for whoever looks for something
    await level.select_option("")
    assert await seen(tab) == ["101", "102", "103", "201"]  # and close again
    await tab.get_by_role("radio", name="Unchanged").check()
    assert await seen(tab) == ["104"]
    await tab.get_by_role("radio", name="All").check()
    await tab.keyboard.press("/")
    await tab.keyboard.type("movie 2")
    assert await seen(tab) == ["103"]
    await tab.get_by_role("searchbox").fill("1992")
    assert await seen(tab) == ["103"]
    await expect(tab.get_by_role("radio", name="Changed 1", exact=True)).to_be_visible()
    await tab.get_by_role("searchbox").fill("mövie 2 zzz")
    assert await seen(tab) == []
    await expect(tab.get_by_text("No picture fits this filter.")).to_be_visible()


async def test_the_text_diff_stands_beside_the_pictures(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    diff = tab.get_by_role("region", name="Diff of overlays/badges.yml")
    await expect(diff.locator(".diff__add")).to_have_count(2)
    await expect(diff.locator(".diff__del")).to_contain_text("#00000099")
    pictures = await tab.locator("#pictures").bounding_box()
    edit = await tab.locator("#edit").bounding_box()
    assert pictures
    assert edit
    assert edit["x"] >= pictures["x"] + pictures["width"]
    assert abs(edit["y"] - pictures["y"]) < 60
    await card(tab, "201").locator("a[data-open]").click()
    await expect(tab.get_by_role("dialog").get_by_text("back_radius: 24")).to_be_visible()


async def test_differences_are_marked_on_the_cards(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    await expect(card(tab, "201").locator(".mark")).to_have_count(0)
    await tab.keyboard.press("m")
    frame, mark = await card(tab, "201").locator(".frame").bounding_box(), await card(tab, "201").locator(".mark").bounding_box()
    assert frame
    assert mark
    # the badge: 20..90 of 320 wide, 130..160 of 180 high
    assert abs((mark["x"] - frame["x"]) / frame["width"] - 20 / 320) < 0.02
    assert abs((mark["y"] - frame["y"]) / frame["height"] - 130 / 180) < 0.02
    assert abs(mark["width"] / frame["width"] - 70 / 320) < 0.02


async def test_before_is_the_bare_art_or_the_reference(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    before = card(tab, "201").locator(".shot--before")
    art = await before.get_attribute("src")
    await tab.get_by_label("What “before” means").select_option("ref")
    assert await before.get_attribute("src") == await card(tab, "201").get_attribute("data-ref-thumb")
    assert await card(tab, "201").get_by_role("slider").get_attribute("aria-valuenow") == "50"
    await tab.get_by_label("What “before” means").select_option("art")
    assert await before.get_attribute("src") == art


async def test_on_a_phone_the_pictures_come_first(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.set_viewport_size({"width": 390, "height": 844})
    await tab.goto(address)
    await expect(tab.get_by_role("searchbox")).to_be_hidden()
    await expect(tab.get_by_role("region", name="Diff of overlays/badges.yml")).to_be_hidden()  # folded
    top = await card(tab, "101").bounding_box()
    assert top
    assert top["y"] < 844
    more = tab.get_by_role("button", name="Search and view")
    await more.click()
    await expect(more).to_have_attribute("aria-expanded", "true")
    await tab.get_by_role("searchbox").fill("movie 2")
    assert await seen(tab) == ["103"]
    await tab.get_by_role("radio", name="Split").check()
    await expect(card(tab, "103").get_by_role("slider")).to_have_attribute("aria-valuenow", "50")


async def test_going_through_cards_by_keyboard(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    here = "document.activeElement.closest('[data-card]')?.dataset.target"
    for key, expected in (("j", "101"), ("j", "102"), ("k", "101"), ("k", "101")):
        await tab.keyboard.press(key)
        assert await tab.evaluate(here) == expected
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("dialog", name="Movie 0 1990")).to_be_visible()
    await tab.keyboard.press("j")
    await expect(tab.get_by_role("dialog", name="Movie 1 1991")).to_be_visible()
    await tab.keyboard.press("Escape")
    await until(tab, f"{here} === '102'")


async def test_keys_are_shown_and_letters_can_be_switched_off(desk: Desk, tab: Page, address: str) -> None:
    await desk.publish(reviewed(desk))
    await tab.goto(address)
    await tab.keyboard.press("?")
    keys = tab.get_by_role("dialog", name="Keys")
    await expect(keys).to_contain_text("Mark differences")
    await keys.get_by_role("checkbox").uncheck()
    await tab.keyboard.press("Escape")
    await expect(keys).to_be_hidden()
    await tab.keyboard.press("m")
    await expect(tab.get_by_role("checkbox", name="Mark differences")).not_to_be_checked()
    await tab.get_by_role("button", name="Keyboard keys").click()
    await keys.get_by_role("checkbox").check()
    await keys.get_by_role("button", name="Close").click()
    await tab.keyboard.press("m")
    await expect(tab.get_by_role("checkbox", name="Mark differences")).to_be_checked()


async def test_while_a_run_renders_no_card_moves(desk: Desk, tab: Page, address: str) -> None:
    view = reviewed(desk)
    await desk.publish(replace(view, current=desk.waiting(3)))
    await tab.goto(address)
    assert await seen(tab) == ["101", "102", "103", "104", "201"]
    await expect(tab.locator("[data-group]")).to_have_count(0)


async def test_five_hundred_targets_are_quick_to_lay_out(desk: Desk, tab: Page, address: str) -> None:
    """No timing: what makes it quick. Far cards are not laid out, their pictures not fetched."""
    gray, navy, last_one = (desk.store.flat(colour, (200, 300)) for colour in ("gray", "navy", "teal"))
    many = run(1, tuple(rendered(movie(1000 + n, f"Movie {n}"), gray, last_one if n == 499 else navy) for n in range(500)))
    await desk.publish(GalleryView(shown=many, latest=many))
    await tab.goto(address)
    last = card(tab, "1499")
    await expect(last).to_have_count(1)
    assert await last.locator(".shot").first.evaluate("image => image.checkVisibility({contentVisibilityAuto: true})") is False
    assert await last.locator(".shot--after").evaluate("image => image.complete && image.naturalWidth > 0") is False
    await last.scroll_into_view_if_needed()
    await until(tab, "document.querySelector('#t-1499 .shot--after').naturalWidth > 0")
    await tab.get_by_role("searchbox").fill("movie 499")
    assert await seen(tab) == ["1499"]
