"""The main ways through the gallery in another browser: what is written for Chromium alone would be found here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.browser.desk import Desk
from tests.browser.firefox import ENTER, ESCAPE, RIGHT, firefox
from tests.browser.scenes import with_history
from tests.web.site import Site, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("firefox")]


@pytest.fixture(scope="session")
def program() -> Path:
    found = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if not found or not Path(found).exists():
        pytest.skip("no Firefox")
    return Path(found)


async def test_a_review_in_firefox(desk: Desk, program: Path, tmp_path: Path) -> None:
    """Live, slider by mouse and keys, the viewer's modes, details, both kinds of difference, timeline; the scripts raise nothing."""
    one, two = await with_history(desk)
    (tmp_path / "profile").mkdir()
    async with running(Site(desk.root)) as site, firefox(program, tmp_path / "profile") as tab:
        await tab.open(f"{site.url}/")
        await tab.until("document.getElementById('pulse').dataset.pulse", "live")
        await tab.value("window.addEventListener('error', (event) => { window.raised = event.message; })")
        slider = "document.querySelector('[data-card] [role=slider]')"
        await tab.until(f"{slider} !== null")
        await tab.drag("[data-card] .frame", 0.2, 0.5)
        assert abs(int(await tab.value(f"{slider}.getAttribute('aria-valuenow')")) - 50) <= 1
        before = int(await tab.value(f"{slider}.getAttribute('aria-valuenow')"))
        await tab.keys(RIGHT, RIGHT)
        await tab.until(f"{slider}.getAttribute('aria-valuenow')", str(before + 4))
        await tab.value("document.activeElement.blur()")
        await tab.keys("j", ENTER)
        await tab.until("document.getElementById('viewer').open")
        await tab.until("document.querySelector('[data-side] .sheet') !== null")
        for key, mode in zip("12345", ("pair", "slider", "blink", "diff", "sizes"), strict=True):
            await tab.keys(key)
            await tab.until("document.querySelector('[data-stage]').dataset.mode", mode)
        await tab.keys("4")
        await tab.until("document.querySelector('[data-viewer=boxes]').innerText.trim()", "Difference 1 of 1")
        await tab.keys("z")
        await tab.until("document.querySelector('[data-viewer=percent]').textContent", "100 %")
        await tab.keys(ESCAPE)
        await tab.until("document.getElementById('viewer').open", False)
        assert await tab.value("window.raised") is None

        await tab.open(f"{site.url}/runs/{one.id}/")
        await tab.until("document.getElementById('notice').hidden", False)
        await tab.open(f"{site.url}/compare.html?a={one.id}&b={two.id}")
        await tab.until("document.querySelector('a[data-open]') !== null")
        await tab.value("document.querySelector('a[data-open]').click()")
        await tab.keys("4")
        await tab.until("document.querySelector('.layer--mask canvas') !== null")
        await tab.open(f"{site.url}/timeline.html?target=101")
        await tab.until("document.querySelector('[data-moment] h2')?.textContent", "Picture 2 of 2")
