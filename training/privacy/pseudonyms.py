"""Replace a finding by another valid value of the same shape, always the same one within an example.

Decisions: the replacement depends on the key, the kind and the value alone (no state of a generator), so one example
scrubs the same in any order and on any machine. Values are compared in canonical form (mail without case, numbers by
their digits) and written in the form that they replace, so that `+1 415 555-0134` and `+14155550134` stay one number.
"""

from __future__ import annotations

import hashlib
import ipaddress
import string
from collections.abc import Iterator

from training.privacy.find import digits_of, iban_remainder, luhn_ok
from training.privacy.kinds import Pii

_RESERVED = ("example.com", "example.org", "example.net")
_ENDINGS = ("example", "test", *_RESERVED)
"""Under which nobody has an address (RFC 2606). Several, so that a model copies an ending in place of learning one."""
_SECRET_HEADS = (
    "sk-",
    "sk_",
    "pk-",
    "pk_",
    "rk-",
    "rk_",
    "github_pat_",
    "glpat-",
    "AKIA",
    "ASIA",
    "AIza",
    "hf_",
    "eyJ",
)


def canonical(kind: Pii, text: str) -> str:
    """Return the form under which two spellings are the same value."""
    if kind in (Pii.CARD, Pii.PHONE):
        return digits_of(text)
    if kind is Pii.IBAN:
        return text.replace(" ", "")
    if kind is Pii.IP:
        return str(ipaddress.ip_address(text))
    return text.casefold() if kind is Pii.MAIL else text


class ScrubError(Exception):
    """A value could not be replaced."""


class Pseudonyms:
    """The replacements of one example; no two values share one."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._fakes: dict[tuple[Pii, str], str] = {}
        self._taken: set[str] = set()

    def __len__(self) -> int:
        return len(self._fakes)

    def reserve(self, kind: Pii, text: str) -> None:
        """Say that this value occurs, so that nothing else is replaced by it."""
        self._taken.add(canonical(kind, text))

    def of(self, kind: Pii, text: str) -> str:
        """Return the replacement of `text`, in the same shape."""
        value = canonical(kind, text)
        if (kind, value) not in self._fakes:
            attempt = 0
            while (fake := self._make(kind, value, attempt)) in self._taken:
                attempt += 1
                if attempt > 100:
                    raise ScrubError(f"found no free replacement for a {kind} of {len(value)} characters in 100 draws")
            self._taken.add(fake)
            self._fakes[kind, value] = fake
        return _in_form(self._fakes[kind, value], text) if kind in _GROUPED else self._fakes[kind, value]

    def number(self, digits: str) -> str | None:
        """Return the replacement of a bare digit string where it is a known card or phone number, else None."""
        return self._fakes.get((Pii.CARD, digits)) or self._fakes.get((Pii.PHONE, digits))

    def _make(self, kind: Pii, value: str, attempt: int) -> str:
        stream = _stream(f"{self._key}\0{kind}\0{value}\0{attempt}")
        if kind is Pii.MAIL:
            return _mail(value, stream)
        if kind is Pii.CARD:
            return _card(value, stream)
        if kind is Pii.IBAN:
            return _iban(value, stream)
        if kind is Pii.IP:
            return _ip(value, stream)
        if kind is Pii.SECRET:
            return _secret(value, stream)
        return _phone(value, stream) if kind is Pii.PHONE else f"user{next(stream)}:{_same_classes('aaaa00', stream)}"


_GROUPED = (Pii.CARD, Pii.PHONE, Pii.IBAN)


def _stream(seed: str) -> Iterator[int]:
    """Yield bytes that depend on `seed` alone."""
    block = 0
    while True:
        yield from hashlib.sha256(f"{seed}\0{block}".encode("utf-8", "surrogatepass")).digest()
        block += 1


def _in_form(fake: str, text: str) -> str:
    """Write the characters of `fake` where `text` has letters or digits; separators stay."""
    chars = iter(fake)
    return "".join(next(chars) if char.isascii() and char.isalnum() else char for char in text)


def _same_classes(value: str, stream: Iterator[int]) -> str:
    """Replace digits by digits and letters by letters of the same case."""
    out = []
    for char in value:
        classes = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
        alphabet = next((letters for letters in classes if char in letters), "")
        out.append(alphabet[next(stream) % len(alphabet)] if alphabet else char)
    return "".join(out)


def _mail(value: str, stream: Iterator[int]) -> str:
    local, _, domain = value.rpartition("@")
    if domain not in _RESERVED:
        domain = f"{_letters(domain.partition('.')[0], stream)}.{_ENDINGS[next(stream) % len(_ENDINGS)]}"
    return f"{_letters(local, stream)}@{domain}"


def _letters(text: str, stream: Iterator[int]) -> str:
    """Replace letters of any alphabet by small Latin ones, and digits by digits."""
    return _same_classes("".join("a" if char.isalpha() else "0" if char.isdigit() else char for char in text), stream)


def _phone(value: str, stream: Iterator[int]) -> str:
    kept = 2 if value.startswith("0") else 1
    return value[:kept] + _same_classes(value[kept:], stream)


def _card(value: str, stream: Iterator[int]) -> str:
    body = value[:2] + _same_classes(value[2:-1], stream)
    return next(body + check for check in string.digits if luhn_ok(body + check))


def _iban(value: str, stream: Iterator[int]) -> str:
    body = _same_classes(value[4:], stream)
    check = 98 - iban_remainder(f"{value[:2]}00{body}")
    return f"{value[:2]}{check:02d}{body}"


def _ip(value: str, stream: Iterator[int]) -> str:
    """Return an address of the ranges for documentation and benchmarks (RFC 2544, RFC 3849)."""
    if ":" in value:
        return str(ipaddress.ip_address(f"2001:db8::{next(stream) + 1:x}:{next(stream) + 1:x}{next(stream):02x}"))
    return f"198.{18 + next(stream) % 2}.{next(stream)}.{1 + next(stream) % 254}"


def _secret(value: str, stream: Iterator[int]) -> str:
    if value.startswith("-----"):
        body = "".join(f"{next(stream):02X}" for _ in range(24))
        return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    head = next((h for h in _SECRET_HEADS if value.startswith(h)), value[:4] if value[3:4] in "_-" else value[:5])
    return head + _same_classes(value[len(head) :], stream)
