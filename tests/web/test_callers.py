"""Who calls, behind reverse proxies and not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import SecretStr

from sidecar.errors import SettingsError
from sidecar.settings import load_settings
from sidecar.web.callers import Caller, Proxies
from tests.web.site import Site, running

TOKEN = "correct horse battery"


def caller(peer: str, *headers: tuple[str, str], trusted: tuple[str, ...] = ("172.18.0.0/16", "::1")) -> Caller:
    request = make_mocked_request("GET", "/", CIMultiDict([("Host", "inner:8420"), *headers])).clone(remote=peer)
    return Proxies(trusted).caller(request)


def test_a_stranger_is_not_believed() -> None:
    told = (("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"))
    assert caller("10.0.0.9", *told) == Caller("10.0.0.9", "http", "inner:8420")
    assert caller("172.18.0.2", *told, trusted=()) == Caller("172.18.0.2", "http", "inner:8420")


def test_a_trusted_proxy_is() -> None:
    told = (("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "kometa.example"))
    assert caller("172.18.0.2", *told) == Caller("1.2.3.4", "https", "kometa.example")
    assert caller("::1", *told).address == "1.2.3.4"
    assert caller("::ffff:172.18.0.2", *told).address == "1.2.3.4"
    assert caller("172.18.0.2") == Caller("172.18.0.2", "http", "inner:8420")


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),  # what the caller claimed stands first
        (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (["1.2.3.4, 172.18.0.7"], "1.2.3.4"),  # two proxies of ours
        (["172.18.0.9, 172.18.0.7"], "172.18.0.9"),
        (["1.2.3.4, unknown"], "172.18.0.2"),
        (["1.2.3.4, , 172.18.0.7"], "172.18.0.7"),
        (["1.2.3.4:5555"], "1.2.3.4"),
        (["[2001:db8::7]:5555"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        ([""], "172.18.0.2"),
        (["' OR 1=1"], "172.18.0.2"),
    ],
)
def test_the_list_is_read_from_its_end(hops: list[str], address: str) -> None:
    assert caller("172.18.0.2", *(("X-Forwarded-For", hop) for hop in hops)).address == address


def test_only_what_can_be_a_scheme_is_one() -> None:
    assert caller("172.18.0.2", ("X-Forwarded-Proto", "javascript")).scheme == "http"
    assert caller("172.18.0.2", ("X-Forwarded-Proto", "http, HTTPS")).scheme == "https"


def test_a_subscriber_counts_as_one() -> None:
    assert Caller("2001:db8:1:2:3::4", "http", "").key == Caller("2001:db8:1:2::9", "http", "").key
    assert Caller("2001:db8:1:2::4", "http", "").key != Caller("2001:db8:1:3::4", "http", "").key
    assert Caller("1.2.3.4", "http", "").key != Caller("1.2.3.5", "http", "").key


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40), max_size=4))
def test_any_header_is_survived(hops: list[str]) -> None:
    assert caller("172.18.0.2", *(("X-Forwarded-For", hop) for hop in hops)).address


@pytest.fixture
async def behind(site_files: Path) -> AsyncIterator[Site]:
    async with running(
        Site(site_files), host="0.0.0.0", token=SecretStr(TOKEN), trusted_proxies=["127.0.0.1"], base_url="http://kometa.example"
    ) as served:
        yield served


async def test_callers_behind_a_proxy_are_told_apart(behind: Site) -> None:
    async with behind.session() as client:

        async def tried(address: str) -> int:
            headers = {"X-Forwarded-For": address, "Authorization": "Bearer wrong"}
            async with client.get("/api/v1/status", headers=headers) as answer:
                return answer.status

        assert [await tried("1.2.3.4") for _ in range(7)] == [401] * 5 + [429] * 2
        assert await tried("1.2.3.5") == 401
        # Nobody can escape by claiming other addresses before the proxy's own word.
        assert await tried("9.9.9.9, 1.2.3.4") == 429


async def test_host_origin_and_scheme_are_those_of_the_caller(behind: Site) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with behind.session() as client:
        for host, status in (("kometa.example", 200), ("evil.example", 421)):
            async with client.get("/api/v1/status", headers={**bearer, "X-Forwarded-Host": host}) as answer:
                assert answer.status == status
        told = {"X-Forwarded-Host": "kometa.example", "X-Forwarded-Proto": "https"}
        for origin, status in (("https://kometa.example", 202), (behind.url, 403)):
            async with client.post("/api/v1/render", headers={**bearer, **told, "Origin": origin}) as answer:
                assert answer.status == status
        for proto, secure in (("https", True), ("http", False)):
            form = {"token": TOKEN, "next": ""}
            headers = {**told, "X-Forwarded-Proto": proto}
            async with client.post("/login", data=form, headers=headers, allow_redirects=False) as answer:
                assert ("Secure" in answer.headers["Set-Cookie"]) is secure


def test_settings_take_addresses_and_networks(tmp_path: Path) -> None:
    env = {"KOMETA_SIDECAR_DATA": str(tmp_path)}
    web = {"trusted_proxies": ["172.18.0.5/16", "::1"], "base_path": "/preview"}
    assert load_settings(None, env, {"web": web}).web.trusted_proxies == ("172.18.0.0/16", "::1/128")
    for wrong in ({"trusted_proxies": ["proxy.lan"]}, {"base_path": "preview"}, {"base_path": "/a b"}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            load_settings(None, env, {"web": wrong})
