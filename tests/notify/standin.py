"""Discord's webhook endpoints as they are documented: limits, rate headers, error codes. Nothing of the daemon is used here.

https://discord.com/developers/docs/resources/webhook, .../resources/message#embed-object, .../topics/rate-limits
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

WEBHOOK = "123456789012345678"
TOKEN = "tokenTOKENtoken-_.1234567890"
THREAD = "998877665544332211"


@dataclass
class Kept:
    """One message in the channel."""

    id: str
    payload: dict[str, Any]
    files: dict[str, bytes]
    deliveries: list[str]
    thread: str | None = None


@dataclass
class DiscordStandIn:
    """``clock`` gives seconds. ``burst`` requests per ``window`` seconds are told in headers; ``hidden`` ones are not."""

    clock: Callable[[], float]
    burst: int = 5
    window: float = 2.0
    hidden: tuple[int, float] = (30, 60.0)
    max_upload: int = 10 * 1024 * 1024
    down: str = ""
    """drop (the connection), 503, or empty."""
    gone: int = 0
    """401 or 404: the webhook was deleted."""
    global_pause: float = 0.0
    """The next request is answered with a global 429 of so many seconds."""
    messages: dict[str, Kept] = field(default_factory=dict)
    asked: list[tuple[float, str, int]] = field(default_factory=list)
    """(time, method, status) of each request."""
    violations: list[str] = field(default_factory=list)
    url: str = ""
    _recent: deque[float] = field(default_factory=deque)
    _minute: deque[float] = field(default_factory=deque)
    _next: int = 900000000000000000
    _paused_until: float = -1e18

    async def start(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/api/webhooks/{id}/{token}", self._post)
        app.router.add_patch("/api/webhooks/{id}/{token}/messages/{message}", self._patch)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/webhooks/{WEBHOOK}/{TOKEN}"
        return runner

    @property
    def delivered(self) -> list[str]:
        """The delivery ids, in order of arrival."""
        return [delivery for kept in self.messages.values() for delivery in kept.deliveries]

    def count(self, status: int) -> int:
        return sum(answered == status for _, _, answered in self.asked)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        return await self._any(request, None)

    async def _patch(self, request: web.Request) -> web.StreamResponse:
        return await self._any(request, request.match_info["message"])

    async def _any(self, request: web.Request, message: str | None) -> web.StreamResponse:
        body = await request.read()
        if self.down == "drop":
            self.asked.append((self.clock(), request.method, 0))
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        answer = self._answer(request, message, body)
        self.asked.append((self.clock(), request.method, answer.status))
        return answer

    def _answer(self, request: web.Request, message: str | None, body: bytes) -> web.Response:
        if self.down:
            return web.Response(status=int(self.down), text="upstream connect error")
        limited = self._limit()
        if limited is not None:
            return limited
        if self.gone or request.match_info["id"] != WEBHOOK:
            return self._error(self.gone or 404, 10015 if self.gone != 401 else 50027, "Unknown Webhook")
        if request.match_info["token"] != TOKEN:
            return self._error(401, 50027, "Invalid Webhook Token")
        thread = request.query.get("thread_id")
        if thread is not None and thread != THREAD:
            return self._error(404, 10003, "Unknown Channel")
        if len(body) > self.max_upload:
            return self._error(413, 40005, "Request entity too large")
        payload, files = _parsed(request, body)
        faults = _faults(payload, files, edit=message is not None)
        if faults:
            self.violations += faults
            return self._error(400, 50035, "Invalid Form Body", errors={fault: {} for fault in faults})
        delivery = request.headers.get("X-Delivery-Id", "")
        if message is not None:
            if message not in self.messages or self.messages[message].thread != thread:
                return self._error(404, 10008, "Unknown Message")
            kept = self.messages[message]
            kept.payload = {**kept.payload, **payload}
            names = {attached["filename"] for attached in payload.get("attachments", [])}
            kept.files = {**{name: data for name, data in kept.files.items() if name in names}, **files}
            kept.deliveries.append(delivery)
        else:
            if request.query.get("wait") != "true":
                self.violations.append("the message's id was not asked for")
            self._next += 1
            kept = Kept(str(self._next), payload, files, [delivery], thread)
            self.messages[kept.id] = kept
        return web.json_response({"id": kept.id, "type": 0}, headers=self._headers())

    def _limit(self) -> web.Response | None:
        now = self.clock()
        if self.global_pause:
            self._paused_until, self.global_pause = now + self.global_pause, 0.0
        if now < self._paused_until:
            return self._too_many(self._paused_until - now, "global")
        for times, (most, window), scope in (
            (self._recent, (self.burst, self.window), "user"),
            (self._minute, self.hidden, "shared"),
        ):
            while times and times[0] <= now - window:
                times.popleft()
            if len(times) >= most:
                return self._too_many(times[0] + window - now, scope)
        self._recent.append(now)
        self._minute.append(now)
        return None

    def _headers(self) -> dict[str, str]:
        left = self.burst - len(self._recent)
        after = self._recent[0] + self.window - self.clock() if self._recent else self.window
        return {
            "X-RateLimit-Limit": str(self.burst),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": f"{self.clock() + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": "b0c4e5",
        }

    def _too_many(self, after: float, scope: str) -> web.Response:
        data = {"message": "You are being rate limited.", "retry_after": round(after, 3), "global": scope == "global"}
        headers = {"Retry-After": str(int(after) + 1), "X-RateLimit-Scope": scope}
        if scope == "global":
            headers["X-RateLimit-Global"] = "true"
        return web.json_response(data, status=429, headers=headers)

    def _error(self, status: int, code: int, text: str, **more: Any) -> web.Response:
        return web.json_response({"message": text, "code": code, **more}, status=status, headers=self._headers())


def _parsed(request: web.Request, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    if request.content_type == "application/json":
        return json.loads(body), {}
    assert request.content_type == "multipart/form-data", request.content_type
    boundary = request.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    payload: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, data = part.strip(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode()
        if 'name="payload_json"' in text:
            payload = json.loads(data)
        else:
            name = text.partition('name="')[2].partition('"')[0]
            assert name == f"files[{len(files)}]", name
            files[text.partition('filename="')[2].partition('"')[0]] = data
    return payload, files


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _faults(payload: dict[str, Any], files: dict[str, bytes], *, edit: bool) -> list[str]:
    faults = []
    if not (payload.get("content") or payload.get("embeds") or files):
        faults.append("empty message")
    if _units(payload.get("content") or "") > 2000:
        faults.append("content")
    embeds = payload.get("embeds", [])
    if len(embeds) > 10:
        faults.append("embeds")
    if sum(_embed_size(embed) for embed in embeds) > 6000:
        faults.append("embeds: 6000 characters")
    for embed in embeds:
        faults += _embed_faults(embed, files)
    attachments = payload.get("attachments", [])
    if [each["filename"] for each in attachments if each["id"] < len(files)] != list(files):
        faults.append("attachments")
    if any(_units(each.get("description", "")) > 1024 for each in attachments):
        faults.append("attachments.description")
    mentions = payload.get("allowed_mentions")
    if mentions is None or mentions.get("parse") != [] or len(mentions.get("users", [])) > 100:
        faults.append("allowed_mentions is not empty")
    username = payload.get("username")
    if username is not None and (edit or not 1 <= len(username) <= 80 or "discord" in username.lower() or "clyde" in username.lower()):
        faults.append("username")
    if payload.get("flags", 0) & ~(1 << 12 | 1 << 2) or (edit and "flags" in payload):
        faults.append("flags")
    return faults


def _embed_size(embed: dict[str, Any]) -> int:
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts.append(embed.get("author", {}).get("name", ""))
    texts += [text for each in embed.get("fields", []) for text in (each["name"], each["value"])]
    return sum(map(_units, texts))


def _embed_faults(embed: dict[str, Any], files: dict[str, bytes]) -> list[str]:
    faults = []
    for name, most in (("title", 256), ("description", 4096)):
        if name in embed and not 1 <= _units(embed[name].strip()) <= most:
            faults.append(f"embed.{name}")
    if _units(embed.get("footer", {}).get("text", "")) > 2048:
        faults.append("embed.footer")
    fields = embed.get("fields", [])
    if len(fields) > 25:
        faults.append("embed.fields")
    for each in fields:
        if not 1 <= _units(each["name"].strip()) <= 256 or not 1 <= _units(each["value"].strip()) <= 1024:
            faults.append("embed.fields.value")
    if "url" in embed and not embed["url"].startswith(("http://", "https://")):
        faults.append("embed.url")
    image = embed.get("image", {}).get("url", "")
    if image.startswith("attachment://") and image.removeprefix("attachment://") not in files:
        faults.append("embed.image")
    return faults
