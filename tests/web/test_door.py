from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from sidecar.errors import SettingsError
from sidecar.web import check_bind
from sidecar.web.auth import COOKIE, Door
from sidecar.web.headers import SECURITY, Hosts, host_name
from sidecar.web.limits import Limit, Tried, Tries
from sidecar.web.login import _safe
from tests.web.site import Site, raw, running

TOKEN = "correct horse battery"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HTML = {"Accept": "text/html"}


@pytest.fixture
async def closed(site_files: Path) -> AsyncIterator[Site]:
    async with running(Site(site_files), host="0.0.0.0", token=SecretStr(TOKEN)) as served:
        yield served


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "nas.local"])
def test_others_may_not_come_in_without_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="no token") as caught:
        check_bind(host, None)
    assert "web.token" in caught.value.problems[0].mend
    check_bind(host, SecretStr(TOKEN))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9", "[::1]"])
def test_this_machine_needs_none(host: str) -> None:
    check_bind(host, None)


async def test_every_answer_carries_the_headers(site: Site) -> None:
    async with site.session() as client:
        for path in ("/", "/api/v1/status", "/nothing", "/runs/r1", "/api/v1/events"):
            async with client.get(path, allow_redirects=False) as answer:
                assert {name: answer.headers.get(name) for name in SECURITY} == dict(SECURITY)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8420", True),
        ("127.0.0.1:1", True),
        ("192.168.1.5", True),
        ("[::1]:8420", True),
        ("kometa.example", True),
        ("nas.", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("", False),
        ("local host", False),
        ("[::1", False),
        ("localhost:99999", False),
    ],
)
def test_names_that_may_lead_here(host: str, allowed: bool) -> None:
    assert Hosts(["kometa.example", "NAS"]).allows(host) is allowed


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_host_header_is_survived(host: str) -> None:
    assert isinstance(host_name(host), str)
    assert isinstance(Hosts().allows(host), bool)


async def test_a_rebound_name_is_refused(site: Site) -> None:
    async with site.session() as client:
        async with client.get("/api/v1/status", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
            assert (await answer.json())["error"]["code"] == "wrong_host"
        async with client.get("/healthz", headers={"Host": "kometa-sidecar"}) as answer:
            assert answer.status == 200
    status, _ = await raw(site.port, b"GET /index.html HTTP/1.0\r\n\r\n")
    assert status == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, 403),
        ({"Origin": "SELF"}, 202),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
async def test_other_sites_cannot_ask_for_a_render(site: Site, headers: dict[str, str], status: int) -> None:
    headers = {name: site.url if value == "SELF" else value for name, value in headers.items()}
    async with site.session() as client, client.post("/api/v1/render", headers=headers) as answer:
        assert answer.status == status
    assert site.asked.renders == (1 if status == 202 else 0)


async def test_programs_bring_a_token(closed: Site) -> None:
    async with closed.session() as client:
        async with client.get("/api/v1/status") as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        async with client.get("/api/v1/status", headers={"Authorization": "Bearer wrong"}) as answer:
            assert answer.status == 401
        async with client.get("/api/v1/status", headers=BEARER) as answer:
            assert answer.status == 200
        async with client.post("/api/v1/render", headers=BEARER) as answer:
            assert answer.status == 202
        async with client.get("/", headers=BEARER) as answer:
            assert answer.headers["Cache-Control"] == "private, no-cache"


async def test_without_login_only_health_and_no_details(closed: Site) -> None:
    from sidecar.model import Health

    closed.parts[:] = [Health(part="plex", ok=False, detail="http://10.0.0.7:32400 does not answer")]
    async with closed.session() as client:
        for path in ("/latest.json", "/img/" + "a" * 64 + ".webp", "/api/v1/events", "/api/v1/runs", "/static/page.0123456789.css"):
            async with client.get(path, allow_redirects=False) as answer:
                assert answer.status == 401
        async with client.get("/healthz") as answer:
            assert answer.status == 200
        async with client.get("/readyz") as answer:
            assert (await answer.json())["reasons"] == [{"part": "plex"}]


async def test_people_log_in_and_come_back_where_they_were(closed: Site) -> None:
    async with closed.session() as client:
        async with client.get("/runs/r1/", headers=HTML, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "../../login?next=runs/r1/")
        async with client.get("/runs/r1/", headers=HTML) as answer:
            text = await answer.text()
            assert re.search(r'name="next" value="runs/r1/"', text)
        async with client.post("/login", data={"token": "wrong", "next": "runs/r1/"}) as answer:
            assert answer.status == 403
            assert "not the token" in await answer.text()
        async with client.post("/login", data={"token": TOKEN, "next": "runs/r1/"}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "./runs/r1/")
            cookie = answer.headers["Set-Cookie"]
            assert TOKEN not in cookie
            for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="):
                assert part in cookie
        async with client.get("/runs/r1/", headers=HTML) as answer:
            assert await answer.text() == "run one"
        # A cookie is not enough for a change: the browser must say where it comes from.
        async with client.post("/api/v1/render") as answer:
            assert answer.status == 403
        async with client.post("/api/v1/render", headers={"Origin": closed.url}) as answer:
            assert answer.status == 202
        async with client.post("/logout", headers={"Origin": closed.url}) as answer:
            assert "Log in" in await answer.text()
        async with client.get("/latest.json") as answer:
            assert answer.status == 401


