"""Credentials in headers and on command lines: `Authorization`, cookies, `curl -u`, `--password`.

Decisions: each rule runs only where its own word stands in the text. A `Basic` value is one where it decodes to a user
and a password; a cookie's or an option's value where it is as mixed as a random string (a password's whatever it is).
Source: RFC 7617 (Basic), RFC 6750 (Bearer), RFC 6265 (cookies), the manuals of curl, wget, mysql and sshpass.
Not covered: options of other programs; a header that is split over lines.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from training.privacy.keys import is_mixed, is_secret
from training.privacy.kinds import Finding, Pii

_SCHEME = re.compile(
    r"\b(?:(?P<bearer>bearer|token|apikey|negotiate)|(?P<basic>basic))\s{1,3}(?P<value>[A-Za-z0-9+/_=.~-]{6,2000})",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\b(?:proxy-)?authorization[\"'`]?\s{0,3}[:=]\s{0,3}[\"'`]?(?:[A-Za-z]{3,12}\s{1,3})?(?P<value>[A-Za-z0-9+/_=.~:-]{8,2000})",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"\b(?:set-)?cookie[\"'`]?\s{0,3}:\s{0,3}[\"'`]?(?P<pairs>[^\r\n\"'`]{4,2000})", re.IGNORECASE)
_PAIR = re.compile(r"(?<![^;\s])[\w.-]{1,64}=(?P<value>[^;\s]{16,1000})")
_USER = re.compile(r"(?<![\w-])(?:-u|--user|-U|--proxy-user)[ =]{0,2}[\"']?(?P<value>[^\s\"':/]{1,64}:[^\s\"']{1,128})")
_OPTION = re.compile(
    r"(?<![\w-])--?(?:[a-z]{1,16}-)?(?:(?P<password>password|passwd|pass|pw)|token|secret|api-?key|secret-?key|"
    r"access-?key)(?:=|\s{1,2})[\"']?(?P<value>[^\s\"']{4,400})",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"\b(?:sshpass\s{1,3}-p\s{0,2}|(?:mysql|mysqldump|mariadb)\b[^\n|;]{0,120}?\s-p)[\"']?(?P<value>[^\s\"'-][^\s\"']{3,128})"
)
_COMMANDS = ("curl", "wget", "http", "xh ", "sshpass", "mysql", "mariadb")


def find_credentials(text: str, small: str, entropy: float) -> Iterator[Finding]:
    """Yield credentials of headers and command lines; `small` and `entropy` as in `find_secrets`."""
    if "basic" in small or "bearer" in small or "authorization" in small or "token " in small:
        yield from _in_headers(text, small, entropy)
    if "cookie" in small:
        for match in _COOKIE.finditer(text):
            for pair in _PAIR.finditer(text, *match.span("pairs")):
                if is_mixed(pair["value"], entropy):
                    yield Finding(Pii.SECRET, *pair.span("value"))
    if " -" in text or text.startswith("-"):
        yield from _in_commands(text, entropy)


def _in_headers(text: str, small: str, entropy: float) -> Iterator[Finding]:
    for match in _SCHEME.finditer(text):
        value = match["value"]
        if (match["basic"] and _is_basic(value)) or (not match["basic"] and is_mixed(value.rstrip("."), entropy)):
            yield Finding(Pii.SECRET, match.start("value"), match.end("value") - (value[-1] == "."))
    if "authorization" in small:
        for match in _HEADER.finditer(text):
            if _is_opaque(match["value"]) or _is_basic(match["value"]):
                yield Finding(Pii.SECRET, *match.span("value"))


def _in_commands(text: str, entropy: float) -> Iterator[Finding]:
    if any(map(text.__contains__, _COMMANDS)):
        for match in _USER.finditer(text):
            if not match["value"].replace(":", "").isdigit():
                yield Finding(Pii.URL_CREDENTIALS, *match.span("value"))
        for match in _SHORT.finditer(text):
            yield Finding(Pii.SECRET, *match.span("value"))
    for match in _OPTION.finditer(text):
        if is_secret(match["value"], entropy, bool(match["password"]), False) and match["value"][0] != "-":
            yield Finding(Pii.SECRET, *match.span("value"))


def _is_basic(value: str) -> bool:
    """Say whether this is a user and a password in Base64."""
    try:
        told = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in told and told.isprintable()


def _is_opaque(value: str) -> bool:
    """Say whether a value is no word and no name of a variable: it has a digit, or capitals among small letters."""
    return any(char.isdigit() for char in value) or (value.upper() != value and value[1:].lower() != value[1:])
