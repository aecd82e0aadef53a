"""Phone numbers in international and in national forms.

Decisions: a number that begins with `+` or `00` and a country's code is one where its length is one of that country's.
National forms with the punctuation of phone numbers (`(415) 555-0134`, `06.12.34.56.78`) are found unless a
word before them says that they are something else. Shapes that any number could have (`609 141 777`, `3420837783`)
are found only after a word or in a field that speaks of a phone (`training/privacy/context.py`).
Source of codes and lengths: ITU-T E.164 and the ITU's national numbering plans.
Not covered: letters in numbers (`1-800-FLOWERS`), short codes, extensions as findings of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.privacy.checks import digits_of
from training.privacy.context import before, says_phone
from training.privacy.kinds import Finding, Pii

_PLANS = (
    "1:10-10 7:10-10 20:8-10 27:9-9 30:10-10 31:9-10 32:8-9 33:9-9 34:9-9 36:8-9 39:6-12 40:9-9 41:9-9 43:5-13 "
    "44:7-10 45:8-8 46:7-10 47:5-8 48:9-9 49:5-13 51:8-9 52:10-11 53:6-8 54:10-11 55:8-11 56:8-9 57:8-10 58:10-10 "
    "60:7-10 61:9-10 62:7-12 63:8-10 64:8-10 65:8-8 66:8-9 81:9-10 82:8-11 84:9-10 86:9-12 90:10-10 91:10-11 "
    "92:9-10 93:9-9 94:9-9 95:7-10 98:10-10 211:9-9 212:9-9 213:8-9 216:8-8 218:8-9 220:7-7 221:9-9 225:10-10 "
    "228:8-8 233:9-9 234:8-10 237:9-9 243:9-9 249:9-9 250:9-9 251:9-9 254:9-10 255:9-9 256:9-9 260:9-9 263:8-10 "
    "264:8-9 351:9-9 352:5-11 353:7-10 354:7-9 355:8-9 356:8-8 357:8-8 358:5-12 359:8-9 370:8-8 371:8-8 372:7-10 "
    "373:8-8 374:8-8 375:9-10 376:6-9 377:8-9 378:6-10 380:9-9 381:8-9 382:8-8 383:8-9 385:8-9 386:8-8 387:8-9 "
    "389:8-8 420:9-9 421:9-9 423:7-9 501:7-7 502:8-8 503:8-8 504:8-8 505:8-8 506:8-8 507:7-8 591:8-8 592:7-7 "
    "593:8-9 595:9-9 597:6-7 598:8-8 673:7-7 679:7-7 852:8-8 853:8-8 855:8-9 856:8-10 880:8-10 886:8-9 960:7-7 "
    "961:7-8 962:8-9 963:8-9 964:8-10 965:8-8 966:8-9 967:7-9 968:8-8 970:8-9 971:8-9 972:8-9 973:8-8 974:8-8 "
    "975:8-8 976:8-8 977:8-10 992:9-9 993:8-8 994:9-9 995:9-9 996:9-9 998:9-9"
)
PLANS = {code: (int(low), int(high)) for code, low, high in (re.split("[:-]", entry) for entry in _PLANS.split())}
"""Digits after the country's code, at least and at most, by code."""