async def test_guessing_is_slowed_down(closed: Site) -> None:
    async with closed.session() as client:
        statuses = []
        for number in range(7):
            async with client.post("/login", data={"token": f"guess {number}", "next": ""}) as answer:
                statuses.append(answer.status)
                retry = answer.headers.get("Retry-After")
        assert statuses == [403] * 5 + [429] * 2
        assert int(retry or 0) >= 1
        async with client.get("/api/v1/status", headers={"Authorization": "Bearer another guess"}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (429, "too_many_tries")
            assert int(answer.headers["Retry-After"]) >= 1


async def test_the_right_token_is_let_in_during_a_lock_out(closed: Site) -> None:
    async with closed.session() as client:
        for number in range(40):
            async with client.get("/api/v1/status", headers={"Authorization": f"Bearer guess {number}"}) as answer:
                assert answer.status in (401, 429)
        async with client.get("/api/v1/status", headers=BEARER) as answer:
            assert answer.status == 200
        async with client.post("/login", data={"token": TOKEN, "next": ""}, allow_redirects=False) as answer:
            assert answer.status == 303
        # Who is logged in is not bothered by what others try.
        async with client.get("/latest.json") as answer:
            assert answer.status == 200


async def test_nobody_locks_anybody_else_out() -> None:
    tries = Tries(clock=lambda: 0.0, hold=0.0)
    for number in range(200):
        for _ in range(7):
            await tries.judge(f"attacker {number}", lambda: False)
    assert tries.wait("owner") == 0
    assert [await tries.judge("owner", lambda: False) for _ in range(6)] == [Tried.WRONG] * 5 + [Tried.TOO_MANY]
    assert await tries.judge("owner", lambda: True) is Tried.RIGHT


async def test_a_flood_of_guesses_is_not_even_looked_at() -> None:
    looked = 0

    def wrong() -> bool:
        nonlocal looked
        looked += 1
        return False

    tries = Tries(clock=lambda: 0.0, hold=0.05, at_once=4, in_all=6)
    for _ in range(5):
        await tries.judge("attacker", wrong)
    looked = 0
    answers = await asyncio.gather(*(tries.judge("attacker", wrong) for _ in range(50)))
    assert (looked, set(answers)) == (4, {Tried.TOO_MANY})
    for _ in range(5):
        await tries.judge("other", wrong)
    looked = 0
    await asyncio.gather(*(tries.judge(who, wrong) for who in ["attacker", "other"] * 20))
    assert looked == 6
    # All are let go: the next one is looked at again.
    looked = 0
    await tries.judge("attacker", wrong)
    assert looked == 1


async def test_a_form_that_is_none_is_refused(closed: Site) -> None:
    begin = b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for headers, status in (
        (b"Content-Type: multipart/form-data\r\n", 415),
        (b"Content-Type: multipart/form-data; boundary=x\r\n", 415),
        (b"Content-Type: application/json\r\n", 415),
        (b"Content-Type: application/x-www-form-urlencoded; charset=foo\r\n", 403),
        (b"Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: gzip\r\n", 400),
    ):
        found, text = await raw(closed.port, begin + headers + b"Content-Length: 4\r\n\r\n\xff\xfe&=")
        assert found == status, text
        assert "Content-Security-Policy" in text
    many = b"&".join(b"token%d=x" % number for number in range(100))
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(many)
    assert (await raw(closed.port, begin + form + many))[0] == 400


async def test_what_is_no_http_is_one_line_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for request in (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n"):
        caplog.clear()
        status, text = await raw(site.port, request)
        assert status == 400
        assert "text/plain" in text
        assert [(record.levelname, record.exc_info) for record in caplog.records] == [("INFO", None)]


async def test_a_foreign_cookie_opens_nothing(closed: Site) -> None:
    other = Door(SecretStr("another token")).cookie()
    own = Door(SecretStr(TOKEN)).cookie()
    until, _, signature = own.partition(".")
    values = [other, until, f"{int(until) + 1}.{signature}", f".{signature}", "x.y", "", f"-1.{signature}"]
    for value in values:
        async with closed.session() as client, client.get("/latest.json", headers={"Cookie": f"{COOKIE}={value}"}) as answer:
            assert answer.status == 401
    async with closed.session() as client, client.get("/latest.json", headers={"Cookie": f"{COOKIE}={own}"}) as answer:
        assert answer.status == 200


async def test_a_cookie_ends(site_files: Path) -> None:
    old = Door(SecretStr(TOKEN), wall=lambda: 1_000_000.0).cookie()
    async with running(Site(site_files), token=SecretStr(TOKEN)) as site, site.session() as client:
        answer = await client.get("/latest.json", headers={"Cookie": f"{COOKIE}={old}"})
        assert answer.status == 401


@pytest.mark.parametrize(
    "path", ["//evil.example", "/evil", "\\evil", "https:evil", "..", "a/../../b", "a//b", "a b", "a?b", "javascript:alert(1)", "a\n"]
)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert _safe(path) == ""


def test_limit_refills() -> None:
    now = 0.0
    limit = Limit(2, 10, clock=lambda: now)
    limit.take("a")
    limit.take("a")
    assert limit.wait("a") == 10
    assert limit.wait("b") == 0
    now = 10.0
    assert limit.wait("a") == 0
    for number in range(5000):
        limit.take(f"x{number}")
    assert limit.wait("a") == 0  # forgotten, not kept for ever


async def test_behind_a_proxy_with_a_base_path(site_files: Path) -> None:
    settings = {"base_url": "https://kometa.example/preview", "token": SecretStr(TOKEN)}
    async with running(Site(site_files), **settings) as site, site.session() as client:
        outside = {"Host": "kometa.example", **HTML}
        async with client.get("/preview", headers={**outside, **BEARER}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "preview/")
        for path in ("/preview/", "/", "/preview/index.html"):
            async with client.get(path, headers={**outside, **BEARER}) as answer:
                assert "first page" in await answer.text()
        async with client.get("/preview/runs/r1/", headers=outside, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "../../login?next=runs/r1/"
        async with client.post("/preview/login", data={"token": TOKEN, "next": ""}, headers=outside, allow_redirects=False) as answer:
            assert "Path=/preview/" in answer.headers["Set-Cookie"]
            assert "Secure" in answer.headers["Set-Cookie"]
        # The proxy may rewrite Host: the origin is known from the setting.
        async with client.post("/preview/api/v1/render", headers={"Origin": "https://kometa.example", **BEARER}) as answer:
            assert answer.status == 202


async def test_a_strange_base_path_is_named(site_files: Path) -> None:
    with pytest.raises(SettingsError, match="base_url"):
        async with running(Site(site_files), base_url="https://kometa.example/{path}"):
            pass


@pytest.mark.parametrize(
    ("path", "host", "cookie"),
    [
        ("/preview/login", "kometa.example", "/preview/"),
        ("/login", "kometa.example", "/preview/"),  # the proxy strips the path
        ("/login", "127.0.0.1", "/"),  # nobody between
        ("/preview/login", "127.0.0.1", "/preview/"),
    ],
)
async def test_the_cookie_comes_back_on_every_way_in(site_files: Path, path: str, host: str, cookie: str) -> None:
    settings = {"base_url": "http://kometa.example/preview", "token": SecretStr(TOKEN)}
    async with running(Site(site_files), **settings) as site, site.session() as client:
        form = {"token": TOKEN, "next": ""}
        async with client.post(path, data=form, headers={"Host": host}, allow_redirects=False) as answer:
            assert f"Path={cookie};" in answer.headers["Set-Cookie"] + ";"
        async with client.post(path.replace("login", "logout"), headers={"Host": host, **BEARER}, allow_redirects=False) as answer:
            assert f"Path={cookie};" in answer.headers["Set-Cookie"] + ";"


@pytest.mark.parametrize("path", ["/a b", "/{x}", "x", "/..", "/a/./b", "/a//b", "/%2e"])
async def test_a_strange_base_path_setting_is_named(site_files: Path, path: str) -> None:
    with pytest.raises(SettingsError, match="base_path"):
        async with running(Site(site_files), base_path=path):
            pass


async def test_a_base_path_of_its_own(site_files: Path) -> None:
    async with running(Site(site_files), base_path="/kometa/preview/", base_url="https://kometa.example") as site, site.session() as client:
        for path in ("/kometa/preview/", "/"):
            async with client.get(path) as answer:
                assert "first page" in await answer.text()
        async with client.get("/kometa/preview/api/v1/openapi.json") as answer:
            assert (await answer.json())["servers"] == [{"url": "/kometa/preview"}]
        async with client.get("/kometa/preview/api/v1/nothing") as answer:
            assert (await answer.json())["error"]["code"] == "not_found"


async def test_without_its_slash_the_base_path_leads_to_the_login_below_it(site_files: Path) -> None:
    """``login`` is relative: asked for from /preview itself it would be a page of another application."""
    async with (
        running(Site(site_files), token=SecretStr(TOKEN), base_url="https://kometa.example/preview") as site,
        site.session() as client,
    ):
        html = {"Accept": "text/html"}
        async with client.get("/preview", allow_redirects=False, headers=html) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "preview/")
        async with client.get("/preview", headers=html) as answer:
            assert (answer.status, answer.url.path) == (200, "/preview/login")
