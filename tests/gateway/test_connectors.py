"""What a config leads to on one's own network: connectors on private addresses, credentials in URLs, and never Plex around its policy."""

from __future__ import annotations

import asyncio
import base64
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from sidecar.gateway import swap
from sidecar.gateway.admit import admit, parse_origin
from sidecar.gateway.canonical import Refusal
from sidecar.gateway.egress import Ask
from sidecar.model import Grant, Placeholder, PlexServer
from sidecar.revision.connectors import needs
from sidecar.revision.secrets import host_of
from tests.gateway.conftest import REAL, Bench
from tests.gateway.test_egress import egress, origin
from tests.gateway.upstream import Reply, Seen, Upstream

KEY = "0123456789abcdef0123456789abcdef"
STATUS = "/api/v3/system/status"


def _placeholder(text: str, secret: str, connector: str, *hosts: str) -> Placeholder:
    return Placeholder(text=text, secret=SecretStr(secret), hosts=hosts, connector=connector)


def _grant(host: str, port: int, connector: str = "radarr", **more: str) -> Grant:
    places = (_placeholder("placeholder-of-the-key", KEY, connector, host), *(_placeholder(t, s, "url", host) for t, s in more.items()))
    return Grant(
        token="a-grant-of-16-chars", run_id="r", shard=0, scopes={}, placeholders=places, hosts=frozenset({host, f"{host}:{port}"})
    )


def _ask(host: str, port: int, target: str = STATUS, **headers: str) -> Ask:
    return Ask("GET", origin(f"http://{host}:{port}"), target, headers)


class Names(AbstractResolver):
    """Gives each name the addresses it is told, one list per look-up."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


def _echo(seen: Seen) -> Reply:
    return Reply(f"{seen.target} {seen.header('X-Api-Key')} {seen.header('Authorization')}".encode())


# ── connectors on private addresses ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_connector_that_the_setting_names_is_read(tmp_path: Path, host: str) -> None:
    async with Upstream(_echo) as radarr, egress(tmp_path, {}, private=(host.upper(),)) as bench:
        asked = _ask(host, radarr.port, **{"x-api-key": "placeholder-of-the-key"})
        grant = _grant(host, radarr.port)
        assert bench.egress.admit(asked, grant) is None
        got = await bench.fetch(asked, grant)
        assert (got.status, radarr.requests[0].header("X-Api-Key")) == (200, KEY)
        assert KEY.encode() not in got.body


async def test_what_is_refused_names_the_setting(tmp_path: Path) -> None:
    async with Upstream(_echo) as radarr, egress(tmp_path, {}) as bench:
        refused = bench.egress.admit(_ask("127.0.0.1", radarr.port), _grant("127.0.0.1", radarr.port))
        assert refused
        assert "gateway.private_hosts in sidecar.yml" in refused.reason
        grant = _grant("localhost", radarr.port)
        assert bench.egress.admit(_ask("localhost", radarr.port), grant) is None
        assert (await bench.fetch(_ask("localhost", radarr.port), grant)).status == 403
        assert "if it is your own radarr, name it in gateway.private_hosts" in bench.notes[-1].what
        assert radarr.requests == []


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.1.1", "100.100.100.200", "127.0.0.1", "0.0.0.0", "224.0.0.1"])
async def test_a_named_connector_that_stands_for_what_is_never_asked(tmp_path: Path, address: str) -> None:
    """Metadata, link-local, and for a name of the network this machine itself."""
    async with egress(tmp_path, {}, private=("radarr.lan",), resolver=Names(address)) as bench:
        got = await bench.fetch(_ask("radarr.lan", 7878), _grant("radarr.lan", 7878))
        assert got.status == 403
        assert "whatever gateway.private_hosts" in bench.notes[-1].what


async def test_an_address_in_numbers_is_looked_at_when_it_is_connected_to(tmp_path: Path) -> None:
    async with egress(tmp_path, {}, private=("169.254.169.254",)) as bench:
        assert (await bench.fetch(_ask("169.254.169.254", 80), _grant("169.254.169.254", 80))).status == 403
        assert bench.counted["refused"] == 1


async def test_another_host_is_not_opened_by_the_setting_alone(tmp_path: Path) -> None:
    """An overlay's picture on the network is no connector; neither is a name that changes its mind."""
    async with Upstream(_echo) as near, egress(tmp_path, {}, private=("nas.lan", "127.0.0.1"), resolver=Names("127.0.0.1")) as bench:
        plain = Grant(token="a-grant-of-16-chars", run_id="r", shard=0, scopes={}, hosts=frozenset({"nas.lan", "127.0.0.1"}))
        assert (await bench.fetch(Ask("GET", origin("http://nas.lan"), "/x.png"), plain)).status == 403
        assert bench.egress.admit(_ask("127.0.0.1", near.port, "/x.png"), plain)
        other_port = bench.egress.admit(_ask("127.0.0.1", near.port), _grant("127.0.0.1", near.port + 1))
        assert other_port
        assert "port" in other_port.reason
        assert near.requests == []


