"""axe-core in a page."""

from __future__ import annotations

import importlib.resources
import os
from pathlib import Path

from playwright.async_api import Page

RUN = "async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 300) + n.failureSummary)])"


class Axe:
    """axe-core in one tab."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        own = os.environ.get("AXE_JS", "")
        self.script = Path(own).read_text() if own else (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text()

    async def open(self, address: str) -> None:
        await self.tab.goto(address)
        await self.tab.evaluate(self.script)

    async def look(self, name: str) -> None:
        """Check the page as it is, wherever it was opened."""
        await self.tab.evaluate(self.script)
        await self.check(name)

    async def check(self, name: str) -> None:
        assert await self.tab.evaluate(RUN) == [], name
