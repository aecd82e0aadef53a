"""Find personal data and secrets in text by their published shapes.

A first, fast pass. Decisions: a finding needs a shape that ordinary ids do not have, and a checksum where the kind has
one (cards: Luhn, ISO/IEC 7812-1; IBAN: mod 97, ISO 13616). Loopback addresses are nobody's.
Not covered: names, postal addresses, national ids, phone numbers written without separators and without `+`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from training.privacy.kinds import Finding, Pii

_URL = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://(?P<userinfo>[^\s/?#@:\"'<>]{1,128}:[^\s/?#@\"'<>]{1,256})@")
_SECRET = re.compile(
    r"\b(?:(?:sk|pk|rk)[-_][A-Za-z0-9_-]{20,200}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}"
    r"|glpat-[A-Za-z0-9_-]{20,64}|(?:AKIA|ASIA)[0-9A-Z]{16}\b|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,64}"
    r"|xox[abposr]-[A-Za-z0-9-]{10,200}|eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,1000})"
    r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]{1,8000}-----END [A-Z ]{0,20}PRIVATE KEY-----"
)
_MAIL = re.compile(r"(?<![\w.%+-])[\w%+-][\w.%+-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?=[ ]?[A-Z0-9]{4})")
_CARD = re.compile(r"(?<![\d.-])[2-6]\d(?:[ -]?\d){11,17}(?![\d]|[.-]\d)", re.ASCII)
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])", re.ASCII)
_PHONE = re.compile(
    r"(?<![\w+.-])(?:\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}"
    r"|\(\d{3}\)[ -]?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[.-]\d{4}|0\d{2,5}[ /-]\d{5,9})(?![\w]|[.-]\d)",
    re.ASCII,
)

IBAN_LENGTHS = dict(
    entry.split(":")
    for entry in (  # noqa: SIM905
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 "
        "EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 "
        "IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 NL:18 "
        "NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 TL:23 TN:24 "
        "TR:26 UA:29 VA:22 VG:24 XK:20"
    ).split()
)
"""Characters of an IBAN by country (SWIFT IBAN registry)."""


_CARD_LENGTHS = {"2": (16,), "3": (14, 15, 16), "4": (13, 16, 19), "5": (16,), "6": (16, 17, 18, 19)}
"""Digits of a card number by its first digit."""


def luhn_ok(digits: str) -> bool:
    """Say whether the last digit is the Luhn check digit of the others."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_remainder(iban: str) -> int:
    """Return the IBAN (without spaces) modulo 97; 1 where its check digits are right."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def digits_of(text: str) -> str:
    """Return the ASCII digits of `text`."""
    return "".join(char for char in text if "0" <= char <= "9")


def _urls(text: str) -> Iterator[Finding]:
    for match in _URL.finditer(text):
        yield Finding(Pii.URL_CREDENTIALS, *match.span("userinfo"))


def _plain(kind: Pii, pattern: re.Pattern[str]) -> Callable[[str], Iterator[Finding]]:
    return lambda text: (Finding(kind, *match.span()) for match in pattern.finditer(text))


def _ibans(text: str) -> Iterator[Finding]:
    for match in _IBAN.finditer(text):
        length = int(IBAN_LENGTHS.get(match.group()[:2], 0))
        end, seen = match.start(), 0
        while (
            seen < length
            and end < len(text)
            and (text[end] == " " or "0" <= text[end] <= "9" or "A" <= text[end] <= "Z")
        ):
            seen += text[end] != " "
            end += 1
        whole = text[match.start() : end].replace(" ", "")
        cut = end < len(text) and text[end].isalnum()
        if length and seen == length and not cut and iban_remainder(whole) == 1:
            yield Finding(Pii.IBAN, match.start(), end)


def _cards(text: str) -> Iterator[Finding]:
    for match in _CARD.finditer(text):
        digits = digits_of(match.group())
        if len(digits) in _CARD_LENGTHS[digits[0]] and luhn_ok(digits):
            yield Finding(Pii.CARD, *match.span())


def _ips(text: str) -> Iterator[Finding]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 9) : match.start()].lower()
            if before.endswith(("v", "version ")):
                continue
            try:
                address = ipaddress.ip_address(match.group())
            except ValueError:
                continue
            if not (address.is_loopback or address.is_unspecified):
                yield Finding(Pii.IP, *match.span())


def _phones(text: str) -> Iterator[Finding]:
    for match in _PHONE.finditer(text):
        if 8 <= len(digits_of(match.group())) <= 15:
            yield Finding(Pii.PHONE, *match.span())


_DIGITS = re.compile(r"[0-9]")


def _has_digits(text: str) -> bool:
    return _DIGITS.search(text) is not None


_FINDERS: tuple[tuple[Callable[[str], bool], Callable[[str], Iterator[Finding]]], ...] = (
    (lambda text: "://" in text, _urls),
    (lambda text: True, _plain(Pii.SECRET, _SECRET)),
    (lambda text: "@" in text, _plain(Pii.MAIL, _MAIL)),
    (_has_digits, _ibans),
    (_has_digits, _cards),
    (lambda text: text.count(".") >= 3 or text.count(":") >= 2, _ips),
    (_has_digits, _phones),
)
"""In order of precedence: what an earlier finder took, a later one leaves."""


def find(text: str) -> list[Finding]:
    """Return what was found, by position, without overlaps."""
    taken: list[Finding] = []
    for may_hold, finder in _FINDERS:
        if may_hold(text):
            taken += [
                found for found in finder(text) if all(found.end <= t.start or found.start >= t.end for t in taken)
            ]
    return sorted(taken, key=lambda finding: finding.start)