@pytest.mark.parametrize(
    ("connector", "target", "passes"),
    [
        ("radarr", STATUS, True),
        ("radarr", "/radarr/api/v3/movie?tmdbId=5", True),
        ("radarr", "/api/v3/movie/12", True),
        ("sonarr", "/api/v3/tag/detail", True),
        ("sonarr", "/api/v3/series", True),
        ("radarr", "/api/v3/config/host", False),
        ("radarr", "/api/v3/system/backup", False),
        ("radarr", "/api/v3/system/status/x", False),
        ("radarr", "/api/v3/%63onfig/host", False),
        ("radarr", "/logout", False),
        ("radarr", "/:/scrobble?key=1", False),
        ("tautulli", "/api/v2?apikey=k&cmd=get_home_stats&time_range=30", True),
        ("tautulli", "/tautulli/api/v2?cmd=get_tautulli_info&apikey=k", True),
        ("tautulli", "/api/v2?apikey=k&cmd=terminate_session&session_key=1", False),
        ("tautulli", "/api/v2?apikey=k&cmd=delete_library&section_id=1", False),
        ("tautulli", "/api/v2?cmd=get_home_stats&cmd=restart", False),
        ("tautulli", "/api/v2?cmd=get_home_stats&%63md=restart", False),
        ("tautulli", "/api/v2?cmd=get_home_stats&CMD=restart", False),
        ("tautulli", "/api/v2?cmd=get_home_stats;cmd=restart", False),
        ("tautulli", "/api/v2", False),
        ("tautulli", "/restart?cmd=get_home_stats", False),
    ],
)
def test_only_known_reads_reach_a_connector(connector: str, target: str, passes: bool) -> None:
    """Wherever it stands: Tautulli ends a viewer's playback by GET."""
    for host in ("tautulli.example", "192.168.1.10"):
        refusal = admit("GET", origin(f"https://{host}"), target, b"", {host}, (), connectors=(connector,), private={"192.168.1.10"})
        assert (refusal is None) is passes, refusal
        assert admit("POST", origin(f"https://{host}"), target, b"{}", {host}, (), connectors=(connector,), private={"192.168.1.10"})


async def test_a_connector_that_is_away(tmp_path: Path) -> None:
    async with Upstream(_echo) as gone:
        port = gone.port
    async with egress(tmp_path, {}, private=("127.0.0.1",)) as bench:
        assert (await bench.fetch(_ask("127.0.0.1", port), _grant("127.0.0.1", port))).status == 502
        assert bench.notes[-1].passing
        assert bench.counted["egress_sent"] == 3


# ── credentials in URLs ──────────────────────────────────────────────────────────────────────────────────


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode("latin-1")).decode()


async def test_a_password_in_a_url_reaches_its_host_only_and_does_not_come_back(tmp_path: Path) -> None:
    """requests makes an Authorization header of ``https://user:password@host/``."""
    async with Upstream(_echo) as host, egress(tmp_path, {"pictures.example": host.url, "evil.example": host.url}) as bench:
        grant = _grant("pictures.example", 443, "url", **{"stand-in-of-the-word": "p\xe4ss:w\xf6rd"})
        grant = Grant(
            **{**{name: getattr(grant, name) for name in grant.__slots__}, "hosts": frozenset({"pictures.example", "evil.example"})}
        )
        given = _basic("me:stand-in-of-the-word")
        asked = Ask("GET", origin("https://pictures.example"), "/x.png", {"authorization": given})
        assert bench.egress.admit(asked, grant) is None
        got = await bench.fetch(asked, grant)
        real = _basic("me:p\xe4ss:w\xf6rd")
        assert host.requests[0].header("Authorization") == real
        assert real.removeprefix("Basic ").encode() not in got.body
        for header in (given, given.replace("Basic", "bASIC")):
            refused = bench.egress.admit(Ask("GET", origin("https://evil.example"), "/x.png", {"authorization": header}), grant)
            assert refused
            assert "not for evil.example" in refused.reason


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic bm90aGluZw==", "Bearer x", "", "Basic \xff"])
def test_other_headers_are_left_as_they_are(header: str) -> None:
    place = _placeholder("stand-in-of-the-word", "secret", "url", "a.b")
    assert swap.into_header(header, [place], "a.b") == header
    assert swap.strangers([header], [place], "c.d") is None


def test_a_password_that_latin_1_cannot_hold() -> None:
    place = _placeholder("stand-in-of-the-word", "\u65e5\u672c", "url", "a.b")
    sent = swap.into_header(_basic("me:stand-in-of-the-word"), [place], "a.b")
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == "me:\u65e5\u672c"
    assert swap.neutral(_basic("me:stand-in-of-the-word"), [place]) == "Basic me:{url}"


