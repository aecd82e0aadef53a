"""Mail addresses, credentials in URLs, and IP addresses.

Sources: RFC 5322 (mail, the common part of it), RFC 3986 section 3.2.1 (user information), RFC 4291 (IPv6).
Not covered: quoted local parts (`"ann lee"@corp.com`); `ann at corp dot com`; an address that is broken over two lines;
credentials in a URL's query that no label names; hosts' names that hold an address (`ec2-203-0-113-7.`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from training.privacy.context import before, is_product, says_version
from training.privacy.kinds import Finding, Pii

_URL = re.compile(r"://(?P<userinfo>[^\s/?#@:\"'<>]{0,128}:[^\s/?#\"'<>]{1,256})@")
_LOCAL = "_.!#$'*+^`~-"
_DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[^\W\d_]{2,24})(?![^\W_])")
_FILE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|json|js|css|html|pdf|txt|csv|xml|ya?ml|log|bak)$", re.IGNORECASE)
"""Endings of files that are none of domains."""
_IPV4 = re.compile(
    r"(?<![A-Za-z0-9.])(?<![A-Za-z][_-])(?<![A-Za-z0-9]_)(?:\d{1,3}\.){3}\d{1,3}"
    r"(?![A-Za-z0-9]|_[A-Za-z0-9]|-(?!\d{1,3}\.\d{1,3}\.)[A-Za-z0-9]|\.\d)",
    re.ASCII,
)
_IPV6 = re.compile(
    r"(?<![A-Za-z0-9:.])(?<![A-Za-z0-9]_)(?=[0-9A-Fa-f:]{0,45}:)[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}"
    r"(?:(?:\.\d{1,3}){3})?(?![A-Za-z0-9:]|_[A-Za-z0-9])",
    re.ASCII,
)
_HEXTET = re.compile(r"[0-9A-Fa-f]{3,4}:|::(?:[Ff]{4}:)(?:0:)?(?=\d)|64:[Ff]{2}9[Bb]:")
"""How an address that is shortened begins, but for a slice or a scope in a program (`a[1::2]`, `10::20`)."""
_LOCAL_MAX = 64


def find_urls(text: str) -> Iterator[Finding]:
    """Yield user and password of URLs."""
    for match in _URL.finditer(text):
        yield Finding(Pii.URL_CREDENTIALS, *match.span("userinfo"))


def find_mails(text: str) -> Iterator[Finding]:
    """Yield mail addresses: from each `@` outwards, so that text without one costs nothing."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at)
        start = _local_start(text, at) if domain and at and text[at - 1] != "." else at
        if domain and start < at:
            end = _domain_end(text, at, domain.end())
            if end > at and not (text[start:at] == "git" and text[end : end + 1] in (":", "/")):
                yield Finding(Pii.MAIL, start, end)
            at = domain.end() - 1
        at = text.find("@", at + 1)


def _local_start(text: str, at: int) -> int:
    start = at
    while start and at - start < _LOCAL_MAX and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
        start -= 1
    while start < at and not text[start].isalnum():
        start += 1
    return start


def _domain_end(text: str, at: int, end: int) -> int:
    """Return where the domain ends that begins after `at`; `at` itself where it is a file's name (`icon@2x.png`)."""
    file = _FILE.search(text, at, end)
    if file is None:
        return end
    return file.start() if "." in text[at : file.start()] else at


def find_ipv4(text: str, start: int, end: int, label: str) -> Iterator[Finding]:
    """Yield IPv4 addresses between two positions. Loopback addresses are nobody's; a version is none."""
    for match in _IPV4.finditer(text, start, end):
        found = match.group()
        is_one = _address(found) and not found.endswith(".0.0.0") and not is_product(text, match.start())
        if is_one and not says_version(before(text, match.start(), label)):
            yield Finding(Pii.IP, *match.span())


def find_ipv6(text: str) -> Iterator[Finding]:
    """Yield IPv6 addresses, those that hold one of version 4, too."""
    for match in _IPV6.finditer(text):
        found = match.group()
        short = "::" in found and _HEXTET.match(found)
        if (short or found.count(":") >= 6) and any(char.isdigit() for char in found) and _address(found):
            yield Finding(Pii.IP, *match.span())


def _address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
