"""Mail addresses, credentials in URLs, and IP addresses.

Sources: RFC 5322 (mail, the common part of it), RFC 3986 section 3.2.1 (user information), RFC 4291 (IPv6).
Not covered: quoted local parts (`"ann lee"@corp.com`); `ann at corp dot com`; credentials in a URL's query that no
label names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from training.privacy.context import before, says_version
from training.privacy.kinds import Finding, Pii

_URL = re.compile(r"://(?P<userinfo>[^\s/?#@:\"'<>]{0,128}:[^\s/?#@\"'<>]{1,256})@")
_LOCAL = "_.!#$%&'*+/=?^`{|}~-"
_DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[^\W\d_]{2,24})(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,45}:)[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.\d{1,3}){3})?"
                   r"(?:%\w{1,15})?(?![\w:])", re.ASCII)  # fmt: skip
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
            yield Finding(Pii.MAIL, start, domain.end())
            at = domain.end() - 1
        at = text.find("@", at + 1)


def _local_start(text: str, at: int) -> int:
    start = at
    while start and at - start < _LOCAL_MAX and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
        start -= 1
    while start < at and text[start] in ".'`/{|=?&":
        start += 1
    return start


def find_ipv4(text: str, start: int, end: int, label: str) -> Iterator[Finding]:
    """Yield IPv4 addresses between two positions. Loopback addresses are nobody's; a version is none."""
    for match in _IPV4.finditer(text, start, end):
        if _address(match.group()) and not says_version(before(text, match.start(), label)):
            yield Finding(Pii.IP, *match.span())


def find_ipv6(text: str) -> Iterator[Finding]:
    """Yield IPv6 addresses."""
    for match in _IPV6.finditer(text):
        found = match.group()
        if ("::" in found or found.count(":") >= 6) and any(char.isdigit() for char in found) and _address(found):
            yield Finding(Pii.IP, *match.span())


def _address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
