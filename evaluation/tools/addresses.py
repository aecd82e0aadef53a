"""Which addresses a host has, and whether a tool may reach them.

Decisions: a host is looked up once, all its addresses are checked, and the connection is made to one of those, so that
a name cannot answer differently the second time. Link-local addresses (where clouds keep their credentials) are never
reached, other addresses of this machine and of private networks only where the run allows it.
"""

from __future__ import annotations

import ipaddress
import socket

from evaluation.records import FailureKind
from evaluation.tools.outside import Reach
from evaluation.tools.results import CallFailed

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def reachable(host: str, port: int, reach: Reach) -> list[str]:
    """Return the addresses of a host. Raises `CallFailed` where one of them may not be reached, or there is none."""
    if not reach.admits(host):
        allowed = ", ".join(reach.hosts)
        raise CallFailed(FailureKind.TOOL_ERROR, f"expected a host that the run allows ({allowed}), found {host}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallFailed(FailureKind.TOOL_ERROR, f"the host {host} could not be found: {error}") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if why := barred(address, private=reach.private):
            raise CallFailed(FailureKind.TOOL_ERROR, f"{host} is not reached: {address} is {why}")
    return addresses


def barred(address: str, *, private: bool) -> str:
    """Say why an address is not reached, or nothing. `private`: those of private networks are."""
    one = _inner(ipaddress.ip_address(address.partition("%")[0]))
    if one.is_link_local:
        return "a link-local address, which no tool may reach"
    if one.is_multicast or one.is_unspecified:
        return "no address of a server"
    if not one.is_global and not private:
        return "of a private network; `--allow-tools private` allows it"
    return ""


def _inner(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
