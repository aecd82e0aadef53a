"""Card numbers and bank accounts.

Sources: ISO/IEC 7812-1 (cards; the issuers' ranges and lengths are those that they publish), ISO 13616 and the SWIFT
IBAN registry (bank accounts).
Not covered: national account numbers without an IBAN, which have no check digits that would tell them from others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.privacy.checks import digits_of, iban_remainder, luhn_ok
from training.privacy.context import before, says_numbered
from training.privacy.kinds import Finding, Pii

IBAN_LENGTHS = {
    entry[:2]: int(entry[3:])
    for entry in (  # noqa: SIM905
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 "
        "DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 "
        "IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 "
        "MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 "
        "SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
    ).split()
}
"""Characters of an IBAN by country (SWIFT IBAN registry)."""

_ALSO = {22: (21,)}
"""Further lengths by the right one: test data has British numbers that lack a digit, with right check digits."""
_SHORTEST, _LONGEST = 14, 34
_APART = " -._/+\t\r\n"
_BETWEEN = re.compile(r"[ \-._/+\t\r\n]+")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?[0-9]{2}(?=[ \-._/+\n]{0,2}[A-Za-z0-9]{2})")
_START = r"(?<![A-Za-z0-9.])(?<![A-Za-z0-9][_+-])(?<!\+[0-9][ ])(?<!\+[0-9]{2}[ ])(?<!\+[0-9]{3}[ ])"
_END = r"(?![0-9A-Za-z]|_[0-9A-Za-z]|-[0-9]|\.(?!0+(?![0-9.]))[0-9])"
_GAP = r"(?:[ .\-_/+]|[ \t]?\r?\n[ \t]?)"
_CARD = re.compile(
    rf"{_START}(?:[0-9]{{12,19}}|[0-9]{{4}}{_GAP}[0-9]{{4}}(?:{_GAP}[0-9]{{4}}){{2}}(?:{_GAP}[0-9]{{1,3}})?|"
    rf"[0-9]{{4}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{4,5}}){_END}",
    re.ASCII,
)
_SPACED = re.compile(r"(?<![\w.+-])(?<![0-9] )[0-9](?: [0-9]){14,15}(?![0-9A-Za-z]|[.-][0-9]| [0-9])", re.ASCII)
"""A space after each digit: of 15 or 16 only, since lists of digits are written like this, too."""
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|(?:5[1-5]|2[2-7])[0-9]{14}|3[47][0-9]{13}|3(?:0[0-5]|09|[689])[0-9]{11,16}|"
    r"35[0-9]{14}|(?:1800|2131)[0-9]{11}|(?:5018|5020|5038|5[678][0-9]{2}|6304|639[0-9]|67[0-9]{2}|0604)[0-9]{8,15}|"
    r"6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2}|0[0-9]{2}|8[0-9]{2})[0-9]{12,15}|220[0-4][0-9]{12,15}|9792[0-9]{12}|"
    r"8[12][0-9]{14}"
)
"""Visa, Mastercard, American Express, Diners, JCB, Maestro, Discover, UnionPay and RuPay, Mir, Troy."""


_GROUP = 4
_SPACED_LEAST = 29
"""Characters of the shortest number with a space after each digit."""


def find_ibans(text: str, start: int, end: int, label: str) -> Iterator[Finding]:
    """Yield IBANs that begin between two positions, in groups or not, in capitals or not.

    Where a word says that it is one, any length will do that the check digits are right for.
    """
    for match in _IBAN.finditer(text, start, end):
        length = IBAN_LENGTHS.get(match.group()[:2].upper(), 0)
        if not length:
            continue
        also = range(_LONGEST, _SHORTEST, -1) if "iban" in before(text, match.start(), label) else _ALSO.get(length, ())
        for seen in (length, *also):
            stop = _end_of(text, match.start(), seen)
            written = text[match.start() : stop]
            if stop and iban_remainder(iban_of(written)) == 1 and _is_grouped(written, strict=seen != length):
                yield Finding(Pii.IBAN, match.start(), stop)
                break


def _end_of(text: str, start: int, length: int) -> int:
    """Return where as many letters and digits end, in groups or not; 0 where there are fewer or more."""
    stop, seen, apart = start, 0, 0
    while stop < len(text) and seen < length and apart <= 2:
        char = text[stop]
        if char.isascii() and char.isalnum():
            seen, apart = seen + 1, 0
        elif char in _APART:
            apart += 1
        else:
            return 0
        stop += 1
    return stop if seen == length and not (text[stop : stop + 1].isalnum() and text[stop].isascii()) else 0


def _is_grouped(text: str, *, strict: bool) -> bool:
    """Say whether marks stand after every four characters, as they do not in a UUID; spaces, too, where `strict`."""
    groups = _BETWEEN.split(text) if strict else re.split(r"[-._/+]", text)
    return all(len(group.strip()) == _GROUP for group in groups[:-1])


def iban_of(text: str) -> str:
    """Return an IBAN in capitals, without what stands between its groups."""
    return _BETWEEN.sub("", text).upper()


def is_card(digits: str) -> bool:
    """Say whether an issuer has such numbers and the check digit is right."""
    return _ISSUERS.fullmatch(digits) is not None and luhn_ok(digits)


def find_cards(text: str, start: int, end: int, label: str) -> Iterator[Finding]:
    """Yield card numbers between two positions; digits alone are none right after `order number` and the like."""
    for match in _CARD.finditer(text, start, end):
        found = match.group()
        is_one = found.count("\n") < 2 and is_card(digits_of(found))
        if is_one and not (found.isdigit() and says_numbered(before(text, match.start(), label))):
            yield Finding(Pii.CARD, *match.span())
    if end - start >= _SPACED_LEAST:
        for match in _SPACED.finditer(text, start, end):
            if is_card(digits_of(match.group())):
                yield Finding(Pii.CARD, *match.span())