_EXT = r"(?:[ ,]{0,2}(?:x|ext\.?|#)[ ]?[0-9]{1,6})?"
_START = r"(?<![A-Za-z0-9+./-])(?<![A-Za-z0-9]_)"
_END = r"(?![0-9A-Za-z]|_[0-9A-Za-z]|-[0-9]|\.(?!0(?![0-9.]))[0-9])"
_ABROAD = re.compile(
    r"(?<![A-Za-z0-9+.-])(?<![A-Za-z0-9]_)"
    r"\(?(?:\+|(?<![0-9])(?<![0-9][ ])00)[ ]?[0-9](?:[ .\-/()\u00a0]{0,3}[0-9]){6,16}" + _EXT + _END,
    re.ASCII,
)
_SHAPES = re.compile(
    _START + r"(?<![0-9][ ])(?:"
    r"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\)[ .-]?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}"  # North America
    r"|\(0[0-9]{1,5}\)[ /-]{0,3}[0-9](?:[ -]?[0-9]){3,8}"  # a trunk 0, area code in parentheses
    r"|0[0-9](?:[. -][0-9]{2}){4}"  # France
    r"|0[0-9]{1,4}[ /-]{1,3}[0-9]{2,9}(?:[ -][0-9]{2,6}){0,4}"  # a trunk 0, then groups
    r"|\(?[1-9][0-9]\)?[ ]9?[0-9]{4}-[0-9]{4}"  # Brazil
    r"|[78][ -]?\([0-9]{3}\)[ -]?[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{2}"  # Russia
    r"|0[1-9][0-9]{8,9}"  # a trunk 0, written together
    r"|1[3-9][0-9]{9}"  # China, mobile
    r"|(?:1[3-9][0-9]|[89][0-9]{2})[ -][0-9]{4}[ -][0-9]{4}"  # China, mobile, in groups
    r")" + _EXT + _END,
    re.ASCII,
)
_ANY = re.compile(_START + r"(?<![0-9][ ])\(?[0-9](?:[ .\-/()\u00a0]{0,3}[0-9]){6,14}" + _EXT + _END, re.ASCII)
_DATE = re.compile(r"[0-3]?[0-9][-/. ][01]?[0-9][-/. ](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[-/.][01][0-9][-/.][0-3][0-9]")
_FLOAT = re.compile(r"[0-9]{7,15}\.0")
"""As tables write a number in a column with gaps."""
_TRUNK = re.compile(r"\(0\)")
_TOLD_EXT = re.compile(r"[ ,]{0,2}(?:x|ext\.?|#)[ ]?[0-9]{1,6}$")


def find_phones(text: str, start: int, end: int, label: str) -> Iterator[Finding]:
    """Yield phone numbers between two positions. Those that overlap are left to the caller."""
    if text.find("+", start, end) >= 0 or text.find("00", start, end) >= 0:
        for match in _ABROAD.finditer(text, start, end):
            if is_abroad(match.group()):
                yield Finding(Pii.PHONE, *match.span())
    for match in _SHAPES.finditer(text, start, end):
        count = len(digits_of(_number(match.group())))
        plausible = 8 <= count <= 13 and not _DATE.match(match.group())
        if plausible and says_phone(before(text, match.start(), label)) is not False:
            yield Finding(Pii.PHONE, *match.span())
    for match in _ANY.finditer(text, start, end):
        if not _DATE.match(match.group()) and says_phone(before(text, match.start(), label)):
            is_float = _FLOAT.fullmatch(match.group()) is not None
            yield Finding(Pii.PHONE, match.start(), match.end() - 2 * is_float)


def is_abroad(text: str) -> bool:
    """Say whether a number that begins with `+` or `00` is as long as its country's are."""
    digits = digits_of(_TRUNK.sub("", _number(text)))
    digits = digits if "+" in text else digits[2:]
    code = country_code(digits)
    if code is None:
        return False
    low, high = PLANS[code]
    return low <= len(digits) - len(code) <= high + 1


def canonical_phone(text: str) -> str:
    """Return a number's digits, those of one abroad after `+`, without trunk 0 and extension."""
    number = _number(text)
    if "+" in number or (number.lstrip(" (").startswith("00") and is_abroad(text)):
        digits = digits_of(_TRUNK.sub("(", number))
        return "+" + (digits if "+" in number else digits[2:])
    return digits_of(number)


def written_like(fake: str, text: str) -> str:
    """Return a made-up number, in canonical form, as `text` is written: its separators, prefix, trunk 0, extension."""
    number = _number(text)
    digits = iter(fake.removeprefix("+"))
    abroad = fake.startswith("+") and "+" not in number and number.lstrip(" (").startswith("00")
    begin = number.index("00") + 2 if abroad else 0
    trunk = _TRUNK.search(number) if fake.startswith("+") else None
    kept = trunk.start() + 1 if trunk else -1
    return (
        "".join(
            next(digits, char) if char.isdigit() and place >= begin and place != kept else char
            for place, char in enumerate(text[: len(number)])
        )
        + text[len(number) :]
    )


def country_code(digits: str) -> str | None:
    """Return the country's code that `digits` begin with."""
    return next((digits[:size] for size in (1, 2, 3) if digits[:size] in PLANS), None)


def _number(text: str) -> str:
    """Return the number without its extension."""
    return _TOLD_EXT.sub("", text)
