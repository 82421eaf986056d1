"""No notification reaches a private address, in whatever dress it comes, unless a setting opened it."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from sidecar.addresses import GuardedResolver
from sidecar.notify import open_session
from sidecar.notify.sending import Later, Refused, Shut, judge, request
from tests.notify.kit import Receiver

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


class Names(AbstractResolver):
    """Answers each question with the next list of addresses, the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=socket.AF_INET6 if ":" in each else socket.AF_INET, proto=0, flags=0)
            for each in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def ask(url: str, *, names: Names | None = None, private: list[ipaddress.IPv4Network | ipaddress.IPv6Network] | None = None) -> int:
    session = open_session(private or [], names)
    try:
        answer = await request(session, "x", "POST", url, data=b"{}", headers={}, patience=5)
        judge("x", answer)
        return answer.status
    finally:
        await session.close()


@pytest.fixture
async def port(receiver: Receiver) -> int:
    return int(receiver.url.split(":")[2].split("/")[0])


LITERAL = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "localhost",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:53aa:64c::80ff:fffe]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fc00::1]",
    "[fec0::1]",
]


@pytest.mark.parametrize("host", LITERAL)
async def test_private_addresses_are_refused(receiver: Receiver, port: int, host: str) -> None:
    with pytest.raises(Shut):
        await ask(f"http://{host}:{port}/hook")
    assert receiver.got == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["fd00::1"]],
)
async def test_names_of_private_addresses_are_refused(receiver: Receiver, port: int, addresses: list[str]) -> None:
    with pytest.raises(Shut, match="private"):
        await ask(f"http://hooks.example:{port}/hook", names=Names(addresses))
    assert receiver.got == []


async def test_rebinding_gains_nothing(receiver: Receiver, port: int) -> None:
    """A name that is public when it is looked at and private right after: what was looked at is what is connected to."""
    names = Names(["192.0.2.1"], ["127.0.0.1"])  # TEST-NET: judged private too, so each look refuses
    for _ in range(2):
        with pytest.raises(Shut, match="private"):
            await ask(f"http://rebind.example:{port}/hook", names=names)
    assert names.asked == 2, "every connection looks the name up anew"
    assert receiver.got == []


async def test_the_socket_is_the_last_gate(receiver: Receiver, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a resolver that lets everything through (as if the look and the connection saw different answers) opens nothing."""

    async def careless(_: GuardedResolver, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    monkeypatch.setattr(GuardedResolver, "resolve", careless)
    with pytest.raises(Shut, match="private"):
        await ask(f"http://hooks.example:{port}/hook")
    assert receiver.got == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.statuses, receiver.headers = [status], {"Location": receiver.url}
    with pytest.raises(Refused, match="points elsewhere"):
        await ask(receiver.url, private=LOOPBACK)
    assert len(receiver.got) == 1


async def test_a_setting_opens_ones_own_network(receiver: Receiver, port: int) -> None:
    assert await ask(receiver.url, private=LOOPBACK) == 200
    assert await ask(f"http://hooks.example:{port}/hook", names=Names(["127.0.0.1"]), private=LOOPBACK) == 200
    with pytest.raises(Shut):
        await ask(receiver.url, private=[ipaddress.ip_network("192.168.1.0/24")])
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    for metadata in ("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"):
        with pytest.raises(Shut, match="private"):
            await ask(f"http://{metadata}/latest/", private=everything)


async def test_who_is_not_there_is_asked_again_later() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Later, match="ClientConnectorError"):
            await ask(f"http://127.0.0.1:{free.getsockname()[1]}/s3cret", private=LOOPBACK)