async def test_answers_are_cleaned_of_the_hosts_own_secrets_only(tmp_path: Path) -> None:
    """Another connector's short password is no reason to rewrite what TMDb says."""
    async with Upstream(lambda _: Reply(b"a movie of 1994")) as host, egress(tmp_path, {"pictures.example": host.url}) as bench:
        places = (_placeholder("stand-in-of-the-word", "movie", "tautulli", "tautulli.lan"),)
        grant = Grant(
            token="a-grant-of-16-chars", run_id="r", shard=0, scopes={}, placeholders=places, hosts=frozenset({"pictures.example"})
        )
        assert (await bench.fetch(Ask("GET", origin("https://pictures.example"), "/x"), grant)).body == b"a movie of 1994"


# ── Plex ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_plex_is_not_to_be_had_as_another_host(bench: Bench) -> None:
    """An overlay file that names the Plex server by its address must not open a way around the policy."""
    places = (_placeholder("stand-in-of-the-token", REAL, "url", "localhost", "other.example"),)
    grant = Grant(
        token="another-grant-0123456789",
        run_id="run",
        shard=0,
        scopes=bench.grant.scopes,
        placeholders=places,
        hosts=frozenset({"localhost", "other.example", f"localhost:{bench.plex.port}"}),
    )
    bench.gateway._egress._mapped.update({"localhost": bench.plex.url, "other.example": bench.plex.url})
    bench.gateway.set_servers([PlexServer(name="plex-0", url=f"http://LOCALHOST:{bench.plex.port}/", token=SecretStr(REAL))])
    bench.gateway.open(grant, bench.sink)
    plain = await bench.ask("GET /:/scrobble?key=1", origin=f"http://localhost:{bench.plex.port}", token=grant.token)
    named = await bench.ask("GET /:/scrobble?key=1&X-Plex-Token=stand-in-of-the-token", origin="https://other.example", token=grant.token)
    assert (plain.status, named.status) == (403, 403)
    assert bench.plex.requests == []
    assert "Plex token" in named.text


# ── IPv6 ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("named", ["::1", "[::1]", "0:0:0:0:0:0:0:1"])
async def test_a_connector_at_an_ipv6_address(tmp_path: Path, named: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        writer.close()

    try:
        server = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server, egress(tmp_path, {}, private=(named,)) as bench:
        port = server.sockets[0].getsockname()[1]
        places = (_placeholder("placeholder-of-the-key", KEY, "radarr", "::1"),)
        grant = Grant(
            token="a-grant-of-16-chars", run_id="r", shard=0, scopes={}, placeholders=places, hosts=frozenset({"::1", f"[::1]:{port}"})
        )
        asked = Ask("GET", origin(f"http://[0::1]:{port}"), STATUS, {"x-api-key": "placeholder-of-the-key"})
        assert bench.egress.admit(asked, grant) is None
        got = await bench.fetch(asked, grant)
        assert got.status == 200
        assert f"Host: [::1]:{port}".encode() in got.body
        unnamed = replace(asked, origin=origin(f"http://[::2]:{port}"))
        assert bench.egress.admit(unnamed, grant)


@pytest.mark.parametrize("host", ["fd00::10", "2001:db8::1", "::ffff:192.168.1.10"])
def test_an_ipv6_address_is_an_address_in_numbers(host: str) -> None:
    where = origin(f"http://[{host}]")
    refused = admit("GET", where, STATUS, b"", {where.host}, ())
    assert refused
    assert "addresses in numbers" in refused.reason


@pytest.mark.parametrize("text", ["http://[fe80::1%25eth0]", "http://[::1", "http://[zz::1]", "http://[v1.x]", "http://fd00::1"])
def test_what_is_no_ipv6_address(text: str) -> None:
    assert isinstance(parse_origin(text), Refusal)


@pytest.mark.parametrize(
    ("plex", "asked"),
    [
        ("http://[fd00::10]:32400", "http://[fd00:0:0::0010]:32400"),
        ("http://192.168.1.10:32400", "http://[::ffff:192.168.1.10]:32400"),
        ("http://[::ffff:c0a8:10a]:32400", "http://192.168.1.10:32400"),
    ],
)
async def test_plex_is_known_however_its_address_is_written(tmp_path: Path, plex: str, asked: str) -> None:
    async with egress(tmp_path, {}, private=("fd00::10", "192.168.1.10")) as bench:
        bench.egress.keep_off([PlexServer(name="plex-0", url=plex, token=SecretStr(REAL), timeout=5.0)])
        where = origin(asked)
        refused = bench.egress.admit(Ask("GET", where, STATUS), _grant(where.host, 32400))
        assert refused
        assert "Plex server itself" in refused.reason


def test_the_host_of_a_url_has_one_form() -> None:
    assert host_of("http://[FD00:0::10]:7878/x") == "fd00::10"
    assert host_of("http://[::ffff:192.168.1.10]") == "192.168.1.10"
    assert host_of("http://Radarr.LAN./") == "radarr.lan"
    sections = {"radarr": {"url": "http://[fd00:0::10]:7878", "token": "x"}}
    assert {"fd00::10", "[fd00::10]:7878"} <= needs(["radarr_all: true"], sections, judged=True).hosts
