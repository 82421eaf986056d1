"""How soon Chromium shows a page of the gallery, how much it takes for that, and how soon a card's details are there."""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update")

PAINT: Final = """() => new Promise((done) => {
    const read = () => {
        const [navigation] = performance.getEntriesByType('navigation');
        const paint = performance.getEntriesByName('first-contentful-paint')[0];
        if (!paint || !navigation.loadEventEnd) { setTimeout(read, 20); return; }
        const loaded = performance.getEntriesByType('resource');
        done({
            paint: paint.startTime,
            ready: navigation.domContentLoadedEventEnd,
            load: navigation.loadEventEnd,
            html: navigation.decodedBodySize,
            bytes: navigation.decodedBodySize + loaded.reduce((sum, entry) => sum + entry.decodedBodySize, 0),
            elements: document.querySelectorAll('*').length,
        });
    };
    read();
})"""

OPEN: Final = """() => new Promise((done) => {
    const link = document.querySelector('a[data-open]');
    const start = performance.now();
    link.click();
    const look = () => (document.querySelector('[data-side] .overlays') ? done(performance.now() - start) : requestAnimationFrame(look));
    look();
})"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that is left ends its connections."""


@contextmanager
def _served(root: Path) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _once(browser: Browser, url: str) -> dict[str, float]:
    """One cold visit: a context of its own has an empty cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.goto(url, wait_until="load")
        found: dict[str, float] = page.evaluate(PAINT)
        found["open"] = page.evaluate(OPEN)
        return found
    finally:
        context.close()


def visits(pages: dict[str, tuple[Path, str]], rounds: int) -> dict[str, dict[str, float]]:
    """Medians by page (name -> gallery, path in it), visited in turns: milliseconds and bytes. Empty where there is no Chromium."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        return {}
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        for turn in range(rounds + 1):
            for name, (root, path) in pages.items():
                with _served(root) as url:
                    found = _once(browser, f"{url}/{path}")
                if turn:  # the first visit warms the browser up
                    seen[name].append(found)
        browser.close()
    return {name: {key: statistics.median(one[key] for one in some) for key in some[0]} for name, some in seen.items()}
