"""Made-up values: of the same shape as what they replace, valid where that was, and to be told from real ones.

Decisions: what is free in a value (not a country's prefix, an issuer's head, a check digit) is drawn; the last few of
the free characters are not, they are a digest of the key and the others (a mark). So whoever knows the key, the
example's id, tells a made-up value from a real one without any list of those that were made: a real one passes by
chance once in 10^m, m being 1 to 5 digits as a value has room. Mail and IP addresses are of reserved ranges besides.
Sources: RFC 2606 (names), RFC 2544 and RFC 3849 (addresses); check digits as in `training/privacy/checks.py`.
Not covered: that nobody has a made-up phone number or card; numbers that are reserved for that are too few.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from training.privacy.accounts import iban_of, is_card
from training.privacy.checks import digits_of, iban_remainder, luhn_ok
from training.privacy.encoded import places_of_escapes, plain
from training.privacy.keys import KEPT
from training.privacy.kinds import Pii
from training.privacy.national_ids import NationalId, canonical_id, ids_of
from training.privacy.phones import canonical_phone, country_code

RESERVED_DOMAINS = ("example.com", "example.org", "example.net")
ENDINGS = ("test", "example", *RESERVED_DOMAINS)
"""Under which nobody has an address (RFC 2606). Several, so that a model copies an ending in place of learning one."""
_RESERVED_ENDING = re.compile(r"(?:^|\.)(?:test|example|invalid|localhost|example\.(?:com|org|net))$")
_NETWORKS = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32")
)
_FICTIONAL = re.compile(r"\+?1?[2-9][0-9]{2}55501[0-9]{2}")
GIVEN = tuple(
    (  # noqa: SIM905
        "Avery Blair Casey Dana Ellis Finley Gray Harper Indra Jules Kai Logan Marlow Noor Oakley Parker "
        "Quinn Remy Sage Toni Uli Vesper Wren Yael"
    ).split()
)
FAMILY = tuple(
    (  # noqa: SIM905
        "Abernall Brackwood Corvane Dellamar Eastrow Fenwhistle Garrowby Hollinsea Ivermoor Jarrowgate "
        "Kestrelle Larkmont Merrowdale Northolme Oxenbridge Pellworth"
    ).split()
)
PLACES = tuple(
    (  # noqa: SIM905
        "Alderwick Brightmere Copperfold Dunmarrow Elderhaven Fernholt Glasswater Hartsmoor Inverlea "
        "Kingsfallow Lindenmarsh Mosswick Oakhollow"
    ).split()
)
_CLASSES = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
_HEX = 24
"""Hexadecimal characters from which on a string stays one."""
_NUMBERS = (Pii.CARD, Pii.NATIONAL_ID, Pii.PHONE)
_LEAST_DIGITS = 9
"""Of a number that may have been made as one of another kind: a shorter one has no room for a mark that tells."""
_MARK = 5
"""Most characters of a mark."""


def canonical(kind: Pii, text: str) -> str:
    """Return the form under which two spellings are the same value, escaped or not."""
    text = read(kind, text)
    match kind:
        case Pii.CARD:
            return digits_of(text)
        case Pii.PHONE:
            return canonical_phone(text)
        case Pii.IBAN:
            return iban_of(text)
        case Pii.NATIONAL_ID:
            return canonical_id(text)
        case Pii.IP:
            address = ipaddress.ip_address(text)
            return str((address.version == 6 and address.ipv4_mapped) or address)
        case Pii.MAIL | Pii.TERM | Pii.NAME | Pii.ADDRESS:
            return text.casefold()
    return text


def read(kind: Pii, text: str) -> str:
    """Return a value without its escapes; secrets, credentials and terms may hold what looks like one."""
    return text if kind in (Pii.SECRET, Pii.URL_CREDENTIALS, Pii.TERM) else plain(text)


def make(key: str, kind: Pii, text: str, attempt: int) -> str:
    """Return a made-up value of this kind in canonical form; `text` is a real one as it is written."""
    value = canonical(kind, text)
    seed, mark = f"{key}\0{kind}\0{value}\0{attempt}", f"{key}\0{kind}"
    match kind:
        case Pii.MAIL:
            return _mail(value, seed, mark)
        case Pii.IP:
            return _ip(value, seed)
        case Pii.CARD:
            body = marked(value, range(4, len(value) - 1), seed=seed, mark=mark, hidden=(len(value) - 1,))
            return next(body[:-1] + check for check in string.digits if luhn_ok(body[:-1] + check))
        case Pii.IBAN:
            body = marked(value, range(4, len(value)), seed=seed, mark=mark, hidden=(2, 3))
            body = f"{body[:2]}00{body[4:]}"
            return f"{body[:2]}{98 - iban_remainder(body):02d}{body[4:]}"
        case Pii.NATIONAL_ID:
            return _national_id(value, read(kind, text), seed=seed, mark=mark)
        case Pii.NAME:
            return " ".join(
                _choice(FAMILY if at else GIVEN, f"{key}\0{kind}\0{word}\0{attempt}")
                for at, word in enumerate(value.split())
            )
        case Pii.ADDRESS:
            return _choice(PLACES, seed)
    template = folded(value)
    return marked(template, _free(kind, template), seed=seed, mark=mark)


def is_made_up(key: str, kind: Pii, text: str) -> bool:
    """Say whether `make` made this value for this key; a real one passes by chance as rarely as the mark is long."""
    value, mark = canonical(kind, text), f"{key}\0{kind}"
    match kind:
        case Pii.CARD:
            return is_card(value) and has_mark(value, range(4, len(value) - 1), hidden=(len(value) - 1,), mark=mark)
        case Pii.IBAN:
            return has_mark(value, range(4, len(value)), hidden=(2, 3), mark=mark)
        case Pii.NATIONAL_ID:
            plain = has_mark(value, _alnum(value), mark=mark)
            return plain or any(_is_marked_id(one, value, mark) for one in ids_of(value))
        case Pii.NAME:
            return all(word in {name.casefold() for name in (*GIVEN, *FAMILY)} for word in value.split())
        case Pii.ADDRESS:
            return value in {place.casefold() for place in PLACES}
        case Pii.IP:
            return is_reserved(kind, text)
        case Pii.MAIL:
            local = value.rpartition("@")[0]
            free = _alnum(local)
            return is_reserved(kind, text) and (len(free) < 2 or has_mark(local, free, mark=mark))
    return has_mark(value, _free(kind, value), mark=mark)


def is_of(keys: Iterable[str], kind: Pii, text: str) -> bool:
    """Say whether one of the keys made this value; a number may look like one of another kind than it was made as."""
    kinds = _NUMBERS if kind in _NUMBERS and sum(map(str.isdigit, text)) >= _LEAST_DIGITS else (kind,)
    return any(is_made_up(key, other, text) for key in keys for other in kinds)


def is_reserved(kind: Pii, text: str) -> bool:
    """Say whether a value is of a range that nobody can have."""
    if kind is Pii.MAIL:
        return _RESERVED_ENDING.search(canonical(kind, text).rpartition("@")[2]) is not None
    if kind is Pii.IP:
        address = ipaddress.ip_address(canonical(kind, text))
        return any(address in network for network in _NETWORKS)
    return kind is Pii.PHONE and _FICTIONAL.fullmatch(canonical_phone(text)) is not None


def marked(template: str, free: Sequence[int], *, seed: str, mark: str, hidden: Sequence[int] = ()) -> str:
    """Return `template` with its free places drawn from `seed`, the last of them being the mark of all the others.

    `hidden` places, such as check digits that are not known yet, do not count for the mark.
    """
    chars, stream, classes = list(template), _stream(seed), _classes(template, free)
    count = _marks(free)
    for place in free[: len(free) - count]:
        chars[place] = _drawn(template[place], stream, classes)
    return _with_mark(chars, free, hidden, mark)


def has_mark(value: str, free: Sequence[int], *, mark: str, hidden: Sequence[int] = ()) -> bool:
    """Say whether the last free places of `value` are the mark of the others; `hidden` places (checks) do not count."""
    return _marks(free) > 0 and _with_mark(list(value), free, hidden, mark) == value


def _marks(free: Sequence[int]) -> int:
    return min(_MARK, max(len(free) - 1, 0), (len(free) * 3 + 2) // 4)


def _with_mark(chars: list[str], free: Sequence[int], hidden: Sequence[int], mark: str) -> str:
    tail = free[len(free) - _marks(free) :]
    seen, classes = list(chars), _classes(chars, free)
    for place in (*tail, *hidden):
        seen[place] = "?"
    stream = _stream(f"{mark}\0{''.join(seen)}")
    for place in tail:
        chars[place] = _drawn(chars[place], stream, classes)
    return "".join(chars)


def _classes(chars: Sequence[str], free: Sequence[int]) -> tuple[str, ...]:
    """Return the alphabets to draw from: of a long hexadecimal string its own."""
    drawn = {chars[place] for place in free}
    is_hex = len(free) >= _HEX and drawn <= set("0123456789abcdef") and not drawn <= set(string.digits)
    return ("0123456789abcdef",) if is_hex else _CLASSES


def _stream(seed: str) -> Iterator[int]:
    """Yield bytes that depend on `seed` alone."""
    block = 0
    while True:
        yield from hashlib.sha256(f"{seed}\0{block}".encode("utf-8", "surrogatepass")).digest()
        block += 1


def _drawn(char: str, stream: Iterator[int], classes: Sequence[str] = _CLASSES) -> str:
    """Return a digit for a digit, a letter of the same case for a letter, all else as it is."""
    alphabet = next((letters for letters in classes if char in letters), "")
    return alphabet[next(stream) % len(alphabet)] if alphabet else char


def _choice(among: Sequence[str], seed: str) -> str:
    return among[int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:4]) % len(among)]


def folded(text: str) -> str:
    """Return the text with Latin letters in place of those of any alphabet, and ASCII digits in place of others."""
    if text.isascii():
        return text
    return "".join(
        char
        if char.isascii()
        else ("A" if char.isupper() else "a")
        if char.isalpha()
        else "0"
        if char.isdigit()
        else "_"
        for char in text
    )


def _alnum(text: str, start: int = 0) -> list[int]:
    return [place for place, char in enumerate(text) if place >= start and char.isascii() and char.isalnum()]


def _free(kind: Pii, value: str) -> list[int]:
    """Return the places of a phone number, a secret, credentials or a term that may be drawn."""
    if kind is Pii.PHONE:
        return list(range(_kept_of_phone(value), len(value)))
    begin, end = 0, len(value)
    if kind is Pii.SECRET and value.startswith("-----"):
        begin, foot = value.index("-----", 5) + 5, value.rfind("-----END")
        end = foot if foot > begin else end
    elif kind is Pii.SECRET and (kept := KEPT.match(value)):
        begin = kept.end()
    escapes = places_of_escapes(value)
    return [place for place in _alnum(value, begin) if place < end and place not in escapes]


def _kept_of_phone(value: str) -> int:
    """Return how much of a phone number says its country and region."""
    if value.startswith("+"):
        code = country_code(value[1:]) or ""
        return min(1 + len(code) + (3 if code == "1" else 2), len(value) - 4)
    return min(3, len(value) - 4)


def _mail(value: str, seed: str, mark: str) -> str:
    local, _, domain = folded(value).rpartition("@")
    place = marked(local, _alnum(local), seed=seed, mark=mark)
    if _RESERVED_ENDING.search(domain):
        return f"{place}@{domain}"
    stream = _stream(f"{seed}\0domain")
    fitting = [ending for ending in ENDINGS if len(ending) + 2 <= len(domain)] or ENDINGS[:1]
    ending = fitting[next(stream) % len(fitting)]
    label = "".join(_drawn("a", stream) for _ in range(max(len(domain) - len(ending) - 1, 1)))
    return f"{place}@{label[:63]}.{ending}"


def _ip(value: str, seed: str) -> str:
    stream = _stream(seed)
    if ":" in value:
        return str(ipaddress.ip_address(f"2001:db8::{next(stream) + 1:x}:1{next(stream):02x}{next(stream) % 16:x}"))
    return f"198.{18 + next(stream) % 2}.{next(stream)}.{1 + next(stream) % 254}"


def _national_id(value: str, text: str, *, seed: str, mark: str) -> str:
    """Return an id of the same kind with another date and right check digits; where none is right, of its shape."""
    for one in ids_of(value, text):
        places = _places(one.checks, value)
        for draw in range(200):
            body = list(_marked_id(one, value, seed=f"{seed}\0{draw}", mark=mark))
            for checks in product(*(_class_of(value[place]) for place in places)):
                for place, char in zip(places, checks, strict=True):
                    body[place] = char
                made = "".join(body)
                if one.valid is None or one.valid(made):
                    return made
    return marked(value, _alnum(value), seed=seed, mark=mark)


def _marked_id(one: NationalId, value: str, *, seed: str, mark: str) -> str:
    """Return the id with its free places drawn, check digits to come; where it has a date, that is the mark."""
    places, free = _places(one.checks, value), _free_of_id(one, value)
    if one.date is None:
        return marked(value, free, hidden=places, seed=seed, mark=mark)
    chars, stream = list(value), _stream(seed)
    for place in free:
        chars[place] = _drawn(chars[place], stream)
    return _with_date(one, "".join(chars), mark)


def _is_marked_id(one: NationalId, value: str, mark: str) -> bool:
    if one.date is None:
        return has_mark(value, _free_of_id(one, value), hidden=_places(one.checks, value), mark=mark)
    return _with_date(one, value, mark) == value


def _with_date(one: NationalId, value: str, mark: str) -> str:
    """Return the id with the date that its other digits, but for the check digits, ask for."""
    seen = list(value)
    for place in (*_date_of(one, value), *_places(one.checks, value)):
        seen[place] = "?"
    return _dated(one, value, f"{mark}\0{''.join(seen)}")


def _places(checks: Sequence[int], value: str) -> list[int]:
    return [check % len(value) for check in checks]


def _free_of_id(one: NationalId, value: str) -> list[int]:
    taken = {*range(one.keep), *_places(one.checks, value), *_date_of(one, value)}
    return [place for place in range(len(value)) if place not in taken]


def _date_of(one: NationalId, value: str) -> range:
    if one.date is None:
        return range(0)
    start = one.date[0] % len(value)
    return range(start, start + len(one.date[1]))


def _dated(one: NationalId, value: str, seed: str) -> str:
    """Return the id with another date in it."""
    if one.date is None:
        return value
    stream = _stream(f"{seed}\0date")
    told = {
        "d": f"{1 + next(stream) % 28:02d}",
        "m": f"{1 + next(stream) % 12:02d}",
        "y": f"19{50 + next(stream) % 50}",
    }
    where = _date_of(one, value)
    form = one.date[1]
    written = re.sub(r"d+|m+|y+", lambda part: told[part.group()[0]][-len(part.group()) :], form)
    return value[: where.start] + written + value[where.stop :]


def _class_of(char: str) -> str:
    return string.ascii_uppercase if char.isalpha() else string.digits


def is_valid(kind: Pii, value: str, fake: str) -> bool:
    """Say whether a made-up value is as valid as the real one: issuer, North American exchange, no leading zero."""
    if kind is Pii.CARD and is_card(value) and not is_card(fake):
        return False
    if kind in (Pii.NATIONAL_ID, Pii.PHONE) and fake.isdigit() and is_card(fake):
        return False
    if kind is Pii.PHONE:
        national = value.removeprefix("+1") if value.startswith("+1") else value
        if len(national) == 10 and national[0] in "23456789" and national[3] in "23456789":
            place = len(value) - 7
            return fake[place] in "23456789"
    return kind is not Pii.NATIONAL_ID or value[0] == "0" or fake[0] != "0"
