"""Which addresses are of the open internet, and which ones a setting may open."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.addresses import PrivateAddress, allowing, guarded_socket, is_public

HERE_AND_HOME = ["127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1", "::ffff:192.168.1.1"]
NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.8",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "198.18.0.1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "::ffff:0:169.254.169.254",
    "2002:7f00:1::",
    "2001:0:53aa:64c::80ff:fffe",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "no address",
    "",
]


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [*HERE_AND_HOME, *NEVER, "::127.0.0.1", "64:ff9b::7f00:1", "::ffff:0:127.0.0.1"])
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [*HERE_AND_HOME, "64:ff9b::7f00:1"])
def test_a_setting_opens_ones_own_network(address: str) -> None:
    everything = allowing([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])
    assert everything(address)
    assert not allowing([])(address)


@pytest.mark.parametrize("address", NEVER)
def test_no_setting_opens_these(address: str) -> None:
    assert not allowing([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])(address)


def test_only_the_networks_named_are_opened() -> None:
    allows = allowing([ipaddress.ip_network("192.168.1.0/24")])
    assert allows("192.168.1.7")
    assert not allows("192.168.2.7")
    assert not allows("127.0.0.1")


@given(st.ip_addresses(v=4))
def test_another_dress_changes_nothing(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for prefix in ("::ffff:0:0", "64:ff9b::", "::ffff:0:0:0"):
        dressed = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number)
        assert is_public(str(dressed)) == is_public(str(address)), dressed


def test_a_socket_is_made_for_allowed_addresses_only() -> None:
    make = guarded_socket(allowing([ipaddress.ip_network("127.0.0.0/8")]))
    make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))).close()
    with pytest.raises(PrivateAddress):
        make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("169.254.169.254", 80)))
    with pytest.raises(PrivateAddress):
        make((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 80, 0, 0)))
