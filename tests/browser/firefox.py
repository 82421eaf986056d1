"""Firefox, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): it speaks that by itself, playwright needs its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, ClientWebSocketResponse

PATIENCE: Final = 60.0
"""Seconds for Firefox to start, and for what is waited for in a page."""

ENTER: Final = "\ue007"
ESCAPE: Final = "\ue00c"
RIGHT: Final = "\ue014"


@dataclass
class Firefox:
    """One tab."""

    socket: ClientWebSocketResponse
    tab: str = ""
    asked: int = 0

    async def call(self, method: str, **params: Any) -> Any:
        """A command's result. AssertionError where Firefox refuses it."""
        self.asked += 1
        await self.socket.send_json({"id": self.asked, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE):
            while True:
                told = json.loads((await self.socket.receive()).data)
                if told.get("id") == self.asked:
                    assert told["type"] == "success", told
                    return told["result"]

    async def open(self, url: str) -> None:
        await self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression (or a promise) comes to, as JSON."""
        wrapped = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        found = await self.call("script.evaluate", expression=wrapped, target={"context": self.tab}, awaitPromise=True)
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    async def until(self, expression: str, wanted: object = True) -> None:
        """Wait until the expression comes to ``wanted``."""
        found = None
        try:
            async with asyncio.timeout(PATIENCE):
                while (found := await self.value(expression)) != wanted:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{expression} is {found!r}, not {wanted!r}") from None

    async def keys(self, *keys: str) -> None:
        """Press these, one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self.call("input.performActions", context=self.tab, actions=[{"type": "key", "id": "keys", "actions": actions}])

    async def drag(self, selector: str, start: float, end: float) -> None:
        """The mouse, from one share of an element's width to another."""
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y, width = await self.value(f"(({{ x, y, width }}) => [x, y + 20, width])({box})")
        steps = [{"type": "pointerMove", "x": int(x + width * share), "y": int(y)} for share in (start, end)]
        actions = [steps[0], {"type": "pointerDown", "button": 0}, steps[1], {"type": "pointerUp", "button": 0}]
        await self.call("input.performActions", context=self.tab, actions=[{"type": "pointer", "id": "mouse", "actions": actions}])


@asynccontextmanager
async def firefox(program: Path, profile: Path) -> AsyncIterator[Firefox]:
    """A Firefox of its own, without windows; gone at the block's end."""
    process = await asyncio.create_subprocess_exec(
        *(str(program), "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    try:
        async with asyncio.timeout(PATIENCE):
            found = None
            while found is None:
                line = (await process.stderr.readline()).decode("utf-8", "replace")
                assert line, "Firefox ended"
                found = re.search(r"listening on (ws://\S+)", line)
        drain = asyncio.ensure_future(process.stderr.read())
        async with ClientSession() as session, session.ws_connect(f"{found[1]}/session", max_msg_size=0) as socket:
            driven = Firefox(socket)
            await driven.call("session.new", capabilities={})
            driven.tab = (await driven.call("browsingContext.getTree"))["contexts"][0]["context"]
            yield driven
            await driven.call("session.end")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    await drain
